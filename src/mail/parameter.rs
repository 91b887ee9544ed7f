//! Values with parameters: `Content-Type` and its like (RFC 2045 section 5.1, RFC 2183), read as they
//! come.

use memchr::memchr;

use crate::mail::octets::Octets;

/// Most parameters kept of one field.
const COUNT_MAX: usize = 32;
/// Longest parameter kept, in octets; a longer one is cut.
pub(super) const TEXT_MAX: usize = 2048;
/// Longest token that names a type (RFC 6838 section 4.2).
const TYPE_MAX: usize = 127;

pub(super) type Parameters = Vec<(Octets<'static>, Octets<'static>)>;

/// `type/subtype; name=value`; `None` if there is no type (RFC 2045 section 5.2: then it is plain text).
pub(super) fn content_type(value: &[u8]) -> Option<(Octets<'static>, Octets<'static>, Parameters)> {
    let (first, rest) = head(value);
    let slash = memchr(b'/', &first)?;
    let kind = token(first.get(..slash)?)?;
    let subtype = token(first.get(slash.checked_add(1)?..)?)?;
    Some((kind, subtype, parameters(rest)))
}

/// `word; name=value`, as Content-Disposition has it.
pub(super) fn disposition(value: &[u8]) -> Option<(Octets<'static>, Parameters)> {
    let (first, rest) = head(value);
    Some((token(&first)?, parameters(rest)))
}

/// One word without comments: a transfer encoding.
pub(super) fn word(value: &[u8]) -> Option<Octets<'static>> {
    token(&head(value).0)
}

/// A value that is kept as it stands, cut if it is too long; `None` if it is empty.
pub(super) fn text(value: &[u8]) -> Option<Octets<'static>> {
    let kept = value.get(..value.len().min(TEXT_MAX))?;
    (!kept.is_empty()).then(|| kept.to_vec().into())
}

/// Language tags (RFC 3282), separated by commas.
pub(super) fn languages(value: &[u8]) -> Vec<Octets<'static>> {
    let tags = value.split(|&c| c == b',').map(|tag| head(tag).0);
    tags.filter_map(|tag| token(&tag)).take(COUNT_MAX).collect()
}

/// The parameter of this name, or what its numbered pieces make together (RFC 2231 section 3).
pub(super) fn joined(parameters: &Parameters, name: &str) -> Option<Vec<u8>> {
    let find = |name: &str| parameters.iter().find(|(n, _)| n.is(name));
    if let Some((_, value)) = find(name) {
        return Some(value.to_vec());
    }
    let pieces: Vec<u8> = (0..COUNT_MAX)
        .map_while(|n| find(&format!("{name}*{n}")))
        .flat_map(|(_, value)| value.to_vec())
        .collect();
    (!pieces.is_empty()).then_some(pieces)
}

/// What stands before the first `;`, without comments and white space, and what follows.
fn head(value: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut out, mut rest) = (Vec::new(), value);
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match c {
            b';' => break,
            b'(' => rest = after_comment(tail),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    (out, rest)
}

fn token(text: &[u8]) -> Option<Octets<'static>> {
    let fits = (1..=TYPE_MAX).contains(&text.len());
    let clean = |c: &u8| c.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(c);
    (fits && text.iter().all(clean)).then(|| text.to_vec().into())
}

fn parameters(mut rest: &[u8]) -> Parameters {
    let mut out = Vec::new();
    while out.len() < COUNT_MAX && !rest.is_empty() {
        rest = blank(rest);
        let end = rest.iter().position(|c| matches!(c, b'=' | b';'));
        let (name, after) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, b""));
        let Some(after) = after.strip_prefix(b"=") else {
            rest = after.get(1..).unwrap_or_default();
            continue;
        };
        let (mut value, after) = parameter(blank(after));
        value.truncate(TEXT_MAX);
        rest = after;
        if let Some(name) = token(name.trim_ascii()) {
            out.push((name, value.into()));
        }
    }
    out
}

/// A value, quoted or not, and what follows the next `;`. Unquoted values may hold white space, as
/// senders of file names think; a comment is one only after white space.
fn parameter(from: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut out, mut rest) = (Vec::new(), from);
    let mut quoted = false;
    if let Some(inner) = from.strip_prefix(b"\"") {
        quoted = true;
        rest = inner;
        while let Some((&c, tail)) = rest.split_first() {
            rest = tail;
            match (c, tail.split_first()) {
                (b'"', _) => break,
                (b'\\', Some((&next, tail))) => {
                    out.push(next);
                    rest = tail;
                }
                _ => out.push(c),
            }
        }
    }
    let mut space = false;
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match c {
            b';' => break,
            b'(' if space || quoted => rest = after_comment(tail),
            _ if quoted => {}
            c => out.push(c),
        }
        space = c.is_ascii_whitespace();
    }
    if !quoted {
        out.truncate(out.trim_ascii_end().len());
    }
    (out, rest)
}

/// Without leading white space and comments.
fn blank(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(b"(") {
            Some(inner) => rest = after_comment(inner),
            None => return rest,
        }
    }
}

fn after_comment(from: &[u8]) -> &[u8] {
    let (mut depth, mut rest) = (1_usize, from);
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match c {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'\\' => rest = tail.get(1..).unwrap_or_default(),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(value: &str) -> Option<String> {
        let (kind, subtype, parameters) = content_type(value.as_bytes())?;
        let pair = |(n, v): &(Octets<'_>, Octets<'_>)| format!(" {}=[{}]", n.text(), v.text());
        let pairs = parameters.iter().map(pair).collect::<Vec<_>>().concat();
        Some(format!("{}/{}{pairs}", kind.text(), subtype.text()))
    }

    #[test]
    fn content_types() {
        for (value, want) in [
            ("text/plain", Some("text/plain")),
            (
                "Text / Plain (c) ; charset=us-ascii (Plain text)",
                Some("Text/Plain charset=[us-ascii]"),
            ),
            (
                r#"a/b; x="q;\"\\ y" ; z=1"#,
                Some(r#"a/b x=[q;"\ y] z=[1]"#),
            ),
            (
                "a/b; boundary=----=_Next_1.2;",
                Some("a/b boundary=[----=_Next_1.2]"),
            ),
            (
                "a/b; name=my file (1).txt; x=1",
                Some("a/b name=[my file .txt] x=[1]"),
            ),
            ("a/b; name=file(1).txt", Some("a/b name=[file(1).txt]")),
            ("a/b; name = \"x\" junk; y = 2", Some("a/b name=[x] y=[2]")),
            ("a/b; name=\"open", Some("a/b name=[open]")),
            ("a/b;;; x=;y", Some("a/b x=[]")),
            ("a/b; =1; b c=2; d=3", Some("a/b d=[3]")),
            (
                "a/b; filename*0*=utf-8''a; filename*1=b",
                Some("a/b filename*0*=[utf-8''a] filename*1=[b]"),
            ),
            ("text", None),
            ("/plain", None),
            ("text/", None),
            ("", None),
            ("(open", None),
            ("a/b; (", Some("a/b")),
            ("a/b; x=1 (", Some("a/b x=[1]")),
        ] {
            assert_eq!(show(value).as_deref(), want, "{value:?}");
        }
    }

    #[test]
    fn others() {
        let (kind, parameters) = disposition(b"attachment; filename=\"a.txt\"").unwrap();
        assert!(kind.is("Attachment"));
        assert_eq!(joined(&parameters, "filename"), Some(b"a.txt".to_vec()));
        let (_, _, pieces) = content_type(b"a/b; boundary*1=\"y\"; boundary*0=x").unwrap();
        assert_eq!(joined(&pieces, "boundary"), Some(b"xy".to_vec()));
        assert_eq!(word(b" base64 (x)").unwrap().text(), "base64");
        assert_eq!(languages(b"en, de-AT (x), ,fr").len(), 3);
        assert_eq!(text(&[b'x'; 9999]).unwrap().len(), TEXT_MAX);
        assert_eq!(text(b""), None);
    }

    #[test]
    fn bounded_in_time_and_number() {
        for piece in ["(", ";", "x=1;", "x=\"", "\\", "(\\)", "x=1 (", "a/"] {
            let value = format!("a/b;{}", piece.repeat(100_000));
            if let Some((_, _, parameters)) = content_type(value.as_bytes()) {
                assert!(parameters.len() <= COUNT_MAX);
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets(value in proptest::collection::vec(proptest::sample::select(&b"a/;=\"\\() *\xff"[..]), 0..40)) {
            let _ = content_type(&value);
            let _ = disposition(&value);
            let _ = languages(&value);
        }
    }
}
