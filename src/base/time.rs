//! Time as values. Only `net::world` looks at a clock.

use std::time::Duration;

use ::time::{OffsetDateTime, UtcOffset};
use serde::{Deserialize, Serialize};

/// A point on the monotonic clock, in milliseconds since the process started.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Instant(pub u64);

impl Instant {
    /// A point that is never reached.
    pub const NEVER: Self = Self(u64::MAX);

    #[must_use]
    pub fn plus(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus(seconds.saturating_mul(1000))
    }

    /// How long from `earlier` to this point; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A clock for a thread of its own; `net::world` has the machine's.
pub trait Clock: std::fmt::Debug + Send + Sync {
    fn now(&self) -> Instant;
    fn time(&self) -> Time;
}

/// 2026-01-01: no clock that shows less is right.
pub const BUILT: i64 = 1_767_225_600;

/// A point on the calendar: seconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Time(pub i64);

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Time {
    /// In UTC; years beyond the calendar's range become its ends.
    #[must_use]
    pub fn calendar(self) -> OffsetDateTime {
        let seconds = self.0.clamp(-62_167_219_200, 253_402_300_799);
        OffsetDateTime::from_unix_timestamp(seconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(UtcOffset::UTC)
    }

    /// As a `Date:` or `Received:` line says it (RFC 5322 section 3.3), in UTC:
    /// `Sat, 21 Nov 2026 14:53:35 +0000`.
    #[must_use]
    pub fn rfc5322(self) -> String {
        let t = self.calendar();
        format!(
            "{}, {} {} {:04} {:02}:{:02}:{:02} +0000",
            DAYS.get(usize::from(t.weekday().number_days_from_monday()))
                .unwrap_or(&"Mon"),
            t.day(),
            month(t),
            t.year(),
            t.hour(),
            t.minute(),
            t.second(),
        )
    }

    /// As IMAP's INTERNALDATE says it, without the quotes (RFC 3501 section 9, date-time), in UTC:
    /// `21-Nov-2026 14:53:35 +0000`; the day takes two places.
    #[must_use]
    pub fn imap(self) -> String {
        let t = self.calendar();
        format!(
            "{:2}-{}-{:04} {:02}:{:02}:{:02} +0000",
            t.day(),
            month(t),
            t.year(),
            t.hour(),
            t.minute(),
            t.second(),
        )
    }

    /// As C's `asctime` does, without the year, in UTC: `Sat Nov 21 14:53:35`; the day takes two places.
    #[must_use]
    pub fn asctime(self) -> String {
        let t = self.calendar();
        format!(
            "{} {} {:2} {:02}:{:02}:{:02}",
            DAYS.get(usize::from(t.weekday().number_days_from_monday()))
                .unwrap_or(&"Mon"),
            month(t),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
        )
    }

    /// As logs and `--json` say it (RFC 3339), in UTC: `2026-11-21T14:53:35Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let t = self.calendar();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
        )
    }
}

fn month(t: OffsetDateTime) -> &'static str {
    MONTHS
        .get(usize::from(u8::from(t.month())).saturating_sub(1))
        .unwrap_or(&"Jan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_of_one_time() {
        let t = Time(1_795_272_815);
        assert_eq!(t.rfc5322(), "Sat, 21 Nov 2026 14:53:35 +0000");
        assert_eq!(t.imap(), "21-Nov-2026 14:53:35 +0000");
        assert_eq!(t.rfc3339(), "2026-11-21T14:53:35Z");
        assert_eq!(t.asctime(), "Sat Nov 21 14:53:35");
        assert_eq!(Time(0).asctime(), "Thu Jan  1 00:00:00");
        assert_eq!(Time(0).imap(), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(Time(i64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
    }
}
