//! App passwords: one for each of a person's devices.

use std::{fmt, ops::ControlFlow};

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::UserId, time::Time},
    store::{
        Broken, Refusal,
        apply::Context,
        change::Change,
        counters,
        decide::Numbers,
        directory::{self, ScramKeys},
        index::{
            key,
            table::{Rows, Tables},
        },
        value,
    },
};

/// When one was used is kept to so many seconds: a device that looks for mail every minute does not
/// have the log written every minute.
const USED_S: i64 = 3600;

/// An app password as it is asked for. It is long and random: a plain hash of it is enough.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct NewAppPassword {
    /// As the person calls the device.
    pub name: String,
    pub sha256: [u8; 32],
    pub scram: ScramKeys,
}

impl fmt::Debug for NewAppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewAppPassword({:?})", self.name)
    }
}

/// An app password's row.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct AppPassword {
    pub name: String,
    pub sha256: [u8; 32],
    pub scram: ScramKeys,
    pub created: Time,
    pub used: Option<Time>,
    /// The segment whose change holds the secret: emptied when the secret goes.
    pub secret_in: u64,
}

impl fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (created, used) = (self.created, self.used);
        write!(f, "AppPassword({:?}, {created:?}, {used:?})", self.name)
    }
}

/// # Errors
///
/// The index fails.
pub fn app_password(
    rows: &impl Rows,
    user: UserId,
    id: u32,
) -> Result<Option<AppPassword>, Broken> {
    rows.row(&key::app_password(user, id), "app password")
}

/// All of a person's, oldest first.
///
/// # Errors
///
/// The index fails.
pub fn app_passwords(rows: &impl Rows, user: UserId) -> Result<Vec<(u32, AppPassword)>, Broken> {
    let mut out = Vec::new();
    rows.scan_prefix(&key::app_passwords(user), &mut |key, octets| {
        let id = key::second_u32_of(key).ok_or(Broken::Corrupt("app password key"))?;
        out.push((id, value::decode(octets, "app password")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Decides a new one.
///
/// # Errors
///
/// For good: [`Refusal::NoUser`].
pub fn decide_add(
    rows: &impl Rows,
    numbers: &mut Numbers,
    user: UserId,
    app: &NewAppPassword,
) -> Result<(u32, Change), Refusal> {
    directory::known(rows, user)?;
    let id = numbers.app_password()?;
    let app = app.clone();
    Ok((id, Change::AddAppPassword { user, id, app }))
}

/// Decides that one goes.
///
/// # Errors
///
/// For good: [`Refusal::NoEntry`].
pub fn decide_remove(rows: &impl Rows, user: UserId, id: u32) -> Result<Change, Refusal> {
    app_password(rows, user, id)?.ok_or(Refusal::NoEntry)?;
    Ok(Change::RemoveAppPassword { user, id })
}

/// Decides that one was used. `None`: it is gone, or that is nearly what is known.
///
/// # Errors
///
/// The index fails.
pub fn decide_used(
    rows: &impl Rows,
    user: UserId,
    id: u32,
    time: Time,
) -> Result<Option<Change>, Refusal> {
    let row = app_password(rows, user, id)?;
    let news = |used: Time| time.0.saturating_sub(used.0) >= USED_S;
    let news = row.is_some_and(|row| row.used.is_none_or(news));
    Ok(news.then_some(Change::UsedAppPassword { user, id, time }))
}

/// Applies a new one.
///
/// # Errors
///
/// The index fails.
pub fn add(
    tables: &mut Tables<'_>,
    at: &Context,
    user: UserId,
    id: u32,
    app: &NewAppPassword,
) -> Result<(), Broken> {
    let mut numbers = counters::counters(tables)?;
    numbers.app_password = numbers.app_password.max(id.saturating_add(1));
    counters::set_counters(tables, &numbers)?;
    counters::keep_secret(tables, at.segment)?;
    if directory::user(tables, user)?.is_none() {
        // Damage before this change.
        return Ok(());
    }
    let row = AppPassword {
        name: app.name.clone(),
        sha256: app.sha256,
        scram: app.scram.clone(),
        created: at.time,
        used: None,
        secret_in: at.segment,
    };
    tables.set(&key::app_password(user, id), &row)
}

/// Applies that one goes: what was verified with it is void, and it leaves the medium.
///
/// # Errors
///
/// The index fails.
pub fn remove(tables: &mut Tables<'_>, user: UserId, id: u32) -> Result<(), Broken> {
    let Some(row) = app_password(tables, user, id)? else {
        return Ok(());
    };
    counters::purge(tables, row.secret_in)?;
    tables.remove(&key::app_password(user, id))?;
    directory::edit(tables, user, |row| {
        row.credentials = row.credentials.saturating_add(1);
    })
}

/// Applies that one was used.
///
/// # Errors
///
/// The index fails.
pub fn used(tables: &mut Tables<'_>, user: UserId, id: u32, time: Time) -> Result<(), Broken> {
    let Some(mut row) = app_password(tables, user, id)? else {
        return Ok(());
    };
    row.used = row.used.max(Some(time));
    tables.set(&key::app_password(user, id), &row)
}
