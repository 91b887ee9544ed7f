//! The rows AC, FW and TR of `spec/mail.md` as far as they are routing; `table` has them all together.

use super::rows::{Rows, led, options, path, routed, show};
use crate::{
    base::id::UserId,
    mail::{address::Address, domain::Domain},
    routing::{Class, Destination, LookupFailed, Options, Refusal, Rights, Step, owns, route},
};

const HOME: &str = "
    domain home.test mailbox
    mailbox alice@home.test 1
    mailbox bob@home.test 2
    postmaster 9
";

fn home(more: &str) -> Rows {
    Rows::new(&format!("{HOME}\n{more}"))
}

#[test]
fn ac_4_the_machines_own_names_are_local_where_no_row_says_otherwise() {
    let mut rows = home("mailbox alice@localhost 3");
    for name in ["localhost", "mx.home.test", "box.lan"] {
        let domain = Domain::parse(name).unwrap();
        let class = crate::routing::class::class(&rows, &options(), &domain);
        assert_eq!(class, Ok(Some(Class::Local)), "{name}");
        assert_eq!(led(&rows, &format!("ghost@{name}")), "Unknown");
        assert_eq!(led(&rows, &format!("root@{name}")), "#9");
    }
    assert_eq!(led(&rows, "ghost@other.lan"), "Foreign");
    rows.add("domain box.lan relay");
    assert_eq!(led(&rows, "ghost@box.lan"), "ghost@box.lan");
}

#[test]
fn ac_8_bare_names_get_the_origin_where_they_are_taken() {
    let rows = home("mailbox alice@localhost 3");
    assert_eq!(led(&rows, "alice"), "#3");
    assert_eq!(led(&rows, "ghost"), "Unknown");
    let without = Options {
        origin: None,
        ..options()
    };
    let led = |recipient| show(&route(&rows, &without, Rights::Stranger, &path(recipient)).outcome);
    assert_eq!(led("alice"), "Unknown");
    assert_eq!(led("Postmaster"), "#9");
    let nameless = Options::default();
    let routed = route(&rows, &nameless, Rights::Stranger, &path("postmaster"));
    assert_eq!(show(&routed.outcome), "#9");
}

#[test]
fn ac_9_two_worlds() {
    let rows =
        home("alias root@localhost -> alice@home.test\nalias root@home.test -> bob@home.test");
    assert_eq!(led(&rows, "root@localhost"), "#1");
    assert_eq!(led(&rows, "root@home.test"), "#2");
}

#[test]
fn ac_10_the_spelling_is_kept_on_the_way() {
    let rows = home("domain bücher.example mailbox\nalias Big@home.test -> Info@BÜCHER.example");
    let big = rows.aliases.get("Big@home.test").cloned().unwrap();
    let mut rows = home("domain relay.test relay");
    rows.aliases.insert("big@home.test".to_owned(), big);
    assert_eq!(
        led(&rows, "BIG@HOME.test"),
        "Info@xn--bcher-kva.example srs"
    );
    assert_eq!(led(&rows, "Some.One@RELAY.test"), "Some.One@relay.test");
    let routed = routed(&rows, Rights::Stranger, "Alice+Tag@Home.test");
    let address = "Alice+Tag@home.test".to_owned();
    assert_eq!(
        routed.outcome,
        Ok(vec![Destination::Mailbox {
            user: UserId(1),
            address
        }])
    );
}

#[test]
fn ac_11_the_delimiter_is_the_admins() {
    let rows = home("mailbox alice-x@home.test 3");
    for (delimiter, recipient, want) in [
        (Some('+'), "alice+x@home.test", "#1"),
        (Some('+'), "alice-y@home.test", "Unknown"),
        (Some('-'), "alice-x@home.test", "#3"),
        (Some('-'), "alice-y@home.test", "#1"),
        (Some('-'), "-y@home.test", "Unknown"),
        (Some('-'), "alice+x@home.test", "Unknown"),
        (None, "alice+x@home.test", "Unknown"),
        (None, "alice@home.test", "#1"),
    ] {
        let options = Options {
            delimiter,
            ..options()
        };
        let routed = route(&rows, &options, Rights::Stranger, &path(recipient));
        assert_eq!(show(&routed.outcome), want, "{delimiter:?} {recipient}");
    }
}

#[test]
fn ac_12_and_sr_26_standard_names_end_at_a_human() {
    let names = [
        "postmaster",
        "abuse",
        "MAILER-DAEMON",
        "root",
        "webmaster",
        "hostmaster",
    ];
    let mut rows = home("domain list.test alias\ndomain relay.test relay listed");
    for name in names {
        assert_eq!(led(&rows, &format!("{name}@home.test")), "#9");
        assert_eq!(led(&rows, &format!("{name}@list.test")), "#9");
        assert_eq!(led(&rows, &format!("{name}@relay.test")), "Unknown");
        assert_eq!(led(&rows, &format!("{name}@away.test")), "Foreign");
    }
    rows.add("mailbox abuse@home.test 3");
    assert_eq!(led(&rows, "abuse@home.test"), "#3");
    rows.postmaster = None;
    assert_eq!(led(&rows, "root@home.test"), "Nobody");
    assert_eq!(led(&rows, "postmaster"), "Nobody");
    // Somebody reads it at least.
    rows.add("alias @home.test -> alice@home.test");
    assert_eq!(led(&rows, "root@home.test"), "#1");
}

#[test]
fn fw_8_at_most_a_thousand_results() {
    let many = |count: usize| {
        let targets: Vec<_> = (0..count).map(|n| format!("u{n}@away.test")).collect();
        home(&format!("alias list@home.test -> {}", targets.join(", ")))
    };
    let fits = routed(&many(1000), Rights::Stranger, "list@home.test");
    assert_eq!(fits.outcome.map(|found| found.len()), Ok(1000));
    assert_eq!(led(&many(1001), "list@home.test"), "TooMany");
    assert_eq!(led(&many(100_000), "list@home.test"), "TooMany");
    // A thousand lists of a thousand end as early.
    let mut rows = many(1000);
    let lists: Vec<_> = (0..1000).map(|n| format!("l{n}@home.test")).collect();
    rows.add(&format!("alias all@home.test -> {}", lists.join(", ")));
    for (at, list) in lists.iter().enumerate() {
        let targets: Vec<_> = (0..1000).map(|n| format!("u{at}.{n}@away.test")).collect();
        rows.add(&format!("alias {list} -> {}", targets.join(", ")));
    }
    assert_eq!(led(&rows, "all@home.test"), "TooMany");
    assert!(rows.asked.get() < 10_000);
}

#[test]
fn fw_8_a_long_chain_takes_no_stack_and_ends() {
    let mut rows = home("alias c0@home.test -> alice@home.test");
    for n in 1..100_000 {
        rows.add(&format!("alias c{n}@home.test -> c{}@home.test", n - 1));
    }
    assert_eq!(led(&rows, "c3000@home.test"), "#1");
    assert_eq!(led(&rows, "c99999@home.test"), "TooMany");
    rows.add("alias c0@home.test -> c3000@home.test");
    assert_eq!(led(&rows, "c3000@home.test"), "AliasLoop");
}

#[test]
fn fw_8_the_circle_is_named() {
    let rows = home(
        "alias in@home.test -> a@home.test
         alias a@home.test -> b@home.test
         alias b@home.test -> a@home.test",
    );
    let routed = routed(&rows, Rights::Stranger, "in@home.test");
    assert_eq!(routed.outcome, Err(Refusal::AliasLoop));
    let last = routed.steps.last().unwrap().to_string();
    assert_eq!(last, "loop: a@home.test -> b@home.test -> a@home.test");
}

#[test]
fn fw_3_and_fw_8_copies_that_are_kept_make_no_circle() {
    let rows = home(
        "alias alice@home.test -> alice@home.test, bob@home.test
         alias bob@home.test -> alice+b@home.test
         alias kim@home.test -> kim+x@home.test, bob@home.test
         mailbox kim@home.test 4",
    );
    assert_eq!(led(&rows, "alice@home.test"), "#1");
    assert_eq!(led(&rows, "alice+x@home.test"), "#1");
    assert_eq!(led(&rows, "bob@home.test"), "AliasLoop");
    assert_eq!(led(&rows, "kim@home.test"), "AliasLoop");
    let mut rows = rows;
    rows.add("alias bob@home.test -> bob@home.test, alice+b@home.test");
    assert_eq!(led(&rows, "bob@home.test"), "#2, #1");
    assert_eq!(led(&rows, "alice+x@home.test"), "#1, #2");
    assert_eq!(led(&rows, "kim@home.test"), "#4, #2, #1");
}

#[test]
fn fw_9_dead_ends_are_told_beside_the_living() {
    let mut rows = home("alias half@home.test -> ghost@home.test, alice@home.test, x@away.test");
    let half = routed(&rows, Rights::Stranger, "half@home.test");
    assert_eq!(show(&half.outcome), "#1, x@away.test srs");
    let dead = Step::Dead {
        address: "ghost@home.test".to_owned(),
        refusal: Refusal::Unknown,
    };
    assert!(half.steps.contains(&dead));
    // One that is refused for now would lose its copy: the whole waits.
    rows.add("transport x@away.test -> error:4.3.0 later");
    assert_eq!(led(&rows, "half@home.test"), "450 4.3.0 later");
    rows.add("transport x@away.test -> error:5.3.0 never");
    assert_eq!(led(&rows, "half@home.test"), "#1");
    rows.add("transport x@away.test -> relay:lost");
    assert_eq!(led(&rows, "half@home.test"), "LookupFailed");
    // A list of dead ends is one; the first says why.
    rows.add("transport x@away.test -> error:never");
    rows.add("alias none@home.test -> x@away.test, ghost@home.test");
    assert_eq!(led(&rows, "none@home.test"), "550 5.1.1 never");
}

#[test]
fn fw_8_rows_that_nobody_checked_lose_no_mail() {
    let mut rows = home("");
    for target in [
        "|cat",
        "/var/mail/alice",
        ":include:/etc/list",
        "alice",
        "",
        "a b@c",
    ] {
        let forward = crate::routing::Forward {
            targets: vec!["alice@home.test".to_owned(), target.to_owned()],
            srs: None,
        };
        rows.aliases.insert("x@home.test".to_owned(), forward);
        assert_eq!(led(&rows, "x@home.test"), "LookupFailed", "{target}");
    }
    // A list of nobody is no row.
    rows.aliases.insert(
        "alice@home.test".to_owned(),
        crate::routing::Forward::default(),
    );
    assert_eq!(led(&rows, "alice@home.test"), "#1");
}

#[test]
fn fw_10_submission_is_led_by_the_same_rows() {
    let rows = home("alias list@home.test -> alice@home.test, x@away.test");
    let led = |recipient| show(&routed(&rows, Rights::User, recipient).outcome);
    assert_eq!(led("list@home.test"), "#1, x@away.test srs");
    assert_eq!(led("x@away.test"), "x@away.test");
    assert_eq!(led("ghost@home.test"), "Unknown");
}

#[test]
fn fw_11_the_sender_is_rewritten_unless_the_row_says_no() {
    let rows = home(
        "alias on@home.test -> x@away.test srs=on
         alias off@home.test -> x@away.test srs=off
         alias first@home.test -> off@home.test srs=on
         alias second@home.test -> on@home.test srs=off
         alias back@home.test -> u@relay.test srs=on
         domain relay.test relay",
    );
    for (recipient, want) in [
        ("on@home.test", "x@away.test srs"),
        ("off@home.test", "x@away.test"),
        ("first@home.test", "x@away.test"),
        ("second@home.test", "x@away.test srs"),
        ("back@home.test", "u@relay.test"),
    ] {
        assert_eq!(led(&rows, recipient), want, "{recipient}");
    }
}

#[test]
fn fw_13_each_step_and_the_winner_are_told() {
    let rows = home(
        "alias sales@home.test -> alice+s@home.test, ghost@home.test, x@away.test
         alias @home.test -> bob@home.test
         transport .test -> smtp:[192.0.2.1]
         transport home.test -> :",
    );
    let told = |recipient| {
        let steps = routed(&rows, Rights::Stranger, recipient).steps;
        steps.iter().map(Step::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told("Sales+X@home.test"),
        [
            "sales+x@home.test: in a domain of class mailbox",
            "no alias sales+x@home.test",
            "alias sales@home.test -> alice+s@home.test, ghost@home.test, x@away.test",
            "alice+s@home.test: in a domain of class mailbox",
            "no alias alice+s@home.test",
            "no alias alice@home.test",
            "no mailbox alice+s@home.test",
            "mailbox alice@home.test",
            "transport home.test -> :",
            "=> alice+s@home.test: delivered to a mailbox here",
            "ghost@home.test: in a domain of class mailbox",
            "no alias ghost@home.test",
            "no mailbox ghost@home.test",
            "catch-all @home.test -> bob@home.test",
            "bob@home.test: in a domain of class mailbox",
            "no alias bob@home.test",
            "mailbox bob@home.test",
            "transport home.test -> :",
            "=> bob@home.test: delivered to a mailbox here",
            "x@away.test: not in a domain of ours",
            "transport .test -> smtp:[192.0.2.1]",
            "=> x@away.test: sent on through smtp:[192.0.2.1], sender rewritten",
        ]
    );
    assert_eq!(
        told("x@away.test"),
        [
            "x@away.test: not in a domain of ours",
            "dead end x@away.test: not to be passed on from here"
        ]
    );
    assert_eq!(
        told("abuse@home.test").last().unwrap(),
        "=> abuse@home.test: delivered to a mailbox here"
    );
}

#[test]
fn su_10_whose_addresses_are() {
    let rows = home(
        "domain other.test mailbox
         domain list.test alias
         mailbox info@home.test 3
         mailbox x@list.test 1
         alias info@home.test -> alice@home.test
         alias team@list.test -> alice@home.test, bob@home.test, x@away.test
         alias @other.test -> bob@home.test
         alias loop@home.test -> loop@list.test
         alias loop@list.test -> loop@home.test
         transport * -> smtp:[192.0.2.1]
         route smart
         transport alice@home.test -> error:gone",
    );
    for (user, address, want) in [
        (1, "alice@home.test", true),
        (1, "Alice+Tag@HOME.test", true),
        (1, "bob@home.test", false),
        (1, "info@home.test", true),
        (3, "info@home.test", true),
        (2, "info@home.test", false),
        (1, "team@list.test", true),
        (2, "team+x@list.test", true),
        (3, "team@list.test", false),
        (1, "x@list.test", false),
        (2, "any@other.test", true),
        (1, "any@other.test", false),
        (9, "postmaster@home.test", true),
        (9, "abuse@other.test", true),
        (1, "postmaster@home.test", false),
        (1, "ghost@home.test", false),
        (1, "loop@home.test", false),
        (1, "x@away.test", false),
        (1, "alice@away.test", false),
        (1, "alice@[192.0.2.1]", false),
    ] {
        let address = Address::parse(address).unwrap();
        let got = owns(&rows, &options(), UserId(user), &address);
        assert_eq!(got, Ok(want), "{user} {address}");
    }
    let mut rows = rows;
    rows.broken = true;
    let address = Address::parse("alice@home.test").unwrap();
    assert_eq!(
        owns(&rows, &options(), UserId(1), &address),
        Err(LookupFailed)
    );
}

#[test]
fn tr_1_exempts_from_what_is_less_specific() {
    let mut rows = home("transport * -> smtp:[192.0.2.1]\ntransport away.test -> :");
    let user = |rows: &Rows, recipient| show(&routed(rows, Rights::User, recipient).outcome);
    assert_eq!(user(&rows, "x@away.test"), "x@away.test");
    assert_eq!(
        user(&rows, "x@sub.away.test"),
        "x@sub.away.test via smtp:[192.0.2.1]"
    );
    assert_eq!(
        led(&rows, "alice@home.test"),
        "alice@home.test via smtp:[192.0.2.1]"
    );
    rows.add("transport home.test -> :");
    assert_eq!(led(&rows, "alice@home.test"), "#1");
}

#[test]
fn tr_12_a_route_that_is_gone_loses_no_mail() {
    let mut rows = home("transport away.test -> relay:smart\ndefault other");
    let user = |rows: &Rows, recipient| show(&routed(rows, Rights::User, recipient).outcome);
    assert_eq!(user(&rows, "x@away.test"), "LookupFailed");
    assert_eq!(user(&rows, "x@else.test"), "LookupFailed");
    assert_eq!(user(&rows, "alice@home.test"), "#1");
    rows.add("route smart");
    rows.add("route other");
    assert_eq!(user(&rows, "x@away.test"), "x@away.test via relay:smart");
    assert_eq!(user(&rows, "x@else.test"), "x@else.test via relay:other");
}

/// A mailbox that is hit costs a few looks and no scan.
#[test]
fn the_common_case_is_cheap() {
    let rows = home("");
    for (recipient, most) in [
        ("alice@home.test", 4),
        ("alice+tag@home.test", 6),
        ("ghost@home.test", 4),
        ("x@away.test", 1),
    ] {
        rows.asked.set(0);
        led(&rows, recipient);
        assert!(
            rows.asked.get() <= most,
            "{recipient}: {}",
            rows.asked.get()
        );
    }
}
