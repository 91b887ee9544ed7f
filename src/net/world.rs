//! The one seam to the outside: services see clocks and randomness only through it; tests give
//! another.

use std::{fmt::Debug, future::Future, pin::Pin};

use crate::base::{
    random::Random,
    time::{Instant, Time},
};

/// A future that need not be `Send`: everything but the writer runs on one thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The outside world as a service sees it.
pub trait World: Debug {
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// The calendar, as far as it is trusted.
    fn time(&self) -> Time;
    /// Ready once the monotonic clock has reached `until`.
    fn sleep(&self, until: Instant) -> Local<'static, ()>;
    fn random(&self) -> &dyn Random;
}
