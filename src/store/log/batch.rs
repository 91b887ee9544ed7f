//! The octets of one write: a mark, then pieces of content and changes.

use crate::store::log::{
    BLOCK, Place, blocks_up,
    record::{self, HEADER, Kind},
    segment::Seed,
};

/// Octets of a mark's record.
const MARK: usize = HEADER + 8;
/// Octets of a piece's payload in front of its text: content id, number, how it is packed.
const PIECE: usize = 13;

/// A piece of content as it will lie in the log.
#[derive(Clone, Debug)]
pub struct Piece {
    pub packed: Vec<u8>,
    /// Length of the text in octets.
    pub text: u32,
    pub deflated: bool,
}

impl Piece {
    /// What its record takes at most.
    #[must_use]
    pub fn octets(&self) -> u32 {
        u32::try_from(self.packed.len().saturating_add(HEADER + PIECE)).unwrap_or(u32::MAX)
    }
}

/// What a piece's payload says.
#[derive(Clone, Copy, Debug)]
pub struct PieceRecord<'a> {
    pub content: u64,
    pub number: u32,
    pub deflated: bool,
    pub packed: &'a [u8],
}

impl<'a> PieceRecord<'a> {
    #[must_use]
    pub fn decode(payload: &'a [u8]) -> Option<Self> {
        let (head, packed) = payload.split_at_checked(PIECE)?;
        Some(Self {
            content: u64::from_le_bytes(head.get(..8)?.try_into().ok()?),
            number: u32::from_le_bytes(head.get(8..12)?.try_into().ok()?),
            deflated: *head.get(12)? == 1,
            packed,
        })
    }
}

/// The octets of a batch that will lie at a place that is fixed already.
#[derive(Debug)]
pub struct Batch {
    octets: Vec<u8>,
    seed: Seed,
    segment: u64,
    offset: u32,
    /// Room in the segment from `offset` on.
    room: u32,
    pub changes: u32,
    /// Records in it, the mark not counted.
    pub records: u32,
}

impl Batch {
    #[must_use]
    pub fn new(seed: Seed, segment: u64, offset: u32, room: u32) -> Self {
        Self {
            octets: vec![0; MARK],
            seed,
            segment,
            offset,
            room,
            changes: 0,
            records: 0,
        }
    }

    #[must_use]
    pub fn segment(&self) -> u64 {
        self.segment
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether `need` more octets go into the segment.
    #[must_use]
    pub fn fits(&self, need: u32) -> bool {
        let length = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        length.saturating_add(need) <= self.room
    }

    /// Adds a piece of content; it carries the number of the last change.
    pub fn piece(&mut self, last: u64, content: u64, number: u32, piece: &Piece) -> Place {
        let offset = self.next();
        let stored = u32::try_from(piece.packed.len().saturating_add(PIECE)).unwrap_or(u32::MAX);
        record::append(
            &mut self.octets,
            self.seed,
            offset,
            Kind::Piece,
            last,
            &[
                &content.to_le_bytes(),
                &number.to_le_bytes(),
                &[u8::from(piece.deflated)],
                &piece.packed,
            ],
        );
        self.records = self.records.saturating_add(1);
        Place {
            segment: self.segment,
            offset,
            stored,
            text: piece.text,
        }
    }

    /// Adds an encoded change.
    pub fn change(&mut self, sequence: u64, payload: &[u8]) {
        let offset = self.next();
        record::append(
            &mut self.octets,
            self.seed,
            offset,
            Kind::Change,
            sequence,
            &[payload],
        );
        self.changes = self.changes.saturating_add(1);
        self.records = self.records.saturating_add(1);
    }

    fn next(&self) -> u32 {
        let length = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        self.offset.saturating_add(length)
    }

    /// The whole blocks to be written at the batch's offset. `synced`: how far the segment is synced;
    /// `last`: the number of the last change in it or before it.
    #[must_use]
    pub fn finish(mut self, synced: u32, last: u64) -> Vec<u8> {
        let length = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        let mut mark = Vec::with_capacity(MARK);
        record::append(
            &mut mark,
            self.seed,
            self.offset,
            Kind::Mark,
            last,
            &[&length.to_le_bytes(), &synced.to_le_bytes()],
        );
        if let Some(head) = self.octets.get_mut(..MARK) {
            head.copy_from_slice(&mark);
        }
        let whole = usize::try_from(blocks_up(length)).unwrap_or(usize::MAX);
        self.octets.resize(whole, 0);
        self.octets
    }
}

/// What a mark says: the batch's length and how far the segment was synced.
#[must_use]
pub fn mark(payload: &[u8]) -> Option<(u32, u32)> {
    let length = u32::from_le_bytes(payload.get(..4)?.try_into().ok()?);
    let synced = u32::from_le_bytes(payload.get(4..8)?.try_into().ok()?);
    (length as usize >= MARK && synced % BLOCK == 0).then_some((length, synced))
}
