//! The same octets as an address, a path, a domain, and as what MAIL and RCPT name.

use pillarbox::mail::address::Address;
use pillarbox::mail::domain::Domain;
use pillarbox::mail::header::fields;
use pillarbox::mail::path::{parse_forward, parse_reverse};
use pillarbox::mail::trace::return_path;
use pillarbox::proto::smtp::command::{self, Command};
use pillarbox::proto::smtp::path::{length, shape};

pub const WORDS: &[&str] = &[
    "@",
    "<",
    ">",
    "\"",
    "\\",
    "[",
    "]",
    ":",
    ",",
    ".",
    "..",
    "%",
    "!",
    "+tag",
    " ",
    "a@b.test",
    "<a@b.test>",
    "<>",
    "<@a,@b:c@d.test>",
    "\"a b\"@c.test",
    "\"a@b\"@c.test",
    "\"a>b\"",
    "<x%y@b.test>",
    "<x!y>",
    "[192.0.2.1]",
    "[IPv6:::1]",
    "[IPv6:2001:db8::192.0.2.1]",
    "xn--",
    "xn--mller-kva.test",
    "é",
    "\u{200d}",
    "\u{ff0e}",
    "\0",
    "\r\n",
    "postmaster",
    "<Postmaster>",
    " SIZE=1",
];

pub fn run(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        address(text);
        path(text);
        commands(text);
    }
}

fn address(text: &str) {
    if let Some(found) = Address::parse(text) {
        let shown = found.to_string();
        assert_eq!(Address::parse(&shown).as_ref(), Some(&found), "{shown:?}");
        let key = found.key();
        assert!(!key.contains(|c: char| c.is_control()), "{key:?}");
        // A path of it can be sent on.
        let path = format!("<{shown}>");
        assert!(shape(&path).is_some(), "{path:?}");
        assert!(parse_forward(&path).is_ok(), "{path:?}");
    }
    if let Some(domain) = Domain::parse(text) {
        assert_eq!(Domain::parse(domain.as_str()).as_ref(), Some(&domain));
        assert!(domain.as_str().is_ascii());
        assert_eq!(
            Domain::parse(&domain.unicode()).as_ref(),
            Some(&domain),
            "{domain:?}"
        );
    }
}

fn path(text: &str) {
    if let Ok(path) = parse_reverse(text) {
        let shown = path.to_string();
        assert_eq!(parse_reverse(&shown).as_ref(), Ok(&path), "{shown:?}");
        let field = return_path(&path);
        assert_eq!(fields(field.as_bytes()).count(), 1, "{field:?}");
    }
    if let Ok(path) = parse_forward(text) {
        let shown = path.to_string();
        assert_eq!(parse_forward(&shown), Ok(path), "{shown:?}");
    }
    if shape(text).is_some() {
        // It ends where it ends, and no line end or NUL hides in it.
        assert_eq!(length(text), Some(text.len()), "{text:?}");
        assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
    }
}

/// A path that is one is what MAIL and RCPT take it for.
fn commands(text: &str) {
    let (mail, rcpt) = (format!("MAIL FROM:{text}"), format!("RCPT TO: {text}"));
    let taken = [command::parse(&mail), command::parse(&rcpt)];
    if shape(text).is_some() {
        for command in taken {
            match command {
                Ok(Command::Mail { path, parameters } | Command::Rcpt { path, parameters }) => {
                    assert_eq!((path, parameters), (text, ""));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
