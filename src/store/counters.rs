//! Counters that hand out numbers, and what is known of each segment.

use serde::{Deserialize, Serialize};

use crate::{
    base::time::Time,
    store::{
        Broken,
        index::{
            key,
            table::{Rows, Tables},
        },
    },
};

/// The next number of each kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counters {
    pub user: u32,
    pub folder: u32,
    pub content: u64,
    pub queue: u64,
    pub app_password: u32,
    /// UIDVALIDITY.
    pub validity: u32,
    /// The newest time that a change carried: the clock's floor.
    pub time: Time,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            user: 1,
            folder: 1,
            content: 1,
            queue: 1,
            app_password: 1,
            validity: 1,
            time: Time(0),
        }
    }
}

/// A segment as the index knows it. Not in a dump: it follows from content places and the log.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// Octets of records that are live content.
    pub live: u64,
    /// The greatest change number in it.
    pub last_change: u64,
    /// Content in it is dead since then; 0 = none is.
    pub dead_since: Time,
    /// It holds what was purged: to be emptied, whatever else lives there.
    pub purge: bool,
    /// A change in it may hold a secret: its file is not used again but removed.
    pub secret: bool,
}

/// # Errors
///
/// The index fails.
pub fn counters(rows: &impl Rows) -> Result<Counters, Broken> {
    Ok(rows.row(key::COUNTERS, "counters")?.unwrap_or_default())
}

/// # Errors
///
/// The index fails.
pub fn set_counters(tables: &mut Tables<'_>, counters: &Counters) -> Result<(), Broken> {
    tables.set(key::COUNTERS, counters)
}

/// # Errors
///
/// The index fails.
pub fn segment(rows: &impl Rows, number: u64) -> Result<Segment, Broken> {
    Ok(rows
        .row(&key::segment(number), "segment")?
        .unwrap_or_default())
}

/// # Errors
///
/// The index fails.
pub fn set_segment(tables: &mut Tables<'_>, number: u64, segment: &Segment) -> Result<(), Broken> {
    tables.set(&key::segment(number), segment)
}

/// A segment holds a secret, or may.
///
/// # Errors
///
/// The index fails.
pub fn keep_secret(tables: &mut Tables<'_>, number: u64) -> Result<(), Broken> {
    let mut row = segment(tables, number)?;
    row.secret = true;
    set_segment(tables, number, &row)
}

/// A segment holds what has to leave the medium: it is to be emptied, whatever else lives there.
///
/// # Errors
///
/// The index fails.
pub fn purge(tables: &mut Tables<'_>, number: u64) -> Result<(), Broken> {
    let mut row = segment(tables, number)?;
    row.purge = true;
    set_segment(tables, number, &row)
}
