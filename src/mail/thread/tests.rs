use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn digest(id: &str) -> u64 {
    Digest::new([7; 16]).of(id.as_bytes())
}

/// `number sent id subject refs`; a subject that begins with `re:` is a reply's.
type Row<'a> = (u32, i64, &'a str, &'a str, &'a [&'a str]);

fn built(rows: &[Row<'_>]) -> Builder {
    let mut builder = Builder::new();
    for &(number, sent, id, subject, references) in rows {
        let base = subject.trim_start_matches("re:");
        let message = Message {
            number,
            sent,
            id: (!id.is_empty()).then(|| digest(id)),
            subject: if base.is_empty() { 0 } else { digest(base) },
            reply: base.len() < subject.len(),
        };
        let references: Vec<u64> = references.iter().map(|id| digest(id)).collect();
        builder.push(message, &references);
    }
    builder
}

/// As the answer has it.
fn shown(threads: &Threads) -> String {
    fn thread(threads: &Threads, at: At, out: &mut String) {
        if let Some(number) = threads.number(at) {
            write!(out, "{number}").unwrap();
        }
        let mut child = threads.child(at);
        let several = child.is_some_and(|child| threads.next(child).is_some());
        if child.is_some() && !out.ends_with('(') {
            out.push(' ');
        }
        while let Some(at) = child {
            if several {
                out.push('(');
            }
            thread(threads, at, out);
            if several {
                out.push(')');
            }
            child = threads.next(at);
        }
    }
    let mut out = String::new();
    for root in threads.roots() {
        out.push('(');
        thread(threads, root, &mut out);
        out.push(')');
    }
    out
}

fn by_references(rows: &[Row<'_>]) -> String {
    shown(&built(rows).references())
}

/// The steps of RFC 5256 section 3, one by one: what, the messages, the threads.
const STEPS: &[(&str, &[Row<'_>], &str)] = &[
    ("nothing", &[], ""),
    (
        "strangers",
        &[(1, 10, "a", "", &[]), (2, 5, "b", "", &[])],
        "(2)(1)",
    ),
    (
        "an answer",
        &[(1, 10, "a", "", &[]), (2, 20, "b", "", &["a"])],
        "(1 2)",
    ),
    (
        "the answer first",
        &[(1, 20, "b", "", &["a"]), (2, 10, "a", "", &[])],
        "(2 1)",
    ),
    (
        "two answers",
        &[
            (1, 1, "a", "", &[]),
            (2, 3, "b", "", &["a"]),
            (3, 2, "c", "", &["a"]),
        ],
        "(1 (3)(2))",
    ),
    (
        "one that is missing stands between",
        &[(1, 1, "a", "", &[]), (2, 2, "c", "", &["a", "b"])],
        "(1 2)",
    ),
    (
        "one that is missing stands above several",
        &[(1, 1, "b", "", &["a"]), (2, 2, "c", "", &["a"])],
        "((1)(2))",
    ),
    (
        "one that is missing stands above one",
        &[(1, 1, "b", "", &["z", "a"])],
        "(1)",
    ),
    (
        "several that are missing",
        &[
            (1, 1, "d", "", &["a", "b", "c"]),
            (2, 2, "e", "", &["a", "b"]),
            (3, 3, "f", "", &["a", "g"]),
        ],
        "((1)(2)(3))",
    ),
    (
        "a loop",
        &[(1, 1, "a", "", &["b"]), (2, 2, "b", "", &["a"])],
        "(2 1)",
    ),
    ("one that names itself", &[(1, 1, "a", "", &["a"])], "(1)"),
    (
        "a loop of three",
        &[
            (1, 1, "a", "", &["c"]),
            (2, 2, "b", "", &["a"]),
            (3, 3, "c", "", &["b"]),
        ],
        "(3 1 2)",
    ),
    (
        "a Message-ID twice",
        &[
            (1, 1, "a", "", &[]),
            (2, 2, "a", "", &[]),
            (3, 3, "b", "", &["a"]),
        ],
        "(1 3)(2)",
    ),
    (
        "no Message-ID",
        &[(1, 1, "", "", &[]), (2, 2, "", "", &["a"])],
        "(1)(2)",
    ),
    (
        "what was cut short is put right",
        &[
            (1, 3, "c", "", &["a", "b"]),
            (2, 2, "b", "", &["x"]),
            (3, 1, "x", "", &["a"]),
            (4, 0, "a", "", &[]),
        ],
        "(4 3 2 1)",
    ),
    (
        "a link that is there stays",
        &[
            (1, 1, "a", "", &[]),
            (2, 2, "b", "", &["a"]),
            (3, 3, "c", "", &["x", "b"]),
        ],
        "(1 2 3)",
    ),
    (
        "a reply without references",
        &[(1, 1, "a", "s", &[]), (2, 2, "b", "re:s", &[])],
        "(1 2)",
    ),
    (
        "two replies and no original",
        &[
            (1, 1, "a", "re:s", &[]),
            (2, 2, "b", "re:s", &[]),
            (3, 3, "c", "re:s", &[]),
        ],
        "((1)(2)(3))",
    ),
    (
        "two with one subject",
        &[
            (1, 1, "a", "s", &[]),
            (2, 2, "b", "s", &[]),
            (3, 3, "c", "re:s", &[]),
        ],
        "((1)(2)(3))",
    ),
    (
        "two that hold several together",
        &[
            (1, 1, "b", "s", &["a"]),
            (2, 2, "c", "t", &["a"]),
            (3, 3, "e", "s", &["d"]),
            (4, 4, "f", "u", &["d"]),
            (5, 5, "g", "s", &[]),
        ],
        "((1)(2)(3)(4)(5))",
    ),
];

#[test]
fn steps_of_references() {
    for (name, rows, want) in STEPS {
        assert_eq!(by_references(rows), *want, "{name}");
    }
}

#[test]
fn the_original_is_the_parent_wherever_it_stands() {
    let rows: &[Row<'_>] = &[
        (1, 1, "a", "re:s", &[]),
        (2, 2, "b", "s", &[]),
        (3, 3, "c", "re:s", &[]),
    ];
    assert_eq!(by_references(rows), "(2 (1)(3))");
}

#[test]
fn ordered_subject() {
    let rows: &[Row<'_>] = &[
        (1, 5, "a", "s", &[]),
        (2, 1, "b", "t", &[]),
        (3, 3, "c", "re:s", &["b"]),
        (4, 9, "d", "s", &[]),
        (5, 2, "e", "re:t", &[]),
        (6, 4, "f", "u", &[]),
    ];
    let threads = built(rows).ordered_subject();
    assert_eq!(shown(&threads), "(2 5)(3 (1)(4))(6)");
}

#[test]
fn ids() {
    let all = |value: &str| {
        let ids = message_ids(value.as_bytes());
        ids.map(|id| String::from_utf8_lossy(&id).into_owned())
            .collect::<Vec<_>>()
    };
    for (value, want) in [
        ("<a@b>", vec!["a@b"]),
        ("text <a@b>\r\n\t<c@d> (x)", vec!["a@b", "c@d"]),
        (
            "<\"01\"@x.test> <01@x.test>",
            vec!["01@x.test", "01@x.test"],
        ),
        ("<a@\r\n b>", vec!["a@b"]),
        ("<a <b@c>", vec!["b@c"]),
        ("<> <", vec![]),
        ("a@b", vec![]),
    ] {
        assert_eq!(all(value), want, "{value}");
    }
}

#[test]
fn deep_and_wide() {
    const MANY: u32 = 100_000;
    let message = |number: u32, id: u64| Message {
        number,
        sent: i64::from(number),
        id: Some(id),
        ..Message::default()
    };
    for forward in [true, false] {
        let mut chain = Builder::new();
        let mut star = Builder::new();
        for n in 1..=MANY {
            let id = u64::from(if forward { n } else { MANY + 1 - n });
            chain.push(message(n, id), &[id - 1][..usize::from(id > 1)]);
            star.push(message(n, id), &[1][..usize::from(id > 1)]);
        }
        let (chain, star) = (chain.references(), star.references());
        assert_eq!((chain.roots().count(), star.roots().count()), (1, 1));
        let mut at = chain.roots().next();
        let mut depth = 0;
        while let Some(here) = at {
            depth += 1;
            at = chain.child(here);
        }
        assert_eq!(depth, MANY);
        let mut at = star.child(star.roots().next().unwrap());
        let mut width = 0;
        while let Some(here) = at {
            width += 1;
            at = star.next(here);
        }
        assert_eq!(width, MANY - 1);
    }
}

/// Names of messages that are not there take memory: not without end, and no message is lost for it.
#[test]
fn references_to_nowhere() {
    let mut builder = Builder::new();
    for number in 1..=2_000 {
        let references: Vec<u64> = (0..1_000).map(|n| u64::from(number) * 1_000 + n).collect();
        let message = Message {
            number,
            ..Message::default()
        };
        builder.push(message, &references);
    }
    assert!(builder.nodes.len() <= NAMED_MAX * (2_000 + 65));
    assert_eq!(builder.references().roots().count(), 2_000);
}

fn numbers(threads: &Threads) -> Vec<u32> {
    let mut out = Vec::new();
    let mut stack: Vec<At> = threads.roots().collect();
    while let Some(at) = stack.pop() {
        out.extend(threads.number(at));
        stack.extend(threads.child(at));
        // A root has no siblings.
        stack.extend(threads.next(at));
        assert!(out.len() <= 1_000, "a loop");
    }
    out.sort_unstable();
    out
}

proptest! {
    /// Whatever is referred to: every message is in the answer, once.
    #[test]
    fn every_message_once(rows in prop::collection::vec(
        (0i64..4, prop::option::of(1u64..8), 0u64..3, any::<bool>(), prop::collection::vec(1u64..10, 0..5)), 0..24,
    )) {
        let build = || {
            let mut builder = Builder::new();
            for (number, (sent, id, subject, reply, references)) in (1..).zip(&rows) {
                let message = Message { number, sent: *sent, id: *id, subject: *subject, reply: *reply };
                builder.push(message, references);
            }
            builder
        };
        let want: Vec<u32> = (1..).take(rows.len()).collect();
        for threads in [build().references(), build().ordered_subject()] {
            prop_assert_eq!(numbers(&threads), want.clone());
            for root in threads.roots() {
                prop_assert!(threads.next(root).is_none());
                // What holds others together holds at least two.
                let child = threads.child(root);
                prop_assert!(threads.number(root).is_some() || child.is_some_and(|at| threads.next(at).is_some()));
            }
        }
    }
}

#[test]
fn what_is_taken_ahead_is_counted() {
    let mut builder = Builder::new();
    for number in 1..1_000_u32 {
        let id = Some(u64::from(number));
        let message = Message {
            number,
            id,
            ..Message::default()
        };
        builder.push(message, &[u64::from(number) << 32]);
        // Each place is at least its entry and one octet.
        let nodes = builder.nodes.capacity() * size_of::<Node>();
        let places = builder.places.capacity() * (size_of::<(u64, u32)>() + 1);
        assert!(builder.octets() >= (nodes + places) as u64, "{number}");
        assert!(builder.nodes.capacity() <= (builder.nodes.len() * 5 / 4).max(64));
    }
}
