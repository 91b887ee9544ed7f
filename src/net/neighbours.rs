//! What the kernel tells of this machine's networks: its routers, and who owns a socket.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::base::network::Network;

/// A table is read so far, in octets: machines with more sockets have other mail servers.
const TABLE_MAX: u64 = 16 * 1024 * 1024;
/// `RTF_GATEWAY`.
const GATEWAY: u32 = 2;

/// The addresses of the default gateways, as `/proc/net/route` and `/proc/net/ipv6_route` have them.
#[must_use]
pub fn gateways() -> Vec<IpAddr> {
    let v4 = lines("/proc/net/route").filter_map(|line| gateway_v4(&line));
    let v6 = lines("/proc/net/ipv6_route").filter_map(|line| gateway_v6(&line));
    let mut found: Vec<_> = v4.chain(v6).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The networks of this machine's interfaces. Half the internet behind a tunnel is none.
#[must_use]
pub fn networks() -> Vec<Network> {
    let v4 = lines("/proc/net/route").filter_map(|line| network_v4(&line));
    let v6 = lines("/proc/net/ipv6_route").filter_map(|line| network_v6(&line));
    v4.filter(|network| network.bits() >= 16)
        .chain(v6.filter(|network| network.bits() >= 48))
        .collect()
}

/// The system user who owns the other end of a connection on this machine; `None` where it cannot be
/// found. `peer` is that end, `local` ours.
#[must_use]
pub fn owner(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let (peer, local) = (canonical(peer), canonical(local));
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .flat_map(lines)
        .find_map(|line| {
            let (from, to, uid) = socket(&line)?;
            (canonical(from) == peer && canonical(to) == local).then_some(uid)
        })
}

fn lines(path: &str) -> impl Iterator<Item = String> + use<> {
    let file = File::open(path).ok();
    file.into_iter()
        .flat_map(|file| BufReader::new(file.take(TABLE_MAX)).lines())
        .map_while(Result::ok)
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// `eth0 00000000 0101A8C0 0003 …`: addresses are octets in the machine's order.
fn gateway_v4(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (destination, gateway, flags) = (words.next()?, words.next()?, words.next()?);
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let mask = words.nth(3)?;
    if destination != "00000000" || mask != "00000000" || flags & GATEWAY == 0 {
        return None;
    }
    let octets = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
    Some(Ipv4Addr::from(octets).into())
}

/// `destination prefix source prefix gateway metric … flags device`: addresses in network order.
fn gateway_v6(line: &str) -> Option<IpAddr> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let [destination, prefix, _, _, gateway, _, _, _, flags, _] = words.as_slice() else {
        return None;
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let any = destination.bytes().all(|digit| digit == b'0') && *prefix == "00";
    let gateway = u128::from_str_radix(gateway, 16).ok()?;
    let found = any && flags & GATEWAY != 0 && gateway != 0;
    found.then(|| Ipv6Addr::from(gateway).into())
}

fn network_v4(line: &str) -> Option<Network> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let mut octets = || {
        let digits = u32::from_str_radix(words.next()?, 16).ok()?;
        Some(digits.to_ne_bytes())
    };
    let (destination, _, flags) = (octets()?, octets()?, octets()?);
    let mask = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    let near = u32::from_ne_bytes(flags) & GATEWAY == 0;
    let bits = mask.count_ones();
    let text = format!("{}/{bits}", Ipv4Addr::from(destination));
    near.then(|| Network::parse(&text))?
}

fn network_v6(line: &str) -> Option<Network> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let [destination, prefix, _, _, _, _, _, _, flags, _] = words.as_slice() else {
        return None;
    };
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let address = u128::from_str_radix(destination, 16).ok()?;
    let bits = u8::from_str_radix(prefix, 16).ok()?;
    let text = format!("{}/{bits}", Ipv6Addr::from(address));
    (flags & GATEWAY == 0).then(|| Network::parse(&text))?
}

/// `sl local remote st tx:rx tr:when retrnsmt uid …`.
fn socket(line: &str) -> Option<(SocketAddr, SocketAddr, u32)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (end(words.next()?)?, end(words.next()?)?);
    let uid = words.nth(4)?.parse().ok()?;
    Some((local, remote, uid))
}

/// `0100007F:09DE`: each 32 bits in the machine's order, the port as a number.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = address.get(at..at.checked_add(8)?)?;
        octets.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
    }
    let ip: IpAddr = match <[u8; 4]>::try_from(octets.as_slice()) {
        Ok(v4) => Ipv4Addr::from(v4).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_the_kernel() {
        for (line, want) in [
            (
                "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0",
                Some("192.168.1.1"),
            ),
            (
                "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
                None,
            ),
            (
                "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU",
                None,
            ),
            ("eth0", None),
        ] {
            let want = want.map(|ip| ip.parse().unwrap());
            assert_eq!(gateway_v4(line), want, "{line}");
        }
        let zero = "0".repeat(32);
        let line = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0"
        );
        assert_eq!(gateway_v6(&line), Some("fe80::1".parse().unwrap()));
        let line =
            format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo");
        assert_eq!(gateway_v6(&line), None);
        let line = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        assert_eq!(network_v4(line), Network::parse("192.168.1.0/24"));
        let line = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(network_v4(line), None);
        let line = format!(
            "20010db8{} 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0",
            "0".repeat(24)
        );
        assert_eq!(network_v6(&line), Network::parse("2001:db8::/64"));
        let line = "   1: 0100007F:09DE 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 1";
        let (local, remote, uid) = socket(line).unwrap();
        assert_eq!(local, "127.0.0.1:2526".parse().unwrap());
        assert_eq!((remote.port(), uid), (50_000, 1000));
        assert_eq!(
            socket("  sl  local_address rem_address   st tx_queue"),
            None
        );
    }

    #[test]
    fn the_owner_of_a_connection() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            let local = server.local_addr().unwrap();
            let own = rustix::process::geteuid().as_raw();
            assert_eq!(owner(peer, local), Some(own));
            let other = SocketAddr::new(peer.ip(), 1);
            assert_eq!(owner(other, local), None);
            drop(client);
        }
    }
}
