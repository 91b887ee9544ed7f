//! Not random: an answer of many parts; a client that was away for longer than the journal.

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

/// Where the store no longer knows what went, a client that comes back is told what is not there of what
/// it knows; what changed is in the messages' rows.
#[test]
fn beyond_the_journal() {
    const CHANGES: usize = 4800;
    smol::block_on(async {
        let mut house = House::new();
        house.mailbox(ADDRESS, "secret").await;
        for n in 0..9 {
            house
                .deliver(ADDRESS, format!("Subject: {n}\r\n\r\n").as_bytes())
                .await;
        }
        // The client knows all up to MODSEQ 10.
        let gone = [2, 6, 7].into_iter().collect();
        house.change(ADDRESS, "INBOX", gone, true).await;
        let mut connection = house.connect(Protocol::Imap, None);
        let now = house.world.now();
        let login = format!("1 LOGIN {ADDRESS} secret\r\n2 ENABLE QRESYNC\r\n3 SELECT INBOX\r\n");
        connection.feed(now, login.as_bytes()).await;
        for _ in 0..CHANGES / 2 {
            let change =
                b"a STORE 3 +FLAGS.SILENT (\\Seen)\r\nb STORE 3 -FLAGS.SILENT (\\Seen)\r\n";
            connection.feed(now, change).await;
        }
        connection.out().clear();
        for (known, vanished) in [
            ("10", "2,6:7"),
            // It knows what went; the store has forgotten when that was.
            ("12 1:9", "2,6:7"),
            ("10 1:9", "2,6:7"),
            ("10 1:5", "2"),
            ("10 1:9 (1:5 1,3:5,8)", "-"),
            ("10 1:9 (1:2,4,6 1,3,5,9)", "-"),
            ("10 1:9 (1,3:5 1,3:5)", "2,6:7"),
            ("10 1:9 (1:4 1,3:5)", "6:7"),
        ] {
            let select = format!("4 SELECT INBOX (QRESYNC (1795272815 {known}))\r\n");
            connection.feed(now, select.as_bytes()).await;
            let out = String::from_utf8(std::mem::take(connection.out())).unwrap();
            let told = responses(&out);
            let earlier = told
                .iter()
                .find_map(|l| l.strip_prefix("* VANISHED (EARLIER) "));
            assert_eq!(earlier.unwrap_or("-"), vanished, "{known}: {out}");
            let fetched: Vec<_> = told.iter().filter(|l| l.contains(" FETCH (")).collect();
            assert_eq!(fetched.len(), 1, "{known}: {out}");
            assert!(fetched[0].starts_with("* 3 FETCH (UID 4 "), "{out}");
        }
        let fetch = b"5 UID FETCH 1:8 (FLAGS) (CHANGEDSINCE 10 VANISHED)\r\n";
        connection.feed(now, fetch).await;
        let out = String::from_utf8(std::mem::take(connection.out())).unwrap();
        assert!(out.starts_with("* VANISHED (EARLIER) 2,6:7\r\n* 3 FETCH (FLAGS ("));
        assert_eq!(responses(&out).len(), 2, "{out}");
    });
}
