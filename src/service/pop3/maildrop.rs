//! A person's inbox as it was at the log-in: STAT, LIST, UIDL, DELE, RSET.

use std::ops::ControlFlow;

use super::{Answer, Lock, Pop3, Running, TEMPORARY, broken};
use crate::{
    base::{
        id::{FolderId, Uid},
        memory::Held,
        ranges::Ranges,
    },
    store::mailbox::INBOX,
};

/// Rows that are read in one transaction.
const SLICE_ROWS: u64 = 256;

/// A piece of a long answer is sent when it has grown beyond this, in octets.
const SLICE_OCTETS: usize = 16 * 1024;

/// What a message takes of memory here, in octets.
const ROW: u64 = 12;

const NO_MESSAGE: Answer = Answer::Err("No such message");

/// The messages are counted from 1. Those that IMAP removes meanwhile stay in the count.
#[derive(Debug)]
pub struct Maildrop {
    lock: Lock,
    folder: FolderId,
    /// UIDVALIDITY.
    validity: u32,
    uids: Vec<u32>,
    /// In octets, as RETR sends them but for doubled dots.
    sizes: Vec<u64>,
    /// Numbers of the messages that go at QUIT.
    deleted: Ranges,
    _memory: Option<Held>,
}

/// How far LIST or UIDL is.
#[derive(Debug)]
pub struct Listing {
    /// UIDL.
    names: bool,
    /// The number before the next message's.
    place: usize,
}

impl Listing {
    pub fn sizes() -> Self {
        Self {
            names: false,
            place: 0,
        }
    }

    pub fn names() -> Self {
        Self {
            names: true,
            ..Self::sizes()
        }
    }
}

impl Maildrop {
    /// Reads the inbox, slice by slice: what comes meanwhile is not in it, what goes may be.
    ///
    /// # Errors
    ///
    /// What to say instead.
    pub async fn open(lock: Lock) -> Result<Self, Answer> {
        let common = lock.shared.common.clone();
        let user = lock.user;
        let found = common.store.read(|reader| {
            let inbox = reader.folder_named(user, INBOX)?;
            let row = inbox.map(|inbox| reader.folder(inbox)).transpose()?;
            Ok(inbox.zip(row.flatten()))
        });
        let (folder, row) = found
            .map_err(|error| broken(&error))?
            .ok_or(Answer::Err(TEMPORARY))?;
        let octets = u64::from(row.exists).saturating_mul(ROW);
        let memory = common.memory.hold(octets).ok_or(Answer::Err(
            "[SYS/TEMP] Out of memory for now, try again later",
        ))?;
        let mut maildrop = Self {
            lock,
            folder,
            validity: row.validity,
            uids: Vec::new(),
            sizes: Vec::new(),
            deleted: Ranges::new(),
            _memory: Some(memory),
        };
        let last = Uid(row.uid_next.0.saturating_sub(1));
        let mut from = Some(Uid(1));
        while let Some(first) = from.filter(|first| *first <= last) {
            let read = common.store.read(|reader| {
                let mut left = SLICE_ROWS;
                reader.messages(folder, first, last, &mut |uid, row| {
                    maildrop.uids.push(uid.0);
                    maildrop.sizes.push(row.size);
                    left = left.saturating_sub(1);
                    if left == 0 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
                Ok(left == 0)
            });
            let full = read.map_err(|error| broken(&error))?;
            let next = || Uid(*maildrop.uids.last()?).next();
            from = full.then(next).flatten();
            smol::future::yield_now().await;
        }
        Ok(maildrop)
    }

    /// The session is not silent; says whether this is still its maildrop.
    pub fn renew(&self) -> bool {
        self.lock.renew()
    }

    /// Ready when another session has it.
    pub async fn lost(&self) {
        // Nothing is ever sent: its sender goes.
        let _ = self.lock.lost.recv().await;
    }

    pub fn folder(&self) -> FolderId {
        self.folder
    }

    /// UID and size of a message that is not deleted.
    pub fn message(&self, number: u32) -> Option<(Uid, u64)> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        let (uid, size) = (self.uids.get(place)?, self.sizes.get(place)?);
        (!self.deleted.contains(number)).then_some((Uid(*uid), *size))
    }

    /// The UIDs of the deleted messages.
    pub fn deleted(&self) -> Ranges {
        let place = |number: u32| usize::try_from(number).ok()?.checked_sub(1);
        let numbers = self.deleted.iter().filter_map(place);
        numbers
            .filter_map(|place| self.uids.get(place).copied())
            .collect()
    }

    pub fn delete(&mut self, number: u32) -> Answer {
        if self.message(number).is_none() {
            return NO_MESSAGE;
        }
        self.deleted.insert(number);
        Answer::Ok("Message deleted".to_owned())
    }

    pub fn reset(&mut self) {
        self.deleted = Ranges::new();
    }

    /// `2 320` (RFC 1939 section 5, STAT).
    pub fn status(&self) -> String {
        let (count, octets) = self.totals();
        [count.to_string(), octets.to_string()].join(" ")
    }

    /// `2 messages (320 octets)`.
    pub fn summary(&self) -> String {
        let (count, octets) = self.totals();
        format!("{count} messages ({octets} octets)")
    }

    /// The line of LIST or UIDL for one message.
    pub fn line(&self, number: u32, listing: &Listing) -> Answer {
        match self.about(number, listing) {
            Some(line) => Answer::Ok(line),
            None => NO_MESSAGE,
        }
    }

    fn totals(&self) -> (u64, u64) {
        let octets = self.deleted.iter().fold(0u64, |octets, number| {
            let place = usize::try_from(number).unwrap_or(0).saturating_sub(1);
            octets.saturating_add(self.sizes.get(place).copied().unwrap_or(0))
        });
        let all = self
            .sizes
            .iter()
            .fold(0, |all: u64, n| all.saturating_add(*n));
        let count = u64::try_from(self.sizes.len()).unwrap_or(u64::MAX);
        (
            count.saturating_sub(self.deleted.count()),
            all.saturating_sub(octets),
        )
    }

    /// `1 120` or `1 1764000000.7`: UIDVALIDITY and UID name a message for good.
    fn about(&self, number: u32, listing: &Listing) -> Option<String> {
        let (uid, size) = self.message(number)?;
        let mut line = number.to_string();
        line.push(' ');
        if listing.names {
            line.push_str(&self.validity.to_string());
            line.push('.');
            line.push_str(&uid.0.to_string());
        } else {
            line.push_str(&size.to_string());
        }
        Some(line)
    }
}

impl Pop3 {
    pub(super) fn list(&mut self, listing: Listing) -> Answer {
        let text = match &self.maildrop {
            Some(maildrop) => maildrop.summary(),
            None => String::new(),
        };
        let (octets, more) = self.listed(listing);
        Answer::Lines { text, octets, more }
    }

    /// The next lines of a listing.
    pub(super) fn listed(&mut self, mut listing: Listing) -> (Vec<u8>, bool) {
        let mut octets = Vec::new();
        let Some(maildrop) = self.maildrop.as_deref() else {
            return (octets, false);
        };
        while listing.place < maildrop.uids.len() && octets.len() < SLICE_OCTETS {
            listing.place = listing.place.saturating_add(1);
            let number = u32::try_from(listing.place).unwrap_or(u32::MAX);
            if let Some(line) = maildrop.about(number, &listing) {
                octets.extend_from_slice(line.as_bytes());
                octets.extend_from_slice(b"\r\n");
            }
        }
        let more = listing.place < maildrop.uids.len();
        self.running = more.then_some(Running::Listing(listing));
        (octets, more)
    }
}
