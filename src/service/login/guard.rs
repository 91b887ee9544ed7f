//! What is remembered of tries to log in, so that guessing is slow (SU-14) and the right password is
//! not (UX-160). A table of values: no clock, no waiting, and no difference between names that are
//! there and names that are not.
//!
//! Three things slow a guesser down:
//!
//! - **an address** (IPv4, or an IPv6 /64) that failed waits before its next try, 2 s more with every
//!   failure, up to 20 s, whatever name it tries. Judged are its tries one after the other.
//! - **an address with a name** waits longer: from the sixth failure on twice as long each time, up to
//!   15 minutes.
//! - **an account** that fails from many addresses: those that failed before are sent away until it is
//!   quiet again, and those that did not, when there are too many of them.
//!
//! A **known device**, an address that was right with this name in the last 30 days, has a place of its
//! own: only its own failures with this name slow it down.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use smol::lock::Mutex;

use crate::{
    base::time::Instant,
    service::password::line::{Class, Place},
};

/// Each failure makes the next try wait this much longer, in seconds, up to [`DELAY_MAX`].
const DELAY: u64 = 2;
const DELAY_MAX: u64 = 20;
/// From here on the wait of an address with one name doubles, up to [`LOCK_MAX`] (UX-208).
const DOUBLING: u32 = 5;
const LOCK_MAX: u64 = 900;
/// Who would have to wait longer than this, in seconds, is told to come back.
const WAIT_MAX: u64 = 30;
/// Log-ins of one address that may be under way at once.
const UNDER_WAY_MAX: u32 = 32;
/// And while it has to wait for a failure.
const HELD_MAX: u32 = 4;
/// Failures are forgotten after this many seconds without one.
const FORGET: u64 = 900;
/// A device is known for this many seconds after it was right.
const KNOWN: u64 = 30 * 86_400;
/// Failures of an account from strange addresses: one is forgotten every so many seconds.
const LEAK: u64 = 5;
/// With so many, addresses that failed before are no longer judged.
const FAILED_MAX: u64 = 20;
/// With so many, no strange address is.
const FRESH_MAX: u64 = 600;
/// Rows that are remembered; those that were silent longest make room, known devices last.
const GUESTS_MAX: usize = 8192;
const ACCOUNTS_MAX: usize = 2048;

/// Whom a row is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Key {
    Network(IpAddr),
    Pair(IpAddr, u64),
}

#[derive(Debug, Default)]
struct Guest {
    failures: u32,
    /// When the next try is judged.
    free: Instant,
    /// The last failure, or that it was right.
    seen: Instant,
    /// When it was right last; only of pairs.
    right: Option<Instant>,
    under_way: u32,
    /// Who holds it is judged; there while somebody is under way.
    lane: Option<Arc<Mutex<()>>>,
}

/// One who tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Try {
    network: IpAddr,
    account: u64,
    known: bool,
}

impl Try {
    pub fn is_known(self) -> bool {
        self.known
    }

    fn lane(self) -> Key {
        if self.known {
            self.pair()
        } else {
            Key::Network(self.network)
        }
    }

    fn pair(self) -> Key {
        Key::Pair(self.network, self.account)
    }
}

/// Failures from strange addresses; they leak away.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    failures: u64,
    seen: Instant,
}

/// The tables.
#[derive(Debug, Default)]
pub struct Guard {
    guests: HashMap<Key, Guest>,
    accounts: HashMap<u64, Account>,
}

impl Guard {
    /// A try begins; it is judged by whoever holds the lane, then [`Guard::free`] is asked.
    /// `account`: a hash of the name. `None`: come back later. To be ended with [`Guard::end`].
    pub fn begin(
        &mut self,
        peer: IpAddr,
        account: u64,
        now: Instant,
    ) -> Option<(Try, Arc<Mutex<()>>)> {
        let network = network(peer);
        let mut own = Try {
            network,
            account,
            known: false,
        };
        own.known = self.known(own.pair(), now);
        self.make_room(own.lane(), now)?;
        self.admit(own, now)?;
        let guest = self.guests.entry(own.lane()).or_default();
        if guest.under_way >= UNDER_WAY_MAX {
            return None;
        }
        guest.under_way = guest.under_way.saturating_add(1);
        let lane = guest.lane.get_or_insert_default();
        Some((own, Arc::clone(lane)))
    }

    /// When this try, whose turn it is in its lane, may be judged; `None`: come back later.
    pub fn admit(&self, own: Try, now: Instant) -> Option<Instant> {
        let lane = self.guests.get(&own.lane());
        let pair = self.guests.get(&own.pair());
        let free = |guest: Option<&Guest>| guest.map_or(now, |guest| guest.free.max(now));
        let at = free(lane).max(free(pair));
        // The one that asks is under way when it has the lane, and is not when it only comes.
        let crowd = lane.is_some_and(|guest| guest.under_way > HELD_MAX);
        if at > now.plus_seconds(WAIT_MAX) || (at > now && crowd) {
            return None;
        }
        let attacked = match self.class(own, now) {
            Class::Known => false,
            Class::Fresh => self.failures(own.account, now) >= FRESH_MAX,
            Class::Failed => self.failures(own.account, now) >= FAILED_MAX,
        };
        (!attacked).then_some(at)
    }

    /// Where it stands in the line before the hash.
    pub fn place(&self, own: Try, now: Instant) -> Place {
        Place {
            class: self.class(own, now),
            account: own.account,
        }
    }

    /// It was the right password: the device is known from now on.
    pub fn right(&mut self, own: Try, now: Instant) {
        if self.make_room(own.pair(), now).is_none() {
            return;
        }
        let guest = self.guests.entry(own.pair()).or_default();
        guest.failures = 0;
        guest.free = Instant::default();
        guest.seen = now;
        guest.right = Some(now);
    }

    /// It was wrong: how many milliseconds after it began to be judged that is said.
    ///
    /// A known device that fails counts for itself only: a program with last year's password at home
    /// must not keep the family out.
    pub fn wrong(&mut self, own: Try, now: Instant) -> u64 {
        let told = self.fail(own.lane(), DELAY_MAX, now);
        if !own.known {
            self.fail(own.pair(), LOCK_MAX, now);
            let failures = self.failures(own.account, now).saturating_add(1);
            self.make_room_for_account(own.account, now);
            let account = Account {
                failures,
                seen: now,
            };
            self.accounts.insert(own.account, account);
        }
        told.saturating_mul(1000)
    }

    /// A try ends, whatever came of it.
    pub fn end(&mut self, own: Try) {
        let key = own.lane();
        if let Some(guest) = self.guests.get_mut(&key) {
            guest.under_way = guest.under_way.saturating_sub(1);
            if guest.under_way == 0 {
                guest.lane = None;
                if guest.failures == 0 && guest.right.is_none() {
                    self.guests.remove(&key);
                }
            }
        }
    }

    /// Counts a failure; how long it makes wait, in seconds.
    fn fail(&mut self, key: Key, most: u64, now: Instant) -> u64 {
        if self.make_room(key, now).is_none() {
            return DELAY_MAX;
        }
        let guest = self.guests.entry(key).or_default();
        if !remembered(guest, now) {
            guest.failures = 0;
        }
        guest.failures = guest.failures.saturating_add(1);
        guest.seen = now;
        let delay = delay(guest.failures, most);
        guest.free = guest.free.max(now.plus_seconds(delay));
        delay
    }

    fn known(&self, pair: Key, now: Instant) -> bool {
        let right = self.guests.get(&pair).and_then(|guest| guest.right);
        right.is_some_and(|right| right.plus_seconds(KNOWN) > now)
    }

    fn class(&self, own: Try, now: Instant) -> Class {
        let network = self.guests.get(&Key::Network(own.network));
        if own.known {
            Class::Known
        } else if network.is_some_and(|guest| guest.failures > 0 && remembered(guest, now)) {
            Class::Failed
        } else {
            Class::Fresh
        }
    }

    fn failures(&self, account: u64, now: Instant) -> u64 {
        self.accounts.get(&account).map_or(0, |account| {
            let leaked = now.since(account.seen).as_secs() / LEAK;
            account.failures.saturating_sub(leaked)
        })
    }

    /// Room for one more guest; `None` if all that are remembered are under way.
    fn make_room(&mut self, key: Key, now: Instant) -> Option<()> {
        if self.guests.len() < GUESTS_MAX || self.guests.contains_key(&key) {
            return Some(());
        }
        let right = |guest: &Guest| guest.right.is_some_and(|at| at.plus_seconds(KNOWN) > now);
        self.guests
            .retain(|_, guest| guest.under_way > 0 || remembered(guest, now) || right(guest));
        if self.guests.len() < GUESTS_MAX {
            return Some(());
        }
        let oldest = self
            .guests
            .iter()
            .filter(|(_, guest)| guest.under_way == 0)
            .min_by_key(|(_, guest)| (right(guest), guest.seen))
            .map(|(key, _)| *key)?;
        self.guests.remove(&oldest);
        Some(())
    }

    fn make_room_for_account(&mut self, account: u64, now: Instant) {
        if self.accounts.len() < ACCOUNTS_MAX || self.accounts.contains_key(&account) {
            return;
        }
        self.accounts.retain(|_, row| {
            let leaked = now.since(row.seen).as_secs() / LEAK;
            row.failures > leaked
        });
        if self.accounts.len() < ACCOUNTS_MAX {
            return;
        }
        // Names that are tried by the thousand push each other out, not the one that is under attack.
        let least = self
            .accounts
            .iter()
            .min_by_key(|(_, row)| (row.failures, row.seen))
            .map(|(account, _)| *account);
        if let Some(least) = least {
            self.accounts.remove(&least);
        }
    }
}

fn remembered(guest: &Guest, now: Instant) -> bool {
    guest.failures > 0 && guest.seen.plus_seconds(FORGET) >= now
}

/// After so many failures, in seconds.
fn delay(failures: u32, most: u64) -> u64 {
    let most = most.min(LOCK_MAX);
    match failures.checked_sub(DOUBLING) {
        Some(more) if most > DELAY_MAX && more > 0 => {
            let doubled = 1_u64
                .checked_shl(more.saturating_sub(1))
                .unwrap_or(LOCK_MAX);
            DELAY_MAX.saturating_mul(doubled).min(most)
        }
        _ => u64::from(failures).saturating_mul(DELAY).min(DELAY_MAX),
    }
}

/// Who has one IPv6 address has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
