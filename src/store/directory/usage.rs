//! What a person's mail takes, and which warning the person has had (ST-9).

use serde::{Deserialize, Serialize};

use crate::{
    base::id::UserId,
    store::{
        Broken, directory,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox::Folder,
    },
};

/// What a person's mail takes, as the quota counts it: a message counts in each folder it is in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    pub octets: u64,
    pub messages: u64,
    pub folders: u32,
    /// The highest warning that was given, in percent: 0, 80 or 95.
    pub warned: u8,
}

/// # Errors
///
/// The index fails.
pub fn usage(rows: &impl Rows, user: UserId) -> Result<Usage, Broken> {
    Ok(rows.row(&key::usage(user), "usage")?.unwrap_or_default())
}

/// One message more or less counts for the quota.
pub(in crate::store) fn count(
    tables: &mut Tables<'_>,
    user: UserId,
    size: u64,
    more: bool,
) -> Result<(), Broken> {
    let mut row = usage(tables, user)?;
    if more {
        row.octets = row.octets.saturating_add(size);
        row.messages = row.messages.saturating_add(1);
    } else {
        less(tables, user, &mut row, size, 1)?;
    }
    tables.set(&key::usage(user), &row)
}

/// Less counts for the quota.
fn less(
    rows: &impl Rows,
    user: UserId,
    row: &mut Usage,
    octets: u64,
    messages: u64,
) -> Result<(), Broken> {
    row.octets = row.octets.saturating_sub(octets);
    row.messages = row.messages.saturating_sub(messages);
    if row.warned > 0 {
        let quota = quota(rows, user)?;
        // Well below the mark: somebody who stays around it is not warned every day.
        row.warned = match percent(row.octets, quota) {
            0..75 => 0,
            75..90 => row.warned.min(80),
            _ => row.warned,
        };
    }
    Ok(())
}

/// One folder more.
pub(in crate::store) fn count_folder(tables: &mut Tables<'_>, user: UserId) -> Result<(), Broken> {
    let mut row = usage(tables, user)?;
    row.folders = row.folders.saturating_add(1);
    tables.set(&key::usage(user), &row)
}

/// A folder goes with all that is in it.
pub(in crate::store) fn count_out(tables: &mut Tables<'_>, folder: &Folder) -> Result<(), Broken> {
    let mut row = usage(tables, folder.user)?;
    row.folders = row.folders.saturating_sub(1);
    let octets = folder.octets.saturating_sub(folder.uncounted_octets);
    let messages = folder.exists.saturating_sub(folder.uncounted);
    less(tables, folder.user, &mut row, octets, u64::from(messages))?;
    tables.set(&key::usage(folder.user), &row)
}

/// Applies that a person was warned.
///
/// # Errors
///
/// The index fails.
pub fn warn(tables: &mut Tables<'_>, user: UserId, level: u8) -> Result<(), Broken> {
    let mut row = usage(tables, user)?;
    row.warned = row.warned.max(level);
    tables.set(&key::usage(user), &row)
}

/// Applies another quota; a warning that no longer holds is forgotten.
///
/// # Errors
///
/// The index fails.
pub fn set_quota(tables: &mut Tables<'_>, user: UserId, quota: u64) -> Result<(), Broken> {
    directory::edit(tables, user, |row| row.quota = quota)?;
    let mut row = usage(tables, user)?;
    let holds = match percent(row.octets, quota) {
        0..80 => 0,
        80..95 => 80,
        _ => 95,
    };
    if row.warned > holds {
        row.warned = holds;
        tables.set(&key::usage(user), &row)?;
    }
    Ok(())
}

fn quota(rows: &impl Rows, user: UserId) -> Result<u64, Broken> {
    Ok(directory::user(rows, user)?.map_or(0, |user| user.quota))
}

/// How much of a quota is used; nothing where there is none.
fn percent(octets: u64, quota: u64) -> u64 {
    let hundredfold = u128::from(octets).saturating_mul(100);
    let percent = hundredfold.checked_div(u128::from(quota));
    percent.map_or(0, |percent| u64::try_from(percent).unwrap_or(u64::MAX))
}
