//! How many connections there are at once, and who may have one: a destination that does not answer
//! holds up nobody else.

use std::{cell::Cell, rc::Rc};

use super::Outbound;

/// A connection that is not made after so many milliseconds no longer counts as one of those that send.
pub(super) const SLOW: u64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Slots {
    active: Cell<usize>,
    /// Sought for long, or of lanes whose last try failed.
    slow: Cell<usize>,
}

/// A place for one connection; dropped, it is free again.
pub(super) struct Slot {
    outbound: Rc<Outbound>,
    slow: Cell<bool>,
}

impl Outbound {
    /// A place for a lane, if there is one: at most half as many as there are for lanes that failed.
    pub(super) fn slot(self: &Rc<Self>, failing: bool) -> Option<Slot> {
        let most = self.options().deliveries;
        let (count, most) = if failing {
            (&self.slots.slow, (most / 2).max(1))
        } else {
            (&self.slots.active, most)
        };
        if count.get() >= most {
            return None;
        }
        count.set(count.get().saturating_add(1));
        Some(Slot {
            outbound: Rc::clone(self),
            slow: Cell::new(failing),
        })
    }
}

impl Slot {
    /// The connection takes its time: somebody else may begin meanwhile.
    pub fn dawdles(&self) {
        let slots = &self.outbound.slots;
        if !self.slow.get() && slots.slow.get() < self.outbound.options().deliveries {
            self.slow.set(true);
            slots.slow.set(slots.slow.get().saturating_add(1));
            slots.active.set(slots.active.get().saturating_sub(1));
            self.outbound.wake();
        }
    }

    /// The connection is made.
    pub fn stands(&self) {
        if self.slow.replace(false) {
            let slots = &self.outbound.slots;
            slots.slow.set(slots.slow.get().saturating_sub(1));
            slots.active.set(slots.active.get().saturating_add(1));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = &self.outbound.slots;
        let count = if self.slow.get() {
            &slots.slow
        } else {
            &slots.active
        };
        count.set(count.get().saturating_sub(1));
        self.outbound.wake();
    }
}
