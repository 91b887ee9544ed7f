//! Which hosts take a destination's mail, and at which addresses (OQ-1).

use std::net::{IpAddr, SocketAddr};

use crate::net::resolve::Resolver;

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
    _resolver: &Resolver,
    _domain: &str,
    _port: u16,
    _own: &Own,
) -> Result<Vec<Host>, Failure> {
    Err(later())
}

/// Hosts that somebody named: no MX is looked for. `hosts`: names or IP addresses, without brackets, in
/// the order in which they are tried.
///
/// # Errors
///
/// [`Failure`], if not one of them has an address.
pub async fn named(
    _resolver: &Resolver,
    _hosts: &[String],
    _port: u16,
) -> Result<Vec<Host>, Failure> {
    Err(later())
}

fn later() -> Failure {
    Failure::Waits {
        status: "4.4.3",
        text: String::new(),
    }
}
