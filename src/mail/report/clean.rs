//! What others said, made harmless: no controls, no line too long, no octet outside the charset.

use std::fmt::Write as _;

/// Longest text of a peer that is shown, in characters.
pub(super) const TEXT_MAX: usize = 1024;
/// Longest address or identifier, in characters: above anything that was accepted.
pub(super) const ADDRESS_MAX: usize = 600;
/// Longest line that is written, in octets, CRLF not counted (RFC 5322 section 2.1.1: 998).
const LINE_MAX: usize = 990;
/// Lines are broken here where there is white space.
const COLUMNS: usize = 76;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Charset {
    Ascii,
    Utf8,
}

/// On one line, words one space apart; what does not fit the charset becomes `?`.
pub(super) fn text(text: &str, charset: Charset, max: usize) -> String {
    let mut out = String::new();
    let mut space = false;
    for c in text.chars().take(max) {
        if c.is_control() || c.is_whitespace() {
            space = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(match charset {
            Charset::Ascii if !c.is_ascii() => '?',
            _ => c,
        });
    }
    out
}

/// Of what host names and identifiers are made; all else becomes `?`.
pub(super) fn name(text: &str) -> String {
    let harmless = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '.' | '_' | '-' | ':' | '[' | ']' | '@' | '+' | '=' | '/' => c,
        _ => '?',
    };
    text.chars().take(ADDRESS_MAX).map(harmless).collect()
}

/// RFC 3463 section 2: three numbers.
pub(super) fn status(text: &str) -> String {
    let number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_digit())
    };
    let parts: Vec<_> = text.split('.').collect();
    match parts.as_slice() {
        [class @ ("2" | "4" | "5"), subject, detail] if number(subject) && number(detail) => {
            [class, ".", subject, ".", detail].concat()
        }
        _ => "5.0.0".to_owned(),
    }
}

/// A `Message-ID:`'s value, if it is one that can stand in another header.
pub(super) fn message_id(value: &[u8]) -> Option<String> {
    let value = str::from_utf8(value.trim_ascii()).ok()?;
    let inner = value.strip_prefix('<')?.strip_suffix('>')?;
    let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'<' | b'>' | b'"' | b'\\');
    let is_one = (3..=250).contains(&inner.len()) && inner.bytes().all(plain);
    is_one.then(|| value.to_owned())
}

/// Takes the escapes of xtext out (RFC 3461 section 4); what is none stays as it is.
pub(super) fn xtext(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| octet == b'+');
        let code = code.and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        octets.push(code.unwrap_or(octet));
        let used = if code.is_some() { 2 } else { 0 };
        rest = after.get(used..).unwrap_or_default();
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// `ORCPT` as `Original-Recipient:` has it: the address type, then the address without xtext (RFC 3464
/// section 2.3.1).
pub(super) fn orcpt(orcpt: &str, charset: Charset) -> String {
    let (kind, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
    let kind = name(kind);
    if kind.eq_ignore_ascii_case("utf-8") {
        // RFC 6533 section 3 has an escape of its own, which is let stand.
        return format!("{kind}; {}", utf8_address(address, charset, true));
    }
    let address = text(&xtext(address), Charset::Utf8, ADDRESS_MAX);
    if address.is_ascii() {
        return format!("{kind}; {address}");
    }
    format!("utf-8; {}", utf8_address(&address, charset, false))
}

/// An address with its type: `rfc822`, or `utf-8` where it must be (RFC 6533 section 3).
pub(super) fn typed_address(address: &str, charset: Charset) -> String {
    let address = text(address, Charset::Utf8, ADDRESS_MAX);
    if address.is_ascii() {
        format!("rfc822; {address}")
    } else {
        format!("utf-8; {}", utf8_address(&address, charset, false))
    }
}

/// As it is where UTF-8 may stand, else with `\x{…}` (RFC 6533 section 3, `utf-8-addr-xtext`). `escaped`:
/// there may be such escapes already.
fn utf8_address(address: &str, charset: Charset, escaped: bool) -> String {
    let address = text(address, Charset::Utf8, ADDRESS_MAX);
    if charset == Charset::Utf8 {
        return address;
    }
    let mut out = String::new();
    for c in address.chars() {
        let plain = c.is_ascii_graphic() && (escaped || !matches!(c, '+' | '=' | '\\'));
        if plain {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
        }
    }
    out
}

/// Appends `name: value`, folded at white space. The value must have no controls.
pub(super) fn field(out: &mut String, name: &str, value: &str) {
    wrap(out, &format!("{name}: "), " ", value);
}

/// Appends lines of words: `first` in front of the first line, `indent` in front of others. A word that is
/// too long for any line is cut.
pub(super) fn wrap(out: &mut String, first: &str, indent: &str, value: &str) {
    out.push_str(first);
    let mut column = first.len();
    let mut begins = true;
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if !begins && column.saturating_add(word.len()).saturating_add(1) > COLUMNS {
            (column, begins) = line(out, indent);
        }
        if !begins {
            out.push(' ');
            column = column.saturating_add(1);
        }
        begins = false;
        for c in word.chars() {
            if column.saturating_add(c.len_utf8()) > LINE_MAX {
                (column, _) = line(out, indent);
            }
            out.push(c);
            column = column.saturating_add(c.len_utf8());
        }
    }
    out.push_str("\r\n");
}

fn line(out: &mut String, indent: &str) -> (usize, bool) {
    out.push_str("\r\n");
    out.push_str(indent);
    (indent.len(), true)
}

/// Lines of a message as they are, but without NUL and lone CR or LF, none too long, and the last one ended.
pub(super) fn lines(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    let mut column = 0_usize;
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (column, rest) = (0, after);
            continue;
        }
        if column >= LINE_MAX {
            // In a header this goes on with the field.
            out.extend_from_slice(b"\r\n ");
            column = 1;
        }
        out.push(match octet {
            0 | b'\r' | b'\n' => b'?',
            octet => octet,
        });
        column = column.saturating_add(1);
        rest = after;
    }
    if column > 0 {
        out.extend_from_slice(b"\r\n");
    }
    out
}
