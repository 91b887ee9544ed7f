//! Filters: what a search may skip. Derived from content, in the index only: never in the log, never in
//! a dump. One that is missing costs time, nothing else; a content's id is never used again, so none
//! can be wrong.

use std::ops::ControlFlow;

use crate::{
    base::id::ContentId,
    store::{
        Broken,
        index::{
            key::{self, Kind},
            table::{Rows, Tables},
        },
    },
};

/// Every content below this has its filter, if it is there.
///
/// # Errors
///
/// The index fails.
pub fn mark(rows: &impl Rows) -> Result<ContentId, Broken> {
    let mark: Option<u64> = rows.row(key::FILTERED, "filtered")?;
    Ok(ContentId(mark.unwrap_or(0)))
}

/// Contents without a filter, ascending from `from`, at most `most`.
///
/// # Errors
///
/// The index fails.
pub fn missing(rows: &impl Rows, from: ContentId, most: usize) -> Result<Vec<ContentId>, Broken> {
    let mut out = Vec::new();
    rows.scan(
        &key::content(from),
        &[Kind::Content.letter() + 1],
        &mut |key, _| {
            let id = ContentId(key::u64_of(key).ok_or(Broken::Corrupt("content key"))?);
            if out.len() >= most {
                return Ok(ControlFlow::Break(()));
            }
            if !rows.has(&key::filter(id))? {
                out.push(id);
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(out)
}

/// Looks whether the mark can rise: not to `limit`, where content without a row may be on its way, and
/// past `most` contents at most.
///
/// # Errors
///
/// The index fails.
pub fn raise(tables: &mut Tables<'_>, limit: ContentId, most: usize) -> Result<(), Broken> {
    let from = mark(tables)?;
    let (mut to, mut passed) = (from, 0);
    let end = key::content(limit);
    tables.scan(&key::content(from), &end, &mut |key, _| {
        let id = ContentId(key::u64_of(key).ok_or(Broken::Corrupt("content key"))?);
        passed += 1;
        if passed > most || !tables.has(&key::filter(id))? {
            return Ok(ControlFlow::Break(()));
        }
        to = ContentId(id.0.saturating_add(1));
        Ok(ControlFlow::Continue(()))
    })?;
    if to > from {
        tables.set(key::FILTERED, &to.0)?;
    }
    Ok(())
}

/// Stores filters of contents that are there.
///
/// # Errors
///
/// The index fails.
pub fn store(tables: &mut Tables<'_>, filters: &[(ContentId, Vec<u8>)]) -> Result<(), Broken> {
    for (id, filter) in filters {
        if tables.has(&key::content(*id))? {
            tables.set_octets(&key::filter(*id), filter)?;
        }
    }
    Ok(())
}
