//! What changed or went in a folder, by MODSEQ: a client that comes back is told only that (RFC 7162).
//!
//! A row per change of flags or of messages that go; none for messages that arrive: those lie at the
//! end of the folder and their own MODSEQ says it. The oldest rows go, and the folder says how far back
//! the rest reaches.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
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
/// Messages looked at first when those that arrived last are looked for.
const WINDOW: u32 = 64;

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
    let Some(mut spans) = spans else {
        return Ok(Some(Ranges::new()));
    };
    if let Some(last) = folder.uid_next.0.checked_sub(1) {
        spans.push((arrived_since(rows, id, last, since)?, last));
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

/// From which UID up to `last` on messages may have arrived after `since`: below it all were there.
/// UIDs and the MODSEQs of arrivals rise together, so the last message that has not changed since is
/// looked for from the end, in windows that double.
fn arrived_since(rows: &impl Rows, id: FolderId, last: u32, since: ModSeq) -> Result<u32, Broken> {
    let (mut high, mut width) = (last, WINDOW);
    while high > 0 {
        let low = high.saturating_sub(width).saturating_add(1);
        let mut old = None;
        message::scan(rows, id, &Ranges::span(low, high), &mut |uid, message| {
            if message.modseq <= since {
                old = Some(uid);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(Uid(old)) = old {
            return Ok(old.saturating_add(1));
        }
        high = low.saturating_sub(1);
        width = width.saturating_mul(2);
    }
    Ok(1)
}
