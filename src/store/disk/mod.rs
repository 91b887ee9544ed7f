//! The disk as the store sees it: a folder of files behind a trait, so that tests cut the power at
//! every write and sync. `local` is the real one.

pub mod local;

use std::{fmt::Debug, io, sync::Arc};

/// Free and total space where the data folder lies, in octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    pub free: u64,
    pub total: u64,
}

/// The data folder. Names are relative, with `/`: `log/0000000017`. What a folder holds is on the
/// medium only after [`Disk::sync_folder`].
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a folder with its parents; an existing one is no error.
    fn make_folder(&self, folder: &str) -> io::Result<()>;
    /// The names inside `folder` (`""` = the data folder itself), without the folder's own, in any order.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Opens a file that is there, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Makes an empty file, mode 600; one that is there is emptied.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    fn space(&self) -> io::Result<Space>;
}

/// An open file; stays readable when its name is gone.
#[expect(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait File: Debug + Send + Sync + 'static {
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Takes room on the disk for octets `0..length` without changing what is read, or fails with
    /// `StorageFull`.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Reads as much as is there, up to `octets.len()`; fewer only at the file's end.
    fn read(&self, offset: u64, octets: &mut [u8]) -> io::Result<usize>;
    fn write(&self, offset: u64, octets: &[u8]) -> io::Result<()>;
    /// Content and length are on the medium afterwards (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}
