//! Stored content: where its pieces are, and how many messages and queue entries have it.

use serde::{Deserialize, Serialize};

use crate::{
    base::{id::ContentId, time::Time},
    store::{
        Broken,
        apply::Context,
        change::{Accepted, MovedPiece, PieceAt},
        counters,
        index::{
            key,
            table::{Rows, Tables},
        },
        value,
    },
};

/// A content's row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ContentRow {
    /// How many messages and queue entries have it.
    pub messages: u32,
    /// Header lines in front of the content.
    pub prefix: Vec<u8>,
    /// Without the prefix, in octets.
    pub size: u64,
    pub pieces: Vec<PieceAt>,
}

/// # Errors
///
/// The index fails.
pub fn row(rows: &impl Rows, id: ContentId) -> Result<Option<ContentRow>, Broken> {
    rows.row(&key::content(id), "content")
}

/// The prefix that a row has.
///
/// # Errors
///
/// It is no such row.
pub fn prefix(row: &[u8]) -> Result<&[u8], Broken> {
    let (_, prefix): (u32, &[u8]) = value::decode_start(row, "content")?;
    Ok(prefix)
}

/// New content; nobody has it yet.
///
/// # Errors
///
/// The index fails.
pub fn add(tables: &mut Tables<'_>, accepted: &Accepted) -> Result<(), Broken> {
    let mut numbers = counters::counters(tables)?;
    numbers.content = numbers.content.max(accepted.content.0.saturating_add(1));
    counters::set_counters(tables, &numbers)?;
    for piece in &accepted.pieces {
        live(tables, piece.place.segment, piece.place.octets(), true)?;
    }
    if !accepted.summary.is_empty() {
        tables.set_octets(&key::summary(accepted.content), &accepted.summary)?;
    }
    let row = ContentRow {
        messages: 0,
        prefix: accepted.prefix.clone(),
        size: accepted.size,
        pieces: accepted.pieces.clone(),
    };
    tables.set(&key::content(accepted.content), &row)
}

/// One more message or queue entry has it.
pub(in crate::store) fn refer(tables: &mut Tables<'_>, id: ContentId) -> Result<(), Broken> {
    if let Some(mut content) = row(tables, id)? {
        content.messages = content.messages.saturating_add(1);
        tables.set(&key::content(id), &content)?;
    }
    Ok(())
}

/// One message or queue entry less has it; the last one takes it along.
pub(in crate::store) fn release(
    tables: &mut Tables<'_>,
    at: &Context,
    id: ContentId,
) -> Result<(), Broken> {
    let Some(mut content) = row(tables, id)? else {
        return Ok(());
    };
    content.messages = content.messages.saturating_sub(1);
    if content.messages > 0 {
        return tables.set(&key::content(id), &content);
    }
    drop_unnamed(tables, at, id, &content)
}

/// Content that nobody has: its octets are dead from now on.
///
/// # Errors
///
/// The index fails.
pub fn drop_unnamed(
    tables: &mut Tables<'_>,
    at: &Context,
    id: ContentId,
    content: &ContentRow,
) -> Result<(), Broken> {
    for piece in &content.pieces {
        let number = piece.place.segment;
        let mut segment = counters::segment(tables, number)?;
        segment.live = segment.live.saturating_sub(piece.place.octets());
        if segment.dead_since == Time(0) {
            segment.dead_since = Time(at.time.0.max(1));
        }
        segment.purge |= at.purge;
        counters::set_segment(tables, number, &segment)?;
    }
    tables.remove(&key::content(id))?;
    tables.remove(&key::filter(id))?;
    tables.remove(&key::summary(id))?;
    Ok(())
}

/// Pieces have new places.
///
/// # Errors
///
/// The index fails.
pub fn moved(tables: &mut Tables<'_>, pieces: &[MovedPiece]) -> Result<(), Broken> {
    for piece in pieces {
        let Some(mut content) = row(tables, piece.content)? else {
            continue;
        };
        let Some(found) = content.pieces.iter_mut().find(|p| p.place == piece.old) else {
            continue;
        };
        found.place = piece.new;
        tables.set(&key::content(piece.content), &content)?;
        live(tables, piece.old.segment, piece.old.octets(), false)?;
        live(tables, piece.new.segment, piece.new.octets(), true)?;
    }
    Ok(())
}

/// What was derived from it, again.
///
/// # Errors
///
/// The index fails.
pub fn summarize(tables: &mut Tables<'_>, id: ContentId, summary: &[u8]) -> Result<(), Broken> {
    if tables.has(&key::content(id))? {
        tables.set_octets(&key::summary(id), summary)?;
    }
    Ok(())
}

fn live(tables: &mut Tables<'_>, number: u64, octets: u64, more: bool) -> Result<(), Broken> {
    let mut segment = counters::segment(tables, number)?;
    segment.live = if more {
        segment.live.saturating_add(octets)
    } else {
        segment.live.saturating_sub(octets)
    };
    counters::set_segment(tables, number, &segment)
}
