//! Networks in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).

use core::net::IpAddr;
use std::fmt;

/// An address and how many of its first bits count. The others are zero, so that one network has one
/// text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Addresses that nobody on the internet has.
const INSIDE: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
];

impl Network {
    /// From `192.0.2.0/24`, `2001:db8::/32`, or one address; IPv4 in IPv6 is IPv4.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = width(address);
        let bits = match bits {
            None => whole,
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= whole)?
            }
            Some(_) => return None,
        };
        // `::ffff:192.0.2.0/120` is `192.0.2.0/24`; with fewer bits it is more than IPv4.
        let (address, bits) = match (address.to_canonical(), bits.checked_sub(96)) {
            (v4 @ IpAddr::V4(_), Some(bits)) if address.is_ipv6() => (v4, bits),
            _ => (address, bits),
        };
        let address = first(address, bits);
        Some(Self { address, bits })
    }

    /// How long its prefix is, in bits.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether all of it lies in another.
    #[must_use]
    pub fn is_part_of(&self, other: &Self) -> bool {
        self.bits >= other.bits && other.contains(self.address)
    }

    /// Whether nobody on the internet has an address in it: private, shared (of providers), link-local and
    /// loopback addresses, and all of the networks in `own`.
    #[must_use]
    pub fn is_inside(&self, own: &[Self]) -> bool {
        let inner = INSIDE.iter().filter_map(|text| Self::parse(text));
        inner
            .chain(own.iter().copied())
            .any(|inner| self.is_part_of(&inner))
    }

    /// Whether an address lies in it; a socket for both families may tell IPv4 as IPv6.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4() && first(ip, self.bits) == self.address
    }
}

/// A single address stands without its length.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.bits < width(self.address) {
            write!(f, "/{}", self.bits)?;
        }
        Ok(())
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address of the network that this one is in.
fn first(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits));
            IpAddr::V4((ip.to_bits() & mask.unwrap_or(0)).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits));
            IpAddr::V6((ip.to_bits() & mask.unwrap_or(0)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_their_one_form() {
        for (text, form) in [
            ("192.0.2.0/24", Some("192.0.2.0/24")),
            ("192.0.2.77/24", Some("192.0.2.0/24")),
            ("192.0.2.77", Some("192.0.2.77")),
            ("192.0.2.77/32", Some("192.0.2.77")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("2001:DB8:0::1/32", Some("2001:db8::/32")),
            ("::1", Some("::1")),
            ("::/0", Some("::/0")),
            ("::ffff:192.0.2.9", Some("192.0.2.9")),
            ("::ffff:192.0.2.9/120", Some("192.0.2.0/24")),
            ("::ffff:0:0/95", Some("::fffe:0:0/95")),
            ("192.0.2.0/33", None),
            ("::/129", None),
            ("192.0.2.0/", None),
            ("192.0.2.0/+8", None),
            ("192.0.2.0/-1", None),
            ("192.0.2.0/255.255.255.0", None),
            ("192.0.2/24", None),
            ("home.test", None),
            ("", None),
        ] {
            let network = Network::parse(text);
            assert_eq!(network.map(|n| n.to_string()).as_deref(), form, "{text}");
            let again = form.and_then(Network::parse);
            assert_eq!(network, again, "{text}");
        }
    }

    #[test]
    fn inside_the_house() {
        let own = [Network::parse("203.0.113.0/28").unwrap()];
        for (text, inside) in [
            ("192.168.1.0/24", true),
            ("10.0.0.0/8", true),
            ("10.0.0.0/7", false),
            ("0.0.0.0/0", false),
            ("::/0", false),
            ("::1", true),
            ("fd00::/8", true),
            ("2001:db8::/32", false),
            ("203.0.113.7", true),
            ("203.0.113.0/27", false),
            ("::ffff:0:0/96", false),
        ] {
            let network = Network::parse(text).unwrap();
            assert_eq!(network.is_inside(&own), inside, "{text}");
        }
    }

    #[test]
    fn what_lies_in_it() {
        for (network, ip, inside) in [
            ("192.0.2.0/25", "192.0.2.127", true),
            ("192.0.2.0/25", "192.0.2.128", false),
            ("192.0.2.0/25", "::ffff:192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(
                network.contains(ip.parse().unwrap()),
                inside,
                "{network} {ip}"
            );
        }
    }
}
