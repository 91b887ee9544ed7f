//! Dumps: all state that cannot be derived from content, in a file of its own, written between
//! batches.
//!
//! A header block like a segment's, then records of at most 4 KiB. Their payloads, put together, are
//! rows of the index: `key length u16, value length u32, key, value`. The last record says so.

use std::{io, ops::ControlFlow, sync::Arc};

use crate::{
    base::time::Instant,
    store::{
        Broken,
        disk::{Disk, File},
        index::{
            key::{self, Kind},
            table::{Rows, Snapshot},
        },
        log::{
            BLOCK,
            record::{self, HEADER, Kind as RecordKind},
            segment::{Header, Seed, number},
        },
    },
};

/// The folder of dumps inside the data folder.
pub const FOLDER: &str = "dump";
const TMP: &str = "dump/tmp";
/// Payload of a record: its number, whether it is the last, and a part of the rows.
const HEAD: usize = 5;
const PART: usize = BLOCK as usize - HEADER - HEAD;
/// Written at one step, in octets.
const STEP: usize = 64 * 1024;
/// Synced every so many octets, so that the last sync is short.
const SYNC: u32 = 1024 * 1024;
/// A dump takes at most so long.
const LONGEST_S: u64 = 300;

/// Takes a row of a dump: key and value.
pub type See<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Broken> + 'a;

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:010}")
}

/// Whether a row belongs into a dump.
fn is_kept(key: &[u8]) -> bool {
    key != key::FILTERED
        && ![Kind::Filter, Kind::Summary, Kind::Segment]
            .iter()
            .any(|kind| key.first() == Some(&kind.letter()))
}

/// A dump being written.
#[derive(Debug)]
pub struct Dumping {
    snapshot: Snapshot,
    file: Arc<dyn File>,
    seed: Seed,
    pub number: u64,
    /// The last key that was taken.
    after: Vec<u8>,
    /// Rows that are not written yet.
    pending: Vec<u8>,
    records: u32,
    offset: u32,
    synced: u32,
    until: Instant,
}

/// What a step came to.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// It counts now; so many octets long.
    Done {
        octets: u64,
    },
    More,
    /// It was dropped.
    Dropped,
}

impl Dumping {
    /// Begins a dump of `snapshot`, which shows everything up to its own sequence number.
    ///
    /// # Errors
    ///
    /// The disk or the index fails; nothing counts.
    pub fn begin(
        disk: &dyn Disk,
        snapshot: Snapshot,
        secret: [u8; 16],
        now: Instant,
    ) -> Result<Self, Broken> {
        let number = snapshot.sequence()?;
        let file = disk.create(TMP)?;
        let header = Header {
            secret,
            number,
            predecessor: 0,
            predecessor_end: 0,
            last: number,
        };
        file.write(0, &header.encode())?;
        Ok(Self {
            snapshot,
            file,
            seed: Seed::of_dump(secret, number),
            number,
            after: Vec::new(),
            pending: Vec::new(),
            records: 0,
            offset: BLOCK,
            synced: 0,
            until: now.plus_seconds(LONGEST_S),
        })
    }

    /// Writes the next part; at the end the dump gets its name and counts.
    ///
    /// # Errors
    ///
    /// None: what fails drops the dump ([`Step::Dropped`]).
    pub fn step(&mut self, disk: &dyn Disk, now: Instant) -> Step {
        if now >= self.until {
            return Self::drop_file(disk);
        }
        match self.part() {
            Ok(false) => Step::More,
            Ok(true) => match self.name(disk) {
                Ok(()) => Step::Done {
                    octets: u64::from(self.offset),
                },
                // The file may have its name, but it does not count: a failed sync of a folder is
                // not mended by another.
                Err(_) => Step::Dropped,
            },
            Err(_) => Self::drop_file(disk),
        }
    }

    fn drop_file(disk: &dyn Disk) -> Step {
        drop_tmp(disk);
        Step::Dropped
    }

    fn part(&mut self) -> Result<bool, Broken> {
        let mut from = self.after.clone();
        if !from.is_empty() {
            from.push(0);
        }
        let (pending, after) = (&mut self.pending, &mut self.after);
        let mut all = true;
        self.snapshot.scan(&from, &[0xff], &mut |key, octets| {
            if pending.len() >= STEP {
                all = false;
                return Ok(ControlFlow::Break(()));
            }
            after.clear();
            after.extend_from_slice(key);
            if is_kept(key) {
                let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
                let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
                pending.extend_from_slice(&key_length.to_le_bytes());
                pending.extend_from_slice(&length.to_le_bytes());
                pending.extend_from_slice(key);
                pending.extend_from_slice(octets);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.write_records(all)?;
        if self.offset.saturating_sub(self.synced) >= SYNC || all {
            self.file.sync()?;
            self.synced = self.offset;
        }
        Ok(all)
    }

    fn write_records(&mut self, all: bool) -> io::Result<()> {
        let mut out = Vec::new();
        let mut rest = self.pending.as_slice();
        while rest.len() >= PART || all {
            let (part, later) = rest.split_at(PART.min(rest.len()));
            let last = all && later.is_empty();
            let at = u32::try_from(out.len()).ok();
            let offset = at.and_then(|at| self.offset.checked_add(at));
            let offset = offset.ok_or(io::ErrorKind::FileTooLarge)?;
            record::append(
                &mut out,
                self.seed,
                offset,
                RecordKind::Rows,
                self.number,
                &[&self.records.to_le_bytes(), &[u8::from(last)], part],
            );
            self.records = self.records.saturating_add(1);
            rest = later;
            if last {
                break;
            }
        }
        self.pending = rest.to_vec();
        self.file.write(u64::from(self.offset), &out)?;
        let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
        self.offset = self.offset.saturating_add(length);
        Ok(())
    }

    fn name(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.rename(TMP, &name(self.number))?;
        disk.sync_folder(FOLDER)
    }
}

/// Removes what a dropped dump left.
pub fn drop_tmp(disk: &dyn Disk) {
    // Nothing rests on it: the next dump empties the file.
    let _ = disk.remove(TMP);
}

/// Removes the dumps older than the one that counts.
///
/// # Errors
///
/// The disk fails; they are removed next time.
pub fn remove_older(disk: &dyn Disk, than: u64) -> io::Result<()> {
    for old in numbers(disk)?.into_iter().filter(|&n| n < than) {
        disk.remove(&name(old))?;
    }
    Ok(())
}

/// Numbers of the dumps that are there, ascending.
///
/// # Errors
///
/// The disk fails.
pub fn numbers(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let names = disk.list(FOLDER)?;
    let mut out: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    out.sort_unstable();
    Ok(out)
}

/// A dump that was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Read {
    pub secret: [u8; 16],
    pub octets: u64,
}

/// Shows the rows of a dump. `None`: it is not complete, or not what was written; some rows may have
/// been shown.
///
/// # Errors
///
/// Those of `each`.
pub fn read(
    disk: &dyn Disk,
    number: u64,
    secret: Option<[u8; 16]>,
    each: &mut See<'_>,
) -> Result<Option<Read>, Broken> {
    let Ok(file) = disk.open(&name(number)) else {
        return Ok(None);
    };
    let mut block = vec![0; BLOCK as usize];
    let whole = file.read(0, &mut block).ok() == Some(block.len());
    let header = Header::decode(&block).filter(|h| whole && h.number == number);
    let Some(header) = header.filter(|h| secret.is_none_or(|s| s == h.secret)) else {
        return Ok(None);
    };
    let seed = Seed::of_dump(header.secret, number);
    let (mut offset, mut expected, mut rows) = (BLOCK, 0_u32, Vec::new());
    let mut window = vec![0; STEP];
    loop {
        let Ok(count) = file.read(u64::from(offset), &mut window) else {
            return Ok(None);
        };
        let mut at = 0;
        loop {
            let rest = window.get(at..count).unwrap_or_default();
            let here = offset.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let Some(record) = record::parse(rest, seed, here) else {
                break;
            };
            let head = record.payload.split_at_checked(HEAD);
            let Some((head, part)) = head.filter(|_| record.is_whole(seed)) else {
                return Ok(None);
            };
            if head.get(..4) != Some(&expected.to_le_bytes()[..]) {
                return Ok(None);
            }
            expected = expected.saturating_add(1);
            rows.extend_from_slice(part);
            show(&mut rows, each)?;
            at = at.saturating_add(HEADER + record.payload.len());
            if head.get(4) == Some(&1) {
                let octets = u64::from(offset).saturating_add(at as u64);
                let secret = header.secret;
                return Ok(rows.is_empty().then_some(Read { secret, octets }));
            }
        }
        if at == 0 {
            return Ok(None);
        }
        offset = offset.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
    }
}

/// Shows the whole rows in `rows` and keeps the rest.
fn show(rows: &mut Vec<u8>, each: &mut See<'_>) -> Result<(), Broken> {
    let mut at = 0;
    while let Some((key, value, length)) = first_row(rows.get(at..).unwrap_or_default()) {
        each(key, value)?;
        at = at.saturating_add(length);
    }
    rows.drain(..at.min(rows.len()));
    Ok(())
}

fn first_row(rows: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let key_length = usize::from(u16::from_le_bytes(rows.get(..2)?.try_into().ok()?));
    let length = u32::from_le_bytes(rows.get(2..6)?.try_into().ok()?);
    let key_end = 6_usize.checked_add(key_length)?;
    let end = key_end.checked_add(usize::try_from(length).ok()?)?;
    Some((rows.get(6..key_end)?, rows.get(key_end..end)?, end))
}
