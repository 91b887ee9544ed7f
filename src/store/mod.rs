//! State: a log that is the truth, an index that is read. Synchronous; knows no protocol.
//!
//! Services hold a [`Store`]: they read through [`Store::read`], and wish through
//! [`Store::request`], which answers when the change is on the medium.
//!
//! | file | what |
//! |---|---|
//! | `change`, `decide`, `administer`, `apply` | a change as a value; deciding it; applying it |
//! | `writer`, `tidy` | batches; what happens between them |
//! | `recover` | a start: log, dumps and index are made to agree |
//! | `dump`, `space`, `content`, `pack`, `check` | what their names say |
//! | `log`, `index`, `disk` | the layers below |
//! | `directory`, `mailbox`, `message`, `queue` | one folder per kind of state |

pub mod administer;
pub mod apply;
pub mod change;
pub mod check;
pub mod content;
pub mod counters;
pub mod decide;
pub mod directory;
pub mod disk;
pub mod dump;
mod error;
pub mod index;
pub mod log;
pub mod mailbox;
pub mod message;
pub mod pack;
mod pause;
pub mod queue;
pub mod reader;
pub mod recover;
pub mod request;
pub mod space;
pub mod tidy;
pub mod value;
pub mod writer;

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    base::{id::ContentId, time::Clock},
    store::{
        change::Change,
        index::table::Snapshot,
        log::pin::Segments,
        message::content::ContentRow,
        pause::Pause,
        request::Notice as FolderNotice,
        tidy::Next,
        writer::{Dumps, Job, SharedIndex, Writer},
    },
};

pub use content::{Body, Content, Incoming};
pub use disk::Disk;
pub use error::{Broken, Refusal};
pub use reader::Reader;
pub use request::{Notice, Reply, Request};

/// Jobs taken into one run of the writer.
const JOBS_MAX: usize = 512;
/// From so many jobs in the last batch on the next one waits for as many, at most so often so long.
const GATHER_FROM: usize = 4;
const GATHER_PAUSES: u32 = 4;
const GATHER_PAUSE: Duration = Duration::from_micros(250);
/// After a loss every counter that hands out numbers is raised by so much, and MODSEQs.
const JUMP_NUMBERS: u32 = 1 << 20;
const JUMP_MODSEQS: u64 = 1 << 32;

/// How big things may get; the rest is fixed by the format.
#[derive(Clone, Debug)]
pub struct Options {
    /// redb's cache in octets (`limit.store_cache`).
    pub cache: usize,
    /// Largest message in octets, 0 = no limit; unfinished content is capped at four times that.
    pub message_size: u64,
    /// On a tiny machine 24 MiB of free space are kept instead of 64.
    pub tiny: bool,
    /// Size of new segments in octets: [`SEGMENT`](log::SEGMENT), less only in tests.
    pub segment: u32,
    /// 128 random bits for a store that is made anew.
    pub secret: [u8; 16],
    /// Folders of a person; 0 = no limit.
    pub folders: u64,
    /// Keywords of a folder.
    pub keywords: u64,
    pub clock: Arc<dyn Clock>,
}

/// What a start found; all of it is logged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Opened {
    /// Made anew: nothing was there.
    pub created: bool,
    /// Changes that the index did not have yet.
    pub replayed: u64,
    /// The index was made anew from dump and log.
    pub rebuilt: bool,
    /// Places in the log that cannot be read: segment, offset, what it held.
    pub damage: Vec<(u64, u64, String)>,
    /// Changes that are gone.
    pub lost: u64,
}

/// Figures of the store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    pub sequence: u64,
    pub segments: u64,
    pub live_octets: u64,
    pub log_octets: u64,
    pub free_octets: u64,
    /// Of the file system that the data folder lies on.
    pub disk_octets: u64,
    /// False while deliveries are refused with 452.
    pub room: bool,
    /// Number of the dump that counts; 0 = none.
    pub dump: u64,
    pub changes_since_checkpoint: u64,
    /// What went wrong last, since the start.
    pub trouble: Option<String>,
}

/// What handles, content and the writer share.
#[derive(Debug)]
pub struct Shared {
    index: SharedIndex,
    segments: Arc<Segments>,
    secret: [u8; 16],
    jobs: mpsc::Sender<Job>,
    notices: (
        async_channel::Sender<Vec<Notice>>,
        async_channel::Receiver<Vec<Notice>>,
    ),
    listening: AtomicBool,
    /// A reader could not read the index.
    ailing: AtomicBool,
    /// As the writer saw it last.
    room: AtomicBool,
    disk: Arc<dyn Disk>,
    /// Free octets that are kept at least.
    least: u64,
    /// Octets of content that belongs to nobody yet, and how many there may be.
    unfinished: Arc<AtomicU64>,
    unfinished_max: AtomicU64,
    status: Mutex<Status>,
}

/// A handle to the store; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

/// The writer's thread, to be joined at the end.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    /// Waits until the writer has ended.
    ///
    /// # Errors
    ///
    /// It panicked (in a test: elsewhere that ends the process).
    pub fn join(self) -> Result<(), Broken> {
        self.0.join().map_err(|_| Broken::Stopped)
    }
}

/// A store and its writer, which nobody runs yet: for tests that step it.
#[derive(Debug)]
pub struct Stepped {
    pub store: Store,
    pub writer: Writer,
    pub jobs: mpsc::Receiver<Job>,
    pub opened: Opened,
}

/// How much content that belongs to nobody yet there may be.
fn unfinished_max(message_size: u64) -> u64 {
    match message_size {
        0 => u64::MAX,
        size => size.saturating_mul(4),
    }
}

impl Store {
    /// Opens the store in a data folder, makes or mends what is needed and starts the writer's thread.
    /// The caller holds the folder's lock.
    ///
    /// # Errors
    ///
    /// The disk or the index fails for good.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, Running, Opened), Broken> {
        let Stepped {
            store,
            mut writer,
            jobs,
            opened,
        } = Self::open_stepped(disk, options, false)?;
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let guard = EndProcess;
                work(&mut writer, &jobs);
                std::mem::forget(guard);
            })?;
        Ok((store, Running(thread), opened))
    }

    /// As [`Store::open`], with the writer in hand. `rebuild`: a new index whatever the old one says.
    ///
    /// # Errors
    ///
    /// The disk or the index fails for good.
    pub fn open_stepped(
        disk: Arc<dyn Disk>,
        options: Options,
        rebuild: bool,
    ) -> Result<Stepped, Broken> {
        let recovered = recover::open(&disk, &options, rebuild)?;
        let (jobs, receiver) = mpsc::channel();
        let shared = Arc::new(Shared {
            index: RwLock::new(Some(recovered.index)),
            segments: recovered.segments,
            secret: recovered.secret,
            jobs,
            notices: async_channel::unbounded(),
            listening: AtomicBool::new(false),
            ailing: AtomicBool::new(false),
            room: AtomicBool::new(true),
            disk: Arc::clone(&disk),
            least: space::least(&options),
            unfinished: Arc::default(),
            unfinished_max: AtomicU64::new(unfinished_max(options.message_size)),
            status: Mutex::default(),
        });
        let (number, octets) = recovered.dump.unwrap_or_default();
        let dumps = Dumps {
            number,
            octets,
            want: recovered.want_dump,
            remove_older: true,
            ..Dumps::default()
        };
        let mut writer = Writer::new(
            disk,
            options,
            Arc::clone(&shared),
            recovered.log,
            recovered.sequence,
            dumps,
        );
        writer.begin(&recovered.opened)?;
        Ok(Stepped {
            store: Self(shared),
            writer,
            jobs: receiver,
            opened: recovered.opened,
        })
    }

    /// Reads at one moment. Sees only what is on the medium.
    ///
    /// # Errors
    ///
    /// What `read` says, or the index fails.
    pub fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Broken>) -> Result<T, Broken> {
        self.look(|snapshot| read(&Reader::new(snapshot)))
    }

    fn snapshot<T>(&self, read: impl FnOnce(&Snapshot) -> Result<T, Broken>) -> Result<T, Broken> {
        self.look(|snapshot| read(&snapshot))
    }

    /// An index that cannot be read is opened again by the writer.
    fn look<T>(&self, read: impl FnOnce(Snapshot) -> Result<T, Broken>) -> Result<T, Broken> {
        let done = {
            let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
            let index = index.as_ref().ok_or(Broken::Stopped)?;
            index.snapshot().and_then(read)
        };
        if let Err(broken @ Broken::Index(_)) = &done
            && !self.0.ailing.swap(true, Ordering::AcqRel)
        {
            self.0.note_trouble(broken);
            // A writer that has ended mends nothing.
            let _ = self.0.jobs.send(Job::Mend);
        }
        done
    }

    /// Has a change made; ready when it is on the medium (a `lazy` one, and those that say that
    /// nobody waits, at once with [`Reply::Done`]).
    ///
    /// # Errors
    ///
    /// Nothing has changed, but see [`Refusal::Unknown`].
    pub async fn request(&self, request: Request) -> Result<Reply, Refusal> {
        let lazy = match &request {
            Request::Flag(flag) => flag.lazy,
            Request::Recent { .. }
            | Request::Summarize { .. }
            | Request::Uptime(_)
            | Request::UsedAppPassword { .. } => true,
            _ => false,
        };
        if lazy {
            self.send(Job::Lazy(request))?;
            return Ok(Reply::Done);
        }
        let (answer, answered) = async_channel::bounded(1);
        self.send(Job::Request { request, answer })?;
        answered.recv().await.unwrap_or(Err(Refusal::Unknown))
    }

    /// Makes what gathers (lazy \Seen) durable; ready when it is.
    ///
    /// # Errors
    ///
    /// As [`Store::request`].
    pub async fn settle(&self) -> Result<(), Refusal> {
        let (answer, answered) = async_channel::bounded(1);
        self.send(Job::Settle(answer))?;
        let settled = answered.recv().await.unwrap_or(Err(Refusal::Unknown));
        settled.map(drop)
    }

    /// Sends a piece of content to the log; the answer comes when it is written.
    fn push(
        &self,
        stream: Arc<content::Stream>,
        text: Vec<u8>,
    ) -> Result<async_channel::Receiver<Result<(), Refusal>>, Refusal> {
        let (answer, answered) = async_channel::bounded(1);
        self.send(Job::Push {
            stream,
            text,
            answer,
        })?;
        Ok(answered)
    }

    /// Makes a new index from dump and log: same mail, flags, UIDs. Readers wait meanwhile.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub async fn rebuild(&self) -> Result<(), Broken> {
        let (answer, answered) = async_channel::bounded(1);
        if self.send(Job::Rebuild(answer)).is_err() {
            return Err(Broken::Stopped);
        }
        answered.recv().await.unwrap_or(Err(Broken::Stopped))
    }

    fn send(&self, job: Job) -> Result<(), Refusal> {
        let sent = self.0.jobs.send(job);
        sent.map_err(|_| Refusal::Broken(Broken::Stopped))
    }

    /// Begins new content.
    #[must_use]
    pub fn incoming(&self) -> Incoming {
        let total = Arc::clone(&self.0.unfinished);
        let most = self.0.unfinished_max.load(Ordering::Relaxed);
        Incoming::new(self.clone(), total, most)
    }

    /// Another size of the largest message, in octets; 0 = no limit.
    pub fn limit_messages(&self, size: u64) {
        let most = unfinished_max(size);
        self.0.unfinished_max.store(most, Ordering::Relaxed);
    }

    /// Stored content, its segments pinned; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn content(&self, id: ContentId) -> Result<Option<Content>, Broken> {
        loop {
            let Some(row) = self.content_places(id)? else {
                return Ok(None);
            };
            let mut numbers: Vec<u64> = row.pieces.iter().map(|p| p.place.segment).collect();
            numbers.dedup();
            let pins: Option<Vec<_>> = numbers
                .into_iter()
                .map(|number| self.0.segments.pin(number).map(Arc::new))
                .collect();
            // A segment went between the look-up and the pin: the content has a new place, or is lost.
            if let Some(pins) = pins {
                if self.content_places(id)?.as_ref() == Some(&row) {
                    return Ok(Some(self.pinned(row, pins)));
                }
            } else if self.content_places(id)?.as_ref() == Some(&row) {
                return Err(Broken::Corrupt("content"));
            }
        }
    }

    fn pinned(&self, row: ContentRow, pins: Vec<Arc<log::pin::Pin>>) -> Content {
        Content::new(row, Arc::clone(&self.0.segments), self.0.secret, pins)
    }

    fn content_places(&self, id: ContentId) -> Result<Option<ContentRow>, Broken> {
        self.snapshot(|rows| message::content::row(rows, id))
    }

    /// What changes do to folders, in order, after their sync. One receiver: `service::notify`.
    #[must_use]
    pub fn notices(&self) -> async_channel::Receiver<Vec<FolderNotice>> {
        self.0.listening.store(true, Ordering::Release);
        self.0.notices.1.clone()
    }

    /// Drains the writer, checkpoints, ends its thread. Requests after it are refused.
    pub fn stop(&self) {
        // It may have ended already.
        let _ = self.0.jobs.send(Job::Stop);
    }

    /// Octets of this folder that nobody outside can know, the same after every start. Only for keys
    /// that are derived from it.
    #[must_use]
    pub fn secret(&self) -> [u8; 16] {
        self.0.secret
    }

    /// Whether mail is taken (SR-30).
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.is_enough(&self.0.disk.space())
    }

    fn is_enough(&self, space: &std::io::Result<disk::Space>) -> bool {
        // Others fill the disk too: the writer's last look may be old.
        let enough = space.as_ref().is_ok_and(|s| s.free >= s.keep(self.0.least));
        enough && self.0.room.load(Ordering::Relaxed)
    }

    /// Figures for `status`.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = self.0.status.lock();
        let mut status = status.unwrap_or_else(PoisonError::into_inner).clone();
        let space = self.0.disk.space();
        status.room = self.is_enough(&space);
        status.free_octets = space.as_ref().map_or(0, |space| space.free);
        status.disk_octets = space.map_or(0, |space| space.total);
        status
    }

    /// The segments with their synced ends: with a dump, what a backup has to copy.
    #[must_use]
    pub fn segments(&self) -> Vec<(u64, u32)> {
        self.0.segments.ends()
    }
}

impl Writer {
    /// What a start has to do before the first batch.
    fn begin(&mut self, opened: &Opened) -> Result<(), Broken> {
        self.checkpoint.changes = opened.replayed;
        if opened.replayed > 0 {
            self.checkpoint.since = Some(self.clock.now().0);
        }
        self.floor = self.read(|index| Ok(counters::counters(&index.snapshot()?)?.time))?;
        // What came since the last dump is not counted anywhere: a block for each change at least.
        let since = self.sequence.saturating_sub(self.dumps.number);
        self.dumps.changed = since.saturating_mul(u64::from(log::BLOCK));
        self.tidying.changed(true);
        self.rooms
            .look(&*self.disk, self.dumps.octets, &self.shared);
        if opened.lost > 0 {
            let jump = Change::Jump {
                numbers: JUMP_NUMBERS,
                modseqs: JUMP_MODSEQS,
            };
            self.own_change(4096, &mut |_, _| Some(jump.clone()))
                .map_err(|_| Broken::Stopped)?;
        }
        self.report();
        Ok(())
    }
}

/// A panic in the store ends the process: the supervisor starts it again, recovery does the rest.
struct EndProcess;

impl Drop for EndProcess {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// While many clients wait, a batch waits a moment for the rest of them: where a sync is quick, it would
/// be over before they are heard, and each would get a sync of its own. Returns how many jobs there are.
fn gather(jobs: &mpsc::Receiver<Job>, batch: &mut Vec<Job>, last: usize) -> usize {
    let mut pauses = 0;
    while last >= GATHER_FROM && batch.len() < last && pauses < GATHER_PAUSES {
        match jobs.recv_timeout(GATHER_PAUSE) {
            Ok(job) => batch.push(job),
            Err(_) => pauses += 1,
        }
    }
    batch.len()
}

/// The writer's thread.
fn work(writer: &mut Writer, jobs: &mpsc::Receiver<Job>) {
    let mut next = Next::Now;
    let (mut last, mut pause) = (0, Pause::default());
    loop {
        let first = match next {
            Next::Now => jobs.try_recv().ok(),
            Next::Idle => match jobs.recv() {
                Ok(job) => Some(job),
                Err(mpsc::RecvError) => break,
            },
            Next::At(until) => {
                let wait = until.saturating_sub(writer.clock.now().0).max(1);
                jobs.recv_timeout(Duration::from_millis(wait)).ok()
            }
        };
        let mut batch: Vec<Job> = first.into_iter().collect();
        while batch.len() < JOBS_MAX
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        last = gather(jobs, &mut batch, last);
        let asked = !batch.is_empty();
        if !writer.run(batch) {
            break;
        }
        next = match pause.until(writer.clock.now().0, asked) {
            Some(until) => Next::At(until),
            None => pause.had(writer.housekeep()),
        };
    }
    writer.close();
}
