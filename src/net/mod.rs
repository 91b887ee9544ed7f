//! The outside world: sockets, clocks, randomness, TLS.

pub mod drive;
pub mod world;
