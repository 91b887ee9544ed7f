//! Peers that behave in all the ways in which peers behave.

use std::rc::Rc;

use pillarbox::store::directory::TransportTls;

use super::net::{HOUR, MINUTE, Net, Place, play};
use super::peer::{Act, Peer, say};
use super::site::{Letter, Site};

/// A box for home.test whose mail to away.test goes to mx.away.test, 192.0.2.2.
pub async fn home(net: &Rc<Net>) -> Rc<Site> {
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

pub fn letter() -> Letter {
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
fn tr_11_next_hop_down() {
    play(|net| async move {
        let site = home(&net).await;
        site.send(&letter()).await;
        net.pass(1).await;
        let reason = site.queue()[0].queued.recipients[0].reason.clone().unwrap();
        let refused = "connect to mx.away.test[192.0.2.2]:25: Connection refused";
        assert!(reason.contains(refused), "{reason}");
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

#[test]
fn oq_1_name_servers_silent() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        net.names_silent.set(true);
        site.send(&letter()).await;
        net.pass(60).await;
        assert_eq!((peer.count(), site.waiting()), (0, 1));
        let reason = site.queue()[0].queued.recipients[0].reason.clone();
        assert!(reason.unwrap().contains("does not answer"));
        net.names_silent.set(false);
        assert!(net.wait(10 * MINUTE, || peer.count() == 1).await);
    });
}

#[test]
fn oq_1_loops_back_to_myself() {
    play(|net| async move {
        let site = home(&net).await;
        net.names(
            "mine.test MX 10 mx.home.test\nmine2.test MX 10 other.test\nother.test A 192.0.2.1",
        );
        for domain in ["mine.test", "mine2.test"] {
            site.send(&Letter::new("alice@home.test", &[&format!("bob@{domain}")]))
                .await;
        }
        net.settle().await;
        let inbox = site.inbox("alice@home.test");
        assert_eq!(inbox.len(), 2);
        for (text, domain) in inbox.iter().zip(["mine.test", "mine2.test"]) {
            let want = format!("mail for {domain} loops back to myself");
            assert!(text.contains(&want), "{text}");
            assert!(text.contains("Status: 5.4.6"));
        }
        assert_eq!(site.waiting(), 0);
    });
}

#[test]
fn oq_1_no_such_domain_and_null_mx() {
    play(|net| async move {
        let site = home(&net).await;
        net.names("null.test MX 0 .\nempty.test EMPTY");
        for (domain, status) in [
            ("none.test", "5.1.2"),
            ("null.test", "5.1.10"),
            ("empty.test", "5.4.4"),
        ] {
            let before = site.inbox("alice@home.test").len();
            site.send(&Letter::new("alice@home.test", &[&format!("bob@{domain}")]))
                .await;
            net.settle().await;
            let inbox = site.inbox("alice@home.test");
            assert_eq!(inbox.len(), before + 1, "{domain}");
            let want = format!("Status: {status}");
            assert!(inbox[before].contains(&want), "{}", inbox[before]);
        }
    });
}

/// Every step says "not now" until three hours have passed.
#[test]
fn oq_3_storm_of_4xx() {
    for step in ["", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        play(|net| async move {
            let site = home(&net).await;
            let peer = Peer::new(&net, &["192.0.2.2:25"], move |event| {
                let busy = event.verb == step && event.now < 3 * 3600;
                busy.then(|| Act::Say("451 4.3.2 Busy".to_owned()))
            });
            for _ in 0..20 {
                site.put(&letter()).await;
            }
            site.outbound.wake();
            net.pass(3 * HOUR - 60).await;
            assert_eq!((peer.count(), site.waiting()), (0, 20), "{step}");
            // 0, 5, 15, 35, 75, 155 minutes; each message has a try of its own where it was judged.
            let most = if matches!(step, "" | "EHLO") { 8 } else { 130 };
            let sessions = peer.sessions.get();
            assert!(
                (4..=most).contains(&sessions),
                "{step}: {sessions} sessions"
            );
            assert!(net.wait(5 * HOUR, || peer.count() == 20).await, "{step}");
            net.settle().await;
            assert_eq!(site.waiting(), 0);
            assert!(site.inbox("alice@home.test").is_empty());
        });
    }
}

/// Every step says no for good: what the sender reads.
#[test]
fn oq_4_bounces_for_5xx() {
    for (step, command) in [
        ("MAIL", "(in reply to MAIL FROM command)"),
        ("RCPT", "(in reply to RCPT TO command)"),
        ("DATA", "(in reply to DATA command)"),
        (".", "(in reply to end of DATA command)"),
    ] {
        play(|net| async move {
            let site = home(&net).await;
            let peer = Peer::new(&net, &["192.0.2.2:25"], move |event| {
                let no = event.verb == step;
                no.then(|| Act::Say("554 5.7.1 Go away".to_owned()))
            });
            site.send(&letter()).await;
            net.settle().await;
            assert_eq!((peer.count(), site.waiting()), (0, 0), "{step}");
            let inbox = site.inbox("alice@home.test");
            assert_eq!(inbox.len(), 1);
            for want in [
                "Return-Path: <>",
                "bob@away.test",
                "Action: failed",
                "Status: 5.7.1",
                "554 5.7.1 Go away",
                command,
                "Subject: hello",
            ] {
                assert!(unfolded(&inbox[0]).contains(want), "{want} in {}", inbox[0]);
            }
        });
    }
}

pub fn unfolded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn oq_9_starttls_stripped() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(peer.count(), 1);
        // A connection that is kept for more mail goes on as it began.
        net.pass(60).await;
        let target = "smtp:away.test";
        site.transport("away.test", target, Some(TransportTls::Encrypt))
            .await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((peer.count(), site.waiting()), (1, 1));
        let reason = site.queue()[0].queued.recipients[0].reason.clone().unwrap();
        assert!(reason.contains("TLS"), "{reason}");
        // Once it is offered again … this peer never does: nothing goes in clear.
        net.pass(HOUR).await;
        assert_eq!(peer.count(), 1);
    });
}

#[test]
fn oq_9_certificate_wrong() {
    play(|net| async move {
        let site = home(&net).await;
        let away = Site::with_tls(&net, "mx.away.test", "192.0.2.2");
        away.mailbox("bob@away.test").await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(away.inbox("bob@away.test").len(), 1);
        assert!(away.inbox("bob@away.test")[0].contains("ESMTPS"));
        net.pass(60).await;
        let target = "smtp:away.test";
        site.transport("away.test", target, Some(TransportTls::Verify))
            .await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(site.waiting(), 1);
        net.pass(HOUR).await;
        assert_eq!((away.inbox("bob@away.test").len(), site.waiting()), (1, 1));
        let reason = site.queue()[0].queued.recipients[0].reason.clone().unwrap();
        assert!(reason.contains("ertificate"), "{reason}");
    });
}

/// The destination is dead: nobody else waits for it.
#[test]
fn oq_3_dead_destination() {
    play(|net| async move {
        let site = home(&net).await;
        net.names("dead.test MX 10 mx.dead.test\nmx.dead.test A 192.0.2.8");
        net.place("192.0.2.8:25", Place::Silent);
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        let dead = Letter::new("alice@home.test", &["bob@dead.test"]);
        for _ in 0..100 {
            for _ in 0..100 {
                let (site, dead) = (site.clone(), dead.clone());
                let put = async move { drop(site.put(&dead).await) };
                net.executor.spawn(put).detach();
            }
            net.settle().await;
        }
        site.outbound.wake();
        net.settle().await;
        for round in 0..20 {
            site.send(&letter()).await;
            assert!(net.wait(1, || peer.count() == round + 1).await, "{round}");
            net.pass(7).await;
        }
        net.pass(2 * HOUR).await;
        assert!(net.called("192.0.2.8:25") < 20);
        assert_eq!(site.waiting(), 10_000);
    });
}
