//! The log: segments of 8 MiB that hold batches of records. Append-only; the truth.
//!
//! | file | what |
//! |---|---|
//! | `record` | one record: length, kind, sequence number, two CRCs |
//! | `segment` | a segment's header block, names, seeds |
//! | `pin` | the open segments, shared with readers; a pinned one stays |
//! | `batch` | the octets of one write |
//! | `append` | the end of the log: where the next batch goes |
//! | `scan` | reading a segment that may be damaged or torn |
//! | `chart` | what segments there are and where each ends |

pub mod append;
pub mod batch;
pub mod chart;
pub mod pin;
pub mod record;
pub mod scan;
pub mod segment;

use serde::{Deserialize, Serialize};

/// Batches start at multiples of this, in octets.
pub const BLOCK: u32 = 4096;
/// Size of a segment in octets.
pub const SEGMENT: u32 = 8 * 1024 * 1024;

/// Where a piece of content lies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Place {
    pub segment: u64,
    /// Of the record's first octet in the segment.
    pub offset: u32,
    /// Length of the record's payload in octets.
    pub stored: u32,
    /// Length of the text in octets.
    pub text: u32,
}

impl Place {
    /// What the piece takes in its segment, in octets.
    #[must_use]
    pub fn octets(&self) -> u64 {
        u64::from(self.stored).saturating_add(record::HEADER as u64)
    }
}

/// `n` rounded up to whole blocks.
#[must_use]
pub fn blocks_up(n: u32) -> u32 {
    n.div_ceil(BLOCK).saturating_mul(BLOCK)
}
