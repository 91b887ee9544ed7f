//! Days without a network, and clocks that are set.

use std::rc::Rc;

use super::delivery::{home, letter};
use super::net::{DAY, HOUR, MINUTE, Net, START, play};
use super::peer::{Act, Peer};
use super::site::{Letter, Site};

#[test]
fn lm_12_five_days_offline() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::kind(&net, &["192.0.2.2:25"]);
        net.down.set(true);
        site.send(&letter()).await;
        net.pass(6 * DAY).await;
        assert_eq!((site.waiting(), peer.count()), (1, 0));
        assert!(site.inbox("alice@home.test").is_empty());
        net.down.set(false);
        assert!(net.wait(MINUTE, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 0);
        assert!(site.inbox("alice@home.test").is_empty());
    });
}

/// Only the hours with a network count, however they are parted.
#[test]
fn lm_12_network_days() {
    play(|net| async move {
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| {
            (event.verb == "RCPT").then(|| Act::Say("450 4.2.1 Later".to_owned()))
        });
        site.send(&letter()).await;
        // 4 days with a network, in halves of days, are 8 days in all.
        for _ in 0..8 {
            net.down.set(false);
            net.pass(DAY / 2).await;
            net.down.set(true);
            net.pass(DAY / 2).await;
        }
        assert_eq!(site.waiting(), 1);
        assert!(peer.sessions.get() > 8);
        net.down.set(false);
        net.pass(DAY + 5 * HOUR).await;
        assert_eq!(site.waiting(), 0);
        assert_eq!(site.inbox("alice@home.test").len(), 2);
    });
}

#[test]
fn lm_12_a_week_with_a_thousand_messages() {
    play(|net| async move {
        let site = home(&net).await;
        let mut peers = vec![];
        for number in 0..20 {
            net.names(&format!(
                "d{number}.test MX 1 mx{number}.test\nmx{number}.test A 198.51.100.{number}"
            ));
            peers.push(Peer::kind(&net, &[&format!("198.51.100.{number}:25")]));
        }
        net.down.set(true);
        let before = net.questions.get();
        many(&net, &site, 1000).await;
        net.pass(HOUR).await;
        // At most two steps of each lane before it is clear that there is no network, then probes.
        let tries = net.questions.get() - before;
        assert!(tries < 20 * 2 * 2 * 2 + 120 * 4, "{tries} tries");
        net.pass(7 * DAY - HOUR).await;
        assert_eq!(site.waiting(), 1000);
        assert!(site.inbox("alice@home.test").is_empty());
        net.down.set(false);
        let all = |peers: &[Rc<Peer>]| peers.iter().map(|peer| peer.count()).sum::<usize>();
        assert!(
            net.wait(MINUTE, || all(&peers) == 1000).await,
            "{}",
            all(&peers)
        );
        net.settle().await;
        assert_eq!(site.waiting(), 0);
        assert!(peers.iter().all(|peer| peer.at_once.get().1 <= 5));
    });
}

async fn many(net: &Rc<Net>, site: &Rc<Site>, count: usize) {
    for number in 0..count {
        let (site, to) = (site.clone(), format!("bob@d{}.test", number % 20));
        let put = async move {
            site.put(&Letter::new("alice@home.test", &[&to])).await;
        };
        net.executor.spawn(put).detach();
        if number % 100 == 99 {
            net.settle().await;
        }
    }
    net.settle().await;
    assert_eq!(site.waiting(), u64::try_from(count).unwrap());
    site.outbound.wake();
}

/// A board without a battery begins in 1970 (UX-37): when the clock is set, no mail is old.
#[test]
fn lm_12_clock_jump() {
    play(|net| async move {
        net.clock.set(1_000);
        let site = home(&net).await;
        let peer = Peer::new(&net, &["192.0.2.2:25"], |event| {
            let later = event.verb == "RCPT" && event.now < 2 * 3600;
            later.then(|| Act::Say("450 4.2.1 Later".to_owned()))
        });
        site.send(&letter()).await;
        net.pass(10 * MINUTE).await;
        net.clock.set(START);
        net.pass(HOUR).await;
        assert_eq!((site.waiting(), peer.count()), (1, 0));
        // And back again.
        net.clock.set(1_000);
        assert!(net.wait(2 * HOUR, || peer.count() == 1).await);
        net.settle().await;
        assert_eq!(site.waiting(), 0);
        assert!(site.inbox("alice@home.test").is_empty());
    });
}
