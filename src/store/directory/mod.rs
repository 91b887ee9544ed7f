//! Domains and people, and the tables that say what becomes of other addresses.

pub mod app_password;
pub mod device;
pub mod dkim;
pub mod table;
pub mod usage;
pub mod user;

use std::{fmt, ops::ControlFlow};

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::UserId, secret::Secret, time::Time},
    store::{
        Broken, Refusal,
        index::{
            key::{self, Kind},
            table::{Rows, Tables},
        },
        value,
    },
};

pub use app_password::{AppPassword, NewAppPassword};
pub use device::Device;
pub use dkim::{DkimAlgorithm, DkimKey, DkimState};
pub use table::{Access, Alias, Edit, FromRewrite, Route, RouteTls, Swap, Transport, TransportTls};
pub use usage::Usage;

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
    /// Only recipients of its list are known (AC-5).
    pub listed: bool,
}

/// A person with a mailbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct User {
    /// The log-in name, in key form: lower case, ASCII domain.
    pub address: String,
    /// A PHC string (argon2id), or a crypt hash that was imported and not used yet.
    pub password: Secret,
    /// None while the password itself has not been seen (an imported hash).
    pub scram: Option<ScramKeys>,
    /// Given to whoever asks by SCRAM, also where there are no keys.
    pub scram_salt: [u8; 16],
    /// Iterations of SCRAM.
    pub scram_count: u32,
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

/// What SCRAM-SHA-256 keeps of a password (RFC 5802 section 3, RFC 7677).
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct ScramKeys {
    pub stored: [u8; 32],
    pub server: [u8; 32],
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
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

/// Refuses who is not there, or was removed.
///
/// # Errors
///
/// For good: [`Refusal::NoUser`].
pub fn known(rows: &impl Rows, id: UserId) -> Result<(), Refusal> {
    match user(rows, id)? {
        Some(row) if row.removed.is_none() => Ok(()),
        _ => Err(Refusal::NoUser),
    }
}

/// Whether a domain has people, and whether it has aliases.
///
/// # Errors
///
/// The index fails.
pub fn holds(rows: &impl Rows, name: &str) -> Result<(bool, bool), Broken> {
    let any = |kind: Kind| {
        let mut found = false;
        rows.scan_prefix(&key::in_domain(kind, name), &mut |_, _| {
            found = true;
            Ok(ControlFlow::Break(()))
        })?;
        Ok::<_, Broken>(found)
    };
    Ok((any(Kind::Address)?, any(Kind::Alias)?))
}

/// Whether nobody has an address in a domain any more, and no alias is there.
///
/// # Errors
///
/// For good: [`Refusal::NoDomain`], [`Refusal::NotEmpty`].
pub fn vacant(rows: &impl Rows, name: &str) -> Result<(), Refusal> {
    domain(rows, name)?.ok_or(Refusal::NoDomain)?;
    match holds(rows, name)? {
        (false, false) => Ok(()),
        _ => Err(Refusal::NotEmpty),
    }
}

/// Applies a change to a domain's row.
///
/// # Errors
///
/// The index fails.
pub fn edit_domain(
    tables: &mut Tables<'_>,
    name: &str,
    edit: impl FnOnce(&mut Domain),
) -> Result<(), Broken> {
    if let Some(mut row) = domain(tables, name)? {
        edit(&mut row);
        tables.set(&key::domain(name), &row)?;
    }
    Ok(())
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
