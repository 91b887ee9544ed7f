use super::*;
use crate::{
    base::{
        id::{ContentId, ModSeq},
        time::Time,
    },
    mail::{flag::Flags, summary::SummaryBuilder},
};

fn sorted(criteria: &[(SortKey, bool)], messages: &[(i64, u64, &str)]) -> String {
    let criteria = criteria
        .iter()
        .map(|&(key, reverse)| SortCriterion { key, reverse });
    let mut keys = Keys::new(criteria.collect());
    for (number, (date, size, header)) in (1..).zip(messages) {
        let row = Message {
            flags: Flags(0),
            keywords: Vec::new(),
            modseq: ModSeq(1),
            size: *size,
            date: Time(*date),
            content: ContentId(1),
        };
        let mut builder = SummaryBuilder::new();
        builder.push(header.replace('\n', "\r\n").as_bytes());
        keys.take(number, &row, &builder.finish().head);
    }
    String::from_utf8(keys.answer())
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn each_criterion() {
    let messages: [(i64, u64, &str); 4] = [
        (
            30,
            7,
            "From: \"Z\" <bob@b>\nTo: x: carol@c, a@c;\nCc: a@b\nSubject: Re: beta\nDate: Thu, 1 Jan 1970 00:00:20 +0000\n\n",
        ),
        (
            10,
            7,
            "From: Alice@b\nTo: B@c\nSubject: [list] Alpha\nDate: Thu, 1 Jan 1970 01:00:05 +0100\n\n",
        ),
        (
            20,
            9,
            "From: (no one) =?utf-8?q?a=C3=A9?=@b\nSubject: =?utf-8?q?_gamma?=\nDate: never\n\n",
        ),
        (10, 1, "Cc: b@b, a@b\nSubject: Fwd: ALPHA\n\n"),
    ];
    for (key, want) in [
        (SortKey::Arrival, "2 4 3 1"),
        (SortKey::Cc, "2 3 1 4"),
        (SortKey::Date, "2 4 1 3"),
        (SortKey::From, "4 2 3 1"),
        (SortKey::Size, "4 1 2 3"),
        (SortKey::Subject, "2 4 1 3"),
        (SortKey::To, "3 4 2 1"),
    ] {
        let got = sorted(&[(key, false)], &messages);
        assert_eq!(got, format!("* SORT {want}"), "{key:?}");
    }
}

/// RFC 5256 section 3: a later criterion decides where an earlier one does not, REVERSE is of one
/// criterion, and the order of the folder comes last, never turned around.
#[test]
fn several_criteria() {
    let messages = [
        (10, 5, "\n"),
        (20, 5, "\n"),
        (10, 6, "\n"),
        (20, 5, "\n"),
        (10, 6, "\n"),
    ];
    let (date, size) = (SortKey::Arrival, SortKey::Size);
    assert_eq!(
        sorted(&[(date, false), (size, true)], &messages),
        "* SORT 3 5 1 2 4"
    );
    assert_eq!(
        sorted(&[(date, true), (size, false)], &messages),
        "* SORT 2 4 1 3 5"
    );
    assert_eq!(sorted(&[(size, true)], &messages), "* SORT 3 5 1 2 4");
    assert_eq!(sorted(&[(date, false)], &[]), "* SORT");
}

#[test]
fn before_and_after_1970() {
    let messages = [
        (-5, 1, "\n"),
        (5, 1, "\n"),
        (i64::MIN, 1, "\n"),
        (i64::MAX, 1, "\n"),
        (0, 1, "\n"),
    ];
    assert_eq!(
        sorted(&[(SortKey::Date, false)], &messages),
        "* SORT 3 1 5 2 4"
    );
}

#[test]
fn what_is_taken_ahead_is_counted() {
    let criterion = SortCriterion {
        key: SortKey::Subject,
        reverse: false,
    };
    let mut keys = Keys::new(vec![criterion]);
    for _ in 0..100 {
        let key = keys.text("a subject");
        keys.values.push(key);
        let held = keys.values.capacity() * 8 + keys.texts.capacity();
        assert!(keys.octets() >= held as u64);
    }
}
