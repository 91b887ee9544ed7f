//! A segment's header block, its name and its seed.

use crate::store::log::BLOCK;

const MAGIC: &[u8; 8] = b"PBOXLOG1";
const CHECKED: usize = 60;

/// The folder of the log inside the data folder.
pub const FOLDER: &str = "log";

/// Where CRCs of a segment or of a dump begin. Derived from the store's secret, so that nobody who
/// sends mail can forge a record, and a reused file's old records never look valid.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u32);

impl Seed {
    #[must_use]
    pub fn of_segment(secret: [u8; 16], number: u64) -> Self {
        Self::new(secret, number, 0)
    }

    #[must_use]
    pub fn of_dump(secret: [u8; 16], number: u64) -> Self {
        Self::new(secret, number, 1)
    }

    fn new(secret: [u8; 16], number: u64, what: u8) -> Self {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&secret);
        crc.update(&number.to_le_bytes());
        crc.update(&[what]);
        Self(crc.finalize())
    }

    #[must_use]
    pub fn crc(self, offset: u32, octets: &[u8]) -> u32 {
        self.crc_parts(offset, &[octets])
    }

    #[must_use]
    pub fn crc_parts(self, offset: u32, parts: &[&[u8]]) -> u32 {
        let mut crc = crc32fast::Hasher::new_with_initial(self.0);
        crc.update(&offset.to_le_bytes());
        for part in parts {
            crc.update(part);
        }
        crc.finalize()
    }
}

/// What a segment says of itself and of the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Of the store; never shown.
    pub secret: [u8; 16],
    pub number: u64,
    /// 0 = none.
    pub predecessor: u64,
    /// Offset in the predecessor up to which it holds what was acknowledged.
    pub predecessor_end: u32,
    /// The last change before this segment. A greater number in an older segment is void.
    pub last: u64,
}

impl Header {
    /// A whole block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK as usize);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.secret);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.predecessor.to_le_bytes());
        out.extend_from_slice(&self.predecessor_end.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.resize(CHECKED, 0);
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out.resize(BLOCK as usize, 0);
        out
    }

    /// From a segment's first block; `None` if it is none.
    #[must_use]
    pub fn decode(block: &[u8]) -> Option<Self> {
        let (checked, rest) = block.split_at_checked(CHECKED)?;
        let crc = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?);
        (crc32fast::hash(checked) == crc).then_some(())?;
        let number = |at: usize| {
            let octets = checked.get(at..at.checked_add(8)?)?;
            Some(u64::from_le_bytes(octets.try_into().ok()?))
        };
        (checked.get(..8)? == MAGIC).then_some(())?;
        Some(Self {
            secret: checked.get(8..24)?.try_into().ok()?,
            number: number(24)?,
            predecessor: number(32)?,
            predecessor_end: u32::from_le_bytes(checked.get(40..44)?.try_into().ok()?),
            last: number(44)?,
        })
    }
}

/// `log/0000000017`
#[must_use]
pub fn name(number: u64) -> String {
    format!("{FOLDER}/{number:010}")
}

/// What a file that cannot be made out is called from then on.
#[must_use]
pub fn aside(number: u64) -> String {
    format!("{}.strange", name(number))
}

/// The number of a file in the log's folder; `None` for what we did not make.
#[must_use]
pub fn number(file: &str) -> Option<u64> {
    let canonical = file.len() >= 10 && file.bytes().all(|c| c.is_ascii_digit());
    canonical.then(|| file.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip_and_flipped_bits() {
        let header = Header {
            secret: [9; 16],
            number: 17,
            predecessor: 16,
            predecessor_end: 4096,
            last: 1 << 40,
        };
        let block = header.encode();
        assert_eq!(block.len(), 4096);
        assert_eq!(Header::decode(&block), Some(header));
        for bit in 0..64 * 8 {
            let mut broken = block.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&broken), None, "bit {bit}");
        }
        assert_eq!(number("0000000017"), Some(17));
        assert_eq!(number("17"), None);
        assert_eq!(name(17), "log/0000000017");
    }
}
