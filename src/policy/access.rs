//! Which clients may come at all: a list of networks, the most specific one wins (SR-18).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Bits that an IPv4 address has before its own where it is written as IPv6 (RFC 4291 section 2.5.5.2).
const MAPPED: u8 = 96;

/// A network in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3): `192.0.2.0/24`,
/// `2001:db8::/32`. Written out it is always spelled the same way, so its text can name a row.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    /// Without bits behind the prefix, and never an IPv4-mapped one.
    address: IpAddr,
    /// In bits.
    prefix: u8,
}

/// Why a text names no network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkError {
    /// The address has bits behind the prefix; this network would hold it.
    HostBits(Network),
    Syntax,
}

impl Network {
    /// Reads an address, or an address and the length of its prefix. `::ffff:192.0.2.0/120` is
    /// `192.0.2.0/24`.
    ///
    /// # Errors
    ///
    /// See [`NetworkError`].
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let bits = bits(address);
        let prefix = match prefix {
            None => bits,
            Some(text) => prefix_length(text, bits).ok_or(NetworkError::Syntax)?,
        };
        let (address, prefix) = match (address.to_canonical(), prefix.checked_sub(MAPPED)) {
            (short @ IpAddr::V4(_), Some(rest)) if address.is_ipv6() => (short, rest),
            _ => (address, prefix),
        };
        let network = Self {
            address: masked(address, prefix),
            prefix,
        };
        if network.address == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits(network))
        }
    }

    /// Whether a client comes from here.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4() && masked(ip, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What the list says of a client: the word of the smallest network that holds it; `None` where no
/// network does. `list` has networks and whether their clients may come.
#[must_use]
pub fn judge(list: impl Iterator<Item = (Network, bool)>, ip: IpAddr) -> Option<bool> {
    list.filter(|(network, _)| network.holds(ip))
        .max_by_key(|(network, _)| network.prefix)
        .map(|(_, allow)| allow)
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Digits alone: no sign, no more than three.
fn prefix_length(text: &str, bits: u8) -> Option<u8> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let length = text.parse().ok().filter(|_| digits)?;
    (length <= bits).then_some(length)
}

/// The address without what follows its first `prefix` bits.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let rest = 32_u32.saturating_sub(prefix.into());
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let rest = 128_u32.saturating_sub(prefix.into());
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_one_spelling() {
        for (text, want) in [
            ("192.0.2.0/24", Ok("192.0.2.0/24")),
            ("192.0.2.1", Ok("192.0.2.1/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("2001:DB8:0::/32", Ok("2001:db8::/32")),
            ("::1", Ok("::1/128")),
            ("::/0", Ok("::/0")),
            ("::ffff:192.0.2.0/120", Ok("192.0.2.0/24")),
            ("::ffff:192.0.2.1", Ok("192.0.2.1/32")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("192.0.2.1/24", Err("192.0.2.0/24")),
            ("2001:db8::1/32", Err("2001:db8::/32")),
            ("::ffff:192.0.2.1/120", Err("192.0.2.0/24")),
        ] {
            let network = Network::parse(text);
            let got = match &network {
                Ok(network) => Ok(network.to_string()),
                Err(NetworkError::HostBits(network)) => Err(network.to_string()),
                Err(NetworkError::Syntax) => panic!("{text}"),
            };
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned));
            if let Ok(network) = network {
                assert_eq!(Network::parse(&network.to_string()), Ok(network));
            }
        }
        for text in [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "192.0.2.0/0024",
            "192.0.2/24",
            "2001:db8::/129",
            "[::1]/128",
            "home.test",
            "fe80::1%eth0",
        ] {
            assert_eq!(Network::parse(text), Err(NetworkError::Syntax), "{text}");
        }
    }

    #[test]
    fn the_most_specific_network_wins() {
        let list = [
            ("192.0.2.0/24", false),
            ("192.0.2.128/25", true),
            ("192.0.2.200", false),
            ("2001:db8::/32", false),
            ("2001:db8:1::/48", true),
        ];
        for (ip, want) in [
            ("192.0.2.1", Some(false)),
            ("192.0.2.129", Some(true)),
            ("192.0.2.200", Some(false)),
            ("::ffff:192.0.2.1", Some(false)),
            ("::ffff:192.0.2.129", Some(true)),
            ("198.51.100.1", None),
            ("2001:db8::1", Some(false)),
            ("2001:db8:1::1", Some(true)),
            ("::1", None),
        ] {
            let rows = list.map(|(text, allow)| (Network::parse(text).unwrap(), allow));
            let ip = ip.parse().unwrap();
            assert_eq!(judge(rows.into_iter(), ip), want, "{ip}");
            let backwards = rows.into_iter().rev();
            assert_eq!(judge(backwards, ip), want, "{ip}");
        }
        let all = |text| std::iter::once((Network::parse(text).unwrap(), false));
        assert_eq!(
            judge(all("::/0"), "192.0.2.1".parse().unwrap()),
            None,
            "IPv4 clients are no IPv6 clients"
        );
        assert_eq!(
            judge(all("0.0.0.0/0"), "::ffff:192.0.2.1".parse().unwrap()),
            Some(false)
        );
    }
}
