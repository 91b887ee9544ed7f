//! Header blocks: fields as they stand, unfolded, and decoded (RFC 5322 section 2.2, RFC 2047).
//!
//! A block is taken as it comes: lines may end in LF, lines that are no field are passed over, and
//! the first empty line ends it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

pub use crate::mail::word::decode_words;

/// One field. Its parts borrow from the block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field<'a> {
    /// Printable ASCII without the colon and without white space before it.
    pub name: &'a [u8],
    /// What follows the colon, still folded, without the last line end.
    pub value: &'a [u8],
    /// Where the field lies in the block, its last line end included.
    pub whole: Range<usize>,
}

impl Field<'_> {
    /// Whether the field has this name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a block in their order.
pub fn fields(block: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields { block, at: 0 }
}

/// The value of the first field of this name: folded, without the last line end.
#[must_use]
pub fn value<'a>(block: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(block).find(|field| field.is(name)).map(|f| f.value)
}

/// How many `Received:` fields there are (RFC 5321 section 6.3).
#[must_use]
pub fn hops(block: &[u8]) -> usize {
    fields(block).filter(|field| field.is("Received")).count()
}

/// The fields of these names, or with `not` all others, as they stand, and an empty line: what IMAP's
/// `HEADER.FIELDS` and `HEADER.FIELDS.NOT` give (RFC 9051 section 6.4.5.1). Lines that are no field
/// are left out.
#[must_use]
pub fn filter<N: AsRef<[u8]>>(block: &[u8], names: &[N], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(block) {
        let meant = |name: &N| name.as_ref().eq_ignore_ascii_case(field.name);
        if names.iter().any(meant) != not {
            let whole = block.get(field.whole).unwrap_or_default();
            out.extend_from_slice(whole);
            if !whole.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A value on one line, without white space at its ends. No CR, LF or NUL comes out.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if value.iter().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        let kept = value.iter().filter(|c| !matches!(c, b'\r' | b'\n' | 0));
        Cow::Owned(kept.copied().collect())
    } else {
        Cow::Borrowed(value)
    }
}

struct Fields<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The line at `at` with its end; empty at the end of the block.
    fn line(&self, at: usize) -> &'a [u8] {
        let rest = self.block.get(at..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(rest.len(), |lf| lf.saturating_add(1));
        rest.get(..end).unwrap_or_default()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let start = self.at;
            let first = self.line(start);
            if matches!(first, b"" | b"\n" | b"\r\n") {
                return None;
            }
            self.at = start.saturating_add(first.len());
            loop {
                let line = self.line(self.at);
                if !matches!(line.first(), Some(b' ' | b'\t')) {
                    break;
                }
                self.at = self.at.saturating_add(line.len());
            }
            if let Some((name, value)) = split(self.block.get(start..self.at)?) {
                return Some(Field {
                    name,
                    value,
                    whole: start..self.at,
                });
            }
        }
    }
}

/// White space before the colon is obsolete and still read (RFC 5322 section 4.5).
pub(in crate::mail) fn split(whole: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', whole)?;
    let name = whole.get(..colon)?.trim_ascii_end();
    let value = whole.get(colon.checked_add(1)?..)?;
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let printable = name.iter().all(u8::is_ascii_graphic);
    (printable && !name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: &[u8] = b"From alice@a.test Sat Nov 21 14:53:35 2026\r\n\
        Received: one\r\n\
        Subject : Hello\r\n\
        \tfolded  \r\n\
        garbage\r\n\
        \x20 more of it: yes\r\n\
        RECEIVED: two\n\
        : no name\r\n\
        Empty:\r\n\
        \r\n\
        Body: no\r\n";

    #[test]
    fn fields_as_they_stand() {
        let found: Vec<_> = fields(BLOCK)
            .map(|f| (f.name.to_vec(), f.value.to_vec(), BLOCK[f.whole].len()))
            .collect();
        let want: [(&[u8], &[u8], usize); 4] = [
            (b"Received", b" one", 15),
            (b"Subject", b" Hello\r\n\tfolded  ", 28),
            (b"RECEIVED", b" two", 14),
            (b"Empty", b"", 8),
        ];
        assert_eq!(
            found,
            want.map(|(name, value, n)| (name.to_vec(), value.to_vec(), n))
        );
        assert_eq!(hops(BLOCK), 2);
        assert_eq!(value(BLOCK, "subject"), Some(&b" Hello\r\n\tfolded  "[..]));
        assert_eq!(value(BLOCK, "body"), None);
    }

    #[test]
    fn odd_blocks() {
        for (block, count) in [
            (&b""[..], 0),
            (b"\r\n", 0),
            (b" starts folded: 1\r\nA: b\r\n", 1),
            (b"A:", 1),
            (b"A", 0),
            (b"\r", 0),
            (b"A: b\r\n \r\nC: d\r\n", 2),
            (b"\xff\xfe: 8 bit name\r\nA: \xff\r\n", 1),
        ] {
            assert_eq!(fields(block).count(), count, "{block:?}");
        }
    }

    #[test]
    fn some_fields_or_the_others() {
        assert_eq!(
            filter(BLOCK, &["SUBJECT", "x"], false),
            b"Subject : Hello\r\n\tfolded  \r\n\r\n"
        );
        assert_eq!(
            filter(BLOCK, &["Received"], true),
            b"Subject : Hello\r\n\tfolded  \r\nEmpty:\r\n\r\n"
        );
        assert_eq!(filter(b"A: b", &["a"], false), b"A: b\r\n\r\n");
        assert_eq!(filter(b"", &["a"], false), b"\r\n");
    }

    #[test]
    fn unfolding() {
        assert_eq!(&*unfold(b" Hello\r\n\tfolded \r\n "), b"Hello\tfolded");
        assert_eq!(&*unfold(b" a\0b\rc "), b"abc");
        assert!(matches!(unfold(b" plain "), Cow::Borrowed(b"plain")));
    }

    proptest! {
        #[test]
        fn any_octets(block in proptest::collection::vec(proptest::sample::select(&b"Ab: \t\r\n\xff"[..]), 0..60)) {
            let mut end = 0;
            for field in fields(&block) {
                prop_assert!(field.whole.start >= end && field.whole.end <= block.len());
                end = field.whole.end;
            }
            let kept = filter(&block, &["nobody"], true);
            prop_assert_eq!(fields(&kept).count(), fields(&block).count());
        }
    }
}
