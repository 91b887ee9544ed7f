//! The base subject of RFC 5256 section 2.1: what is left of a subject when the marks of replies,
//! forwards and lists are gone.

use std::borrow::Cow;

use crate::mail::header::{decode_words, unfold};

/// What a subject comes down to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Base<'a> {
    pub text: &'a str,
    /// Something said that the message is a reply or a forward (RFC 5256 section 2.1).
    pub reply: bool,
}

/// Step 1: encoded words decoded, each run of white space one space. `value` as it stands in the
/// header.
#[must_use]
pub fn decode(value: &[u8]) -> Cow<'_, str> {
    if let Cow::Borrowed(value) = unfold(value)
        && let Ok(text) = str::from_utf8(value)
        && !value
            .windows(2)
            .any(|pair| matches!(pair, b"=?" | b"  " | [b'\t', _]))
    {
        return Cow::Borrowed(text);
    }
    let decoded = decode_words(value);
    let mut out = String::with_capacity(decoded.len());
    for c in decoded.chars() {
        let space = matches!(c, ' ' | '\t');
        if !space {
            out.push(c);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
    }
    Cow::Owned(out)
}

/// Steps 2 to 7, of what [`decode`] made. Each step goes on where the last one ended: the time grows
/// with the length only.
#[must_use]
pub fn base(subject: &str) -> Base<'_> {
    let mut base = Base {
        text: subject,
        reply: false,
    };
    loop {
        base.trail();
        base.lead();
        // Step 6.
        let Some(inner) = starts(base.text, "[fwd:").and_then(|rest| rest.strip_suffix(']')) else {
            return base;
        };
        base.text = inner;
        base.reply = true;
    }
}

impl Base<'_> {
    /// Step 2.
    fn trail(&mut self) {
        loop {
            self.text = self.text.trim_end_matches(' ');
            let Some((rest, last)) = self
                .text
                .len()
                .checked_sub(5)
                .and_then(|at| self.text.split_at_checked(at))
            else {
                return;
            };
            if !last.eq_ignore_ascii_case("(fwd)") {
                return;
            }
            self.text = rest;
            self.reply = true;
        }
    }

    /// Steps 3 to 5. Blobs in a row that no reply mark follows go but for one that is all there is.
    fn lead(&mut self) {
        loop {
            self.text = self.text.trim_start_matches(' ');
            let (mut rest, mut last) = (self.text, self.text);
            while let Some(after) = blob(rest) {
                (last, rest) = (rest, after);
            }
            if let Some(after) = reply(rest) {
                self.text = after;
                self.reply = true;
                continue;
            }
            self.text = if rest.is_empty() { last } else { rest };
            return;
        }
    }
}

/// subj-refwd: `re:`, `fw:`, `fwd:`, with a blob before the colon or not; what follows it.
fn reply(text: &str) -> Option<&str> {
    let rest = starts(text, "re")
        .or_else(|| starts(text, "fwd"))
        .or_else(|| starts(text, "fw"))?
        .trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// subj-blob: text in brackets and the space behind it; what follows.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let rest = inner.get(end..)?.strip_prefix(']')?;
    Some(rest.trim_start_matches(' '))
}

fn starts<'a>(text: &'a str, with: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(with.len())?;
    start.eq_ignore_ascii_case(with).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subjects() {
        for (subject, want, reply) in [
            ("Lunch", "Lunch", false),
            ("", "", false),
            ("   ", "", false),
            ("Re: Lunch", "Lunch", true),
            ("RE:Lunch", "Lunch", true),
            ("re  : Lunch", "Lunch", true),
            ("Re[2]: Lunch", "Lunch", true),
            ("Re [2] : Lunch", "Lunch", true),
            ("Fw: Fwd: re: Lunch", "Lunch", true),
            ("Fwdd: Lunch", "Fwdd: Lunch", false),
            ("Refrain: Lunch", "Refrain: Lunch", false),
            ("[list] Lunch", "Lunch", false),
            ("[list][7] Lunch", "Lunch", false),
            ("[list] Re: [list] Re: Lunch", "Lunch", true),
            ("[a] [b] fwd [c]: Lunch", "Lunch", true),
            ("[list]", "[list]", false),
            ("[a] [list]", "[list]", false),
            ("Re: [list]", "[list]", true),
            ("Re:", "", true),
            ("Lunch (fwd)", "Lunch", true),
            ("Lunch (FWD) (fwd)  ", "Lunch", true),
            ("(fwd)", "", true),
            ("Lunch (fwd) today", "Lunch (fwd) today", false),
            ("[Fwd: Lunch]", "Lunch", true),
            ("[fwd: [FWD: Re: Lunch (fwd)]]", "Lunch", true),
            ("[fwd: Lunch] today", "today", false),
            ("Re: [fwd: [list] Lunch (fwd)]", "Lunch", true),
            ("[broken Lunch", "[broken Lunch", false),
            ("[a[b] Lunch", "[a[b] Lunch", false),
            ("Aw: Lunch", "Aw: Lunch", false),
            ("Re: Größe", "Größe", true),
            ("é", "é", false),
        ] {
            assert_eq!(base(subject), Base { text: want, reply }, "{subject:?}");
        }
    }

    #[test]
    fn values() {
        for (value, want) in [
            (&b" Re:\r\n\t Lunch\t today "[..], "Re: Lunch today"),
            (b"=?utf-8?q?Re:_Gr=C3=B6=C3=9Fe?=", "Re: Größe"),
            (b"=?iso-8859-1?q?a_?= =?iso-8859-1?q?_b?=", "a b"),
        ] {
            assert_eq!(decode(value), want);
        }
    }

    /// Each once took time with the square of its length.
    #[test]
    fn long_ones_are_quick() {
        for piece in ["[a]", "[fwd:", "re:", "re[a]:", "(fwd)", "[a] re", "[", "]"] {
            let _ = base(&piece.repeat(200_000));
        }
    }

    proptest! {
        #[test]
        fn a_base_is_its_own_base(subject in "(\\[|\\]|re|fwd|fw|:| |\\(fwd\\)|a|é){0,12}") {
            let first = base(&subject);
            let again = base(first.text);
            prop_assert_eq!(again.text, first.text);
            prop_assert!(!again.reply);
        }

        #[test]
        fn any_text(subject: String) {
            let decoded = decode(subject.as_bytes());
            prop_assert!(decoded.contains(base(&decoded).text));
        }
    }
}
