//! Address lists of header fields (RFC 5322 section 3.4), read as they come: obsolete forms, comments,
//! unbalanced quotes, 8-bit octets. Nothing is refused; what makes no sense is passed over.

use memchr::memchr;

use crate::mail::envelope::{MAILBOXES_MAX, Mailbox};
use crate::mail::octets::Octets;

/// A bracket that does not close within this many octets is a plain character.
const LITERAL_MAX: usize = 256;

/// Appends the mailboxes and group marks of an unfolded value, up to [`MAILBOXES_MAX`] in all.
pub(super) fn mailboxes(value: &[u8], out: &mut Vec<Mailbox<'static>>) {
    let mut tokens = Tokens::new(value);
    let mut element = Element::default();
    let mut group = false;
    while let Some(token) = tokens.next() {
        if out.len() >= MAILBOXES_MAX {
            break;
        }
        match token {
            Token::Special(b',') if element.angle != Angle::Route => element.finish(out),
            Token::Special(b';') => {
                element.finish(out);
                if group {
                    out.push(Mailbox::default());
                    group = false;
                }
            }
            Token::Special(b':') if !group && element.is_phrase() => {
                out.push(element.group());
                group = true;
            }
            token => element.take(token, tokens.space),
        }
    }
    if out.len() < MAILBOXES_MAX {
        element.finish(out);
    }
    if group {
        out.push(Mailbox::default());
    }
}

/// Whether two addresses in angle brackets stand side by side without a comma: some readers take the
/// first, some the last.
pub(super) fn is_torn(value: &[u8]) -> bool {
    let mut tokens = Tokens::new(value);
    let mut closed = false;
    while let Some(token) = tokens.next() {
        match token {
            Token::Special(b',' | b';') => closed = false,
            Token::Special(b'<') if closed => return true,
            Token::Special(b'>') => closed = true,
            _ => {}
        }
    }
    false
}

/// Where an element stands towards its `<…>`.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Angle {
    #[default]
    Before,
    Inside,
    /// In `@a,@b:` (RFC 5322 section 4.4).
    Route,
    After,
}

/// What was seen since the last comma.
#[derive(Default)]
struct Element {
    angle: Angle,
    comment: Vec<u8>,
    host: Option<Vec<u8>>,
    local: Vec<u8>,
    phrase: Vec<u8>,
    route: Vec<u8>,
}

impl Element {
    fn is_phrase(&self) -> bool {
        self.angle == Angle::Before && self.host.is_none() && !self.phrase.is_empty()
    }

    fn take(&mut self, token: Token<'_>, space: bool) {
        match (self.angle, token) {
            (Angle::Before | Angle::After, Token::Comment(text)) => self.comment = text,
            (_, Token::Comment(_)) | (Angle::After, _) => {}
            (Angle::Route, Token::Special(b':')) => self.angle = Angle::Inside,
            (Angle::Route | Angle::Inside, Token::Special(b'>')) => self.angle = Angle::After,
            (Angle::Route, Token::Special(c)) => self.route.push(c),
            (Angle::Route, token) => self.route.extend_from_slice(token.octets()),
            (Angle::Before, Token::Special(b'<')) => {
                self.angle = Angle::Inside;
                self.local.clear();
                self.host = None;
            }
            (Angle::Inside, Token::Special(b'@'))
                if self.local.is_empty() && self.host.is_none() =>
            {
                if self.route.is_empty() {
                    self.angle = Angle::Route;
                    self.route.push(b'@');
                } else {
                    self.host = Some(Vec::new());
                }
            }
            (_, Token::Special(b'@')) => self.at(space),
            (_, Token::Special(_)) => {}
            (_, token) => self.text(token.octets(), space),
        }
    }

    /// The last `@` is the one that counts.
    fn at(&mut self, space: bool) {
        self.phrase(b"@", space);
        if let Some(host) = self.host.replace(Vec::new()) {
            self.local.push(b'@');
            self.local.extend_from_slice(&host);
        }
    }

    fn text(&mut self, text: &[u8], space: bool) {
        self.phrase(text, space);
        // White space around dots is obsolete but read (RFC 5322 section 4.4); elsewhere it parts words.
        let joined = |before: &[u8]| !space || before.ends_with(b".") || text.starts_with(b".");
        match &mut self.host {
            Some(host) if host.is_empty() || joined(host) => host.extend_from_slice(text),
            Some(_) => {}
            None => {
                if !joined(&self.local) {
                    self.local.clear();
                }
                self.local.extend_from_slice(text);
            }
        }
    }

    /// What may turn out to be a name, when a `<` follows.
    fn phrase(&mut self, text: &[u8], space: bool) {
        if self.angle == Angle::Before {
            if space && !self.phrase.is_empty() {
                self.phrase.push(b' ');
            }
            self.phrase.extend_from_slice(text);
        }
    }

    fn group(&mut self) -> Mailbox<'static> {
        let phrase = std::mem::take(self).phrase;
        Mailbox {
            local: Some(phrase.into()),
            ..Mailbox::default()
        }
    }

    fn finish(&mut self, out: &mut Vec<Mailbox<'static>>) {
        let it = std::mem::take(self);
        let some = |octets: Vec<u8>| (!octets.is_empty()).then(|| Octets::from(octets));
        let (name, local) = match (it.angle, &it.host) {
            (Angle::Before, None) if it.phrase.is_empty() => return,
            (Angle::Before, None) => (it.comment, it.phrase),
            (Angle::Before, Some(_)) => (it.comment, it.local),
            _ if it.phrase.is_empty() => (it.comment, it.local),
            _ => (it.phrase, it.local),
        };
        out.push(Mailbox {
            name: some(name),
            route: some(it.route),
            local: Some(local.into()),
            host: Some(it.host.unwrap_or_default().into()),
        });
    }
}

enum Token<'a> {
    Comment(Vec<u8>),
    Quoted(Vec<u8>),
    Special(u8),
    Text(&'a [u8]),
}

impl Token<'_> {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Comment(text) | Self::Quoted(text) => text,
            Self::Special(_) => b"",
            Self::Text(text) => text,
        }
    }
}

struct Tokens<'a> {
    rest: &'a [u8],
    /// White space or a comment came before the token.
    space: bool,
    /// One of these never closed: from there on it is a plain character, and nobody looks again.
    no_quote: bool,
    no_comment: bool,
}

impl<'a> Tokens<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            space: false,
            no_quote: false,
            no_comment: false,
        }
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let trimmed = self.rest.trim_ascii_start();
        self.space = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        let (&first, after) = trimmed.split_first()?;
        match first {
            b'"' if !self.no_quote => {
                if let Some((text, rest)) = closed(after, None, b'"') {
                    self.rest = rest;
                    return Some(Token::Quoted(text));
                }
                self.no_quote = true;
            }
            b'(' if !self.no_comment => {
                if let Some((text, rest)) = closed(after, Some(b'('), b')') {
                    self.rest = rest;
                    return Some(Token::Comment(text));
                }
                self.no_comment = true;
            }
            b'[' => {
                let near = after.get(..after.len().min(LITERAL_MAX))?;
                if let Some(end) = memchr(b']', near) {
                    return Some(Token::Text(self.split(end.saturating_add(2))));
                }
            }
            b',' | b';' | b':' | b'<' | b'>' | b'@' => {
                self.rest = after;
                return Some(Token::Special(first));
            }
            _ => {}
        }
        let end = after.iter().position(|c| b",;:<>@\"([ \t".contains(c));
        let end = end.unwrap_or(after.len());
        Some(Token::Text(self.split(end.saturating_add(1))))
    }

    fn split(&mut self, at: usize) -> &'a [u8] {
        let (text, rest) = self.rest.split_at_checked(at).unwrap_or((self.rest, b""));
        self.rest = rest;
        text
    }
}

/// The text up to the closing mark, escapes removed, and what follows it; `None` if it never closes.
fn closed(from: &[u8], open: Option<u8>, close: u8) -> Option<(Vec<u8>, &[u8])> {
    let (mut out, mut depth, mut rest) = (Vec::new(), 0_usize, from);
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        if c == b'\\' {
            let (&c, tail) = tail.split_first()?;
            rest = tail;
            out.push(c);
            continue;
        }
        if c == close {
            if depth == 0 {
                return Some((out, rest));
            }
            depth = depth.saturating_sub(1);
        } else if Some(c) == open {
            depth = depth.saturating_add(1);
        }
        out.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `name|route|local|host`, `-` for none.
    fn read(value: &[u8]) -> String {
        let mut out = vec![];
        mailboxes(value, &mut out);
        let show = |o: &Option<Octets<'_>>| o.as_ref().map_or("-".to_owned(), |o| o.text().into());
        let one = |m: &Mailbox<'_>| [&m.name, &m.route, &m.local, &m.host].map(show).join("|");
        out.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn lists() {
        for (value, want) in [
            (&b"a@b.test"[..], "-|-|a|b.test"),
            (b"<a@b.test>", "-|-|a|b.test"),
            (b"Alice B. <a@b.test>, c@d", "Alice B.|-|a|b.test, -|-|c|d"),
            (br#""B, \"A\"" <a@b>"#, r#"B, "A"|-|a|b"#),
            (br#""a b"@c"#, "-|-|a b|c"),
            (b"a@b (Alice (x) B)", "Alice (x) B|-|a|b"),
            (b"(c) Al (c) ice <a(c)@b>", "Al ice|-|a|b"),
            (b"=?utf-8?Q?Ol=C3=A1?= <a@b>", "=?utf-8?Q?Ol=C3=A1?=|-|a|b"),
            (b"Al<@x,@y:a@b>", "Al|@x,@y|a|b"),
            (b"a . b @ c . d", "-|-|a.b|c.d"),
            (
                b"a@[IPv6:::1], <b@[1.2.3.4]>",
                "-|-|a|[IPv6:::1], -|-|b|[1.2.3.4]",
            ),
            (
                b"undisclosed-recipients:;",
                "-|-|undisclosed-recipients|-, -|-|-|-",
            ),
            (
                b"My Friends: a@b, C <c@d>; e@f",
                "-|-|My Friends|-, -|-|a|b, C|-|c|d, -|-|-|-, -|-|e|f",
            ),
            (b"G: a@b", "-|-|G|-, -|-|a|b, -|-|-|-"),
            (b"undisclosed recipients", "-|-|undisclosed recipients|"),
            (b"John a@b", "-|-|a|b"),
            (b"a@b c", "-|-|a|b"),
            (b"a@b@c", "-|-|a@b|c"),
            (b"<>", "-|-||"),
            (b"X <a>", "X|-|a|"),
            (b"X <a@b, c@d", "X|-|a|b, -|-|c|d"),
            (b"\"X <a@b>, c@d", "\"X|-|a|b, -|-|c|d"),
            (b"X (y <a@b>", "X (y|-|a|b"),
            (b"X <a@b> junk <c@d>", "X|-|a|b"),
            (b"X [y <a@b>", "X [y|-|a|b"),
            (b"a@b; c@d", "-|-|a|b, -|-|c|d"),
            (b", ,a@b,,", "-|-|a|b"),
            ("Éva <é@ü.test>".as_bytes(), "Éva|-|é|ü.test"),
            (b"", ""),
            (b" \\", "-|-|\\|"),
            (b"@", "-|-||"),
            (b"<@", "-|@||"),
            (b":;:", ""),
        ] {
            assert_eq!(read(value), want, "{:?}", value.escape_ascii());
        }
    }

    #[test]
    fn bounded_in_time_and_number() {
        for piece in [
            "\"\\", "(", "[", "a,", "<", "@", "a:", ";", "\\\"", "((\\", "x\"", "<@a,",
        ] {
            let mut out = vec![];
            mailboxes(piece.repeat(100_000).as_bytes(), &mut out);
            assert!(out.len() <= MAILBOXES_MAX + 1, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn any_octets(value in proptest::collection::vec(proptest::sample::select(&b"ab@.,:;<>()[]\"\\ \xc3"[..]), 0..40)) {
            read(&value);
        }
    }
}
