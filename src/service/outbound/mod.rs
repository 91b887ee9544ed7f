//! Mail leaves: what is due is sent, and what became of it is kept.

mod back;
mod bounce;
pub mod hosts;
mod hurry;
mod lane;
mod line;
mod options;
mod pick;
pub mod policy;
mod probe;
mod reach;
mod runner;
mod session;
mod settle;
pub mod sign;
mod slots;
pub mod sts;
mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    rc::Rc,
};

use smol::{
    channel::{Receiver, Sender, bounded},
    lock::Semaphore,
};

pub use self::{
    back::Returned,
    bounce::srs,
    options::{Options, PER_DESTINATION},
    probe::{ProbeStep, Probed},
    reach::is_near,
};
use self::{lane::Lane, policy::Policies, sign::Keys, slots::Slots, sts::Sts};
use crate::{
    base::time::Instant,
    mail::srs::Srs,
    net::{
        house::House,
        resolve::Resolver,
        trust::Trust,
        world::{Local, World},
    },
    schedule::Network,
    service::{names::NamesFile, smtp::journal::queue_id},
    store::{Broken, Store, queue::Uptime},
};

/// The setting that is there while nothing is sent (`queue pause`).
pub const PAUSED: &str = "queue.paused";

/// Outcomes that may be on their way to the medium at once; more mail is sent once there are fewer.
const OUTCOMES_MAX: usize = 64;
/// Messages that are read at once.
const READING: usize = 2;

/// Starts a task that goes on by itself.
pub type Spawn = Rc<dyn Fn(Local<'static, ()>)>;

/// What sending needs of an appliance.
pub struct Parts {
    pub store: Store,
    pub world: Rc<dyn World>,
    pub resolver: Rc<Resolver>,
    pub trust: Trust,
    pub spawn: Spawn,
    /// Counts the connections, and asks them to end.
    pub house: House,
    pub options: Options,
}

/// Sends what waits. One for the whole appliance.
pub struct Outbound {
    parts: Parts,
    options: RefCell<Rc<Options>>,
    /// Something may be due.
    bell: (Sender<()>, Receiver<()>),
    /// Something of a digest was released.
    freed: (Sender<()>, Receiver<()>),
    /// Failures of mail with the null reverse-path: nobody hears of them (OQ-4).
    dropped: Cell<u64>,
    policies: Policies,
    keys: Keys,
    srs: Srs,
    /// What the file of aliases says.
    names: NamesFile,
    network: RefCell<Network>,
    uptime: Cell<Uptime>,
    /// Those that somebody works on.
    lanes: RefCell<HashMap<String, Rc<Lane>>>,
    slots: Slots,
    /// Where the next look at the lanes goes on: behind this one.
    looked: RefCell<Option<(Uptime, String)>>,
    reading: Semaphore,
    /// Lanes that wait for a place.
    wanted: Cell<usize>,
    /// Outcomes that are on their way to the medium.
    outcomes: Cell<usize>,
    /// Rung when one of them is there.
    room: (Sender<()>, Receiver<()>),
    /// Messages of which good news waits to be told.
    telling: Cell<usize>,
    probing: Cell<bool>,
    /// Looks outside so far: each asks others.
    looks: Cell<usize>,
    /// When somebody last had a lane hurried (SR-21).
    hurried: Cell<Option<Instant>>,
    /// Counts messages of our own, for their ids.
    count: Cell<u32>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

impl Outbound {
    #[must_use]
    pub fn new(parts: Parts) -> Rc<Self> {
        let mut start = [0; 4];
        parts.world.random().fill(&mut start);
        let (world, resolver) = (&parts.world, &parts.resolver);
        let sts = Sts::new(
            Rc::clone(world),
            Rc::clone(resolver),
            parts.store.clone(),
            parts.trust.clone(),
        );
        Rc::new(Self {
            options: RefCell::new(Rc::new(parts.options.clone())),
            bell: bounded(1),
            freed: bounded(1),
            dropped: Cell::new(0),
            policies: Policies::new(Rc::clone(resolver), sts),
            keys: Keys::new(parts.store.clone()),
            srs: srs(&parts.store),
            names: NamesFile::default(),
            network: RefCell::new(Network::new(world.now())),
            uptime: Cell::new(0),
            lanes: RefCell::default(),
            slots: Slots::default(),
            looked: RefCell::default(),
            reading: Semaphore::new(READING),
            wanted: Cell::new(0),
            outcomes: Cell::new(0),
            room: bounded(1),
            telling: Cell::new(0),
            probing: Cell::new(false),
            looks: Cell::new(0),
            hurried: Cell::new(None),
            count: Cell::new(u32::from_le_bytes(start)),
            parts,
        })
    }

    #[must_use]
    pub fn options(&self) -> Rc<Options> {
        Rc::clone(&self.options.borrow())
    }

    /// From the next try on.
    pub fn set_options(&self, options: Options) {
        *self.options.borrow_mut() = Rc::new(options);
        self.wake();
    }

    /// Mail was put into the queue, or what is known of it has changed: hold, retry, pause and the like.
    pub fn wake(&self) {
        let _rung_already = self.bell.0.try_send(());
    }

    /// Ready when mail that waited for a digest is due by itself (LM-11).
    pub async fn freed(&self) {
        let _rung = self.freed.1.recv().await;
    }

    /// How many reports were not made because their message was one already (OQ-4).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Whether there seems to be a network (LM-12).
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.network.borrow().is_up()
    }

    /// Seconds of network-up time by now (LM-12).
    #[must_use]
    pub fn now(&self) -> Uptime {
        let mut network = self.network.borrow_mut();
        if let Some(heard) = self.parts.resolver.heard() {
            network.seen(heard);
        }
        let passed = network.tick(self.parts.world.now());
        let now = self.uptime.get().saturating_add(passed);
        self.uptime.set(now);
        now
    }

    fn next_id(&self) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        queue_id(self.parts.world.time().0, count)
    }

    /// What the store says; where it cannot be read, the log has it.
    #[expect(clippy::unused_self, reason = "reads as what it is told")]
    fn told<T>(&self, found: Result<T, Broken>) -> Option<T> {
        found
            .inspect_err(|broken| log::error!("queue: {broken}"))
            .ok()
    }

    fn begun(&self, outcomes: usize) {
        let before = self.outcomes.get();
        self.outcomes.set(before.saturating_add(outcomes));
    }

    fn outcome_is_kept(&self) {
        self.outcomes.set(self.outcomes.get().saturating_sub(1));
        let _rung_already = self.room.0.try_send(());
    }

    /// Waits until few outcomes are on their way.
    async fn room(&self) {
        let mut waited = false;
        while self.outcomes.get() >= OUTCOMES_MAX {
            waited = self.room.1.recv().await.is_ok();
        }
        if waited {
            // Somebody else may wait as well.
            let _rung_already = self.room.0.try_send(());
        }
    }

    /// An outcome of a lane is kept.
    fn ended(&self, lane: &Rc<Lane>) {
        self.outcome_is_kept();
        self.leave(lane);
    }

    /// Forgets a lane that nobody works on.
    fn leave(&self, lane: &Rc<Lane>) {
        if lane.workers.get() == 0 {
            lane.ready.take();
            if lane.taken() == 0 && !lane.aging.get() {
                let mut lanes = self.lanes.borrow_mut();
                if lanes.get(&lane.name).is_some_and(|it| Rc::ptr_eq(it, lane)) {
                    lanes.remove(&lane.name);
                }
                drop(lanes);
                self.wake();
            }
        }
    }
}
