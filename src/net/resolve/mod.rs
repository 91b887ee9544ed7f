//! Names from DNS: a stub resolver that asks the configured servers, believes nobody else, and remembers
//! for as long as it may.

mod ask;
mod cache;
pub mod message;
mod special;
pub mod system;
mod trail;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use smol::{future::zip, lock::Mutex};

use self::{
    ask::Server,
    cache::{Cache, Key},
    message::{Data, Kind},
    trail::Outcome,
};
use crate::{base::time::Instant, net::world::World};

/// Most aliases (CNAME) on the way to an answer.
pub const ALIASES_MAX: usize = 8;
/// For a whole question with its aliases, in milliseconds.
const QUESTION: u64 = 10_000;
/// The machine's own choice of servers is looked at this often, in milliseconds.
const LOOK: u64 = 30_000;
/// Entries that are remembered where nobody says how many, and octets for each.
const ENTRIES: usize = 2_000;
const ENTRY: usize = 512;

/// Asks and remembers. One for the whole appliance.
pub struct Resolver {
    world: Rc<dyn World>,
    source: RefCell<Source>,
    servers: RefCell<Rc<[Server]>>,
    /// When the machine's choice of servers is looked at again.
    look: Cell<Instant>,
    cache: RefCell<Cache>,
    /// Questions that are being asked.
    open: RefCell<HashMap<Key, Rc<Open>>>,
    heard: Cell<Option<Instant>>,
}

/// Who says whom to ask.
#[derive(Clone)]
pub enum Source {
    /// The admin: what these servers authenticate is believed.
    Configured(Vec<SocketAddr>),
    /// The machine: its choice may change, and only its own word counts (RFC 6840 section 5.7 wants a
    /// path that is secure).
    System(Rc<dyn Fn() -> Vec<SocketAddr>>),
}

/// A question that is being asked; who comes later waits for the same answer.
#[derive(Debug, Default)]
struct Open(Mutex<Option<Rc<Outcome>>>);

/// What a name has. No records at all: the name is there (or may be), but has none of this type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found<T> {
    pub records: T,
    /// Authenticated (AD) by a server whose word counts.
    pub authentic: bool,
    /// A CNAME led there.
    pub alias: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unfound {
    /// NXDOMAIN: certainly nobody has this name.
    NoSuchName,
    /// Nobody can tell now: no answer, or SERVFAIL. In plain words.
    TryAgain(String),
    /// Names are not resolved here: there is no server, or none that lets us ask. In plain words.
    NotHere(String),
}

/// A mail server of a domain (RFC 5321 section 5.1).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mx {
    pub preference: u16,
    /// ASCII, lower case, without the final dot; empty = null MX (RFC 7505).
    pub host: String,
}

/// A TLSA record (RFC 6698 section 2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

/// Answer to a question.
pub type Answer<T> = Result<Found<T>, Unfound>;

impl Resolver {
    /// One that asks these servers and believes what they authenticate.
    #[must_use]
    pub fn new(world: Rc<dyn World>, servers: Vec<SocketAddr>) -> Self {
        Self::with(world, Source::Configured(servers))
    }

    #[must_use]
    pub fn with(world: Rc<dyn World>, source: Source) -> Self {
        let resolver = Self {
            world,
            source: RefCell::new(Source::Configured(Vec::new())),
            servers: RefCell::new(Rc::new([])),
            look: Cell::new(Instant::NEVER),
            cache: RefCell::new(Cache::new(ENTRIES, ENTRIES.saturating_mul(ENTRY))),
            open: RefCell::default(),
            heard: Cell::new(None),
        };
        resolver.set_source(source);
        resolver
    }

    /// Other servers from the next question on.
    pub fn set_servers(&self, servers: Vec<SocketAddr>) {
        self.set_source(Source::Configured(servers));
    }

    /// The same, whoever names them.
    pub fn set_source(&self, source: Source) {
        *self.source.borrow_mut() = source;
        self.look.set(Instant(0));
        self.look();
    }

    /// How many answers are remembered.
    pub fn set_entries(&self, entries: usize) {
        let octets = entries.saturating_mul(ENTRY);
        self.cache.borrow_mut().limit(entries, octets);
    }

    /// When a server last answered a question, be it that there is no such name.
    #[must_use]
    pub fn heard(&self) -> Option<Instant> {
        self.heard.get()
    }

    /// Whether some server answers now, whatever it answers; nothing that is remembered counts.
    pub async fn probe(&self, name: &str) -> bool {
        let name = special::plain(name);
        let name = if special::known(&name, Kind::A).is_some() {
            "."
        } else {
            &name
        };
        let asked = self.fetch(name.trim_end_matches('.'), Kind::Mx);
        !matches!(
            Box::pin(asked).await.0.0,
            Err(Unfound::TryAgain(_) | Unfound::NotHere(_))
        )
    }

    /// Lowest preference first; equal ones in random order.
    pub async fn mx(&self, domain: &str) -> Answer<Vec<Mx>> {
        let mx = |data: &Data| match data {
            Data::Mx(mx) => Some(mx.clone()),
            _ => None,
        };
        let mut found = self.find(domain, Kind::Mx, mx).await?;
        // Beside others a null MX says nothing (RFC 7505 section 3).
        if found.records.iter().any(|mx| !mx.host.is_empty()) {
            found.records.retain(|mx| !mx.host.is_empty());
        }
        found.records.sort_by_cached_key(|mx| {
            let mut coin = [0; 4];
            self.world.random().fill(&mut coin);
            (mx.preference, coin)
        });
        Ok(found)
    }

    /// A and AAAA, the latter first.
    pub async fn addresses(&self, name: &str) -> Answer<Vec<IpAddr>> {
        let ip = |data: &Data| match data {
            Data::A(ip) => Some(IpAddr::V4(*ip)),
            Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
            _ => None,
        };
        let six = self.find(name, Kind::Aaaa, ip);
        let four = self.find(name, Kind::A, ip);
        both(zip(six, four).await)
    }

    /// Each record's strings joined.
    pub async fn txt(&self, name: &str) -> Answer<Vec<Vec<u8>>> {
        let text = |data: &Data| match data {
            Data::Txt(text) => Some(text.clone()),
            _ => None,
        };
        self.find(name, Kind::Txt, text).await
    }

    pub async fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
        let tlsa = |data: &Data| match data {
            Data::Tlsa(tlsa) => Some(tlsa.clone()),
            _ => None,
        };
        self.find(name, Kind::Tlsa, tlsa).await
    }

    /// PTR.
    pub async fn names(&self, ip: IpAddr) -> Answer<Vec<String>> {
        let name = |data: &Data| match data {
            Data::Name(name) => Some(name.clone()),
            _ => None,
        };
        self.find(&special::reverse(ip), Kind::Ptr, name).await
    }

    async fn find<T>(
        &self,
        name: &str,
        kind: Kind,
        pick: impl Fn(&Data) -> Option<T>,
    ) -> Answer<Vec<T>> {
        let outcome = Box::pin(self.look_up(name, kind)).await;
        match &outcome.0 {
            Ok(set) => Ok(Found {
                records: set.records.iter().filter_map(pick).collect(),
                authentic: set.authentic,
                alias: set.alias,
            }),
            Err(unfound) => Err(unfound.clone()),
        }
    }

    /// Known, remembered, being asked by somebody else, or asked now.
    async fn look_up(&self, name: &str, kind: Kind) -> Rc<Outcome> {
        let name = special::plain(name);
        if let Some(known) = special::known(&name, kind) {
            return Rc::new(known);
        }
        self.look();
        let key = (name, kind);
        let remembered = self.cache.borrow_mut().get(&key, self.world.now());
        if let Some(outcome) = remembered {
            return outcome;
        }
        let open = Rc::clone(self.open.borrow_mut().entry(key.clone()).or_default());
        let asking = Asking {
            resolver: self,
            key,
            open,
        };
        // Whoever asked may have gone without an answer; then the next in line asks.
        let mut answer = asking.open.0.lock().await;
        if let Some(outcome) = &*answer {
            return Rc::clone(outcome);
        }
        let servers = Rc::clone(&self.servers.borrow());
        let (outcome, seconds) = self.fetch(&asking.key.0, kind).await;
        let outcome = Rc::new(outcome);
        *answer = Some(Rc::clone(&outcome));
        self.open.borrow_mut().remove(&asking.key);
        // What other servers said meanwhile replaced is not remembered.
        if seconds > 0 && Rc::ptr_eq(&servers, &self.servers.borrow()) {
            let until = self.world.now().plus_seconds(u64::from(seconds));
            let key = asking.key.clone();
            self.cache.borrow_mut().set(key, Rc::clone(&outcome), until);
        }
        outcome
    }

    /// Asks the servers: the outcome, and for how many seconds it may be believed.
    async fn fetch(&self, name: &str, kind: Kind) -> (Outcome, u32) {
        let servers = Rc::clone(&self.servers.borrow());
        let deadline = self.world.now().plus(QUESTION);
        let heard = || self.heard.set(Some(self.world.now()));
        trail::follow(&*self.world, &servers, name, kind, deadline, &heard).await
    }

    /// Sees whether other servers are to be asked; what the old ones said is forgotten then.
    fn look(&self) {
        let now = self.world.now();
        if now < self.look.get() {
            return;
        }
        let source = self.source.borrow().clone();
        let servers: Vec<_> = match source {
            Source::Configured(list) => {
                self.look.set(Instant::NEVER);
                list.into_iter().map(|at| Server::new(at, true)).collect()
            }
            Source::System(read) => {
                self.look.set(now.plus(LOOK));
                let list = read().into_iter();
                list.map(|at| Server::new(at, at.ip().is_loopback()))
                    .collect()
            }
        };
        let same = {
            let old = self.servers.borrow();
            let of = |server: &Server| (server.address, server.trusted);
            old.iter().map(of).eq(servers.iter().map(of))
        };
        if !same {
            *self.servers.borrow_mut() = servers.into();
            self.cache.borrow_mut().clear();
        }
    }
}

/// Whoever asks or waits; the last one clears up.
struct Asking<'a> {
    resolver: &'a Resolver,
    key: Key,
    open: Rc<Open>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut open = self.resolver.open.borrow_mut();
        let ours = |at: &Rc<Open>| Rc::ptr_eq(at, &self.open);
        // The map has one, we have the other.
        if Rc::strong_count(&self.open) <= 2 && open.get(&self.key).is_some_and(ours) {
            open.remove(&self.key);
        }
    }
}

/// What is known of addresses: those of one family do, whatever has become of the other.
fn both((six, four): (Answer<Vec<IpAddr>>, Answer<Vec<IpAddr>>)) -> Answer<Vec<IpAddr>> {
    match (six, four) {
        (Ok(mut six), Ok(four)) => {
            six.authentic &= four.authentic;
            six.alias |= four.alias;
            six.records.extend(four.records);
            Ok(six)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.records.is_empty() => Ok(found),
        (Err(Unfound::NoSuchName), _) | (_, Err(Unfound::NoSuchName)) => Err(Unfound::NoSuchName),
        (Err(unfound), _) | (_, Err(unfound)) => Err(unfound),
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
