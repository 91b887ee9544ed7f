//! The tables that an administrator keeps: access, aliases, known recipients, routes, transports.
//! All are edited alike: several rows at once, each only if it is still what it was.

use std::{collections::BTreeSet, ops::ControlFlow};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    base::secret::Secret,
    store::{
        Broken, Refusal,
        apply::Context,
        change::Change,
        counters,
        decide::Numbers,
        directory::{Device, DkimKey, dkim},
        index::{
            key::{self, Kind},
            table::{Rows, Tables, after as behind},
        },
        value,
    },
};

/// Edits of so many octets are made whatever the room.
const SMALL: u64 = 16 * 1024;

/// Who may connect (its name is a CIDR in canonical form).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Access {
    pub allow: bool,
}

/// Mail for one address goes to others. Its name is the address in key form (`Address::key`), or
/// `@domain` for all that nobody has there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Alias {
    /// Addresses as written (domain in ASCII lower case, local part as given) or `@domain`.
    pub targets: Vec<String>,
    /// An inactive row is as if it did not exist (AC-7).
    pub enabled: bool,
    /// FW-11; None = the default (on).
    pub srs: Option<bool>,
}

/// A way out with a name: another server that takes mail for everybody.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Route {
    pub hosts: Vec<String>,
    pub port: u16,
    pub tls: RouteTls,
    pub user: Option<String>,
    pub password: Secret,
    pub from_rewrite: FromRewrite,
    /// The address that From becomes; None = the log-in name, where that is an address.
    pub from: Option<String>,
    /// The segment whose change holds the secret: emptied when the secret goes. Set by the store.
    pub secret_in: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RouteTls {
    Implicit,
    None,
    StartTls,
}

/// Whose header From becomes the route's own address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FromRewrite {
    Always,
    Local,
    Off,
}

/// Where mail for a pattern (`user+tag@d`, `user@d`, `d`, `.d`, `*`) goes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transport {
    /// A text of `spec/mail.md` section 5 that has been parsed.
    pub target: String,
    /// How the way is secured; None = as usual for it.
    pub tls: Option<TransportTls>,
}

/// What TLS has to be on the way to a destination.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TransportTls {
    /// There has to be TLS; whose certificate it is does not matter.
    Encrypt,
    /// TLS where it is offered; without, if it fails.
    May,
    None,
    /// TLS with a certificate that is trusted and has the host's name.
    Verify,
}

/// One row that is to become another: added (`was` is none), replaced, or removed (`now` is none).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Edit {
    Access(Swap<Access>),
    Alias(Swap<Alias>),
    Device(Swap<Device>),
    /// Named `domain/selector`.
    DkimKey(Swap<DkimKey>),
    /// A known recipient of a domain that is passed on, in key form; or `@domain`.
    Recipient(Swap<()>),
    Route(Swap<Route>),
    Transport(Swap<Transport>),
}

/// A row as the request's maker saw it, and as it shall be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Swap<T> {
    pub name: String,
    pub was: Option<T>,
    pub now: Option<T>,
}

impl<T> Swap<T> {
    #[must_use]
    pub fn add(name: &str, row: T) -> Self {
        Self {
            name: name.to_owned(),
            was: None,
            now: Some(row),
        }
    }

    #[must_use]
    pub fn remove(name: &str, row: T) -> Self {
        Self {
            name: name.to_owned(),
            was: Some(row),
            now: None,
        }
    }
}

/// A row that becomes another, as it was decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Edited {
    Access(String, Option<Access>),
    Alias(String, Option<Alias>),
    Recipient(String, Option<()>),
    Route {
        name: String,
        now: Option<Route>,
        /// The row that was there had a secret, which leaves the medium.
        purge: bool,
    },
    Transport(String, Option<Transport>),
    Device(String, Option<Device>),
    DkimKey {
        name: String,
        now: Option<DkimKey>,
        /// The row that was there had a secret, which leaves the medium.
        purge: bool,
    },
}

/// The row of that name.
///
/// # Errors
///
/// The index fails.
pub fn alias(rows: &impl Rows, source: &str) -> Result<Option<Alias>, Broken> {
    rows.row(&key::alias(source), "alias")
}

/// # Errors
///
/// The index fails.
pub fn recipient(rows: &impl Rows, address: &str) -> Result<bool, Broken> {
    rows.has(&key::recipient(address))
}

/// # Errors
///
/// The index fails.
pub fn route(rows: &impl Rows, name: &str) -> Result<Option<Route>, Broken> {
    rows.row(&key::route(name), "route")
}

/// # Errors
///
/// The index fails.
pub fn transport(rows: &impl Rows, pattern: &str) -> Result<Option<Transport>, Broken> {
    rows.row(&key::transport(pattern), "transport")
}

/// All rows of a kind whose key is its letter and a name.
///
/// # Errors
///
/// The index fails.
pub fn all<T: DeserializeOwned>(rows: &impl Rows, kind: Kind) -> Result<Vec<(String, T)>, Broken> {
    let mut out = Vec::new();
    rows.scan_prefix(&[kind.letter()], &mut |key, octets| {
        let name = key::text_of(key, 1).ok_or(Broken::Corrupt("name"))?;
        out.push((name.to_owned(), value::decode(octets, "row")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Up to `limit` rows of a kind that is named by address, behind that of `after`: by domain, then by
/// local part.
///
/// # Errors
///
/// The index fails.
pub fn by_domain<T: DeserializeOwned>(
    rows: &impl Rows,
    kind: Kind,
    domain: Option<&str>,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Vec<(String, T)>, Broken> {
    let within = domain.map_or(vec![kind.letter()], |domain| key::in_domain(kind, domain));
    let mut from = within.clone();
    if let Some(mut after) = after {
        after.push(0);
        from = from.max(after);
    }
    let mut out = Vec::new();
    rows.scan(&from, &behind(&within), &mut |key, octets| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let name = key::address_of(key).ok_or(Broken::Corrupt("address key"))?;
        out.push((name, value::decode(octets, "row")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Decides edits: all of them or none. `None`: all rows are already what they shall be.
///
/// # Errors
///
/// For good: [`Refusal::Changed`], [`Refusal::Exists`] (a row is named twice). For now:
/// [`Refusal::Full`] when the rows would not fit on the disk.
pub fn decide(
    rows: &impl Rows,
    numbers: &Numbers,
    edits: &[Edit],
) -> Result<Option<Change>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for edit in edits {
        let key = edit.key();
        let (name, changed) = match edit {
            Edit::Access(swap) => changes(rows, &key, swap)?,
            Edit::Alias(swap) => changes(rows, &key, swap)?,
            Edit::Device(swap) => changes(rows, &key, swap)?,
            Edit::DkimKey(swap) => changes(rows, &key, swap)?,
            Edit::Recipient(swap) => changes(rows, &key, swap)?,
            Edit::Route(swap) => changes(rows, &key, swap)?,
            Edit::Transport(swap) => changes(rows, &key, swap)?,
        };
        if changed {
            out.push(edit.edited(name.to_owned()));
        }
        if !seen.insert(key) {
            return Err(Refusal::Exists);
        }
    }
    // As with COPY: the index must never meet a full disk. A few rows do not matter, and may be what
    // makes room.
    let size = value::encode(&out).len() as u64;
    if size > SMALL && size > numbers.index_room / 2 {
        return Err(Refusal::Full);
    }
    Ok((!out.is_empty()).then_some(Change::Edit(out)))
}

/// The row's name, and whether it becomes another.
fn changes<'a, T: DeserializeOwned + PartialEq>(
    rows: &impl Rows,
    key: &[u8],
    swap: &'a Swap<T>,
) -> Result<(&'a str, bool), Refusal> {
    if rows.row::<T>(key, "row")? != swap.was {
        return Err(Refusal::Changed);
    }
    Ok((&swap.name, swap.was != swap.now))
}

impl Route {
    fn has_secret(&self) -> bool {
        !self.password.reveal().is_empty()
    }
}

impl Edit {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::Access(swap) => key::access(&swap.name),
            Self::Alias(swap) => key::alias(&swap.name),
            Self::Device(swap) => key::device(&swap.name),
            Self::DkimKey(swap) => key::dkim_key(&swap.name),
            Self::Recipient(swap) => key::recipient(&swap.name),
            Self::Route(swap) => key::route(&swap.name),
            Self::Transport(swap) => key::transport(&swap.name),
        }
    }

    fn edited(&self, name: String) -> Edited {
        match self {
            Self::Access(swap) => Edited::Access(name, swap.now.clone()),
            Self::Alias(swap) => Edited::Alias(name, swap.now.clone()),
            Self::Device(swap) => Edited::Device(name, swap.now.clone()),
            Self::DkimKey(swap) => Edited::DkimKey {
                name,
                now: swap.now.clone(),
                purge: swap.was.as_ref().is_some_and(DkimKey::has_secret),
            },
            Self::Recipient(swap) => Edited::Recipient(name, swap.now),
            Self::Route(swap) => Edited::Route {
                name,
                now: swap.now.clone(),
                purge: swap.was.as_ref().is_some_and(Route::has_secret),
            },
            Self::Transport(swap) => Edited::Transport(name, swap.now.clone()),
        }
    }
}

/// Applies an edit.
///
/// # Errors
///
/// The index fails.
pub fn apply(tables: &mut Tables<'_>, at: &Context, edited: &Edited) -> Result<(), Broken> {
    match edited {
        Edited::Access(cidr, now) => put(tables, &key::access(cidr), now.as_ref()),
        Edited::Alias(source, now) => put(tables, &key::alias(source), now.as_ref()),
        Edited::Device(name, now) => put(tables, &key::device(name), now.as_ref()),
        Edited::DkimKey { name, now, purge } => dkim::apply(tables, at, name, now.as_ref(), *purge),
        Edited::Recipient(address, now) => put(tables, &key::recipient(address), now.as_ref()),
        Edited::Route { name, now, purge } => {
            let was = route(tables, name)?;
            if let Some(was) = was.filter(|_| *purge) {
                counters::purge(tables, was.secret_in)?;
            }
            if now.as_ref().is_some_and(Route::has_secret) {
                counters::keep_secret(tables, at.segment)?;
            }
            let now = now.clone().map(|now| Route {
                secret_in: at.segment,
                ..now
            });
            put(tables, &key::route(name), now.as_ref())
        }
        Edited::Transport(pattern, now) => put(tables, &key::transport(pattern), now.as_ref()),
    }
}

pub(super) fn put<T: Serialize>(
    tables: &mut Tables<'_>,
    key: &[u8],
    row: Option<&T>,
) -> Result<(), Broken> {
    match row {
        Some(row) => tables.set(key, row),
        None => tables.remove(key).map(drop),
    }
}

/// Applies that a domain goes: nobody in it is a known recipient any more.
///
/// # Errors
///
/// The index fails.
pub fn forget_recipients(tables: &mut Tables<'_>, domain: &str) -> Result<(), Broken> {
    let mut keys = Vec::new();
    tables.scan_prefix(&key::in_domain(Kind::Recipient, domain), &mut |key, _| {
        keys.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    keys.iter().try_for_each(|key| tables.remove(key).map(drop))
}
