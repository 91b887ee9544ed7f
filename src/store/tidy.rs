//! Housekeeping between batches, in small steps: checkpoints, dumps, emptying and freeing segments.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Arc, PoisonError},
};

use crate::{
    base::{id::ContentId, time::Time},
    store::{
        Broken,
        change::{Change, MovedPiece},
        counters::{self, Segment},
        directory,
        dump::{self, Dumping, Step},
        index::{
            key,
            table::{Rows, Tables},
        },
        log::{
            BLOCK, Place, SEGMENT,
            batch::{Piece, PieceRecord},
            record::Kind,
            scan::{self, Found},
        },
        message::content,
        space::Room,
        writer::Writer,
    },
};

const MIB: u64 = 1024 * 1024;
/// A checkpoint after so many changes, rows, octets of log, or milliseconds with something unsaved.
const CHECKPOINT_CHANGES: u64 = 512;
const CHECKPOINT_ROWS: u64 = 16_384;
const CHECKPOINT_LOG: u64 = 64 * MIB;
const CHECKPOINT_MS: u64 = 300_000;
/// A dump after so many octets of batches with changes at least, or of log.
const DUMP_CHANGED: u64 = 16 * MIB;
const DUMP_LOG: u64 = 512 * MIB;
/// Content moved at one step, in octets.
const MOVE_MAX: u64 = MIB;
/// What was expunged is off the medium after so many seconds.
const PURGE_S: i64 = 30 * 86_400;
/// While the index cannot be opened, or there is no room, housekeeping looks again after so many
/// milliseconds.
const AILING_MS: u64 = 1000;
/// Segments are looked at after so many batches, if nothing else calls for it.
const BATCHES: u32 = 64;
/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// After a failure, or for a pinned segment, housekeeping looks again after so many milliseconds.
const AGAIN_MS: u64 = 60_000;

/// When housekeeping has something to do again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Milliseconds on the monotonic clock.
    At(u64),
    Idle,
    Now,
}

/// The segment that is being emptied.
#[derive(Debug, Default)]
pub struct Tidying {
    pub(super) due: bool,
    /// Batches since the segments were looked at.
    batches: u32,
    /// When people whose time is over, and old dead content, are looked for again (milliseconds).
    daily: Option<u64>,
    again: Option<u64>,
    /// The segment, and where to go on in it.
    victim: Option<(u64, u32)>,
    /// Segments with live content that cannot be read: they stay.
    spoiled: BTreeSet<u64>,
    swept: bool,
    /// No folder has left anything behind.
    pub(super) clean: bool,
}

impl Tidying {
    /// A batch was written; `frees`: it made content dead.
    pub(super) fn changed(&mut self, frees: bool) {
        self.batches = self.batches.saturating_add(1);
        self.due |= frees || self.batches >= BATCHES;
        self.clean &= !frees;
    }
}

impl Writer {
    /// Does one small step of what is due.
    pub fn housekeep(&mut self) -> Next {
        let now = self.clock.now().0;
        if self.blind {
            return Next::At(now.saturating_add(AILING_MS));
        }
        if self.checkpoint_due(now) {
            self.make_checkpoint();
        }
        if self.clean() {
            return Next::Now;
        }
        if !self.tidying.swept {
            match self.log.sweep() {
                Ok(true) => return Next::Now,
                Ok(false) => self.tidying.swept = true,
                Err(_) => self.look_again(now),
            }
        }
        if self.dump_step(now) {
            return Next::Now;
        }
        if self.tidying.again.is_some_and(|again| now >= again) {
            self.tidying.again = None;
            self.tidying.due = true;
            self.tidying.swept = false;
        }
        if self.daily(now) {
            return Next::Now;
        }
        if self.tidying.due && self.tidy_step(now) {
            return Next::Now;
        }
        self.report();
        let short = self.rooms.room() != Room::Plenty;
        let times = [
            short.then(|| now.saturating_add(AILING_MS)),
            self.lazy_until(),
            self.checkpoint
                .since
                .map(|s| s.saturating_add(CHECKPOINT_MS)),
            self.tidying.again,
            self.tidying.daily,
            (self.dumps.want && self.dump_possible()).then_some(self.dumps.not_before),
        ];
        times
            .into_iter()
            .flatten()
            .min()
            .map_or(Next::Idle, Next::At)
    }

    fn look_again(&mut self, now: u64) {
        self.tidying
            .again
            .get_or_insert(now.saturating_add(AGAIN_MS));
    }

    /// Figures for `status`.
    pub(super) fn report(&self) {
        let mut status = self
            .shared
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        status.sequence = self.sequence;
        status.segments = self.shared.segments.count() as u64;
        status.log_octets = status
            .segments
            .saturating_mul(u64::from(self.options.segment));
        status.live_octets = self.rooms.live;
        status.dump = self.dumps.number;
        status.changes_since_checkpoint = self.checkpoint.changes;
    }

    // ---- checkpoints

    fn checkpoint_due(&self, now: u64) -> bool {
        let c = &self.checkpoint;
        let Some(since) = c.since else {
            return false;
        };
        c.changes >= CHECKPOINT_CHANGES
            || c.rows >= CHECKPOINT_ROWS
            || self.log.written.saturating_sub(c.log_written) >= CHECKPOINT_LOG
            || now >= since.saturating_add(CHECKPOINT_MS)
    }

    /// Puts the index on the medium; says whether it is there.
    pub(super) fn make_checkpoint(&mut self) -> bool {
        let sequence = self.sequence;
        let done =
            self.read(|index| index.write(true, |tables| tables.set(key::SEQUENCE, &sequence)));
        if let Ok(()) = done {
            self.checkpoint.changes = 0;
            self.checkpoint.rows = 0;
            self.checkpoint.log_written = self.log.written;
            self.checkpoint.since = None;
            true
        } else {
            // Not at once again: the disk is not well.
            let now = self.clock.now().0;
            self.checkpoint.since = Some(now);
            self.checkpoint.changes = 0;
            self.checkpoint.rows = 0;
            self.reopen();
            false
        }
    }

    // ---- dumps

    fn dump_possible(&self) -> bool {
        self.dumps.running.is_none() && self.sequence > self.dumps.number
    }

    /// One step of a dump; says whether there is more to do now.
    fn dump_step(&mut self, now: u64) -> bool {
        if self.dumps.remove_older {
            // Tried again with the next dump if it fails.
            self.dumps.remove_older = false;
            let _ = dump::remove_older(&*self.disk, self.dumps.number);
        }
        let log = self.log.written.saturating_sub(self.dumps.log_written);
        let much = DUMP_CHANGED.max(self.dumps.octets.saturating_mul(2));
        let purged = self.dumps.not_below > self.dumps.number;
        if self.dumps.changed > much || log > DUMP_LOG || purged {
            self.dumps.want = true;
        }
        if let Some(mut running) = self.dumps.running.take() {
            match running.step(&*self.disk, self.clock.now()) {
                Step::More => self.dumps.running = Some(running),
                Step::Done { octets } => {
                    self.dumps.number = running.number;
                    self.dumps.octets = octets;
                    self.count_dump(running.number, now);
                    // What was purged while it was written is still in it.
                    self.dumps.want = self.dumps.not_below > running.number;
                    self.dumps.remove_older = true;
                    self.tidying.due = true;
                }
                Step::Dropped => self.dump_later(now),
            }
            return self.dumps.running.is_some() || self.dumps.remove_older;
        }
        if !self.dumps.want || !self.dump_possible() || now < self.dumps.not_before {
            self.dumps.want &= self.sequence > self.dumps.number;
            return false;
        }
        let begun = self.read(|index| {
            Dumping::begin(
                &*self.disk,
                index.snapshot()?,
                self.shared.secret,
                self.clock.now(),
            )
        });
        if let Ok(running) = begun {
            self.dumps.running = Some(running);
            self.dumps.changed = 0;
            self.dumps.log_written = self.log.written;
            true
        } else {
            self.dump_later(now);
            false
        }
    }

    /// Has the index say which dump counts: a start cannot know whether the sync of its name was good.
    /// Where that fails the next start asks for a new dump.
    fn count_dump(&mut self, number: u64, now: u64) {
        let sequence = self.sequence;
        let count = |tables: &mut Tables<'_>| {
            tables.set(key::DUMP, &number)?;
            tables.set(key::SEQUENCE, &sequence)
        };
        if self.read(|index| index.write(false, count)).is_err() {
            self.reopen();
        }
        self.checkpoint.since.get_or_insert(now);
    }

    fn dump_later(&mut self, now: u64) {
        self.dumps.want = true;
        self.dumps.not_before = now.saturating_add(AGAIN_MS);
    }

    // ---- emptying and freeing

    /// One step; says whether there is more to do now.
    fn tidy_step(&mut self, now: u64) -> bool {
        if self.tidying.victim.is_none() {
            match self.pick() {
                Ok(Some(victim)) => self.tidying.victim = Some((victim, BLOCK)),
                Ok(None) => {
                    self.tidying.due = false;
                    return false;
                }
                Err(_) => {
                    self.tidying.due = false;
                    self.look_again(now);
                    return false;
                }
            }
        }
        let Some((victim, from)) = self.tidying.victim else {
            return false;
        };
        match self.empty(victim, from) {
            Ok(Some(next)) => {
                self.tidying.victim = Some((victim, next));
                true
            }
            Ok(None) => {
                self.tidying.victim = None;
                if !self.free(victim) {
                    self.look_again(now);
                    self.tidying.due = false;
                    return false;
                }
                true
            }
            Err(()) => {
                self.tidying.victim = None;
                self.tidying.due = false;
                self.look_again(now);
                false
            }
        }
    }

    /// The segment to be emptied next.
    fn pick(&mut self) -> Result<Option<u64>, Broken> {
        let ends = self.log.segments.ends();
        let newest = self.log.segments.newest();
        let time = self.time().0;
        self.tidying.batches = 0;
        let mut rotate = false;
        let (mut gain, mut live, mut found) = (0_u64, 0_u64, None);
        let rows = self.read(|index| {
            let snapshot = index.snapshot()?;
            let rows: Result<Vec<_>, Broken> = ends
                .iter()
                .map(|(number, _)| Ok((*number, counters::segment(&snapshot, *number)?)))
                .collect();
            rows
        })?;
        let size = u64::from(self.options.segment.saturating_sub(BLOCK));
        for (number, row) in rows {
            live = live.saturating_add(row.live);
            let old = row.dead_since.0 > 0 && time.saturating_sub(row.dead_since.0) > PURGE_S;
            let threshold = match (row.purge, old) {
                (true, _) => u64::MAX,
                (_, true) => size / 4 * 3,
                _ => size / 2,
            };
            let newest = Some(number) == newest || Some(number) == self.log.current();
            // The newest is never freed: what has to leave it needs a newer one.
            rotate |= newest && (row.purge || (old && row.live < threshold));
            if newest || self.tidying.spoiled.contains(&number) || row.live >= threshold {
                continue;
            }
            if self.log.segments.is_pinned(number) {
                // Nobody tells when its last reader ends.
                self.look_again(self.clock.now().0);
                continue;
            }
            if row.last_change <= self.dumps.number {
                found = found.or(Some(number));
            } else if row.purge {
                self.dumps.want = true;
            } else {
                gain = gain.saturating_add(size.saturating_sub(row.live));
            }
        }
        if rotate {
            self.rotate();
        }
        self.rooms.live = live;
        if gain
            > self
                .dumps
                .octets
                .saturating_add(u64::from(self.options.segment))
        {
            self.dumps.want = true;
        }
        Ok(found)
    }

    /// Goes on in a fresh segment, so that the present one can be emptied.
    fn rotate(&mut self) {
        match self.log.rotate() {
            // It is picked at the next look.
            Ok(()) => self.look_again(self.clock.now().0),
            Err(error) => drop(self.failed(error)),
        }
    }

    /// Once a day: purges people who were removed long enough ago (ST-11), and has segments looked at
    /// whose dead content is old by now. Says whether there is more to do now.
    fn daily(&mut self, now: u64) -> bool {
        if self.tidying.daily.is_some_and(|daily| now < daily) {
            return false;
        }
        let before = Time(self.time().0.saturating_sub(PURGE_S));
        let expired = self.read(|index| directory::user::expired(&index.snapshot()?, before));
        if let Ok(Some(user)) = expired {
            let purge = Change::RemoveUser { user, purge: true };
            if self
                .own_change(4096, &mut |_, _| Some(purge.clone()))
                .is_ok()
            {
                return true;
            }
        }
        self.tidying.daily = Some(now.saturating_add(DAY_MS));
        self.tidying.due = true;
        true
    }

    /// Moves the next live content out of a segment. `Some`: where to go on; `None`: it is empty.
    fn empty(&mut self, victim: u64, from: u32) -> Result<Option<u32>, ()> {
        let (live, next) = self.live_pieces(victim, from).map_err(drop)?;
        if live.is_empty() {
            return Ok(next);
        }
        let need: u32 = live
            .iter()
            .map(|l| l.piece.octets().saturating_add(120))
            .sum();
        let done = self.own_change(need.saturating_add(4096), &mut |batch, last| {
            let moved = live.iter().map(|l| MovedPiece {
                content: l.content,
                old: l.old,
                new: batch.piece(last, l.content.0, l.number, &l.piece),
            });
            Some(Change::Moved(moved.collect()))
        });
        match done {
            // The last step looks once more and finds nothing.
            Ok(()) => Ok(Some(next.unwrap_or(SEGMENT))),
            Err(_) => Err(()),
        }
    }

    fn live_pieces(&mut self, victim: u64, from: u32) -> Result<(Vec<Live>, Option<u32>), Broken> {
        let Some(end) = self.log.segments.end(victim) else {
            return Ok((Vec::new(), None));
        };
        let file = self.log.segments.file(victim)?;
        let seed = self.log.seed(victim);
        let most = MOVE_MAX.min(u64::from(self.options.segment) / 4);
        let (mut out, mut octets, mut next) = (Vec::new(), 0_u64, None);
        let mut spoiled = false;
        self.read(|index| {
            let snapshot = index.snapshot()?;
            scan::segment(&*file, seed, from, end, false, &mut |found| {
                let Found::Batch(batch) = found else {
                    return Ok(ControlFlow::Continue(()));
                };
                for record in batch.records.iter().filter(|r| r.kind == Kind::Piece) {
                    if octets >= most {
                        // The rest of this batch comes with the next step.
                        next = Some(batch.offset);
                        return Ok(ControlFlow::Break(()));
                    }
                    let Some(piece) = PieceRecord::decode(record.payload) else {
                        continue;
                    };
                    let content = ContentId(piece.content);
                    let Some(old) = place_of(&snapshot, content, victim, record.offset)? else {
                        continue;
                    };
                    if !record.is_whole(seed) {
                        spoiled = true;
                        continue;
                    }
                    octets = octets.saturating_add(record.payload.len() as u64);
                    out.push(Live {
                        content,
                        number: piece.number,
                        old,
                        piece: Piece {
                            packed: piece.packed.to_vec(),
                            text: old.text,
                            deflated: piece.deflated,
                        },
                    });
                }
                Ok(ControlFlow::Continue(()))
            })
        })?;
        if spoiled {
            self.tidying.spoiled.insert(victim);
        }
        Ok((out, next))
    }

    /// Gives an empty segment back; says whether it went.
    fn free(&mut self, victim: u64) -> bool {
        let row = self.read(|index| counters::segment(&index.snapshot()?, victim));
        let Ok(Segment {
            live: 0, secret, ..
        }) = row
        else {
            // Damaged content names it, or its rows are not what the log says.
            self.tidying.spoiled.insert(victim);
            return false;
        };
        // Covers every change in it and every `moved` out of it.
        if self.log.segments.is_pinned(victim) || !self.make_checkpoint() {
            return false;
        }
        if !self.log.segments.take(victim) {
            return false;
        }
        let plenty = self.rooms.room() == Room::Plenty;
        if !plenty {
            self.log.drop_spare();
        }
        // A file that is used again holds what it held until it is full.
        self.log.free(victim, plenty && !secret);
        self.tidying.swept = false;
        let sequence = self.sequence;
        let forget = |tables: &mut Tables<'_>| {
            tables.remove(&key::segment(victim))?;
            tables.set(key::SEQUENCE, &sequence)
        };
        let done = self.read(|index| index.write(false, forget));
        if done.is_err() {
            self.reopen();
        }
        let now = self.clock.now().0;
        self.checkpoint.since.get_or_insert(now);
        true
    }

    /// Everything that must be on the medium is, before the process ends.
    pub fn close(&mut self) {
        if self.checkpoint.since.is_some() {
            self.make_checkpoint();
        }
        self.dumps.running = None;
        dump::drop_tmp(&*self.disk);
        self.report();
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
        *index = None;
    }
}

/// A piece of content that somebody has.
#[derive(Debug)]
struct Live {
    content: ContentId,
    number: u32,
    old: Place,
    piece: Piece,
}

fn place_of(
    rows: &impl Rows,
    id: ContentId,
    segment: u64,
    offset: u32,
) -> Result<Option<Place>, Broken> {
    let row = content::row(rows, id)?;
    let pieces = row.iter().flat_map(|row| &row.pieces);
    let mut places = pieces.map(|piece| piece.place);
    Ok(places.find(|place| place.segment == segment && place.offset == offset))
}
