//! redb's storage on our disk.

use std::{io, sync::Arc};

use redb::StorageBackend;

use crate::store::disk::File;

/// The index's file.
#[derive(Debug)]
pub struct Backend(Arc<dyn File>);

impl Backend {
    #[must_use]
    pub fn new(file: Arc<dyn File>) -> Self {
        Self(file)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let wanted = out.len();
        match self.0.read(offset, out)? {
            n if n == wanted => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
