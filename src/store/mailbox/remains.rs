//! What is left of folders that are gone: their messages and journals, removed in slices between batches,
//! so that nobody waits while a folder of 100,000 goes. They count for nothing any more, and a folder's
//! number is never used again. Where a slice is lost in a crash it is done again.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::FolderId, time::Time},
    store::{
        Broken,
        apply::Context,
        index::{
            Index,
            key::{self, Kind},
            table::{Rows, Tables},
        },
        message::{Message, content},
        value,
    },
};

/// Rows that go in one transaction where nobody waits.
const SLICE: usize = 512;

/// Whose remains are to be removed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Remains {
    /// When the folder went: its content is dead since then.
    pub since: Time,
    /// Its content has to leave the medium.
    pub purge: bool,
}

/// Notes that a folder's messages are to go. The caller removes its row.
pub(super) fn leave(tables: &mut Tables<'_>, at: &Context, id: FolderId) -> Result<(), Broken> {
    let row = Remains {
        since: at.time,
        purge: at.purge,
    };
    tables.set(&key::remains(id), &row)
}

/// A folder that has left something.
///
/// # Errors
///
/// The index fails.
pub fn first(rows: &impl Rows) -> Result<Option<(FolderId, Remains)>, Broken> {
    let mut found = None;
    rows.scan_prefix(&[Kind::Remains.letter()], &mut |key, octets| {
        let id = key::u32_of(key).ok_or(Broken::Corrupt("remains key"))?;
        found = Some((FolderId(id), value::decode(octets, "remains")?));
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Removes the next `most` rows of what a folder left.
///
/// # Errors
///
/// The index fails: the caller drops the transaction.
pub fn clean(
    tables: &mut Tables<'_>,
    id: FolderId,
    remains: Remains,
    most: usize,
) -> Result<(), Broken> {
    let mut at = Context::new(0, 0, remains.since);
    at.purge = remains.purge;
    let mut messages = Vec::new();
    tables.scan_prefix(&key::messages(id), &mut |key, octets| {
        let message: Message = value::decode(octets, "message")?;
        messages.push((key.to_vec(), message.content));
        Ok(if messages.len() < most {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    let mut rows = Vec::new();
    tables.scan_prefix(&key::journals(id), &mut |key, _| {
        if messages.len() + rows.len() >= most {
            return Ok(ControlFlow::Break(()));
        }
        rows.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })?;
    if messages.len() + rows.len() < most {
        rows.push(key::remains(id));
    }
    for (key, content) in messages {
        tables.remove(&key)?;
        content::release(tables, &at, content)?;
    }
    for key in rows {
        tables.remove(&key)?;
    }
    Ok(())
}

/// Removes all that folders left, at a start; `sequence`: of the last change in the index.
///
/// # Errors
///
/// The index fails.
pub fn clean_all(index: &Index, sequence: u64) -> Result<(), Broken> {
    while let Some((id, remains)) = first(&index.snapshot()?)? {
        index.write(false, |tables| {
            clean(tables, id, remains, SLICE)?;
            tables.set(key::SEQUENCE, &sequence)
        })?;
    }
    Ok(())
}
