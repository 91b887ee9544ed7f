//! How well a connection to a host has to be protected (OQ-9): the admin's word for the destination,
//! else DANE (RFC 7672), else MTA-STS (RFC 8461), else what the host offers.

use std::rc::Rc;

use crate::{
    net::{
        resolve::{Answer, Resolver, Tlsa, Unfound},
        trust::{Verify, usable},
    },
    proto::smtp::client::Tls,
    service::outbound::{
        hosts::Host,
        sts::{self, Mode, Sts},
    },
};

pub use crate::store::directory::TransportTls as Level;

/// What holds for all hosts of a destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TlsPolicy {
    /// What each host has in DNS, and what the domain publishes.
    Published { sts: Option<Rc<sts::Policy>> },
    /// The admin's word (`transport add … --tls`).
    Said(Level),
}

/// How to speak to one host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secure {
    pub tls: Tls,
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
        match (said, domain) {
            (Some(level), _) => TlsPolicy::Said(level),
            (None, Some(domain)) => TlsPolicy::Published {
                sts: self.sts.policy(domain).await,
            },
            (None, None) => TlsPolicy::Published { sts: None },
        }
    }

    /// How to speak to one host at this port. `requiretls`: a message asks for it (RFC 8689). `domain`:
    /// the destination's, for which the certificate may be too (RFC 7672 section 3.2.2).
    ///
    /// # Errors
    ///
    /// Mail cannot go to this host now, in plain words; the next host may do.
    pub async fn host(
        &self,
        policy: &TlsPolicy,
        host: &Host,
        port: u16,
        domain: Option<&str>,
        requiretls: bool,
    ) -> Result<Secure, String> {
        // Records can be believed only if DNS authenticated the way to them (RFC 7672 section 2.2).
        let asks = matches!(policy, TlsPolicy::Published { .. }) && host.authentic;
        let records = if asks {
            let name = format!("_{port}._tcp.{}", host.name);
            tlsa(&host.name, self.resolver.tlsa(&name).await)?
        } else {
            Vec::new()
        };
        judge(policy, host, domain, requiretls, records)
    }
}

/// The authentic records of a host.
fn tlsa(host: &str, answer: Answer<Vec<Tlsa>>) -> Result<Vec<Tlsa>, String> {
    match answer {
        Ok(found) if found.authentic => Ok(found.records),
        Ok(_) | Err(Unfound::NoSuchName) => Ok(Vec::new()),
        // Who suppresses the answer must not gain by it (RFC 7672 section 2.1.2).
        Err(Unfound::NotHere(why) | Unfound::TryAgain(why)) => Err(format!(
            "whether {host} has TLSA records (DANE) cannot be told now: {why}"
        )),
    }
}

fn judge(
    policy: &TlsPolicy,
    host: &Host,
    domain: Option<&str>,
    requiretls: bool,
    records: Vec<Tlsa>,
) -> Result<Secure, String> {
    let name = host.name.clone();
    let by_name = || Verify::Names(vec![name.clone()]);
    let secure = |tls, verify, why| Secure {
        fall_back: tls == Tls::Offered,
        verified: verify != Verify::Nothing,
        tls,
        verify,
        server_name: name.clone(),
        why,
    };
    let found = match policy {
        TlsPolicy::Said(Level::None) if requiretls => {
            return Err(format!(
                "the message requires TLS (REQUIRETLS), and the transport forbids it for {name}"
            ));
        }
        TlsPolicy::Said(Level::None) => secure(Tls::Never, Verify::Nothing, "transport"),
        TlsPolicy::Said(Level::May) => secure(Tls::Offered, Verify::Nothing, ""),
        TlsPolicy::Said(Level::Encrypt) => secure(Tls::Required, Verify::Nothing, "transport"),
        TlsPolicy::Said(Level::Verify) => secure(Tls::Required, by_name(), "transport"),
        TlsPolicy::Published { .. } if records.iter().any(usable) => {
            let mut names = vec![name.clone()];
            names.extend(domain.map(ToOwned::to_owned));
            secure(Tls::Required, Verify::Dane { records, names }, "DANE")
        }
        TlsPolicy::Published { sts } => match sts.as_deref() {
            Some(sts) if sts.mode == Mode::Enforce => {
                if !sts.allows(&name) {
                    return Err(format!(
                        "the domain's policy (MTA-STS) does not name {name} as its mail server"
                    ));
                }
                secure(Tls::Required, by_name(), "MTA-STS")
            }
            // Records that nobody can use still say that there is TLS (RFC 7672 section 2.2).
            _ if !records.is_empty() => secure(Tls::Required, Verify::Nothing, "DANE"),
            sts => {
                if let Some(sts) = sts.filter(|sts| sts.mode == Mode::Testing)
                    && !sts.allows(&name)
                {
                    log::info!(
                        target: "outbound",
                        "MTA-STS policy in testing: it does not name {name} as a mail server"
                    );
                }
                secure(Tls::Offered, Verify::Nothing, "")
            }
        },
    };
    Ok(if requiretls && !found.verified {
        secure(Tls::Required, by_name(), "REQUIRETLS")
    } else {
        found
    })
}

#[cfg(test)]
mod tests;
