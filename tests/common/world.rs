//! A world without surprises: time stands still until somebody moves it.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pillarbox::base::random::Random;
use pillarbox::base::time::{Clock, Instant, Time};
use pillarbox::net::world::{Datagrams, Local, World};

use super::dns::Zone;

/// When every test begins: Sat, 21 Nov 2026 14:53:35 +0000.
pub const START: Time = Time(1_795_272_815);

#[derive(Debug, Default)]
pub struct TestWorld {
    clock: Arc<TestClock>,
    seed: Cell<u64>,
    /// What name servers know, where there are any.
    pub zone: RefCell<Zone>,
}

/// Datagrams to and from a name server; what it sends is there at once.
#[derive(Debug)]
struct Letters {
    zone: Zone,
    coming: RefCell<Vec<Vec<u8>>>,
}

/// In milliseconds; the store's writer looks at it too.
#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestWorld {
    pub fn clock(&self) -> Arc<TestClock> {
        self.clock.clone()
    }

    /// Time passes.
    pub fn pass(&self, seconds: u64) {
        let then = self.clock.now().plus_seconds(seconds);
        self.clock.0.store(then.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }

    fn time(&self) -> Time {
        let passed = self.now().since(Instant(0)).as_secs();
        Time(START.0 + i64::try_from(passed).unwrap())
    }
}

impl World for TestWorld {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn time(&self) -> Time {
        self.clock.time()
    }

    /// Who sleeps makes time pass: nobody else would.
    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        if until == Instant::NEVER {
            return Box::pin(std::future::pending());
        }
        self.clock.0.fetch_max(until.0, Ordering::SeqCst);
        Box::pin(ready(()))
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(Letters {
            zone: self.zone.borrow().clone(),
            coming: RefCell::default(),
        }))
    }
}

impl Datagrams for Letters {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>> {
        let sent = self.zone.respond(octets, false);
        self.coming.borrow_mut().extend(sent.messages);
        Box::pin(ready(Ok(())))
    }

    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>> {
        let next = self.coming.borrow_mut().pop();
        match next {
            Some(octets) => Box::pin(ready(Ok(octets))),
            None => Box::pin(pending()),
        }
    }
}

impl Random for TestWorld {
    /// The same octets in every run (xorshift64).
    fn fill(&self, octets: &mut [u8]) {
        for octet in octets {
            let mut x = self.seed.get() ^ 0x9e37_79b9_7f4a_7c15;
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            self.seed.set(x);
            *octet = x.to_le_bytes()[3];
        }
    }
}
