//! Whether there is a network, and for how long there has been one (LM-12). Monotonic time in, seconds
//! of network-up time out: no calendar, so a clock that is set does not age mail.

use crate::base::time::Instant;

/// Without a success for so long, and with failures, the network is down. Milliseconds.
const DOWN_AFTER: u64 = 600_000;
/// While it is down one look each so often. Milliseconds.
const PROBE_EVERY: u64 = 30_000;

/// What attempts say about the network. It is taken to be up at start.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// The last success, or the start.
    success: Instant,
    /// The first attempt that failed since then.
    failing: bool,
    /// When the next probe is, while it is down.
    probe: Option<Instant>,
    /// Up to when up-time has been given out.
    told: Instant,
    /// Milliseconds of up-time that are no whole second yet.
    rest: u64,
}

impl Network {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            success: now,
            failing: false,
            probe: None,
            told: now,
            rest: 0,
        }
    }

    /// Something came from outside: a connection was made, DNS answered (that a name is not there, too).
    /// True: the network was down, and is back. What [`Network::tick`] gives is to be taken before.
    pub fn success(&mut self, now: Instant) -> bool {
        let back = self.probe.take().is_some();
        if back {
            // What was down does not count.
            self.told = now;
        }
        self.success = now;
        self.failing = false;
        back
    }

    /// An attempt failed without a word from outside.
    pub fn failure(&mut self, now: Instant) {
        self.failing = true;
        match self.probe {
            Some(_) => self.probe = Some(Instant(now.0.saturating_add(PROBE_EVERY))),
            None if now.0.saturating_sub(self.success.0) >= DOWN_AFTER => {
                self.probe = Some(Instant(now.0.saturating_add(PROBE_EVERY)));
            }
            None => {}
        }
    }

    #[must_use]
    pub fn is_up(&self) -> bool {
        self.probe.is_none()
    }

    /// When to look again; `None` while it is up.
    #[must_use]
    pub fn next_probe(&self) -> Option<Instant> {
        self.probe
    }

    /// Whole seconds of network-up time since the last tick. Nothing while it is down.
    pub fn tick(&mut self, now: Instant) -> u64 {
        let passed = now.0.saturating_sub(self.told.0);
        self.told = now.max(self.told);
        if !self.is_up() {
            return 0;
        }
        let all = self.rest.saturating_add(passed);
        self.rest = all % 1000;
        all / 1000
    }
}
