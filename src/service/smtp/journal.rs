//! Log lines of a listener (OP-3), in the words that admins grep for. What a peer sent stands in them
//! with its control characters escaped, and cut where it is very long.

use std::{fmt, time::Duration};

use crate::proto::smtp::reply::Reply;

/// Longest quotation in characters.
const QUOTE_MAX: usize = 512;

/// Text from outside, as it may stand in a log line.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, c) in self.0.chars().enumerate() {
            if at == QUOTE_MAX {
                return f.write_str("...");
            }
            if is_harmless(c) {
                write!(f, "{c}")?;
            } else {
                write!(f, "{}", c.escape_unicode())?;
            }
        }
        Ok(())
    }
}

/// Neither a control character, nor one that breaks lines or turns the direction of writing.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// A reply on one line.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a>(pub &'a Reply);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.code)?;
        for line in &self.0.lines {
            write!(f, " {}", Quoted(line))?;
        }
        Ok(())
    }
}

/// A time span as `delay=` has it, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Delay(pub Duration);

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.0.as_secs_f64())
    }
}

/// The letters of a queue id: no vowel but A and E, nothing that looks like a digit.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A message's name in logs, in `Received:` and in `queued as`: ten letters, from the calendar and a
/// count that goes on from one message to the next.
#[must_use]
pub fn queue_id(seconds: i64, count: u32) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0) & 0x7_ffff_ffff;
    let number = (seconds << 15) | (u64::from(count) & 0x7fff);
    (0..10)
        .rev()
        .filter_map(|place| usize::try_from((number >> (5 * place)) & 31).ok())
        .filter_map(|at| LETTERS.get(at).copied())
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_forges_a_line() {
        for (text, want) in [
            ("a@b.test", "a@b.test"),
            ("jürgen", "jürgen"),
            ("a\r\nB: c", r"a\u{d}\u{a}B: c"),
            ("\u{1b}[31m\u{202e}", r"\u{1b}[31m\u{202e}"),
        ] {
            assert_eq!(Quoted(text).to_string(), want);
        }
        assert_eq!(Quoted(&"a".repeat(600)).to_string().len(), QUOTE_MAX + 3);
    }

    #[test]
    fn ids_are_short_and_differ() {
        let id = queue_id(1_795_272_815, 7);
        assert_eq!(id.len(), 10);
        assert_ne!(id, queue_id(1_795_272_815, 8));
        assert_ne!(id, queue_id(1_795_272_816, 7));
        assert_eq!(queue_id(0, 0), "0000000000");
        assert_eq!(queue_id(-1, u32::MAX), "0000000ZZZ");
    }

    #[test]
    fn delays() {
        assert_eq!(Delay(Duration::from_millis(1234)).to_string(), "1.23");
    }
}
