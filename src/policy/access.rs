//! Which clients may come at all: a list of networks, the most specific one wins (SR-18).

use std::net::IpAddr;

use crate::base::network::Network;

/// What the list says of a client: the word of the smallest network that holds it; `None` where no
/// network does. `list` has networks and whether their clients may come.
#[must_use]
pub fn judge(list: impl Iterator<Item = (Network, bool)>, ip: IpAddr) -> Option<bool> {
    list.filter(|(network, _)| network.contains(ip))
        .max_by_key(|(network, _)| network.bits())
        .map(|(_, allow)| allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SR-18.
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
    }
}
