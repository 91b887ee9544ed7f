//! Reading a segment that may be damaged or torn, batch by batch, with bounded memory.

use std::ops::ControlFlow;

use crate::store::{
    Broken,
    disk::File,
    log::{
        BLOCK, SEGMENT, batch, blocks_up,
        record::{self, Kind, Record},
        segment::Seed,
    },
};

/// Read at once while looking for a batch.
const WINDOW: usize = 64 * 1024;

/// What lies at a block.
#[derive(Debug)]
pub enum Found<'a> {
    Batch(FoundBatch<'a>),
    /// No batch begins at this block, or it cannot be read.
    Nothing {
        offset: u32,
    },
}

/// A batch whose mark is good.
#[derive(Debug)]
pub struct FoundBatch<'a> {
    pub offset: u32,
    /// Of the first block after it.
    pub end: u32,
    /// The segment was synced up to here when the batch was written.
    pub synced: u32,
    /// A record's header, or with `contents` a payload, is not what was written; `records` holds
    /// what is good before it.
    pub broken: bool,
    /// The number of the last change in it or before it.
    pub last: u64,
    /// The mark not included. Changes' payloads are whole; those of pieces were checked with `contents`.
    pub records: Vec<Record<'a>>,
}

/// Shows what lies at the blocks from `from` to `to`. `contents`: check the CRCs of pieces too.
///
/// # Errors
///
/// Only those of `each`: what cannot be read is [`Found::Nothing`].
pub fn segment(
    file: &dyn File,
    seed: Seed,
    from: u32,
    to: u32,
    contents: bool,
    each: &mut dyn FnMut(Found<'_>) -> Result<ControlFlow<()>, Broken>,
) -> Result<(), Broken> {
    let mut window = Window::new(file);
    let mut offset = from.max(BLOCK);
    while offset < to.min(SEGMENT) {
        let length = window
            .at(offset, record::HEADER + 8)
            .and_then(|octets| record::parse(octets, seed, offset))
            .filter(|r| r.kind == Kind::Mark && r.is_whole(seed))
            .and_then(|r| {
                let (length, synced) = batch::mark(r.payload)?;
                Some((length, synced, r.sequence))
            })
            .filter(|(length, ..)| offset.saturating_add(*length) <= SEGMENT);
        let Some((length, synced, last)) = length else {
            if !window.reaches(offset) && window.ended() {
                return Ok(());
            }
            if each(Found::Nothing { offset })?.is_break() {
                return Ok(());
            }
            offset = offset.saturating_add(BLOCK);
            continue;
        };
        let found = match window.at(offset, length as usize) {
            Some(octets) => FoundBatch {
                last,
                ..read_batch(octets, seed, offset, length, synced, contents)
            },
            None => FoundBatch {
                offset,
                end: offset.saturating_add(blocks_up(length)),
                synced,
                broken: true,
                last,
                records: Vec::new(),
            },
        };
        offset = found.end;
        if each(Found::Batch(found))?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn read_batch(
    octets: &[u8],
    seed: Seed,
    offset: u32,
    length: u32,
    synced: u32,
    contents: bool,
) -> FoundBatch<'_> {
    let mut found = FoundBatch {
        offset,
        end: offset.saturating_add(blocks_up(length)),
        synced,
        broken: false,
        last: 0,
        records: Vec::new(),
    };
    let octets = octets.get(..length as usize).unwrap_or_default();
    let mut at = record::HEADER + 8;
    while at < octets.len() {
        let rest = octets.get(at..).unwrap_or_default();
        let here = offset.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let Some(record) = record::parse(rest, seed, here).filter(|r| r.kind != Kind::Mark) else {
            found.broken = true;
            return found;
        };
        at = at.saturating_add(record::HEADER + record.payload.len());
        if (record.kind == Kind::Change || contents) && !record.is_whole(seed) {
            found.broken = true;
            continue;
        }
        found.records.push(record);
    }
    found
}

/// A part of a file in memory.
struct Window<'a> {
    file: &'a dyn File,
    start: u32,
    octets: Vec<u8>,
    ended: bool,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn File) -> Self {
        Self {
            file,
            start: 0,
            octets: Vec::new(),
            ended: false,
        }
    }

    /// Whether the octet at `offset` could be read.
    fn reaches(&self, offset: u32) -> bool {
        let at = offset.checked_sub(self.start).map(|at| at as usize);
        at.is_some_and(|at| at < self.octets.len())
    }

    /// Whether the last read met the file's end.
    fn ended(&self) -> bool {
        self.ended
    }

    /// At least `length` octets from `offset` on; `None` if they are not there or cannot be read.
    fn at(&mut self, offset: u32, length: usize) -> Option<&[u8]> {
        let at = offset.checked_sub(self.start).map(|at| at as usize);
        let held = at.is_some_and(|at| at.saturating_add(length) <= self.octets.len());
        if !held {
            self.fill(offset, length.max(WINDOW));
            if self.octets.len() < length {
                self.fill(offset, length.max(BLOCK as usize));
            }
        }
        let at = offset.checked_sub(self.start)? as usize;
        let rest = self.octets.get(at..)?;
        (rest.len() >= length).then_some(rest)
    }

    fn fill(&mut self, offset: u32, length: usize) {
        self.start = offset;
        self.octets.resize(length, 0);
        if let Ok(n) = self.file.read(u64::from(offset), &mut self.octets) {
            self.ended = n < length;
            self.octets.truncate(n);
        } else {
            self.ended = false;
            self.octets.clear();
        }
    }
}

/// Where the acknowledged part of a segment ends, when no later header says so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extent {
    /// Everything up to here was synced when something later was written.
    pub floor: u32,
    pub end: u32,
    /// The greatest change number in it.
    pub last: u64,
    /// There is at least one good batch.
    pub any: bool,
}

/// Finds the end of a segment by its marks: past the highest mark the first thing broken ends it.
///
/// # Errors
///
/// None of its own.
pub fn extent(file: &dyn File, seed: Seed) -> Result<Extent, Broken> {
    let mut floor = BLOCK;
    let mut blocks: Vec<(u32, u64, Option<u32>)> = Vec::new();
    segment(file, seed, BLOCK, SEGMENT, true, &mut |found| {
        match found {
            Found::Nothing { offset } => blocks.push((offset, 0, None)),
            Found::Batch(b) => {
                floor = floor.max(b.synced);
                blocks.push((b.offset, b.last, (!b.broken).then_some(b.end)));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut out = Extent {
        floor,
        end: BLOCK,
        ..Extent::default()
    };
    for (offset, last, good) in blocks {
        match good {
            Some(end) => {
                out.any = true;
                out.end = end;
            }
            None if offset >= floor => break,
            None => {}
        }
        // What a damaged batch held is lost, not forgotten: its mark still says how far it went.
        out.last = out.last.max(last);
    }
    out.end = out.end.max(floor);
    Ok(out)
}
