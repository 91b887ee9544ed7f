//! Messages go for good.

use std::ops::ControlFlow;

use crate::{
    base::{
        id::{FolderId, ModSeq},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::{
        Broken, Refusal,
        apply::Context,
        change::Change,
        index::table::{Rows, Tables},
        mailbox::{self, Folder},
        message::{self, journal},
    },
};

/// Decides an EXPUNGE: names exactly the messages that have \Deleted. `None`: none has.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`].
pub fn decide(
    rows: &impl Rows,
    id: FolderId,
    uids: Option<&Ranges>,
) -> Result<Option<Change>, Refusal> {
    let folder = mailbox::folder(rows, id)?.ok_or(Refusal::NoFolder)?;
    if folder.deleted == 0 {
        return Ok(None);
    }
    let all = Ranges::span(1, u32::MAX);
    let (mut gone, mut left) = (Ranges::new(), folder.deleted);
    message::scan(rows, id, uids.unwrap_or(&all), &mut |uid, message| {
        if message.flags.has(Flags::DELETED) {
            gone.insert(uid.0);
            left = left.saturating_sub(1);
        }
        Ok(if left > 0 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    change(id, &folder, gone)
}

/// Decides that messages go, \Deleted or not: names exactly those of `uids` that exist.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`].
pub fn decide_named(
    rows: &impl Rows,
    id: FolderId,
    uids: &Ranges,
) -> Result<Option<Change>, Refusal> {
    let folder = mailbox::folder(rows, id)?.ok_or(Refusal::NoFolder)?;
    change(id, &folder, message::existing(rows, id, uids)?)
}

fn change(id: FolderId, folder: &Folder, gone: Ranges) -> Result<Option<Change>, Refusal> {
    if gone.is_empty() {
        return Ok(None);
    }
    Ok(Some(Change::Expunge {
        folder: id,
        uids: gone,
        modseq: mailbox::next_modseq(folder)?,
    }))
}

/// Applies an EXPUNGE.
///
/// # Errors
///
/// The index fails.
pub fn apply(
    tables: &mut Tables<'_>,
    at: &Context,
    id: FolderId,
    uids: &Ranges,
    modseq: ModSeq,
) -> Result<(), Broken> {
    let Some(mut folder) = mailbox::folder(tables, id)? else {
        return Ok(());
    };
    folder.modseq = folder.modseq.max(modseq);
    message::for_each(tables, id, uids, &mut |tables, uid, message| {
        message::take(tables, at, id, &mut folder, uid, &message)
    })?;
    journal::vanished(tables, id, &mut folder, modseq, uids)?;
    message::put_folder(tables, id, folder)
}
