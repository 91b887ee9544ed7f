//! Values that every room may use: machines, time, numbers that name things, secrets.

pub mod id;
pub mod line;
pub mod machine;
pub mod memory;
pub mod network;
pub mod random;
pub mod ranges;
pub mod secret;
pub mod time;
