//! Messages in folders.

pub mod arrive;
pub mod content;
pub mod copy;
pub mod expunge;
pub mod filter;
pub mod flag;
pub mod journal;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{ContentId, FolderId, ModSeq, Uid, UserId},
        ranges::Ranges,
        time::Time,
    },
    mail::flag::Flags,
    store::{
        Broken,
        apply::Context,
        directory::usage,
        index::{
            key,
            table::{Flow, Rows, Tables},
        },
        mailbox::{self, Folder},
        value,
    },
};

/// A message's state row: narrow, because flags of 100,000 are read at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Message {
    pub flags: Flags,
    /// Places in the folder's list of keyword names, ascending.
    pub keywords: Vec<u16>,
    pub modseq: ModSeq,
    /// RFC822.SIZE in octets, the prefix included.
    pub size: u64,
    /// INTERNALDATE.
    pub date: Time,
    pub content: ContentId,
}

/// Beside a message's flags, and never shown: it does not count for the quota (UX-36). It goes along
/// with MOVE; a COPY counts.
pub const UNCOUNTED: Flags = Flags(128);

/// So many messages are held in memory at once by changes of many.
const SLICE: usize = 512;

/// Shows the messages of `uids` that are there, ascending, until `each` breaks.
///
/// # Errors
///
/// Those of `each`, or the index fails.
pub fn scan(
    rows: &impl Rows,
    folder: FolderId,
    uids: &Ranges,
    each: &mut dyn FnMut(Uid, Message) -> Flow,
) -> Result<(), Broken> {
    let mut stopped = false;
    for span in uids.spans() {
        let from = key::message(folder, Uid(*span.start()));
        let mut to = key::message(folder, Uid(*span.end()));
        to.push(0);
        rows.scan(&from, &to, &mut |key, octets| {
            let uid = key::uid_of(key).ok_or(Broken::Corrupt("message key"))?;
            let flow = each(uid, value::decode(octets, "message")?)?;
            stopped = flow.is_break();
            Ok(flow)
        })?;
        if stopped {
            break;
        }
    }
    Ok(())
}

/// The UIDs among `uids` that exist.
///
/// # Errors
///
/// The index fails.
pub fn existing(rows: &impl Rows, folder: FolderId, uids: &Ranges) -> Result<Ranges, Broken> {
    let mut out = Ranges::new();
    for span in uids.spans() {
        let from = key::message(folder, Uid(*span.start()));
        let mut to = key::message(folder, Uid(*span.end()));
        to.push(0);
        rows.scan(&from, &to, &mut |key, _| {
            let uid = key::uid_of(key).ok_or(Broken::Corrupt("message key"))?;
            out.insert(uid.0);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok(out)
}

/// Shows the messages of `uids` to `each`, which may write; in slices, because a table cannot be
/// written while it is scanned.
pub(super) fn for_each(
    tables: &mut Tables<'_>,
    folder: FolderId,
    uids: &Ranges,
    each: &mut dyn FnMut(&mut Tables<'_>, Uid, Message) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut left = uids.clone();
    while let Some(first) = left.first() {
        let mut slice = Vec::new();
        scan(tables, folder, &left, &mut |uid, message| {
            slice.push((uid, message));
            Ok(if slice.len() < SLICE {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        let Some(last) = slice.last().map(|(uid, _)| uid.0) else {
            break;
        };
        for (uid, message) in slice {
            each(tables, uid, message)?;
        }
        left.remove_span(first, last);
    }
    Ok(())
}

/// All messages of a folder get the same MODSEQ.
pub(super) fn renew(tables: &mut Tables<'_>, id: FolderId, modseq: ModSeq) -> Result<(), Broken> {
    let all = Ranges::span(1, u32::MAX);
    for_each(tables, id, &all, &mut |tables, uid, mut message| {
        message.modseq = modseq;
        tables.set(&key::message(id, uid), &message)
    })
}

/// Writes a new message's row and counts it.
pub(super) fn put(
    tables: &mut Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
    uid: Uid,
    message: &Message,
) -> Result<(), Broken> {
    let key = key::message(id, uid);
    if tables.has(&key)? {
        return Ok(());
    }
    tables.set(&key, message)?;
    content::refer(tables, message.content)?;
    count(tables, folder.user, message, true)?;
    folder.count_in(uid, message);
    Ok(())
}

/// Removes a message's row and counts it out.
pub(super) fn take(
    tables: &mut Tables<'_>,
    at: &Context,
    id: FolderId,
    folder: &mut Folder,
    uid: Uid,
    message: &Message,
) -> Result<(), Broken> {
    if tables.remove(&key::message(id, uid))? {
        content::release(tables, at, message.content)?;
        count(tables, folder.user, message, false)?;
        folder.count_out(uid, message);
    }
    Ok(())
}

fn count(
    tables: &mut Tables<'_>,
    user: UserId,
    message: &Message,
    more: bool,
) -> Result<(), Broken> {
    if message.flags.has(UNCOUNTED) {
        return Ok(());
    }
    usage::count(tables, user, message.size, more)
}

/// Writes a folder's row after its messages changed.
fn put_folder(tables: &mut Tables<'_>, id: FolderId, mut folder: Folder) -> Result<(), Broken> {
    mailbox::find_first_unseen(tables, id, &mut folder)?;
    tables.set(&key::folder(id), &folder)
}
