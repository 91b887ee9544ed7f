//! When the queue tries again, how many at once, and when it gives up. Values in, values out; all times
//! are seconds of network-up time unless they say otherwise.

/// What the admin chose (`queue.*`), in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Options {
    pub first_retry: u64,
    pub max_retry: u64,
    /// 0 = never.
    pub warn_after: u64,
    pub give_up: u64,
}

impl Options {
    /// The pause after so many tries (or failures in a row, of a lane): doubles from `first_retry` to
    /// `max_retry`. The first try is 1.
    #[must_use]
    pub fn pause(&self, tries: u32) -> u64 {
        let doubled = 1_u64
            .checked_shl(tries.saturating_sub(1))
            .unwrap_or(u64::MAX);
        self.first_retry.saturating_mul(doubled).min(self.max_retry)
    }
}
