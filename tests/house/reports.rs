//! What senders hear: failures, delays, deliveries; and mail that goes round.

use pillarbox::store::queue::{Notify, Ret};

use super::delivery::{home, letter, unfolded};
use super::net::{DAY, HOUR, play};
use super::peer::{Act, Peer, bring, say};
use super::site::{Letter, Site};

#[test]
fn oq_3_late_and_given_up() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| match event.verb.as_str() {
            "RCPT" => say("452 4.2.2 Mailbox is full"),
            _ => None,
        });
        site.send(&letter()).await;
        net.pass(4 * HOUR - 600).await;
        assert!(site.inbox("alice@home.test").is_empty());
        net.pass(2 * HOUR).await;
        let inbox = site.inbox("alice@home.test");
        assert_eq!(inbox.len(), 1);
        for want in ["Action: delayed", "Mailbox is full", "Will-Retry-Until:"] {
            assert!(inbox[0].contains(want), "{want} in {}", inbox[0]);
        }
        net.pass(5 * DAY - 7 * HOUR).await;
        assert_eq!(
            (site.inbox("alice@home.test").len(), site.waiting()),
            (1, 1)
        );
        net.pass(6 * HOUR).await;
        let inbox = site.inbox("alice@home.test");
        assert_eq!((inbox.len(), site.waiting()), (2, 0));
        for want in ["Action: failed", "Status: 4.4.7", "Mailbox is full"] {
            assert!(inbox[1].contains(want), "{want} in {}", inbox[1]);
        }
        assert_eq!(peer.count(), 0);
        // 0, 5, 15, 35, 75, 155, 315 minutes, then each 4 hours.
        assert!((30..45).contains(&peer.sessions.get()));
    });
}

#[test]
fn oq_4_a_host_that_is_gone_for_five_days() {
    play(|net| async move {
        let site = home(&net).await;
        // Somebody answers, so that there is a network.
        let other = Peer::kind(&net, &["192.0.2.3:25"]);
        net.names("third.test MX 10 mx.third.test\nmx.third.test A 192.0.2.3");
        site.send(&letter()).await;
        for _ in 0..(5 * 24 + 5) {
            site.send(&Letter::new("alice@home.test", &["carol@third.test"]))
                .await;
            net.pass(HOUR).await;
        }
        let inbox = site.inbox("alice@home.test");
        assert_eq!((inbox.len(), site.waiting()), (2, 0));
        assert!(inbox[1].contains("Status: 4.4.7"), "{}", inbox[1]);
        let text = unfolded(&inbox[1]);
        assert!(
            text.contains("connect to mx.away.test[192.0.2.2]:25"),
            "{text}"
        );
        assert_eq!(other.count(), 5 * 24 + 5);
    });
}

/// NOTIFY and RET, ENVID and ORCPT (RFC 3461).
#[test]
fn oq_4_what_senders_want_to_hear() {
    let failing = |notify: Option<Notify>, ret: Option<Ret>, from: &str| {
        let mut letter = Letter::new(from, &["bob@away.test"]);
        letter.to[0].notify = notify;
        letter.to[0].orcpt = Some("rfc822;robert@old.test".to_owned());
        letter.envid = Some("QQ314159".to_owned());
        letter.ret = ret;
        letter
    };
    for (letter, heard, whole) in [
        (failing(None, None, "alice@home.test"), true, false),
        (
            failing(Some(Notify::NEVER), None, "alice@home.test"),
            false,
            false,
        ),
        (
            failing(Some(Notify::SUCCESS), None, "alice@home.test"),
            false,
            false,
        ),
        (
            failing(Some(Notify::FAILURE), Some(Ret::Headers), "alice@home.test"),
            true,
            false,
        ),
        (
            failing(Some(Notify::FAILURE), Some(Ret::Full), "alice@home.test"),
            true,
            true,
        ),
        (failing(None, None, ""), false, false),
    ] {
        play(|net| async move {
            let site = home(&net).await;
            Peer::new(&net, &["192.0.2.2:25"], |event| match event.verb.as_str() {
                "RCPT" => say("550 5.1.1 No such user"),
                _ => None,
            });
            site.send(&letter).await;
            net.settle().await;
            assert_eq!(site.waiting(), 0);
            let inbox = site.inbox("alice@home.test");
            assert_eq!(inbox.len(), usize::from(heard), "{letter:?}");
            for text in inbox {
                for want in [
                    "Original-Envelope-Id: QQ314159",
                    "Original-Recipient: rfc822;robert@old.test",
                    "Final-Recipient: rfc822;bob@away.test",
                ] {
                    assert!(text.replace("; ", ";").contains(want), "{want} in {text}");
                }
                assert_eq!(text.contains("Secret text"), whole, "{text}");
            }
        });
    }
}

/// A peer that knows no DSN takes it: that is told, if it was wished for (RFC 3461 section 5.2.2).
#[test]
fn oq_4_relayed() {
    for (notify, offers, reports) in [
        (Some(Notify::SUCCESS), false, 1),
        (Some(Notify::SUCCESS), true, 0),
        (None, false, 0),
        (Some(Notify::FAILURE), false, 0),
    ] {
        play(|net| async move {
            let site = home(&net).await;
            let peer = Peer::kind(&net, &["192.0.2.2:25"]);
            if offers {
                peer.offer("DSN");
            }
            let mut letter = letter();
            letter.to[0].notify = notify;
            site.send(&letter).await;
            net.settle().await;
            assert_eq!(peer.count(), 1);
            assert_eq!(peer.last().rcpt[0].contains("NOTIFY=SUCCESS"), offers);
            let inbox = site.inbox("alice@home.test");
            assert_eq!(inbox.len(), reports, "{notify:?}");
            assert!(inbox.iter().all(|text| text.contains("Action: relayed")));
        });
    }
}

#[test]
fn oq_3_no_warning_where_nobody_wants_it() {
    play(|net| async move {
        let site = home(&net).await;
        Peer::new(&net, &["192.0.2.2:25"], |event| {
            (event.verb == "RCPT").then(|| Act::Say("450 4.2.1 Later".to_owned()))
        });
        let mut quiet = letter();
        quiet.to[0].notify = Some(Notify::FAILURE);
        site.send(&quiet).await;
        site.send(&Letter::new("", &["bob@away.test"])).await;
        net.pass(10 * HOUR).await;
        assert!(site.inbox("alice@home.test").is_empty());
        assert_eq!(site.waiting(), 2);
    });
}

/// Two boxes whose aliases lead to each other: it ends, and the sender hears once.
#[test]
fn sr_28_loop_between_two_boxes() {
    play(|net| async move {
        let site = home(&net).await;
        let away = Site::new(&net, "mx.away.test", "192.0.2.2");
        away.mailbox("keeper@away.test").await;
        site.alias("round@home.test", "trip@away.test").await;
        away.alias("trip@away.test", "round@home.test").await;
        site.send(&Letter::new("alice@home.test", &["trip@away.test"]))
            .await;
        net.pass(HOUR).await;
        assert_eq!((site.waiting(), away.waiting()), (0, 0));
        let inbox = site.inbox("alice@home.test");
        assert_eq!(inbox.len(), 1);
        assert!(inbox[0].contains("too many hops"), "{}", inbox[0]);
        // A connection carries many rounds.
        let calls = net.calls.borrow().len();
        assert!((2..120).contains(&calls), "{calls} connections");
    });
}

/// Mail for somebody who moved: what comes back finds its writer (SRS, both directions).
#[test]
fn fw_11_forward_that_bounces() {
    play(|net| async move {
        let site = home(&net).await;
        net.names("third.test MX 10 mx.third.test\nmx.third.test A 192.0.2.3");
        let third = Peer::kind(&net, &["192.0.2.3:25"]);
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.alias("moved@home.test", "bob@away.test").await;
        let text = "Subject: hi\r\n\r\nSecret text";
        let arrive = |to: &'static str, from: String| {
            let stream = net.stranger("192.0.2.1:25");
            let net = net.clone();
            async move {
                let said = net
                    .executor
                    .spawn(async move { bring(stream, &from, to, text).await });
                net.settle().await;
                assert!(said.is_finished());
                said.await
            }
        };
        let said = arrive("moved@home.test", "carol@third.test".to_owned()).await;
        assert!(said[5].starts_with("250"), "{said:?}");
        assert_eq!(peer.count(), 1);
        let mail = peer.last().mail;
        let reverse = mail.strip_prefix("MAIL FROM:<").unwrap();
        let reverse = reverse.split('>').next().unwrap().to_owned();
        assert!(
            reverse.starts_with("SRS0=") && reverse.ends_with("@home.test"),
            "{reverse}"
        );
        // It bounces there later.
        let stream = net.stranger("192.0.2.1:25");
        let back = net
            .executor
            .spawn(async move { bring(stream, "", &reverse, text).await });
        net.settle().await;
        let back = back.await;
        assert!(back[3].starts_with("250"), "{back:?}");
        assert_eq!(third.count(), 1);
        assert_eq!(third.last().rcpt, ["RCPT TO:<carol@third.test>"]);
        assert!(third.last().mail.starts_with("MAIL FROM:<>"));
        // And one that nobody signed goes nowhere.
        let forged = "SRS0=AAAA=AA=third.test=carol@home.test";
        let said = arrive(forged, String::new()).await;
        assert!(said[3].starts_with('5'), "{said:?}");
        // Refused at once: the report goes to the writer itself.
        peer.change(|event| match event.verb.as_str() {
            "RCPT" => say("550 5.1.1 No such user"),
            _ => None,
        });
        arrive("moved@home.test", "carol@third.test".to_owned()).await;
        net.settle().await;
        assert_eq!(third.count(), 2);
        assert!(third.last().text.contains("Action: failed"));
        assert_eq!(third.last().rcpt, ["RCPT TO:<carol@third.test>"]);
        assert_eq!(site.waiting(), 0);
    });
}
