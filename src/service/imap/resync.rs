//! What a client missed while it was away (RFC 7162 sections 3.2.5 and 3.2.6): by the store's journal,
//! and where that does not reach back, by what is there and what is not.

use super::{Imap, selected::Selected, sync::write_earlier};
use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    proto::imap::{command::Qresync, seqset::SeqSet, session::Completion, view::View},
    store::{Broken, Reader, mailbox::Folder},
};

/// What happened since a client was here.
pub struct Missed {
    /// UIDs of messages that went, and perhaps of some that it never knew.
    pub vanished: Ranges,
    /// UIDs of messages that are there and may have changed.
    pub changed: Ranges,
}

/// What a client that says what it knows has missed of a folder; nothing where its UIDs are no longer
/// valid.
///
/// # Errors
///
/// What the reader says.
pub fn missed(
    reader: &Reader,
    selected: &Selected,
    row: &Folder,
    known: &Qresync,
) -> Result<Option<Missed>, Broken> {
    if known.validity != row.validity {
        return Ok(None);
    }
    let (folder, view) = (selected.folder(), &selected.view);
    let all = Ranges::span(1, row.uid_next.0.saturating_sub(1));
    let uids = known.known.as_ref().map(|uids| uids.intersection(&all));
    let uids = uids.unwrap_or(all);
    let mut vanished = gone(reader, folder, &uids, known.modseq)?.difference(view.uids());
    if let Some((places, matching)) = &known.matching {
        vanished.remove_span(0, matched(view, places, matching));
    }
    let there = uids.intersection(view.uids());
    let changed = changed(reader, folder, there, known.modseq)?;
    Ok(Some(Missed { vanished, changed }))
}

/// Those of `uids` that went after `since`; all of them where the journal does not reach back.
fn gone(reader: &Reader, folder: FolderId, uids: &Ranges, since: ModSeq) -> Result<Ranges, Broken> {
    let vanished = reader.vanished_since(folder, since)?;
    Ok(vanished.map_or_else(|| uids.clone(), |vanished| vanished.intersection(uids)))
}

/// Those of `uids` that may have changed after `since`.
fn changed(
    reader: &Reader,
    folder: FolderId,
    uids: Ranges,
    since: ModSeq,
) -> Result<Ranges, Broken> {
    let changed = reader.changed_since(folder, since)?;
    Ok(match changed {
        Some(changed) => changed.intersection(&uids),
        None => uids,
    })
}

/// The last of these UIDs that still has the sequence number it had: nothing before it went. UIDs only
/// go, so those that still fit come first (RFC 7162 section 3.2.5.2).
fn matched(view: &View, places: &Ranges, uids: &Ranges) -> u32 {
    let fits = |n: u64| {
        let place = places.nth(n)?;
        let uid = Uid(uids.nth(n)?);
        (view.uid(place) == Some(uid)).then_some(uid.0)
    };
    let (mut low, mut high) = (0, places.count().min(uids.count()));
    while low < high {
        let middle = high - (high - low) / 2;
        if fits(middle).is_some() {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    fits(low).unwrap_or(0)
}

impl Imap {
    /// UID FETCH with VANISHED: those of the set that went after `since`, and that the client was not
    /// told of. To be written before all else.
    pub(super) fn write_earlier(
        &mut self,
        out: &mut Vec<u8>,
        set: &SeqSet,
        since: ModSeq,
    ) -> Result<(), Completion> {
        if !self.enabled.qresync {
            return Err(Completion::bad("Enable QRESYNC first"));
        }
        let shared = self.shared.clone();
        let selected = self.open()?;
        let folder = selected.folder();
        let told = selected.view.uids();
        // What the client still has a number for is told as VANISHED when that may be told.
        let last = told.last().unwrap_or(0);
        let vanished = shared.store.read(|reader| {
            let row = reader.folder(folder)?;
            let next = row.map_or(0, |row| row.uid_next.0);
            let uids = set
                .resolve(last)
                .intersection(&Ranges::span(1, next.saturating_sub(1)));
            gone(reader, folder, &uids, since)
        })?;
        let there = selected.watch.snapshot().uids;
        write_earlier(out, vanished.difference(told).difference(&there));
        Ok(())
    }

    /// Those of `uids` that FETCH with CHANGEDSINCE has to look at.
    pub(super) fn changed_since(
        &mut self,
        uids: Ranges,
        since: ModSeq,
    ) -> Result<Ranges, Completion> {
        let shared = self.shared.clone();
        let folder = self.open()?.folder();
        let read = |reader: &Reader| changed(reader, folder, uids, since);
        Ok(shared.store.read(read)?)
    }
}
