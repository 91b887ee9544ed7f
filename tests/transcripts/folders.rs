//! Ten thousand folders: they are made, listed and asked about in pieces that keep nobody waiting.

use std::{collections::BTreeSet, time::Instant};

use pillarbox::net::world::World as _;

use super::common::{
    house::{House, Protocol},
    pump::Connection,
};

const FOLDERS: usize = 10_000;

/// Most octets that one answer may hold: a piece is sent when it has grown beyond 32 KiB.
const HELD_MOST: usize = 34 * 1024;

/// Far more than it takes without optimization; each of them read and decided by all others would
/// take hours.
const SECONDS: u64 = 120;

/// As many lines in one text.
fn each(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
fn ten_thousand_folders() {
    smol::block_on(async {
        let mut house = House::with_folders(0);
        house.mailbox("a@home.test", "secret").await;
        let mut one = Session::new(&mut house).await;
        let begun = Instant::now();
        // In one piece: commands that come together are answered together.
        let lines = each(FOLDERS, |n| format!("c CREATE box/{}/{n:05}\r\n", n % 100));
        let out = one.say(&house, &lines).await;
        assert_eq!(out.matches("c OK").count(), FOLDERS);

        let out = one.say(&house, "l LIST \"\" box/*\r\n").await;
        let names: BTreeSet<_> = out.lines().filter(|line| line.starts_with('*')).collect();
        assert_eq!(names.len(), FOLDERS + 100, "each once, with those above");
        assert!(out.contains("* LIST (\\HasChildren) \"/\" box/7\r\n"));
        assert_eq!(out.lines().count(), FOLDERS + 101);

        let out = one.say(&house, "l LIST \"\" box/%\r\n").await;
        assert_eq!(out.lines().count(), 101);
        let status = "l LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN))\r\n";
        let out = one.say(&house, status).await;
        assert_eq!(out.matches("* STATUS box/").count(), FOLDERS + 100);
        let out = one.say(&house, "l LSUB \"\" *\r\n").await;
        assert_eq!(out.lines().count(), 7, "{out}");
        // Subscriptions between them, to what is there and what is not.
        let line = |n| format!("s SUBSCRIBE box/{}/{:05}\r\n", n % 100, n + n % 2 * FOLDERS);
        let lines = each(600, line);
        assert_eq!(one.say(&house, &lines).await.matches("s OK").count(), 600);
        let subscribed = "l LIST (SUBSCRIBED) \"\" box/*\r\n";
        let out = one.say(&house, subscribed).await;
        let names: BTreeSet<_> = out.lines().filter(|line| line.starts_with('*')).collect();
        assert_eq!((names.len(), out.lines().count()), (600, 601));
        assert_eq!(out.matches("\\NonExistent").count(), 300);
        let out = one.say(&house, "l LIST \"\" box/*\r\n").await;
        assert_eq!(out.lines().count(), FOLDERS + 101);
        assert!(one.0.held_most() < HELD_MOST, "{}", one.0.held_most());

        // All of them in one change.
        assert!(
            one.say(&house, "r RENAME box crate\r\n")
                .await
                .contains("r OK")
        );
        let out = one.say(&house, "l LIST \"\" crate/99/%\r\n").await;
        assert_eq!(out.lines().count(), FOLDERS / 100 + 1);
        assert!(begun.elapsed().as_secs() < SECONDS, "{:?}", begun.elapsed());
    });
}

struct Session(Box<dyn Connection>);

impl Session {
    async fn new(house: &mut House) -> Self {
        let mut session = Self(house.connect(Protocol::Imap, None));
        let out = session.say(house, "a LOGIN a@home.test secret\r\n").await;
        assert!(out.contains("a OK"), "{out}");
        session
    }

    /// Says something and returns all that comes.
    async fn say(&mut self, house: &House, text: &str) -> String {
        let now = house.world.now();
        self.0.run(now).await;
        self.0.feed(now, text.as_bytes()).await;
        String::from_utf8(std::mem::take(self.0.out())).unwrap()
    }
}
