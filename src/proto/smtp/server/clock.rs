//! How fast content has to come (SR-24).

use std::time::Duration;

use super::Options;
use crate::base::time::Instant;

/// Begins at its first look. Fast octets pay for slow ones later, but for no more than one silence.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Times>);

#[derive(Clone, Debug)]
struct Times {
    start: Instant,
    /// When octets came last.
    last: Instant,
    /// Up to when the octets that came suffice.
    paid: Instant,
}

impl Clock {
    /// When silence becomes too long.
    pub fn until(&mut self, now: Instant, options: &Options) -> Instant {
        self.times(now).last.plus_seconds(options.data_wait_s)
    }

    /// When octets came last.
    pub fn last(&self) -> Option<Instant> {
        self.0.as_ref().map(|times| times.last)
    }

    /// Octets came; false if they came too slowly.
    #[must_use]
    pub fn came(&mut self, now: Instant, octets: usize, options: &Options) -> bool {
        let Some(worth) = u64::try_from(octets)
            .unwrap_or(u64::MAX)
            .saturating_mul(1000)
            .checked_div(options.rate_min)
        else {
            self.times(now).last = now;
            return true;
        };
        let times = self.times(now);
        let most = now.plus_seconds(options.data_wait_s);
        times.last = now;
        times.paid = times.paid.plus(worth).min(most);
        now < times.start.plus_seconds(options.rate_after_s) || now <= times.paid
    }

    /// The service took its time: that is not the client's.
    pub fn pause(&mut self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if let Some(times) = &mut self.0 {
            times.start = times.start.plus(time);
            times.last = times.last.plus(time);
            times.paid = times.paid.plus(time);
        }
    }

    fn times(&mut self, now: Instant) -> &mut Times {
        self.0.get_or_insert(Times {
            start: now,
            last: now,
            paid: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which second a client that sends `octets` every `every` seconds is found too slow.
    fn slow(octets: usize, every: u64) -> Option<u64> {
        let (options, mut clock) = (Options::new("mx"), Clock::default());
        clock.until(Instant(0), &options);
        (1..1000)
            .map(|n| n * every)
            .find(|second| !clock.came(Instant(second * 1000), octets, &options))
    }

    #[test]
    fn trickling_is_found_out() {
        assert_eq!(slow(1, 1), Some(120));
        assert_eq!(slow(1, 170), Some(170));
        assert_eq!(slow(1023, 1), Some(120));
        assert_eq!(slow(1024, 1), None);
        assert_eq!(slow(102_400, 100), None);
    }

    #[test]
    fn a_burst_pays_for_one_silence_only() {
        let (options, mut clock) = (Options::new("mx"), Clock::default());
        assert!(clock.came(Instant(0), 10_000_000, &options));
        assert!(clock.came(Instant(170_000), 1, &options));
        assert!(!clock.came(Instant(340_000), 1, &options));
    }

    #[test]
    fn the_services_time_is_not_the_clients() {
        let (options, mut clock) = (Options::new("mx"), Clock::default());
        assert!(clock.came(Instant(0), 1, &options));
        clock.pause(Duration::from_secs(1000));
        assert_eq!(
            clock.until(Instant(1_000_000), &options),
            Instant(1_180_000)
        );
        assert!(clock.came(Instant(1_100_000), 1, &options));
    }
}
