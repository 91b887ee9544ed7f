//! How long a command may keep the executor for itself.

use std::rc::Rc;

use super::Shared;
use crate::{base::time::Instant, net::world::World};

/// A slice of work in milliseconds (`design.md` section 4).
const SLICE: u64 = 5;

/// Steps between two looks at the clock.
const STEPS: u32 = 16;

/// Lets others have their turn.
#[derive(Debug)]
pub struct Pace {
    world: Rc<dyn World>,
    until: Instant,
    steps: u32,
}

impl Pace {
    /// A slice begins.
    pub fn new(shared: &Shared) -> Self {
        let world = Rc::clone(&shared.world);
        Self {
            until: world.now().plus(SLICE),
            world,
            steps: 0,
        }
    }

    /// Between two steps that are small: waits for another turn when the slice is over.
    pub async fn breathe(&mut self) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) && self.is_over() {
            smol::future::yield_now().await;
            self.until = self.world.now().plus(SLICE);
        }
    }

    /// Whether the slice has to end.
    pub fn is_over(&self) -> bool {
        self.world.now() >= self.until
    }
}
