//! State: a log that is the truth, an index that is read. Synchronous; knows no protocol.
//!
//! Services hold a [`Store`]: they read through [`Store::read`], and wish through
//! [`Store::request`], which answers when the change is on the medium.

pub mod content;
pub mod directory;
pub mod disk;
mod error;
pub mod mailbox;
pub mod message;
pub mod reader;
pub mod request;

use std::{sync::Arc, thread::JoinHandle};

use crate::base::id::ContentId;

pub use content::{Body, Content, Incoming};
pub use disk::Disk;
pub use error::{Broken, Refusal};
pub use reader::Reader;
pub use request::{Notice, Reply, Request};

/// How big things may get; the rest is fixed by the format.
#[derive(Clone, Debug)]
pub struct Options {
    /// redb's cache in octets (`limit.store_cache`).
    pub cache: usize,
    /// Largest message in octets; unfinished content is capped at four times that.
    pub message_size: u64,
    /// On a tiny machine 24 MiB of free space are kept instead of 64.
    pub tiny: bool,
    /// 128 random bits for a store that is made anew.
    pub secret: [u8; 16],
    /// Folders of a person; 0 = no limit.
    pub folders: u64,
    /// Keywords of a folder.
    pub keywords: u64,
}

/// What a start found; all of it is logged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Opened {
    /// Made anew: nothing was there.
    pub created: bool,
    /// Changes that the index did not have yet.
    pub replayed: u64,
    /// The index was made anew from dump and log.
    pub rebuilt: bool,
    /// Places in the log that cannot be read: segment, offset, what it held.
    pub damage: Vec<(u64, u64, String)>,
    /// Changes that are gone.
    pub lost: u64,
}

/// A handle to the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<()>);

/// The writer's thread, to be joined at the end.
#[derive(Debug)]
pub struct Running(pub JoinHandle<()>);

impl Store {
    /// Opens the store in a data folder, makes or mends what is needed and starts the writer's thread.
    /// The caller holds the folder's lock.
    ///
    /// # Errors
    ///
    /// The disk or the index fails for good.
    pub fn open(
        _disk: Arc<dyn Disk>,
        _options: Options,
    ) -> Result<(Self, Running, Opened), Broken> {
        unimplemented!()
    }

    /// Reads at one moment. Sees only what is on the medium.
    ///
    /// # Errors
    ///
    /// What `read` says, or the index fails.
    pub fn read<T>(&self, _read: impl FnOnce(&Reader) -> Result<T, Broken>) -> Result<T, Broken> {
        unimplemented!()
    }

    /// Has a change made; ready when it is on the medium (a `lazy` one, and those that say that
    /// nobody waits, at once).
    ///
    /// # Errors
    ///
    /// Nothing has changed, but see [`Refusal::Unknown`].
    pub async fn request(&self, _request: Request) -> Result<Reply, Refusal> {
        unimplemented!()
    }

    /// Makes what gathers (lazy \Seen) durable; ready when it is.
    ///
    /// # Errors
    ///
    /// As [`Store::request`].
    pub async fn settle(&self) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// Begins new content.
    pub fn incoming(&self) -> Incoming {
        unimplemented!()
    }

    /// Stored content, its segments pinned; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn content(&self, _id: ContentId) -> Result<Option<Content>, Broken> {
        unimplemented!()
    }

    /// What changes do to folders, in order, after their sync. One receiver: `service::notify`.
    pub fn notices(&self) -> smol::channel::Receiver<Vec<Notice>> {
        unimplemented!()
    }

    /// Drains the writer, checkpoints, ends its thread. Requests after it are refused.
    pub fn stop(&self) {
        unimplemented!()
    }

    /// Figures for `status`.
    pub fn status(&self) -> Status {
        unimplemented!()
    }
}

/// Figures of the store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    pub sequence: u64,
    pub segments: u64,
    pub live_octets: u64,
    pub log_octets: u64,
    pub free_octets: u64,
    /// False while deliveries are refused with 452.
    pub room: bool,
    /// Number of the dump that counts; 0 = none.
    pub dump: u64,
    pub changes_since_checkpoint: u64,
}
