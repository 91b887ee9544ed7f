//! Flags as clients name them (RFC 3501 section 2.3.2).

use super::lexer::{Lexer, SyntaxError};
use crate::mail::flag::Flags;

/// Longest keyword in octets: ours, no standard names one.
pub const KEYWORD_MAX: usize = 128;

/// Flags of one message or one request: system flags and keywords. Keywords keep the case they came
/// in and compare without regard to it; none is there twice.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlagList {
    pub system: Flags,
    pub keywords: Vec<String>,
}

impl FlagList {
    /// `(flag flag …)`.
    pub fn parse(lexer: &mut Lexer<'_>) -> Result<Self, SyntaxError> {
        let mut flags = Self::default();
        lexer.list(|lexer| flags.take(lexer))?;
        Ok(flags)
    }

    /// As STORE has it: with parentheses or without.
    pub fn parse_bare(lexer: &mut Lexer<'_>) -> Result<Self, SyntaxError> {
        if lexer.peek() == Some(b'(') {
            return Self::parse(lexer);
        }
        let mut flags = Self::default();
        flags.take(lexer)?;
        while lexer.skip(b' ') {
            flags.take(lexer)?;
        }
        Ok(flags)
    }

    fn take(&mut self, lexer: &mut Lexer<'_>) -> Result<(), SyntaxError> {
        if lexer.skip(b'\\') {
            let name = lexer.atom().map_err(|_| SyntaxError::Flag)?;
            // `\Recent` cannot be set (RFC 3501 section 2.3.2); clients that copy flags send it.
            if !name.eq_ignore_ascii_case("Recent") {
                self.system = self.system.with(system(name).ok_or(SyntaxError::Flag)?);
            }
        } else {
            let name = lexer.atom()?;
            if !is_keyword(name) {
                return Err(SyntaxError::Flag);
            }
            if !self.keywords.iter().any(|k| k.eq_ignore_ascii_case(name)) {
                self.keywords.push(name.to_owned());
            }
        }
        Ok(())
    }
}

/// Whether a keyword may have this name.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    (1..=KEYWORD_MAX).contains(&name.len()) && name.bytes().all(super::lexer::is_atom)
}

fn system(name: &str) -> Option<Flags> {
    Flags::NAMES
        .iter()
        .find(|(_, n)| {
            n.strip_prefix('\\')
                .is_some_and(|n| n.eq_ignore_ascii_case(name))
        })
        .map(|(flag, _)| *flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let parse = |text: &'static str| FlagList::parse_bare(&mut Lexer::new(text.as_bytes()));
        let got = parse(r"(\seen \Deleted $Junk Work \Recent work)").unwrap();
        assert_eq!(got.system, Flags::SEEN.with(Flags::DELETED));
        assert_eq!(got.keywords, ["$Junk", "Work"]);
        assert_eq!(parse(r"\Seen a").unwrap().keywords, ["a"]);
        assert_eq!(parse("()").unwrap(), FlagList::default());
        for text in [r"(\Foo)", r"(\*)", r"(\)", r"\"] {
            assert_eq!(parse(text), Err(SyntaxError::Flag), "{text}");
        }
        for text in ["", "(a", "(a,\")", "\"a\"", "a  b"] {
            assert_eq!(parse(text), Err(SyntaxError::Argument), "{text}");
        }
    }
}
