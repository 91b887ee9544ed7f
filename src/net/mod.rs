//! The outside world: sockets, clocks, randomness, TLS.

pub mod certificate;
mod deflated;
pub mod drive;
pub mod file;
pub mod house;
mod interfaces;
pub mod listen;
pub mod neighbours;
pub mod pairs;
pub mod resolve;
pub mod stream;
pub mod tls;
pub mod trust;
pub mod world;
pub mod x509;
