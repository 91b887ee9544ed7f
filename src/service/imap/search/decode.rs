//! Content transfer encodings (RFC 2045 section 6), decoded piece by piece.

use std::borrow::Cow;

/// Longer white space is text wherever it stands: lines have 76 octets at most (RFC 2045 section 6.7).
const BLANK_MAX: usize = 100;

/// How a part's octets are encoded, and what of them is still open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transfer {
    /// Up to three characters of a group of four, six bits each.
    Base64 {
        bits: u32,
        count: u8,
    },
    None,
    /// An `=` that may not be whole and what follows it, or white space that a line may end with.
    Quoted(Vec<u8>),
}

impl Transfer {
    /// By the value of Content-Transfer-Encoding; one nobody knows decodes to itself.
    pub fn named(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"base64") {
            Self::Base64 { bits: 0, count: 0 }
        } else if name.eq_ignore_ascii_case(b"quoted-printable") {
            Self::Quoted(Vec::new())
        } else {
            Self::None
        }
    }

    /// The next octets, decoded as far as they are whole.
    pub fn decode<'a>(&mut self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Base64 { bits, count } => base64(bits, count, octets).into(),
            Self::None => octets.into(),
            Self::Quoted(open) => quoted(open, octets).into(),
        }
    }
}

impl Transfer {
    /// The text has ended: what was still open. A soft line break may stand at its end, or white space.
    pub fn finish(&mut self) -> Vec<u8> {
        match self {
            Self::Quoted(open) if open.last().is_some_and(u8::is_ascii_hexdigit) => {
                std::mem::take(open)
            }
            Self::Base64 { .. } | Self::None | Self::Quoted(_) => Vec::new(),
        }
    }
}

/// Everything outside of the alphabet is passed over (RFC 2045 section 6.8).
fn base64(bits: &mut u32, count: &mut u8, octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for octet in octets {
        let value = match octet {
            b'A'..=b'Z' => octet.saturating_sub(b'A'),
            b'a'..=b'z' => octet.saturating_sub(b'a').saturating_add(26),
            b'0'..=b'9' => octet.saturating_sub(b'0').saturating_add(52),
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                // The group ends early.
                (*bits, *count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        *bits = (*bits << 6) | u32::from(value);
        // Each character after the first of a group completes an octet.
        let whole = match *count {
            0 => None,
            1 => Some(*bits >> 4),
            2 => Some(*bits >> 2),
            _ => Some(*bits),
        };
        out.extend(whole.and_then(|octet| u8::try_from(octet & 0xff).ok()));
        *count = if *count >= 3 {
            0
        } else {
            count.saturating_add(1)
        };
        *bits &= 0xffff;
    }
    out
}

/// An `=` that nothing useful follows stands for itself; white space at the end of a line is none of
/// the text (RFC 2045 section 6.7, rules 2 and 3).
fn quoted(open: &mut Vec<u8>, octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for &octet in octets {
        if !open.starts_with(b"=") {
            match octet {
                b' ' | b'\t' if open.len() < BLANK_MAX => open.push(octet),
                b'\r' | b'\n' => {
                    open.clear();
                    out.push(octet);
                }
                b'=' => {
                    out.append(open);
                    open.push(octet);
                }
                _ => {
                    out.append(open);
                    out.push(octet);
                }
            }
            continue;
        }
        open.push(octet);
        match open.as_slice() {
            [b'=', blank @ .., b'\n'] if is_blank(blank.strip_suffix(b"\r").unwrap_or(blank)) => {
                open.clear();
            }
            [b'=', blank @ .., b'\r'] if is_blank(blank) => {}
            [b'=', blank @ ..] if is_blank(blank) && blank.len() < BLANK_MAX => {}
            [b'=', first] if first.is_ascii_hexdigit() => {}
            [b'=', first, second] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() => {
                out.push((hex(*first) << 4) | hex(*second));
                open.clear();
            }
            _ => out.append(open),
        }
    }
    out
}

fn is_blank(octets: &[u8]) -> bool {
    octets.iter().all(|octet| matches!(octet, b' ' | b'\t'))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit.saturating_sub(b'0'),
        b'a'..=b'f' => digit.saturating_sub(b'a').saturating_add(10),
        b'A'..=b'F' => digit.saturating_sub(b'A').saturating_add(10),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn decoded(mut transfer: Transfer, octets: &[u8], cut: usize) -> Vec<u8> {
        let pieces = octets.chunks(cut);
        pieces
            .flat_map(|piece| transfer.decode(piece).into_owned())
            .collect()
    }

    #[test]
    fn quoted_printable() {
        for cut in [1, 2, 100] {
            let text = b"a=3Db=\r\nc=\nd=3db=ZZ==41\r\n";
            let want = b"a=bcd=b=ZZ==41\r\n";
            let got = decoded(Transfer::named(b"QUOTED-printable"), text, cut);
            assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(want));
        }
    }

    #[test]
    fn white_space_at_the_end_of_a_line() {
        let long = " ".repeat(BLANK_MAX + 1);
        let long = long.as_str();
        for (text, want) in [
            ("a b \t\r\nc\t \r\n \r\n", "a b\r\nc\r\n\r\n"),
            ("a=20\r\n", "a \r\n"),
            ("a =\r\nb=  \r\nc= \t\nd", "a bcd"),
            ("a  b\tc", "a  b\tc"),
            ("a= b", "a= b"),
            ("a \t", "a"),
            ("a= ", "a"),
            ("a=4", "a=4"),
            (&format!("a{long}b"), &format!("a{long}b")),
            (&format!("a={long}b"), &format!("a={long}b")),
        ] {
            for cut in [1, 2, 3, 1000] {
                let mut transfer = Transfer::named(b"quoted-printable");
                let pieces = text.as_bytes().chunks(cut);
                let mut got: Vec<u8> = pieces
                    .flat_map(|piece| transfer.decode(piece).into_owned())
                    .collect();
                got.extend(transfer.finish());
                assert_eq!(String::from_utf8_lossy(&got), want, "{text:?} cut to {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn base64_of_any_octets(octets: Vec<u8>, cut in 1usize..9) {
            let text = STANDARD.encode(&octets);
            let lines: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
            let text = lines.join(&b"\r\n"[..]);
            prop_assert_eq!(decoded(Transfer::named(b"BASE64"), &text, cut), octets);
        }
    }
}
