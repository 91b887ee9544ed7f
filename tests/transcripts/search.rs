//! Random keys over random messages, against a plain look at what the messages were made from: every
//! answer is the same, whether filters, rows or content decide.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::net::world::World;

use super::common::house::{House, Protocol};
use super::common::journal;
use super::common::pump::Connection;

const ADDRESS: &str = "a@home.test";
const SEEDS: u64 = 8;
const MESSAGES: usize = 30;
const SEARCHES: usize = 150;

const WORDS: [&str; 16] = [
    "alpha",
    "Beta",
    "größe",
    "STRASSE",
    "straße",
    "ΟΔΟΣ",
    "οδος",
    "ab",
    "x",
    "İzmir",
    "izmir",
    "привет",
    "needle in",
    "edle",
    "你好世界",
    "Émile",
];
const FLAGS: [(&str, &str); 4] = [
    ("\\Seen", "SEEN"),
    ("\\Flagged", "FLAGGED"),
    ("$Label", "KEYWORD $label"),
    ("\\Draft", "DRAFT"),
];

/// What a message was made from.
#[derive(Debug, Default)]
struct Message {
    raw: Vec<u8>,
    /// Lines of its own header, decoded.
    header: Vec<(String, String)>,
    /// Lines of its parts' headers.
    parts: Vec<String>,
    /// Texts, and lines of headers of messages inside.
    bodies: Vec<String>,
    /// Day of February 2020 in its own zone.
    day: usize,
    flags: [bool; 4],
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % 1_000_003).unwrap() % n
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    fn words(&mut self, most: usize) -> String {
        let count = 1 + self.below(most);
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// A value of a field: as it stands there, and as it is meant.
    fn value(&mut self) -> (String, String) {
        let text = self.words(3);
        let raw = match self.below(3) {
            0 => {
                let coded = text.bytes().fold(String::new(), |mut all, octet| {
                    write!(all, "={octet:02X}").unwrap();
                    all
                });
                format!("=?utf-8?Q?{coded}?=")
            }
            1 => format!("=?UTF-8?b?{}?=", STANDARD.encode(&text)),
            _ => text.replace(' ', "\r\n "),
        };
        (raw, text)
    }

    fn header(&mut self, raw: &mut String, header: &mut Vec<(String, String)>) {
        for name in ["Subject", "X-One", "X-Two"] {
            if self.below(3) > 0 {
                let (value, text) = self.value();
                write!(raw, "{name}: {value}\r\n").unwrap();
                header.push((name.to_owned(), text));
            }
        }
        for name in ["From", "To", "Cc"] {
            if self.below(3) > 0 {
                let (value, text) = self.value();
                let (value, text) = match self.below(2) {
                    0 => (
                        format!("\"{value}\" <b@x.test>"),
                        format!("\"{text}\" <b@x.test>"),
                    ),
                    _ => (
                        format!("{value} <beta@y.test>"),
                        format!("{text} <beta@y.test>"),
                    ),
                };
                write!(raw, "{name}: {value}\r\n").unwrap();
                header.push((name.to_owned(), text));
            }
        }
    }

    /// A text part: header lines and body; what it says.
    fn text(&mut self, raw: &mut String, lines: &mut Vec<String>) -> String {
        let text = (0..self.below(6)).fold(String::new(), |all, _| all + &self.words(6) + "\r\n");
        let (coding, coded) = match self.below(3) {
            0 => ("8bit", text.clone()),
            1 => {
                let coded = text
                    .bytes()
                    .enumerate()
                    .fold(String::new(), |mut all, (at, octet)| {
                        write!(all, "={octet:02x}").unwrap();
                        if at % 20 == 19 {
                            all.push_str("=\r\n");
                        }
                        all
                    });
                ("quoted-printable", coded)
            }
            _ => {
                let coded = STANDARD.encode(&text);
                let cut = coded
                    .as_bytes()
                    .chunks(60)
                    .map(|line| String::from_utf8_lossy(line));
                ("base64", cut.collect::<Vec<_>>().join("\r\n"))
            }
        };
        for (name, value) in [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", coding),
        ] {
            write!(raw, "{name}: {value}\r\n").unwrap();
            lines.push(format!("{name}: {value}"));
        }
        write!(raw, "\r\n{coded}").unwrap();
        text
    }

    fn message(&mut self) -> Message {
        let mut message = Message {
            day: 1 + self.below(28),
            ..Message::default()
        };
        let mut raw = String::new();
        let zone = ["-1100", "+0000", "+1300"][self.below(3)];
        let date = format!("{} Feb 2020 23:30:00 {zone}", message.day);
        write!(raw, "Date: {date}\r\n").unwrap();
        message.header.push(("Date".to_owned(), date));
        self.header(&mut raw, &mut message.header);
        if self.below(2) == 0 {
            let mut lines = vec![];
            message.bodies.push(self.text(&mut raw, &mut lines));
            let split = |line: &String| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_owned(), value.to_owned())
            };
            message.header.extend(lines.iter().map(split));
        } else {
            raw.push_str("Content-Type: multipart/mixed; boundary=q\r\n\r\npreface\r\n");
            let value = "multipart/mixed; boundary=q".to_owned();
            message.header.push(("Content-Type".to_owned(), value));
            for _ in 0..=self.below(3) {
                raw.push_str("--q\r\n");
                match self.below(4) {
                    0 => {
                        raw.push_str("Content-Type: message/rfc822\r\n\r\n");
                        message
                            .parts
                            .push("Content-Type: message/rfc822".to_owned());
                        let mut inner = vec![];
                        self.header(&mut raw, &mut inner);
                        let inner = inner
                            .into_iter()
                            .map(|(name, text)| format!("{name}: {text}"));
                        message.bodies.extend(inner);
                        let mut lines = vec![];
                        let text = self.text(&mut raw, &mut lines);
                        message.bodies.extend(lines);
                        message.bodies.push(text);
                    }
                    1 => {
                        let name = self.word();
                        write!(
                            raw,
                            "Content-Type: image/png; name=\"{name}\"\r\n\r\nalpha needle"
                        )
                        .unwrap();
                        message
                            .parts
                            .push(format!("Content-Type: image/png; name=\"{name}\""));
                    }
                    _ => {
                        let text = self.text(&mut raw, &mut message.parts);
                        message.bodies.push(text);
                    }
                }
                raw.push_str("\r\n");
            }
            raw.push_str("--q--\r\nepilogue alpha\r\n");
        }
        message.raw = raw.into_bytes();
        for flag in &mut message.flags {
            *flag = self.below(3) == 0;
        }
        message
    }

    /// A key: in the protocol's words, and as a function of a message and its number.
    fn key(&mut self, depth: usize) -> (String, Key) {
        let leaf = depth == 0 || self.below(3) == 0;
        if leaf {
            return self.leaf();
        }
        match self.below(3) {
            0 => {
                let (words, key) = self.key(depth - 1);
                (format!("NOT {words}"), Box::new(move |n, m| !key(n, m)))
            }
            1 => {
                let (one, a) = self.key(depth - 1);
                let (two, b) = self.key(depth - 1);
                (
                    format!("OR {one} {two}"),
                    Box::new(move |n, m| a(n, m) || b(n, m)),
                )
            }
            _ => {
                let (one, a) = self.key(depth - 1);
                let (two, b) = self.key(depth - 1);
                (
                    format!("({one} {two})"),
                    Box::new(move |n, m| a(n, m) && b(n, m)),
                )
            }
        }
    }

    fn leaf(&mut self) -> (String, Key) {
        // A piece of some words.
        let words = self.words(2);
        let chars: Vec<char> = words.chars().collect();
        let from = self.below(chars.len());
        let length = 1 + self.below(8);
        let text: String = chars.iter().skip(from).take(length).collect();
        let literal = format!("{{{}+}}\r\n{text}", text.len());
        let text = fold(&text);
        let field = |name: &'static str, text: String| -> Key {
            Box::new(move |_, m| m.field(name, &text))
        };
        match self.below(12) {
            0 => (format!("SUBJECT {literal}"), field("Subject", text)),
            1 => (format!("FROM {literal}"), field("From", text)),
            2 => (format!("TO {literal}"), field("To", text)),
            3 => (format!("HEADER x-one {literal}"), field("X-One", text)),
            4 => (
                "HEADER x-two \"\"".to_owned(),
                field("X-Two", String::new()),
            ),
            5 | 6 => (
                format!("BODY {literal}"),
                Box::new(move |_, m| m.body(&text)),
            ),
            7 | 8 => (
                format!("TEXT {literal}"),
                Box::new(move |_, m| m.text(&text)),
            ),
            9 => {
                let flag = self.below(FLAGS.len());
                (
                    FLAGS[flag].1.to_owned(),
                    Box::new(move |_, m| m.flags[flag]),
                )
            }
            10 => {
                let day = 1 + self.below(28);
                let (word, sent): (_, Key) = match self.below(3) {
                    0 => ("SENTON", Box::new(move |_, m| m.day == day)),
                    1 => ("SENTBEFORE", Box::new(move |_, m| m.day < day)),
                    _ => ("SENTSINCE", Box::new(move |_, m| m.day >= day)),
                };
                (format!("{word} {day}-Feb-2020"), sent)
            }
            _ => {
                let size = 100 + self.below(1000);
                (
                    format!("LARGER {size}"),
                    Box::new(move |_, m| m.raw.len() > size),
                )
            }
        }
    }
}

type Key = Box<dyn Fn(usize, &Message) -> bool>;

/// By way of whole texts, and no two sigmas.
fn fold(text: &str) -> String {
    let text = text.replace('İ', "i").to_uppercase().to_lowercase();
    text.replace('ς', "σ")
}

impl Message {
    fn field(&self, name: &str, text: &str) -> bool {
        let address = ["From", "To", "Cc"].contains(&name);
        self.header.iter().any(|(n, value)| {
            let plain = value.replace('"', "");
            n == name && (fold(value).contains(text) || address && fold(&plain).contains(text))
        })
    }

    fn body(&self, text: &str) -> bool {
        self.bodies.iter().any(|body| fold(body).contains(text))
    }

    fn text(&self, text: &str) -> bool {
        let own = self
            .header
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        let mut lines = own.chain(self.parts.iter().cloned());
        self.body(text) || lines.any(|line| fold(&line).contains(text))
    }
}

#[test]
fn random_keys_over_random_messages() {
    for seed in 1..=SEEDS {
        let executor = smol::LocalExecutor::new();
        smol::block_on(executor.run(play(seed)));
    }
}

async fn play(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut house = House::new();
    house.mailbox(ADDRESS, "secret").await;
    let messages: Vec<Message> = (0..MESSAGES).map(|_| random.message()).collect();
    for message in &messages {
        house.deliver(ADDRESS, &message.raw).await;
    }
    let mut connection = house.connect(Protocol::Imap, None);
    let mut say = format!("l LOGIN {ADDRESS} secret\r\ns SELECT INBOX\r\n");
    for (at, (flag, _)) in FLAGS.iter().enumerate() {
        for (number, message) in (1..).zip(&messages) {
            if message.flags[at] {
                write!(say, "f STORE {number} +FLAGS.SILENT ({flag})\r\n").unwrap();
            }
        }
    }
    talk(&house, &mut *connection, &say).await;
    let mut some = 0;
    for round in 0..SEARCHES {
        if round == SEARCHES / 2 {
            house.filters().await;
        }
        let (words, key) = random.key(3);
        let want: Vec<String> = (1..)
            .zip(&messages)
            .filter(|(number, message)| key(*number, message))
            .map(|(number, _)| number.to_string())
            .collect();
        let said = talk(&house, &mut *connection, &format!("q SEARCH {words}\r\n")).await;
        let line = said.lines().find(|line| line.starts_with("* SEARCH"));
        let found: Vec<&str> = line
            .unwrap_or_else(|| panic!("{said}"))
            .split(' ')
            .skip(2)
            .collect();
        assert_eq!(found, want, "seed {seed}, search {round}: {words}");
        some += usize::from(!found.is_empty() && found.len() < MESSAGES);
    }
    assert!(
        some > SEARCHES / 4,
        "only {some} searches told messages apart"
    );
}

async fn talk(house: &House, connection: &mut dyn Connection, say: &str) -> String {
    connection.feed(house.world.now(), say.as_bytes()).await;
    String::from_utf8_lossy(&std::mem::take(connection.out())).into_owned()
}

/// What somebody else expunges while it is looked into is not lost: nothing is logged, nothing fails.
#[test]
fn expunged_while_it_is_searched() {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let mut house = House::new();
        house.mailbox(ADDRESS, "secret").await;
        // More than one go takes.
        let message = ["Subject: long\r\n\r\n", &"many words\r\n".repeat(40_000)].concat();
        for _ in 0..16 {
            house.deliver(ADDRESS, message.as_bytes()).await;
        }
        let mut one = house.connect(Protocol::Imap, None);
        let mut two = house.connect(Protocol::Imap, None);
        let hello = format!("l LOGIN {ADDRESS} secret\r\ns SELECT INBOX\r\n");
        talk(&house, &mut *one, &hello).await;
        let hello = format!("{hello}f STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n");
        talk(&house, &mut *two, &hello).await;
        talk(&house, &mut *one, "n NOOP\r\n").await;
        journal::begin();
        let (found, gone) = smol::future::zip(
            talk(&house, &mut *one, "q SEARCH BODY zebra\r\n"),
            talk(&house, &mut *two, "e EXPUNGE\r\n"),
        )
        .await;
        assert!(found.contains("* SEARCH\r\n"), "{found}");
        assert!(found.contains("q OK"), "{found}");
        assert!(gone.contains("e OK"), "{gone}");
        assert_eq!(journal::seen("imap: content *"), None);
    }));
}

/// Summaries that are not there are made many at a time; numbers are right though every second message
/// has gone.
#[test]
fn arranged_without_summaries() {
    const COUNT: u32 = 150;
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let mut house = House::new();
        house.mailbox(ADDRESS, "secret").await;
        for number in 0..COUNT {
            // The last comes first; each answers the one before it.
            let (name, before) = (COUNT - number, number.saturating_sub(2));
            let message = format!(
                "Subject: s{name:03}\r\nMessage-ID: <{number}@b>\r\nReferences: <{before}@b>\r\n\r\n"
            );
            house
                .deliver_with(ADDRESS, message.as_bytes(), vec![])
                .await;
        }
        let mut one = house.connect(Protocol::Imap, None);
        let mut say = format!("l LOGIN {ADDRESS} secret\r\ns SELECT INBOX\r\n");
        for uid in (1..=COUNT).step_by(2) {
            write!(say, "f UID STORE {uid} +FLAGS.SILENT (\\Deleted)\r\n").unwrap();
        }
        say.push_str("e EXPUNGE\r\n");
        talk(&house, &mut *one, &say).await;
        let down: Vec<String> = (1..=COUNT / 2).rev().map(|n| n.to_string()).collect();
        let up: Vec<String> = (1..=COUNT / 2).map(|n| n.to_string()).collect();
        // First made, then as they were stored.
        for _ in 0..2 {
            let said = talk(&house, &mut *one, "q SORT (SUBJECT) UTF-8 ALL\r\n").await;
            assert_eq!(said.lines().next(), Some(&*format!("* SORT {}", down.join(" "))));
            let said = talk(&house, &mut *one, "q THREAD REFERENCES UTF-8 ALL\r\n").await;
            assert_eq!(said.lines().next(), Some(&*format!("* THREAD ({})", up.join(" "))));
        }
    }));
}
