//! Logging in, for every protocol: the full address is the name (SU-8), guessing is slow (SU-14).

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
};

use crate::{
    base::{
        id::UserId,
        secret::Secret,
        time::{Instant, Time},
    },
    mail::address::Address,
    net::world::World,
    service::password::Passwords,
    store::{Broken, Store, directory::User},
};

/// Each failure makes the next try wait this much longer, in seconds, up to [`DELAY_MAX`].
const DELAY: u64 = 2;
const DELAY_MAX: u64 = 20;
/// Who would have to wait longer than this, in seconds, is told to come back.
const WAIT_MAX: u64 = 30;
/// Log-ins of one address that may be under way at once.
const UNDER_WAY_MAX: u32 = 32;
/// Failures are forgotten after this many seconds without one.
const FORGET: u64 = 900;
/// Addresses that are remembered; those that were silent longest make room.
const ADDRESSES_MAX: usize = 4096;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginError {
    /// Not with this name and password; which of them is wrong is not told.
    Refused,
    /// Not now: too many tries from this address, or the store cannot be read.
    TryAgain,
}

/// Lets people in.
#[derive(Debug)]
pub struct Login {
    store: Store,
    passwords: Rc<Passwords>,
    world: Rc<dyn World>,
    tries: RefCell<Tries>,
}

impl Login {
    #[must_use]
    pub fn new(store: Store, passwords: Rc<Passwords>, world: Rc<dyn World>) -> Self {
        Self {
            store,
            passwords,
            world,
            tries: RefCell::default(),
        }
    }

    /// Who has this name and password. Wrong ones are answered late.
    ///
    /// # Errors
    ///
    /// See [`LoginError`]; why is in the log.
    pub async fn login(
        &self,
        address: &str,
        password: &Secret,
        peer: IpAddr,
    ) -> Result<UserId, LoginError> {
        let address = Address::parse(address).map(|address| address.key());
        // What is no address may be a password that was typed into the wrong field.
        let shown = address.as_deref().unwrap_or("?").escape_debug().to_string();
        let Some(at) = self.tries.borrow_mut().begin(peer, self.world.now()) else {
            log::info!("login deferred user=<{shown}> client={peer}: too many tries");
            return Err(LoginError::TryAgain);
        };
        // Ends the try whatever happens, also when the session is dropped while it waits.
        let _under_way = UnderWay { login: self, peer };
        self.world.sleep(at).await;
        let found = match self.find(address.as_deref()) {
            Ok(found) => found,
            Err(broken) => {
                log::error!("login deferred user=<{shown}> client={peer}: {broken}");
                return Err(LoginError::TryAgain);
            }
        };
        let user = found.as_ref().map(|(id, user)| (*id, user));
        let right = self
            .passwords
            .verify(user, password, self.world.now())
            .await;
        let why = match &found {
            Some((id, user)) if right && user.enabled => {
                self.tries.borrow_mut().right(peer);
                log::info!("login user=<{shown}> client={peer}");
                return Ok(*id);
            }
            Some(_) if right => "disabled",
            Some(_) => "wrong password",
            None => "no such user",
        };
        let until = self.tries.borrow_mut().wrong(peer, self.world.now());
        log::warn!("login refused user=<{shown}> client={peer}: {why}");
        self.world.sleep(until).await;
        Err(LoginError::Refused)
    }

    fn find(&self, key: Option<&str>) -> Result<Option<(UserId, User)>, Broken> {
        let Some(key) = key else {
            return Ok(None);
        };
        self.store.read(|reader| {
            let Some(id) = reader.user_named(key)? else {
                return Ok(None);
            };
            Ok(reader
                .user(id)?
                .filter(|user| user.removed.is_none())
                .map(|user| (id, user)))
        })
    }

    pub async fn sasl(
        &self,
        _: crate::proto::sasl::Question,
        _: IpAddr,
    ) -> (crate::proto::sasl::Answer, Option<UserId>) {
        (crate::proto::sasl::Answer::Refused, None)
    }

    /// The calendar, for what a log-in leaves behind.
    pub fn time(&self) -> Time {
        self.world.time()
    }
}

struct UnderWay<'a> {
    login: &'a Login,
    peer: IpAddr,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.login.tries.borrow_mut().end(self.peer);
    }
}

/// What is remembered about one address.
#[derive(Clone, Copy, Debug, Default)]
struct Guest {
    failures: u32,
    /// When the next try is judged.
    free: Instant,
    seen: Instant,
    under_way: u32,
}

/// Tries by address; a table that cannot grow without end.
#[derive(Debug, Default)]
struct Tries(HashMap<IpAddr, Guest>);

impl Tries {
    /// A try begins: when it may be judged; `None` = it would wait too long.
    fn begin(&mut self, peer: IpAddr, now: Instant) -> Option<Instant> {
        let network = network(peer);
        if !self.0.contains_key(&network) {
            self.make_room(now)?;
        }
        let tries = self.0.entry(network).or_default();
        if tries.seen.plus_seconds(FORGET) < now {
            tries.failures = 0;
        }
        let at = tries.free.max(now);
        if tries.under_way >= UNDER_WAY_MAX || at > now.plus_seconds(WAIT_MAX) {
            return None;
        }
        tries.under_way = tries.under_way.saturating_add(1);
        tries.free = at.plus_seconds(delay(tries.failures));
        Some(at)
    }

    fn end(&mut self, peer: IpAddr) {
        let network = network(peer);
        if let Some(tries) = self.0.get_mut(&network) {
            tries.under_way = tries.under_way.saturating_sub(1);
            if tries.under_way == 0 && tries.failures == 0 {
                self.0.remove(&network);
            }
        }
    }

    fn right(&mut self, peer: IpAddr) {
        if let Some(tries) = self.0.get_mut(&network(peer)) {
            tries.failures = 0;
            tries.free = Instant::default();
        }
    }

    /// A try failed: when to say so.
    fn wrong(&mut self, peer: IpAddr, now: Instant) -> Instant {
        let tries = self.0.entry(network(peer)).or_default();
        tries.failures = tries.failures.saturating_add(1);
        tries.seen = now;
        let until = now.plus_seconds(delay(tries.failures));
        tries.free = tries.free.max(until);
        until
    }

    /// Room for one more; `None` if all that are remembered are under way.
    fn make_room(&mut self, now: Instant) -> Option<()> {
        if self.0.len() < ADDRESSES_MAX {
            return Some(());
        }
        self.0
            .retain(|_, tries| tries.under_way > 0 || tries.seen.plus_seconds(FORGET) >= now);
        if self.0.len() < ADDRESSES_MAX {
            return Some(());
        }
        let oldest = self
            .0
            .iter()
            .filter(|(_, tries)| tries.under_way == 0)
            .min_by_key(|(_, tries)| tries.seen)
            .map(|(network, _)| *network)?;
        self.0.remove(&oldest);
        Some(())
    }
}

fn delay(failures: u32) -> u64 {
    u64::from(failures).saturating_mul(DELAY).min(DELAY_MAX)
}

/// Who has one IPv6 address has 2^64 of them.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn failures_make_the_next_try_wait() {
        let mut tries = Tries::default();
        let now = Instant(1_000_000);
        assert_eq!(tries.begin(v4(1), now), Some(now));
        assert_eq!(tries.wrong(v4(1), now), now.plus_seconds(2));
        tries.end(v4(1));
        assert_eq!(tries.begin(v4(1), now), Some(now.plus_seconds(2)));
        let later = now.plus_seconds(2);
        assert_eq!(tries.wrong(v4(1), later), later.plus_seconds(4));
        tries.end(v4(1));
        assert_eq!(tries.begin(v4(2), now), Some(now), "nobody else waits");
        tries.right(v4(1));
        assert_eq!(tries.begin(v4(1), later), Some(later));
    }

    #[test]
    fn a_flood_of_tries_is_sent_away() {
        let mut tries = Tries::default();
        let now = Instant(1_000_000);
        tries.begin(v4(1), now);
        tries.wrong(v4(1), now);
        tries.end(v4(1));
        let taken = (0..3000)
            .filter(|_| tries.begin(v4(1), now).is_some())
            .count();
        assert_eq!(taken, 15, "one every two seconds, for thirty seconds");
        let fresh = (0..3000)
            .filter(|_| tries.begin(v4(2), now).is_some())
            .count();
        assert_eq!(fresh, 32);
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let mut tries = Tries::default();
        for n in 0..5_000_u32 {
            let peer = IpAddr::from(n.to_be_bytes());
            let now = Instant(u64::from(n));
            assert!(tries.begin(peer, now).is_some());
            tries.wrong(peer, now);
            tries.end(peer);
        }
        assert_eq!(tries.0.len(), ADDRESSES_MAX);
        tries.begin(v4(1), Instant(0));
        tries.end(v4(1));
        assert!(!tries.0.contains_key(&v4(1)), "nothing to remember");
    }

    #[test]
    fn one_network_is_one_address() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(network(one), network(other));
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(network(mapped), v4(1));
    }
}
