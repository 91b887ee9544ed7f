//! A store on a simulated disk, and the oracle beside it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use pillarbox::{
    base::{
        id::ContentId,
        ranges::Ranges,
        time::{Clock, Instant, Time},
    },
    store::{
        Body, Broken, Content, Incoming, Opened, Options, Refusal, Reply, Request, Stepped, Store,
        index::{Index, key::Kind, table::Rows},
        tidy::Next,
    },
};

use crate::{
    client::{self, Clients},
    disk::{Outcome, SimDisk, State},
    model::{self, Model, TIME, View, Wish, text},
};

/// Small segments, so that a short run has many.
pub const SEGMENT: u32 = 256 * 1024;
const SECRET: [u8; 16] = *b"of this store...";

#[derive(Debug, Default)]
pub struct FakeClock(pub AtomicU64);

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }

    fn time(&self) -> Time {
        Time(TIME)
    }
}

pub fn options(clock: &Arc<FakeClock>) -> Options {
    Options {
        cache: 1024 * 1024,
        message_size: 1024 * 1024,
        tiny: true,
        segment: SEGMENT,
        secret: SECRET,
        folders: 100,
        keywords: 100,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    }
}

/// What was acknowledged, and what may be there beside it.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub acknowledged: Model,
    /// Nobody was told whether these are there.
    pub maybe: Vec<Model>,
    pub in_flight: Vec<Wish>,
    /// Nobody waits for these: those at the front may be there.
    pub lazy: Vec<Wish>,
    pub clients: Clients,
    /// Of what is in flight any part may be there, not only the first so many (some may have failed).
    pub any_part: bool,
}

impl Oracle {
    /// The states that may be found now.
    pub fn allowed(&self) -> Vec<Model> {
        let mut out = vec![self.acknowledged.clone()];
        for wish in self.lazy.iter().chain(&self.in_flight) {
            let from = if self.any_part { 0 } else { out.len() - 1 };
            for at in from..out.len() {
                let mut next = out[at].clone();
                if next.apply(wish).is_some() {
                    out.push(next);
                }
            }
        }
        out.extend(self.maybe.iter().cloned());
        out
    }

    /// The model of what was found.
    pub fn matching(&self, view: &View) -> Option<Model> {
        self.allowed().into_iter().find(|model| model.view == *view)
    }
}

/// What the store says to wishes that come together.
pub type Answers = Result<Vec<Result<Reply, Refusal>>, String>;

/// For wishes whose content is all there.
pub fn no_bodies(wishes: &[Wish]) -> Vec<Option<Body>> {
    wishes.iter().map(|_| None).collect()
}

/// A run of the store.
pub struct World {
    pub disk: SimDisk,
    pub clock: Arc<FakeClock>,
    pub stepped: Option<Stepped>,
    pub oracle: Arc<Mutex<Oracle>>,
    pub streams: BTreeMap<u64, (Incoming, usize, usize)>,
    /// Errors are injected: the store may say no.
    pub faulty: bool,
    pub said: Said,
}

/// How often it said what.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub yes: u64,
    pub no: u64,
    pub full: u64,
    pub unknown: u64,
}

impl World {
    pub fn new(state: State) -> Self {
        Self {
            disk: SimDisk::new(state),
            clock: Arc::default(),
            stepped: None,
            oracle: Arc::default(),
            streams: BTreeMap::new(),
            faulty: false,
            said: Said::default(),
        }
    }

    pub fn open(&mut self) -> Result<Opened, Broken> {
        let stepped =
            Store::open_stepped(Arc::new(self.disk.clone()), options(&self.clock), false)?;
        let opened = stepped.opened.clone();
        self.stepped = Some(stepped);
        Ok(opened)
    }

    pub fn oracle(&self) -> std::sync::MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn view(&self) -> View {
        self.oracle().acknowledged.view.clone()
    }

    pub fn store(&self) -> Store {
        self.stepped.as_ref().unwrap().store.clone()
    }

    fn turn(&mut self) {
        let stepped = self.stepped.as_mut().unwrap();
        let jobs = stepped.jobs.try_iter().collect();
        stepped.writer.run(jobs);
    }

    /// Runs a future while the writer does what it asks for.
    pub fn drive<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
            self.turn();
        }
    }

    /// Asks for all wishes at once and compares the answers with the oracle.
    pub fn ask(&mut self, wishes: &[Wish]) -> Result<(), String> {
        self.ask_with(wishes, no_bodies(wishes))
    }

    pub fn ask_with(&mut self, wishes: &[Wish], bodies: Vec<Option<Body>>) -> Result<(), String> {
        if self.disk.lock().dead {
            return Err("no power".to_owned());
        }
        {
            let mut oracle = self.oracle();
            oracle.in_flight = wishes.to_vec();
            oracle.any_part = self.faulty;
        }
        let answers = self.requests(wishes, bodies)?;
        self.judge(wishes, &answers)
    }

    /// Asks for all wishes at once.
    pub fn requests(&mut self, wishes: &[Wish], bodies: Vec<Option<Body>>) -> Answers {
        let store = self.store();
        let mut context = Context::from_waker(Waker::noop());
        let mut futures: Vec<_> = wishes
            .iter()
            .zip(bodies)
            .map(|(wish, body)| Box::pin(store.request(wish.request(body))))
            .collect();
        for future in &mut futures {
            assert!(future.as_mut().poll(&mut context).is_pending());
        }
        self.turn();
        let mut answers = Vec::new();
        for mut future in futures {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(answer) => answers.push(answer),
                Poll::Pending => return Err("a request was not answered".to_owned()),
            }
        }
        Ok(answers)
    }

    /// Compares answers with the oracle and notes what was acknowledged.
    fn judge(&mut self, wishes: &[Wish], answers: &[Result<Reply, Refusal>]) -> Result<(), String> {
        let dead = self.disk.lock().dead;
        if dead {
            // Nobody hears an answer any more; what is in flight stays so.
            return Ok(());
        }
        let mut said = std::mem::take(&mut self.said);
        let mut oracle = self.oracle.lock().unwrap();
        let before = oracle.acknowledged.clone();
        for wish in std::mem::take(&mut oracle.lazy) {
            // What it was for may be gone.
            let _ = oracle.acknowledged.apply(&wish);
        }
        let mut unknown = Vec::new();
        for (wish, answer) in wishes.iter().zip(answers) {
            let mut next = oracle.acknowledged.clone();
            let expected = next.apply(wish).is_some();
            match answer {
                Ok(reply) if expected => {
                    flagged(&oracle.acknowledged, wish, reply)?;
                    said.yes += 1;
                    if next != oracle.acknowledged {
                        oracle.acknowledged = next;
                        oracle.maybe.clear();
                        unknown.clear();
                    }
                }
                Err(Refusal::Unknown) => {
                    said.unknown += 1;
                    unknown.push(wish.clone());
                }
                Err(Refusal::Broken(_)) if self.faulty => said.no += 1,
                Err(Refusal::Full) if self.faulty => said.full += 1,
                Err(
                    Refusal::Changed
                    | Refusal::Exists
                    | Refusal::Name
                    | Refusal::NoDomain
                    | Refusal::NoEntry
                    | Refusal::NoFolder
                    | Refusal::NoUser,
                ) if !expected => {}
                other => return Err(format!("{wish:?} was answered with {other:?}")),
            }
        }
        oracle.in_flight.clear();
        let now = oracle.acknowledged.view.clone();
        oracle.clients.see(&before.view, &now);
        if !unknown.is_empty() {
            let guess = Oracle {
                acknowledged: oracle.acknowledged.clone(),
                maybe: Vec::new(),
                in_flight: unknown,
                any_part: true,
                ..Oracle::default()
            };
            oracle.maybe.extend(guess.allowed());
        }
        drop(oracle);
        self.said = said;
        Ok(())
    }

    /// A FETCH sets \Seen: the answer comes at once.
    pub fn see(&mut self, folder: u32, uids: Ranges) {
        self.aside(Wish::Seen(folder, uids));
    }

    /// What nobody waits for; left out where a failure may take any part of it.
    pub fn aside(&mut self, wish: Wish) {
        if self.faulty {
            return;
        }
        let store = self.store();
        let mut asked = pin!(store.request(wish.request(None)));
        let mut context = Context::from_waker(Waker::noop());
        let answer = asked.as_mut().poll(&mut context);
        assert!(matches!(answer, Poll::Ready(Ok(Reply::Done))));
        self.oracle().lazy.push(wish);
    }

    /// Stores filters for some contents that have none.
    pub fn filter(&mut self, from: u64, most: usize) -> Result<(), String> {
        let store = self.store();
        let broken = |error: Broken| error.to_string();
        let ids = match store.read(|reader| reader.unfiltered(ContentId(from), most)) {
            Err(_) if self.faulty => return Ok(()),
            ids => ids.map_err(broken)?,
        };
        let filters = ids.into_iter().map(|id| (id, client::filter_of(id)));
        let request = Request::Filters(filters.collect());
        match self.drive(store.request(request)) {
            Err(error) if !self.faulty && !self.disk.lock().dead => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Content of `size` octets begins to arrive.
    pub fn begin_stream(&mut self, tag: u64, size: usize) {
        let incoming = self.store().incoming();
        self.streams.insert(tag, (incoming, size, 0));
    }

    /// The next `octets` of it arrive; the last ones end in a delivery to `users`.
    pub fn push_stream(&mut self, tag: u64, octets: usize, users: &[u32]) -> Result<(), String> {
        let (mut incoming, size, sent) = self.streams.remove(&tag).unwrap();
        let all = text(tag, size);
        let upto = (sent + octets).min(all.len());
        let pushed = self.drive(incoming.write(&all[sent..upto]));
        if !self.push_went_well(pushed.map(drop))? {
            return Ok(());
        }
        if upto < all.len() {
            self.streams.insert(tag, (incoming, size, upto));
            return Ok(());
        }
        let body = self.drive(incoming.finish());
        let body = match body {
            Ok(body) => body,
            Err(error) => return self.push_went_well(Err(error)).map(drop),
        };
        let wish = Wish::Deliver(tag, size, users.to_vec());
        self.ask_with(&[wish], vec![Some(body)])
    }

    fn push_went_well(&self, pushed: Result<(), Refusal>) -> Result<bool, String> {
        match pushed {
            Ok(()) => Ok(true),
            Err(_) if self.faulty || self.disk.lock().dead => Ok(false),
            Err(error) => Err(format!("a stream was answered with {error:?}")),
        }
    }

    /// Nothing is left of folders that are gone.
    pub fn clean(&mut self) {
        while self.stepped.as_mut().unwrap().writer.clean() {}
    }

    /// Housekeeping until nothing is due; `most` steps.
    pub fn housekeep(&mut self, most: usize) -> Next {
        let mut next = Next::Idle;
        for _ in 0..most {
            next = self.stepped.as_mut().unwrap().writer.housekeep();
            if next != Next::Now {
                break;
            }
        }
        next
    }

    pub fn pass(&mut self, milliseconds: u64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Compares what the store shows with what was acknowledged.
    pub fn compare(&self) -> Result<(), String> {
        let view = model::view(&self.store(), false)?;
        let oracle = self.oracle();
        if oracle.matching(&view).is_some() {
            client::filters(&self.store())?;
            return oracle.clients.come_back(&self.store(), &view);
        }
        Err(differences(&oracle.acknowledged.view, &view))
    }

    /// The process ends at once; the disk is as it is.
    pub fn kill(&mut self) {
        self.disk.lock().dead = true;
        self.streams.clear();
        self.stepped = None;
        let state = self.disk.state();
        let mut old = self.disk.lock();
        let (total, ops, lie) = (old.total, old.ops, old.lie);
        old.hook = None;
        drop(old);
        let dice = self.disk.lock().dice.clone();
        self.disk = SimDisk::new(state);
        let mut new = self.disk.lock();
        (new.total, new.ops, new.lie, new.dice) = (total, ops, lie, dice);
    }

    /// The power goes.
    pub fn cut(&mut self, outcome: Outcome) {
        self.kill();
        let mut inner = self.disk.lock();
        let mut dice = inner.dice.clone();
        let odd = dice.coin();
        inner.state.cut(outcome, odd, &mut dice);
        inner.dice = dice;
    }

    /// The end of a life: orderly.
    pub fn close(&mut self) {
        self.streams.clear();
        if let Some(mut stepped) = self.stepped.take() {
            stepped.writer.close();
        }
    }

    /// After a start: what is there has to be what the oracle allows, and becomes what was
    /// acknowledged.
    pub fn settle(&mut self, opened: &Opened) -> Result<(), String> {
        if opened.lost > 0 || !opened.damage.is_empty() {
            return Err(format!("the start reports {opened:?}"));
        }
        let view = model::view(&self.store(), false)?;
        let mut oracle = self.oracle();
        let Some(found) = oracle.matching(&view) else {
            return Err(format!(
                "not a state that was: {}",
                differences(&oracle.acknowledged.view, &view)
            ));
        };
        client::filters(&self.store())?;
        oracle.clients.come_back(&self.store(), &view)?;
        oracle.acknowledged = found;
        oracle.lazy.clear();
        oracle.maybe.clear();
        oracle.in_flight.clear();
        Ok(())
    }
}

/// A STORE names exactly the messages that it left alone.
fn flagged(before: &Model, wish: &Wish, reply: &Reply) -> Result<(), String> {
    if let Wish::FlagSince(folder, uids, _, since) = wish {
        let expected = before.view.later(*folder, uids, *since);
        return match reply {
            Reply::Flagged { failed, .. } if *failed == expected => Ok(()),
            other => Err(format!("{wish:?} fails for {expected:?}, not {other:?}")),
        };
    }
    Ok(())
}

/// Where two views differ, in short.
pub fn differences(expected: &View, found: &View) -> String {
    let mut out = Vec::new();
    if expected.domains != found.domains {
        out.push(format!(
            "domains {:?} / {:?}",
            expected.domains, found.domains
        ));
    }
    if expected.users != found.users {
        out.push(format!("users {:?} / {:?}", expected.users, found.users));
    }
    if expected.people != found.people {
        out.push(format!("people {:?} / {:?}", expected.people, found.people));
    }
    if expected.aliases != found.aliases {
        out.push(format!(
            "aliases {:?} / {:?}",
            expected.aliases, found.aliases
        ));
    }
    if expected.queue != found.queue {
        out.push(format!("queue {:?} / {:?}", expected.queue, found.queue));
    }
    if (&expected.lanes, expected.uptime) != (&found.lanes, found.uptime) {
        out.push(format!(
            "lanes {:?} at {} / {:?} at {}",
            expected.lanes, expected.uptime, found.lanes, found.uptime
        ));
    }
    if expected.settings != found.settings {
        out.push(format!(
            "settings {:?} / {:?}",
            expected.settings, found.settings
        ));
    }
    if expected.subscriptions != found.subscriptions {
        out.push("subscriptions".to_owned());
    }
    for id in expected.folders.keys().chain(found.folders.keys()) {
        let (a, b) = (expected.folders.get(id), found.folders.get(id));
        if a != b {
            let short = |folder: Option<&model::FolderView>| {
                folder.map(|f| {
                    let uids: Vec<_> = f
                        .messages
                        .iter()
                        .map(|(uid, m)| (*uid, m.tag, m.flags, m.modseq))
                        .collect();
                    (f.name.clone(), f.validity, f.uid_next, f.modseq, uids)
                })
            };
            out.push(format!("folder {id}: {:?} / {:?}", short(a), short(b)));
        }
    }
    out.dedup();
    out.join("; ")
}

/// All rows, by key; summaries left out.
pub fn rows(disk: &SimDisk) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let disk: Arc<dyn pillarbox::store::Disk> = Arc::new(disk.clone());
    let (index, anew) = Index::open(&disk, 1024 * 1024).map_err(|error| error.to_string())?;
    if anew {
        return Err("the index is not there".to_owned());
    }
    let mut out = BTreeMap::new();
    let snapshot = index.snapshot().map_err(|error| error.to_string())?;
    let scanned = snapshot.scan(&[0], &[0xff], &mut |key, value| {
        if key.first() != Some(&Kind::Summary.letter()) {
            out.insert(key.to_vec(), value.to_vec());
        }
        Ok(std::ops::ControlFlow::Continue(()))
    });
    scanned.map_err(|error| error.to_string())?;
    Ok(out)
}

/// Content that is held open.
pub fn held(store: &Store, folder: u32, uid: u32) -> Result<Content, String> {
    use pillarbox::base::id::{FolderId, Uid};
    let row = store
        .read(|reader| reader.message(FolderId(folder), Uid(uid)))
        .map_err(|error| error.to_string())?
        .ok_or("no message")?;
    let content = store.content(row.content);
    content
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "no content".to_owned())
}
