//! Whom the machine asks: `/etc/resolv.conf`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Where it stands.
pub const FILE: &str = "/etc/resolv.conf";
/// More are not asked (resolv.conf(5)).
const SERVERS_MAX: usize = 3;
const PORT: u16 = 53;

/// The `nameserver` lines; everything else is passed over: options are for other resolvers, and a mail
/// server searches no domains. `scope` knows the number of a network interface.
#[must_use]
pub fn servers(text: &str, scope: &dyn Fn(&str) -> Option<u32>) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next() == Some("nameserver")).then_some(())?;
            address(words.next()?, scope)
        })
        .take(SERVERS_MAX)
        .collect()
}

fn address(word: &str, scope: &dyn Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    if let Some((ip, zone)) = word.split_once('%') {
        let ip: Ipv6Addr = ip.parse().ok()?;
        let zone = zone.parse().ok().or_else(|| scope(zone))?;
        return Some(SocketAddrV6::new(ip, PORT, 0, zone).into());
    }
    let ip: IpAddr = word.parse().ok()?;
    Some(SocketAddr::new(ip, PORT))
}

/// Those of this machine, now; none if the file cannot be read.
#[must_use]
pub fn read() -> Vec<SocketAddr> {
    let text = std::fs::read(FILE).unwrap_or_default();
    servers(&String::from_utf8_lossy(&text), &|name| {
        let path = format!("/sys/class/net/{name}/ifindex");
        let safe = !name.contains(['/', '.']);
        let text = std::fs::read_to_string(path).ok().filter(|_| safe)?;
        text.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# made by hand\nsearch home.test\nnameserver 192.0.2.53\r\n\
            options edns0 timeout:1\n nameserver\tfe80::1%eth0 \nnameserver fe80::2%7\n\
            nameserver fe80::3%none\nnameserver nonsense\nnameservers 192.0.2.1\n\
            nameserver 2001:db8::53 # no comment here\nnameserver 192.0.2.54\n";
        let scope = |name: &str| (name == "eth0").then_some(3);
        let found = servers(text, &scope);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.53:53", "[fe80::1%3]:53", "[fe80::2%7]:53"]);
        assert_eq!(servers("", &scope), []);
    }
}
