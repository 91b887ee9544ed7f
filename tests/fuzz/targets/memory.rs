//! A disk that holds a few files in memory and is only read.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use pillarbox::store::disk::{Disk, File, Space};

/// Files by name.
#[derive(Debug, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

#[derive(Debug)]
struct Octets(Vec<u8>);

fn no<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for Memory {
    fn make_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inside = |name: &String| {
            name.strip_prefix(folder)?
                .strip_prefix('/')
                .map(str::to_owned)
        };
        Ok(self.0.keys().filter_map(inside).collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let octets = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Octets(octets.clone())))
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn File>> {
        no()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        no()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        no()
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        no()
    }

    fn space(&self) -> io::Result<Space> {
        no()
    }
}

impl File for Octets {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        no()
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        no()
    }

    fn read(&self, offset: u64, octets: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let count = rest.len().min(octets.len());
        octets[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        no()
    }

    fn sync(&self) -> io::Result<()> {
        no()
    }
}
