//! A header block: fields, addresses, encoded words, dates; and the same octets as an address, a
//! path and a domain.

use pillarbox::mail::address::Address;
use pillarbox::mail::date::SentDate;
use pillarbox::mail::domain::Domain;
use pillarbox::mail::envelope::{Envelope, MAILBOXES_MAX};
use pillarbox::mail::header::{decode_words, fields, filter, hops, unfold, value};
use pillarbox::mail::path::{parse_forward, parse_reverse};
use pillarbox::mail::trace::return_path;
use pillarbox::proto::smtp::command;
use pillarbox::proto::smtp::path::shape;

pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n ",
    "\t",
    ":",
    ",",
    ";",
    "<",
    ">",
    "@",
    "(",
    ")",
    "\"",
    "\\",
    "[",
    "]",
    "From: ",
    "To: ",
    "Subject: ",
    "Date: ",
    "Received: ",
    "=?utf-8?Q?",
    "=?utf-8?B?",
    "=?shift_jis?B?",
    "?=",
    "?= =?",
    "=C3=A9",
    "w6k=",
    "a@b.test",
    "<a@b.test>",
    "<@a,@b:c@d.test>",
    "\"a b\"@c.test",
    "[192.0.2.1]",
    "[IPv6:::1]",
    "xn--",
    "é",
    "\u{200d}",
    "\0",
    "Sat, 21 Nov 2026 14:53:35 +0100",
    "99999999999",
    "-0000",
    "EST",
    "29 Feb",
    "23:59:60",
    "postmaster",
];

pub fn run(data: &[u8]) {
    block(data);
    let text = decode_words(data);
    assert!(!text.contains(['\r', '\n', '\0']), "{text:?}");
    if let Ok(text) = str::from_utf8(data) {
        address(text);
        path(text);
        let _ = command::parse(text);
    }
}

fn block(data: &[u8]) {
    let mut end = 0;
    for field in fields(data) {
        assert!(field.whole.start >= end && field.whole.end <= data.len());
        end = field.whole.end;
        let first = value(data, str::from_utf8(field.name).expect("ASCII"));
        assert!(first.is_some());
        assert!(
            !unfold(field.value)
                .iter()
                .any(|c| matches!(c, b'\r' | b'\n' | 0))
        );
        if let Ok(text) = str::from_utf8(field.value) {
            // The day is one of the calendar.
            let _ = SentDate::parse(text).map(SentDate::date);
        }
    }
    let all = filter(data, &["nobody"], true);
    assert_eq!(fields(&all).count(), fields(data).count());
    assert_eq!(hops(&all), hops(data));
    assert_eq!(filter::<&str>(data, &[], false), b"\r\n");
    let envelope = Envelope::from_header(data);
    for list in [&envelope.from, &envelope.to, &envelope.cc] {
        assert!(list.len() <= MAILBOXES_MAX + 1);
        for mailbox in list {
            let _ = mailbox.display_name();
            if let Some(found) = mailbox.address() {
                assert_eq!(Address::parse(&found.to_string()), Some(found));
            }
        }
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
}
