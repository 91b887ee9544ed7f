//! What may be saved (FW-2, FW-8, FW-9, LM-4).

use super::rows::{Rows, options};
use crate::routing::{
    alias::{Source, Target, parse_source, parse_targets},
    check_alias, check_aliases,
};

const DIRECTORY: &str = "
    domain home.test mailbox
    domain list.test alias
    domain relay.test relay listed
    recipient known@relay.test
    mailbox alice@home.test 1
    mailbox bob@home.test 2
    mailbox info@home.test 3
    alias a@list.test -> b@list.test
    alias b@list.test -> alice@home.test
    alias dead@list.test -> ghost@home.test
    alias half@list.test -> ghost@home.test, alice@home.test
    domain red.test alias
    alias @red.test -> @home.test
    postmaster 1
";

fn parsed(source: &str, targets: &str) -> Result<(Source, Vec<Target>), String> {
    let source = parse_source(source).map_err(|problem| problem.to_string())?;
    let targets = parse_targets(targets).map_err(|problem| problem.to_string())?;
    Ok((source, targets))
}

/// `fine`, or what is said.
fn checked(rows: &Rows, source: &str, targets: &str) -> String {
    let saved = parsed(source, targets).and_then(|(source, targets)| {
        check_alias(rows, &options(), &source, &targets).map_err(|problem| problem.to_string())
    });
    saved.err().unwrap_or_else(|| "fine".to_owned())
}

#[test]
fn fw_2_lists() {
    for (list, want) in [
        ("a@b.test", vec!["a@b.test"]),
        ("A@B.test, c@d.test", vec!["A@b.test", "c@d.test"]),
        (
            "a@b.test,c@d.test ,  e@f.test,",
            vec!["a@b.test", "c@d.test", "e@f.test"],
        ),
        (
            "\"a,b\"@d.test, c@d.test",
            vec!["\"a,b\"@d.test", "c@d.test"],
        ),
        ("\"a\\\",b\"@d.test", vec!["\"a\\\",b\"@d.test"]),
        ("@Bücher.example", vec!["@xn--bcher-kva.example"]),
        ("a@[192.0.2.1]", vec!["a@[192.0.2.1]"]),
    ] {
        let targets = parse_targets(list).unwrap();
        let got: Vec<_> = targets.iter().map(Target::to_string).collect();
        assert_eq!(got, want, "{list}");
    }
    let long = vec!["a@b.test"; 1001].join(",");
    for (list, want) in [
        ("", "an alias needs at least one target"),
        (" , ,", "an alias needs at least one target"),
        ("alice", "alice has no domain; write alice@ and the domain"),
        (
            "a@b.test c@d.test",
            "\"a@b.test c@d.test\" is not an address",
        ),
        ("a@b.test, a@", "\"a@\" is not an address"),
        ("@", "\"@\" is not an address"),
        ("@[192.0.2.1]", "\"@[192.0.2.1]\" is not an address"),
        ("\"a,b@d.test", "\"\\\"a,b@d.test\" is not an address"),
        (&long, "it leads to more than 1000 addresses"),
    ] {
        let got = parse_targets(list).unwrap_err().to_string();
        assert_eq!(got, want, "{list}");
    }
}

#[test]
fn lm_4_programs_and_files_are_refused_when_saved() {
    for (target, want) in [
        (
            "|cat",
            "|cat: mail is never given to a program; name an address",
        ),
        (
            "\"|cat\"",
            "\"|cat\": mail is never given to a program; name an address",
        ),
        (
            "|cat@home.test",
            "|cat@home.test: mail is never given to a program; name an address",
        ),
        (
            "/var/mail/x",
            "/var/mail/x: mail is never written to a file; name an address",
        ),
        (
            "/dev/null",
            "/dev/null: mail is never written to a file; name an address",
        ),
        (
            ":include:/etc/l",
            ":include:/etc/l: :include: is not supported; list the addresses",
        ),
    ] {
        let rows = Rows::new(DIRECTORY);
        assert_eq!(checked(&rows, "decode@home.test", target), want);
        let list = format!("alice@home.test, {target}");
        assert_eq!(checked(&rows, "decode@home.test", &list), want);
    }
}

/// Source, targets, what is said.
const SAVED: &[(&str, &str, &str)] = &[
    ("new@home.test", "alice@home.test", "fine"),
    ("New@Home.test", "ALICE+x@HOME.test, x@away.test", "fine"),
    ("new@home.test", "a@list.test", "fine"),
    ("new@list.test", "known@relay.test", "fine"),
    ("new@relay.test", "alice@home.test", "fine"),
    ("new@home.test", "x@[192.0.2.1]", "fine"),
    ("new@home.test", "postmaster@home.test", "fine"),
    ("new@localhost", "alice@home.test", "fine"),
    ("new@home.test", "half@list.test", "fine"),
    (
        "new@home.test",
        "any@red.test",
        "leads to nobody: new@home.test -> any@red.test -> any@home.test",
    ),
    ("new@home.test", "alice@red.test", "fine"),
    // FW-3, FW-5
    ("info@home.test", "info@home.test, alice@home.test", "fine"),
    ("info@home.test", "info@home.test", "fine"),
    ("ghost@home.test", "ghost@home.test", "fine"),
    (
        "ghost@home.test",
        "ghost@home.test, alice@home.test",
        "leads to nobody: ghost@home.test",
    ),
    ("@home.test", "@home.test", "fine"),
    // FW-4, FW-6
    ("@home.test", "alice@home.test", "fine"),
    ("@list.test", "@home.test", "fine"),
    ("@list.test", "@away.test", "fine"),
    (
        "@home.test",
        "ghost@home.test",
        "leads to nobody: @home.test -> ghost@home.test",
    ),
    (
        "*@home.test",
        "alice@home.test",
        "*@home.test is no address; a catch-all is written @home.test",
    ),
    // FW-8
    (
        "b@list.test",
        "a@list.test",
        "a loop: b@list.test -> a@list.test -> b@list.test",
    ),
    (
        "alice@home.test",
        "a@list.test",
        "a loop: alice@home.test -> a@list.test -> b@list.test -> alice@home.test",
    ),
    (
        "alice@home.test",
        "bob@home.test, a@list.test",
        "a loop: alice@home.test -> a@list.test -> b@list.test -> alice@home.test",
    ),
    ("alice@home.test", "alice@home.test, a@list.test", "fine"),
    (
        "@home.test",
        "@red.test",
        "a loop: *@home.test -> *@red.test -> *@home.test",
    ),
    (
        "x@home.test",
        "x@red.test",
        "a loop: x@home.test -> x@red.test -> x@home.test",
    ),
    // FW-9
    (
        "new@home.test",
        "ghost@home.test",
        "leads to nobody: new@home.test -> ghost@home.test",
    ),
    (
        "new@home.test",
        "alice@home.test, ghost@home.test",
        "leads to nobody: new@home.test -> ghost@home.test",
    ),
    (
        "new@home.test",
        "dead@list.test",
        "leads to nobody: new@home.test -> dead@list.test -> ghost@home.test",
    ),
    (
        "new@home.test",
        "ghost@relay.test",
        "leads to nobody: new@home.test -> ghost@relay.test",
    ),
    // A row that is never looked at.
    (
        "x@away.test",
        "alice@home.test",
        "away.test is not a domain of this box, or it is switched off",
    ),
    (
        "@away.test",
        "@home.test",
        "away.test is not a domain of this box, or it is switched off",
    ),
];

#[test]
fn what_may_be_saved() {
    let rows = Rows::new(DIRECTORY);
    for (source, targets, want) in SAVED {
        assert_eq!(
            checked(&rows, source, targets),
            *want,
            "{source} -> {targets}"
        );
    }
    let mut broken = rows;
    broken.broken = true;
    assert_eq!(
        checked(&broken, "a@home.test", "alice@home.test"),
        "the rows cannot be read now"
    );
}

#[test]
fn many_are_saved_together() {
    let rows = Rows::new(DIRECTORY);
    let check = |lines: &[(&str, &str)]| {
        let aliases: Vec<_> = lines
            .iter()
            .map(|(source, targets)| parsed(source, targets).unwrap())
            .collect();
        check_aliases(&rows, &options(), &aliases)
            .map_err(|(at, problem)| format!("{at}: {problem}"))
            .err()
            .unwrap_or_else(|| "fine".to_owned())
    };
    // A row may lead to one that is saved with it, whichever comes first.
    assert_eq!(
        check(&[
            ("x@home.test", "y@home.test"),
            ("y@home.test", "bob@home.test")
        ]),
        "fine"
    );
    assert_eq!(
        check(&[
            ("y@home.test", "bob@home.test"),
            ("x@home.test", "z@home.test")
        ]),
        "1: leads to nobody: x@home.test -> z@home.test"
    );
    assert_eq!(
        check(&[
            ("x@home.test", "y@home.test"),
            ("y@home.test", "x@home.test")
        ]),
        "0: a loop: x@home.test -> y@home.test -> x@home.test"
    );
}
