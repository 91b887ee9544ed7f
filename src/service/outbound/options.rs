//! What the admin chose about mail that leaves.

use std::{net::SocketAddr, path::PathBuf};

use crate::{routing, schedule};

/// Connections to one destination at once: more would be rude to a stranger's server.
pub const PER_DESTINATION: usize = 5;

/// A reload swaps it ([`Outbound::set_options`](super::Outbound::set_options)).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Our own name, in EHLO and in reports.
    pub hostname: String,
    /// Without what the file of aliases says.
    pub routing: routing::Options,
    /// The file of aliases (LM-2): reports go by it too.
    pub aliases: Option<PathBuf>,
    /// `queue.*`.
    pub schedule: schedule::Options,
    /// `limit.deliveries`: connections at once.
    pub deliveries: usize,
    pub per_destination: usize,
    /// Where our own MX listens: mail that would go there has come back (OQ-1).
    pub mx: Vec<SocketAddr>,
    /// Refusals for good are treated as ones for now (OQ-5).
    pub soft_bounce: bool,
}

impl Options {
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            routing: routing::Options::default(),
            aliases: None,
            schedule: schedule::Options {
                first_retry: 300,
                max_retry: 14_400,
                warn_after: 14_400,
                give_up: 432_000,
            },
            deliveries: 5,
            per_destination: PER_DESTINATION,
            mx: vec![([0; 8], 25).into()],
            soft_bounce: false,
        }
    }
}
