//! A disk in memory that can be full, or fail. What it means to lose power is `tests/crash.rs`'s.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pillarbox::store::disk::{Disk, File, Space};

/// In octets.
const TOTAL: u64 = 1 << 40;

#[derive(Debug, Default)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
    faults: Arc<Faults>,
}

/// What goes wrong from now on.
#[derive(Debug, Default)]
pub struct Faults {
    /// Everything fails.
    pub broken: AtomicBool,
    /// No octet is free.
    pub full: AtomicBool,
    /// Only reading goes on.
    pub unwritable: AtomicBool,
    /// The index cannot be read from the next sync of the log on.
    pub unreadable_soon: AtomicBool,
    unreadable: AtomicBool,
    /// Where the log was read last: file and octets.
    last_read: Mutex<Option<(String, Range<usize>)>>,
}

#[derive(Debug, Default)]
struct MemoryFile {
    name: String,
    octets: Mutex<Vec<u8>>,
    faults: Arc<Faults>,
}

impl Faults {
    /// The index can be read again.
    pub fn readable(&self) {
        self.unreadable_soon.store(false, Ordering::SeqCst);
        self.unreadable.store(false, Ordering::SeqCst);
    }

    /// Where the log was read last.
    pub fn last_read(&self) -> Option<(String, Range<usize>)> {
        self.last_read.lock().unwrap().clone()
    }

    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(())
    }

    fn check_room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.check_write()
    }

    fn check_write(&self) -> io::Result<()> {
        if self.unwritable.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk takes nothing"));
        }
        self.check()
    }
}

impl MemoryDisk {
    pub fn faults(&self) -> Arc<Faults> {
        self.faults.clone()
    }

    /// Turns the octet in the middle of these over.
    pub fn damage(&self, name: &str, octets: &Range<usize>) {
        let files = self.files.lock().unwrap();
        let mut held = files[name].octets.lock().unwrap();
        held[octets.start.midpoint(octets.end)] ^= 0xff;
    }
}

impl MemoryFile {
    fn is_log(&self) -> bool {
        self.name.starts_with("log/")
    }
}

impl Disk for MemoryDisk {
    fn make_folder(&self, _: &str) -> io::Result<()> {
        self.faults.check()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.faults.check()?;
        let inside = |name: &String| {
            let rest = match folder {
                "" => name.as_str(),
                folder => name.strip_prefix(folder)?.strip_prefix('/')?,
            };
            (!rest.contains('/')).then(|| rest.to_owned())
        };
        Ok(self
            .files
            .lock()
            .unwrap()
            .keys()
            .filter_map(inside)
            .collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.faults.check()?;
        let file = self.files.lock().unwrap().get(name).cloned();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(file)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.faults.check_write()?;
        let file = Arc::new(MemoryFile {
            name: name.to_owned(),
            octets: Mutex::default(),
            faults: self.faults.clone(),
        });
        let mut files = self.files.lock().unwrap();
        files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.check_write()?;
        let mut files = self.files.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.faults.check_write()?;
        let file = self.files.lock().unwrap().remove(name);
        file.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        self.faults.check_write()
    }

    fn space(&self) -> io::Result<Space> {
        let full = self.faults.full.load(Ordering::SeqCst);
        let free = if full { 0 } else { TOTAL / 2 };
        Ok(Space { free, total: TOTAL })
    }
}

impl File for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.faults.check()?;
        Ok(self.octets.lock().unwrap().len().try_into().unwrap())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.faults.check_write()?;
        let length = usize::try_from(length).unwrap();
        self.octets.lock().unwrap().resize(length, 0);
        Ok(())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        self.faults.check_room()
    }

    fn read(&self, offset: u64, octets: &mut [u8]) -> io::Result<usize> {
        self.faults.check()?;
        let log = self.is_log();
        if !log && self.faults.unreadable.load(Ordering::SeqCst) {
            return Err(io::Error::other("the index cannot be read"));
        }
        let held = self.octets.lock().unwrap();
        let from = usize::try_from(offset).unwrap().min(held.len());
        let count = octets.len().min(held.len() - from);
        octets[..count].copy_from_slice(&held[from..from + count]);
        if log {
            let mut last = self.faults.last_read.lock().unwrap();
            *last = Some((self.name.clone(), from..from + count));
        }
        Ok(count)
    }

    fn write(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.faults.check_room()?;
        let mut held = self.octets.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let to = from + octets.len();
        if held.len() < to {
            held.resize(to, 0);
        }
        held[from..to].copy_from_slice(octets);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.check_write()?;
        if self.is_log() && self.faults.unreadable_soon.load(Ordering::SeqCst) {
            self.faults.unreadable.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}
