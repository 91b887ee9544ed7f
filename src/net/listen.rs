//! Listening sockets: bound before rights are dropped, served when the executor runs.

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    rc::Rc,
    time::Duration,
};

use async_io::Async;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, sockopt},
};
use smol::future::yield_now;

use crate::{
    base::time::Instant,
    net::{
        house::{House, Seat},
        world::World,
    },
};

/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 1024;
/// When the kernel gives no connection, accepting pauses for so long, in milliseconds.
const PAUSE: u64 = 100;
/// Refused connections are counted, and logged together this often, in seconds.
const REPORT: u64 = 10;

/// The kernel asks a quiet connection's other end whether it is there: after so long, then so often
/// and so many times. Devices on the way forget what is quiet for 5 minutes.
const ALIVE_IDLE: Duration = Duration::from_secs(280);
const ALIVE_AGAIN: Duration = Duration::from_mins(1);
const ALIVE_TRIES: u32 = 5;

/// Why a port cannot be listened on.
#[derive(Debug)]
pub enum BindError {
    /// The kernel says no for another reason.
    Other { address: SocketAddr, error: Errno },
    /// Ports below 1024 want a right that this user does not have.
    Rights { address: SocketAddr },
    /// Somebody else has the port; who, where it can be seen (IN-2).
    Taken {
        address: SocketAddr,
        holder: Option<String>,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Rights { address } => write!(
                f,
                "cannot listen on port {} ({address}): no right to; start as root, or give \
                 CAP_NET_BIND_SERVICE, or choose a port from 1024 on",
                address.port()
            ),
            Self::Taken { address, holder } => {
                let holder = holder.as_deref().unwrap_or("another process");
                let port = address.port();
                write!(f, "port {port} ({address}) is taken by {holder}")
            }
        }
    }
}

impl std::error::Error for BindError {}

/// Binds all addresses of one listener. `[::]` takes IPv4, too, unless the list has `0.0.0.0` with
/// the same port; on a machine without IPv6 it becomes `0.0.0.0`.
///
/// # Errors
///
/// One of them cannot be bound; none is then.
pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = vec![];
    for &address in addresses {
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        let both = address.ip().is_unspecified() && !addresses.contains(&v4);
        let bound = match socket(address, both) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) if both => socket(v4, false),
            // A machine without IPv6: its other loopback address is enough.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
                if address.ip().is_loopback() && address.is_ipv6() && addresses.len() > 1 =>
            {
                continue;
            }
            bound => bound,
        };
        let bound = bound.map_err(|error| match error {
            Errno::ADDRINUSE => BindError::Taken {
                address,
                holder: holder(address.port()),
            },
            Errno::ACCESS | Errno::PERM => BindError::Rights { address },
            error => BindError::Other { address, error },
        })?;
        listeners.push(TcpListener::from(bound));
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, both: bool) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !both)?;
    }
    keep_alive(&socket)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Connections inherit it: who idles through a device that forgets quiet connections stays reachable,
/// and who is gone is missed.
fn keep_alive(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, ALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, ALIVE_AGAIN)?;
    sockopt::set_tcp_keepcnt(socket, ALIVE_TRIES)
}

/// Accepts until it is dropped. `welcome` gets each connection that the house has a place for; the
/// others get `refusal` (`421 …`, `* BYE …`; empty under implicit TLS) and are closed.
///
/// # Errors
///
/// The socket cannot be watched.
pub async fn accept(
    listener: TcpListener,
    world: Rc<dyn World>,
    house: House,
    refusal: Vec<u8>,
    mut welcome: impl FnMut(Async<TcpStream>, SocketAddr, Seat),
) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let mut refused = Refused::default();
    let mut failed = Failed::default();
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if is_lost(&error) {
                    yield_now().await;
                } else {
                    failed.count(&error, world.now());
                    world.sleep(world.now().plus(PAUSE)).await;
                }
                continue;
            }
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        // Without it a reply waits for the peer's delayed ACK: 49 ms against 3.5 measured.
        let _gone = tcp.get_ref().set_nodelay(true);
        if let Ok(seat) = house.enter(peer.ip(), world.now()) {
            welcome(tcp, peer, seat);
        } else {
            refuse(&tcp, &refusal);
            refused.count(peer.ip(), world.now());
        }
        // A flood keeps this always ready; those who are inside have to get their turn.
        yield_now().await;
    }
}

/// Says why and hangs up; a peer whose socket does not take it at once gets nothing.
fn refuse(tcp: &Async<TcpStream>, refusal: &[u8]) {
    let mut tcp = tcp.get_ref();
    if tcp.write(refusal).is_ok() {
        let _gone = tcp.shutdown(Shutdown::Write);
    }
}

/// Whether only this one connection came to nothing. What else goes wrong, no
/// descriptors, no memory, an errno of tomorrow, may stay: trying again at once would spin.
fn is_lost(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::INTR | Errno::PROTO)
    )
}

/// One line for many pauses.
#[derive(Default)]
struct Failed {
    count: u64,
    quiet_until: Instant,
}

impl Failed {
    fn count(&mut self, error: &io::Error, now: Instant) {
        self.count = self.count.saturating_add(1);
        if now >= self.quiet_until {
            log::warn!(target: "net", "accepting pauses: {error} ({} times)", self.count);
            self.count = 0;
            self.quiet_until = now.plus_seconds(REPORT);
        }
    }
}

/// One line for many refusals: a flood must not flood the log.
#[derive(Default)]
struct Refused {
    count: u64,
    quiet_until: Instant,
}

impl Refused {
    fn count(&mut self, peer: IpAddr, now: Instant) {
        self.count = self.count.saturating_add(1);
        if now >= self.quiet_until {
            let count = self.count;
            log::warn!(target: "net", "too many connections: {count} refused, the last from {peer}");
            self.count = 0;
            self.quiet_until = now.plus_seconds(REPORT);
        }
    }
}

/// Who listens on a port, as far as this user may see: `postfix (process 812)`.
fn holder(port: u16) -> Option<String> {
    let mut inodes = HashSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        inodes.extend(text.lines().filter_map(|line| listening(line, port)));
    }
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let id = process.file_name();
        let Some(id) = id.to_str().filter(|id| id.parse::<u32>().is_ok()) else {
            continue;
        };
        if holds(&process.path(), &inodes) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {id})", name.trim()));
        }
    }
    None
}

/// The inode of a listening socket on `port`, from a line of `/proc/net/tcp` (proc(5)).
fn listening(line: &str, port: u16) -> Option<String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let found = u16::from_str_radix(local, 16).ok()?;
    // 0A is TCP_LISTEN.
    (found == port && *fields.get(3)? == "0A")
        .then(|| fields.get(9).map(|inode| (*inode).into()))?
}

fn holds(process: &Path, inodes: &HashSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let Ok(target) = fs::read_link(descriptor.path()) else {
            return false;
        };
        target
            .to_str()
            .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'))
            .is_some_and(|inode| inodes.contains(inode))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        base::{random::Random, time::Time},
        net::{house::Limits, world::Local},
    };

    /// Counts how often somebody slept, and wakes him at once.
    #[derive(Debug, Default)]
    struct Naps(Cell<u32>);

    impl World for Naps {
        fn now(&self) -> Instant {
            Instant(0)
        }

        fn time(&self) -> Time {
            Time(0)
        }

        fn sleep(&self, _: Instant) -> Local<'static, ()> {
            self.0.set(self.0.get() + 1);
            Box::pin(yield_now())
        }

        fn random(&self) -> &dyn Random {
            unreachable!("nothing here is random")
        }
    }

    #[test]
    fn a_taken_port_names_its_holder() {
        let first = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = first[0].local_addr().unwrap();
        let text = bind(&[address]).unwrap_err().to_string();
        let id = std::process::id();
        assert!(text.contains(&format!("port {}", address.port())), "{text}");
        assert!(text.contains(&format!("(process {id})")), "{text}");
    }

    #[test]
    fn the_unspecified_address_takes_both_families() {
        let listeners = bind(&["[::]:0".parse().unwrap()]).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        let v4 = format!("0.0.0.0:{port}").parse().unwrap();
        let v6 = format!("[::]:{port}").parse().unwrap();
        drop(listeners);
        assert_eq!(bind(&[v4, v6]).unwrap().len(), 2);
    }

    /// Accepting on a socket that does not listen fails for good: EINVAL.
    #[test]
    fn an_error_that_stays_does_not_spin() {
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        let naps = Rc::new(Naps::default());
        let house = House::new(Limits::default());
        let world: Rc<dyn World> = Rc::clone(&naps) as Rc<dyn World>;
        let accepting = accept(socket.into(), world, house, vec![], |_, _, _| ());
        let accepting = std::pin::pin!(accepting);
        smol::block_on(smol::future::or(
            async {
                accepting.await.unwrap();
            },
            async {
                while naps.0.get() < 3 {
                    yield_now().await;
                }
            },
        ));
        for errno in [Errno::CONNABORTED, Errno::INTR] {
            assert!(is_lost(&errno.into()));
        }
        for errno in [Errno::MFILE, Errno::INVAL, Errno::IO] {
            assert!(!is_lost(&errno.into()));
        }
    }

    #[test]
    fn a_line_of_the_kernels_table() {
        let line = "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0";
        assert_eq!(listening(line, 25), Some("4711".into()));
        assert_eq!(listening(line, 26), None);
        assert_eq!(listening("  sl  local_address rem_address   st", 25), None);
    }

    #[test]
    fn connections_are_kept_alive() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::from(socket(address, false).unwrap());
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener
            .accept()
            .map_err(|error| error.kind())
            .or_else(|_| {
                std::thread::sleep(Duration::from_millis(100));
                listener.accept().map_err(|error| error.kind())
            })
            .unwrap();
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), ALIVE_IDLE);
    }
}
