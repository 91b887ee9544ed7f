//! OQ-9 as a table: who said what, and how a host is spoken to.

use super::*;
use crate::net::resolve::Found;

const MX: &str = "mx.a.test";

fn host() -> Host {
    Host {
        name: MX.to_owned(),
        preference: 10,
        addresses: vec![([203, 0, 113, 1], 25).into()],
        authentic: true,
    }
}

fn record(usage: u8) -> Tlsa {
    Tlsa {
        usage,
        selector: 1,
        matching: 1,
        data: vec![7; 32],
    }
}

fn sts(mode: Mode, mx: &str) -> TlsPolicy {
    let policy = sts::Policy {
        mode,
        mx: vec![mx.to_owned()],
        max_age: 86_400,
    };
    TlsPolicy::Published {
        sts: Some(Rc::new(policy)),
    }
}

/// In one line: TLS, what is verified, whose word it was, whether it may fall back.
fn way(policy: &TlsPolicy, records: &[Tlsa], requiretls: bool) -> String {
    match judge(
        policy,
        &host(),
        Some("a.test"),
        requiretls,
        records.to_vec(),
    ) {
        Ok(secure) => {
            let verify = match &secure.verify {
                Verify::Dane { names, .. } => format!("dane {}", names.join(",")),
                Verify::Names(names) => format!("names {}", names.join(",")),
                Verify::Nothing => "nothing".to_owned(),
            };
            assert_eq!(secure.server_name, MX);
            assert_eq!(secure.verified, verify != "nothing");
            assert_eq!(secure.fall_back, secure.tls == Tls::Offered);
            format!("{:?} {verify} {}", secure.tls, secure.why)
                .trim()
                .to_owned()
        }
        Err(text) => text,
    }
}

#[test]
fn oq_9_who_has_the_say() {
    let said = TlsPolicy::Said;
    let nothing = TlsPolicy::Published { sts: None };
    let (dane, useless) = ([record(0), record(3)], [record(0)]);
    for (policy, records, want) in [
        (&nothing, &[][..], "Offered nothing"),
        (&nothing, &dane, "Required dane mx.a.test,a.test DANE"),
        (&nothing, &useless, "Required nothing DANE"),
        (
            &sts(Mode::Enforce, MX),
            &[],
            "Required names mx.a.test MTA-STS",
        ),
        (
            &sts(Mode::Enforce, "*.a.test"),
            &[],
            "Required names mx.a.test MTA-STS",
        ),
        (
            &sts(Mode::Enforce, MX),
            &useless,
            "Required names mx.a.test MTA-STS",
        ),
        (
            &sts(Mode::Enforce, "mx.b.test"),
            &[],
            "the domain's policy (MTA-STS) does not name mx.a.test as its mail server",
        ),
        // DANE beats MTA-STS (RFC 8461 section 2).
        (
            &sts(Mode::Enforce, "mx.b.test"),
            &dane,
            "Required dane mx.a.test,a.test DANE",
        ),
        (&sts(Mode::Testing, "mx.b.test"), &[], "Offered nothing"),
        (&sts(Mode::None, "mx.b.test"), &[], "Offered nothing"),
        // The admin's word beats both.
        (&said(Level::None), &dane, "Never nothing transport"),
        (&said(Level::May), &dane, "Offered nothing"),
        (&said(Level::Encrypt), &dane, "Required nothing transport"),
        (
            &said(Level::Verify),
            &dane,
            "Required names mx.a.test transport",
        ),
    ] {
        assert_eq!(way(policy, records, false), want, "{policy:?} {records:?}");
    }
}

/// RFC 8689 section 4.2.1: whoever it is, the host has to prove it.
#[test]
fn oq_9_requiretls() {
    let said = TlsPolicy::Said;
    let nothing = TlsPolicy::Published { sts: None };
    for (policy, records, want) in [
        (&nothing, &[][..], "Required names mx.a.test REQUIRETLS"),
        (
            &nothing,
            &[record(3)],
            "Required dane mx.a.test,a.test DANE",
        ),
        (
            &nothing,
            &[record(0)],
            "Required names mx.a.test REQUIRETLS",
        ),
        (
            &sts(Mode::Testing, MX),
            &[],
            "Required names mx.a.test REQUIRETLS",
        ),
        (
            &sts(Mode::Enforce, MX),
            &[],
            "Required names mx.a.test MTA-STS",
        ),
        (
            &said(Level::May),
            &[],
            "Required names mx.a.test REQUIRETLS",
        ),
        (
            &said(Level::Encrypt),
            &[],
            "Required names mx.a.test REQUIRETLS",
        ),
        (
            &said(Level::Verify),
            &[],
            "Required names mx.a.test transport",
        ),
        (
            &said(Level::None),
            &[],
            "the message requires TLS (REQUIRETLS), and the transport forbids it for mx.a.test",
        ),
    ] {
        assert_eq!(way(policy, records, true), want, "{policy:?} {records:?}");
    }
}

/// Only what DNS authenticated counts; and who holds the answer back gains nothing.
#[test]
fn oq_9_records_that_count() {
    let answer = |authentic| {
        Ok(Found {
            records: vec![record(3)],
            authentic,
            alias: false,
        })
    };
    assert_eq!(tlsa(MX, answer(true)), Ok(vec![record(3)]));
    assert_eq!(tlsa(MX, answer(false)), Ok(vec![]));
    assert_eq!(tlsa(MX, Err(Unfound::NoSuchName)), Ok(vec![]));
    let held_back = tlsa(MX, Err(Unfound::TryAgain("SERVFAIL".to_owned())));
    assert_eq!(
        held_back.unwrap_err(),
        "whether mx.a.test has TLSA records (DANE) cannot be told now: SERVFAIL"
    );
}
