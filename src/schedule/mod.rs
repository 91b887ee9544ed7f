//! When the queue tries again, how many at once, and when it gives up. Values in, values out; all times
//! are seconds of network-up time unless they say otherwise.

mod network;
mod window;

pub use network::Network;
pub use window::Window;

/// What the admin chose (`queue.*`), in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Options {
    pub first_retry: u64,
    pub max_retry: u64,
    /// 0 = never.
    pub warn_after: u64,
    pub give_up: u64,
}

/// What has to be done about the age of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It has failed (status 4.4.7).
    GiveUp,
    /// Nothing.
    Keep,
    /// Its sender is told, once, that it is late (OQ-3).
    Warn,
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

/// Judges a message by its age: seconds of network-up time since it arrived.
#[must_use]
pub fn judge(age: u64, warned: bool, options: &Options) -> Verdict {
    if age >= options.give_up {
        Verdict::GiveUp
    } else if !warned && options.warn_after > 0 && age >= options.warn_after {
        Verdict::Warn
    } else {
        Verdict::Keep
    }
}

#[cfg(test)]
mod tests;
