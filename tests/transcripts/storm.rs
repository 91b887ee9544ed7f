//! The same system mail again and again (LM-11): a few go as they are, the others as one digest.

use pillarbox::net::world::World;

use super::common::house::{House, Protocol};
use super::common::journal;
use super::common::pump::Connection;

const ALICE: &str = "alice@home.test";
const AWAY: &str = "x@away.test";

/// A program complains about a disk.
async fn complain(house: &mut House, disk: u32) {
    let mut connection = house.connect(Protocol::Local, None);
    connection.run(house.world.now()).await;
    let text = format!(
        "EHLO cron\r\nMAIL FROM:<root@home.test>\r\nRCPT TO:<{ALICE}>\r\nRCPT TO:<{AWAY}>\r\nDATA\r\n"
    );
    say(house, &mut connection, &text).await;
    let text = format!(
        "From: root\r\nTo: admins\r\nSubject: disk is {disk}% full\r\n\r\nat {disk}\r\n.\r\n"
    );
    let reply = say(house, &mut connection, &text).await;
    assert!(reply.starts_with("250 2.0.0 Ok: queued as"), "{reply}");
}

/// Line by line; the last reply.
async fn say(house: &House, connection: &mut Box<dyn Connection>, text: &str) -> String {
    for line in text.split_inclusive("\r\n") {
        connection.out().clear();
        connection.feed(house.world.now(), line.as_bytes()).await;
    }
    let out: Vec<_> = connection.out().drain(..).collect();
    String::from_utf8_lossy(&out).into_owned()
}

async fn house() -> House {
    let mut house = House::new();
    house.mailbox(ALICE, "secret").await;
    house.client([127, 0, 0, 1].into());
    house
}

async fn counts(house: &House) -> (usize, usize) {
    (house.inbox(ALICE).len(), house.queue().await.len())
}

#[test]
fn lm_11_repeats_leave_as_one_digest() {
    journal::begin();
    smol::block_on(async {
        let mut house = house().await;
        for disk in 1..=8 {
            complain(&mut house, disk).await;
        }
        // Five went to Alice's mailbox and into the queue, three wait for everybody.
        assert_eq!(counts(&house).await, (5, 8));
        let merged = "*: to=<alice@home.test>, relay=none, delay=0*, status=held (merged into a digest: number 8 of its kind within an hour)";
        journal::find(merged).unwrap();

        // Nothing of it is in memory alone.
        house.forget().await;
        house.world.pass(3500);
        house.digests().await;
        assert_eq!(counts(&house).await, (5, 8));
        house.world.pass(100);
        house.digests().await;
        assert_eq!(counts(&house).await, (6, 6));
        let digest = String::from_utf8(house.inbox(ALICE).pop().unwrap()).unwrap();
        assert!(
            digest.starts_with("Return-Path: <root@home.test>\r\n"),
            "{digest}"
        );
        for text in [
            "\r\nFrom: root@home.test\r\nTo: admins\r\nSubject: [3 times] disk is 8% full\r\n",
            "\r\nSubject: disk is 6% full\r\n",
            "\r\n\r\nat 7\r\n",
            "\r\n\r\nat 8\r\n",
        ] {
            assert!(digest.contains(text), "{text}: {digest}");
        }
        assert!(!digest.contains("at 5\r\n"), "{digest}");
        let (words, text) = house.queue().await.pop().unwrap();
        assert_eq!(words[..2], ["from=<root@home.test>", "to=<x@away.test>"]);
        assert_eq!(text, digest.as_bytes());
        journal::find("*: to=<alice@home.test>, relay=local, *status=sent (delivered to mailbox)")
            .unwrap();

        // The storm is over, and what comes now goes as it is.
        house.world.pass(3600);
        complain(&mut house, 9).await;
        assert_eq!(counts(&house).await, (7, 7));
    });
}

#[test]
fn lm_11_a_digest_of_one_is_the_message_itself() {
    smol::block_on(async {
        let mut house = house().await;
        for disk in 1..=6 {
            complain(&mut house, disk).await;
        }
        assert_eq!(counts(&house).await, (5, 6));
        house.world.pass(3600);
        house.digests().await;
        assert_eq!(counts(&house).await, (6, 6));
        let text = String::from_utf8(house.inbox(ALICE).pop().unwrap()).unwrap();
        assert!(text.contains("\r\nSubject: disk is 6% full\r\n"), "{text}");
        assert!(!text.contains("times"), "{text}");
    });
}

#[test]
fn lm_11_what_the_admin_releases_leaves_by_itself() {
    smol::block_on(async {
        let mut house = house().await;
        for disk in 1..=7 {
            complain(&mut house, disk).await;
        }
        house.release().await;
        house.digests().await;
        assert_eq!(counts(&house).await, (7, 7));
        house.world.pass(3600);
        house.digests().await;
        assert_eq!(counts(&house).await, (7, 7));
    });
}

#[test]
fn lm_11_other_mail_is_not_merged() {
    smol::block_on(async {
        let mut house = house().await;
        // Another subject each, no subject at all, or a wish to hear of it.
        for (number, mail, subject) in [
            (7, "", "x"),
            (7, "", ""),
            (7, " RET=HDRS", "Subject: same\r\n"),
        ] {
            for n in 0_u8..number {
                let mut connection = house.connect(Protocol::Local, None);
                connection.run(house.world.now()).await;
                let subject = match subject {
                    "x" => format!("Subject: {}\r\n", char::from(b'a' + n)),
                    subject => subject.to_owned(),
                };
                let text = format!(
                    "EHLO cron\r\nMAIL FROM:<root@home.test>{mail}\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
                );
                say(&house, &mut connection, &text).await;
                let reply = say(&house, &mut connection, &format!("{subject}\r\nx\r\n.\r\n")).await;
                assert!(reply.starts_with("250"), "{reply}");
            }
        }
        assert_eq!(counts(&house).await, (21, 0));
        // With no limit at all nothing is merged either.
        house.option("rate", "0").await;
        for disk in 1..=8 {
            complain(&mut house, disk).await;
        }
        assert_eq!(counts(&house).await, (29, 8));
    });
}
