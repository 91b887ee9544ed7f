//! Log-ins that were verified a short while ago, so that a mail program's five connections cost one
//! hash.

use std::{cell::RefCell, collections::HashMap};

use crate::base::time::Instant;

/// How long a verified log-in is remembered, in seconds.
const REMEMBERED: u64 = 600;
/// How many verified log-ins are remembered; the oldest make room.
pub const REMEMBERED_MAX: usize = 1024;

/// Keyed hashes of who proved what, and until when they are good.
#[derive(Default)]
pub struct Remembered(RefCell<HashMap<[u8; 32], Instant>>);

impl Remembered {
    pub fn knows(&self, tag: &[u8; 32], now: Instant) -> bool {
        self.0.borrow().get(tag).is_some_and(|until| now < *until)
    }

    pub fn add(&self, tag: [u8; 32], now: Instant) {
        let mut known = self.0.borrow_mut();
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, until| now < *until);
        }
        if known.len() >= REMEMBERED_MAX
            && let Some(oldest) = known
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(tag, _)| *tag)
        {
            known.remove(&oldest);
        }
        known.insert(tag, now.plus_seconds(REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_remembered_than_fit() {
        let known = Remembered::default();
        for n in 0..5000_u32 {
            let mut tag = [0; 32];
            tag[..4].copy_from_slice(&n.to_be_bytes());
            known.add(tag, Instant(u64::from(n)));
        }
        assert_eq!(known.0.borrow().len(), REMEMBERED_MAX);
    }
}
