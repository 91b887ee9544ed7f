//! What segments there are, where each one ends, and reading the changes in them.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use crate::store::{
    Broken,
    disk::{Disk, File},
    log::{
        BLOCK, SEGMENT,
        record::{Kind, Record},
        scan::{self, Found},
        segment::{self, Header, Seed},
    },
};

/// A segment as it was found.
#[derive(Clone, Debug)]
pub struct Charted {
    pub header: Option<Header>,
    /// What was acknowledged ends here.
    pub end: u32,
    /// Known to be synced up to here.
    pub floor: u32,
    /// A greater change number in it is void.
    pub cap: u64,
}

/// The log as it was found.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// `None`: no segment has a valid header.
    pub secret: Option<[u8; 16]>,
    pub segments: BTreeMap<u64, Charted>,
    /// Files that hold nothing: the header was never written.
    pub junk: Vec<u64>,
    /// Files that hold something which cannot be made out. They are put aside, not removed.
    pub strange: Vec<u64>,
    /// The greatest change number that the log knows of.
    pub last: u64,
    /// The segment that ends the log.
    pub tail: Option<u64>,
    /// The greatest number that was ever used, of a file or a predecessor.
    pub greatest: u64,
}

/// A place that cannot be read although it was synced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    pub segment: u64,
    pub offset: u32,
    /// The last change before it in its segment; 0 = none was read.
    pub after: u64,
}

/// Reads the headers of all segments and the tail of the last one. `secret`: as the index knows it.
///
/// # Errors
///
/// The folder cannot be listed.
pub fn read(disk: &dyn Disk, secret: Option<[u8; 16]>) -> Result<Chart, Broken> {
    let mut numbers: Vec<u64> = disk
        .list(segment::FOLDER)?
        .iter()
        .filter_map(|name| segment::number(name))
        .collect();
    numbers.sort_unstable();
    let mut headers = BTreeMap::new();
    for &number in &numbers {
        headers.insert(number, read_header(disk, number)?);
    }
    // The newest header's secret is the store's, unless the index knows better: a file from another
    // store does not count.
    let newest = headers.values().rev().find_map(Head::header);
    let newest = newest.map(|header| header.secret);
    let secret = secret.or(newest);
    let mut chart = Chart {
        secret,
        greatest: numbers.last().copied().unwrap_or(0),
        ..Chart::default()
    };
    let Some(secret) = secret else {
        for (number, head) in headers {
            match head {
                Head::Blank | Head::Other => chart.junk.push(number),
                Head::Good(_) | Head::Unreadable => chart.strange.push(number),
            }
        }
        return Ok(chart);
    };
    let mut successor: Option<Header> = None;
    let mut cap = u64::MAX;
    for (&number, head) in headers.iter().rev() {
        let header = head.header().filter(|h| h.secret == secret);
        let ended = successor
            .filter(|next| next.predecessor == number)
            .map(|next| next.predecessor_end);
        let Some(found) = chart_one(disk, number, secret, header, ended, cap)? else {
            match head {
                Head::Blank | Head::Other => chart.junk.push(number),
                Head::Good(_) | Head::Unreadable => chart.strange.push(number),
            }
            continue;
        };
        chart.tail.get_or_insert(number);
        chart.last = chart.last.max(found.last.min(cap));
        if let Some(h) = header {
            cap = cap.min(h.last);
            chart.last = chart.last.max(h.last);
            chart.greatest = chart.greatest.max(h.predecessor);
            successor = header;
        } else {
            successor = None;
        }
        chart.segments.insert(number, found.charted);
    }
    Ok(chart)
}

struct One {
    charted: Charted,
    last: u64,
}

fn chart_one(
    disk: &dyn Disk,
    number: u64,
    secret: [u8; 16],
    header: Option<Header>,
    ended: Option<u32>,
    cap: u64,
) -> Result<Option<One>, Broken> {
    if let (Some(_), Some(end)) = (header, ended) {
        let charted = Charted {
            header,
            end: end.clamp(BLOCK, SEGMENT),
            floor: end.clamp(BLOCK, SEGMENT),
            cap,
        };
        return Ok(Some(One { charted, last: 0 }));
    }
    let file = disk.open(&segment::name(number))?;
    let extent = scan::extent(&*file, Seed::of_segment(secret, number))?;
    if header.is_none() && !extent.any {
        return Ok(None);
    }
    let charted = Charted {
        header,
        end: ended.unwrap_or(extent.end),
        floor: ended.unwrap_or(extent.floor),
        cap,
    };
    Ok(Some(One {
        charted,
        last: extent.last,
    }))
}

/// What a file's first block is.
#[derive(Clone, Copy, Debug)]
enum Head {
    /// Nothing but zeros, and nothing behind it: it was never written. Or not even a whole block: that
    /// write failed, and no batch came after it.
    Blank,
    Good(Header),
    /// A file that was to be reused: the header is still that of its old number.
    Other,
    Unreadable,
}

impl Head {
    fn header(&self) -> Option<Header> {
        match self {
            Self::Good(header) => Some(*header),
            Self::Blank | Self::Other | Self::Unreadable => None,
        }
    }
}

/// # Errors
///
/// The file cannot be opened: the whole log may be out of reach, and nothing is concluded from that.
fn read_header(disk: &dyn Disk, number: u64) -> Result<Head, Broken> {
    let file = disk.open(&segment::name(number))?;
    // With the block behind it: where a batch would begin.
    let mut blocks = vec![0; 2 * BLOCK as usize];
    let Ok(n) = file.read(0, &mut blocks) else {
        return Ok(Head::Unreadable);
    };
    let blocks = blocks.get(..n).unwrap_or_default();
    Ok(match Header::decode(blocks) {
        Some(header) if header.number == number => Head::Good(header),
        Some(_) => Head::Other,
        None if n < BLOCK as usize || blocks.iter().all(|&octet| octet == 0) => Head::Blank,
        None => Head::Unreadable,
    })
}

/// A change as it lies in the log.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    pub segment: u64,
    pub sequence: u64,
    pub payload: &'a [u8],
}

impl Chart {
    fn seed(&self, number: u64) -> Seed {
        Seed::of_segment(self.secret.unwrap_or_default(), number)
    }

    /// Shows all changes that are not void, ascending. Segments whose changes are all at or below
    /// `after` are passed over unless `all`.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn changes(
        &self,
        disk: &Arc<dyn Disk>,
        after: u64,
        all: bool,
        damage: &mut Vec<Damage>,
        each: &mut dyn FnMut(Logged<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        for (&number, charted) in &self.segments {
            if !all && charted.cap <= after {
                continue;
            }
            self.segment(&**disk, number, charted, damage, &mut |record| {
                if record.kind == Kind::Change && record.sequence <= charted.cap {
                    each(Logged {
                        segment: number,
                        sequence: record.sequence,
                        payload: record.payload,
                    })?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn segment(
        &self,
        disk: &dyn Disk,
        number: u64,
        charted: &Charted,
        damage: &mut Vec<Damage>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let mut at = BLOCK;
        let mut after = 0;
        let file: Option<Arc<dyn File>> = disk.open(&segment::name(number)).ok();
        if let Some(file) = file {
            scan::segment(
                &*file,
                self.seed(number),
                BLOCK,
                charted.end,
                false,
                &mut |found| {
                    match found {
                        Found::Nothing { offset } => {
                            at = offset.saturating_add(BLOCK);
                            damage.push(Damage {
                                segment: number,
                                offset,
                                after,
                            });
                        }
                        Found::Batch(b) => {
                            at = b.end;
                            if b.broken {
                                damage.push(Damage {
                                    segment: number,
                                    offset: b.offset,
                                    after,
                                });
                            }
                            for record in &b.records {
                                after = after.max(record.sequence);
                                each(record)?;
                            }
                        }
                    }
                    Ok(ControlFlow::Continue(()))
                },
            )?;
        }
        // A file that is shorter than what was acknowledged, or cannot be opened at all.
        if at < charted.end {
            damage.push(Damage {
                segment: number,
                offset: at,
                after,
            });
        }
        Ok(())
    }
}
