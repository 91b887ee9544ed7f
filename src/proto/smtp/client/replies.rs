//! Replies as they come (RFC 5321 section 4.2): bounded, and cleaned for logs and bounces.

use std::mem::take;

use crate::base::line::Input;
use crate::proto::smtp::reply::Reply;

/// Longest line that is taken, in octets with its line end; RFC 5321 section 4.5.3.1.5 has 512.
const LINE_MAX: usize = 2000;
/// Most lines and octets of a reply.
const LINES_MAX: u32 = 100;
const OCTETS_MAX: usize = 64 * 1024;
/// Of a reply that somebody will read, so many lines of so many octets are kept.
const KEPT_LINES: usize = 10;
const KEPT_LINE: usize = 512;

/// The reply that is coming in.
#[derive(Debug, Default)]
pub struct Replies {
    lines: Vec<String>,
    count: u32,
    octets: usize,
}

impl Replies {
    /// The next reply, once it is there. `whole`: its lines are worked with, so none may be cut.
    ///
    /// # Errors
    ///
    /// This is no reply; what it is, cleaned.
    pub fn next(&mut self, input: &mut Input, whole: bool) -> Result<Option<Reply>, String> {
        while let Some(length) = input
            .line()
            .or((input.len() >= LINE_MAX).then_some(LINE_MAX))
        {
            let line = input.rest().get(..length).unwrap_or_default();
            let parsed = parse(line).filter(|_| line.ends_with(b"\n") && length <= LINE_MAX);
            let Some((code, more, text)) = parsed else {
                return Err(clean(line, 80));
            };
            self.count = self.count.saturating_add(1);
            self.octets = self.octets.saturating_add(length);
            if whole || self.lines.len() < KEPT_LINES {
                self.lines
                    .push(clean(text, if whole { LINE_MAX } else { KEPT_LINE }));
            }
            input.advance(length);
            if !more {
                let lines = take(self).lines;
                return Ok(Some(Reply { code, lines }));
            }
            if self.count >= LINES_MAX || self.octets > OCTETS_MAX {
                return Err("it has no end".to_owned());
            }
        }
        Ok(None)
    }
}

/// Code, whether more lines follow, text. Of a reply whose codes differ, the last one counts.
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
    let known = (200..600).contains(&code) && digits.iter().all(u8::is_ascii_digit);
    match rest.split_first() {
        _ if !known => None,
        Some((b'-', text)) => Some((code, true, text)),
        Some((b' ', text)) => Some((code, false, text)),
        Some((b'\r' | b'\n', _)) => Some((code, false, &[])),
        _ => None,
    }
}

/// Without control characters and its end, at most `max` octets.
fn clean(line: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
    let mut text = text.replace(char::is_control, "?");
    text.truncate(text.floor_char_boundary(max));
    text
}
