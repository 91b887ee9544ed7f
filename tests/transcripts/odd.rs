//! Mail that is too much of something: parts, levels, one line. It is answered like any other.

use pillarbox::net::world::World as _;

use super::common::{
    house::{House, Protocol},
    pump::Connection,
};

const MANY: usize = 10_000;

/// Most octets that one answer may hold: a slice, and what one message adds to it.
const HELD_MOST: usize = 300 << 10;

#[test]
fn too_much_of_something() {
    let brothers = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        "--b\r\n\r\nx\r\n".repeat(MANY)
    );
    let level = |n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n");
    let multiparts = (0..MANY).map(level).collect::<Vec<_>>().concat();
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(MANY);
    let line = format!("Subject: line\r\n\r\n{}\r\n", "l".repeat(1 << 20));
    let subject = format!(
        "Subject: {}\r\nFrom: a@b.test\r\n\r\nx\r\n",
        "s".repeat(1 << 20)
    );
    smol::block_on(async {
        let mut house = House::new();
        house.mailbox("a@home.test", "secret").await;
        for text in [&brothers, &multiparts, &messages, &line, &subject] {
            house.deliver("a@home.test", text.as_bytes()).await;
        }
        let mut session = Session(house.connect(Protocol::Imap, None));
        session.say(&house, "LOGIN a@home.test secret").await;
        session.say(&house, "SELECT INBOX").await;
        for number in 1..=5 {
            for items in ["ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE"] {
                let command = format!("FETCH {number} {items}");
                let out = session.say(&house, &command).await;
                let count = |c| out.matches(c).count();
                assert_eq!(count('('), count(')'), "{command}");
            }
            for depth in [1, 2, 50, 99] {
                let path = vec!["1"; depth].join(".");
                let items =
                    format!("(BODY.PEEK[{path}] BODY.PEEK[{path}.MIME] BINARY.SIZE[{path}])");
                session
                    .say(&house, &format!("FETCH {number} {items}"))
                    .await;
            }
        }
        let out = session.say(
            &house,
            "FETCH 1 (BODY.PEEK[1] BODY.PEEK[999] BODY.PEEK[10001])",
        );
        let out = out.await;
        assert!(
            out.contains("(BODY[1] {1}\r\nx BODY[999] {1}\r\nx BODY[10001] NIL)"),
            "{out}"
        );
        let out = session
            .say(&house, "FETCH 4 (BODY.PEEK[1] BODY.PEEK[TEXT]<1048570.99>)")
            .await;
        assert!(out.contains("BODY[1] {1048578}\r\n"));
        assert!(out.contains("BODY[TEXT]<1048570> {8}\r\nllllll\r\n)"));
        let out = session.say(&house, "SEARCH BODY llllll SUBJECT line").await;
        assert!(out.starts_with("* SEARCH 4\r\n"), "{out}");
        assert!(
            session.0.held_most() < HELD_MOST,
            "{}",
            session.0.held_most()
        );
    });
}

struct Session(Box<dyn Connection>);

impl Session {
    /// All that comes, up to the completion, which is OK.
    async fn say(&mut self, house: &House, command: &str) -> String {
        let now = house.world.now();
        self.0.run(now).await;
        self.0.out().clear();
        self.0
            .feed(now, format!("t {command}\r\n").as_bytes())
            .await;
        let out = String::from_utf8(std::mem::take(self.0.out())).unwrap();
        let last = out.lines().last().unwrap_or_default();
        assert!(last.starts_with("t OK"), "{command}: {last}");
        out
    }
}
