//! Who takes a lane's mail, and how each of them is spoken to.

use std::net::{IpAddr, SocketAddr};

use super::{
    Outbound,
    hosts::{self, Failure, Host, Own},
    lane::Job,
    policy::TlsPolicy,
};
use crate::{
    mail::{
        address::Address,
        rewrite::{self, Rewrite},
    },
    net::trust::Verify,
    proto::smtp::client::{Login, Tls},
    routing::{LookupFailed, NextHop, class::class, transport},
    service::lookup,
    store::directory::{FromRewrite, Route, RouteTls, TransportTls},
};

/// How a lane's mail gets where it goes.
pub(super) struct Reach {
    pub hosts: Vec<Host>,
    pub port: u16,
    pub lmtp: bool,
    pub how: How,
    pub rewrite: Option<Rewrite>,
}

/// How connections are protected.
pub(super) enum How {
    /// Looked up for each host. `domain`: whose mail servers they are.
    Policy {
        policy: TlsPolicy,
        domain: Option<String>,
    },
    /// As the route says.
    Route { tls: RouteTls, login: Option<Login> },
}

/// How one host is spoken to.
pub(super) struct Manner {
    pub tls: Tls,
    pub verify: Verify,
    pub server_name: String,
    pub fall_back: bool,
    pub verified: bool,
    pub login: Option<Login>,
    pub in_clear: bool,
}

/// Whether a route's host is `localhost` or an address of a private network: nobody certifies those, so
/// TLS there encrypts and proves nothing.
#[must_use]
pub fn is_near(host: &str) -> bool {
    let private = |ip: IpAddr| match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    host == "localhost" || host.parse().is_ok_and(private)
}

impl Outbound {
    /// The hosts of a next hop.
    pub(super) async fn reach(&self, hop: &NextHop, job: &Job) -> Result<Reach, Failure> {
        let resolver = &self.parts.resolver;
        let (hosts, port, lmtp, domain) = match hop {
            NextHop::Mx { domain, port } => {
                let own = self.own();
                let hosts = hosts::of_domain(resolver, domain, *port, &own).await?;
                (hosts, *port, false, Some(domain.as_str().to_owned()))
            }
            NextHop::Host { host, port } => (self.named(host, *port).await?, *port, false, None),
            NextHop::LmtpHost { host, port } => (self.named(host, *port).await?, *port, true, None),
            NextHop::Route { name } => return self.route(name).await,
            NextHop::Discard | NextHop::Error { .. } | NextHop::LmtpUnix { .. } => {
                (Vec::new(), 0, true, None)
            }
        };
        let said = match hop {
            // To a program beside us TLS brings nothing, unless somebody wants it.
            NextHop::LmtpHost { .. } => Some(job.level.unwrap_or(TransportTls::None)),
            _ => job.level,
        };
        let policy = self.policies.of(domain.as_deref(), said).await;
        Ok(Reach {
            hosts,
            port,
            lmtp,
            how: How::Policy { policy, domain },
            rewrite: None,
        })
    }

    /// How a host is to be spoken to.
    ///
    /// # Errors
    ///
    /// Mail cannot go to this host now, in plain words.
    pub(super) async fn manner(
        &self,
        reach: &Reach,
        host: &Host,
        requiretls: bool,
    ) -> Result<Manner, String> {
        match &reach.how {
            How::Policy { policy, domain } => {
                let domain = domain.as_deref();
                let policies = &self.policies;
                let secure = policies
                    .host(policy, host, reach.port, domain, requiretls)
                    .await?;
                Ok(Manner {
                    tls: secure.tls,
                    verify: secure.verify,
                    server_name: secure.server_name,
                    fall_back: secure.fall_back,
                    verified: secure.verified,
                    login: None,
                    in_clear: false,
                })
            }
            How::Route { tls, login } => {
                let near = is_near(&host.name);
                let verify = if near {
                    Verify::Nothing
                } else {
                    Verify::Names(vec![host.name.clone()])
                };
                Ok(Manner {
                    tls: match tls {
                        RouteTls::Implicit => Tls::Implicit,
                        RouteTls::None => Tls::Never,
                        RouteTls::StartTls => Tls::Required,
                    },
                    verified: *tls != RouteTls::None && !near,
                    verify,
                    server_name: host.name.clone(),
                    fall_back: false,
                    login: login.clone(),
                    in_clear: *tls == RouteTls::None,
                })
            }
        }
    }

    pub(super) async fn route(&self, name: &str) -> Result<Reach, Failure> {
        let waits = |text: String| Failure::Waits {
            status: "4.3.5",
            text,
        };
        let row = self.parts.store.read(|reader| reader.route(name));
        let row = self
            .told(row)
            .ok_or_else(|| waits("the store cannot be read".to_owned()))?;
        let route = row.ok_or_else(|| waits(format!("there is no route {name}")))?;
        let hosts = hosts::named(&self.parts.resolver, &route.hosts, route.port).await?;
        let login = route.user.as_ref().map(|user| Login {
            user: user.clone(),
            password: route.password.clone(),
            nonce: self.nonce(),
        });
        Ok(Reach {
            hosts,
            port: route.port,
            lmtp: false,
            rewrite: self.rewrite(&route),
            how: How::Route {
                tls: route.tls,
                login,
            },
        })
    }

    /// What in brackets stands.
    async fn named(&self, host: &transport::Host, port: u16) -> Result<Vec<Host>, Failure> {
        match host {
            transport::Host::Ip(ip) => Ok(vec![Host {
                name: ip.to_string(),
                preference: 0,
                addresses: vec![SocketAddr::new(*ip, port)],
                authentic: false,
            }]),
            transport::Host::Name(name) => {
                let names = [name.as_str().to_owned()];
                hosts::named(&self.parts.resolver, &names, port).await
            }
        }
    }

    /// Whose From becomes the route's own address (LM-9).
    fn rewrite(&self, route: &Route) -> Option<Rewrite> {
        let mode = match route.from_rewrite {
            FromRewrite::Always => rewrite::Mode::Always,
            FromRewrite::Local => rewrite::Mode::Local,
            FromRewrite::Off => return None,
        };
        let own = route.from.as_ref().or(route.user.as_ref())?;
        Some(Rewrite {
            mode,
            address: Address::parse(own)?,
            hostname: self.options().hostname.clone(),
            forwarded: false,
        })
    }

    fn own(&self) -> Own {
        let options = self.options();
        let mx = &options.mx;
        // Where only some addresses of the machine are ours, a neighbour may have the others.
        let addresses = if mx.is_empty() || mx.iter().any(|mx| mx.ip().is_unspecified()) {
            self.parts.world.own_addresses()
        } else {
            mx.iter().map(SocketAddr::ip).collect()
        };
        Own {
            hostname: options.hostname.clone(),
            addresses,
            port: mx.first().map_or(25, SocketAddr::port),
        }
    }

    /// For SCRAM: printable, without commas.
    fn nonce(&self) -> String {
        let mut octets = [0; 48];
        self.parts.world.random().fill(&mut octets);
        // Four random bits a letter.
        let letter = |octet: &u8| char::from(b'A'.saturating_add(octet & 15));
        octets.iter().map(letter).collect()
    }

    /// A foreign reverse-path under a domain of ours (FW-11); `None`: it stays as it is.
    ///
    /// # Errors
    ///
    /// Whose it is cannot be told now: as it is, it would be refused for good (SPF).
    pub(super) fn rewritten(
        &self,
        sender: &str,
        domain: &str,
    ) -> Result<Option<String>, LookupFailed> {
        let Some(address) = Address::parse(sender) else {
            return Ok(None);
        };
        let options = self.options();
        let foreign = lookup::find(&self.parts.store, |rows| {
            class(rows, &options.routing, &address.domain)
        });
        if foreign?.is_some() {
            return Ok(None);
        }
        let domain = match domain {
            "" => match &options.routing.origin {
                Some(origin) => origin.as_str(),
                None => &options.hostname,
            },
            domain => domain,
        };
        let now = self.parts.world.date();
        Ok(self.srs.forward(sender, domain, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_certificates() {
        for (host, near) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("192.168.1.2", true),
            ("::1", true),
            ("fd00::2", true),
            ("203.0.113.5", false),
            ("2001:db8::1", false),
            ("mail.example.net", false),
        ] {
            assert_eq!(is_near(host), near, "{host}");
        }
    }
}
