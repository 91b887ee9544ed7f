//! What was found out, for as long as it may be believed; bounded in entries and octets, the longest
//! unused goes first.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use super::{message::Kind, trail::Outcome};
use crate::base::time::Instant;

/// A name in lower case, and what was asked of it.
pub type Key = (String, Kind);

/// What one entry takes beside its text, in octets.
const ENTRY: usize = 160;

#[derive(Debug)]
pub struct Cache {
    entries: HashMap<Key, Entry>,
    /// By last use.
    order: BTreeMap<u64, Key>,
    count: u64,
    octets: usize,
    limits: (usize, usize),
}

#[derive(Debug)]
struct Entry {
    outcome: Rc<Outcome>,
    until: Instant,
    used: u64,
    octets: usize,
}

impl Cache {
    #[must_use]
    pub fn new(entries: usize, octets: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            count: 0,
            octets: 0,
            limits: (entries, octets),
        }
    }

    pub fn limit(&mut self, entries: usize, octets: usize) {
        self.limits = (entries, octets);
        self.shrink();
    }

    #[must_use]
    pub fn get(&mut self, key: &Key, now: Instant) -> Option<Rc<Outcome>> {
        let entry = self.entries.get_mut(key)?;
        if entry.until <= now {
            self.remove(key);
            return None;
        }
        self.count = self.count.saturating_add(1);
        if let Some(key) = self.order.remove(&entry.used) {
            self.order.insert(self.count, key);
        }
        entry.used = self.count;
        Some(Rc::clone(&entry.outcome))
    }

    pub fn set(&mut self, key: Key, outcome: Rc<Outcome>, until: Instant) {
        self.remove(&key);
        self.count = self.count.saturating_add(1);
        let octets = outcome
            .size()
            .saturating_add(ENTRY)
            .saturating_add(key.0.len().saturating_mul(2));
        let entry = Entry {
            outcome,
            until,
            used: self.count,
            octets,
        };
        self.octets = self.octets.saturating_add(octets);
        self.order.insert(self.count, key.clone());
        self.entries.insert(key, entry);
        self.shrink();
    }

    pub fn clear(&mut self) {
        self.entries = HashMap::new();
        self.order = BTreeMap::new();
        self.octets = 0;
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.octets = self.octets.saturating_sub(entry.octets);
        }
    }

    fn shrink(&mut self) {
        while self.entries.len() > self.limits.0 || self.octets > self.limits.1 {
            let Some((_, key)) = self.order.pop_first() else {
                break;
            };
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::resolve::{message::Data, trail::Set};

    fn key(name: &str) -> Key {
        (name.to_owned(), Kind::A)
    }

    fn one() -> Rc<Outcome> {
        Rc::new(Outcome(Ok(Set {
            records: vec![Data::A(Ipv4Addr::LOCALHOST)],
            ..Set::default()
        })))
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let mut cache = Cache::new(3, 100_000);
        for name in ["a", "b", "c"] {
            cache.set(key(name), one(), Instant(1000));
        }
        assert!(cache.get(&key("a"), Instant(0)).is_some());
        cache.set(key("d"), one(), Instant(1000));
        assert!(cache.get(&key("b"), Instant(0)).is_none());
        for name in ["a", "c", "d"] {
            assert!(cache.get(&key(name), Instant(999)).is_some(), "{name}");
        }
        assert!(cache.get(&key("a"), Instant(1000)).is_none());
        assert_eq!((cache.entries.len(), cache.order.len()), (2, 2));
    }

    #[test]
    fn octets_are_counted() {
        let mut cache = Cache::new(1000, 10_000);
        for number in 0..500 {
            cache.set(key(&number.to_string()), one(), Instant::NEVER);
            assert!(cache.octets <= 10_000);
        }
        let held = cache.entries.len();
        assert!((20..100).contains(&held), "{held}");
        assert_eq!(held, cache.order.len());
        cache.limit(1000, 0);
        assert_eq!((cache.entries.len(), cache.octets), (0, 0));
    }
}
