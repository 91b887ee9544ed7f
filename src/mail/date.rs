//! Dates of messages (RFC 5322 sections 3.3 and 4.3), read with patience.

use ::time::{Date, Month, OffsetDateTime, PrimitiveDateTime, UtcOffset};
use serde::{Deserialize, Serialize};

use crate::base::time::Time;

/// Longer values are no dates, in octets.
const DATE_MAX: usize = 200;

/// When a message says it was sent, and in which zone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SentDate {
    pub time: Time,
    /// Minutes east of Greenwich.
    pub zone_minutes: i16,
}

impl SentDate {
    /// Reads what a `Date:` field says; see [`parse_rfc5322`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time, zone) = parse_rfc5322(text)?;
        Some(Self {
            time,
            zone_minutes: i16::try_from(zone).ok()?,
        })
    }

    /// The calendar day as it was written, whatever the zone: what IMAP's SENTON compares
    /// (RFC 9051 section 6.4.4).
    #[must_use]
    pub fn date(self) -> Date {
        let zone = i64::from(self.zone_minutes).saturating_mul(60);
        Time(self.time.0.saturating_add(zone)).calendar().date()
    }
}

/// Reads `Sat, 21 Nov 2026 14:53:35 +0100` and what people made of it: no weekday, no seconds, two
/// or three digits for the year, names for the zone, comments, dashes, the order of asctime. Returns
/// the time and the zone in minutes east of Greenwich, below one day; an unknown zone is UTC.
#[must_use]
pub fn parse_rfc5322(text: &str) -> Option<(Time, i32)> {
    if text.len() > DATE_MAX {
        return None;
    }
    let text = without_comments(text);
    let mut seen = Seen::default();
    for token in text.split(|c: char| c == ',' || c.is_whitespace()) {
        seen.token(token)?;
    }
    let (hour, minute, second) = seen.clock.unwrap_or_default();
    let date = Date::from_calendar_date(seen.year?, seen.month?, seen.day?).ok()?;
    // A leap second counts as the one before it.
    let clock = ::time::Time::from_hms(hour, minute, second.min(59)).ok()?;
    let zone = seen.zone.unwrap_or(0);
    let offset = UtcOffset::from_whole_seconds(zone.checked_mul(60)?).ok()?;
    let local: OffsetDateTime = PrimitiveDateTime::new(date, clock).assume_offset(offset);
    Some((Time(local.unix_timestamp()), zone))
}

#[derive(Default)]
struct Seen {
    day: Option<u8>,
    month: Option<Month>,
    year: Option<i32>,
    clock: Option<(u8, u8, u8)>,
    zone: Option<i32>,
}

impl Seen {
    /// Sorts one token in; `None` if it makes the whole no date. Whatever comes after a zone is noise.
    fn token(&mut self, token: &str) -> Option<()> {
        if token.is_empty() || self.zone.is_some() && self.year.is_some() {
            return Some(());
        }
        if token.contains(':') {
            if self.clock.is_none() {
                self.clock = Some(clock(token)?);
            }
        } else if let Some(digits) = token.strip_prefix(['+', '-']) {
            // `-0700` is a zone; `Nov-2026` never starts with a dash.
            if let Some(minutes) = offset(digits) {
                let west = token.starts_with('-');
                self.zone = Some(if west { -minutes } else { minutes });
            }
        } else if token.contains('-') {
            for piece in token.split('-') {
                self.token(piece)?;
            }
        } else if token.starts_with(|c: char| c.is_ascii_digit()) {
            self.number(token)?;
        } else if let Some(month) = month(token) {
            self.month.get_or_insert(month);
        } else if self.clock.is_some() {
            self.zone = self.zone.or(zone(token));
        }
        Some(())
    }

    fn number(&mut self, token: &str) -> Option<()> {
        if self.day.is_none() && token.len() <= 2 {
            self.day = Some(token.parse().ok()?);
        } else if self.year.is_none() {
            self.year = Some(year(token)?);
        }
        Some(())
    }
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    let outside = text.chars().map(|c| match c {
        '(' => {
            depth = depth.saturating_add(1);
            ' '
        }
        ')' => {
            depth = depth.saturating_sub(1);
            ' '
        }
        _ if depth > 0 => ' ',
        c => c,
    });
    outside.collect()
}

/// `14:53:35`, `14:53`, and a fraction that is dropped.
fn clock(token: &str) -> Option<(u8, u8, u8)> {
    let mut parts = token.split(':');
    let hour = number(parts.next()?)?;
    let minute = number(parts.next()?)?;
    let second = match parts.next() {
        Some(text) => number(text.split(['.', 'Z', '+', '-']).next()?)?,
        None => 0,
    };
    (hour < 24 && minute < 60 && second <= 60).then_some((hour, minute, second))
}

fn number(text: &str) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// RFC 5322 section 4.3: two digits below 50 are of this century; three count from 1900.
fn year(token: &str) -> Option<i32> {
    let year: i32 = token.parse().ok()?;
    Some(match (token.len(), year) {
        (1 | 2, 0..50) => year.checked_add(2000)?,
        (1..=3, _) => year.checked_add(1900)?,
        _ => year,
    })
}

/// `hhmm`, `hh`, in minutes; `None` if it is no number or no zone can be that far away.
fn offset(digits: &str) -> Option<i32> {
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value: i32 = digits.parse().ok()?;
    let minutes = match digits.len() {
        1 | 2 => value.checked_mul(60)?,
        3 | 4 => (value / 100).checked_mul(60)?.checked_add(value % 100)?,
        _ => return None,
    };
    (minutes < 24 * 60).then_some(minutes)
}

fn month(token: &str) -> Option<Month> {
    const MONTHS: [(&str, Month); 12] = [
        ("jan", Month::January),
        ("feb", Month::February),
        ("mar", Month::March),
        ("apr", Month::April),
        ("may", Month::May),
        ("jun", Month::June),
        ("jul", Month::July),
        ("aug", Month::August),
        ("sep", Month::September),
        ("oct", Month::October),
        ("nov", Month::November),
        ("dec", Month::December),
    ];
    let start = token.get(..3)?;
    MONTHS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(start))
        .map(|(_, month)| *month)
}

/// Zones with names (RFC 5322 section 4.3, and the European ones that are seen); military letters and
/// all others are UTC. `GMT+2` and its like are not followed.
fn zone(token: &str) -> Option<i32> {
    if !token.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let hours = match token.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "BST" | "CET" | "MET" => 1,
        "CEST" | "MEST" | "EET" => 2,
        "EEST" => 3,
        // The year of asctime may still follow; days of the week are no zones.
        "AM" | "PM" => return None,
        _ => 0,
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates() {
        let t = 1_795_272_815;
        for (text, want) in [
            ("Sat, 21 Nov 2026 14:53:35 +0000", Some((t, 0))),
            (" Sat,  21 Nov 2026 15:53:35 +0100 (CET)", Some((t, 60))),
            ("21 Nov 2026 14:53:35 -0000", Some((t, 0))),
            ("21 Nov 26 09:53:35 EST", Some((t, -300))),
            ("21 Nov 126 09:53:35 -0500", Some((t, -300))),
            ("21 nov 2026 20:23:35 +0530", Some((t, 330))),
            ("Sat, 21 Nov 2026 14:53 GMT", Some((t - 35, 0))),
            ("Sat Nov 21 14:53:35 2026", Some((t, 0))),
            ("Sat Nov 21 14:53:35 UTC 2026", Some((t, 0))),
            ("21-Nov-2026 14:53:35 +0000", Some((t, 0))),
            ("Sat, 21 (the (day)) Nov 2026 14:53:35.123 Z", Some((t, 0))),
            ("Saturday, 21 November 2026 14:53:35 XYZ", Some((t, 0))),
            ("21 Nov 2026", Some((t - 53_615, 0))),
            ("21 Nov 2026 14:53:35 +9999", Some((t, 0))),
            ("Sat, 21 Nov 2026 14:53:35 +0000 junk 7", Some((t, 0))),
            ("Thu, 1 Jan 1970 00:00:00 +0000", Some((0, 0))),
            ("31 Dec 1998 23:59:60 +0000", Some((915_148_799, 0))),
            ("Fri, 30 Feb 2026 00:00:00 +0000", None),
            ("21 Nov 2026 24:00:00 +0000", None),
            ("21 Nov 99999999999 00:00", None),
            ("21 Nov 2026 14:53:35 +O100", Some((t, 0))),
            ("21 Nov 2026 14:53:35 +-100", Some((t, 0))),
            ("21 - Nov - 2026 14:53:35", Some((t, 0))),
            ("21 Nov 2026 -:-", None),
            ("21 Nov", None),
            ("Nov", None),
            ("é21 Nov", None),
            ("", None),
        ] {
            let got = parse_rfc5322(text).map(|(time, zone)| (time.0, zone));
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn the_day_as_written() {
        let sent = SentDate::parse("Sun, 22 Nov 2026 00:30:00 +0100").unwrap();
        assert_eq!(sent.time.calendar().day(), 21);
        assert_eq!(sent.date().day(), 22);
        assert_eq!(sent.zone_minutes, 60);
    }

    proptest! {
        #[test]
        fn any_text(text in "[0-9A-Za-z:+,. ()é-]{0,40}", other: String) {
            let _ = parse_rfc5322(&other);
            if let Some(sent) = SentDate::parse(&text) {
                prop_assert!(sent.zone_minutes.abs() < 24 * 60);
                let _ = sent.date();
            }
        }

        #[test]
        fn what_we_write_we_read(seconds in 0_i64..253_402_300_799) {
            let time = Time(seconds);
            prop_assert_eq!(parse_rfc5322(&time.rfc5322()), Some((time, 0)));
        }
    }
}
