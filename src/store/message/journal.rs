//! What changed or went in a folder, by MODSEQ: a client that comes back is told only that (RFC 7162).
//!
//! A row per change of flags or of messages that go; none for messages that arrive: those lie at the
//! end of the folder and their own MODSEQ says it. The oldest rows go, and the folder says how far back
//! the rest reaches.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{FolderId, ModSeq},
        ranges::Ranges,
    },
    store::{
        Broken,
        index::{
            key,
            table::{Rows, Tables, after},
        },
        mailbox::{self, Folder},
        message, value,
    },
};

/// So many rows of a folder are kept at least, and spans of UIDs in them at most.
const ROWS_MIN: u32 = 4096;
const SPANS_MAX: u32 = 16_384;
/// So many rows more, and the oldest go together: one scan for all of them.
const SLACK: u32 = 512;
/// Spans of a row about flags: it may name more messages than changed, their own MODSEQ tells.
const CHANGED_MAX: usize = 512;
/// Gaps between changed messages that are looked into for one that has not changed.
const LOOKS: usize = 256;

/// What a folder's row says of its journal.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Extent {
    /// All that happened after this is in it.
    pub since: ModSeq,
    pub rows: u32,
    /// In all rows together.
    pub spans: u32,
}

/// A journal's row.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Their flags changed, and perhaps those of others.
    pub changed: Ranges,
    /// They went, exactly these.
    pub vanished: Ranges,
}

impl Entry {
    fn spans(&self) -> u32 {
        let count = self.changed.spans().count() + self.vanished.spans().count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Notes that flags changed. The caller writes the folder's row.
pub(super) fn changed(
    tables: &mut Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
    modseq: ModSeq,
    uids: &Ranges,
) -> Result<(), Broken> {
    let entry = Entry {
        changed: coarse(uids),
        ..Entry::default()
    };
    note(tables, id, folder, modseq, &entry)
}

/// Notes that messages went. The caller writes the folder's row.
pub(super) fn vanished(
    tables: &mut Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
    modseq: ModSeq,
    uids: &Ranges,
) -> Result<(), Broken> {
    let entry = Entry {
        vanished: uids.clone(),
        ..Entry::default()
    };
    note(tables, id, folder, modseq, &entry)
}

/// The same or more, in a bounded number of spans.
fn coarse(uids: &Ranges) -> Ranges {
    let count = uids.spans().count();
    if count <= CHANGED_MAX {
        return uids.clone();
    }
    let spans: Vec<_> = uids.spans().collect();
    let mut out = Ranges::new();
    for part in spans.chunks(count.div_ceil(CHANGED_MAX)) {
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            out.insert_span(*first.start(), *last.end());
        }
    }
    out
}

fn note(
    tables: &mut Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
    modseq: ModSeq,
    entry: &Entry,
) -> Result<(), Broken> {
    let spans = entry.spans();
    if spans > SPANS_MAX {
        return forget(tables, id, folder, modseq);
    }
    tables.set(&key::journal(id, modseq), entry)?;
    let extent = &mut folder.journal;
    extent.rows = extent.rows.saturating_add(1);
    extent.spans = extent.spans.saturating_add(spans);
    if extent.rows > ROWS_MIN + SLACK || extent.spans > SPANS_MAX {
        trim(tables, id, folder)?;
    }
    Ok(())
}

/// The oldest rows go.
fn trim(tables: &mut Tables<'_>, id: FolderId, folder: &mut Folder) -> Result<(), Broken> {
    let mut extent = folder.journal;
    let mut old = Vec::new();
    scan(tables, id, ModSeq(0), &mut |modseq, entry| {
        if extent.rows <= ROWS_MIN && extent.spans <= SPANS_MAX {
            return ControlFlow::Break(());
        }
        old.push(modseq);
        extent = Extent {
            since: modseq,
            rows: extent.rows.saturating_sub(1),
            spans: extent.spans.saturating_sub(entry.spans()),
        };
        ControlFlow::Continue(())
    })?;
    for modseq in old {
        tables.remove(&key::journal(id, modseq))?;
    }
    folder.journal = extent;
    Ok(())
}

/// The journal begins anew: what happened up to `modseq` is in it no longer.
pub(in crate::store) fn forget(
    tables: &mut Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
    modseq: ModSeq,
) -> Result<(), Broken> {
    let mut keys = Vec::new();
    tables.scan_prefix(&key::journals(id), &mut |key, _| {
        keys.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    for key in keys {
        tables.remove(&key)?;
    }
    folder.journal = Extent {
        since: modseq,
        ..Extent::default()
    };
    Ok(())
}

/// Shows the rows after `since`.
fn scan(
    rows: &impl Rows,
    id: FolderId,
    since: ModSeq,
    each: &mut dyn FnMut(ModSeq, Entry) -> ControlFlow<()>,
) -> Result<(), Broken> {
    let from = key::journal(id, ModSeq(since.0.saturating_add(1)));
    rows.scan(&from, &after(&key::journals(id)), &mut |key, octets| {
        let modseq = key::modseq_of(key).ok_or(Broken::Corrupt("journal key"))?;
        Ok(each(modseq, value::decode(octets, "journal")?))
    })
}

/// See [`Reader::changed_since`](crate::store::Reader::changed_since).
///
/// # Errors
///
/// The index fails.
pub fn changed_since(
    rows: &impl Rows,
    id: FolderId,
    since: ModSeq,
) -> Result<Option<Ranges>, Broken> {
    let Some((folder, spans)) = spans_since(rows, id, since, |entry| entry.changed)? else {
        return Ok(None);
    };
    let Some(spans) = spans else {
        return Ok(Some(Ranges::new()));
    };
    if let Some(last) = folder.uid_next.0.checked_sub(1) {
        let changed = melted(spans);
        let first = arrived_since(rows, id, &changed, last, since)?;
        return Ok(Some(changed.union(&Ranges::span(first, last))));
    }
    Ok(Some(melted(spans)))
}

/// See [`Reader::vanished_since`](crate::store::Reader::vanished_since).
///
/// # Errors
///
/// The index fails.
pub fn vanished_since(
    rows: &impl Rows,
    id: FolderId,
    since: ModSeq,
) -> Result<Option<Ranges>, Broken> {
    let spans = spans_since(rows, id, since, |entry| entry.vanished)?;
    Ok(spans.map(|(_, spans)| melted(spans.unwrap_or_default())))
}

type Spans = Vec<(u32, u32)>;

/// Spans of UIDs in rows after `since`; nothing inside where nothing happened at all, nothing where the
/// journal does not reach back.
fn spans_since(
    rows: &impl Rows,
    id: FolderId,
    since: ModSeq,
    which: fn(Entry) -> Ranges,
) -> Result<Option<(Folder, Option<Spans>)>, Broken> {
    let folder = mailbox::folder(rows, id)?;
    let Some(folder) = folder.filter(|folder| since >= folder.journal.since) else {
        return Ok(None);
    };
    if since >= folder.modseq {
        return Ok(Some((folder, None)));
    }
    let mut spans = Spans::new();
    scan(rows, id, since, &mut |_, entry| {
        let uids = which(entry);
        spans.extend(uids.spans().map(|span| (*span.start(), *span.end())));
        ControlFlow::Continue(())
    })?;
    Ok(Some((folder, Some(spans))))
}

/// Spans in any order, as a set.
fn melted(mut spans: Spans) -> Ranges {
    spans.sort_unstable();
    let mut out = Ranges::new();
    for (low, high) in spans {
        out.insert_span(low, high);
    }
    out
}

/// From which UID up to `last` on messages may have arrived after `since`; those in `changed` are not
/// looked at. UIDs and the MODSEQs of arrivals rise together, so halves are enough: hundreds of thousands
/// of rows are not read while nobody else is served.
fn arrived_since(
    rows: &impl Rows,
    id: FolderId,
    changed: &Ranges,
    last: u32,
    since: ModSeq,
) -> Result<u32, Broken> {
    let looked = Ranges::span(1, last).difference(changed);
    // Below `low` all were there; at `high` and above all are new, or nobody knows.
    let (mut low, mut high) = (1, last.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(rows, id, &looked, middle)? {
            Some((uid, modseq)) if modseq <= since => low = uid.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first message of `uids` from `from` on; nothing either where too many of them are missing.
fn first_from(
    rows: &impl Rows,
    id: FolderId,
    uids: &Ranges,
    from: u32,
) -> Result<Option<(u32, ModSeq)>, Broken> {
    let spans = uids.spans().skip_while(|span| *span.end() < from);
    let spans = spans.map(|span| (from.max(*span.start()), *span.end()));
    let some = melted(spans.take(LOOKS).collect());
    let mut found = None;
    message::scan(rows, id, &some, &mut |uid, message| {
        found = Some((uid.0, message.modseq));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeMap};

    use super::*;
    use crate::{
        base::{
            id::{ContentId, Uid},
            time::Time,
        },
        mail::flag::Flags,
        store::{index::table::Flow, message::Message},
    };

    /// Rows, and how often they were asked for and shown.
    #[derive(Default)]
    struct Counted {
        rows: BTreeMap<Vec<u8>, Vec<u8>>,
        shown: Cell<u32>,
    }

    impl Counted {
        /// A folder whose messages have these MODSEQs, from UID 1 on.
        fn new(modseqs: impl Iterator<Item = u64>) -> Self {
            let mut out = Self::default();
            for (uid, modseq) in (1..).zip(modseqs) {
                let message = Message {
                    flags: Flags::default(),
                    keywords: Vec::new(),
                    modseq: ModSeq(modseq),
                    size: 1,
                    date: Time(0),
                    content: ContentId(1),
                };
                let key = key::message(FolderId(1), Uid(uid));
                out.rows.insert(key, value::encode(&message));
            }
            out
        }

        fn arrived(&self, changed: &Ranges, last: u32, since: u64) -> u32 {
            self.shown.set(0);
            arrived_since(self, FolderId(1), changed, last, ModSeq(since)).unwrap()
        }
    }

    impl Rows for Counted {
        fn show(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
            Ok(self.rows.get(key).inspect(|octets| see(octets)).is_some())
        }

        fn scan(
            &self,
            from: &[u8],
            to: &[u8],
            each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
        ) -> Result<(), Broken> {
            self.shown.set(self.shown.get() + 1);
            for (key, octets) in self.rows.range(from.to_vec()..to.to_vec()) {
                self.shown.set(self.shown.get() + 1);
                if each(key, octets)?.is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    #[test]
    fn arrivals_are_found_without_reading_everything() {
        let none = Ranges::new();
        let folder = Counted::new(1..=20_000);
        for since in [0, 1, 9_999, 19_999, 20_000] {
            let first = u32::try_from(since).unwrap() + 1;
            assert_eq!(folder.arrived(&none, 20_000, since), first);
            assert!(folder.shown.get() < 100, "{}", folder.shown.get());
        }
        // All got a flag, then three came: the journal names the rest.
        let flagged = (1..=20_000).map(|_| 30_000);
        let folder = Counted::new(flagged.chain([30_001, 30_002, 30_003]));
        let changed = Ranges::span(1, 20_000);
        assert_eq!(folder.arrived(&changed, 20_003, 25_000), 1);
        assert_eq!(folder.arrived(&none, 20_003, 30_000), 20_001);
        assert!(folder.shown.get() < 100, "{}", folder.shown.get());
        assert_eq!(folder.arrived(&changed, 20_003, 30_002), 20_003);
        assert!(folder.shown.get() < 100, "{}", folder.shown.get());
    }

    #[test]
    fn messages_that_went_are_no_news() {
        let mut folder = Counted::new(1..=1_000);
        for uid in (1..=1_000).filter(|uid| uid % 10 != 0) {
            folder.rows.remove(&key::message(FolderId(1), Uid(uid)));
        }
        for since in [0, 5, 10, 500, 993, 1_000] {
            let first = folder.arrived(&Ranges::new(), 1_000, since);
            let there = |uid: u32| uid.is_multiple_of(10);
            let new: Vec<u32> = (first..=1_000).filter(|uid| there(*uid)).collect();
            let since = u32::try_from(since).unwrap();
            let wanted: Vec<u32> = (since + 1..=1_000).filter(|uid| there(*uid)).collect();
            assert_eq!(new, wanted);
        }
    }
}
