//! The segments that are there, shared between the writer and readers. A pinned segment is neither
//! reused nor removed.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::store::{
    disk::{Disk, File},
    log::segment,
};

/// So many files that nobody reads stay open.
const OPEN_MAX: usize = 16;

#[derive(Debug)]
struct Entry {
    /// What was acknowledged ends here.
    end: u32,
    pins: u32,
    /// Opened when it is read or written.
    file: Option<Arc<dyn File>>,
}

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<u64, Entry>,
    /// Open and perhaps not needed, oldest first.
    open: VecDeque<u64>,
}

/// The segments that are there.
#[derive(Debug)]
pub struct Segments {
    disk: Arc<dyn Disk>,
    table: Mutex<Table>,
}

/// Keeps one segment where it is.
#[derive(Debug)]
pub struct Pin {
    segments: Arc<Segments>,
    number: u64,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut table = self.segments.lock();
        if let Some(entry) = table.entries.get_mut(&self.number) {
            entry.pins = entry.pins.saturating_sub(1);
        }
    }
}

impl Pin {
    /// The pinned segment's number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Segments {
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            table: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn insert(&self, number: u64, end: u32, file: Option<Arc<dyn File>>) {
        let entry = Entry { end, pins: 0, file };
        self.lock().entries.insert(number, entry);
    }

    pub fn set_end(&self, number: u64, end: u32) {
        if let Some(entry) = self.lock().entries.get_mut(&number) {
            entry.end = end;
        }
    }

    /// Where what was acknowledged ends; `None` if the segment is not there.
    #[must_use]
    pub fn end(&self, number: u64) -> Option<u32> {
        self.lock().entries.get(&number).map(|entry| entry.end)
    }

    /// All segments with their ends: with a dump, what a backup has to copy.
    #[must_use]
    pub fn ends(&self) -> Vec<(u64, u32)> {
        let table = self.lock();
        table.entries.iter().map(|(n, e)| (*n, e.end)).collect()
    }

    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.lock().entries.keys().next_back().copied()
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// Keeps a segment where it is; `None` when it is gone.
    #[must_use]
    pub fn pin(self: &Arc<Self>, number: u64) -> Option<Pin> {
        let mut table = self.lock();
        let entry = table.entries.get_mut(&number)?;
        entry.pins = entry.pins.saturating_add(1);
        Some(Pin {
            segments: Arc::clone(self),
            number,
        })
    }

    #[must_use]
    pub fn is_pinned(&self, number: u64) -> bool {
        self.lock().entries.get(&number).is_some_and(|e| e.pins > 0)
    }

    /// The file of a segment.
    ///
    /// # Errors
    ///
    /// The segment is not there, or cannot be opened.
    pub fn file(&self, number: u64) -> io::Result<Arc<dyn File>> {
        let mut table = self.lock();
        let entry = table
            .entries
            .get_mut(&number)
            .ok_or(io::ErrorKind::NotFound)?;
        if let Some(file) = &entry.file {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&segment::name(number))?;
        entry.file = Some(Arc::clone(&file));
        table.open.push_back(number);
        while table.open.len() > OPEN_MAX {
            if let Some(old) = table.open.pop_front()
                && let Some(entry) = table.entries.get_mut(&old)
            {
                entry.file = None;
            }
        }
        Ok(file)
    }

    /// Takes a segment out if nobody pins it; says whether it did. Nobody can pin it afterwards.
    #[must_use]
    pub fn take(&self, number: u64) -> bool {
        let mut table = self.lock();
        if table.entries.get(&number).is_none_or(|e| e.pins > 0) {
            return false;
        }
        table.entries.remove(&number);
        table.open.retain(|&n| n != number);
        true
    }
}
