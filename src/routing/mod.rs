//! Where an address leads: pure judgement that looks things up through [`Directory`].

pub mod class;
pub mod directory;
pub mod resolve;

pub use class::{Class, Place};
pub use directory::{Directory, LookupFailed};
pub use resolve::{Options, Resolution, resolve, resolve_postmaster};
