//! One record of the log or of a dump: a header of 21 octets and a payload.
//!
//! `length u32, kind u8, sequence u64, CRC of the payload u32, CRC of these u32`, little-endian. Both
//! CRCs start from a seed that nobody who sends mail can know, and from the record's offset.

use crate::store::log::segment::Seed;

/// Length of a record's header in octets.
pub const HEADER: usize = 21;
const CHECKED: usize = 17;

/// What a payload is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A change of state.
    Change,
    /// A batch begins: its length, and how far the segment was synced when it was written.
    Mark,
    /// A piece of content.
    Piece,
    /// Rows of a dump.
    Rows,
}

impl Kind {
    const fn octet(self) -> u8 {
        match self {
            Self::Change => 1,
            Self::Piece => 2,
            Self::Mark => 3,
            Self::Rows => 4,
        }
    }

    const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Change),
            2 => Some(Self::Piece),
            3 => Some(Self::Mark),
            4 => Some(Self::Rows),
            _ => None,
        }
    }
}

/// A record whose header is good.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub kind: Kind,
    pub sequence: u64,
    pub payload: &'a [u8],
    pub payload_crc: u32,
    /// Of the record's first octet in its file.
    pub offset: u32,
}

impl Record<'_> {
    /// Whether the payload is what was written.
    #[must_use]
    pub fn is_whole(&self, seed: Seed) -> bool {
        seed.crc(self.offset, self.payload) == self.payload_crc
    }
}

/// Adds a record that will lie at `offset` of its file.
pub fn append(
    out: &mut Vec<u8>,
    seed: Seed,
    offset: u32,
    kind: Kind,
    sequence: u64,
    parts: &[&[u8]],
) {
    let start = out.len();
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    out.push(kind.octet());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&seed.crc_parts(offset, parts).to_le_bytes());
    let head = seed.crc(offset, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&head.to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Length of the payload of the record that begins with `octets`; `None` if its header is not good.
#[must_use]
pub fn payload_length(octets: &[u8], seed: Seed, offset: u32) -> Option<u32> {
    let head = octets.get(..HEADER)?;
    let (checked, crc) = head.split_at_checked(CHECKED)?;
    let crc = u32::from_le_bytes(crc.try_into().ok()?);
    (seed.crc(offset, checked) == crc).then_some(())?;
    Kind::from_octet(*head.get(4)?)?;
    Some(u32::from_le_bytes(head.get(..4)?.try_into().ok()?))
}

/// The record that begins with `octets`; `None` if its header is not good or its payload is not all
/// there. The payload itself is not checked.
#[must_use]
pub fn parse(octets: &[u8], seed: Seed, offset: u32) -> Option<Record<'_>> {
    let length = usize::try_from(payload_length(octets, seed, offset)?).ok()?;
    let payload = octets.get(HEADER..HEADER.checked_add(length)?)?;
    Some(Record {
        kind: Kind::from_octet(*octets.get(4)?)?,
        sequence: u64::from_le_bytes(octets.get(5..13)?.try_into().ok()?),
        payload_crc: u32::from_le_bytes(octets.get(13..17)?.try_into().ok()?),
        payload,
        offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_seed_and_place_read_a_record() {
        let seed = Seed::of_segment([7; 16], 3);
        let mut octets = Vec::new();
        append(&mut octets, seed, 4096, Kind::Change, 42, &[b"hel", b"lo"]);
        let record = parse(&octets, seed, 4096).unwrap();
        assert_eq!((record.kind, record.sequence), (Kind::Change, 42));
        assert_eq!(record.payload, b"hello");
        assert!(record.is_whole(seed));
        assert!(parse(&octets, seed, 8192).is_none());
        assert!(parse(&octets, Seed::of_segment([7; 16], 4), 4096).is_none());
        for bit in 0..octets.len() * 8 {
            let mut broken = octets.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let read = parse(&broken, seed, 4096).filter(|r| r.is_whole(seed));
            assert!(read.is_none(), "bit {bit}");
        }
        assert!(parse(&[0; 4096], seed, 0).is_none());
    }
}
