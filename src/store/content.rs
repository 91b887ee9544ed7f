//! Content on its way in and out of the log.

use crate::store::{Broken, Refusal};

/// The content of a message that is whole, ready to be delivered or appended once. Dropped without
/// that, it is dead and its room comes back.
#[derive(Debug)]
pub struct Body {
    /// In octets.
    size: u64,
}

impl Body {
    /// In octets.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Content that arrives piece by piece. Up to 64 KiB stay in memory; what is more goes to the log
/// while it arrives. The content must have CRLF line ends only.
#[derive(Debug)]
pub struct Incoming {}

impl Incoming {
    /// Takes the next octets; waits while the log is behind.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`], or [`Refusal::Broken`] if a write or sync failed since the content began:
    /// the message is lost, the peer may send it again.
    pub async fn write(&mut self, _octets: &[u8]) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// In octets, so far.
    pub fn size(&self) -> u64 {
        unimplemented!()
    }

    /// The content is whole.
    ///
    /// # Errors
    ///
    /// As [`Incoming::write`].
    pub async fn finish(self) -> Result<Body, Refusal> {
        unimplemented!()
    }
}

/// Stored content to be read; its segments stay where they are while this lives. Reading blocks on
/// the disk: call it on the blocking pool. `Send`.
#[derive(Debug)]
pub struct Content {
    prefix: Vec<u8>,
    size: u64,
}

impl Content {
    /// Header lines in front of the content (in [`Content::size`] and in offsets).
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Of prefix and content together, in octets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The octets from `from` on: at least one and at most 64 KiB of them; none at the end.
    ///
    /// # Errors
    ///
    /// The disk fails or what it gives is damaged.
    pub fn read(&mut self, _from: u64) -> Result<&[u8], Broken> {
        unimplemented!()
    }
}
