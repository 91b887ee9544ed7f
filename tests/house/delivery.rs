//! Peers that behave in all the ways in which peers behave.

use std::rc::Rc;

use super::net::{MINUTE, Net, Place, play};
use super::peer::{Act, Peer, say};
use super::site::{Letter, Site};

/// A box for home.test whose mail to away.test goes to mx.away.test, 192.0.2.2.
async fn home(net: &Rc<Net>) -> Rc<Site> {
    net.names(
        "home.test MX 10 mx.home.test
        mx.home.test A 192.0.2.1
        away.test MX 10 mx.away.test
        mx.away.test A 192.0.2.2",
    );
    let site = Site::new(net, "mx.home.test", "192.0.2.1");
    site.mailbox("alice@home.test").await;
    net.settle().await;
    site
}

fn letter() -> Letter {
    Letter::new("alice@home.test", &["bob@away.test"])
}

#[test]
fn oq_1_sent_at_once() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(peer.count(), 1);
        let taken = peer.last();
        assert!(taken.mail.starts_with("MAIL FROM:<alice@home.test>"));
        assert_eq!(taken.rcpt, ["RCPT TO:<bob@away.test>"]);
        assert!(taken.text.ends_with("Secret text\r\n"));
        assert_eq!(site.waiting(), 0);
    });
}

#[test]
fn oq_3_greylisting_peer() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| match event.verb.as_str() {
            "RCPT" if event.now < 300 => say("450 4.2.0 Greylisted, come again"),
            _ => None,
        });
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (0, 1));
        let entry = &site.queue()[0].queued.recipients[0];
        assert!(entry.reason.as_ref().unwrap().contains("Greylisted"));
        assert!(net.wait(11 * MINUTE, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 0);
        assert_eq!(peer.sessions.get(), 2);
    });
}

#[test]
fn oq_11_dies_after_data() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| {
            (event.verb == "." && event.times == 1).then_some(Act::Die)
        });
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (0, 1));
        assert!(net.wait(6 * MINUTE, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 0);
    });
}

#[test]
fn oq_1_first_host_dead() {
    play(|net| async move {
        net.names(
            "away.test MX 5 dead.away.test
            away.test MX 7 silent.away.test
            dead.away.test A 192.0.2.8
            silent.away.test A 192.0.2.9",
        );
        net.place("192.0.2.9:25", Place::Silent);
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.send(&letter()).await;
        assert!(net.wait(60, || peer.count() == 1).await);
        assert_eq!(net.called("192.0.2.8:25"), 1);
        assert_eq!(net.called("192.0.2.9:25"), 1);
    });
}

#[test]
fn oq_1_ipv6_broken() {
    play(|net| async move {
        net.names("mx.away.test AAAA 2001:db8::2");
        net.six_silent.set(true);
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25", "[2001:db8::2]:25"]);
        site.send(&letter()).await;
        assert!(net.wait(60, || peer.count() == 1).await);
        assert_eq!(net.called("[2001:db8::2]:25"), 1);
    });
}
