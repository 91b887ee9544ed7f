//! Dates: `17-Jul-1996` in SEARCH, `"17-Jul-1996 02:44:25 -0700"` in APPEND (RFC 3501 section 9).

use ::time::{Date, Month};

use super::super::lexer::{Lexer, SyntaxError};
use crate::base::time::Time;

const MONTHS: [(&str, Month); 12] = [
    ("JAN", Month::January),
    ("FEB", Month::February),
    ("MAR", Month::March),
    ("APR", Month::April),
    ("MAY", Month::May),
    ("JUN", Month::June),
    ("JUL", Month::July),
    ("AUG", Month::August),
    ("SEP", Month::September),
    ("OCT", Month::October),
    ("NOV", Month::November),
    ("DEC", Month::December),
];

/// A day, quoted or not.
pub fn date(lexer: &mut Lexer<'_>) -> Result<Date, SyntaxError> {
    let quoted = lexer.skip(b'"');
    let day = day(lexer)?;
    if quoted {
        lexer.expect(b'"')?;
    }
    Ok(day)
}

/// A point in time, always quoted.
pub fn date_time(lexer: &mut Lexer<'_>) -> Result<Time, SyntaxError> {
    lexer.expect(b'"')?;
    // The day takes two places, the first of which may be a space.
    lexer.skip(b' ');
    let day = day(lexer)?;
    lexer.space()?;
    let hour = two(lexer, 23)?;
    lexer.expect(b':')?;
    let minute = two(lexer, 59)?;
    lexer.expect(b':')?;
    let second = two(lexer, 60)?;
    lexer.space()?;
    let zone = zone(lexer)?;
    lexer.expect(b'"')?;
    let midnight = day.midnight().assume_utc().unix_timestamp();
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Ok(Time(midnight + seconds - zone))
}

fn day(lexer: &mut Lexer<'_>) -> Result<Date, SyntaxError> {
    let day = number(lexer, 1..=2)?;
    lexer.expect(b'-')?;
    let name = letters(lexer)?;
    let month = MONTHS.iter().find(|(n, _)| *n == name);
    let (_, month) = month.ok_or(SyntaxError::Argument)?;
    lexer.expect(b'-')?;
    let year = number(lexer, 4..=4)?;
    let year = i32::try_from(year).map_err(|_| SyntaxError::Argument)?;
    u8::try_from(day)
        .ok()
        .and_then(|day| Date::from_calendar_date(year, *month, day).ok())
        .ok_or(SyntaxError::Argument)
}

/// Seconds east of Greenwich.
fn zone(lexer: &mut Lexer<'_>) -> Result<i64, SyntaxError> {
    let west = lexer.skip(b'-');
    if !west {
        lexer.expect(b'+')?;
    }
    let zone = i64::from(number(lexer, 4..=4)?);
    let (hours, minutes) = (zone / 100, zone % 100);
    if minutes > 59 {
        return Err(SyntaxError::Argument);
    }
    let seconds = hours * 3600 + minutes * 60;
    Ok(if west { -seconds } else { seconds })
}

fn two(lexer: &mut Lexer<'_>, max: u32) -> Result<u32, SyntaxError> {
    number(lexer, 2..=2).and_then(|n| (n <= max).then_some(n).ok_or(SyntaxError::Argument))
}

/// A number written in so many digits.
fn number(
    lexer: &mut Lexer<'_>,
    digits: std::ops::RangeInclusive<usize>,
) -> Result<u32, SyntaxError> {
    let text = lexer.run(|c| c.is_ascii_digit())?;
    if !digits.contains(&text.len()) {
        return Err(SyntaxError::Argument);
    }
    Lexer::new(text).number()
}

fn letters(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let text = lexer.run(|c| c.is_ascii_alphabetic())?;
    Ok(String::from_utf8_lossy(text).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, want) in [
            ("\"17-Jul-1996 02:44:25 -0700\"", Some(837_596_665)),
            ("\" 1-Jan-1970 00:00:00 +0000\"", Some(0)),
            ("\"01-jan-1970 01:00:00 +0100\"", Some(0)),
            ("\"31-Dec-2016 23:59:60 +0000\"", Some(1_483_228_800)),
            ("\"29-Feb-2023 00:00:00 +0000\"", None),
            ("\"1-Foo-2023 00:00:00 +0000\"", None),
            ("\"1-Jan-2023 24:00:00 +0000\"", None),
            ("\"1-Jan-2023 00:00:00 +0060\"", None),
            ("\"1-Jan-2023 00:00:00\"", None),
            ("\"1-Jan-23 00:00:00 +0000\"", None),
        ] {
            let got = date_time(&mut Lexer::new(text.as_bytes()));
            assert_eq!(got.ok(), want.map(Time), "{text}");
        }
    }

    #[test]
    fn days() {
        let day = |text: &'static str| date(&mut Lexer::new(text.as_bytes())).ok();
        let want = Date::from_calendar_date(1994, Month::February, 1).ok();
        assert_eq!(day("1-Feb-1994"), want);
        assert_eq!(day("\"01-FEB-1994\""), want);
        assert_eq!(day("001-Feb-1994"), None);
        assert_eq!(day("\"1-Feb-1994"), None);
    }
}
