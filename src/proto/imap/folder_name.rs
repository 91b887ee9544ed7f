//! Folder names: modified UTF-7 outside (RFC 3501 section 5.1.3), UTF-8 with `/` between levels inside.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::lexer::{Lexer, SyntaxError};

/// Between the levels of a name.
pub const SEPARATOR: char = '/';

/// Longest name in octets of UTF-8.
pub const NAME_MAX: usize = 1000;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Takes the name of a folder that is or may be.
pub fn parse(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let octets = lexer.astring()?;
    read(&octets, lexer.utf8)
        .and_then(|name| folder(&name))
        .ok_or(SyntaxError::FolderName)
}

/// Takes a name for a new folder: a separator at its end says that others will come below it, which
/// all folders allow (RFC 3501 section 6.3.3).
pub fn parse_new(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let octets = lexer.astring()?;
    read(&octets, lexer.utf8)
        .and_then(|name| folder(name.strip_suffix(SEPARATOR).unwrap_or(&name)))
        .ok_or(SyntaxError::FolderName)
}

/// Takes LIST's reference; it may be empty or end anywhere in a name.
pub fn parse_reference(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let octets = lexer.astring()?;
    Ok(loose(&octets, lexer.utf8))
}

/// Takes a pattern of LIST.
pub fn parse_pattern(lexer: &mut Lexer<'_>) -> Result<String, SyntaxError> {
    let octets = lexer.list_mailbox()?;
    Ok(loose(&octets, lexer.utf8))
}

/// A name in its one form, if a folder can have it: INBOX in capitals, also as the first level; no
/// empty levels, no control characters, no line ends of Unicode (RFC 9051 section 5.1).
#[must_use]
pub fn folder(name: &str) -> Option<String> {
    let control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if name.len() > NAME_MAX
        || name.chars().any(control)
        || name.split(SEPARATOR).any(str::is_empty)
    {
        return None;
    }
    Some(inbox(name))
}

/// A name as a client writes it: UTF-8 for one that enabled it (RFC 6855 section 3).
fn read(octets: &[u8], utf8: bool) -> Option<String> {
    if utf8 {
        str::from_utf8(octets).ok().map(str::to_owned)
    } else {
        decode(octets)
    }
}

/// Octets as clients send them to UTF-8; `None` if they are neither modified UTF-7 nor UTF-8.
#[must_use]
pub fn decode(octets: &[u8]) -> Option<String> {
    let text = str::from_utf8(octets).ok()?;
    if !text.is_ascii() {
        return Some(text.to_owned());
    }
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (base64, after) = shifted.split_once('-')?;
        if base64.is_empty() {
            name.push('&');
        } else {
            name.push_str(&utf16(base64)?);
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// UTF-8 to modified UTF-7.
#[must_use]
pub fn encode(name: &str) -> Cow<'_, str> {
    let plain = |c: char| matches!(c, ' '..='~') && c != '&';
    if name.chars().all(plain) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let n = match c {
            '&' => {
                out.push_str("&-");
                1
            }
            c if plain(c) => {
                out.push(c);
                1
            }
            _ => {
                let n = rest
                    .find(|c: char| matches!(c, ' '..='~'))
                    .unwrap_or(rest.len());
                let run = rest.get(..n).unwrap_or_default();
                let utf16: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
                out.push('&');
                BASE64.encode_string(utf16, &mut out);
                out.push('-');
                n
            }
        };
        rest = rest.get(n..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// INBOX in capitals where it is the first level, whatever follows.
pub(super) fn inbox(name: &str) -> String {
    match name.split_at_checked("INBOX".len()) {
        Some((first, rest))
            if first.eq_ignore_ascii_case("INBOX")
                && (rest.is_empty() || rest.starts_with(SEPARATOR)) =>
        {
            ["INBOX", rest].concat()
        }
        _ => name.to_owned(),
    }
}

/// As `read`; what is not well formed stays as it is, and will match nothing.
fn loose(octets: &[u8], utf8: bool) -> String {
    read(octets, utf8).unwrap_or_else(|| String::from_utf8_lossy(octets).into_owned())
}

/// Decodes what stands between `&` and `-`. ASCII in it, which should stand for itself, is taken as
/// what it says: it is the same name inside.
fn utf16(base64: &str) -> Option<String> {
    let octets = BASE64.decode(base64).ok()?;
    let (pairs, rest) = octets.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn utf7_both_ways() {
        for (outside, inside) in [
            ("Sent", "Sent"),
            ("Gesendete Objekte", "Gesendete Objekte"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("A &- B", "A & B"),
            // RFC 3501 section 5.1.3.
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("&2D3eAA-", "😀"),
        ] {
            assert_eq!(decode(outside.as_bytes()).as_deref(), Some(inside));
            assert_eq!(encode(inside), outside);
        }
    }

    #[test]
    fn what_should_not_be_shifted_is_the_same_name() {
        assert_eq!(decode(b"&AGEAYg-").as_deref(), Some("ab"));
        // Bits that are left over, an odd octet, half a pair.
        for octets in ["&AGF-", "&AGEA-", "&2D0-", "&-&"] {
            assert_eq!(decode(octets.as_bytes()), None, "{octets}");
        }
    }

    #[test]
    fn names() {
        for (text, want) in [
            ("inbox", Some("INBOX")),
            ("\"iNbOx/a\"", Some("INBOX/a")),
            ("inboxes", Some("inboxes")),
            ("Entwürfe", Some("Entwürfe")),
            ("{5}\r\na/b c", Some("a/b c")),
            ("a//b", None),
            ("/a", None),
            ("a/", None),
            ("\"\"", None),
            ("A&B", None),
            ("A&B-", None),
            ("&2D0-", None),
            ("{3}\r\na\tb", None),
            ("&AAE-", None),
        ] {
            let got = parse(&mut Lexer::new(text.as_bytes()));
            assert_eq!(got.as_deref().ok(), want, "{text}");
        }
        assert_eq!(parse_new(&mut Lexer::new(b"a/b/")).as_deref(), Ok("a/b"));
        assert_eq!(parse_reference(&mut Lexer::new(b"\"\"")).as_deref(), Ok(""));
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name: String) {
            let outside = encode(&name);
            prop_assert!(outside.bytes().all(|c| matches!(c, b' '..=b'~')));
            prop_assert_eq!(decode(outside.as_bytes()), Some(name));
        }

        #[test]
        fn no_octets_are_too_much(octets: Vec<u8>) {
            if let Some(name) = decode(&octets) {
                let again = decode(encode(&name).as_bytes());
                prop_assert_eq!(again, Some(name));
            }
        }
    }
}
