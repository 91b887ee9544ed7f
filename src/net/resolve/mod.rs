//! Names from DNS: a stub resolver that asks the configured servers, believes nobody else, and remembers
//! for as long as it may.

use std::{cell::RefCell, net::IpAddr, net::SocketAddr, rc::Rc};

use crate::net::world::World;

/// Asks and remembers. One for the whole appliance.
#[derive(Debug)]
pub struct Resolver {
    world: Rc<dyn World>,
    servers: RefCell<Vec<SocketAddr>>,
}

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
    #[must_use]
    pub fn new(world: Rc<dyn World>, servers: Vec<SocketAddr>) -> Self {
        Self {
            world,
            servers: RefCell::new(servers),
        }
    }

    /// Other servers from the next question on.
    pub fn set_servers(&self, servers: Vec<SocketAddr>) {
        *self.servers.borrow_mut() = servers;
    }

    /// Lowest preference first; equal ones in random order.
    pub async fn mx(&self, domain: &str) -> Answer<Vec<Mx>> {
        self.later(domain)
    }

    /// A and AAAA.
    pub async fn addresses(&self, name: &str) -> Answer<Vec<IpAddr>> {
        self.later(name)
    }

    /// Each record's strings joined.
    pub async fn txt(&self, name: &str) -> Answer<Vec<Vec<u8>>> {
        self.later(name)
    }

    pub async fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
        self.later(name)
    }

    /// PTR.
    pub async fn names(&self, ip: IpAddr) -> Answer<Vec<String>> {
        self.later(&ip.to_string())
    }

    fn later<T>(&self, name: &str) -> Answer<T> {
        let _ = (&self.world, &self.servers);
        Err(Unfound::NotHere(name.to_owned()))
    }
}
