//! The words of responses (RFC 3501 section 9), written to a buffer: no formatting on the way, a
//! FETCH writes millions of them.

use super::super::folder_name;
use super::super::lexer::is_atom;
use crate::base::ranges::Ranges;
use crate::base::time::Time;
use crate::mail::flag::Flags;

/// Longest quoted string in octets; longer ones go as literals.
const QUOTED_MAX: usize = 1000;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

pub fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

pub fn number(out: &mut Vec<u8>, mut n: u64) {
    // 20 digits are enough for 64 bits.
    let mut digits = [0; 20];
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// The head of a literal of `size` octets, which follow.
pub fn literal(out: &mut Vec<u8>, size: u64) {
    out.push(b'{');
    number(out, size);
    out.extend_from_slice(b"}\r\n");
}

/// Quoted, or a literal where quotes cannot hold it. NUL, which neither can, becomes `?`.
pub fn string(out: &mut Vec<u8>, octets: &[u8]) {
    let plain = |c: &u8| matches!(c, b' '..=b'~' | b'\t');
    if octets.len() <= QUOTED_MAX && octets.iter().all(plain) {
        out.push(b'"');
        quoted(out, octets);
        out.push(b'"');
    } else {
        literal(out, u64::try_from(octets.len()).unwrap_or(u64::MAX));
        out.extend(octets.iter().map(|c| if *c == 0 { b'?' } else { *c }));
    }
}

/// What stands between quotes.
fn quoted(out: &mut Vec<u8>, octets: &[u8]) {
    let mut rest = octets;
    while let Some((plain, after)) =
        memchr::memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at))
    {
        out.extend_from_slice(plain);
        let (special, after) = after.split_at(after.len().min(1));
        out.push(b'\\');
        out.extend_from_slice(special);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// A string, or `NIL` for none.
pub fn nstring(out: &mut Vec<u8>, octets: Option<&[u8]>) {
    match octets {
        Some(octets) => string(out, octets),
        None => text(out, "NIL"),
    }
}

/// An atom where that does, else a string.
pub fn astring(out: &mut Vec<u8>, octets: &[u8]) {
    let atom = octets.iter().all(|c| is_atom(*c));
    if atom && !octets.is_empty() && !octets.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(octets);
    } else {
        string(out, octets);
    }
}

/// A folder's name: in modified UTF-7, or in UTF-8 (RFC 6855 section 3) for a client that enabled it.
pub fn folder(out: &mut Vec<u8>, name: &str, utf8: bool) {
    if !utf8 {
        astring(out, folder_name::encode(name).as_bytes());
    } else if name.is_ascii() {
        astring(out, name.as_bytes());
    } else {
        out.push(b'"');
        quoted(out, name.as_bytes());
        out.push(b'"');
    }
}

/// `(item item …)`.
pub fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    for (n, one) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        item(out, one);
    }
    out.push(b')');
}

/// `(\Seen $Junk …)`; `recent` adds `\Recent`.
pub fn flags<'a>(
    out: &mut Vec<u8>,
    system: Flags,
    keywords: impl IntoIterator<Item = &'a str>,
    recent: bool,
) {
    let names = Flags::NAMES
        .iter()
        .filter(|(flag, _)| system.has(*flag))
        .map(|(_, name)| *name)
        .chain(recent.then_some("\\Recent"))
        .chain(keywords);
    list(out, names, text);
}

/// `2:4,7`; nothing for the empty set.
pub fn ranges(out: &mut Vec<u8>, ranges: &Ranges) {
    for (n, span) in ranges.spans().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        number(out, u64::from(*span.start()));
        if span.start() < span.end() {
            out.push(b':');
            number(out, u64::from(*span.end()));
        }
    }
}

/// `"17-Jul-1996 02:44:25 +0000"`, in UTC.
pub fn date_time(out: &mut Vec<u8>, time: Time) {
    let t = time.calendar();
    out.push(b'"');
    out.push(if t.day() < 10 {
        b' '
    } else {
        b'0' + t.day() / 10
    });
    out.push(b'0' + t.day() % 10);
    out.push(b'-');
    let month = usize::from(u8::from(t.month())).saturating_sub(1);
    out.extend_from_slice(*MONTHS.get(month).unwrap_or(&b"Jan"));
    out.push(b'-');
    let year = u16::try_from(t.year()).unwrap_or(0).min(9999);
    for part in [year / 100, year % 100] {
        two(out, u8::try_from(part).unwrap_or(0));
    }
    for (before, part) in [(b' ', t.hour()), (b':', t.minute()), (b':', t.second())] {
        out.push(before);
        two(out, part);
    }
    out.extend_from_slice(b" +0000\"");
}

fn two(out: &mut Vec<u8>, n: u8) {
    out.extend_from_slice(&[b'0' + n / 10 % 10, b'0' + n % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words() {
        for n in [0, 7, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(written(|out| number(out, n)), n.to_string());
        }
        for (octets, want) in [
            (&b""[..], "\"\""),
            (b"a b", "\"a b\""),
            (b"a\"b\\", "\"a\\\"b\\\\\""),
            (b"a\r\nb", "{4}\r\na\r\nb"),
            ("ü".as_bytes(), "{2}\r\nü"),
            (b"a\0", "{2}\r\na?"),
        ] {
            assert_eq!(written(|out| string(out, octets)), want);
        }
        assert_eq!(written(|out| nstring(out, None)), "NIL");
        assert_eq!(written(|out| astring(out, b"nil")), "\"nil\"");
        assert_eq!(written(|out| astring(out, b"")), "\"\"");
        assert_eq!(
            written(|out| folder(out, "Entwürfe/x", false)),
            "Entw&APw-rfe/x"
        );
        assert_eq!(written(|out| folder(out, "a b", false)), "\"a b\"");
        let set: Ranges = [1, 2, 3, 7].into_iter().collect();
        assert_eq!(written(|out| ranges(out, &set)), "1:3,7");
        let system = Flags::SEEN.with(Flags::ANSWERED);
        assert_eq!(
            written(|out| flags(out, system, ["$Junk"], true)),
            "(\\Answered \\Seen \\Recent $Junk)"
        );
        assert_eq!(written(|out| flags(out, Flags::NONE, [], false)), "()");
    }

    #[test]
    fn times_are_as_elsewhere() {
        for seconds in [0, 1_795_272_815, 951_782_399, i64::MAX, -62_167_219_200] {
            let time = Time(seconds);
            assert_eq!(
                written(|out| date_time(out, time)),
                format!("\"{}\"", time.imap())
            );
        }
    }
}
