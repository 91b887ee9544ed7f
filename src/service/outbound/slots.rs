//! How many connections there are at once, and who may have one: a destination that does not answer
//! holds up nobody else.

use std::{cell::Cell, future::Future, rc::Rc};

use smol::future::FutureExt;

use super::Outbound;
use crate::base::time::Instant;

/// A connection on which nothing came for so many milliseconds no longer counts as one of those that
/// send.
const SLOW: u64 = 1000;
/// After so many seconds a try goes on to no further address.
const TRY_MAX: u64 = 900;

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
    /// Since when nothing came from outside; `None` while it waits for something of ours.
    waits: Cell<Option<Instant>>,
    /// When the try ends.
    ends: Cell<Instant>,
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
            waits: Cell::new(None),
            ends: Cell::new(Instant::NEVER),
        })
    }
}

impl Slot {
    /// One try, from the first question to the last reply. While nothing comes from outside somebody else
    /// may begin.
    pub async fn watched<T>(&self, tried: impl Future<Output = T>) -> T {
        let world = &self.outbound.parts.world;
        self.ends.set(world.now().plus_seconds(TRY_MAX));
        self.waits();
        let watch = async {
            loop {
                let now = world.now();
                let late = self.waits.get().unwrap_or(now).plus(SLOW);
                if late <= now {
                    self.dawdles();
                    world.sleep(now.plus(SLOW)).await;
                } else {
                    world.sleep(late).await;
                }
            }
        };
        tried.or(watch).await
    }

    /// From now on the peer is waited for.
    pub fn waits(&self) {
        self.waits.set(Some(self.outbound.parts.world.now()));
    }

    /// The peer has said something: it is our turn.
    pub fn hears(&self) {
        self.waits.set(None);
        if self.counts.get() == As::Dawdling {
            self.count(As::Active);
        }
    }

    /// Whether the try has taken so long that no other address is tried.
    pub fn is_over(&self) -> bool {
        self.outbound.parts.world.now() >= self.ends.get()
    }

    /// The connection takes its time: somebody else may begin meanwhile.
    fn dawdles(&self) {
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
