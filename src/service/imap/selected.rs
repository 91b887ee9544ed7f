//! The selected folder of a session: what its client was told, and telling it what is new.

use std::{ops::RangeInclusive, sync::Arc};

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    mail::flag::Flags,
    proto::imap::seqset::SeqSet,
    service::notify::{Registry, Watch},
    store::message::Message,
};

/// Flags that a FETCH set and told, remembered until the store tells them too.
const TOLD_MAX: usize = 64;

/// One per session with a folder; small, because a thousand sessions idle.
#[derive(Debug)]
pub struct Selected {
    pub watch: Watch,
    pub read_only: bool,
    /// The messages that the client knows, those included whose EXPUNGE it waits for.
    pub uids: Arc<Ranges>,
    /// Flag changes up to here were told.
    pub modseq: ModSeq,
    /// The snapshot's version that was told.
    pub version: u64,
    /// The snapshot's version for which the session was woken last.
    pub woken: u64,
    /// \Recent in this session.
    pub recent: Ranges,
    /// How many of the folder's keywords the client knows.
    pub keywords: usize,
    /// \Seen that was told ahead of the store.
    pub told: Vec<Told>,
    /// A lazy request is on its way: what reads flags has to wait for it.
    pub unsettled: bool,
}

/// Flags and keywords as a FETCH told them.
#[derive(Debug, Eq, PartialEq)]
pub struct Told {
    pub uid: Uid,
    pub flags: Flags,
    pub keywords: Vec<u16>,
}

impl Selected {
    pub fn folder(&self) -> FolderId {
        self.watch.folder()
    }

    /// The UIDs that a set names. `None`: it names a sequence number that no message has, which is
    /// an error (RFC 3501 section 7.4.1); UIDs that are not there are skipped.
    pub fn resolve(&self, set: &SeqSet, uid: bool) -> Option<Ranges> {
        if uid {
            let last = self.uids.last().unwrap_or(0);
            return Some(set.resolve(last).intersection(&self.uids));
        }
        let count = u32::try_from(self.uids.count()).unwrap_or(u32::MAX);
        if count == 0 && set.names_last() {
            // `1:*` of an empty folder is no error.
            return Some(Ranges::new());
        }
        let places = set.resolve(count);
        if places.is_empty() || places.last().is_some_and(|last| last > count) {
            return None;
        }
        Some(at_places(&self.uids, &places))
    }

    /// The UIDs that a set names; what is not there is skipped.
    pub fn resolve_some(&self, set: &SeqSet, uid: bool) -> Ranges {
        if uid {
            return self.resolve(set, true).unwrap_or_default();
        }
        let count = u32::try_from(self.uids.count()).unwrap_or(u32::MAX);
        let places = set.resolve(count);
        at_places(&self.uids, &places.intersection(&Ranges::span(1, count)))
    }

    /// Messages that nobody was shown as \Recent are so here (RFC 3501 section 2.3.2).
    pub fn take_recent(&mut self, registry: &Registry) {
        let first = self.watch.recent().0;
        let last = self.uids.last().unwrap_or(0);
        let new = self.uids.intersection(&Ranges::span(first, last));
        self.recent = self.recent.union(&new);
        if !self.read_only && last >= first {
            registry.claim_recent(&self.watch, Uid(last.saturating_add(1)));
        }
    }

    /// Whether these flags were told when a FETCH set them; once.
    pub fn knows(&mut self, uid: Uid, row: &Message) -> bool {
        let told = |told: &Told| {
            told.uid == uid && told.flags == row.flags && told.keywords == row.keywords
        };
        let Some(at) = self.told.iter().position(told) else {
            return false;
        };
        self.told.swap_remove(at);
        true
    }

    /// Remembers flags that were told before the store tells them.
    pub fn tell_ahead(&mut self, told: Told) {
        if self.told.len() < TOLD_MAX {
            self.told.push(told);
        }
    }
}

/// The numbers of `all` at these places, counted from 1; one walk over both.
pub fn at_places(all: &Ranges, places: &Ranges) -> Ranges {
    let mut out = Ranges::new();
    let mut spans = all.spans().peekable();
    // How many numbers lie before the current span.
    let mut before: u64 = 0;
    for place in places.spans() {
        let (mut low, high) = (u64::from(*place.start()), u64::from(*place.end()));
        while let Some(span) = spans.peek() {
            let width = u64::from(span.end().saturating_sub(*span.start())).saturating_add(1);
            let end = before.saturating_add(width);
            if low <= end {
                let first = low.saturating_sub(before).saturating_sub(1);
                let last = high.min(end).saturating_sub(before).saturating_sub(1);
                let at =
                    |n: u64| u32::try_from(n).map_or(u32::MAX, |n| span.start().saturating_add(n));
                out.insert_span(at(first), at(last));
                if high <= end {
                    break;
                }
                low = end.saturating_add(1);
            }
            before = end;
            spans.next();
        }
    }
    out
}

/// The places in `all` of the numbers in `some`, which all are in it; one walk over both.
pub fn places(all: &Ranges, some: &Ranges) -> Ranges {
    let mut out = Ranges::new();
    let mut places = Places::new(all);
    for span in some.spans() {
        // A span of `some` is inside one span of `all`.
        let low = places.of(*span.start());
        let width = span.end().saturating_sub(*span.start());
        out.insert_span(low, low.saturating_add(width));
    }
    out
}

/// Sequence numbers of ascending UIDs: each costs one step, not one walk.
pub struct Places<'a> {
    spans: Box<dyn Iterator<Item = RangeInclusive<u32>> + 'a>,
    span: (u32, u32),
    before: u32,
}

impl<'a> Places<'a> {
    pub fn new(all: &'a Ranges) -> Self {
        let mut spans: Box<dyn Iterator<Item = _>> = Box::new(all.spans());
        let span = spans.next().map_or((0, 0), |s| (*s.start(), *s.end()));
        Self {
            spans,
            span,
            before: 0,
        }
    }

    /// The place of a number that is in the set; numbers have to come in ascending order.
    pub fn of(&mut self, n: u32) -> u32 {
        while n > self.span.1 {
            let Some(next) = self.spans.next() else {
                break;
            };
            let width = self.span.1.saturating_sub(self.span.0).saturating_add(1);
            self.before = self.before.saturating_add(width);
            self.span = (*next.start(), *next.end());
        }
        let inside = n.saturating_sub(self.span.0).saturating_add(1);
        self.before.saturating_add(inside)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_and_back(all: Vec<u8>, some: Vec<u8>) {
            let all: Ranges = all.iter().map(|&n| u32::from(n)).collect();
            let some: Ranges = some.iter().map(|&n| u32::from(n)).collect();
            let some = some.intersection(&all);
            let there = places(&all, &some);
            let want: Ranges = some
                .iter()
                .map(|n| u32::try_from(all.rank(n)).unwrap())
                .collect();
            prop_assert_eq!(&there, &want);
            prop_assert_eq!(at_places(&all, &there), some);
        }
    }
}
