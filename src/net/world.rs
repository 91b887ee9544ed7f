//! The one seam to the outside: services see clocks and randomness only through it; tests give
//! another.

use std::{
    fmt::Debug,
    future::{self, Future, ready},
    io,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::PathBuf,
    pin::Pin,
    process,
    sync::OnceLock,
    time::{self, Duration, UNIX_EPOCH},
};

use async_io::{Async, Timer};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    base::{
        random::Random,
        time::{BUILT, Clock, Instant, Time},
    },
    net::{interfaces, neighbours, stream::Socket},
};

/// A future that need not be `Send`: everything but the writer runs on one thread.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The outside world as a service sees it.
pub trait World: Debug {
    /// The monotonic clock.
    fn now(&self) -> Instant;
    /// The calendar, as far as it is trusted.
    fn time(&self) -> Time;
    /// What a message says the time is: the calendar, and while that is not set yet (UX-37) at least what
    /// it was when somebody looked last.
    fn date(&self) -> Time {
        self.time()
    }
    /// Ready once the monotonic clock has reached `until`.
    fn sleep(&self, until: Instant) -> Local<'static, ()>;
    fn random(&self) -> &dyn Random;

    /// A connection to somebody else. Has no deadline of its own. A world without a network has none.
    fn connect(&self, _: &Endpoint) -> Local<'static, io::Result<Socket>> {
        Box::pin(ready(Err(io::ErrorKind::NetworkUnreachable.into())))
    }

    /// A socket for datagrams to and from this server alone, from a random port.
    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Err(io::ErrorKind::NetworkUnreachable.into())
    }

    /// Our own addresses on the machine's networks, loopback included: mail that would go there would
    /// come back (OQ-1).
    fn own_addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// The routers that lead out of the house: whoever lists one lists the internet (LM-10).
    fn gateways(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    /// The system user at the other end of a connection on this machine, where it can be found.
    fn owner(&self, _peer: SocketAddr, _local: SocketAddr) -> Option<u32> {
        None
    }
}

/// Whom to connect to.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Datagrams to and from one server.
pub trait Datagrams: Debug {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>>;
    /// The next one that comes from that server, whoever made it up.
    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>>;
}

/// The machine's clocks and its random source.
#[derive(Clone, Debug)]
pub struct RealWorld {
    random: SystemRandom,
    /// The calendar shows no less than this.
    floor: Time,
}

impl RealWorld {
    #[must_use]
    pub fn new() -> Self {
        Self::from(Time(BUILT))
    }

    /// One that knows of a time that has passed.
    #[must_use]
    pub fn from(saved: Time) -> Self {
        start();
        Self {
            random: SystemRandom::new(),
            floor: Time(saved.0.max(BUILT)),
        }
    }
}

impl Default for RealWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl World for RealWorld {
    fn now(&self) -> Instant {
        now()
    }

    fn time(&self) -> Time {
        calendar()
    }

    fn date(&self) -> Time {
        floored(calendar(), self.floor, now())
    }

    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        match start().checked_add(Duration::from_millis(until.0)) {
            Some(at) if until != Instant::NEVER => Box::pin(Sleep(timer(at))),
            _ => Box::pin(future::pending()),
        }
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        interfaces::addresses()
    }

    fn connect(&self, to: &Endpoint) -> Local<'static, io::Result<Socket>> {
        let to = to.clone();
        Box::pin(async move {
            match to {
                Endpoint::Tcp(address) => {
                    let tcp = Async::<TcpStream>::connect(address).await?;
                    tcp.get_ref().set_nodelay(true)?;
                    Ok(Socket::Tcp(tcp))
                }
                Endpoint::Unix(path) => Ok(Socket::Unix(Async::<UnixStream>::connect(path).await?)),
            }
        })
    }

    fn gateways(&self) -> Vec<IpAddr> {
        neighbours::gateways()
    }

    fn owner(&self, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
        neighbours::owner(peer, local)
    }

    fn datagrams(&self, server: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let any: SocketAddr = if server.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        // Nobody else's datagrams arrive then.
        socket.connect(server)?;
        Ok(Box::new(Async::new(socket)?))
    }
}

/// Largest datagram that is taken, in octets; we ask for less (EDNS).
const DATAGRAM_MAX: usize = 4096;

impl Datagrams for Async<UdpSocket> {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>> {
        Box::pin(async move { Async::<UdpSocket>::send(self, octets).await.map(drop) })
    }

    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>> {
        Box::pin(async move {
            let mut octets = vec![0; DATAGRAM_MAX];
            let length = self.recv(&mut octets).await?;
            octets.truncate(length);
            Ok(octets)
        })
    }
}

/// The machine's clocks for the writer's thread, which has no [`World`].
#[derive(Clone, Copy, Debug)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Instant {
        now()
    }

    fn time(&self) -> Time {
        calendar()
    }
}

impl Random for RealWorld {
    fn fill(&self, octets: &mut [u8]) {
        if self.random.fill(octets).is_err() {
            // Without randomness nothing here is safe: no key, no secret, no name.
            log::error!(target: "net", "the system gives no random octets");
            process::abort();
        }
    }
}

/// A calendar that is not set yet goes on from `floor`, by the time since the start.
fn floored(calendar: Time, floor: Time, now: Instant) -> Time {
    if calendar.0 >= BUILT {
        return calendar;
    }
    let passed = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
    Time(floor.0.saturating_add(passed))
}

/// The calendar for what has no [`World`] at hand: the log.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn calendar() -> Time {
    let seconds = match time::SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs())
            .unwrap_or(i64::MAX)
            .saturating_neg(),
    };
    Time(seconds)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
fn now() -> Instant {
    let passed = time::Instant::now().saturating_duration_since(start());
    Instant(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
fn start() -> time::Instant {
    static START: OnceLock<time::Instant> = OnceLock::new();
    *START.get_or_init(time::Instant::now)
}

#[expect(clippy::disallowed_methods, reason = "the one place that waits")]
fn timer(at: time::Instant) -> Timer {
    Timer::at(at)
}

/// A timer whose output nobody wants; smaller than an `async` block around it.
struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ux_37_a_calendar_that_is_not_set() {
        let (floor, now) = (Time(BUILT + 500), Instant(9_999));
        assert_eq!(floored(Time(30), floor, now), Time(BUILT + 509));
        assert_eq!(floored(Time(BUILT + 1), floor, now), Time(BUILT + 1));
        let world = RealWorld::from(Time(5));
        assert_eq!(world.floor, Time(BUILT));
    }

    #[test]
    fn a_sleep_ends_when_the_clock_says_so() {
        let world = RealWorld::new();
        let until = world.now().plus(20);
        async_io::block_on(world.sleep(until));
        assert!(world.now() >= until);
        assert!(world.time() > Time(1_700_000_000));
        let mut octets = [0; 16];
        world.random().fill(&mut octets);
        assert_ne!(octets, [0; 16]);
    }
}
