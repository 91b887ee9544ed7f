//! A start: what the log, the dumps and the index say together, and making them agree before
//! anything is answered.

use std::{io, sync::Arc};

use crate::{
    base::time::Time,
    store::{
        Broken, Opened, Options, apply,
        change::Dated,
        counters::{self, Segment},
        disk::Disk,
        dump,
        index::{
            Index,
            key::{self, Kind},
            table::{Rows, Tables},
        },
        log::{
            BLOCK,
            append::{End, Log},
            chart::{self, Chart, Damage},
            pin::Segments,
            segment,
        },
        mailbox::remains,
        message::content::ContentRow,
        value,
    },
};

/// So many times a start tries to put the log's tail on the medium.
const TRIES: u32 = 3;

/// A store that can be written.
#[derive(Debug)]
pub struct Recovered {
    pub index: Index,
    pub log: Log,
    pub segments: Arc<Segments>,
    pub secret: [u8; 16],
    /// Number of the last change.
    pub sequence: u64,
    /// The dump that counts and its length in octets.
    pub dump: Option<(u64, u64)>,
    pub want_dump: bool,
    pub opened: Opened,
}

/// What the dumps' folder holds.
#[derive(Debug, Default)]
struct Dumps {
    newest: Option<(u64, dump::Read)>,
    /// A newer one is there and not complete.
    broken: bool,
}

/// Opens what is there. `force`: the index is made anew whatever it says.
///
/// # Errors
///
/// The disk or the index fails for good.
pub fn open(disk: &Arc<dyn Disk>, options: &Options, force: bool) -> Result<Recovered, Broken> {
    disk.make_folder(segment::FOLDER)?;
    disk.make_folder(dump::FOLDER)?;
    disk.sync_folder("")?;
    let (index, known, fresh) = open_index(disk, options)?;
    let chart = chart::read(&**disk, known.secret)?;
    let dumps = read_dumps(disk, known.secret.or(chart.secret))?;
    let dumped = dumps.newest.map(|(_, read)| read.secret);
    let secret = known.secret.or(chart.secret).or(dumped);
    let mut opened = Opened {
        created: secret.is_none(),
        ..Opened::default()
    };
    let secret = secret.unwrap_or(options.secret);
    // First of all: nothing may rest on what a cut could still take.
    mend_tail(disk, &chart)?;
    let mut start = Start {
        disk,
        options,
        chart,
        dumps,
        opened: &mut opened,
        damage: Vec::new(),
    };
    let (index, sequence) = start.state(index, known.sequence, fresh, force)?;
    let Start {
        chart,
        dumps,
        damage,
        ..
    } = start;
    if known.lost {
        // The last start did not come as far as raising the counters.
        opened.lost = opened.lost.max(1);
    }
    report(&mut opened, damage);
    put_aside(disk, &chart, &mut opened)?;
    let mut missing = missing_segments(&index, &chart)?;
    if !missing.is_empty() {
        // What folders left had gone from the old index already, and its segments with it.
        remains::clean_all(&index, sequence)?;
        missing = missing_segments(&index, &chart)?;
    }
    opened.damage.extend(missing);
    index.write(opened.rebuilt, |tables| {
        tables.set(key::SECRET, &secret)?;
        tables.set(key::SEQUENCE, &sequence)
    })?;
    let next = next_segment(&index, &chart)?;
    let (log, segments) = open_log(disk, options, &chart, secret, sequence, next);
    // One whose name may be in the page cache only is read in a rebuild; nothing is freed for it.
    let counted: Option<u64> = index.snapshot()?.row(key::DUMP, "dump")?;
    let dump = dumps
        .newest
        .filter(|(number, _)| counted == Some(*number))
        .map(|(number, read)| (number, read.octets));
    Ok(Recovered {
        index,
        log,
        segments,
        secret,
        sequence,
        want_dump: opened.lost > 0 || dumps.broken || (dump.is_none() && sequence > 0),
        dump,
        opened,
    })
}

/// The index as it is there, what it says of itself, and whether it is a new one.
fn open_index(disk: &Arc<dyn Disk>, options: &Options) -> Result<(Index, Known, bool), Broken> {
    let (index, fresh) = Index::open(disk, options.cache)?;
    match Known::read(&index) {
        Ok(known) => Ok((index, known, fresh)),
        Err(broken) if broken.is_damage() => {
            drop(index);
            Index::put_aside(disk)?;
            let (index, fresh) = Index::open(disk, options.cache)?;
            Ok((index, Known::default(), fresh))
        }
        Err(broken) => Err(broken),
    }
}

/// The log, to be gone on with behind change `sequence` in segment `next`.
fn open_log(
    disk: &Arc<dyn Disk>,
    options: &Options,
    chart: &Chart,
    secret: [u8; 16],
    sequence: u64,
    next: u64,
) -> (Log, Arc<Segments>) {
    let segments = Arc::new(Segments::new(Arc::clone(disk)));
    for (&number, charted) in &chart.segments {
        segments.insert(number, charted.end, None);
    }
    let tail = chart.tail.and_then(|tail| chart.segments.get(&tail));
    let end = End {
        segment: chart.tail.unwrap_or(0),
        offset: tail.map_or(0, |tail| tail.end),
        sequence,
    };
    let log = Log::new(
        Arc::clone(disk),
        Arc::clone(&segments),
        secret,
        options.segment,
        end,
        next,
        chart.junk.clone(),
    );
    (log, segments)
}

/// What the index says of itself.
#[derive(Debug, Default)]
struct Known {
    secret: Option<[u8; 16]>,
    sequence: u64,
    lost: bool,
}

impl Known {
    fn read(index: &Index) -> Result<Self, Broken> {
        let rows = index.snapshot()?;
        Ok(Self {
            secret: rows.row(key::SECRET, "secret")?,
            sequence: rows.sequence()?,
            lost: rows.has(key::LOST)?,
        })
    }
}

/// Files of the log that cannot be made out get another name: nothing is thrown away.
fn put_aside(disk: &Arc<dyn Disk>, chart: &Chart, opened: &mut Opened) -> Result<(), Broken> {
    for &number in &chart.strange {
        let aside = segment::aside(number);
        disk.rename(&segment::name(number), &aside)?;
        let what = format!("a segment without a readable header, kept as {aside}");
        opened.damage.push((number, 0, what));
    }
    if !chart.strange.is_empty() {
        disk.sync_folder(segment::FOLDER)?;
    }
    Ok(())
}

/// Segments that hold content which somebody has, and that are not there.
fn missing_segments(index: &Index, chart: &Chart) -> Result<Vec<(u64, u64, String)>, Broken> {
    let mut missing = Vec::new();
    index
        .snapshot()?
        .scan_prefix(&[Kind::Segment.letter()], &mut |key, octets| {
            let row: Segment = value::decode(octets, "segment")?;
            let number = key::u64_of(key).unwrap_or(0);
            if row.live > 0 && !chart.segments.contains_key(&number) {
                let what = format!("the segment is gone, with {} octets of mail", row.live);
                missing.push((number, 0, what));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
    Ok(missing)
}

fn report(opened: &mut Opened, damage: Vec<Damage>) {
    for place in damage {
        let what = format!(
            "a batch after change {}: what it changed, or content that came with it",
            place.after
        );
        opened
            .damage
            .push((place.segment, u64::from(place.offset), what));
    }
}

/// The number that no file has had.
fn next_segment(index: &Index, chart: &Chart) -> Result<u64, Broken> {
    let mut greatest = chart.greatest;
    index
        .snapshot()?
        .scan_prefix(&[Kind::Segment.letter()], &mut |key, _| {
            greatest = greatest.max(key::u64_of(key).unwrap_or(0));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
    Ok(greatest.saturating_add(1))
}

/// Removes a half-written dump, makes the folder's state durable, and finds the newest complete dump.
fn read_dumps(disk: &Arc<dyn Disk>, secret: Option<[u8; 16]>) -> Result<Dumps, Broken> {
    dump::drop_tmp(&**disk);
    disk.sync_folder(dump::FOLDER)?;
    let mut dumps = Dumps::default();
    for number in dump::numbers(&**disk)?.into_iter().rev() {
        match dump::read(&**disk, number, secret, &mut |_, _| Ok(()))? {
            Some(read) => {
                dumps.newest = Some((number, read));
                break;
            }
            None => dumps.broken = true,
        }
    }
    Ok(dumps)
}

/// Puts the last segment's header and its octets past the mark on the medium: what a killed process
/// wrote, or a failed sync left in the page cache, is not there yet.
fn mend_tail(disk: &Arc<dyn Disk>, chart: &Chart) -> Result<(), Broken> {
    let Some((number, tail)) = chart
        .tail
        .and_then(|number| Some((number, chart.segments.get(&number)?)))
    else {
        return Ok(());
    };
    let mut tries: u32 = 0;
    loop {
        let done = (|| -> io::Result<()> {
            let file = disk.open(&segment::name(number))?;
            let mut octets = vec![0; BLOCK as usize];
            let mut at = tail.floor;
            while at < tail.end {
                let n = file.read(u64::from(at), &mut octets)?;
                file.write(u64::from(at), octets.get(..n).unwrap_or_default())?;
                at = at.saturating_add(BLOCK);
            }
            let n = file.read(0, &mut octets)?;
            file.write(0, octets.get(..n).unwrap_or_default())?;
            file.sync()?;
            disk.sync_folder(segment::FOLDER)
        })();
        tries = tries.saturating_add(1);
        match done {
            Ok(()) => return Ok(()),
            Err(error) if tries >= TRIES => return Err(error.into()),
            Err(_) => {}
        }
    }
}

struct Start<'a> {
    disk: &'a Arc<dyn Disk>,
    options: &'a Options,
    chart: Chart,
    dumps: Dumps,
    opened: &'a mut Opened,
    damage: Vec<Damage>,
}

impl Start<'_> {
    /// The index with everything applied, and the last change's number.
    fn state(
        &mut self,
        index: Index,
        position: u64,
        fresh: bool,
        force: bool,
    ) -> Result<(Index, u64), Broken> {
        let last = self.chart.last;
        let something = !self.chart.segments.is_empty() || self.dumps.newest.is_some();
        let no_log = self.chart.segments.is_empty();
        // A dump may know of changes that neither the log nor the index has.
        let dumped = self.dumps.newest.map_or(0, |(number, _)| number);
        let ahead = dumped > last && dumped > position;
        if !force && !ahead && no_log && position > last {
            // The log is gone: what the index knows is all there is. Content cannot be read.
            return self.lost(index, position, 1, false);
        }
        let known = if force || fresh { 0 } else { position };
        let mut partly = None;
        if !(force || ahead || (fresh && something) || position > last) {
            match self.replay(&index, position, true) {
                Ok((sequence, 0)) => return Ok((index, sequence)),
                // Changes after the index' position are gone with freed segments: a dump may have them.
                Ok(_) => partly = Some(std::mem::take(&mut self.damage)),
                // The index is not what it should be.
                Err(broken) if broken.is_damage() => {}
                Err(broken) => return Err(broken),
            }
        }
        let rebuilt = self.rebuild()?;
        let beyond = known.max(dumped).saturating_sub(last);
        let missing = rebuilt.lost.max(beyond);
        if let Some(damage) = partly.filter(|_| missing > 0) {
            drop(rebuilt);
            self.damage = damage;
            let (sequence, missing) = self.replay(&index, position, false)?;
            return self.lost(index, sequence, missing, false);
        }
        drop(index);
        let sequence = rebuilt.sequence.max(known);
        self.lost(rebuilt.index, sequence, missing, true)
    }

    fn lost(
        &mut self,
        index: Index,
        sequence: u64,
        lost: u64,
        rebuilt: bool,
    ) -> Result<(Index, u64), Broken> {
        self.opened.lost = lost;
        self.opened.rebuilt = rebuilt;
        // A rebuilt one is durable before it takes the old one's place, and before the first batch.
        index.write(rebuilt, |tables| {
            if lost > 0 {
                tables.set(key::LOST, &())?;
            }
            tables.set(key::SEQUENCE, &sequence)
        })?;
        if rebuilt {
            Index::adopt(self.disk)?;
        }
        Ok((index, sequence))
    }

    /// Applies what is greater than `position`. With `strict` nothing is changed if a number is
    /// missing. Returns the last number and how many are missing.
    fn replay(&mut self, index: &Index, position: u64, strict: bool) -> Result<(u64, u64), Broken> {
        let mut damage = Vec::new();
        let (mut expected, mut missing, mut count) = (position, 0_u64, 0_u64);
        let last = self.chart.last;
        let (chart, disk) = (&self.chart, self.disk);
        let done = index.write(false, |tables| {
            chart.changes(disk, position, false, &mut damage, &mut |logged| {
                if logged.sequence <= expected {
                    return Ok(());
                }
                missing = missing.saturating_add(logged.sequence - expected - 1);
                expected = logged.sequence;
                count = count.saturating_add(1);
                apply_logged(tables, logged.sequence, logged.segment, logged.payload)
            })?;
            missing = missing.saturating_add(last.saturating_sub(expected));
            if missing == 0 {
                return Ok(());
            }
            if strict {
                // The transaction is dropped.
                return Err(Broken::Stopped);
            }
            tables.set(key::LOST, &())
        });
        match done {
            Ok(()) => {}
            Err(Broken::Stopped) if strict && missing > 0 => {}
            Err(error) => return Err(error),
        }
        self.opened.replayed = count;
        self.damage.append(&mut damage);
        Ok((expected.max(last), missing))
    }

    /// A new index from the newest complete dump and all changes after it.
    fn rebuild(&mut self) -> Result<Rebuilt, Broken> {
        let index = Index::beside(self.disk, self.options.cache)?;
        let number = self.dumps.newest.map_or(0, |(number, _)| number);
        let mut damage = Vec::new();
        let (mut expected, mut missing, mut count) = (number, 0_u64, 0_u64);
        let last = self.chart.last;
        let (chart, disk) = (&self.chart, self.disk);
        index.write(false, |tables| {
            if number > 0 {
                dump::read(&**disk, number, None, &mut |key, octets| {
                    load(tables, key, octets)
                })?;
                tables.set(key::SEQUENCE, &number)?;
            }
            chart.changes(disk, number, true, &mut damage, &mut |logged| {
                if logged.sequence <= expected {
                    return apply::note(tables, logged.sequence, logged.segment);
                }
                missing = missing.saturating_add(logged.sequence - expected - 1);
                expected = logged.sequence;
                count = count.saturating_add(1);
                apply_logged(tables, logged.sequence, logged.segment, logged.payload)
            })?;
            // What is dead in them, and since when, nobody knows any more: since long ago. Nor whether
            // they hold a secret.
            for &number in chart.segments.keys() {
                let mut row = counters::segment(tables, number)?;
                row.dead_since = Time(1);
                row.secret = true;
                counters::set_segment(tables, number, &row)?;
            }
            Ok(())
        })?;
        self.opened.replayed = count;
        self.damage.append(&mut damage);
        Ok(Rebuilt {
            index,
            sequence: expected.max(last),
            lost: missing.saturating_add(last.saturating_sub(expected)),
        })
    }
}

struct Rebuilt {
    index: Index,
    sequence: u64,
    lost: u64,
}

/// Applies a change as the log has it. One whose CRC is good and that does not decode was written by
/// a newer version: the start fails.
fn apply_logged(
    tables: &mut Tables<'_>,
    sequence: u64,
    segment: u64,
    payload: &[u8],
) -> Result<(), Broken> {
    let dated = Dated::decode(payload)?;
    apply::apply(tables, sequence, segment, &dated)
}

/// Takes a dump's row; what is live in each segment follows from content places.
fn load(tables: &mut Tables<'_>, key: &[u8], octets: &[u8]) -> Result<(), Broken> {
    if key.first() == Some(&Kind::Content.letter()) {
        let row: ContentRow = value::decode(octets, "content")?;
        for piece in &row.pieces {
            let number = piece.place.segment;
            let mut segment: Segment = counters::segment(tables, number)?;
            segment.live = segment.live.saturating_add(piece.place.octets());
            counters::set_segment(tables, number, &segment)?;
        }
    }
    tables.set_octets(key, octets)
}

/// Replays the log in a running process after the index was opened again: up to what was
/// acknowledged, not to what the files show.
///
/// # Errors
///
/// The disk or the index fails.
pub fn replay_running(
    disk: &Arc<dyn Disk>,
    index: &Index,
    log: &Log,
    secret: [u8; 16],
) -> Result<(), Broken> {
    let position = index.snapshot()?.sequence()?;
    // What is not in the index can only be in the last segment that it knows a change of, or later.
    let mut first = 0;
    index
        .snapshot()?
        .scan_prefix(&[Kind::Segment.letter()], &mut |key, octets| {
            let row: Segment = value::decode(octets, "segment")?;
            if row.last_change > 0 {
                first = first.max(key::u64_of(key).unwrap_or(0));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
    let chart = running_chart(log, secret, first);
    let mut damage = Vec::new();
    let mut expected = position;
    index.write(false, |tables| {
        chart.changes(disk, position, true, &mut damage, &mut |logged| {
            if logged.sequence <= position {
                return Ok(());
            }
            // What cannot be read now is not passed over: later changes would hide that it lacks.
            if logged.sequence != expected.saturating_add(1) {
                return Err(Broken::Corrupt("log"));
            }
            expected = logged.sequence;
            apply_logged(tables, logged.sequence, logged.segment, logged.payload)
        })?;
        if expected < log.end().sequence {
            return Err(Broken::Corrupt("log"));
        }
        Ok(())
    })
}

/// A new index from the newest dump and the log in a running process: up to what was acknowledged.
/// Returns it, already in the old one's place.
///
/// # Errors
///
/// The disk or the index fails, or not everything can be read; the old one stays.
pub fn rebuild_running(
    disk: &Arc<dyn Disk>,
    options: &Options,
    log: &Log,
    secret: [u8; 16],
) -> Result<Index, Broken> {
    let mut opened = Opened::default();
    let chart = running_chart(log, secret, 0);
    let dumps = read_dumps(disk, Some(secret))?;
    let mut start = Start {
        disk,
        options,
        chart,
        dumps,
        opened: &mut opened,
        damage: Vec::new(),
    };
    let rebuilt = start.rebuild()?;
    if rebuilt.lost > 0 {
        // Perhaps it can be read later. What is lost for good is for the next start to say.
        return Err(Broken::Corrupt("log"));
    }
    let (index, sequence) = start.lost(rebuilt.index, rebuilt.sequence, 0, true)?;
    index.write(false, |tables| {
        tables.set(key::SECRET, &secret)?;
        tables.set(key::SEQUENCE, &sequence)
    })?;
    Ok(index)
}

/// The log as a running process knows it, from segment `first` on.
fn running_chart(log: &Log, secret: [u8; 16], first: u64) -> Chart {
    let last = log.end().sequence;
    let mut chart = Chart {
        secret: Some(secret),
        last,
        ..Chart::default()
    };
    for (number, end) in log.segments.ends() {
        if number >= first {
            let charted = chart::Charted {
                header: None,
                end,
                floor: end,
                cap: last,
            };
            chart.segments.insert(number, charted);
        }
    }
    chart
}
