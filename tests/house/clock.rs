//! From when mail ages, and who says that there is a network.

use std::rc::Rc;

use pillarbox::net::world::Local;
use pillarbox::store::queue::QueuedRecipient;

use super::delivery::{home, letter};
use super::net::{DAY, HOUR, MINUTE, Place, play};
use super::peer::{Act, Peer};
use super::site::Letter;

/// Days in which nobody writes make no mail old.
#[test]
fn lm_12_quiet_days_before_a_message() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| {
            (event.verb == "RCPT" && event.times == 1)
                .then(|| Act::Say("450 4.2.1 Later".to_owned()))
        });
        net.pass(6 * DAY).await;
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!((site.waiting(), peer.count()), (1, 0));
        assert!(net.wait(HOUR, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 0);
        assert!(site.inbox("alice@home.test").is_empty());
    });
}

/// A route that is gone, or a smart host that is dead, does not speak for the network.
#[test]
fn lm_12_one_dead_lane_is_no_network() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        net.place("192.0.2.9:25", Place::Silent);
        let mut dead = letter();
        dead.to = vec![QueuedRecipient {
            address: "carol@[192.0.2.9]".to_owned(),
            ..QueuedRecipient::default()
        }];
        site.send(&dead).await;
        net.pass(HOUR).await;
        assert!(site.outbound.is_up());
        site.send(&letter()).await;
        assert!(net.wait(1, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 1);
    });
}

/// What a resolver remembers, and an address that stands for itself, are no word from outside.
#[test]
fn lm_12_remembered_names_are_no_network() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        // Their addresses are remembered from now on.
        site.send(&letter()).await;
        net.settle().await;
        assert_eq!(peer.count(), 1);
        // The connection is no longer kept for more mail.
        net.pass(MINUTE).await;
        net.down.set(true);
        site.send(&Letter::new("alice@home.test", &["bob@away.test"]))
            .await;
        site.send(&Letter::new("alice@home.test", &["carol@[192.0.2.9]"]))
            .await;
        net.pass(6 * DAY).await;
        assert_eq!((site.waiting(), peer.count()), (2, 1));
        assert!(!site.outbound.is_up());
        assert!(site.inbox("alice@home.test").is_empty());
        net.down.set(false);
        assert!(net.wait(MINUTE, || peer.count() == 2).await);
    });
}

/// Lanes that failed, woken all at once by a start, hide nobody.
#[test]
fn oq_3_many_dead_lanes_hide_no_other() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        for number in 0..200 {
            net.names(&format!(
                "d{number}.test MX 1 mx.d{number}.test\nmx.d{number}.test A 198.51.100.{number}"
            ));
            net.place(&format!("198.51.100.{number}:25"), Place::Silent);
        }
        for number in 0..200 {
            let to = format!("bob@d{number}.test");
            site.put(&Letter::new("alice@home.test", &[&to])).await;
        }
        site.outbound.wake();
        net.pass(3 * HOUR).await;
        let failed = |name: &str| site.store.read(|reader| reader.lane(name)).unwrap();
        assert!((0..200).all(|n| failed(&format!("d{n}.test")).unwrap().failures > 0));
        site.outbound.wake_lanes().await;
        net.settle().await;
        site.send(&letter()).await;
        assert!(net.wait(2, || peer.count() == 1).await);
    });
}

/// All that waits for a dead destination is late, and given up, in its time.
#[test]
fn oq_3_age_reaches_every_message() {
    play(|net| async move {
        let site = home(&net).await;
        net.place("192.0.2.2:25", Place::Silent);
        for _ in 0..150 {
            site.put(&letter()).await;
        }
        site.outbound.wake();
        net.pass(9 * HOUR).await;
        assert!(
            site.queue()
                .iter()
                .all(|entry| entry.queued.recipients[0].warned)
        );
        net.pass(5 * DAY).await;
        assert_eq!(site.waiting(), 0);
    });
}

/// Peers that take a connection and fall silent hold up nobody else.
#[test]
fn oq_3_silent_after_the_connection() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        let silent: super::net::Serve = {
            let net = net.clone();
            Rc::new(move |stream, _| -> Local<'static, ()> {
                let net = net.clone();
                Box::pin(async move {
                    net.sleep(net.now() + 1000 * HOUR).await;
                    drop(stream);
                })
            })
        };
        for number in 0..8 {
            net.names(&format!(
                "d{number}.test MX 1 mx.d{number}.test\nmx.d{number}.test A 198.51.100.{number}"
            ));
            net.place(
                &format!("198.51.100.{number}:25"),
                Place::Serve(silent.clone()),
            );
            let to = format!("bob@d{number}.test");
            site.put(&Letter::new("alice@home.test", &[&to])).await;
        }
        site.outbound.wake();
        net.pass(3).await;
        site.send(&letter()).await;
        assert!(net.wait(1, || peer.count() == 1).await);
    });
}

/// A report that cannot be made now leaves its message in the queue, and the places to others.
#[test]
fn oq_4_reports_that_wait_hold_up_nobody() {
    play(|net| async move {
        let site = home(&net).await;
        site.alias("one@home.test", "two@home.test").await;
        site.alias("two@home.test", "one@home.test").await;
        net.names("no.test MX 1 mx.no.test\nmx.no.test A 192.0.2.7");
        let refusing = Peer::new(&net, &["192.0.2.7:25"], |event| {
            (event.verb == "RCPT").then(|| Act::Say("550 5.1.1 Nobody".to_owned()))
        });
        for _ in 0..70 {
            site.put(&Letter::new("one@home.test", &["bob@no.test"]))
                .await;
        }
        site.outbound.wake();
        net.pass(20).await;
        assert!(refusing.sessions.get() > 0);
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        site.send(&letter()).await;
        assert!(net.wait(1, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 70);
        let entry = site.queue().remove(0);
        let reason = entry.queued.recipients[0].reason.clone().unwrap();
        assert!(
            reason.starts_with("its report cannot be kept now"),
            "{reason}"
        );
        // The admin cannot return it either, and it is not held for that.
        let id = site
            .store
            .read(|reader| reader.queue_named(&entry.queued.id))
            .unwrap();
        let returned = site.outbound.give_back(id.unwrap()).await.unwrap();
        assert_eq!(returned, pillarbox::service::outbound::Returned::Waits);
        assert!(!site.queue()[0].held);
    });
}
