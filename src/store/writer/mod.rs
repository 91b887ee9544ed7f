//! The one writer: decides, applies, appends, syncs once, commits, answers all. While it syncs, the
//! next batch gathers. A value with [`Writer::run`]; the thread is a loop around it.

mod derive;
mod fill;
mod mend;
mod wish;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, PoisonError, RwLock, Weak, atomic::Ordering},
};

use async_channel::Sender;

use self::{
    fill::{Filling, Outcome, Taken},
    wish::Wish,
};
use crate::{
    base::{
        id::ContentId,
        time::{Clock, Time},
    },
    store::{
        Broken, Options, Refusal, Shared,
        change::{Change, Dated, PieceAt},
        content::Stream,
        decide::{self, Decided, Numbers},
        disk::Disk,
        dump::Dumping,
        index::Index,
        log::{
            BLOCK,
            append::{Failed, Log},
            batch::Batch,
        },
        pack::Packer,
        request::{Notice, Reply, Request},
        space::{Room, Rooms},
        tidy::Tidying,
    },
};

/// Room that a batch has at least.
const BATCH_MIN: u32 = 128 * 1024;
/// Octets of a batch beyond which no further request is taken in.
const BATCH_MAX: usize = 2 * 1024 * 1024;
/// A stream's content is synced about so often, so that somebody else's sync stays short.
const STREAM_SYNC: u32 = 1024 * 1024;
/// What nobody waits for gathers at most so long, in milliseconds.
const GATHER: u64 = 2000;

/// What is asked of the writer.
#[derive(Debug)]
pub enum Job {
    /// Nobody waits for it.
    Lazy(Request),
    /// A piece of content that is not whole yet.
    Push {
        stream: Arc<Stream>,
        text: Vec<u8>,
        answer: Sender<Result<(), Refusal>>,
    },
    /// A new index from dump and log.
    Rebuild(Sender<Result<(), Broken>>),
    Request {
        request: Request,
        answer: Sender<Result<Reply, Refusal>>,
    },
    /// Somebody could not read the index.
    Mend,
    /// Lazy ones now.
    Settle(Sender<Result<Reply, Refusal>>),
    Stop,
}

/// A piece of content with who waits for it.
type Pushed = (Arc<Stream>, Vec<u8>, Sender<Result<(), Refusal>>);

#[derive(Debug)]
pub struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) floor: Time,
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log,
    /// Number of the last change.
    pub(super) sequence: u64,
    next_content: u64,
    packer: Packer,
    streams: Vec<Weak<Stream>>,
    lazy: Vec<Request>,
    lazy_since: u64,
    /// What nobody waited for failed, and nobody has been told yet.
    lazy_lost: bool,
    pub(super) checkpoint: Checkpoint,
    pub(super) dumps: Dumps,
    pub(super) tidying: Tidying,
    pub(super) rooms: Rooms,
    /// The index could not be opened again; it is tried at every run, and every second.
    pub(super) blind: bool,
}

/// What has come since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    pub changes: u64,
    pub rows: u64,
    pub log_written: u64,
    /// Milliseconds on the monotonic clock; `None`: nothing is unsaved.
    pub since: Option<u64>,
}

/// The dump that counts, and what asks for a new one.
#[derive(Debug, Default)]
pub(super) struct Dumps {
    pub running: Option<Dumping>,
    pub number: u64,
    pub octets: u64,
    pub want: bool,
    /// Blocks of batches with changes since the last one began, in octets.
    pub changed: u64,
    /// Changes up to this one have to be in the next dump: something was purged.
    pub not_below: u64,
    pub log_written: u64,
    /// Not before this point, after the disk was full.
    pub not_before: u64,
    pub remove_older: bool,
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        options: Options,
        shared: Arc<Shared>,
        log: Log,
        sequence: u64,
        dumps: Dumps,
    ) -> Self {
        let clock = Arc::clone(&options.clock);
        let rooms = Rooms::new(&options);
        Self {
            disk,
            options,
            clock,
            floor: Time(0),
            shared,
            log,
            sequence,
            next_content: 0,
            packer: Packer::default(),
            streams: Vec::new(),
            lazy: Vec::new(),
            lazy_since: 0,
            lazy_lost: false,
            checkpoint: Checkpoint::default(),
            dumps,
            tidying: Tidying::default(),
            rooms,
            blind: false,
        }
    }

    /// Does jobs that gathered, in their order; says whether to go on.
    pub fn run(&mut self, jobs: Vec<Job>) -> bool {
        let mut wishes = VecDeque::new();
        let mut filters = Vec::new();
        let (mut pushes, mut settles, mut on) = (Vec::new(), Vec::new(), true);
        for job in jobs {
            match job {
                Job::Lazy(request) => {
                    if self.lazy.is_empty() {
                        self.lazy_since = self.clock.now().0;
                    }
                    self.lazy.push(request);
                }
                Job::Push {
                    stream,
                    text,
                    answer,
                } => pushes.push((stream, text, answer)),
                Job::Rebuild(answer) => {
                    let _ = answer.try_send(self.rebuild());
                }
                Job::Request {
                    request: Request::Filters(given),
                    answer,
                } => filters.push((given, answer)),
                Job::Request { request, answer } => {
                    wishes.push_back(Wish::new(request, Some(answer)));
                }
                Job::Mend => {
                    if self.shared.ailing.swap(false, Ordering::AcqRel) {
                        self.blind = true;
                    }
                }
                Job::Settle(answer) => settles.push(answer),
                Job::Stop => on = false,
            }
        }
        self.rooms
            .look(&*self.disk, self.dumps.octets, &self.shared);
        if self.blind {
            self.reopen();
        }
        self.push(pushes);
        let lazy_due = self.clock.now().0 >= self.lazy_since.saturating_add(GATHER);
        if !wishes.is_empty() || !settles.is_empty() || !on || lazy_due {
            let lazy = std::mem::take(&mut self.lazy);
            let lazy = lazy.into_iter().map(|request| Wish::new(request, None));
            wishes = lazy.chain(wishes).collect();
        }
        let mut failed = None;
        while !wishes.is_empty() {
            failed = self.batch(&mut wishes);
            if let Some(failed) = &failed {
                // Who comes right after a failure would only meet it again.
                for wish in wishes.drain(..) {
                    self.refuse(wish, failed.refusal());
                }
            }
        }
        let told = !settles.is_empty();
        for answer in settles {
            let _ = answer.try_send(match &failed {
                None if self.blind || self.lazy_lost => Err(Refusal::Broken(Broken::Stopped)),
                None => Ok(Reply::Done),
                Some(failed) => Err(failed.refusal()),
            });
        }
        self.lazy_lost &= !told;
        self.derive(filters);
        on
    }

    fn refuse(&mut self, wish: Wish, refusal: Refusal) {
        match wish.answer {
            // Nobody may be there any more to hear it.
            Some(answer) => drop(answer.try_send(Err(refusal))),
            None => self.lazy_lost = true,
        }
    }

    /// Whether lazy requests wait, and until when (milliseconds on the monotonic clock).
    #[must_use]
    pub fn lazy_until(&self) -> Option<u64> {
        (!self.lazy.is_empty()).then(|| self.lazy_since.saturating_add(GATHER))
    }

    // ---- content that is not whole yet

    fn push(&mut self, pushes: Vec<Pushed>) {
        for (stream, text, answer) in pushes {
            let done = self.push_one(&stream, text);
            // The sender may be gone: its message is lost then, as it has to be.
            let _ = answer.try_send(done);
        }
    }

    fn push_one(&mut self, stream: &Arc<Stream>, text: Vec<u8>) -> Result<(), Refusal> {
        if self.rooms.room() != Room::Plenty {
            return Err(Refusal::Full);
        }
        let content = if let Some(content) = stream.lock().content {
            content
        } else {
            let content = ContentId(self.next_content()?);
            self.next_content = content.0.saturating_add(1);
            self.streams.retain(|stream| stream.strong_count() > 0);
            self.streams.push(Arc::downgrade(stream));
            content
        };
        let piece = self.packer.pack(text);
        let number = {
            let mut streamed = stream.lock();
            streamed.content = Some(content);
            if streamed.failed {
                return Err(Refusal::Broken(Broken::Stopped));
            }
            u32::try_from(streamed.pieces.len()).unwrap_or(u32::MAX)
        };
        let done = (|| -> io::Result<PieceAt> {
            let mut batch = self.log.begin(piece.octets().saturating_add(64))?;
            let place = batch.piece(self.sequence, content.0, number, &piece);
            self.log.write(batch, self.sequence)?;
            if self.log.unsynced() >= STREAM_SYNC {
                self.log.sync()?;
            }
            let deflated = piece.deflated;
            Ok(PieceAt { place, deflated })
        })();
        match done {
            Ok(at) => {
                let mut streamed = stream.lock();
                let segment = at.place.segment;
                if streamed.pins.iter().all(|pin| pin.number() != segment) {
                    streamed.pins.extend(self.log.segments.pin(segment));
                }
                streamed.pieces.push(at);
                Ok(())
            }
            Err(error) => {
                stream.lock().failed = true;
                Err(self.failed(error).refusal())
            }
        }
    }

    fn next_content(&self) -> Result<u64, Broken> {
        let counted =
            self.read(|index| Ok(crate::store::counters::counters(&index.snapshot()?)?.content))?;
        Ok(self.next_content.max(counted))
    }

    /// A write or a sync failed: streams with pieces past the last good sync end, and the log goes on
    /// in a fresh segment.
    pub(super) fn failed(&mut self, error: io::Error) -> Failure {
        let synced = self.log.synced();
        for stream in self.streams.iter().filter_map(Weak::upgrade) {
            let mut streamed = stream.lock();
            let torn = streamed.pieces.iter().any(|piece| {
                synced.is_none_or(|(segment, offset)| {
                    piece.place.segment == segment && piece.place.offset >= offset
                })
            });
            streamed.failed |= torn;
        }
        self.sequence = self.log.end().sequence;
        self.shared.note_trouble(&error);
        match self.log.failed() {
            Failed::Void => Failure::Void(error),
            Failed::Unknown => Failure::Unknown,
        }
    }

    // ---- batches

    /// The calendar; never before the newest time in the log.
    pub(super) fn time(&self) -> Time {
        self.clock.time().max(self.floor)
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Index) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let guard = self
            .shared
            .index
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match &*guard {
            Some(index) => read(index),
            None => Err(Broken::Stopped),
        }
    }

    /// Takes as many wishes as fit into one batch and answers them.
    fn batch(&mut self, wishes: &mut VecDeque<Wish>) -> Option<Failure> {
        let mut done: Vec<(Wish, Result<Reply, Refusal>)> = Vec::new();
        let mut notices = Vec::new();
        let failure = self.write_batch(wishes, &mut done, &mut notices).err();
        if failure.is_none() && !notices.is_empty() {
            self.shared.tell(notices);
        }
        if let Some(failure) = &failure
            && done.is_empty()
            && let Some(wish) = wishes.pop_front()
        {
            // Not even the first one could be begun.
            done.push((wish, Err(failure.refusal())));
        }
        for (wish, result) in done {
            let result = match (&failure, result) {
                // A refusal too: it may have been decided by what is void now.
                (Some(failure), _) => Err(failure.refusal()),
                (None, result) => result,
            };
            match (wish.answer, result) {
                (Some(answer), result) => drop(answer.try_send(result)),
                (None, _) => self.lazy_lost |= failure.is_some(),
            }
        }
        failure
    }

    fn write_batch(
        &mut self,
        wishes: &mut VecDeque<Wish>,
        done: &mut Vec<(Wish, Result<Reply, Refusal>)>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), Failure> {
        let mut need = BATCH_MIN;
        loop {
            // Requests that change nothing open no segment.
            let begun = self.log.current().is_some() || self.changes_something(wishes);
            let batch = if begun {
                match self.log.begin(need) {
                    Ok(batch) => batch,
                    Err(error) => return Err(self.failed(error)),
                }
            } else {
                Batch::new(self.log.seed(0), 0, 0, 0)
            };
            match self.fill(batch, begun, wishes, done, notices) {
                Ok(None) => return Ok(()),
                // The first wish needs a segment with more room.
                Ok(Some(more)) => need = more,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Whether any of the wishes would change state now.
    fn changes_something(&self, wishes: &VecDeque<Wish>) -> bool {
        let Ok(mut numbers) = self.numbers() else {
            return true;
        };
        let mut change = false;
        let looked = self.read(|index| {
            index.look(&mut |tables| {
                change = wishes.iter().any(|wish| {
                    let decided = decide::decide(tables, &mut numbers, 0, &wish.request);
                    !matches!(decided, Ok(Decided { change: None, .. }) | Err(_))
                });
                Ok(())
            })
        });
        change || looked.is_err()
    }

    fn numbers(&self) -> Result<Numbers, Broken> {
        let room = self.rooms.index_room();
        self.read(|index| {
            Numbers::new(
                &index.snapshot()?,
                self.next_content,
                self.time(),
                self.options.folders,
                self.options.keywords,
                room,
            )
        })
    }

    /// Fills, writes, syncs and commits one batch. `Some(n)`: nothing was done, the first wish needs a
    /// batch of `n` octets.
    fn fill(
        &mut self,
        batch: Batch,
        begun: bool,
        wishes: &mut VecDeque<Wish>,
        done: &mut Vec<(Wish, Result<Reply, Refusal>)>,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<u32>, Failure> {
        let mut numbers = self
            .numbers()
            .map_err(|broken| self.index_failed(&broken))?;
        let shared = Arc::clone(&self.shared);
        let guard = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = &*guard else {
            return Err(Failure::Index);
        };
        let mut filling = Filling {
            batch: Some(batch),
            sequence: self.sequence,
            time: self.time(),
            room: self.rooms.room(),
            need: None,
            most: self.options.segment.saturating_sub(2 * BLOCK),
            changes: 0,
            frees: false,
            purges: false,
            outcome: Outcome::Nothing,
        };
        let log = &mut self.log;
        let packer = &mut self.packer;
        let mut rows = 0;
        let committed = index.write(false, |tables| {
            while let Some(mut wish) = wishes.pop_front() {
                wish.pack(packer);
                let result = filling.take(tables, &mut numbers, &wish, begun, notices);
                match result {
                    Taken::Answer(result) => done.push((wish, result)),
                    Taken::Later => {
                        wishes.push_front(wish);
                        break;
                    }
                    Taken::Failed(broken) => {
                        done.push((wish, Err(Refusal::Broken(Broken::Stopped))));
                        return Err(broken);
                    }
                }
            }
            rows = tables.touched;
            filling.put(log)
        });
        drop(guard);
        self.finish(filling, committed, rows, numbers.next_content(), done)
    }

    fn finish(
        &mut self,
        filling: Filling,
        committed: Result<(), Broken>,
        rows: u64,
        next_content: u64,
        done: &[(Wish, Result<Reply, Refusal>)],
    ) -> Result<Option<u32>, Failure> {
        match (filling.outcome, committed) {
            (Outcome::Failed(error), _) => Err(self.failed(error)),
            (Outcome::Nothing, Ok(())) => Ok(filling.need.filter(|_| done.is_empty())),
            (Outcome::Nothing, Err(broken)) => Err(self.index_failed(&broken)),
            (Outcome::Synced { octets }, committed) => {
                self.sequence = filling.sequence;
                self.next_content = next_content;
                self.log.acknowledge(self.sequence);
                let now = self.clock.now().0;
                self.checkpoint.since.get_or_insert(now);
                self.checkpoint.changes = self.checkpoint.changes.saturating_add(filling.changes);
                self.checkpoint.rows = self.checkpoint.rows.saturating_add(rows);
                self.dumps.changed = self.dumps.changed.saturating_add(octets);
                if filling.purges {
                    self.dumps.not_below = self.sequence;
                }
                self.tidying.changed(filling.frees);
                if committed.is_err() {
                    // The log has it: the answer is yes, the index catches up.
                    self.reopen();
                }
                Ok(None)
            }
        }
    }

    /// Appends a change that the store itself wants, with pieces of content moved along.
    pub(super) fn own_change(
        &mut self,
        need: u32,
        build: &mut dyn FnMut(&mut Batch, u64) -> Option<Change>,
    ) -> Result<(), Failure> {
        let mut batch = match self.log.begin(need) {
            Ok(batch) => batch,
            Err(error) => return Err(self.failed(error)),
        };
        let Some(change) = build(&mut batch, self.sequence) else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let guard = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = &*guard else {
            return Err(Failure::Index);
        };
        let dated = Dated {
            time: self.time(),
            change,
        };
        let mut filling = Filling {
            batch: Some(batch),
            sequence: self.sequence,
            time: dated.time,
            room: Room::Plenty,
            need: None,
            most: self.options.segment.saturating_sub(2 * BLOCK),
            changes: 0,
            frees: false,
            purges: false,
            outcome: Outcome::Nothing,
        };
        let log = &mut self.log;
        let mut rows = 0;
        let committed = index.write(false, |tables| {
            filling.append(tables, &dated.encode(), &dated)?;
            rows = tables.touched;
            filling.put(log)
        });
        drop(guard);
        let next_content = self.next_content;
        self.finish(filling, committed, rows, next_content, &[])
            .map(drop)
    }

    fn index_failed(&mut self, broken: &Broken) -> Failure {
        self.shared.note_trouble(broken);
        self.reopen();
        Failure::Index
    }
}

/// Why a batch did not come to be.
#[derive(Debug)]
pub(super) enum Failure {
    Index,
    /// Nobody can tell yet whether it is there.
    Unknown,
    /// It is void for good.
    Void(io::Error),
}

impl Failure {
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Index => Refusal::Broken(Broken::Stopped),
            Self::Unknown => Refusal::Unknown,
            Self::Void(error) if error.kind() == io::ErrorKind::StorageFull => Refusal::Full,
            Self::Void(error) => Refusal::Broken(Broken::Io(error.kind().into())),
        }
    }
}

/// The index behind its lock, as readers share it with the writer.
pub(super) type SharedIndex = RwLock<Option<Index>>;

impl Shared {
    /// Keeps what went wrong last, for `status`.
    pub(super) fn note_trouble(&self, trouble: &dyn std::fmt::Display) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.trouble = Some(trouble.to_string());
    }

    /// Tells what happened to folders, if somebody listens.
    fn tell(&self, notices: Vec<Notice>) {
        if self.listening.load(Ordering::Acquire) {
            // The receiver ends with the process.
            let _ = self.notices.0.try_send(notices);
        }
    }
}
