//! Sequence sets (RFC 3501 section 9, sequence-set): numbers of messages or UIDs as a client writes
//! them.

use std::num::NonZeroU32;

use super::lexer::{Lexer, SyntaxError};
use crate::base::ranges::Ranges;

/// One end of a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeqNumber {
    /// `*`: the largest number in use.
    Last,
    Number(NonZeroU32),
}

/// One item of a set; a range may be written backwards (`4:2` is `2:4`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeqItem {
    One(SeqNumber),
    Range(SeqNumber, SeqNumber),
}

/// A sequence set; without items it is `$`, the saved result of a SEARCH (RFC 5182).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeqSet(Vec<SeqItem>);

impl SeqSet {
    /// Takes a set from a command.
    pub fn parse(lexer: &mut Lexer<'_>) -> Result<Self, SyntaxError> {
        let mut items = Vec::new();
        if lexer.skip(b'$') {
            return Ok(Self(items));
        }
        loop {
            let low = number(lexer)?;
            items.push(if lexer.skip(b':') {
                SeqItem::Range(low, number(lexer)?)
            } else {
                SeqItem::One(low)
            });
            if !lexer.skip(b',') {
                return Ok(Self(items));
            }
        }
    }

    #[must_use]
    pub fn items(&self) -> &[SeqItem] {
        &self.0
    }

    /// Whether it is `$`; [`Self::resolve`] gives nothing then.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers meant where `last` is the largest in use; where none is (0), `*` means nothing.
    #[must_use]
    pub fn resolve(&self, last: u32) -> Ranges {
        let end = |n: SeqNumber| match n {
            SeqNumber::Last => last,
            SeqNumber::Number(n) => n.get(),
        };
        let mut spans: Vec<(u32, u32)> = self
            .0
            .iter()
            .map(|item| match *item {
                SeqItem::One(n) => (end(n), end(n)),
                SeqItem::Range(a, b) => (end(a).min(end(b)), end(a).max(end(b))),
            })
            .collect();
        // Sorted, because a set adds cheaply at its end only.
        spans.sort_unstable();
        let mut ranges = Ranges::new();
        for (low, high) in spans {
            ranges.insert_span(low.max(1), high);
        }
        ranges
    }

    /// Whether `*` is in it.
    #[must_use]
    pub fn names_last(&self) -> bool {
        self.0.iter().any(|item| match *item {
            SeqItem::One(n) => n == SeqNumber::Last,
            SeqItem::Range(a, b) => a == SeqNumber::Last || b == SeqNumber::Last,
        })
    }
}

fn number(lexer: &mut Lexer<'_>) -> Result<SeqNumber, SyntaxError> {
    if lexer.skip(b'*') {
        return Ok(SeqNumber::Last);
    }
    NonZeroU32::new(lexer.number()?)
        .map(SeqNumber::Number)
        .ok_or(SyntaxError::Argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SeqSet, SyntaxError> {
        let mut lexer = Lexer::new(text.as_bytes());
        let set = SeqSet::parse(&mut lexer)?;
        lexer.end()?;
        Ok(set)
    }

    #[test]
    fn resolves() {
        for (text, last, want) in [
            ("1", 9, vec![1]),
            ("2:4", 9, vec![2, 3, 4]),
            ("4:2", 9, vec![2, 3, 4]),
            ("*", 3, vec![3]),
            ("*:2", 3, vec![2, 3]),
            ("5:*", 3, vec![3, 4, 5]),
            ("7,1,3:4,4", 9, vec![1, 3, 4, 7]),
            ("*", 0, vec![]),
            ("1:*", 0, vec![1]),
            ("4294967295", 1, vec![u32::MAX]),
        ] {
            let got = parse(text).unwrap().resolve(last);
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{text}");
        }
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "0",
            "1:",
            ":1",
            "1,",
            ",",
            "1:2:3",
            "a",
            "4294967296",
            "1 ,2",
            "**",
        ] {
            assert_eq!(parse(text), Err(SyntaxError::Argument), "{text}");
        }
    }
}
