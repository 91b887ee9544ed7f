//! Whether there is a network, and for how long there has been one (LM-12). Monotonic time in, seconds
//! of network-up time out: no calendar, so a clock that is set does not age mail.

use crate::base::time::Instant;

/// Without a success for so long, and with failures, nobody believes in the network any more.
/// Milliseconds.
const DOUBT_AFTER: u64 = 600_000;
/// While it is down there is one look each so often. Milliseconds.
const PROBE_EVERY: u64 = 30_000;

/// What attempts say about the network. It is taken to be up at start.
///
/// When there was no success for ten minutes and something failed, a probe is due at once. Only once
/// that has failed it is down, so that one dead host costs a question and no more.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// The last success, or the start.
    success: Instant,
    /// Something has failed since then.
    failing: bool,
    /// When the next probe is, while it is in doubt or down.
    probe: Option<Instant>,
    /// A probe has failed.
    down: bool,
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
            down: false,
            told: now,
            rest: 0,
        }
    }

    /// Something came from outside: a connection was made, DNS answered (that a name is not there, too).
    /// True: the network was down and is back, so that every lane is to be woken.
    pub fn success(&mut self, now: Instant) -> bool {
        let down = std::mem::take(&mut self.down);
        if down {
            // What was not up does not count.
            self.told = now.max(self.told);
        }
        self.probe = None;
        self.success = now;
        self.failing = false;
        down
    }

    /// Somebody outside was heard at `at`, which may be a while ago. While it is not up only what is
    /// told as [`Network::success`] counts.
    pub fn seen(&mut self, at: Instant) {
        if self.is_up() && at > self.success {
            self.success = at;
            self.failing = false;
            self.probe = None;
        }
    }

    /// An attempt ended without a word from outside.
    pub fn failure(&mut self, now: Instant) {
        self.failing = true;
        self.doubt(now);
    }

    /// The same of a probe. True: the network was up, and is down.
    pub fn probe_failed(&mut self, now: Instant) -> bool {
        // What has been heard meanwhile counts more.
        if self.probe.is_none() {
            return false;
        }
        self.probe = Some(now.plus(PROBE_EVERY));
        !std::mem::replace(&mut self.down, true)
    }

    fn doubt(&mut self, now: Instant) {
        let silent = now.0.saturating_sub(self.success.0);
        if self.failing && self.probe.is_none() && silent >= DOUBT_AFTER {
            self.probe = Some(now);
        }
    }

    /// Whether lanes may be tried. What is under way goes on in any case.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.down
    }

    /// When to look again; `None` while nobody doubts. How the look ended is told as
    /// [`Network::success`] or [`Network::probe_failed`].
    #[must_use]
    pub fn next_probe(&self) -> Option<Instant> {
        self.probe
    }

    /// Whole seconds of network-up time since the last tick; nothing while it is not up. To be called
    /// before what may change that is told.
    pub fn tick(&mut self, now: Instant) -> u64 {
        let passed = now.0.saturating_sub(self.told.0);
        self.told = now.max(self.told);
        if !self.is_up() {
            return 0;
        }
        self.doubt(now);
        let all = self.rest.saturating_add(passed);
        self.rest = all % 1000;
        all / 1000
    }
}
