//! The shape of a path on the wire, RFC 5321 section 4.1.2 and RFC 6531 section 3.3: a yes or no for
//! the reply. What a path means is `mail::path`'s.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest path in octets, brackets and source route included. RFC 5321 section 4.5.3.1 asks for at
/// least 256 and for no limit where possible; forwarders' rewritten senders do grow past it.
const PATH_MAX: usize = 512;
const DOMAIN_MAX: usize = 255;
const LABEL_MAX: usize = 63;

/// What stands between the brackets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// A local part alone, as in `<postmaster>`.
    Local,
    /// A mailbox, with or without a source route.
    Mailbox,
    /// `<>`, the null reverse-path.
    Null,
}

/// The shape of a path with its brackets; `None` if it is not well-formed.
#[must_use]
pub fn shape(path: &str) -> Option<Shape> {
    let inner = path.strip_prefix('<')?.strip_suffix('>')?;
    if path.len() > PATH_MAX {
        return None;
    }
    if inner.is_empty() {
        return Some(Shape::Null);
    }
    let mailbox = if inner.starts_with('@') {
        route(inner)?
    } else {
        inner
    };
    let rest = local_part(mailbox)?;
    match rest.strip_prefix('@') {
        Some(domain) => is_domain(domain).then_some(Shape::Mailbox),
        None => (rest.is_empty() && mailbox.len() == inner.len()).then_some(Shape::Local),
    }
}

/// Where the path at the start of `text` ends: after the `>` that no quotes enclose. `None` if
/// `text` does not begin with a path.
#[must_use]
pub fn length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, octet) in inner.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Skips `@a,@b:`.
fn route(text: &str) -> Option<&str> {
    let (hops, mailbox) = text.split_once(':')?;
    hops.split(',')
        .all(|hop| hop.strip_prefix('@').is_some_and(is_domain))
        .then_some(mailbox)
}

/// Checks the local part at the start of `text` and gives what follows it.
fn local_part(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_end(quoted);
    }
    let (local, rest) = text.split_at_checked(text.find('@').unwrap_or(text.len()))?;
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
        .then_some(rest)
}

/// What follows the closing quote.
fn quoted_end(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            c if c.is_control() => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control())
}

fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return is_literal(literal);
    }
    text.len() <= DOMAIN_MAX && text.split('.').all(is_label)
}

/// An underscore is no letter of a host name, but domains with it do send mail.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LABEL_MAX
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || c == '-'
                || c == '_'
                || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
        })
}

fn is_literal(text: &str) -> bool {
    let ipv6 = text
        .split_at_checked(5)
        .filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    match ipv6 {
        Some((_, address)) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for (path, expected) in [
            ("<>", Some(Shape::Null)),
            ("<a@b>", Some(Shape::Mailbox)),
            ("<postmaster>", Some(Shape::Local)),
            ("<a.b+c=d@sub.home.test>", Some(Shape::Mailbox)),
            ("<x%y@home.test>", Some(Shape::Mailbox)),
            ("<\"x@y\"@home.test>", Some(Shape::Mailbox)),
            ("<\"a b\\\" c\"@home.test>", Some(Shape::Mailbox)),
            ("<\"a>b\"@home.test>", Some(Shape::Mailbox)),
            ("<@a.test,@b.test:c@d.test>", Some(Shape::Mailbox)),
            ("<a@[192.0.2.1]>", Some(Shape::Mailbox)),
            ("<a@[IPv6:2001:db8::1]>", Some(Shape::Mailbox)),
            ("<jürgen@müller.test>", Some(Shape::Mailbox)),
            ("<a@b_c.test>", Some(Shape::Mailbox)),
            ("", None),
            ("a@b", None),
            ("<", None),
            ("<a@>", None),
            ("<@b>", None),
            ("<@b:c>", None),
            ("<a@b@c>", None),
            ("<a..b@c>", None),
            ("<.a@c>", None),
            ("<a b@c>", None),
            ("<a@b..c>", None),
            ("<a@b.>", None),
            ("<a@-b>", None),
            ("<a@[1.2.3]>", None),
            ("<a@[1.2.3.4>", None),
            ("<\"a@b>", None),
            ("<\"a\"b@c>", None),
            ("<a<b@c>", None),
            (" <a@b>", None),
        ] {
            assert_eq!(shape(path), expected, "{path}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(
            shape(&format!("<{}@b.test>", "a".repeat(200))),
            Some(Shape::Mailbox)
        );
        assert_eq!(shape(&format!("<{}@b.test>", "a".repeat(600))), None);
        assert_eq!(shape(&format!("<a@{}.test>", "b".repeat(64))), None);
    }

    #[test]
    fn a_path_ends_at_its_bracket() {
        assert_eq!(length("<a@b> SIZE=1"), Some(5));
        assert_eq!(length("<\"a>b\"@c>"), Some(9));
        assert_eq!(length("<a@b"), None);
        assert_eq!(length("a@b>"), None);
        assert_eq!(length(""), None);
    }
}
