//! How many connections there are at once, and who may have one: a destination that does not answer
//! holds up nobody else.

use std::{cell::Cell, rc::Rc};

use super::Outbound;

/// A connection that is not made after so many milliseconds no longer counts as one of those that send.
pub(super) const SLOW: u64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Slots {
    active: Cell<usize>,
    /// Nothing has come from the peer for long.
    dawdling: Cell<usize>,
    /// Of lanes whose last try failed, until the peer is ready for mail.
    failing: Cell<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum As {
    Active,
    Dawdling,
    Failing,
}

/// A place for one connection; dropped, it is free again.
pub(super) struct Slot {
    outbound: Rc<Outbound>,
    counts: Cell<As>,
}

impl Slots {
    fn of(&self, counts: As) -> &Cell<usize> {
        match counts {
            As::Active => &self.active,
            As::Dawdling => &self.dawdling,
            As::Failing => &self.failing,
        }
    }

    fn enter(&self, counts: As) {
        let count = self.of(counts);
        count.set(count.get().saturating_add(1));
    }

    fn leave(&self, counts: As) {
        let count = self.of(counts);
        count.set(count.get().saturating_sub(1));
    }
}

impl Outbound {
    /// Places for lanes that failed: half as many as there are in all.
    pub(super) fn failing_places(&self) -> usize {
        let most = (self.options().deliveries / 2).max(1);
        most.saturating_sub(self.slots.failing.get())
    }

    /// A place for a lane, if there is one.
    pub(super) fn slot(self: &Rc<Self>, failing: bool) -> Option<Slot> {
        let full = if failing {
            self.failing_places() == 0
        } else {
            self.slots.active.get() >= self.options().deliveries
        };
        if full {
            return None;
        }
        let counts = if failing { As::Failing } else { As::Active };
        self.slots.enter(counts);
        Some(Slot {
            outbound: Rc::clone(self),
            counts: Cell::new(counts),
        })
    }
}

impl Slot {
    /// The connection takes its time: somebody else may begin meanwhile.
    pub fn dawdles(&self) {
        let slots = &self.outbound.slots;
        let most = self.outbound.options().deliveries.saturating_mul(2);
        if self.counts.get() == As::Active && slots.dawdling.get() < most {
            self.count(As::Dawdling);
            self.outbound.wake();
        }
    }

    /// The connection is made.
    pub fn stands(&self) {
        self.count(As::Active);
    }

    fn count(&self, counts: As) {
        let slots = &self.outbound.slots;
        slots.leave(self.counts.replace(counts));
        slots.enter(counts);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.outbound.slots.leave(self.counts.get());
        self.outbound.wake();
    }
}
