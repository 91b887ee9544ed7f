//! Whole appliances in one process, on a network that is simulated together with its name servers and
//! its clock: days pass in milliseconds. Each test says what goes wrong and what has to come of it.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "house/clock.rs"]
mod clock;
#[path = "house/delivery.rs"]
mod delivery;
#[allow(dead_code, reason = "others use the rest")]
#[path = "common/disk.rs"]
mod disk;
#[path = "common/dns.rs"]
mod dns;
#[allow(dead_code, reason = "others use the rest")]
#[path = "common/journal.rs"]
mod journal;
#[path = "house/net.rs"]
mod net;
#[path = "house/offline.rs"]
mod offline;
#[path = "house/peer.rs"]
mod peer;
#[path = "house/reports.rs"]
mod reports;
#[path = "house/site.rs"]
mod site;
#[path = "house/terms.rs"]
mod terms;
#[path = "house/web.rs"]
mod web;
