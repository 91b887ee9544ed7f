//! Random operations by several IMAP sessions and deliveries, against plain mailboxes in memory:
//! what each client was told, UIDs, flags, MODSEQs, \Recent and the quota's count are compared.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::net::world::World;

use super::common::house::{House, Protocol};
use super::common::pump::Connection;

const ADDRESS: &str = "a@home.test";
const FOLDERS: [&str; 2] = ["INBOX", "Archive"];
const FLAGS: [&str; 5] = ["\\Answered", "\\Deleted", "\\Flagged", "\\Seen", "$Label"];
const SESSIONS: usize = 3;
const STEPS: u32 = 150;
const SEEDS: u64 = 6;

type FlagSet = BTreeSet<String>;

/// A message as it should be.
#[derive(Clone, Debug)]
struct Message {
    flags: FlagSet,
    size: u64,
    /// As it was last seen; 0 = not yet.
    modseq: u64,
    /// The flags changed since.
    changed: bool,
    /// The session and its selection for which it was \Recent.
    recent: Option<(usize, u32)>,
}

impl Message {
    fn new(size: u64) -> Self {
        Self {
            flags: FlagSet::new(),
            size,
            modseq: 0,
            changed: false,
            recent: None,
        }
    }
}

#[derive(Debug, Default)]
struct Folder {
    messages: BTreeMap<u32, Message>,
    last: u32,
}

impl Folder {
    fn add(&mut self, message: Message) {
        self.last += 1;
        self.messages.insert(self.last, message);
    }
}

/// What a client was told.
#[derive(Debug, Default)]
struct Client {
    folder: Option<usize>,
    selections: u32,
    /// By sequence number: flags, where it knows them.
    messages: Vec<Option<FlagSet>>,
}

struct Play {
    random: u64,
    house: House,
    folders: [Folder; 2],
    clients: Vec<Client>,
    connections: Vec<Box<dyn Connection>>,
    tag: u32,
    trace: Vec<String>,
}

/// A message as a FETCH told it.
#[derive(Debug, Default)]
struct Told {
    place: usize,
    uid: Option<u32>,
    modseq: Option<u64>,
    flags: Option<FlagSet>,
    recent: bool,
}

#[test]
fn model() {
    for seed in 1..=SEEDS {
        smol::block_on(async {
            let mut play = Play::new(seed).await;
            for _ in 0..STEPS {
                play.step().await;
            }
            for session in 0..SESSIONS {
                play.compare(session).await;
            }
        });
    }
}

impl Play {
    async fn new(seed: u64) -> Self {
        let mut house = House::new();
        house.mailbox(ADDRESS, "secret").await;
        let mut play = Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            clients: (0..SESSIONS).map(|_| Client::default()).collect(),
            connections: (0..SESSIONS)
                .map(|_| house.connect(Protocol::Imap))
                .collect(),
            house,
            folders: Default::default(),
            tag: 0,
            trace: vec![format!("seed {seed}")],
        };
        for session in 0..SESSIONS {
            play.say(session, &format!("LOGIN {ADDRESS} secret")).await;
        }
        play
    }

    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap() % below.max(1)
    }

    async fn step(&mut self) {
        let session = self.random(SESSIONS);
        let Some(folder) = self.clients[session].folder else {
            return self.select(session).await;
        };
        match self.random(14) {
            0 => self.select(session).await,
            1 | 2 => self.deliver().await,
            3 => self.append(session).await,
            4..=6 => self.store(session, folder).await,
            7 => self.expunge(session, folder).await,
            8 => self.copy(session, folder).await,
            9 => self.read(session, folder).await,
            10 => self.search(session, folder).await,
            11 => {
                self.say(session, "NOOP").await;
            }
            12 => self.idle(session).await,
            _ => self.compare(session).await,
        }
        self.quota();
    }

    async fn select(&mut self, session: usize) {
        let folder = self.random(2);
        let client = &mut self.clients[session];
        client.folder = Some(folder);
        client.selections += 1;
        client.messages.clear();
        let out = self
            .say(session, &format!("SELECT {}", FOLDERS[folder]))
            .await;
        let count = self.folders[folder].messages.len();
        assert!(
            out.contains(&format!("* {count} EXISTS")),
            "{:#?}",
            self.trace
        );
        let next = self.folders[folder].last + 1;
        assert!(
            out.contains(&format!("[UIDNEXT {next}]")),
            "{:#?}",
            self.trace
        );
    }

    async fn deliver(&mut self) {
        let text = format!("Subject: {}\r\n\r\nx\r\n", self.random(10_000));
        self.trace.push("deliver".to_owned());
        self.house.deliver(ADDRESS, text.as_bytes()).await;
        self.folders[0].add(Message::new(text.len() as u64));
    }

    async fn append(&mut self, session: usize) {
        let (folder, flags) = (self.random(2), self.flags());
        let text = format!("Subject: {}\r\n\r\n", self.random(10_000));
        let (name, list, n) = (FOLDERS[folder], words(&flags), text.len());
        let mut message = Message::new(n as u64);
        message.flags = flags;
        self.folders[folder].add(message);
        let out = self
            .say(
                session,
                &format!("APPEND {name} ({list}) {{{n}+}}\r\n{text}"),
            )
            .await;
        let code = format!(" {}]", self.folders[folder].last);
        assert!(out.contains(&code), "{out}\n{:#?}", self.trace);
    }

    async fn store(&mut self, session: usize, folder: usize) {
        // UIDs that a client was not told of mean nothing to it; so that the model need not know which
        // these are, it looks.
        self.say(session, "NOOP").await;
        let (uids, flags) = (self.uids(folder), self.flags());
        let (sign, silent) = (
            ["", "+", "-"][self.random(3)],
            [".SILENT", ""][self.random(2)],
        );
        for uid in &uids {
            let Some(message) = self.folders[folder].messages.get_mut(uid) else {
                continue;
            };
            let old = message.flags.clone();
            match sign {
                "+" => message.flags.extend(flags.iter().cloned()),
                "-" => message.flags.retain(|flag| !flags.contains(flag)),
                _ => message.flags.clone_from(&flags),
            }
            message.changed |= old != message.flags;
        }
        let (set, list) = (set(&uids), words(&flags));
        let known = self.clients[session].messages.len();
        let command = format!("UID STORE {set} {sign}FLAGS{silent} ({list})");
        self.say(session, &command).await;
        if !silent.is_empty() {
            // What it asked not to be told it has to work out; this client forgets instead.
            let messages = &mut self.clients[session].messages;
            messages
                .iter_mut()
                .take(known)
                .for_each(|flags| *flags = None);
        }
    }

    async fn expunge(&mut self, session: usize, folder: usize) {
        self.say(session, "NOOP").await;
        let uids = self.uids(folder);
        let whole = self.random(2) == 0;
        let messages = &mut self.folders[folder].messages;
        messages.retain(|uid, message| {
            !message.flags.contains("\\Deleted") || !(whole || uids.contains(uid))
        });
        let command = if whole {
            "EXPUNGE".to_owned()
        } else {
            format!("UID EXPUNGE {}", set(&uids))
        };
        self.say(session, &command).await;
    }

    async fn copy(&mut self, session: usize, folder: usize) {
        self.say(session, "NOOP").await;
        let (uids, to) = (self.uids(folder), self.random(2));
        let moves = self.random(2) == 0 && to != folder;
        let messages = self.folders[folder].messages.clone();
        for (uid, message) in messages.iter().filter(|(uid, _)| uids.contains(uid)) {
            let mut copy = Message::new(message.size);
            copy.flags.clone_from(&message.flags);
            self.folders[to].add(copy);
            if moves {
                self.folders[folder].messages.remove(uid);
            }
        }
        let verb = if moves { "MOVE" } else { "COPY" };
        let command = format!("UID {verb} {} {}", set(&uids), FOLDERS[to]);
        self.say(session, &command).await;
    }

    /// Sets \Seen; STATUS then waits for it.
    async fn read(&mut self, session: usize, folder: usize) {
        self.say(session, "NOOP").await;
        let uids = self.uids(folder);
        for uid in &uids {
            if let Some(message) = self.folders[folder].messages.get_mut(uid) {
                message.changed |= message.flags.insert("\\Seen".to_owned());
            }
        }
        let command = format!("UID FETCH {} (BODY[HEADER] BODY[TEXT])", set(&uids));
        self.say(session, &command).await;
        let name = FOLDERS[folder];
        let out = self
            .say(session, &format!("STATUS {name} (MESSAGES UNSEEN)"))
            .await;
        let messages = self.folders[folder].messages.values();
        let count = messages.len();
        let unseen = messages.filter(|m| !m.flags.contains("\\Seen")).count();
        let want = format!("(MESSAGES {count} UNSEEN {unseen})");
        assert!(out.contains(&want), "{want} {out}\n{:#?}", self.trace);
    }

    async fn search(&mut self, session: usize, folder: usize) {
        self.say(session, "NOOP").await;
        let out = self.say(session, "UID SEARCH FLAGGED NOT SEEN").await;
        let matches = |message: &Message| {
            message.flags.contains("\\Flagged") && !message.flags.contains("\\Seen")
        };
        let messages = self.folders[folder].messages.iter();
        let found = messages.filter(|(_, message)| matches(message));
        let numbers = found.map(|(uid, _)| uid.to_string());
        let words: Vec<_> = ["* SEARCH".to_owned()].into_iter().chain(numbers).collect();
        let want = format!("{}\r\n", words.join(" "));
        assert!(out.contains(&want), "{want} {out}\n{:#?}", self.trace);
    }

    async fn idle(&mut self, session: usize) {
        self.feed(session, b"i IDLE\r\n").await;
        if self.random(2) == 0 {
            self.deliver().await;
        }
        let now = self.house.world.now();
        self.connections[session].run(now).await;
        self.feed(session, b"DONE\r\n").await;
        self.trace.push(format!("{session} idle"));
        let out = std::mem::take(self.connections[session].out());
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("i OK"), "{out}\n{:#?}", self.trace);
        self.hear(session, &out);
    }

    /// What a client was told must be all that there is to know; then it asks.
    async fn compare(&mut self, session: usize) {
        let Some(folder) = self.clients[session].folder else {
            return;
        };
        self.say(session, "NOOP").await;
        let want: Vec<_> = self.folders[folder].messages.clone().into_iter().collect();
        let client = &self.clients[session];
        assert_eq!(client.messages.len(), want.len(), "{:#?}", self.trace);
        for (flags, (uid, message)) in client.messages.iter().zip(&want) {
            let flags = flags.as_ref().unwrap_or(&message.flags);
            assert_eq!(*flags, message.flags, "UID {uid}\n{:#?}", self.trace);
        }
        let selection = (session, client.selections);
        let out = self.say(session, "UID FETCH 1:* (FLAGS MODSEQ)").await;
        let told: Vec<Told> = responses(&out)
            .iter()
            .filter_map(|line| fetched(line))
            .collect();
        assert_eq!(told.len(), want.len(), "{out}\n{:#?}", self.trace);
        for (told, (uid, message)) in told.iter().zip(&want) {
            let context = format!("{told:?}\n{:#?}", self.trace);
            assert_eq!(told.uid, Some(*uid), "{context}");
            assert_eq!(told.flags.as_ref(), Some(&message.flags), "{context}");
            let modseq = told.modseq.expect("MODSEQ");
            let grown = modseq > message.modseq;
            assert_eq!(grown, message.changed || message.modseq == 0, "{context}");
            let kept = self.folders[folder].messages.get_mut(uid).unwrap();
            (kept.modseq, kept.changed) = (modseq, false);
            if told.recent {
                assert!(kept.recent.is_none_or(|who| who == selection), "{context}");
                kept.recent = Some(selection);
            }
        }
    }

    fn quota(&self) {
        let messages = self
            .folders
            .iter()
            .flat_map(|folder| folder.messages.values());
        let (count, octets) = messages.fold((0, 0), |sum, m| (sum.0 + 1, sum.1 + m.size));
        let usage = self.house.usage(ADDRESS);
        assert_eq!(
            (usage.messages, usage.octets),
            (count, octets),
            "{:#?}",
            self.trace
        );
    }

    /// Some UIDs: there, gone or not yet there.
    fn uids(&mut self, folder: usize) -> BTreeSet<u32> {
        let last = usize::try_from(self.folders[folder].last).unwrap() + 2;
        let count = 1 + self.random(4);
        let uids = (0..count).map(|_| u32::try_from(1 + self.random(last)).unwrap());
        uids.collect()
    }

    fn flags(&mut self) -> FlagSet {
        let count = self.random(3);
        (0..count)
            .map(|_| FLAGS[self.random(FLAGS.len())].to_owned())
            .collect()
    }

    async fn feed(&mut self, session: usize, octets: &[u8]) {
        let now = self.house.world.now();
        self.connections[session].feed(now, octets).await;
    }

    /// Says a command, hears all of its answer.
    async fn say(&mut self, session: usize, command: &str) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.trace.push(format!("{session} {command}"));
        self.feed(session, format!("{tag} {command}\r\n").as_bytes())
            .await;
        let out = std::mem::take(self.connections[session].out());
        let out = String::from_utf8(out).unwrap();
        self.trace.push(out.clone());
        let ok = out
            .lines()
            .any(|line| line.starts_with(&format!("{tag} OK")));
        let gone = out.contains("[EXPUNGEISSUED]");
        assert!(ok || gone, "{out}\n{:#?}", self.trace);
        if self.clients[session].folder.is_some() {
            self.hear(session, &out);
        }
        out
    }

    /// Believes what it is told.
    fn hear(&mut self, session: usize, out: &str) {
        let messages = &mut self.clients[session].messages;
        for line in responses(out) {
            let mut words = line.split(' ').skip(1);
            let (number, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word.trim_end() {
                "EXISTS" => {
                    assert!(number >= messages.len(), "{line}\n{:#?}", self.trace);
                    messages.resize(number, None);
                }
                "EXPUNGE" => {
                    messages.remove(number - 1);
                }
                "FETCH" => {
                    let told = fetched(&line).unwrap();
                    if let Some(flags) = told.flags {
                        messages[told.place - 1] = Some(flags);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Untagged responses, literals left out.
fn responses(out: &str) -> Vec<String> {
    let (mut all, mut rest) = (vec![], out);
    while !rest.is_empty() {
        let mut whole = String::new();
        loop {
            let (line, after) = rest.split_once("\r\n").unwrap_or((rest, ""));
            rest = after;
            let literal = line
                .strip_suffix('}')
                .and_then(|line| line.rsplit_once('{'))
                .and_then(|(start, n)| Some((start, n.parse::<usize>().ok()?)));
            let Some((start, length)) = literal else {
                whole.push_str(line);
                break;
            };
            whole.push_str(start);
            rest = &rest[length..];
        }
        if whole.starts_with("* ") {
            all.push(whole);
        }
    }
    all
}

fn fetched(line: &str) -> Option<Told> {
    let (place, items) = line.strip_prefix("* ")?.split_once(" FETCH (")?;
    let number = |name: &str| {
        let (_, rest) = items.split_once(name)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    };
    let flags = items
        .split_once("FLAGS (")
        .and_then(|(_, rest)| rest.split_once(')'));
    let mut flags: Option<FlagSet> = flags.map(|(flags, _)| {
        let words = flags.split(' ').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    });
    Some(Told {
        place: place.parse().ok()?,
        uid: number("UID ").map(|uid| u32::try_from(uid).unwrap()),
        modseq: number("MODSEQ ("),
        recent: flags.as_mut().is_some_and(|flags| flags.remove("\\Recent")),
        flags,
    })
}

fn set(uids: &BTreeSet<u32>) -> String {
    let uids: Vec<_> = uids.iter().map(u32::to_string).collect();
    uids.join(",")
}

fn words(flags: &FlagSet) -> String {
    flags.iter().cloned().collect::<Vec<_>>().join(" ")
}

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
        let mut connection = house.connect(Protocol::Imap);
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
