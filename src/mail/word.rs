//! Encoded words (RFC 2047), read as people meant them.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use memchr::memchr;
use memchr::memmem;

/// A word whose end does not come within this many octets is none. RFC 2047 section 2 says 75;
/// senders put whole subjects into one.
const WORD_MAX: usize = 8 * 1024;

/// A folded value as text: encoded words decoded in any charset that encoding_rs knows, raw 8-bit
/// octets as UTF-8 or else windows-1252. What is broken stays as it stands. Characters that were cut
/// between two adjacent words of one charset come out whole. No CR, LF or NUL comes out.
#[must_use]
pub fn decode_words(value: &[u8]) -> String {
    let value = crate::mail::header::unfold(value);
    let mut out = Decoded::default();
    let mut rest: &[u8] = &value;
    while let Some(start) = memmem::find(rest, b"=?") {
        let (before, tail) = rest.split_at_checked(start).unwrap_or((rest, b""));
        if let Some((word, after)) = word(tail) {
            out.plain(before);
            out.word(word);
            rest = after;
        } else {
            let (mark, after) = tail.split_at_checked(2).unwrap_or((tail, b""));
            out.plain(before);
            out.plain(mark);
            rest = after;
        }
    }
    out.plain(rest);
    out.end()
}

/// Octets as text: UTF-8, else windows-1252.
pub(super) fn text(octets: &[u8]) -> String {
    match str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252
            .decode_without_bom_handling(octets)
            .0
            .into_owned(),
    }
}

/// One encoded word: its charset and its octets.
struct Word {
    charset: &'static Encoding,
    octets: Vec<u8>,
}

#[derive(Default)]
struct Decoded {
    text: String,
    /// Octets of adjacent words of one charset.
    word: Option<Word>,
    /// White space after a word; falls away if another word follows (RFC 2047 section 6.2).
    space: Vec<u8>,
}

impl Decoded {
    fn plain(&mut self, octets: &[u8]) {
        if self.word.is_some() && octets.iter().all(u8::is_ascii_whitespace) {
            self.space.extend_from_slice(octets);
        } else {
            self.flush();
            self.text.push_str(&text(octets));
        }
    }

    fn word(&mut self, word: Word) {
        self.space.clear();
        match &mut self.word {
            Some(last) if last.charset == word.charset => {
                last.octets.extend_from_slice(&word.octets);
            }
            _ => {
                self.flush();
                self.word = Some(word);
            }
        }
    }

    fn flush(&mut self) {
        if let Some(word) = self.word.take() {
            let (text, _) = word.charset.decode_without_bom_handling(&word.octets);
            let kept = text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0'));
            self.text.extend(kept);
        }
        self.text.push_str(&text(&self.space));
        self.space.clear();
    }

    fn end(mut self) -> String {
        self.flush();
        self.text
    }
}

/// Reads `=?charset*language?encoding?text?=` from the start; returns it and what follows.
fn word(from: &[u8]) -> Option<(Word, &[u8])> {
    let rest = from.strip_prefix(b"=?")?;
    let (charset, rest) = until(rest, 60)?;
    let (encoding, rest) = until(rest, 1)?;
    let end = memmem::find(rest.get(..rest.len().min(WORD_MAX))?, b"?=")?;
    // Spaces inside are forbidden but common; an opening mark means that this word never ended.
    let (inner, rest) = rest.split_at_checked(end)?;
    if memmem::find(inner, b"=?").is_some() {
        return None;
    }
    let label = charset.split(|&c| c == b'*').next()?;
    let octets = match encoding {
        b"B" | b"b" => base64(inner),
        b"Q" | b"q" => quoted(inner),
        _ => return None,
    };
    let charset = match Encoding::for_label(label) {
        Some(charset) => charset,
        None if label.eq_ignore_ascii_case(b"utf8mb4") => UTF_8,
        None => return None,
    };
    Some((Word { charset, octets }, rest.strip_prefix(b"?=")?))
}

/// A piece of 1 to `max` octets up to the next `?`, and what follows that.
fn until(from: &[u8], max: usize) -> Option<(&[u8], &[u8])> {
    let near = from.get(..from.len().min(max.saturating_add(1)))?;
    let at = memchr(b'?', near)?;
    let (piece, rest) = from.split_at_checked(at)?;
    (!piece.is_empty()).then_some((piece, rest.strip_prefix(b"?")?))
}

/// Base64 without complaints: what is no digit is passed over, missing padding is no matter.
fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for &c in text {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                held = 0;
                continue;
            }
            _ => continue,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xfff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    out
}

/// The Q encoding (RFC 2047 section 4.2); a broken `=XX` stays.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match (c, tail) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                None => out.push(c),
            },
            _ => out.push(c),
        }
    }
    out
}

fn hex(c: u8) -> Option<u8> {
    char::from(c)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words() {
        for (value, want) in [
            (&b" plain "[..], "plain"),
            (b"=?utf-8?Q?Ol=C3=A1_mundo?=", "Olá mundo"),
            (b"=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (b"a =?utf-8?q?b?= c", "a b c"),
            (b"=?utf-8?B?w6k=?=\r\n =?utf-8?B?w6k?=", "éé"),
            // One character cut in two.
            (b"=?utf-8?B?w6nD?= =?utf-8?B?qQ==?=", "éé"),
            (b"=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "é"),
            (b"=?iso-2022-jp?B?GyRCJDMkcxsoQg==?=", "こん"),
            (b"=?ISO-8859-1*en?Q?a?=", "a"),
            (b"=?gb2312?B?xOO6ww==?=", "你好"),
            (b"=?utf-8?Q?not closed", "=?utf-8?Q?not closed"),
            (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
            (b"=?x-no-such?Q?a?=", "=?x-no-such?Q?a?="),
            (b"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b"),
            (b"=?utf-8?Q?a=ZZ=4?=", "a=ZZ=4"),
            (b"=?utf-8?Q?a=0D=0ABcc:_x=00?=", "aBcc: x"),
            (b"=?utf-8?Q??=x", "x"),
            (b"=?us-ascii?Q?a b?=", "a b"),
            (b"caf\xe9", "café"),
            ("café".as_bytes(), "café"),
            (b"=?", "=?"),
            (b"", ""),
        ] {
            assert_eq!(decode_words(value), want, "{:?}", value.escape_ascii());
        }
    }

    #[test]
    fn openings_without_an_end_take_no_time() {
        for value in [&b"=?utf-8?Q?"[..], b"=?utf-8?Q?x", b"=?", b"=?a", b"=?a?"] {
            let value = value.repeat(100_000);
            assert_eq!(decode_words(&value).len(), value.len());
        }
    }

    proptest! {
        #[test]
        fn any_octets(value: Vec<u8>, words in "(=\\?(utf-8|shift_jis)\\?[QB]\\?[a-zA-Z0-9=_]{0,8}\\?= ?){0,5}") {
            let _ = decode_words(&value);
            let text = decode_words(words.as_bytes());
            prop_assert!(!text.contains(['\r', '\n', '\0']));
        }
    }
}
