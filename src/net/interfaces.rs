//! This machine's own addresses, as the kernel lists them.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The addresses of all interfaces, loopback included; none where there is no `/proc`.
pub(super) fn addresses() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut all = of_trie(&read("/proc/net/fib_trie"));
    all.extend(of_six(&read("/proc/net/if_inet6")));
    all.sort_unstable();
    all.dedup();
    all
}

/// `|-- 192.0.2.1` and in the line below it `/32 host LOCAL`.
fn of_trie(text: &str) -> Vec<IpAddr> {
    let mut last = None;
    let mut out = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(ip) = line.strip_prefix("|-- ") {
            last = ip.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            out.extend(last.map(IpAddr::V4));
        }
    }
    out
}

/// `20010db8000000000000000000000001 02 40 00 80 eth0`.
fn of_six(text: &str) -> Vec<IpAddr> {
    let ip = |line: &str| {
        let digits = line.split(' ').next().filter(|digits| digits.len() == 32)?;
        let bits = u128::from_str_radix(digits, 16).ok()?;
        Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
    };
    text.lines().filter_map(ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            \x20    +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.0\n           /8 host LOCAL\n\
            \x20       |-- 127.0.0.1\n           /32 host LOCAL\n     |-- 192.0.2.0\n\
            \x20       /24 link UNICAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n\
            \x20    |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let found: Vec<_> = of_trie(trie).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.1", "192.0.2.7"]);
        let six = "00000000000000000000000000000001 01 80 10 80       lo\nbad\n\
            20010db8000000000000000000000001 02 40 00 80     eth0\n";
        let found: Vec<_> = of_six(six).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["::1", "2001:db8::1"]);
        assert!(of_trie("").is_empty());
    }
}
