//! The selected folder of a session: what its client was told, and telling it what is new.

use std::ops::RangeInclusive;

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    mail::flag::Flags,
    proto::imap::{
        seqset::SeqSet,
        session::Completion,
        view::{NoSuchMessage, View},
    },
    service::notify::{Registry, Watch},
    store::{Broken, Reader, message::Message},
};

/// Flags that a FETCH set and told, remembered until the store tells them too.
const TOLD_MAX: usize = 64;

/// One per session with a folder; small, because a thousand sessions idle.
#[derive(Debug)]
pub struct Selected {
    pub watch: Watch,
    pub read_only: bool,
    pub view: View,
    /// Flag changes up to here were told.
    pub modseq: ModSeq,
    /// Everything up to here was told: a client that comes back with this misses nothing.
    pub safe: ModSeq,
    /// The client was told the HIGHESTMODSEQ for CONDSTORE.
    pub condstore: bool,
    /// The snapshot's version that was told.
    pub version: u64,
    /// The snapshot's version for which the session was woken last.
    pub woken: u64,
    /// How many of the folder's keywords the client knows.
    pub keywords: usize,
    /// \Seen that was told ahead of the store.
    pub told: Vec<Told>,
    /// A lazy request is on its way: what reads flags has to wait for it.
    pub unsettled: bool,
    /// UIDs that the last SEARCH with SAVE found (RFC 5182); `None` is none.
    saved: Option<Box<Ranges>>,
}

/// Flags and keywords as a FETCH told them.
#[derive(Debug, Eq, PartialEq)]
pub struct Told {
    pub uid: Uid,
    pub flags: Flags,
    pub keywords: Vec<u16>,
}

impl Told {
    pub fn new(uid: Uid, row: &Message) -> Self {
        Self {
            uid,
            flags: row.flags,
            keywords: row.keywords.clone(),
        }
    }
}

impl Selected {
    /// Right after SELECT, when all of the snapshot is about to be told.
    pub fn new(watch: Watch, read_only: bool, keywords: usize) -> Self {
        let snapshot = watch.snapshot();
        Self {
            watch,
            read_only,
            view: View::new(snapshot.uids, Ranges::new()),
            modseq: snapshot.modseq,
            safe: snapshot.modseq,
            condstore: false,
            version: snapshot.version,
            woken: snapshot.version,
            keywords,
            told: Vec::new(),
            unsettled: false,
            saved: None,
        }
    }

    pub fn folder(&self) -> FolderId {
        self.watch.folder()
    }

    /// The UIDs that become `$`; none after a SEARCH with SAVE that failed (RFC 5182 section 2.1).
    pub fn save(&mut self, uids: Ranges) {
        self.saved = (!uids.is_empty()).then(|| Box::new(uids));
    }

    /// The UIDs of `$` that still have sequence numbers.
    fn saved(&self) -> Ranges {
        let saved = self.saved.as_deref();
        saved.map_or_else(Ranges::new, |saved| saved.intersection(self.view.uids()))
    }

    /// The UIDs that a set in a SEARCH means: numbers that no message has match nothing.
    pub fn known(&self, set: &SeqSet, uid: bool) -> Ranges {
        if set.is_saved() {
            self.saved()
        } else if uid {
            self.view.by_uid(set)
        } else {
            self.view.known(set)
        }
    }

    /// The UIDs that a set means.
    ///
    /// # Errors
    ///
    /// It names a sequence number that no message has.
    pub fn resolve(&self, set: &SeqSet, uid: bool) -> Result<Ranges, Completion> {
        if set.is_saved() {
            return Ok(self.saved());
        }
        self.view
            .resolve(set, uid)
            .map_err(|NoSuchMessage| Completion::bad("No such message"))
    }

    /// Those of `uids` that somebody has expunged.
    pub fn gone(&self, uids: &Ranges) -> Ranges {
        let now = self.watch.snapshot();
        if now.deleted {
            uids.clone()
        } else {
            uids.difference(&now.uids)
        }
    }

    /// Messages that nobody was shown as \Recent are so here (RFC 3501 section 2.3.2).
    pub fn take_recent(&mut self, registry: &Registry) {
        let first = self.watch.recent().0;
        let uids = self.view.uids();
        let last = uids.last().unwrap_or(0);
        let new = uids.intersection(&Ranges::span(first, last));
        self.view.add_recent(&new);
        if !self.read_only && last >= first {
            registry.claim_recent(&self.watch, Uid(last.saturating_add(1)));
        }
    }

    /// Moves past flag changes that are all this session's own and told already, before a command
    /// changes the same messages again.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn pass_told(&mut self, reader: &Reader) -> Result<(), Broken> {
        let changes = self.watch.flagged_since(self.modseq).unwrap_or_default();
        let uids = changes
            .iter()
            .fold(Ranges::new(), |all, change| all.union(&change.1));
        if uids.is_empty() || uids.count() > self.told.len() as u64 {
            return Ok(());
        }
        for uid in uids.iter().map(Uid) {
            let row = reader.message(self.folder(), uid)?;
            if !row.is_some_and(|row| self.told.contains(&Told::new(uid, &row))) {
                return Ok(());
            }
        }
        self.told.retain(|told| !uids.contains(told.uid.0));
        self.modseq = self.watch.snapshot().modseq;
        Ok(())
    }

    /// Has the next command tell the flag changes after `above`.
    pub fn look_again(&mut self, above: ModSeq) {
        self.modseq = self.modseq.min(above);
        self.safe = self.safe.min(above);
        // No snapshot has it.
        self.version = 0;
    }

    /// Whether these flags were told when a FETCH set them; once. Where others are told now, because
    /// the store lags behind or somebody changed them again, those of the FETCH no longer count.
    pub fn knows(&mut self, uid: Uid, row: &Message) -> bool {
        let known = self.told.contains(&Told::new(uid, row));
        self.told.retain(|told| told.uid != uid);
        known
    }

    /// Remembers flags that were told before the store tells them.
    pub fn tell_ahead(&mut self, told: Told) {
        if self.told.len() < TOLD_MAX {
            self.told.push(told);
        }
    }
}

/// Sequence numbers of ascending UIDs: each costs one step, not one walk.
pub struct Places<'a> {
    spans: Box<dyn Iterator<Item = RangeInclusive<u32>> + 'a>,
    span: (u32, u32),
    before: u32,
}

/// How far [`Places`] has come: where its span begins, and how many numbers are before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached(u32, u32);

impl<'a> Places<'a> {
    pub fn new(all: &'a Ranges) -> Self {
        Self::resume(all, Reached::default())
    }

    /// Goes on in the same set.
    pub fn resume(all: &'a Ranges, Reached(low, before): Reached) -> Self {
        let mut spans: Box<dyn Iterator<Item = _>> = Box::new(all.spans_from(low));
        let span = spans.next().map_or((0, 0), |s| (*s.start(), *s.end()));
        Self {
            spans,
            span,
            before,
        }
    }

    pub fn reached(&self) -> Reached {
        Reached(self.span.0, self.before)
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

    /// A thousand sessions idle.
    #[test]
    fn selected_is_small() {
        assert!(size_of::<Selected>() <= 192, "{}", size_of::<Selected>());
    }

    proptest! {
        #[test]
        fn places_one_by_one(all: Vec<u8>) {
            let all: Ranges = all.iter().map(|&n| u32::from(n)).collect();
            let mut places = Places::new(&all);
            let mut reached = Reached::default();
            for n in all.iter().filter(|n| n % 3 > 0) {
                prop_assert_eq!(u64::from(places.of(n)), all.rank(n));
                let mut places = Places::resume(&all, reached);
                prop_assert_eq!(u64::from(places.of(n)), all.rank(n));
                reached = places.reached();
            }
        }
    }
}
