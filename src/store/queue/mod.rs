//! Messages that wait to be sent. An entry is one message with all its recipients that are not here.

pub mod lane;
mod settle;

use std::{fmt, ops::ControlFlow};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{ContentId, QueueId, UserId},
        time::Time,
    },
    store::{
        Broken,
        index::{
            key::{self, Kind},
            table::Rows,
        },
        value,
    },
};

pub(in crate::store) use settle::{
    add, decide, decide_settles, hold, remove, retry, set_uptime, settle, settle_all, wake,
};

/// How the transport of a recipient begins whose mail waits for a digest (LM-11): such an entry is held
/// from the start.
pub const DIGEST: &str = "digest:";

/// What is kept with a message from its envelope.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Queued {
    /// The name that its sender was told ("queued as").
    pub id: String,
    /// Reverse-path without brackets; empty = the null reverse-path.
    pub sender: String,
    /// Who logged in to send it.
    pub submitter: Option<UserId>,
    /// ENVID as it was given (RFC 3461 section 4.4).
    pub envid: Option<String>,
    /// RET (RFC 3461 section 4.3).
    pub ret: Option<Ret>,
    pub body: BodyKind,
    /// The envelope or the header holds UTF-8 (RFC 6531 section 3.4).
    pub smtputf8: bool,
    /// RFC 8689 section 2.
    pub requiretls: bool,
    pub arrival: Arrival,
    pub recipients: Vec<QueuedRecipient>,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Arrival {
    /// From anybody, by the MX.
    #[default]
    Anybody,
    /// From a listed address in the house.
    Device,
    /// Made here: reports, digests, tests.
    Here,
    /// From a program on this machine.
    Machine,
    /// From somebody who logged in.
    Person,
}

/// One recipient of a message that waits.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct QueuedRecipient {
    pub address: String,
    /// None = what the standard says without NOTIFY: failures (RFC 3461 section 4.1).
    pub notify: Option<Notify>,
    /// ORCPT as it was given (RFC 3461 section 4.2).
    pub orcpt: Option<String>,
    /// The domain under which the reverse-path is rewritten when it leaves (FW-11); None = as it is.
    pub srs: Option<String>,
    /// How it leaves: `smtp:[h]:25`, `relay:NAME`; None = MX. Looked up anew at each try, unless
    /// it is pinned.
    pub transport: Option<String>,
    /// Why it waits: of the last try that was its own.
    pub reason: Option<String>,
    /// Tries that ended for now.
    pub tries: u32,
    /// When it may be tried again, in seconds of network-up time ([`Uptime`]). Of a message that comes:
    /// the time by then, from which it ages; 0 = as the store was told last.
    pub due: u64,
    /// Its sender was told that it is late (OQ-3).
    pub warned: bool,
    /// `transport` holds whatever the rows say: the test of a route.
    pub pinned: bool,
}

impl QueuedRecipient {
    /// Whether its mail waits for a digest.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        let transport = self.transport.as_deref();
        transport.is_some_and(|text| text.starts_with(DIGEST))
    }

    /// The lane it waits in: its transport, else the domain.
    #[must_use]
    pub fn lane(&self) -> &str {
        match &self.transport {
            Some(transport) => transport,
            None => self
                .address
                .rsplit_once('@')
                .map_or("", |(_, domain)| domain),
        }
    }
}

/// Seconds for which there was a network since the store was made: the clock by which mail ages
/// (LM-12). The store keeps what it was told last.
pub type Uptime = u64;

/// All mail with one way out. What fails for all of it at once is kept here and not in each entry.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lane {
    /// Entries that wait here.
    pub waiting: u64,
    /// Nothing is tried here before.
    pub not_before: Uptime,
    /// Tries in a row that ended before a message was looked at.
    pub failures: u32,
    /// Why the last of them did.
    pub reason: Option<String>,
    /// When something can be tried here next: `not_before`, or when the first of its entries is due.
    /// Kept by the store.
    pub next: Uptime,
}

/// What is to be kept of a try as a whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LaneNote {
    pub lane: String,
    pub not_before: Uptime,
    pub failures: u32,
    pub reason: Option<String>,
}

/// What became of some recipients of an entry.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Settled {
    pub queue: QueueId,
    /// Addresses as they stand in the entry. One that is not there any more is passed over.
    pub recipients: Vec<(String, Fate)>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Fate {
    /// Sent, refused, given up or dropped: the entry has it no longer, and goes with its last one.
    Gone,
    /// It leaves another way from now on.
    Moved { transport: Option<String> },
    /// Its sender is told that it is late.
    Warned,
    /// Tried, and to be tried again.
    Waits { due: Uptime, reason: String },
}

/// How the body is written (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum BodyKind {
    BinaryMime,
    EightBitMime,
    #[default]
    SevenBit,
}

/// How much of a message comes back with a failure (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Ret {
    Full,
    Headers,
}

/// What a recipient's sender wants to hear (RFC 3461 section 4.1): a sum.
#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notify(pub u8);

impl Notify {
    pub const NEVER: Self = Self(1);
    pub const SUCCESS: Self = Self(2);
    pub const FAILURE: Self = Self(4);
    pub const DELAY: Self = Self(8);

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// As it is written behind `NOTIFY=`.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (Self::NEVER, "NEVER"),
            (Self::SUCCESS, "SUCCESS"),
            (Self::FAILURE, "FAILURE"),
            (Self::DELAY, "DELAY"),
        ];
        let mut comma = "";
        for (_, word) in words.iter().filter(|(bit, _)| self.has(*bit)) {
            write!(f, "{comma}{word}")?;
            comma = ",";
        }
        Ok(())
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notify({self})")
    }
}

/// A queue entry's row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct QueueEntry {
    pub content: ContentId,
    /// Of the message with its prefix, in octets.
    pub size: u64,
    pub arrived: Time,
    /// When it arrived, by the clock of network-up time.
    pub since: Uptime,
    /// Nothing of it is tried until it is released (OQ-8).
    pub held: bool,
    pub queued: Queued,
}

/// The queue as a whole.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    pub entries: u64,
    /// Sum of the entries' sizes.
    pub octets: u64,
}

/// # Errors
///
/// The index fails.
pub fn totals(rows: &impl Rows) -> Result<Totals, Broken> {
    Ok(rows.row(key::QUEUE, "queue totals")?.unwrap_or_default())
}

/// The clock of network-up time, as the store was told last.
///
/// # Errors
///
/// The index fails.
pub fn uptime(rows: &impl Rows) -> Result<Uptime, Broken> {
    Ok(rows.row(key::UPTIME, "uptime")?.unwrap_or(0))
}

/// # Errors
///
/// The index fails.
pub fn entry(rows: &impl Rows, id: QueueId) -> Result<Option<QueueEntry>, Broken> {
    rows.row(&key::queue(id), "queue entry")
}

/// By the name that the sender was told.
///
/// # Errors
///
/// The index fails.
pub fn named(rows: &impl Rows, name: &str) -> Result<Option<QueueId>, Broken> {
    rows.row(&key::queue_name(name), "queue name")
}

/// Up to `limit` entries after `after`, oldest first.
///
/// # Errors
///
/// The index fails.
pub fn entries(
    rows: &impl Rows,
    after: Option<QueueId>,
    limit: usize,
) -> Result<Vec<(QueueId, QueueEntry)>, Broken> {
    let first = after.map_or(Some(QueueId(0)), QueueId::next);
    let (Some(first), mut out) = (first, Vec::new()) else {
        return Ok(Vec::new());
    };
    let to = [Kind::Queue.letter().saturating_add(1)];
    rows.scan(&key::queue(first), &to, &mut |key, octets| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let id = key::u64_of(key).ok_or(Broken::Corrupt("queue key"))?;
        out.push((QueueId(id), value::decode(octets, "queue entry")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests;
