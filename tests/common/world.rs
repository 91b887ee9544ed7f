//! A world without surprises: time stands still until somebody moves it.

use std::cell::Cell;
use std::future::ready;

use pillarbox::base::random::Random;
use pillarbox::base::time::{Instant, Time};
use pillarbox::net::world::{Local, World};

/// When every test begins: Sat, 21 Nov 2026 14:53:35 +0000.
pub const START: Time = Time(1_795_272_815);

#[derive(Debug, Default)]
pub struct TestWorld {
    now: Cell<Instant>,
    seed: Cell<u64>,
}

impl TestWorld {
    /// Time passes.
    pub fn pass(&self, seconds: u64) {
        self.now.set(self.now.get().plus_seconds(seconds));
    }
}

impl World for TestWorld {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn time(&self) -> Time {
        let passed = self.now.get().since(Instant(0)).as_secs();
        Time(START.0 + i64::try_from(passed).unwrap())
    }

    /// Who sleeps makes time pass: nobody else would.
    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        if until == Instant::NEVER {
            return Box::pin(std::future::pending());
        }
        self.now.set(self.now.get().max(until));
        Box::pin(ready(()))
    }

    fn random(&self) -> &dyn Random {
        self
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
