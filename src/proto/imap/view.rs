//! What one client was told of its selected folder: which UIDs have which sequence numbers. Numbers
//! move only when the client is told (RFC 3501 section 7.4.1).

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::seqset::SeqSet;
use crate::base::id::Uid;
use crate::base::ranges::Ranges;

/// One session's view. While nothing is held back it shares its UIDs with all others on the folder.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct View {
    /// What the client was told; place is sequence number.
    told: Arc<Ranges>,
    /// What the folder holds, as far as this view was told.
    folder: Arc<Ranges>,
    recent: Ranges,
}

/// What to tell the client after [`View::update`], in this order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ViewUpdate {
    /// Sequence numbers to tell as EXPUNGE, from the highest down so that none moves another:
    /// `expunged.iter().rev()`.
    pub expunged: Ranges,
    /// The UIDs of `expunged`, for VANISHED.
    pub vanished: Ranges,
    /// The number of messages to tell as EXISTS.
    pub exists: Option<u32>,
    /// The UIDs that the EXISTS is about; they have the highest sequence numbers.
    pub appeared: Ranges,
}

impl ViewUpdate {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.exists.is_none()
    }
}

/// A command names a sequence number that no message has: it is bad (RFC 3501 section 9,
/// seq-number).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoSuchMessage;

/// Messages with sequence numbers and UIDs that follow each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// Of `first`.
    pub sequence: u32,
    pub first: Uid,
    pub last: Uid,
}

impl Run {
    /// Sequence number and UID of each message.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = (u32, Uid)> {
        (self.first.0..=self.last.0)
            .map(move |uid| (self.sequence.saturating_add(uid - self.first.0), Uid(uid)))
    }
}

impl View {
    /// The view right after SELECT. `recent` are those UIDs for which the client is the first to
    /// know (RFC 3501 section 2.3.2).
    #[must_use]
    pub fn new(uids: Arc<Ranges>, recent: Ranges) -> Self {
        Self {
            told: Arc::clone(&uids),
            folder: uids,
            recent,
        }
    }

    /// The UIDs that have sequence numbers.
    #[must_use]
    pub fn uids(&self) -> &Arc<Ranges> {
        &self.told
    }

    /// The number of messages as the client knows it.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.told.count()).unwrap_or(u32::MAX)
    }

    #[must_use]
    pub fn sequence(&self, uid: Uid) -> Option<u32> {
        let rank = self.told.contains(uid.0).then(|| self.told.rank(uid.0))?;
        u32::try_from(rank).ok()
    }

    #[must_use]
    pub fn uid(&self, sequence: u32) -> Option<Uid> {
        self.told.nth(u64::from(sequence)).map(Uid)
    }

    /// The UIDs that a set of sequence numbers means.
    pub fn by_sequence(&self, set: &SeqSet) -> Result<Ranges, NoSuchMessage> {
        let count = self.count();
        let numbers = set.resolve(count);
        if numbers.last().is_none_or(|last| last > count) || count == 0 {
            return Err(NoSuchMessage);
        }
        Ok(nths(&self.told, &numbers))
    }

    /// As [`View::by_sequence`], but numbers that no message has are passed over: in SEARCH they match
    /// nothing.
    #[must_use]
    pub fn known(&self, set: &SeqSet) -> Ranges {
        let count = self.count();
        let numbers = set.resolve(count).intersection(&Ranges::span(1, count));
        nths(&self.told, &numbers)
    }

    /// The UIDs that a set of UIDs means; those that no message has are passed over (RFC 3501
    /// section 6.4.8).
    #[must_use]
    pub fn by_uid(&self, set: &SeqSet) -> Ranges {
        let last = self.told.last().unwrap_or(0);
        set.resolve(last).intersection(&self.told)
    }

    /// As [`View::by_uid`] or, without `uid`, as [`View::by_sequence`].
    pub fn resolve(&self, set: &SeqSet, uid: bool) -> Result<Ranges, NoSuchMessage> {
        if uid {
            Ok(self.by_uid(set))
        } else {
            self.by_sequence(set)
        }
    }

    /// The sequence numbers of those UIDs that have one.
    #[must_use]
    pub fn sequences(&self, uids: &Ranges) -> Ranges {
        self.runs(uids)
            .into_iter()
            .fold(Ranges::new(), |mut all, run| {
                let more = run.last.0 - run.first.0;
                all.insert_span(run.sequence, run.sequence.saturating_add(more));
                all
            })
    }

    /// Those of `uids` that have sequence numbers, with them, ascending. One walk over both.
    #[must_use]
    pub fn runs(&self, uids: &Ranges) -> Vec<Run> {
        let known = uids.intersection(&self.told);
        let mut runs = Vec::new();
        let mut spans = self.told.spans();
        let mut span = spans.next();
        let mut before = 0;
        for part in known.spans() {
            // A span of a part lies within one span of the whole.
            while let Some(whole) = span.take_if(|whole| whole.end() < part.start()) {
                before += width(&whole);
                span = spans.next();
            }
            let Some(whole) = &span else { break };
            runs.push(Run {
                sequence: before + (part.start() - whole.start()) + 1,
                first: Uid(*part.start()),
                last: Uid(*part.end()),
            });
        }
        runs
    }

    /// The UIDs that are gone while the client still has numbers for them.
    #[must_use]
    pub fn held_back(&self) -> Ranges {
        if Arc::ptr_eq(&self.told, &self.folder) {
            return Ranges::new();
        }
        self.told.difference(&self.folder)
    }

    #[must_use]
    pub fn recent(&self) -> &Ranges {
        &self.recent
    }

    /// The client is the first to know of these.
    pub fn add_recent(&mut self, uids: &Ranges) {
        self.recent = self.recent.union(uids);
    }

    /// Moves on to what the folder holds now. Without `may_expunge`, messages that are gone keep
    /// their numbers until an update may tell; messages that are new always get theirs.
    pub fn update(&mut self, folder: Arc<Ranges>, may_expunge: bool) -> ViewUpdate {
        if Arc::ptr_eq(&self.told, &folder) {
            self.folder = folder;
            return ViewUpdate::default();
        }
        let mut gone = self.told.difference(&folder);
        if !may_expunge {
            gone = Ranges::new();
        }
        let mut appeared = folder.difference(&self.told);
        // A number once given does not move up: only what comes after the last one appears. (UIDs
        // only grow, so there is nothing else.)
        appeared.remove_span(0, self.told.last().unwrap_or(0));
        let expunged = self.sequences(&gone);
        let told = self.told.difference(&gone).union(&appeared);
        self.told = if told == *folder {
            Arc::clone(&folder)
        } else {
            Arc::new(told)
        };
        self.folder = folder;
        if !self.recent.is_empty() {
            self.recent = self.recent.difference(&gone);
        }
        ViewUpdate {
            expunged,
            vanished: gone,
            exists: (!appeared.is_empty()).then(|| self.count()),
            appeared,
        }
    }
}

/// UIDs are never 0, so that their number fits.
fn width(span: &RangeInclusive<u32>) -> u32 {
    (span.end() - span.start()).saturating_add(1)
}

/// The numbers of `all` at these places.
fn nths(all: &Ranges, places: &Ranges) -> Ranges {
    let mut out = Ranges::new();
    let mut spans = all.spans();
    let mut span = spans.next();
    let mut before: u32 = 0;
    for part in places.spans() {
        let (mut place, last) = (*part.start(), *part.end());
        while let Some(whole) = &span {
            let here = width(whole);
            if place <= before + here {
                let low = whole.start() + (place - before - 1);
                let high = (*whole.end()).min(low + (last - place));
                out.insert_span(low, high);
                place += high - low + 1;
                if place > last {
                    break;
                }
            }
            before += here;
            span = spans.next();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lexer::Lexer;
    use super::*;

    fn set(text: &str) -> SeqSet {
        SeqSet::parse(&mut Lexer::new(text.as_bytes())).unwrap()
    }

    fn view(uids: &[u32]) -> View {
        View::new(Arc::new(uids.iter().copied().collect()), Ranges::new())
    }

    #[test]
    fn sets_mean_messages() {
        let view = view(&[3, 4, 5, 9, 12]);
        for (text, want) in [
            ("1", vec![3]),
            ("*", vec![12]),
            ("2:4", vec![4, 5, 9]),
            ("*:4", vec![9, 12]),
            ("1,3,5", vec![3, 5, 12]),
        ] {
            let got = view.by_sequence(&set(text)).unwrap();
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{text}");
        }
        for text in ["6", "1:6", "6:*"] {
            assert_eq!(view.by_sequence(&set(text)), Err(NoSuchMessage), "{text}");
        }
        for (text, want) in [
            ("1:4", vec![3, 4]),
            ("7", vec![]),
            ("*", vec![12]),
            ("100:*", vec![12]),
            ("9,4", vec![4, 9]),
        ] {
            let got = view.by_uid(&set(text));
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{text}");
        }
    }

    /// RFC 3501 section 9: `*` is bad too where there is no message.
    #[test]
    fn an_empty_folder() {
        let view = view(&[]);
        for text in ["1", "*", "1:*"] {
            assert_eq!(view.by_sequence(&set(text)), Err(NoSuchMessage));
            assert!(view.by_uid(&set(text)).is_empty());
        }
    }

    #[test]
    fn expunged_messages_wait() {
        let mut view = view(&[1, 2, 3]);
        let folder: Arc<Ranges> = Arc::new([1, 3, 4].into_iter().collect());
        let told = view.update(Arc::clone(&folder), false);
        assert!(told.expunged.is_empty());
        assert_eq!(told.exists, Some(4));
        assert_eq!(view.uid(2), Some(Uid(2)));
        assert_eq!(view.held_back(), Ranges::span(2, 2));
        let told = view.update(Arc::clone(&folder), true);
        assert_eq!(told.expunged, Ranges::span(2, 2));
        assert_eq!(told.exists, None);
        assert!(Arc::ptr_eq(view.uids(), &folder));
        assert!(view.update(folder, true).is_empty());
    }

    /// However many sessions look at a folder: they share its UIDs, also after messages came and went,
    /// and after some were told later than others.
    #[test]
    fn views_share() {
        let (mut a, mut b) = (view(&[1, 2, 3]), view(&[1, 2, 3]));
        let second: Arc<Ranges> = Arc::new([1, 3, 4].into_iter().collect());
        a.update(Arc::clone(&second), true);
        b.update(second, false);
        assert!(!Arc::ptr_eq(a.uids(), b.uids()));
        let third: Arc<Ranges> = Arc::new([3, 4, 7].into_iter().collect());
        a.update(Arc::clone(&third), true);
        b.update(third, true);
        assert!(Arc::ptr_eq(a.uids(), b.uids()));
        assert!(Arc::ptr_eq(&a.folder, &b.folder));
    }

    /// What the folder loses (places, modulo its length) and gains, and whether EXPUNGE may be told.
    fn steps() -> impl Strategy<Value = Vec<(Vec<usize>, u32, bool)>> {
        let step = (
            prop::collection::vec(0usize..40, 0..4),
            0u32..4,
            any::<bool>(),
        );
        prop::collection::vec(step, 0..12)
    }

    proptest! {
        /// The view, and a client that believes what it is told, against a plain list.
        #[test]
        fn like_a_plain_list(start in 0u32..20, steps in steps(), some: Vec<u8>) {
            let mut folder: Vec<u32> = (1..=start).map(|n| n * 2).collect();
            let mut next = 50;
            let mut view = view(&folder);
            let mut client = folder.clone();
            for (lost, gained, may_expunge) in steps {
                for place in lost {
                    if !folder.is_empty() {
                        folder.remove(place % folder.len());
                    }
                }
                folder.extend(next..next + gained);
                next += gained + 1;
                let told = view.update(Arc::new(folder.iter().copied().collect()), may_expunge);
                for sequence in told.expunged.iter().rev() {
                    let gone = client.remove(sequence as usize - 1);
                    prop_assert!(told.vanished.contains(gone));
                }
                client.extend(told.appeared.iter());
                prop_assert!(told.exists.is_none_or(|n| n as usize == client.len()));
                prop_assert_eq!(view.uids().iter().collect::<Vec<_>>(), client.clone());
                if may_expunge {
                    prop_assert_eq!(&client, &folder);
                }
                for (sequence, uid) in (1..).zip(&client) {
                    prop_assert_eq!(view.uid(sequence), Some(Uid(*uid)));
                    prop_assert_eq!(view.sequence(Uid(*uid)), Some(sequence));
                    prop_assert_eq!(view.held_back().contains(*uid), !folder.contains(uid));
                }
                let some: Ranges = some.iter().map(|n| u32::from(*n)).collect();
                let runs: Vec<_> = view.runs(&some).into_iter().flat_map(Run::iter).collect();
                let plain: Vec<_> = (1..).zip(&client).filter(|(_, uid)| some.contains(**uid))
                    .map(|(sequence, uid)| (sequence, Uid(*uid))).collect();
                prop_assert_eq!(&runs, &plain);
                let places: Ranges = plain.iter().map(|(sequence, _)| *sequence).collect();
                prop_assert_eq!(nths(view.uids(), &places).iter().collect::<Vec<_>>(),
                    plain.iter().map(|(_, uid)| uid.0).collect::<Vec<_>>());
            }
        }
    }
}
