//! What a message asks of a connection, and what a peer offers.

use std::cell::RefCell;
use std::rc::Rc;

use pillarbox::store::directory::TransportTls;
use ring::digest::{SHA256, digest};

use super::delivery::{home, letter, unfolded};
use super::net::{HOUR, MINUTE, Net, play};
use super::peer::{Peer, bring, say};
use super::site::{Letter, Site, der, self_signed};
use super::web;

fn reason(site: &Site) -> String {
    let entry = &site.queue()[0];
    entry.queued.recipients[0].reason.clone().unwrap()
}

/// A connection that was made in clear is no way for a message that needs more.
#[test]
fn oq_9_a_kept_connection_is_not_enough() {
    play(|net| async move {
        let site = home(&net).await;
        let target = "smtp:away.test";
        site.transport("away.test", target, Some(TransportTls::May))
            .await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), peer.sessions.get()), (1, 1));
        // It waits for more mail of the same kind.
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), peer.sessions.get()), (2, 1));
        let proved = Letter {
            requiretls: true,
            ..letter()
        };
        site.send(&proved).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (2, 1));
        assert!(reason(&site).contains("TLS"), "{}", reason(&site));
        // What needs no proof goes on.
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (3, 1));
        let entry = &site.queue()[0];
        assert!(entry.queued.requiretls);
        site.raise(
            "away.test",
            target,
            TransportTls::May,
            TransportTls::Encrypt,
        )
        .await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (3, 2));
    });
}

/// Brings a message that is passed on to bob@away.test.
async fn forward(net: &Rc<Net>, parameters: &'static str, text: &'static str) {
    let stream = net.stranger("192.0.2.1:25");
    let from = format!("<carol@third.test>{parameters}");
    let said = net
        .executor
        .spawn(async move { bring(stream, &from, "moved@home.test", text).await });
    net.settle().await;
    let said = said.await;
    assert!(said[5].starts_with("250"), "{said:?}");
}

#[test]
fn oq_12_eight_bits_and_seven() {
    play(|net| async move {
        let site = home(&net).await;
        site.alias("moved@home.test", "bob@away.test").await;
        net.names("third.test MX 10 mx.third.test\nmx.third.test A 192.0.2.3");
        let third = Peer::kind(&net, &["192.0.2.3:25"]);
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        let (ascii, eight) = (
            "Subject: hi\r\n\r\nplain",
            "Subject: hi\r\n\r\nGr\u{fc}\u{df}e",
        );
        for (text, declared) in [(ascii, false), (eight, true)] {
            forward(&net, "", text).await;
            let mail = peer.last().mail;
            assert_eq!(mail.contains("BODY=8BITMIME"), declared, "{mail}");
        }
        assert_eq!(peer.count(), 2);
        net.pass(MINUTE).await;
        peer.lacks("8BITMIME");
        // Declared for no reason: anybody can take it.
        forward(&net, " BODY=8BITMIME", ascii).await;
        assert_eq!((peer.count(), site.waiting()), (3, 0));
        assert!(!peer.last().mail.contains("BODY"));
        forward(&net, "", eight).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (3, 0));
        assert_eq!(third.count(), 1);
        let bounce = third.last().text;
        assert!(bounce.contains("Status: 5.6.3"), "{bounce}");
    });
}

/// A host is named once.
#[test]
fn oq_4_a_bounce_names_the_host_once() {
    play(|net| async move {
        let site = home(&net).await;
        let _peer = Peer::new(&net, &["192.0.2.2:25"], |event| match event.verb.as_str() {
            "RCPT" => say("550 5.1.1 No such user"),
            _ => None,
        });
        site.send(&letter()).await;
        net.settle().await;
        let inbox = unfolded(&site.inbox("alice@home.test")[0]);
        let want =
            "<bob@away.test>: mx.away.test[192.0.2.2] said: 550 5.1.1 No such user (in reply";
        assert!(inbox.contains(want), "{inbox}");
        let want = "Diagnostic-Code: smtp; 550 5.1.1 No such user";
        assert!(inbox.contains(want), "{inbox}");
    });
}

/// Wherever a connection is cut, the message arrives, and arrives once.
#[test]
fn oq_11_cut_after_so_many_octets() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        // EHLO, MAIL, RCPT and DATA in this order, then the message to its last dot.
        let mut sent = 0;
        for octets in [0, 1, 10, 19, 30, 60, 70, 90, 100, 110] {
            peer.cut.set(octets);
            let before = peer.sessions.get();
            site.send(&letter()).await;
            net.settle().await;
            assert_eq!((peer.count(), site.waiting()), (sent, 1), "{octets}");
            assert!(peer.sessions.get() > before);
            peer.cut.set(usize::MAX);
            sent += 1;
            assert!(
                net.wait(11 * MINUTE, || peer.count() == sent).await,
                "{octets}"
            );
            net.pass(10).await;
            assert_eq!((peer.count(), site.waiting()), (sent, 0), "{octets}");
            assert!(peer.last().text.ends_with("Secret text\r\n"));
        }
        assert!(site.inbox("alice@home.test").is_empty());
    });
}

/// MTA-STS: who turns the MX round gets no mail, nor does who hides the policy then.
#[test]
fn oq_9_mta_sts_enforced() {
    play(|net| async move {
        let page = "version: STSv1\nmode: enforce\nmx: mx.away.test\nmax_age: 604800\n";
        let page = Rc::new(RefCell::new(page.to_owned()));
        let (key, other) = (
            self_signed(&net, "mx.away.test"),
            self_signed(&net, "mta-sts.away.test"),
        );
        net.names(
            "home.test MX 10 mx.home.test
            mx.home.test A 192.0.2.1
            away.test 60 MX 10 mx.away.test
            mx.away.test A 192.0.2.2
            _mta-sts.away.test TXT v=STSv1; id=1;
            mta-sts.away.test A 192.0.2.4
            mx.evil.test A 192.0.2.5",
        );
        web::serve(&net, "192.0.2.4:443", other.clone(), page);
        let ours = ("mx.home.test", "192.0.2.1");
        let site = Site::with(&net, ours, None, &[&key, &other]);
        site.mailbox("alice@home.test").await;
        let away = Site::with(&net, ("mx.away.test", "192.0.2.2"), Some(key), &[]);
        away.mailbox("bob@away.test").await;
        let evil = Peer::kind(&net, &["192.0.2.5:25"]);
        site.send(&letter()).await;
        net.settle().await;
        let inbox = away.inbox("bob@away.test");
        assert_eq!((inbox.len(), site.waiting()), (1, 0));
        assert!(inbox[0].contains("ESMTPS"), "{}", inbox[0]);
        net.pass(10 * MINUTE).await;
        net.zone.borrow_mut().remove("away.test");
        net.names("away.test 60 MX 10 mx.evil.test");
        net.zone.borrow_mut().remove("_mta-sts.away.test");
        net.place("192.0.2.4:443", super::net::Place::Silent);
        site.send(&letter()).await;
        net.pass(HOUR).await;
        assert_eq!((evil.sessions.get(), site.waiting()), (0, 1));
        assert!(reason(&site).contains("MTA-STS"), "{}", reason(&site));
        net.zone.borrow_mut().remove("away.test");
        net.names("away.test 60 MX 10 mx.away.test");
        let here = || away.inbox("bob@away.test").len() == 2;
        assert!(net.wait(3 * HOUR, here).await);
    });
}

/// DANE: a certificate that nobody signed is good where the zone says so, and no other is.
#[test]
fn oq_9_dane() {
    play(|net| async move {
        let key = self_signed(&net, "mx.away.test");
        let hash = digest(&SHA256, &der(&key));
        let hex = hash
            .as_ref()
            .iter()
            .fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"));
        let tlsa = "_25._tcp.mx.away.test";
        net.names(&format!(
            "away.test AD
            mx.away.test AD
            {tlsa} 60 TLSA 3 0 1 {hex}
            {tlsa} AD"
        ));
        let site = home(&net).await;
        let away = Site::with(&net, ("mx.away.test", "192.0.2.2"), Some(key), &[]);
        away.mailbox("bob@away.test").await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(away.inbox("bob@away.test").len(), 1);
        net.pass(10 * MINUTE).await;
        net.zone.borrow_mut().remove(tlsa);
        let wrong = "00".repeat(32);
        net.names(&format!("{tlsa} 60 TLSA 3 0 1 {wrong}\n{tlsa} AD"));
        site.send(&letter()).await;
        net.pass(HOUR).await;
        assert_eq!((away.inbox("bob@away.test").len(), site.waiting()), (1, 1));
        assert!(reason(&site).contains("DANE"), "{}", reason(&site));
    });
}

/// A bounce that bounces: nobody hears of it, and it is counted.
#[test]
fn oq_4_bounces_of_bounces() {
    play(|net| async move {
        let site = home(&net).await;
        let _peer = Peer::new(&net, &["192.0.2.2:25"], |event| match event.verb.as_str() {
            "RCPT" => say("550 5.1.1 No such user"),
            _ => None,
        });
        site.send(&Letter::new("", &["bob@away.test"])).await;
        net.settle().await;
        assert_eq!((site.waiting(), site.outbound.dropped()), (0, 1));
        assert!(site.inbox("alice@home.test").is_empty());
    });
}

/// One piece, though its header and its body come from two places.
#[test]
fn oq_12_a_small_message_is_one_chunk() {
    play(|net| async move {
        let site = home(&net).await;
        let away = Site::new(&net, "mx.away.test", "192.0.2.2");
        away.mailbox("bob@away.test").await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(away.inbox("bob@away.test").len(), 1);
        // Ours offers CHUNKING; a peer of the test sees what is said.
        let peer = Peer::kind(&net, &["192.0.2.3:25"]);
        net.names("third.test MX 10 mx.third.test\nmx.third.test A 192.0.2.3");
        peer.offer("CHUNKING");
        peer.change(|event| match event.verb.as_str() {
            "BDAT" => say("250 2.0.0 Ok"),
            _ => None,
        });
        site.send(&Letter::new("alice@home.test", &["carol@third.test"]))
            .await;
        net.settle().await;
        let log = peer.log.borrow();
        assert_eq!(log.iter().filter(|verb| *verb == "BDAT").count(), 1);
    });
}
