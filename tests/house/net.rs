//! A network in one process: a clock that jumps when everybody waits, name servers that answer from a
//! zone, and connections that are socket pairs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::{Async, Timer};
use pillarbox::base::random::Random;
use pillarbox::base::time::{Clock, Instant, Time};
use pillarbox::net::stream::Socket;
use pillarbox::net::world::{Datagrams, Endpoint, Local, World};
use pillarbox::store::Store;
use smol::LocalExecutor;
use smol::future::yield_now;

use crate::dns::Zone;
use crate::journal;

/// When every test begins: Sat, 21 Nov 2026 14:53:35 +0000.
pub const START: i64 = 1_795_272_815;
pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

/// Who asks for names asks here.
pub const NAMES: [u8; 4] = [192, 0, 2, 53];

/// Serves one end of a connection that comes from an address.
pub type Serve = Rc<dyn Fn(Async<UnixStream>, IpAddr) -> Local<'static, ()>>;

/// What is to be found at an address and port; nothing = refused.
#[derive(Clone)]
pub enum Place {
    Serve(Serve),
    /// Packets are dropped.
    Silent,
}

/// The network.
pub struct Net {
    pub clock: Arc<SimClock>,
    sleepers: RefCell<BTreeMap<(u64, u64), Waker>>,
    count: Cell<u64>,
    pub zone: RefCell<Zone>,
    /// Name servers do not answer.
    pub names_silent: Cell<bool>,
    /// No packet leaves anybody's machine.
    pub down: Cell<bool>,
    /// Packets over IPv6 are dropped.
    pub six_silent: Cell<bool>,
    /// Of a connection and of a name server, in milliseconds.
    pub latency: Cell<u64>,
    places: RefCell<BTreeMap<SocketAddr, Place>>,
    /// Connections that are being served.
    open: Cell<usize>,
    /// Who was called, and when in milliseconds.
    pub calls: RefCell<Vec<(u64, SocketAddr)>>,
    /// Questions that somebody had for name servers.
    pub questions: Cell<u64>,
    pub executor: LocalExecutor<'static>,
    stores: RefCell<Vec<Store>>,
    seed: Cell<u64>,
}

/// Milliseconds since the start, and the calendar at that start.
#[derive(Debug)]
pub struct SimClock {
    passed: AtomicU64,
    start: AtomicI64,
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant(self.passed.load(Ordering::SeqCst))
    }

    fn time(&self) -> Time {
        let seconds = i64::try_from(self.now().0 / 1000).unwrap();
        Time(self.start.load(Ordering::SeqCst) + seconds)
    }
}

impl SimClock {
    /// Somebody sets the calendar.
    pub fn set(&self, time: i64) {
        let seconds = i64::try_from(self.now().0 / 1000).unwrap();
        self.start.store(time - seconds, Ordering::SeqCst);
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

/// Plays one test. One at a time: the process has one reactor, and we look whether anything moves.
pub fn play<F: Future<Output = ()>>(test: impl FnOnce(Rc<Net>) -> F) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // One thread, so that a task there is a barrier.
    blocking::set_max_blocking_threads(std::num::NonZeroUsize::MIN);
    journal::begin();
    let net = Rc::new(Net {
        clock: Arc::new(SimClock {
            passed: AtomicU64::new(1000),
            start: AtomicI64::new(START),
        }),
        sleepers: RefCell::default(),
        count: Cell::new(0),
        zone: RefCell::default(),
        names_silent: Cell::new(false),
        down: Cell::new(false),
        six_silent: Cell::new(false),
        latency: Cell::new(0),
        places: RefCell::default(),
        open: Cell::new(0),
        calls: RefCell::default(),
        questions: Cell::new(0),
        executor: LocalExecutor::new(),
        stores: RefCell::default(),
        seed: Cell::new(1),
    });
    let _told = Told;
    async_io::block_on(test(net));
}

/// Tells the log of a test that fails.
struct Told;

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in journal::all() {
                eprintln!("{line}");
            }
        }
    }
}

impl Net {
    pub fn now(&self) -> u64 {
        self.clock.now().0
    }

    /// Something is at this address from now on.
    pub fn place(&self, at: &str, place: Place) {
        let at = at.parse().unwrap_or_else(|_| panic!("{at}"));
        self.places.borrow_mut().insert(at, place);
    }

    /// More lines for the zone.
    pub fn names(&self, zone: &str) {
        let mut held = self.zone.borrow_mut();
        for line in zone.lines() {
            held.add(line.trim());
        }
    }

    /// A stranger's connection to a server.
    pub fn stranger(self: &Rc<Self>, at: &str) -> Async<UnixStream> {
        let Some(Place::Serve(serve)) = self.places.borrow().get(&at.parse().unwrap()).cloned()
        else {
            panic!("nobody at {at}");
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.serve(serve, Async::new(theirs).unwrap(), [192, 0, 2, 99].into());
        Async::new(ours).unwrap()
    }

    fn serve(self: &Rc<Self>, serve: Serve, stream: Async<UnixStream>, from: IpAddr) {
        let net = self.clone();
        net.open.set(net.open.get() + 1);
        let served = async move {
            let _open = Open(net);
            serve(stream, from).await;
        };
        self.executor.spawn(served).detach();
    }

    /// Waited for before the clock moves.
    pub fn settles(&self, store: Store) {
        self.stores.borrow_mut().push(store);
    }

    /// How often somebody called there.
    pub fn called(&self, at: &str) -> usize {
        let at: SocketAddr = at.parse().unwrap();
        let calls = self.calls.borrow();
        calls.iter().filter(|(_, to)| *to == at).count()
    }

    /// Everything moves that can move without time passing.
    #[expect(
        clippy::disallowed_methods,
        reason = "sockets of the kernel, in real time"
    )]
    pub async fn settle(&self) {
        let mut quiet = 0;
        loop {
            self.tick();
            let stores = self.stores.borrow().clone();
            for store in stores {
                store.settle().await.unwrap();
            }
            blocking::unblock(|| ()).await;
            let busy = self.open.get() > 0;
            if busy {
                Timer::after(Duration::from_micros(100)).await;
            }
            for _ in 0..2 {
                yield_now().await;
            }
            let moved = self.tick();
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet >= if busy { 3 } else { 1 } {
                return;
            }
        }
    }

    fn tick(&self) -> bool {
        let mut count: u32 = 0;
        while self.executor.try_tick() {
            count += 1;
            assert!(count < 10_000_000, "somebody never rests");
        }
        count > 0
    }

    /// Seconds pass, from one thing that happens to the next.
    pub async fn pass(&self, seconds: u64) {
        let end = self.now() + seconds * 1000;
        self.until(end, || false).await;
        self.clock.passed.store(end, Ordering::SeqCst);
        self.settle().await;
    }

    /// Time passes until something is so, at most so many seconds: whether it is.
    pub async fn wait(&self, seconds: u64, done: impl FnMut() -> bool) -> bool {
        let end = self.now() + seconds * 1000;
        self.until(end, done).await
    }

    async fn until(&self, end: u64, mut done: impl FnMut() -> bool) -> bool {
        loop {
            self.settle().await;
            if done() {
                return true;
            }
            let next = self
                .sleepers
                .borrow()
                .first_key_value()
                .map(|(key, _)| key.0);
            match next {
                Some(at) if at <= end => {
                    let at = at.max(self.now());
                    self.clock.passed.store(at, Ordering::SeqCst);
                    self.wake(at);
                }
                _ => return false,
            }
        }
    }

    fn wake(&self, now: u64) {
        let due = {
            let mut sleepers = self.sleepers.borrow_mut();
            let later = sleepers.split_off(&(now + 1, 0));
            std::mem::replace(&mut *sleepers, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    fn next(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    pub fn sleep(self: &Rc<Self>, until: u64) -> Sleep {
        Sleep {
            net: self.clone(),
            key: (until, self.next()),
        }
    }

    fn random(&self, octets: &mut [u8]) {
        for octet in octets {
            let x = self.seed.get().wrapping_mul(6_364_136_223_846_793_005);
            self.seed.set(x.wrapping_add(1_442_695_040_888_963_407));
            *octet = x.to_be_bytes()[0];
        }
    }

    async fn connect(self: Rc<Self>, from: IpAddr, to: SocketAddr) -> io::Result<Socket> {
        if self.down.get() {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        self.calls.borrow_mut().push((self.now(), to));
        if self.latency.get() > 0 {
            self.sleep(self.now() + self.latency.get()).await;
        }
        if to.is_ipv6() && self.six_silent.get() {
            return pending().await;
        }
        let place = self.places.borrow().get(&to).cloned();
        match place {
            // ECONNREFUSED, worded as the kernel's.
            None => Err(io::Error::from_raw_os_error(111)),
            Some(Place::Silent) => pending().await,
            Some(Place::Serve(serve)) => {
                let (ours, theirs) = UnixStream::pair()?;
                let (ours, theirs) = (Async::new(ours)?, Async::new(theirs)?);
                self.serve(serve, theirs, from);
                Ok(Socket::Unix(ours))
            }
        }
    }
}

struct Open(Rc<Net>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Until the clock has come so far.
pub struct Sleep {
    net: Rc<Net>,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.net.now() >= self.key.0 {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        self.net.sleepers.borrow_mut().insert(self.key, waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.net.sleepers.borrow_mut().remove(&self.key);
    }
}

/// The network as one machine sees it.
#[derive(Debug)]
pub struct Outside {
    pub net: Rc<Net>,
    pub ip: IpAddr,
}

impl World for Outside {
    fn now(&self) -> Instant {
        self.net.clock.now()
    }

    fn time(&self) -> Time {
        self.net.clock.time()
    }

    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        if until == Instant::NEVER {
            return Box::pin(pending());
        }
        Box::pin(self.net.sleep(until.0))
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn connect(&self, to: &Endpoint) -> Local<'static, io::Result<Socket>> {
        match to {
            Endpoint::Tcp(to) => Box::pin(self.net.clone().connect(self.ip, *to)),
            Endpoint::Unix(_) => Box::pin(ready(Err(io::ErrorKind::NotFound.into()))),
        }
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        self.net.questions.set(self.net.questions.get() + 1);
        if self.net.down.get() {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        Ok(Box::new(Letters {
            net: self.net.clone(),
            coming: RefCell::default(),
        }))
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        vec![self.ip, [127, 0, 0, 1].into()]
    }
}

impl Random for Outside {
    fn fill(&self, octets: &mut [u8]) {
        self.net.random(octets);
    }
}

/// Datagrams to and from a name server.
#[derive(Debug)]
struct Letters {
    net: Rc<Net>,
    coming: RefCell<Vec<(u64, Vec<u8>)>>,
}

impl Datagrams for Letters {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>> {
        let net = &self.net;
        if !net.names_silent.get() {
            let sent = net.zone.borrow().respond(octets, false);
            let at = net.now() + sent.after + net.latency.get();
            let messages = sent.messages.into_iter().rev();
            let messages = messages.map(|message| (at, message));
            self.coming.borrow_mut().extend(messages);
        }
        Box::pin(ready(Ok(())))
    }

    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>> {
        Box::pin(async {
            let next = self.coming.borrow_mut().pop();
            match next {
                Some((at, octets)) => {
                    self.net.sleep(at).await;
                    Ok(octets)
                }
                None => poll_fn(|_| Poll::Pending).await,
            }
        })
    }
}
