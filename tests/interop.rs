//! Real programs against the real binary: each test starts a box of its own in a temporary folder with
//! ports on loopback, and ends it by its process id. Everything is bounded in time. A program that is
//! missing fails its test; `scripts/check` installs them all.
//!
//! `PILLARBOX_BINARY` names another build to test. `PILLARBOX_NO_MOUNT=1` leaves out, and only then,
//! what needs root and a loop device (the full disk).

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test looks at the clock and ends where something fails"
)]

#[path = "interop/clients.rs"]
mod clients;
#[path = "interop/curl.rs"]
mod curl;
#[path = "interop/day.rs"]
mod day;
#[path = "interop/disk.rs"]
mod disk;
#[path = "interop/dkim.rs"]
mod dkim;
#[path = "interop/hostile.rs"]
mod hostile;
#[path = "interop/house.rs"]
mod house;
#[path = "interop/interimap.rs"]
mod interimap;
#[path = "interop/kill.rs"]
mod kill;
#[path = "interop/local.rs"]
mod local;
#[path = "interop/mbsync.rs"]
mod mbsync;
#[path = "interop/neomutt.rs"]
mod neomutt;
#[path = "interop/nets.rs"]
mod nets;
#[path = "interop/offlineimap.rs"]
mod offlineimap;
#[path = "interop/outbound.rs"]
mod outbound;
#[path = "interop/pop3.rs"]
mod pop3;
#[path = "interop/programs.rs"]
mod programs;
#[path = "interop/python.rs"]
mod python;
#[path = "interop/relay.rs"]
mod relay;
#[path = "interop/submission.rs"]
mod submission;
#[path = "interop/talk.rs"]
mod talk;
#[path = "interop/trial.rs"]
mod trial;
