//! Not random: an answer of many parts.

use super::super::common::house::{House, Protocol};
use super::ADDRESS;
use super::hear::responses;
use pillarbox::net::world::World;

/// Hundreds of sections of one long header leave piece by piece.
#[test]
fn many_headers_of_one_message() {
    const FIELD: usize = 60_000;
    const ITEMS: usize = 100;
    smol::block_on(async {
        let mut house = House::new();
        house.mailbox(ADDRESS, "secret").await;
        let long = format!("A: {}\r\n", "x ".repeat(FIELD / 2));
        let text = format!("Subject: x\r\n{long}\r\nbody\r\n");
        house.deliver(ADDRESS, text.as_bytes()).await;
        let mut connection = house.connect(Protocol::Imap, None);
        let now = house.world.now();
        let items: Vec<_> = (0..ITEMS)
            .map(|n| format!("BODY[HEADER.FIELDS (A F{n})]"))
            .collect();
        let items = items.join(" ");
        let say = format!(
            "1 LOGIN {ADDRESS} secret\r\n2 SELECT INBOX\r\n3 FETCH 1 (UID {items} BODY[TEXT])\r\n"
        );
        connection.feed(now, say.as_bytes()).await;
        let out = String::from_utf8(std::mem::take(connection.out())).unwrap();
        let answer = responses(&out).pop().unwrap();
        let labels = items
            .split(" BODY")
            .map(|label| label.trim_start_matches("BODY"));
        let labels: Vec<_> = labels.map(|label| format!("BODY{label} ")).collect();
        let want = format!(
            "* 1 FETCH (UID 1 {} BODY[TEXT]  FLAGS (\\Seen \\Recent))",
            labels.join(" ")
        );
        assert!(answer == want, "{answer}");
        assert_eq!(out.matches(&long).count(), ITEMS);
        let most = connection.held_most();
        assert!(most < 1 << 20, "{most} octets in one answer");
    });
}
