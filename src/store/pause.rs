//! When housekeeping has its turn between batches: a client that says its next word at once should not
//! meet a checkpoint.

use super::tidy::Next;

/// It waits for a pause of so many milliseconds in what is asked for, at most so long.
const PAUSE_MS: u64 = 20;
const PAUSE_MAX_MS: u64 = 200;

#[derive(Debug, Default)]
pub(super) struct Pause {
    /// When housekeeping was due first and had no turn.
    since: Option<u64>,
}

impl Pause {
    /// Until when to put it off (milliseconds), if something was asked for just now.
    pub fn until(&mut self, now: u64, asked: bool) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let most = since.saturating_add(PAUSE_MAX_MS);
        (asked && now < most).then(|| most.min(now.saturating_add(PAUSE_MS)))
    }

    /// It had its turn. While it has more to do it is not put off again.
    pub fn had(&mut self, next: Next) -> Next {
        if next != Next::Now {
            self.since = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn housekeeping_waits_for_a_pause() {
        let mut pause = Pause::default();
        assert_eq!(pause.until(1000, false), None);
        assert_eq!(pause.had(Next::Idle), Next::Idle);
        // Something is asked for all the time.
        assert_eq!(pause.until(2000, true), Some(2020));
        assert_eq!(pause.until(2190, true), Some(2200));
        assert_eq!(pause.until(2200, true), None);
        // What has gathered is done between batches, to its end.
        pause.had(Next::Now);
        assert_eq!(pause.until(2210, true), None);
        pause.had(Next::At(9000));
        assert_eq!(pause.until(2220, true), Some(2240));
        assert_eq!(pause.until(2240, false), None);
    }
}
