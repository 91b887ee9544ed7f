//! A header block: fields, addresses, encoded words, dates.

use pillarbox::mail::address::Address;
use pillarbox::mail::date::SentDate;
use pillarbox::mail::envelope::{Envelope, MAILBOXES_MAX};
use pillarbox::mail::header::{decode_words, fields, filter, hops, unfold, value};
use pillarbox::proto::smtp::command;

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
