//! How many in how long: a window that slides (LM-10, LM-11).

use crate::base::time::Instant;

/// Parts of a window: as exact as it has to be, and as small however high the limit is.
const PARTS: u64 = 60;

/// So many in so many seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// 0 = as many as there are.
    pub count: u64,
    pub seconds: u64,
}

/// What came lately.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// How many came in a part of the window; the oldest first.
    parts: std::collections::VecDeque<(u64, u64)>,
}

impl Window {
    /// Whether one more may come now. It is not counted.
    #[must_use]
    pub fn has_room(&mut self, rate: Rate, now: Instant) -> bool {
        rate.count == 0 || self.held(rate, now) < rate.count
    }

    /// One came.
    pub fn count(&mut self, rate: Rate, now: Instant) {
        let part = part(rate, now);
        match self.parts.back_mut() {
            Some((last, count)) if *last == part => *count = count.saturating_add(1),
            _ => self.parts.push_back((part, 1)),
        }
        let _held = self.held(rate, now);
    }

    /// How many came within the last window.
    pub fn held(&mut self, rate: Rate, now: Instant) -> u64 {
        let now = part(rate, now);
        let is_old = |part: u64| part.saturating_add(PARTS) <= now;
        while self.parts.front().is_some_and(|(part, _)| is_old(*part)) {
            self.parts.pop_front();
        }
        self.parts
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn part(rate: Rate, now: Instant) -> u64 {
    let length = rate.seconds.saturating_mul(1000).div_ceil(PARTS).max(1);
    now.0.checked_div(length).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let rate = Rate {
            count: 3,
            seconds: 3600,
        };
        let mut window = Window::default();
        for second in [0, 1800, 3000] {
            assert!(window.has_room(rate, Instant(second * 1000)));
            window.count(rate, Instant(second * 1000));
        }
        for (second, room) in [(3000, false), (3599, false), (3600, true)] {
            assert_eq!(window.has_room(rate, Instant(second * 1000)), room);
        }
        window.count(rate, Instant(3_600_000));
        assert!(!window.has_room(rate, Instant(5_399_000)));
        assert!(window.has_room(rate, Instant(5_400_000)));
        assert!(window.has_room(Rate { count: 0, ..rate }, Instant(3_600_000)));
        for _ in 0..10_000 {
            window.count(rate, Instant(9_000_000));
        }
        assert!(window.parts.len() as u64 <= PARTS);
    }
}
