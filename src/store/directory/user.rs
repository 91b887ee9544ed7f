//! People come, go, and get other secrets.

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
        directory::{self, ScramKeys, User, app_password, edit},
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox, value,
    },
};

/// All that is kept of a person's password.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Secrets {
    pub password: Secret,
    pub scram: Option<ScramKeys>,
    pub scram_salt: [u8; 16],
    pub scram_count: u32,
}

/// Decides a new person with the folders that everybody has.
///
/// # Errors
///
/// For good: [`Refusal::NoDomain`], [`Refusal::Exists`].
pub fn decide_add(
    rows: &impl Rows,
    numbers: &mut Numbers,
    address: &str,
    secrets: Secrets,
    quota: u64,
) -> Result<(UserId, Change), Refusal> {
    directory::free(rows, address)?;
    let user = numbers.user()?;
    let mut folders = Vec::new();
    for (name, special) in mailbox::STANDARD {
        folders.push(NewFolder {
            folder: numbers.folder()?,
            user,
            name: name.to_owned(),
            special,
            validity: numbers.validity()?,
        });
    }
    let new = NewUser {
        user,
        address: address.to_owned(),
        secrets,
        quota,
        folders,
    };
    Ok((user, Change::AddUser(new)))
}

/// Applies a new person.
///
/// # Errors
///
/// The index fails.
pub fn add(tables: &mut Tables<'_>, at: &Context, new: &NewUser) -> Result<(), Broken> {
    let mut numbers = counters::counters(tables)?;
    numbers.user = numbers.user.max(new.user.0.saturating_add(1));
    counters::set_counters(tables, &numbers)?;
    counters::keep_secret(tables, at.segment)?;
    let secrets = new.secrets.clone();
    let row = User {
        address: new.address.clone(),
        password: secrets.password,
        scram: secrets.scram,
        scram_salt: secrets.scram_salt,
        scram_count: secrets.scram_count,
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

/// Applies another secret; the old one leaves the medium. `changed`: what was verified with the old
/// one is void; else it is the same password in another form.
///
/// # Errors
///
/// The index fails.
pub fn set_password(
    tables: &mut Tables<'_>,
    at: &Context,
    id: UserId,
    new: &Secrets,
    changed: bool,
) -> Result<(), Broken> {
    purge_secret(tables, id)?;
    counters::keep_secret(tables, at.segment)?;
    let new = new.clone();
    edit(tables, id, |row| {
        row.password = new.password;
        row.scram = new.scram;
        row.scram_salt = new.scram_salt;
        row.scram_count = new.scram_count;
        row.credentials = row.credentials.saturating_add(u64::from(changed));
        row.secret_in = at.segment;
    })
}

fn purge_secret(tables: &mut Tables<'_>, id: UserId) -> Result<(), Broken> {
    match directory::user(tables, id)? {
        Some(row) => counters::purge(tables, row.secret_in),
        None => Ok(()),
    }
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

/// Applies another address.
///
/// # Errors
///
/// The index fails.
pub fn rename(tables: &mut Tables<'_>, id: UserId, address: &str) -> Result<(), Broken> {
    if let Some(row) = directory::user(tables, id)? {
        tables.remove(&key::address(&row.address))?;
        tables.set(&key::address(address), &id)?;
    }
    edit(tables, id, |row| address.clone_into(&mut row.address))
}

/// Applies that a person goes; with `purge` all mail and all secrets go too.
///
/// # Errors
///
/// The index fails.
pub fn remove(
    tables: &mut Tables<'_>,
    at: &Context,
    id: UserId,
    purge: bool,
) -> Result<(), Broken> {
    let Some(row) = directory::user(tables, id)? else {
        return Ok(());
    };
    if directory::named(tables, &row.address)? == Some(id) {
        tables.remove(&key::address(&row.address))?;
    }
    if !purge {
        return edit(tables, id, |row| {
            row.removed = Some(at.time);
            row.credentials = row.credentials.saturating_add(1);
        });
    }
    counters::purge(tables, row.secret_in)?;
    for (app, _) in app_password::app_passwords(tables, id)? {
        app_password::remove(tables, id, app)?;
    }
    let folders: Vec<FolderId> = mailbox::all(tables, id)?;
    mailbox::folder::delete(tables, &at.purging(), &folders)?;
    for name in mailbox::folder::subscriptions(tables, id)? {
        mailbox::folder::subscribe(tables, id, &name, false)?;
    }
    tables.remove(&key::usage(id))?;
    tables.remove(&key::user(id))?;
    Ok(())
}
