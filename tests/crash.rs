//! Power cuts, killed processes and failing disks, at every operation: what was acknowledged is there,
//! and nothing else is (`store.md`, last section).
//!
//! A failure prints `CRASH_SEED=… CRASH_OP=… CRASH_OUTCOME=…`; with these in the environment the same
//! test plays only that.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends where something is not as it has to be"
)]

#[path = "crash/check.rs"]
mod check;
#[path = "crash/client.rs"]
mod client;
#[path = "crash/controls.rs"]
mod controls;
#[path = "crash/crowd.rs"]
mod crowd;
#[path = "crash/cuts.rs"]
mod cuts;
#[path = "crash/damage.rs"]
mod damage;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/faults.rs"]
mod faults;
#[path = "crash/folders.rs"]
mod folders;
#[path = "crash/full.rs"]
mod full;
#[path = "crash/journal.rs"]
mod journal;
#[path = "crash/lanes.rs"]
mod lanes;
#[path = "crash/model.rs"]
mod model;
#[path = "crash/numbers.rs"]
mod numbers;
#[path = "crash/octets.rs"]
mod octets;
#[path = "crash/parse.rs"]
mod parse;
#[path = "crash/queue.rs"]
mod queue;
#[path = "crash/quota.rs"]
mod quota;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/script.rs"]
mod script;
#[path = "crash/tables.rs"]
mod tables;
#[path = "crash/view.rs"]
mod view;
#[path = "crash/world.rs"]
mod world;
