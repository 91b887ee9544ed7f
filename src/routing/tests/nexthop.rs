//! Where queued mail goes next (OQ-2, TR-1 to TR-12).

use super::rows::{Rows, options};
use crate::{
    mail::address::Address,
    routing::{LookupFailed, nexthop, nexthop::stored},
};

const ROWS: &str = "
    route main
    route press
    route other
    default main
    transport a@away.test -> smtp:[192.0.2.1]:2525
    transport away.test -> lmtp:unix:/run/lmtp
    transport .away.test -> smtp:mx.away.test:26
    transport exempt.test -> :
    transport gone.test -> relay:nobody
    transport no.test -> error:5.7.1 not there
    transport none.test -> discard:
    transport from:boss@home.test -> relay:press
    transport from:home.test -> relay:other
";

/// `transport | hop`, or the failure.
fn leads(rows: &Rows, sender: &str, recipient: &str) -> String {
    let recipient = Address::parse(recipient).unwrap();
    let sender = Address::parse(sender);
    match nexthop(rows, &options(), sender.as_ref(), &recipient) {
        Ok(way) => format!("{} | {:?}", way.transport.unwrap_or_default(), way.hop),
        Err(LookupFailed) => "cannot be told".to_owned(),
    }
}

#[test]
fn oq_2_the_most_specific_row_wins_and_the_sender_counts() {
    let rows = Rows::new(ROWS);
    for (sender, recipient, want) in [
        ("x@home.test", "A@away.test", "smtp:[192.0.2.1]:2525 | Host"),
        (
            "x@home.test",
            "a+tag@away.test",
            "smtp:[192.0.2.1]:2525 | Host",
        ),
        (
            "x@home.test",
            "b@away.test",
            "lmtp:unix:/run/lmtp | LmtpUnix",
        ),
        (
            "x@home.test",
            "b@sub.away.test",
            "smtp:mx.away.test:26 | Mx",
        ),
        ("x@home.test", "b@gone.test", "cannot be told"),
        ("x@home.test", "b@no.test", "error:5.7.1 not there | Error"),
        ("x@home.test", "b@none.test", "discard: | Discard"),
        // TR-1: as if there were no entry; the default route stays.
        ("x@home.test", "b@exempt.test", "relay:main | Route"),
        // By sender, most specific first, before the default.
        ("boss@home.test", "b@else.test", "relay:press | Route"),
        ("boss+x@home.test", "b@else.test", "relay:press | Route"),
        ("x@home.test", "b@else.test", "relay:other | Route"),
        ("x@far.test", "b@else.test", "relay:main | Route"),
        ("", "b@else.test", "relay:main | Route"),
    ] {
        let got = leads(&rows, sender, recipient);
        assert!(got.starts_with(want), "{sender} {recipient}: {got}");
    }
}

#[test]
fn without_rows_it_is_the_domain() {
    let rows = Rows::new("");
    let got = leads(&rows, "x@home.test", "b@B\u{fc}cher.example");
    assert!(got.contains("Mx") && got.contains("xn--bcher-kva.example") && got.contains("25"));
    let got = leads(&rows, "x@home.test", "b@[192.0.2.7]");
    assert!(got.starts_with(" | Host { host: Ip(192.0.2.7)"), "{got}");
    let rows = Rows::new(
        "transport * -> smtp:[192.0.2.1]\nroute press\ntransport from:home.test -> relay:press",
    );
    assert!(leads(&rows, "x@home.test", "b@c.test").starts_with("relay:press"));
    assert!(leads(&rows, "x@far.test", "b@c.test").starts_with("smtp:[192.0.2.1] | Host"));
    assert_eq!(
        leads(&Rows::new("default gone"), "", "b@c.test"),
        "cannot be told"
    );
}

#[test]
fn what_a_lane_is_named_for() {
    for (text, want) in [
        ("relay:main", "Some(Route"),
        ("smtp:[mail.d.test]", "Some(Host"),
        ("lmtp:[::1]", "Some(LmtpHost { host: Ip(::1), port: 24 })"),
        ("away.test", "None"),
        (":", "None"),
    ] {
        let got = format!("{:?}", stored(text));
        assert!(got.starts_with(want), "{text}: {got}");
    }
}
