//! Where an address leads: pure judgement that looks things up through [`Directory`].
//! `docs/routing.md` has the order in one table.

pub mod alias;
pub mod class;
pub mod directory;
mod keys;
pub mod names;
pub mod nexthop;
pub mod options;
pub mod route;
pub mod step;
pub mod transport;
mod walk;

#[cfg(test)]
mod tests;

pub use alias::{AliasProblem, check_alias, check_aliases};
pub use class::Class;
pub use directory::{Directory, Forward, LookupFailed};
pub use nexthop::{NextHop, Way, nexthop};
pub use options::Options;
pub use route::{Destination, Refusal, Rights, Routed, owns, route};
pub use step::Step;
