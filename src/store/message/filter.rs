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
