use smol::block_on;

use super::*;
use crate::{
    base::id::QueueId,
    mail::{address::Address, header, rewrite::Mode},
    service::{
        dkim::tests::Place,
        inbound::{Delivery, Reception, deliver},
    },
    store::queue::{BodyKind, Queued, QueuedRecipient},
};

const NOW: Time = Time(1_795_272_815);

/// A place that has a queue.
fn queued(place: &Place, message: &[u8]) -> Content {
    let store = &place.store;
    block_on(async {
        let mut reception = Reception::begin(store, Vec::new(), None);
        reception.write(message).await;
        let queued = Queued {
            id: "4Wx1".to_owned(),
            sender: "alice@home.test".to_owned(),
            submitter: None,
            envid: None,
            ret: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
            requiretls: false,
            arrival: Arrival::Here,
            recipients: vec![QueuedRecipient {
                address: "bob@away.test".to_owned(),
                ..QueuedRecipient::default()
            }],
        };
        let delivery = Delivery {
            prefix: b"Return-Path: <alice@home.test>\r\n".to_vec(),
            to: Vec::new(),
            queue: Some(queued),
            settles: Vec::new(),
            warns: None,
        };
        let whole = reception.finish().await.unwrap();
        deliver(store, whole, delivery, NOW).await.unwrap();
    });
    let entries = store.read(|reader| reader.queue(None, 1000)).unwrap();
    let (_, entry): &(QueueId, _) = entries.last().unwrap();
    store.content(entry.content).unwrap().unwrap()
}

fn leaving(reverse: &str) -> Leaving {
    Leaving {
        reverse: reverse.to_owned(),
        arrival: Arrival::Here,
        rewrite: None,
        now: NOW,
    }
}

fn all(outgoing: &mut Outgoing) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let piece = outgoing.read(out.len() as u64).unwrap();
        assert!(piece.len() <= PIECE_MAX);
        if piece.is_empty() {
            assert_eq!(out.len() as u64, outgoing.size());
            return out;
        }
        out.extend_from_slice(piece);
    }
}

fn signatures(message: &[u8]) -> Vec<String> {
    header::fields(message)
        .filter(|field| field.is("DKIM-Signature"))
        .map(|field| String::from_utf8(header::unfold(field.value).into_owned()).unwrap())
        .collect()
}

#[test]
fn oq_10_what_leaves_is_signed_by_whose_it_is() {
    let place = Place::new();
    place.domain("home.test");
    place.domain("other.test");
    let keys = Keys::new(place.store.clone());
    for (message, reverse, domain) in [
        (
            "From: a@home.test\r\n\r\nhi\r\n",
            "b@other.test",
            Some("home.test"),
        ),
        (
            "From: A <a@Other.Test>\r\n\r\nhi\r\n",
            "",
            Some("other.test"),
        ),
        (
            "From: x@away.test\r\n\r\nhi\r\n",
            "SRS0=a=b=c=d@HOME.test",
            Some("home.test"),
        ),
        ("To: b@c\r\n\r\nhi\r\n", "a@home.test", Some("home.test")),
        ("From: x@away.test\r\n\r\nhi\r\n", "", None),
        ("From: x@away.test\r\n\r\nhi\r\n", "x@away.test", None),
        ("\r\nhi\r\n", "a@home.test", Some("home.test")),
        // A report of ours, and mail of cron's.
        (
            "From: MAILER-DAEMON@mail.home.test\r\n\r\nhi\r\n",
            "",
            Some("home.test"),
        ),
        (
            "From: root@nas.in.Home.test\r\n\r\nhi\r\n",
            "root@nas.in.home.test",
            Some("home.test"),
        ),
        ("From: a@nothome.test\r\n\r\nhi\r\n", "", None),
        ("From: a@home.test\r\n", "", Some("home.test")),
    ] {
        let content = queued(&place, message.as_bytes());
        let mut outgoing = Outgoing::prepare(content, &keys, &leaving(reverse)).unwrap();
        let text = all(&mut outgoing);
        assert!(text.ends_with(message.as_bytes()), "{message:?}");
        let found = signatures(&text);
        match domain {
            // The key that takes longer is not made yet.
            Some(domain) => {
                assert_eq!(found.len(), 1, "{message:?}");
                assert!(found[0].contains(&format!("d={domain};")), "{found:?}");
                assert!(found[0].contains("s=e202611;"), "{found:?}");
            }
            None => assert_eq!(text, message.as_bytes()),
        }
    }
}

#[test]
fn both_keys_sign_once_they_are_there() {
    let place = Place::new();
    place.domain("home.test");
    let keys = Keys::new(place.store.clone());
    let message = b"From: a@home.test\r\n\r\nhi\r\n";
    let signed = || {
        let outgoing = Outgoing::prepare(queued(&place, message), &keys, &leaving(""));
        signatures(outgoing.unwrap().header())
    };
    assert_eq!(signed().len(), 1);
    let one = keys.of("home.test").unwrap().unwrap();
    assert!(Arc::ptr_eq(&one, &keys.of("home.test").unwrap().unwrap()));
    block_on(crate::service::dkim::tend(&place.store, None, NOW)).unwrap();
    let both = signed();
    assert_eq!(both.len(), 2);
    assert!(both[0].contains("a=rsa-sha256;") && both[1].contains("a=ed25519-sha256;"));
    place.remove_domain("home.test");
    assert_eq!(signed().len(), 0);
}

#[test]
fn a_long_body_is_streamed() {
    let place = Place::new();
    place.domain("home.test");
    let keys = Keys::new(place.store.clone());
    let header = [
        &b"From: a@home.test\r\nX: "[..],
        &b"long \r\n ".repeat(10_000),
        b"x\r\n\r\n",
    ]
    .concat();
    let body = b"0123456789 abcdef\r\n".repeat(20_000);
    let message = [&header[..], &body].concat();
    let content = queued(&place, &message);
    let mut outgoing = Outgoing::prepare(content, &keys, &leaving("")).unwrap();
    let text = all(&mut outgoing);
    assert!(text.ends_with(&message));
    assert!(outgoing.header().ends_with(&header));
    let mut hash = BodyHash::new();
    hash.push(&body);
    let hash = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash.finish());
    assert!(signatures(&text)[0].contains(&format!("bh={hash};")));
}

#[test]
fn rewritten_before_it_is_signed() {
    let place = Place::new();
    place.domain("home.test");
    let keys = Keys::new(place.store.clone());
    let content = queued(&place, b"From: root\r\n\r\nhi\r\n");
    let leaving = Leaving {
        rewrite: Some(Rewrite {
            mode: Mode::Local,
            address: Address::parse("box@home.test").unwrap(),
            hostname: "nas".to_owned(),
            forwarded: false,
        }),
        ..leaving("")
    };
    let mut outgoing = Outgoing::prepare(content, &keys, &leaving).unwrap();
    let text = all(&mut outgoing);
    assert!(signatures(&text)[0].contains("d=home.test;"));
    let end = b"From: \"root\"\r\n <box@home.test>\r\nX-Original-From: root\r\n\r\nhi\r\n";
    assert!(text.ends_with(end));
}

/// Nobody gets a signature of ours by sending mail in our name to an address that is passed on.
#[test]
fn what_is_passed_on_is_not_signed_as_its_author() {
    let place = Place::new();
    place.domain("home.test");
    let keys = Keys::new(place.store.clone());
    let count = |arrival, author: &str, reverse: &str| {
        let message = format!("From: {author}\r\n\r\nhi\r\n");
        let content = queued(&place, message.as_bytes());
        let leaving = Leaving {
            arrival,
            ..leaving(reverse)
        };
        let outgoing = Outgoing::prepare(content, &keys, &leaving).unwrap();
        signatures(outgoing.header()).len()
    };
    let (boss, srs) = ("boss@home.test", "SRS0=a=b=away.test=x@home.test");
    for (arrival, reverse, signed) in [
        (Arrival::Anybody, boss, false),
        (Arrival::Anybody, "", false),
        (Arrival::Anybody, srs, false),
        (Arrival::Person, srs, false),
        (Arrival::Person, boss, true),
        (Arrival::Machine, boss, true),
        (Arrival::Device, boss, true),
        (Arrival::Here, "", true),
    ] {
        let count = count(arrival, boss, reverse);
        assert_eq!(count > 0, signed, "{arrival:?} {reverse}");
    }
    // Under the name of who passes it on.
    assert_eq!(count(Arrival::Anybody, "x@away.test", srs), 1);
}
