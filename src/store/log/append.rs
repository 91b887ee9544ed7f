//! The end of the log: where the next batch goes, and what happens when a write or a sync fails.

use std::{io, sync::Arc};

use crate::store::{
    Broken,
    disk::{Disk, File},
    log::{
        BLOCK,
        batch::Batch,
        pin::Segments,
        segment::{self, Header, Seed},
    },
};

/// Zeros are written ahead in steps of this, so that a small batch's sync changes no metadata.
const AHEAD: u32 = 1024 * 1024;
/// A batch of fewer records and octets is small. (Big ones would only write everything twice.)
const SMALL: u32 = 8;
const SMALL_OCTETS: u32 = 16 * 1024;
/// After so many small ones the next is expected to be small too.
const SMALL_RUN: u32 = 4;
/// Files kept to be reused.
const SPARE_MAX: usize = 2;

/// Everything up to here is synced and was acknowledged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct End {
    pub segment: u64,
    pub offset: u32,
    pub sequence: u64,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: Arc<dyn File>,
    /// The next batch begins here.
    offset: u32,
    synced: u32,
    /// The file has its blocks up to here.
    zeros: u32,
    /// So many small batches came one after another.
    small: u32,
}

/// The log as the writer sees it.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    pub segments: Arc<Segments>,
    secret: [u8; 16],
    /// Size of a segment in octets.
    size: u32,
    current: Option<Current>,
    end: End,
    next: u64,
    /// Numbers of files whose header is not good yet; removed by and by.
    junk: Vec<u64>,
    /// Numbers of freed files that wait to be reused.
    spare: Vec<u64>,
    /// Octets written since the start, for the checkpoint's rhythm.
    pub written: u64,
}

/// How a failed batch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failed {
    /// The batch is void for good.
    Void,
    /// That is not known yet: no answer may be given.
    Unknown,
}

impl Log {
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        segments: Arc<Segments>,
        secret: [u8; 16],
        size: u32,
        end: End,
        next: u64,
        junk: Vec<u64>,
    ) -> Self {
        Self {
            disk,
            segments,
            secret,
            size,
            current: None,
            end,
            next,
            junk,
            spare: Vec::new(),
            written: 0,
        }
    }

    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// The segment that is being written, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<u64> {
        self.current.as_ref().map(|c| c.number)
    }

    #[must_use]
    pub fn seed(&self, number: u64) -> Seed {
        Seed::of_segment(self.secret, number)
    }

    /// How far the segment being written is synced.
    #[must_use]
    pub fn synced(&self) -> Option<(u64, u32)> {
        self.current.as_ref().map(|c| (c.number, c.synced))
    }

    /// Octets that were written and are not synced.
    #[must_use]
    pub fn unsynced(&self) -> u32 {
        self.current
            .as_ref()
            .map_or(0, |c| c.offset.saturating_sub(c.synced))
    }

    /// Begins a batch of at least `need` octets; opens a segment where that is needed.
    ///
    /// # Errors
    ///
    /// The disk fails: the caller calls [`Log::failed`].
    pub fn begin(&mut self, need: u32) -> io::Result<Batch> {
        let room = match &self.current {
            Some(current) => self.size.saturating_sub(current.offset),
            None => 0,
        };
        if room < need.saturating_add(BLOCK) {
            self.sync()?;
            self.open_segment()?;
        }
        let Some(current) = &self.current else {
            return Err(io::ErrorKind::NotFound.into());
        };
        Ok(Batch::new(
            Seed::of_segment(self.secret, current.number),
            current.number,
            current.offset,
            self.size.saturating_sub(current.offset),
        ))
    }

    /// Writes a batch; it is not on the medium before [`Log::sync`]. `last`: the number of the last
    /// change in it or before it.
    ///
    /// # Errors
    ///
    /// The disk fails: the caller calls [`Log::failed`].
    pub fn write(&mut self, batch: Batch, last: u64) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let few = batch.records < SMALL;
        let octets = batch.finish(current.synced, last);
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        current.small = if few && length <= SMALL_OCTETS {
            current.small.saturating_add(1)
        } else {
            0
        };
        let after = current.offset.saturating_add(length);
        if current.small >= SMALL_RUN && after > current.zeros && current.zeros < self.size {
            let zeros = after.saturating_add(AHEAD).min(self.size);
            let from = current.zeros.max(current.offset);
            let block = vec![0; 64 * 1024];
            let mut at = from;
            while at < zeros {
                let n = (zeros - at).min(64 * 1024);
                let part = block.get(..n as usize).unwrap_or_default();
                current.file.write(u64::from(at), part)?;
                at = at.saturating_add(n);
            }
            current.zeros = zeros;
        }
        // The place is taken whatever comes of the write: it is never written over.
        let offset = current.offset;
        current.offset = after;
        current.zeros = current.zeros.max(after);
        self.written = self.written.saturating_add(octets.len() as u64);
        current.file.write(u64::from(offset), &octets)
    }

    /// Puts all that was written on the medium.
    ///
    /// # Errors
    ///
    /// The disk fails: the caller calls [`Log::failed`].
    pub fn sync(&mut self) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        if current.offset > current.synced {
            current.file.sync()?;
            current.synced = current.offset;
        }
        self.segments.set_end(current.number, current.synced);
        self.end.segment = current.number;
        self.end.offset = current.synced;
        Ok(())
    }

    /// Goes on in a fresh segment.
    ///
    /// # Errors
    ///
    /// The disk fails: the caller calls [`Log::failed`].
    pub fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        self.open_segment()
    }

    /// All changes up to `sequence` are on the medium.
    pub fn acknowledge(&mut self, sequence: u64) {
        self.end.sequence = sequence;
    }

    /// A write or a sync failed: opens a fresh segment whose header says where the log ends.
    pub fn failed(&mut self) -> Failed {
        if let Some(current) = self.current.take() {
            self.segments.set_end(current.number, current.synced);
        }
        if let Ok(()) = self.open_segment() {
            Failed::Void
        } else {
            self.current = None;
            Failed::Unknown
        }
    }

    fn open_segment(&mut self) -> io::Result<()> {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let name = segment::name(number);
        let header = Header {
            secret: self.secret,
            number,
            predecessor: self.end.segment,
            predecessor_end: self.end.offset,
            last: self.end.sequence,
        };
        self.junk.push(number);
        let reused = self.spare.pop();
        let file = if let Some(old) = reused {
            self.junk.push(old);
            self.disk.rename(&segment::name(old), &name)?;
            self.disk.sync_folder(segment::FOLDER)?;
            self.junk.retain(|&n| n != old);
            self.disk.open(&name)?
        } else {
            let file = self.disk.create(&name)?;
            self.disk.sync_folder(segment::FOLDER)?;
            file
        };
        // What a reused file holds is as good as zeros: no length changes when it is written over.
        let zeros = u32::try_from(file.len()?).unwrap_or(self.size).max(BLOCK);
        file.write(0, &header.encode())?;
        file.sync()?;
        self.junk.retain(|&n| n != number);
        self.segments.insert(number, BLOCK, Some(Arc::clone(&file)));
        self.current = Some(Current {
            number,
            file,
            offset: BLOCK,
            synced: BLOCK,
            zeros,
            small: 0,
        });
        self.end.segment = number;
        self.end.offset = BLOCK;
        self.written = self.written.saturating_add(u64::from(BLOCK));
        Ok(())
    }

    /// Gives a segment back that [`Segments::take`] took out: keeps the file for reuse, or removes it.
    pub fn free(&mut self, number: u64, keep: bool) {
        if keep && self.spare.len() < SPARE_MAX {
            self.spare.push(number);
        } else {
            self.junk.push(number);
        }
    }

    /// Removes one file that holds nothing; says whether there may be more.
    ///
    /// # Errors
    ///
    /// The disk fails; the file is tried again later.
    pub fn sweep(&mut self) -> Result<bool, Broken> {
        let in_use = self.current.as_ref().map(|c| c.number);
        let Some(&number) = self.junk.iter().find(|&&n| Some(n) != in_use) else {
            return Ok(false);
        };
        let name = segment::name(number);
        match self.disk.remove(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.disk.sync_folder(segment::FOLDER)?;
        self.junk.retain(|&n| n != number);
        Ok(true)
    }

    /// Removes what is kept for reuse: the disk is short of room.
    pub fn drop_spare(&mut self) {
        self.junk.append(&mut self.spare);
    }
}
