//! Which hosts take a destination's mail, and at which addresses (OQ-1).

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use crate::{
    mail::domain::Domain,
    net::resolve::{Answer, Mx, Resolver, Unfound},
};

/// A host that takes the mail, with the addresses to try in this order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    /// ASCII, lower case, without the final dot; an IP address where no name is known.
    pub name: String,
    /// Of the MX record; 0 without one.
    pub preference: u16,
    /// At least one, at most [`ADDRESSES_MAX`]; IPv6 and IPv4 by turns.
    pub addresses: Vec<SocketAddr>,
    /// DNS authenticated that this host is meant, and its addresses: DANE may be asked for
    /// (RFC 7672 section 2.2).
    pub authentic: bool,
}

/// What must not be taken for somebody else's.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub hostname: String,
    /// [`crate::net::world::World::own_addresses`], and those that the world sees us at, where known.
    pub addresses: Vec<IpAddr>,
    /// Where our MX listens.
    pub port: u16,
}

/// Addresses of a host that are tried in one go.
pub const ADDRESSES_MAX: usize = 10;
/// Hosts that are tried in one go.
pub const HOSTS_MAX: usize = 5;
/// Hosts of a domain that are looked up to find these.
const LOOKED_AT: usize = 20;

/// Why there are no hosts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// For good. `code` is of SMTP, `status` of RFC 3463.
    Fails {
        code: u16,
        status: &'static str,
        text: String,
    },
    /// For now.
    Waits { status: &'static str, text: String },
}

/// The MX hosts of a domain, in the order in which they are tried, or the domain itself where it has no
/// MX (RFC 5321 section 5.1).
///
/// # Errors
///
/// [`Failure`].
pub async fn of_domain(
    resolver: &Resolver,
    domain: &Domain,
    port: u16,
    own: &Own,
) -> Result<Vec<Host>, Failure> {
    let mut gathered = Gathered::new(domain.as_str(), port, own);
    if let Some(ip) = domain.ip() {
        let mx = Mx {
            preference: 0,
            host: ip.to_string(),
        };
        gathered.addresses(&mx, &[ip], false);
        return gathered.end();
    }
    let (records, authentic) = servers(domain.as_str(), resolver.mx(domain.as_str()).await)?;
    for mx in records.iter().take(LOOKED_AT) {
        if gathered.is_done(mx) || gathered.is_us(mx) {
            break;
        }
        let answer = resolver.addresses(&mx.host).await;
        if !gathered.answer(mx, answer, authentic) {
            break;
        }
    }
    gathered.end()
}

/// Hosts that somebody named: no MX is looked for, and they may be this machine. `hosts`: names or IP
/// addresses, without brackets, in the order in which they are tried.
///
/// # Errors
///
/// [`Failure`], if not one of them has an address.
pub async fn named(resolver: &Resolver, hosts: &[String], port: u16) -> Result<Vec<Host>, Failure> {
    let mut found = Vec::new();
    let mut failure = None;
    for name in hosts {
        let (ips, authentic) = if let Ok(ip) = name.parse::<IpAddr>() {
            (vec![ip], false)
        } else {
            match resolver.addresses(name).await {
                Ok(answer) => (answer.records, answer.authentic),
                Err(unfound) => {
                    worse(&mut failure, of_unfound(name, "A", unfound));
                    continue;
                }
            }
        };
        let addresses = by_turns(&ips, port);
        if addresses.is_empty() {
            worse(&mut failure, no_address(name));
            continue;
        }
        found.push(Host {
            name: name.to_ascii_lowercase(),
            preference: 0,
            addresses,
            authentic,
        });
    }
    match failure {
        Some(failure) if found.is_empty() => Err(failure),
        _ => Ok(found),
    }
}

/// The mail servers of a domain as DNS has them, and whether that is authentic.
fn servers(domain: &str, answer: Answer<Vec<Mx>>) -> Result<(Vec<Mx>, bool), Failure> {
    let found = answer.map_err(|unfound| of_unfound(domain, "MX", unfound))?;
    if found.records.is_empty() {
        let itself = Mx {
            preference: 0,
            host: domain.to_owned(),
        };
        return Ok((vec![itself], found.authentic));
    }
    let mut records = found.records;
    // A null MX stands alone (RFC 7505 section 3); beside others it is nobody's name.
    records.retain(|mx| !mx.host.is_empty() && mx.host.bytes().all(|c| c.is_ascii_graphic()));
    if records.is_empty() {
        return Err(Failure::Fails {
            code: 556,
            status: "5.1.10",
            text: format!("Domain {domain} does not accept mail (null MX)"),
        });
    }
    Ok((records, found.authentic))
}

/// The list as it grows, lowest preference first.
struct Gathered<'a> {
    domain: &'a str,
    port: u16,
    own: &'a Own,
    hosts: Vec<Host>,
    /// We are one of them.
    us: bool,
    failure: Option<Failure>,
}

impl<'a> Gathered<'a> {
    fn new(domain: &'a str, port: u16, own: &'a Own) -> Self {
        Self {
            domain,
            port,
            own,
            hosts: Vec::new(),
            us: false,
            failure: None,
        }
    }

    /// Whether hosts from this one on change nothing: enough are there, and only one of the same
    /// preference could be us.
    fn is_done(&self, mx: &Mx) -> bool {
        let last = self.hosts.last();
        self.hosts.len() >= HOSTS_MAX && last.is_some_and(|last| last.preference < mx.preference)
    }

    /// Whether the host has our name: then it and all that are no better are of no use, for they would
    /// send the mail back to us (RFC 5321 section 5.1).
    fn is_us(&mut self, mx: &Mx) -> bool {
        let us = self.port == self.own.port && mx.host.eq_ignore_ascii_case(&self.own.hostname);
        if us {
            self.found_us(mx);
        }
        us
    }

    fn found_us(&mut self, mx: &Mx) {
        self.us = true;
        self.hosts.retain(|host| host.preference < mx.preference);
    }

    /// Takes a host's addresses; false = it is us.
    fn answer(&mut self, mx: &Mx, answer: Answer<Vec<IpAddr>>, authentic: bool) -> bool {
        match answer {
            Ok(found) => {
                if found.alias && mx.host != self.domain {
                    log::warn!(
                        target: "outbound",
                        "MX {} of {} is a CNAME: used, but it should not be (RFC 2181 section 10.3)",
                        mx.host,
                        self.domain
                    );
                }
                self.addresses(mx, &found.records, authentic && found.authentic)
            }
            Err(unfound) => {
                worse(&mut self.failure, of_unfound(&mx.host, "A", unfound));
                true
            }
        }
    }

    fn addresses(&mut self, mx: &Mx, ips: &[IpAddr], authentic: bool) -> bool {
        let ips: Vec<_> = ips.iter().map(IpAddr::to_canonical).collect();
        let own = |ip: &IpAddr| ip.is_loopback() || self.is_own(*ip);
        if ips.iter().any(own) {
            self.found_us(mx);
            return false;
        }
        let outside: Vec<_> = ips.into_iter().filter(|ip| is_outside(*ip)).collect();
        let addresses = by_turns(&outside, self.port);
        if addresses.is_empty() {
            worse(&mut self.failure, no_address(&mx.host));
        } else if self.hosts.len() < LOOKED_AT {
            self.hosts.push(Host {
                name: mx.host.clone(),
                preference: mx.preference,
                addresses,
                authentic,
            });
        }
        true
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        let own = &self.own.addresses;
        self.port == self.own.port && own.iter().any(|own| own.to_canonical() == ip)
    }

    fn end(mut self) -> Result<Vec<Host>, Failure> {
        self.hosts.truncate(HOSTS_MAX);
        if !self.hosts.is_empty() {
            return Ok(self.hosts);
        }
        match self.failure {
            // A better host that cannot be looked up now may take it later.
            Some(waits @ Failure::Waits { .. }) => Err(waits),
            Some(fails) if !self.us => Err(fails),
            _ => Err(Failure::Fails {
                code: 554,
                status: "5.4.6",
                text: format!("mail for {} loops back to myself", self.domain),
            }),
        }
    }
}

/// Whether an address can be somebody's on a network: not this machine's, nobody's or everybody's.
#[must_use]
pub fn is_outside(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let none = ip.is_unspecified() || ip.is_multicast() || ip.is_loopback();
    // 0.0.0.0/8 means this machine to Linux, 240.0.0.0/4 and 255.255.255.255 nobody (RFC 6890).
    let odd = matches!(ip, IpAddr::V4(v4) if matches!(v4.octets(), [0 | 240.., ..]));
    !none && !odd
}

/// IPv6 and IPv4 by turns, IPv6 first: where one of them does not work, the other is not far.
fn by_turns(ips: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    let of = |v6: bool| ips.iter().copied().filter(move |ip| ip.is_ipv6() == v6);
    let (mut now, mut then): (VecDeque<_>, VecDeque<_>) = (of(true).collect(), of(false).collect());
    let mut out: Vec<SocketAddr> = Vec::new();
    while let Some(ip) = now.pop_front().or_else(|| then.pop_front()) {
        let address = SocketAddr::new(ip, port);
        if out.len() < ADDRESSES_MAX && !out.contains(&address) {
            out.push(address);
        }
        std::mem::swap(&mut now, &mut then);
    }
    out
}

/// Of several failures the one that leaves hope counts, else the first.
fn worse(failure: &mut Option<Failure>, next: Failure) {
    let hope = |failure: &Failure| matches!(failure, Failure::Waits { .. });
    if failure
        .as_ref()
        .is_none_or(|first| hope(&next) && !hope(first))
    {
        *failure = Some(next);
    }
}

fn of_unfound(name: &str, kind: &str, unfound: Unfound) -> Failure {
    let text = |why: &str| {
        format!(
            "Host or domain name not found. Name service error for name={name} type={kind}: {why}"
        )
    };
    match unfound {
        Unfound::NoSuchName => Failure::Fails {
            code: 550,
            status: if kind == "MX" { "5.1.2" } else { "5.4.4" },
            text: text("Host not found"),
        },
        Unfound::NotHere(why) | Unfound::TryAgain(why) => Failure::Waits {
            status: "4.4.3",
            text: text(&format!("Host not found, try again ({why})")),
        },
    }
}

fn no_address(name: &str) -> Failure {
    Failure::Fails {
        code: 550,
        status: "5.4.4",
        text: format!(
            "Name service error for name={name} type=A: Host found but no usable address"
        ),
    }
}

#[cfg(test)]
mod tests;
