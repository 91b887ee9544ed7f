//! A ceiling for memory (HD-4): whatever grows with what others send is counted before it is taken.
//! What does not fit waits or is refused for now; nothing is ended for it.

use std::{cell::Cell, rc::Rc};

/// What may be taken at once; cheap to clone, for one thread.
#[derive(Clone, Debug)]
pub struct Memory(Rc<Ledger>);

#[derive(Debug)]
struct Ledger {
    /// In octets.
    limit: Cell<u64>,
    held: Cell<u64>,
}

/// Octets that somebody holds; dropping it gives them back.
#[derive(Debug)]
pub struct Held {
    memory: Memory,
    octets: u64,
}

impl Memory {
    /// `limit` in octets.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Rc::new(Ledger {
            limit: Cell::new(limit),
            held: Cell::new(0),
        }))
    }

    /// Counts `octets`; `None` if they do not fit now.
    #[must_use]
    pub fn hold(&self, octets: u64) -> Option<Held> {
        let held = self.0.held.get().checked_add(octets)?;
        if held > self.0.limit.get() {
            return None;
        }
        self.0.held.set(held);
        Some(Held {
            memory: self.clone(),
            octets,
        })
    }

    /// What is held, in octets.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.0.held.get()
    }

    /// Another limit from now on; what is held stays.
    pub fn limit(&self, limit: u64) {
        self.0.limit.set(limit);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = &self.memory.0.held;
        held.set(held.get().saturating_sub(self.octets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_something_goes() {
        let memory = Memory::new(100);
        let first = memory.hold(60).unwrap();
        let second = memory.hold(40).unwrap();
        assert!(memory.hold(1).is_none());
        assert!(memory.hold(u64::MAX).is_none());
        drop(first);
        assert_eq!(memory.held(), 40);
        assert!(memory.hold(61).is_none());
        let third = memory.hold(60).unwrap();
        memory.limit(50);
        assert!(
            memory.hold(0).is_none(),
            "nobody is sent away, nobody let in"
        );
        drop((second, third));
        assert!(memory.hold(50).is_some());
        assert_eq!(memory.held(), 0);
    }
}
