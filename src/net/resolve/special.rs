//! Names that are not asked for: addresses, and names that no server has (RFC 6761).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    Unfound,
    message::{Data, Kind, is_name},
    trail::{Outcome, Set},
};

/// The form in which a name is asked for and remembered: lower case, no final dot.
#[must_use]
pub fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// What is known without asking of a [`plain`] name.
#[must_use]
pub fn known(name: &str, kind: Kind) -> Option<Outcome> {
    if let Some(ip) = literal(name) {
        return Some(own(&[ip], kind));
    }
    if !is_name(name) {
        return Some(Outcome(Err(Unfound::NoSuchName)));
    }
    match name.rsplit('.').next() {
        Some("localhost") => {
            let loopback = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
            Some(own(&loopback, kind))
        }
        // RFC 6761 section 6.4, RFC 7686 section 2.
        Some("invalid" | "onion") => Some(Outcome(Err(Unfound::NoSuchName))),
        // Multicast, which is not spoken here (RFC 6762 section 3).
        Some("local") => {
            let text = "names under .local are not in DNS".to_owned();
            Some(Outcome(Err(Unfound::NotHere(text))))
        }
        _ => None,
    }
}

/// `192.0.2.1`, `2001:db8::1`, and both as domains of addresses have them.
fn literal(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    inner.strip_prefix("ipv6:").unwrap_or(inner).parse().ok()
}

fn own(addresses: &[IpAddr], kind: Kind) -> Outcome {
    let of_kind = |ip: &IpAddr| match (*ip, kind) {
        (IpAddr::V4(ip), Kind::A) => Some(Data::A(ip)),
        (IpAddr::V6(ip), Kind::Aaaa) => Some(Data::Aaaa(ip)),
        _ => None,
    };
    Outcome(Ok(Set {
        records: addresses.iter().filter_map(of_kind).collect(),
        ..Set::default()
    }))
}

/// The name whose PTR records an address has (RFC 1035 section 3.5, RFC 3596 section 2.5).
#[must_use]
pub fn reverse(ip: IpAddr) -> String {
    let mut name = String::new();
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            for octet in ip.octets().iter().rev() {
                name.push_str(&octet.to_string());
                name.push('.');
            }
            name.push_str("in-addr.arpa");
        }
        IpAddr::V6(ip) => {
            for octet in ip.octets().iter().rev() {
                for half in [octet & 15, octet >> 4] {
                    name.extend(char::from_digit(u32::from(half), 16));
                    name.push('.');
                }
            }
            name.push_str("ip6.arpa");
        }
    }
    name
}
