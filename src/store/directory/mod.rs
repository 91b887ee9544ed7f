//! Domains and people: who has a mailbox here.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{FolderId, UserId},
        secret::Secret,
        time::Time,
    },
    store::{
        Broken, Refusal,
        apply::Context,
        change::{Change, NewFolder, NewUser},
        counters,
        decide::Numbers,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox, value,
    },
};

/// What a domain is to us (`spec/mail.md` section 3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DomainClass {
    Alias,
    Backup,
    Local,
    Mailbox,
    Relay,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Domain {
    pub class: DomainClass,
    /// An inactive row is as if it did not exist (AC-7).
    pub enabled: bool,
}

/// A person with a mailbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct User {
    /// The log-in name, in key form: lower case, ASCII domain.
    pub address: String,
    /// A PHC string (argon2id).
    pub password: Secret,
    /// Rises with every change of a secret: what was verified before it is void.
    pub credentials: u64,
    /// In octets; 0 = none.
    pub quota: u64,
    pub enabled: bool,
    pub created: Time,
    /// When the person was removed and the mail kept (ST-11).
    pub removed: Option<Time>,
    /// The segment whose change holds the secret: emptied when the secret goes.
    pub secret_in: u64,
}

/// What a person's mail takes, as the quota counts it: a message counts in each folder it is in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    pub octets: u64,
    pub messages: u64,
}

/// # Errors
///
/// The index fails.
pub fn domain(rows: &impl Rows, name: &str) -> Result<Option<Domain>, Broken> {
    rows.row(&key::domain(name), "domain")
}

/// All domains by name.
///
/// # Errors
///
/// The index fails.
pub fn domains(rows: &impl Rows) -> Result<Vec<(String, Domain)>, Broken> {
    let mut out = Vec::new();
    rows.scan_prefix(&key::domain(""), &mut |key, octets| {
        let name = key::text_of(key, 1).ok_or(Broken::Corrupt("domain"))?;
        out.push((name.to_owned(), value::decode(octets, "domain")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// # Errors
///
/// The index fails.
pub fn user(rows: &impl Rows, id: UserId) -> Result<Option<User>, Broken> {
    rows.row(&key::user(id), "user")
}

/// By the address' key form.
///
/// # Errors
///
/// The index fails.
pub fn named(rows: &impl Rows, address: &str) -> Result<Option<UserId>, Broken> {
    rows.row(&key::address(address), "address")
}

/// Up to `limit` people after `after`, by number.
///
/// # Errors
///
/// The index fails.
pub fn users(
    rows: &impl Rows,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, User)>, Broken> {
    let first = after.map_or(Some(UserId(0)), UserId::next);
    let (Some(first), mut out) = (first, Vec::new()) else {
        return Ok(Vec::new());
    };
    let to = [key::Kind::User.letter().saturating_add(1)];
    rows.scan(&key::user(first), &to, &mut |key, octets| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let id = key::u32_of(key).ok_or(Broken::Corrupt("user key"))?;
        out.push((UserId(id), value::decode(octets, "user")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// # Errors
///
/// The index fails.
pub fn usage(rows: &impl Rows, user: UserId) -> Result<Usage, Broken> {
    Ok(rows.row(&key::usage(user), "usage")?.unwrap_or_default())
}

/// One message more or less counts for the quota.
pub(super) fn count(
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
        row.octets = row.octets.saturating_sub(size);
        row.messages = row.messages.saturating_sub(1);
    }
    tables.set(&key::usage(user), &row)
}

/// Decides a new person with the folders that everybody has.
///
/// # Errors
///
/// For good: [`Refusal::NoDomain`], [`Refusal::Exists`].
pub fn decide_user(
    rows: &impl Rows,
    numbers: &mut Numbers,
    address: &str,
    password: &Secret,
    quota: u64,
) -> Result<Change, Refusal> {
    free(rows, address)?;
    let user = numbers.user();
    let folders = mailbox::STANDARD
        .iter()
        .map(|(name, special)| NewFolder {
            folder: numbers.folder(),
            user,
            name: (*name).to_owned(),
            special: *special,
            validity: numbers.validity(),
        })
        .collect();
    Ok(Change::AddUser(NewUser {
        user,
        address: address.to_owned(),
        password: password.clone(),
        quota,
        folders,
    }))
}

/// Whether an address can be given to somebody.
///
/// # Errors
///
/// For good: [`Refusal::NoDomain`], [`Refusal::Exists`], [`Refusal::Name`].
pub fn free(rows: &impl Rows, address: &str) -> Result<(), Refusal> {
    let (_, name) = address.rsplit_once('@').ok_or(Refusal::Name)?;
    domain(rows, name)?.ok_or(Refusal::NoDomain)?;
    match named(rows, address)? {
        Some(_) => Err(Refusal::Exists),
        None => Ok(()),
    }
}

/// Whether nobody has an address in a domain any more.
///
/// # Errors
///
/// For good: [`Refusal::NoDomain`], [`Refusal::NotEmpty`].
pub fn vacant(rows: &impl Rows, name: &str) -> Result<(), Refusal> {
    domain(rows, name)?.ok_or(Refusal::NoDomain)?;
    let at = format!("@{name}");
    let mut used = false;
    rows.scan_prefix(&key::address(""), &mut |key, _| {
        used = key.ends_with(at.as_bytes());
        Ok(if used {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    if used {
        return Err(Refusal::NotEmpty);
    }
    Ok(())
}

/// Applies a new person.
///
/// # Errors
///
/// The index fails.
pub fn add_user(tables: &mut Tables<'_>, at: &Context, new: &NewUser) -> Result<(), Broken> {
    let mut numbers = counters::counters(tables)?;
    numbers.user = numbers.user.max(new.user.0.saturating_add(1));
    counters::set_counters(tables, &numbers)?;
    let row = User {
        address: new.address.clone(),
        password: new.password.clone(),
        credentials: 1,
        quota: new.quota,
        enabled: true,
        created: at.time,
        removed: None,
        secret_in: at.segment,
    };
    tables.set(&key::user(new.user), &row)?;
    tables.set(&key::address(&new.address), &new.user)?;
    for folder in &new.folders {
        mailbox::folder::create(tables, folder)?;
        mailbox::folder::subscribe(tables, new.user, &folder.name, true)?;
    }
    Ok(())
}

/// Applies another secret; the old one leaves the medium.
///
/// # Errors
///
/// The index fails.
pub fn set_password(
    tables: &mut Tables<'_>,
    at: &Context,
    id: UserId,
    password: &Secret,
) -> Result<(), Broken> {
    purge_secret(tables, id)?;
    edit(tables, id, |row| {
        row.password = password.clone();
        row.credentials = row.credentials.saturating_add(1);
        row.secret_in = at.segment;
    })
}

/// The segment that holds a person's secret is to be emptied, whatever else lives there.
fn purge_secret(tables: &mut Tables<'_>, id: UserId) -> Result<(), Broken> {
    let Some(row) = user(tables, id)? else {
        return Ok(());
    };
    let mut segment = counters::segment(tables, row.secret_in)?;
    segment.purge = true;
    counters::set_segment(tables, row.secret_in, &segment)
}

/// People whose mail has been kept for long enough: removed before `before`.
///
/// # Errors
///
/// The index fails.
pub fn expired(rows: &impl Rows, before: Time) -> Result<Option<UserId>, Broken> {
    let mut found = None;
    rows.scan_prefix(&[key::Kind::User.letter()], &mut |key, octets| {
        let row: User = value::decode(octets, "user")?;
        if row.removed.is_some_and(|removed| removed < before) {
            found = key::u32_of(key).map(UserId);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Applies a change to a person's row.
///
/// # Errors
///
/// The index fails.
pub fn edit(
    tables: &mut Tables<'_>,
    id: UserId,
    edit: impl FnOnce(&mut User),
) -> Result<(), Broken> {
    if let Some(mut row) = user(tables, id)? {
        edit(&mut row);
        tables.set(&key::user(id), &row)?;
    }
    Ok(())
}

/// Applies another address.
///
/// # Errors
///
/// The index fails.
pub fn rename(tables: &mut Tables<'_>, id: UserId, address: &str) -> Result<(), Broken> {
    if let Some(row) = user(tables, id)? {
        tables.remove(&key::address(&row.address))?;
        tables.set(&key::address(address), &id)?;
    }
    edit(tables, id, |row| address.clone_into(&mut row.address))
}

/// Applies that a person goes; with `purge` all mail goes too.
///
/// # Errors
///
/// The index fails.
pub fn remove_user(
    tables: &mut Tables<'_>,
    at: &Context,
    id: UserId,
    purge: bool,
) -> Result<(), Broken> {
    let Some(row) = user(tables, id)? else {
        return Ok(());
    };
    if named(tables, &row.address)? == Some(id) {
        tables.remove(&key::address(&row.address))?;
    }
    if !purge {
        return edit(tables, id, |row| {
            row.removed = Some(at.time);
            row.credentials = row.credentials.saturating_add(1);
        });
    }
    purge_secret(tables, id)?;
    let folders: Vec<FolderId> = mailbox::all(tables, id)?;
    mailbox::folder::delete(tables, &at.purging(), &folders)?;
    for name in mailbox::folder::subscriptions(tables, id)? {
        mailbox::folder::subscribe(tables, id, &name, false)?;
    }
    tables.remove(&key::usage(id))?;
    tables.remove(&key::user(id))?;
    Ok(())
}
