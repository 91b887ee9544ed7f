//! Random operations by several IMAP sessions, deliveries and others who change mail, against plain
//! mailboxes in memory: what each client was told, \Recent, what clients that come back believe, and
//! after every step what the store holds: folders, UIDs, flags, MODSEQs, counts, quota.

mod change;
mod folders;
mod hear;
mod look;
mod pop;
mod sections;
mod state;
mod visit;

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::net::world::World;

use super::common::house::{House, Protocol};
use super::common::pump::Connection;
use state::{Chosen, Client, FlagSet, Folder, Kind, Message};

const ADDRESS: &str = "a@home.test";
/// Those that stay; the others come and go.
const FOLDERS: [&str; 2] = ["INBOX", "Archive"];
const OTHERS: [&str; 3] = ["x", "x/y", "z"];
const FLAGS: [&str; 5] = ["\\Answered", "\\Deleted", "\\Flagged", "\\Seen", "$Label"];
const SESSIONS: [Kind; 5] = [
    Kind::Plain,
    Kind::Plain,
    Kind::Condstore,
    Kind::Qresync,
    Kind::Qresync,
];
const STEPS: u32 = 200;
const SEEDS: u64 = 60;

struct Play {
    random: u64,
    house: House,
    /// All that ever were; INBOX is the first.
    folders: Vec<Folder>,
    /// Places in `folders`.
    names: BTreeMap<String, usize>,
    quota: u64,
    /// The sessions whose \Seen may be on its way; only they wait for it.
    lazy: BTreeSet<usize>,
    clients: Vec<Client>,
    connections: Vec<Box<dyn Connection>>,
    tag: u32,
    trace: Vec<String>,
}

#[test]
fn model() {
    // One seed alone: `MODEL_SEED=7 cargo test --test transcripts model::model`.
    let only = std::env::var("MODEL_SEED").ok();
    let only = only.map(|seed| seed.parse().unwrap());
    for seed in only.map_or(1..=SEEDS, |seed| seed..=seed) {
        smol::block_on(async {
            let mut play = Play::new(seed).await;
            for _ in 0..STEPS {
                play.step().await;
            }
            for session in 0..SESSIONS.len() {
                play.compare(session).await;
            }
        });
    }
}

impl Play {
    async fn new(seed: u64) -> Self {
        let mut house = House::new();
        if seed % 2 == 1 {
            house.option("slice_octets", "60").await;
        }
        house.mailbox(ADDRESS, "secret").await;
        let clients = SESSIONS.into_iter().map(|kind| Client {
            kind,
            ..Client::default()
        });
        let names = (0..).zip(FOLDERS);
        Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            clients: clients.collect(),
            connections: (0..SESSIONS.len())
                .map(|_| house.connect(Protocol::Imap, None))
                .collect(),
            house,
            folders: FOLDERS.into_iter().map(Folder::new).collect(),
            names: names.map(|(n, name)| (name.to_owned(), n)).collect(),
            quota: 0,
            lazy: BTreeSet::new(),
            tag: 0,
            trace: vec![format!("seed {seed}")],
        }
    }

    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap() % below.max(1)
    }

    fn coin(&mut self) -> bool {
        self.random(2) == 0
    }

    async fn step(&mut self) {
        let session = self.random(SESSIONS.len());
        if !self.clients[session].online {
            self.come_back(session).await;
        }
        let Some(folder) = self.clients[session].folder else {
            return self.select(session).await;
        };
        let deleted = self.folders[folder].name.is_none();
        match self.random(29) {
            0 => self.select(session).await,
            1 | 2 => self.deliver().await,
            3 => self.append(session).await,
            4..=6 if !deleted => self.store(session, folder).await,
            7 | 8 if !deleted => self.expunge(session, folder).await,
            9 | 10 if !deleted => self.copy(session, folder).await,
            11 => self.read(session, folder).await,
            12 => self.search(session, folder).await,
            13 => {
                self.say(session, "NOOP").await;
            }
            14 => self.idle(session).await,
            15 => self.close(session, folder).await,
            16 => self.create(session).await,
            17 => self.delete(session).await,
            18 => self.rename(session).await,
            19 => self.limit().await,
            20 => self.other().await,
            21 | 22 => self.leave(session).await,
            23 => self.fetch_changed(session, folder).await,
            24 => self.pop().await,
            25 => self.save(session, folder).await,
            26 => self.slip_away(session, folder).await,
            _ => self.compare(session).await,
        }
        self.look().await;
    }

    async fn deliver(&mut self) {
        let text = format!("Subject: {}\r\n\r\nx\r\n", self.random(10_000));
        if self.over(text.len() as u64) {
            return;
        }
        self.trace.push("deliver".to_owned());
        self.house.deliver(ADDRESS, text.as_bytes()).await;
        self.folders[0].add(Message::new(text.len() as u64));
    }

    async fn append(&mut self, session: usize) {
        let (name, flags) = (self.name(), self.flags());
        let folder = self.names[&name];
        let text = format!("Subject: {}\r\n\r\n", self.random(10_000));
        self.no_warning(text.len() as u64).await;
        let (list, n) = (hear::words(&flags), text.len());
        let mut message = Message::new(n as u64);
        message.flags = flags;
        let command = format!("APPEND {name} ({list}) {{{n}+}}\r\n{text}");
        if self.over(n as u64) {
            self.refused(session, &command, "NO [OVERQUOTA]").await;
            return;
        }
        self.folders[folder].add(message);
        let out = self.say(session, &command).await;
        let code = format!(" {}]", self.folders[folder].last);
        assert!(out.contains(&code), "{out}\n{:#?}", self.trace);
    }

    async fn idle(&mut self, session: usize) {
        self.feed(session, b"i IDLE\r\n").await;
        self.hear_idle(session);
        for _ in 0..self.random(3) {
            if self.coin() {
                self.deliver().await;
            } else {
                self.other().await;
            }
            let now = self.house.world.now();
            self.connections[session].run(now).await;
            self.hear_idle(session);
        }
        self.feed(session, b"DONE\r\n").await;
        let out = self.hear_idle(session);
        assert!(out.contains("i OK"), "{out}\n{:#?}", self.trace);
    }

    fn hear_idle(&mut self, session: usize) -> String {
        let out = std::mem::take(self.connections[session].out());
        let out = String::from_utf8(out).unwrap();
        self.trace.push(format!("{session} idle {out}"));
        self.hear(session, "IDLE", &out);
        out
    }

    /// Somebody without a session flags messages, or has them go: POP3, the command line.
    async fn other(&mut self) {
        let name = self.name();
        let folder = self.names[&name];
        let uids: Vec<u32> = self.folders[folder].messages.keys().copied().collect();
        let uids: BTreeSet<u32> = uids.into_iter().filter(|_| self.random(4) == 0).collect();
        let expunge = self.coin();
        for uid in &uids {
            let message = self.message(folder, *uid);
            let flag = ["\\Flagged", "\\Deleted"][usize::from(expunge)];
            message.flags.insert(flag.to_owned());
        }
        if expunge {
            let messages = &mut self.folders[folder].messages;
            messages.retain(|uid, _| !uids.contains(uid));
        }
        self.trace
            .push(format!("other: {name} {uids:?} expunge {expunge}"));
        let uids = uids.into_iter().collect();
        self.house.change(ADDRESS, &name, uids, expunge).await;
    }

    /// The name of a folder that is there.
    fn name(&mut self) -> String {
        let n = if self.coin() {
            self.random(FOLDERS.len())
        } else {
            self.random(self.names.len())
        };
        self.names.keys().nth(n).unwrap().clone()
    }

    fn folder(&mut self, name: &str) -> &mut Folder {
        &mut self.folders[self.names[name]]
    }

    fn message(&mut self, folder: usize, uid: u32) -> &mut Message {
        self.folders[folder].messages.get_mut(&uid).unwrap()
    }

    /// Some messages: there, gone or not yet there; half of the time as the client saw them last.
    async fn choose(&mut self, session: usize, folder: usize) -> Chosen {
        if self.coin() {
            self.say(session, "NOOP").await;
        }
        let client = self.clients[session].messages.len();
        let uid = client == 0 || self.coin();
        if self.random(6) == 0 {
            return self.saved(session, folder, uid);
        }
        let last = if uid {
            usize::try_from(self.folders[folder].last).unwrap() + 2
        } else {
            client
        };
        let count = 1 + self.random(4);
        let numbers = (0..count).map(|_| u32::try_from(1 + self.random(last)).unwrap());
        let numbers: BTreeSet<u32> = numbers.collect();
        let set = hear::set(&numbers);
        let known = self.clients[session].known();
        let place = |n: &u32| self.clients[session].messages[*n as usize - 1].uid;
        let mut named = if uid {
            numbers
        } else {
            numbers.iter().map(place).collect()
        };
        named.retain(|uid| known.contains(uid));
        let there = &self.folders[folder].messages;
        let uids = named.iter().copied();
        let uids = uids.filter(|uid| there.contains_key(uid)).collect();
        Chosen {
            uid,
            set,
            named,
            uids,
        }
    }

    /// What the last SEARCH with SAVE found.
    fn saved(&mut self, session: usize, folder: usize, uid: bool) -> Chosen {
        let (known, there) = (
            self.clients[session].known(),
            &self.folders[folder].messages,
        );
        let saved = &self.clients[session].saved;
        let named: BTreeSet<u32> = saved.intersection(&known).copied().collect();
        let uids = named.iter().copied();
        Chosen {
            uid,
            set: "$".to_owned(),
            uids: uids.filter(|uid| there.contains_key(uid)).collect(),
            named,
        }
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

    /// Says a command that is carried out, hears all of its answer.
    async fn say(&mut self, session: usize, command: &str) -> String {
        let (out, reply) = self.talk(session, command).await;
        let gone = reply.contains("[EXPUNGEISSUED]") && command.starts_with("FETCH");
        assert!(reply.starts_with("OK") || gone, "{out}\n{:#?}", self.trace);
        out
    }

    /// Says a command whose completion begins so.
    async fn refused(&mut self, session: usize, command: &str, want: &str) {
        let (out, reply) = self.talk(session, command).await;
        assert!(reply.starts_with(want), "{want} {out}\n{:#?}", self.trace);
    }

    /// Says a command; gives all of the answer, and its last line without the tag.
    async fn talk(&mut self, session: usize, command: &str) -> (String, String) {
        let (out, reply) = self.exchange(session, command).await;
        self.hear(session, command, &out);
        (out, reply)
    }

    /// The same, but nobody hears the answer yet.
    async fn exchange(&mut self, session: usize, command: &str) -> (String, String) {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.trace.push(format!("{session} {command}"));
        self.feed(session, format!("{tag} {command}\r\n").as_bytes())
            .await;
        let out = std::mem::take(self.connections[session].out());
        let out = String::from_utf8(out).unwrap();
        self.trace.push(out.clone());
        let mut lines = out.lines();
        let reply = lines.find_map(|line| line.strip_prefix(&format!("{tag} ")));
        let reply = reply.unwrap_or_default().to_owned();
        (out, reply)
    }
}
