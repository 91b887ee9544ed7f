//! Replies, RFC 5321 section 4.2. The enhanced status code (RFC 2034) is part of the text.

use std::fmt;

/// Longest line in octets with code and CRLF (RFC 5321 section 4.5.3.1.5).
const LINE_MAX: usize = 512;

/// A reply of one or more lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Without code and CRLF; never empty.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line: `Reply::new(250, "2.1.0 Ok")`.
    #[must_use]
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            lines: vec![text.into()],
        }
    }

    /// With one more line.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// The same, but for now where it was for good: both codes begin with 4 instead of 5.
    #[must_use]
    pub fn softened(mut self) -> Self {
        if self.is_permanent() {
            self.code = self.code.saturating_sub(100);
            for line in &mut self.lines {
                if let Some(rest) = line.strip_prefix("5.") {
                    *line = format!("4.{rest}");
                }
            }
        }
        self
    }

    /// 2xx or 3xx: go on.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// 4xx: the peer may try again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: for good.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }

    /// 421: the connection ends after it (RFC 5321 section 3.8).
    #[must_use]
    pub fn ends(&self) -> bool {
        self.code == 421
    }

    /// Appends the reply as it goes over the wire. Control characters become `?`: a text may quote
    /// what a client sent, and a line end in it would be a reply of its own. What is too long for a
    /// line is cut off.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (at, line) in self.lines.iter().enumerate() {
            let separator = if at == last { ' ' } else { '-' };
            let end = line.floor_char_boundary(LINE_MAX - "250 \r\n".len());
            let text = line.get(..end).unwrap_or_default();
            let text = text.replace(|c: char| c.is_ascii_control(), "?");
            out.extend_from_slice(format!("{:03}{separator}{text}\r\n", self.code).as_bytes());
        }
    }
}

/// On one line: `550 5.1.1 No such user here`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.code)?;
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_cleaned() {
        let mut out = vec![];
        Reply::new(250, "mx.test")
            .line("SIZE 10")
            .line("a\r\nb")
            .encode(&mut out);
        assert_eq!(out, b"250-mx.test\r\n250-SIZE 10\r\n250 a??b\r\n");
    }

    #[test]
    fn long_lines_are_cut() {
        let mut out = vec![];
        Reply::new(555, "é".repeat(600)).encode(&mut out);
        assert_eq!(out.len(), 512);
        assert!(str::from_utf8(&out).unwrap().ends_with("é\r\n"));
    }

    #[test]
    fn classes() {
        assert!(Reply::new(354, "").is_positive());
        assert!(Reply::new(451, "").is_transient());
        assert!(Reply::new(550, "").is_permanent());
        assert!(Reply::new(421, "").ends());
    }
}
