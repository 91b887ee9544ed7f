//! Plays a transcript against real services. Its words, one to a line:
//!
//! | word | what |
//! |---|---|
//! | `#` | a comment |
//! | `domain d [CLASS]` | there is this domain; CLASS is `mailbox` if it is not said |
//! | `domain-off d`, `domain-on d` | it is switched off or on (AC-7) |
//! | `alias a@d t@e, …[ no-srs]` | this alias is there; `off`, `on`: it is switched; nothing: it goes |
//! | `transport PATTERN TARGET` | the same for a transport; without a target it goes |
//! | `route NAME HOST` | there is this route |
//! | `zone LINE` | name servers know this (`common::dns`); without any such line there are none |
//! | `access CIDR allow`, `reject` | a row of the access list; with neither it goes |
//! | `recipient a@d` | a known recipient of a relay or backup domain, which has a list from now on |
//! | `mailbox a@d [password]` | there is this mailbox, and its domain is hosted here |
//! | `quota a@d N` | its quota, in octets |
//! | `deliver a@d` and lines up to `.` | a message is in its inbox, without having come by a session |
//! | `damage a@d N [AT]` | the N-th message of that inbox is damaged in the store, where its octet AT lies |
//! | `option KEY VALUE` | a limit, a wait, a setting, a fault; see `House::option` |
//! | `client IP` | where connections come from, from now on |
//! | `connect NAME [mx, submission, imap, pop3][ tls]` | one more connection; its lines begin with its name: `NAME C: text`. With `tls` the handshake comes first |
//! | `starttls`, `starttls required` | STARTTLS is offered from now on |
//! | `tls`, `tls unbound` | the handshake after STARTTLS is done, with a channel binding or without; before all else: implicit TLS |
//! | `app-password a@d NAME` | there is one more app password; `$NAME` stands for it from now on |
//! | `auth a@d password` | the client logs in with AUTH PLAIN, and is let in |
//! | `scram a@d password[ plus]` | the same with SCRAM-SHA-256 or SCRAM-SHA-256-PLUS; the server proves itself too |
//! | `C: text` | the client sends this line, cut into pieces |
//! | `together` … `end` | what is sent between leaves as one piece, whatever the cut |
//! | `raw text` | octets without a line end; `\r \n \t \0 \\ \xNN` stand for octets |
//! | `filters N` | filters are made of messages that have none (as the appliance does at night): of N |
//! | `fill N text` | the text N times over, then CRLF |
//! | `S: start` | the next reply begins so |
//! | `until start` | the next replies are these up to one that begins so; none before it has its first word. `with` looks at all of them |
//! | `whole a|b` | that reply is this, lines cut by `|` |
//! | `with text`, `without text` | a line of that reply begins so, or none does |
//! | `content text` | the next message that was stored is this, with `raw`'s escapes |
//! | `content a@d N` and lines up to `.` | the N-th message of that inbox |
//! | `queue N` | so many messages wait to be sent |
//! | `queued N` and lines up to `.` | the N-th of them: `from=<…>` and a line `to=<…>` each, with what is kept of the envelope |
//! | `queued-content N` and lines up to `.` | its text, as `content a@d N` |
//! | `messages N` | so many messages were stored and not yet looked at |
//! | `stored a@d N` | so many messages are in that inbox |
//! | `log text` | this was logged, after what the last `log` found; `*` stands for anything |
//! | `unlogged text` | no such line was logged after what the last `log` found |
//! | `wait N` | seconds pass |
//! | `gone` | the connection breaks: the session is not even stepped again |
//! | `half-close` | the client has no more to say |
//! | `stop` | the house stops |
//! | `closed` | the session has ended the connection |
//!
//! A message is compared without the `Return-Path:` and `Received:` fields that were put in front of
//! it (and the empty line, where it had no header); QUEUEID stands for a message's name in a
//! `Message-ID:` that was made here. The first lines of `content a@d N` may tell these
//! fields' beginnings, unfolded.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::base::machine::Secured;
use pillarbox::net::world::World;
use smol::future::yield_now;

use super::house::{House, Protocol};
use super::journal;
use super::pump::Connection;
use super::scram::Client;
use super::text::{octets, without_trace};

/// Tries to see what another thread has yet to tell, 10 ms apart.
const TRIES: u32 = 300;

/// With this cut long answers leave in short slices, too.
const SLICED: usize = 7;

/// How a `Message-ID:` begins that was made here when every script begins.
const MADE_HERE: &str = "Message-ID: <20261121145335.";

/// Plays one script. `cut` is the size of the pieces in which a session gets its input.
pub fn play(name: &str, script: &str, protocol: Protocol, cut: usize) {
    let lines = script.lines().filter(|line| !line.starts_with('#'));
    assert!(lines.count() > 0, "{name} is empty");
    // Shown when a test fails.
    eprintln!("{name}, cut {cut}");
    journal::begin();
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let mut player = Player {
            cut,
            protocol,
            house: House::new(),
            connections: BTreeMap::new(),
            by_line: BTreeMap::new(),
            implicit: None,
            together: None,
            reply: String::new(),
            known: BTreeMap::new(),
            looked: 0,
        };
        if cut == SLICED {
            player.house.option("slice_octets", "60").await;
        }
        let registry = player.house.registry();
        let _telling = executor.spawn(async move { registry.run().await });
        let mut lines = (1..).zip(script.lines());
        while let Some((number, line)) = lines.next() {
            let context = format!("{name}:{number}, cut {cut}: {line}");
            let mut block = || {
                let lines = lines.by_ref().map(|(_, line)| line);
                let block: Vec<_> = lines.take_while(|line| *line != ".").collect();
                block
            };
            player.line(line, &mut block, &context).await;
        }
        player.end(name);
    }));
}

struct Player {
    cut: usize,
    protocol: Protocol,
    house: House,
    connections: BTreeMap<String, Box<dyn Connection>>,
    /// Those of them that speak IMAP or POP3, where each line is a reply.
    by_line: BTreeMap<String, Protocol>,
    /// A handshake before the next connection's first octet.
    implicit: Option<Secured>,
    /// What waits for `end`, and the connection's name.
    together: Option<(String, Vec<u8>)>,
    reply: String,
    /// App passwords by `$NAME`.
    known: BTreeMap<String, String>,
    /// Messages that were looked at by `content text`.
    looked: usize,
}

impl Player {
    async fn line<'a>(
        &mut self,
        line: &'a str,
        block: &mut impl FnMut() -> Vec<&'a str>,
        context: &str,
    ) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "#" | "" => {}
            "app-password" => {
                let (address, name) = rest.split_once(' ').expect(context);
                let password = self.house.app_password(address, name).await;
                self.known.insert(format!("${name}"), password);
            }
            "access" | "alias" | "domain" | "domain-off" | "domain-on" | "mailbox" | "quota"
            | "recipient" | "route" | "transport" => self.row(word, rest, context).await,
            "client" => self.house.client(rest.parse().expect(context)),
            "connect" => self.connect(rest).await,
            "content" => match self.nth(rest) {
                Some(message) => compare(&message, &block(), context),
                None => self.content(rest, context),
            },
            "damage" => {
                let mut words = rest.split(' ');
                let address = words.next().expect(context);
                let number = words.next().expect(context).parse().expect(context);
                let at = words.next().map_or(0, |at| at.parse().expect(context));
                self.house.damage(address, number, at);
            }
            "deliver" => {
                let message = undotted(&block()).join("\r\n") + "\r\n";
                self.house.deliver(rest, message.as_bytes()).await;
            }
            "filters" => {
                let made = self.house.filters().await;
                assert_eq!(made.to_string(), rest, "{context}");
            }
            "end" => {
                let (name, text) = self.together.take().expect(context);
                let now = self.house.world.now();
                self.connection(&name).await.feed(now, &text).await;
            }
            "log" => {
                let found = journal::find(rest);
                assert!(found.is_ok(), "{context}\nlogged: {found:#?}");
            }
            "messages" => {
                let fresh = self.house.messages().len() - self.looked;
                assert_eq!(fresh.to_string(), rest, "messages: {context}");
            }
            "option" => {
                let (key, value) = rest.split_once(' ').expect(context);
                self.house.option(key, value).await;
            }
            "queue" => {
                let count = self.house.queue().await.len();
                assert_eq!(count.to_string(), rest, "queue: {context}");
            }
            "queued" | "queued-content" => {
                let mut queue = self.house.queue().await;
                let number: usize = rest.parse().expect(context);
                assert!(number <= queue.len(), "{context}\n{} wait", queue.len());
                let (words, text) = queue.swap_remove(number - 1);
                match word {
                    "queued" => assert_eq!(words, block(), "{context}"),
                    _ => compare(&text, &block(), context),
                }
            }
            "stored" => {
                let (address, count) = rest.split_once(' ').expect(context);
                let stored = self.house.inbox(address).len();
                assert_eq!(stored.to_string(), count, "stored: {context}");
            }
            "starttls" => self.house.option("tls", rest).await,
            "tls" if self.connections.is_empty() => self.implicit = Some(secured(rest)),
            "together" => self.together = Some((String::new(), vec![])),
            "unlogged" => {
                let found = journal::seen(rest);
                assert!(found.is_none(), "{context}\nlogged: {found:#?}");
            }
            "zone" => self.house.zone(rest),
            "wait" => self.wait(rest.parse().expect(context)).await,
            name if self.connections.contains_key(name) => {
                let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                self.say(name, word, rest, context).await;
            }
            word => self.say("", word, rest, context).await,
        }
    }

    /// What a `$NAME` stands for, or the text itself.
    fn known(&self, text: &str) -> String {
        let known = self.known.get(text);
        known.cloned().unwrap_or_else(|| text.to_owned())
    }

    async fn scram(&mut self, name: &str, rest: &str, context: &str) {
        let mut words = rest.split(' ');
        let address = words.next().expect(context);
        let password = self.known(words.next().expect(context));
        let plus = words.next() == Some("plus");
        let mut client = Client::new(address, &password, plus);
        let mechanism = if plus {
            "SCRAM-SHA-256-PLUS"
        } else {
            "SCRAM-SHA-256"
        };
        self.connection(name).await;
        let command = match self.by_line.get(name) {
            Some(Protocol::Imap) => "scram AUTHENTICATE",
            _ => "AUTH",
        };
        let mut line = format!("{command} {mechanism} {}\r\n", client.first());
        for turn in 0..3 {
            self.send(name, line.as_bytes()).await;
            let reply = self.next_reply(name, context).await;
            if turn == 2 {
                let welcome = is_welcome(&reply) || reply.starts_with("scram OK");
                assert!(welcome, "{context}\ngot {reply}");
                break;
            }
            let challenge = reply.strip_prefix("334 ").or(reply.strip_prefix("+ "));
            let challenge = challenge.unwrap_or_else(|| panic!("{context}\ngot {reply}"));
            line = if turn == 0 {
                client.last(challenge) + "\r\n"
            } else {
                assert!(client.believes(challenge), "{context}");
                "\r\n".to_owned()
            };
        }
    }

    /// Something in the directory is there, or changes.
    async fn row(&self, word: &str, rest: &str, context: &str) {
        let house = &self.house;
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "access" => house.access(name, value).await,
            "alias" => house.alias(name, value).await,
            "domain" if value.is_empty() => house.domain(name, "mailbox").await,
            "domain" => house.domain(name, value).await,
            "domain-off" => house.enable_domain(name, false).await,
            "domain-on" => house.enable_domain(name, true).await,
            "mailbox" => house.mailbox(name, value).await,
            "quota" => house.quota(name, value.parse().expect(context)).await,
            "recipient" => house.recipient(name).await,
            "route" => house.route(name, value).await,
            _ => house.transport(name, value).await,
        }
    }

    /// A line that belongs to one connection.
    async fn say(&mut self, name: &str, word: &str, rest: &str, context: &str) {
        match word {
            "C:" => self.send(name, format!("{rest}\r\n").as_bytes()).await,
            "S:" => {
                self.reply = self.next_reply(name, context).await;
                let reply = &self.reply;
                assert!(reply.starts_with(rest), "{context}\ngot {reply}");
            }
            "until" => self.until(name, rest, context).await,
            "scram" => self.scram(name, rest, context).await,
            "auth" => {
                let (address, password) = rest.split_once(' ').expect(context);
                let password = self.known(password);
                let message = STANDARD.encode(format!("\0{address}\0{password}"));
                let command = format!("AUTH PLAIN {message}\r\n");
                self.send(name, command.as_bytes()).await;
                let reply = self.next_reply(name, context).await;
                assert!(is_welcome(&reply), "{context}\ngot {reply}");
            }
            "closed" => {
                self.run(name).await;
                let connection = self.connection(name).await;
                let out = String::from_utf8_lossy(connection.out()).into_owned();
                assert!(out.is_empty(), "{context}\nfirst comes {out}");
                assert!(connection.is_closed(), "{context}");
            }
            "fill" => {
                let (times, text) = rest.split_once(' ').expect(context);
                let text = octets(text).repeat(times.parse().expect(context));
                let line = [&text[..], b"\r\n"].concat();
                self.send(name, &line).await;
            }
            "gone" => {
                self.connections.remove(name).expect(context);
            }
            "half-close" => {
                self.connection(name).await.half_close();
                self.run(name).await;
            }
            "raw" => self.send(name, &octets(rest)).await,
            "stop" => {
                self.connection(name).await.stop();
                self.run(name).await;
            }
            "tls" => {
                self.run(name).await;
                let connection = self.connection(name).await;
                assert!(connection.is_shaking(), "{context}");
                connection.secure(&secured(rest));
                self.run(name).await;
            }
            "whole" => assert_eq!(self.reply.replace("\r\n", "|"), rest, "{context}"),
            "with" => assert!(self.has(rest), "{context}\ngot {}", self.reply),
            "without" => assert!(!self.has(rest), "{context}\ngot {}", self.reply),
            _ => panic!("no such word: {context}"),
        }
    }

    async fn until(&mut self, name: &str, start: &str, context: &str) {
        let tag = start.split(' ').next().unwrap_or_default();
        let mut all = String::new();
        loop {
            let reply = self.next_reply(name, context).await;
            all.push_str(&reply);
            all.push('\n');
            if reply.starts_with(start) {
                break;
            }
            let first = reply.split(' ').next();
            assert!(first != Some(tag), "{context}\ngot {reply}");
        }
        self.reply = all;
    }

    /// `rest` is a name, and perhaps a protocol and `tls`.
    async fn connect(&mut self, rest: &str) {
        let mut words = rest.split(' ');
        let name = words.next().unwrap_or_default();
        let (mut protocol, mut tls) = (self.protocol, self.implicit.take());
        for word in words {
            match word {
                "devices" => protocol = Protocol::Devices,
                "imap" => protocol = Protocol::Imap,
                "local" => protocol = Protocol::Local,
                "mx" => protocol = Protocol::Smtp,
                "pop3" => protocol = Protocol::Pop3,
                "submission" => protocol = Protocol::Submission,
                "tls" => tls = Some(secured("")),
                _ => panic!("no such door: {word}"),
            }
        }
        let mut connection = self.house.connect(protocol, tls.as_ref());
        connection.run(self.house.world.now()).await;
        if matches!(protocol, Protocol::Imap | Protocol::Pop3) {
            self.by_line.insert(name.to_owned(), protocol);
        }
        self.connections.insert(name.to_owned(), connection);
    }

    async fn connection(&mut self, name: &str) -> &mut Box<dyn Connection> {
        if !self.connections.contains_key(name) {
            self.connect(name).await;
        }
        self.connections.get_mut(name).expect("connected")
    }

    async fn run(&mut self, name: &str) {
        let now = self.house.world.now();
        self.connection(name).await.run(now).await;
    }

    async fn send(&mut self, name: &str, text: &[u8]) {
        if let Some((whose, together)) = &mut self.together {
            name.clone_into(whose);
            together.extend(text);
            return;
        }
        let (cut, now) = (self.cut, self.house.world.now());
        let connection = self.connection(name).await;
        for piece in text.chunks(cut) {
            connection.feed(now, piece).await;
        }
    }

    async fn wait(&mut self, seconds: u64) {
        if self.connections.is_empty() {
            self.connect("").await;
        }
        self.house.world.pass(seconds);
        let now = self.house.world.now();
        for connection in self.connections.values_mut() {
            connection.run(now).await;
        }
    }

    async fn next_reply(&mut self, name: &str, context: &str) -> String {
        for _ in 0..TRIES {
            self.connection(name).await;
            let smtp = !self.by_line.contains_key(name);
            let connection = self.connection(name).await;
            let length = reply_length(connection.out(), smtp);
            if let Some(length) = length {
                let reply: Vec<_> = connection.out().drain(..length).collect();
                return String::from_utf8_lossy(&reply).trim_end().to_owned();
            }
            if smtp || connection.is_closed() {
                break;
            }
            self.run(name).await;
            sleep(Duration::from_millis(10));
            yield_now().await;
        }
        panic!("{context}\ngot nothing");
    }

    fn has(&self, start: &str) -> bool {
        self.reply.lines().any(|line| line.starts_with(start))
    }

    /// The message that `a@d N` names, if that is what it says.
    fn nth(&self, text: &str) -> Option<Vec<u8>> {
        let (address, number) = text.split_once(' ')?;
        let number: usize = number.parse().ok().filter(|_| address.contains('@'))?;
        let mut inbox = self.house.inbox(address);
        assert!(
            (1..=inbox.len()).contains(&number),
            "{} are there",
            inbox.len()
        );
        Some(inbox.swap_remove(number - 1))
    }

    fn content(&mut self, text: &str, context: &str) {
        let messages = self.house.messages();
        let message = messages.get(self.looked).expect(context);
        self.looked += 1;
        let (_, message) = without_trace(message);
        let expected = octets(text);
        let got = String::from_utf8_lossy(message);
        let bare = message.strip_prefix(b"\r\n");
        assert!(
            message == expected || bare == Some(&expected[..]),
            "{context}\ngot {got:?}"
        );
    }

    fn end(&mut self, name: &str) {
        assert!(self.together.is_none(), "{name}: together without end");
        for connection in self.connections.values_mut() {
            let out = String::from_utf8_lossy(connection.out()).into_owned();
            assert!(out.is_empty(), "{name}: not in the script: {out}");
        }
    }
}

/// What SMTP and POP3 say to somebody who has logged in.
fn is_welcome(reply: &str) -> bool {
    reply.starts_with("235 ") || reply.starts_with("+OK ")
}

/// What a handshake comes to in scripts.
fn secured(words: &str) -> Secured {
    Secured {
        version: "TLS1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        exporter: (words != "unbound").then_some([7; 32]),
    }
}

/// How long the first reply is, once it is whole: an SMTP reply may have several lines.
fn reply_length(out: &[u8], smtp: bool) -> Option<usize> {
    let mut start = 0;
    loop {
        let end = start + memchr::memchr(b'\n', &out[start..])? + 1;
        if !smtp || out.get(start + 3) != Some(&b'-') {
            return Some(end);
        }
        start = end;
    }
}

fn compare(message: &[u8], expected: &[&str], context: &str) {
    let (trace, message) = without_trace(message);
    let mut rest = expected;
    for name in ["Return-Path:", "Received:"] {
        if let [line, after @ ..] = rest
            && line.starts_with(name)
        {
            let found = trace.iter().any(|field| field.starts_with(line));
            assert!(found, "{context}\nno {line}\nin {trace:#?}");
            rest = after;
        }
    }
    let mut text = String::new();
    for line in undotted(rest) {
        text.push_str(line);
        text.push_str("\r\n");
    }
    assert_eq!(without_id(message), text, "{context}");
}

/// With QUEUEID instead of the id in a `Message-ID:` that was made here.
fn without_id(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    match text.split_once(MADE_HERE) {
        Some((before, after)) => format!("{before}{MADE_HERE}QUEUEID{}", &after[10..]),
        None => text,
    }
}

fn undotted<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let undotted = |line: &&'a str| line.strip_prefix('.').unwrap_or(line);
    lines.iter().map(undotted).collect()
}
