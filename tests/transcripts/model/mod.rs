//! Random operations by several IMAP sessions and deliveries, against plain mailboxes in memory:
//! what each client was told, \Recent, and after every step what the store holds: folders, UIDs, flags,
//! MODSEQs, counts, quota.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::net::world::World;

use super::common::house::{House, Protocol, Stored};
use super::common::pump::Connection;

const ADDRESS: &str = "a@home.test";
/// Those that sessions select; the others come and go.
const FOLDERS: [&str; 2] = ["INBOX", "Archive"];
const OTHERS: [&str; 3] = ["x", "x/y", "z"];
const FLAGS: [&str; 5] = ["\\Answered", "\\Deleted", "\\Flagged", "\\Seen", "$Label"];
const SESSIONS: usize = 3;
const STEPS: u32 = 150;
const SEEDS: u64 = 40;

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
    /// As the store had it last, with the flags at that time; 0 = not yet.
    stored: (u64, FlagSet),
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
            stored: (0, FlagSet::new()),
            recent: None,
        }
    }
}

#[derive(Debug, Default)]
struct Folder {
    messages: BTreeMap<u32, Message>,
    last: u32,
    modseq: u64,
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
    read_only: bool,
    /// By sequence number: UID, and flags where it knows them.
    messages: Vec<(u32, Option<FlagSet>)>,
    /// The last UID that was there when it was told a count.
    last: u32,
}

/// Messages as a command names them, and those of them that the client knows and that are there.
struct Chosen {
    uid: bool,
    set: String,
    uids: BTreeSet<u32>,
}

impl Chosen {
    /// `UID ` or nothing.
    fn prefix(&self) -> &'static str {
        if self.uid { "UID " } else { "" }
    }
}

struct Play {
    random: u64,
    house: House,
    folders: [Folder; 2],
    others: BTreeMap<&'static str, Folder>,
    quota: u64,
    /// The sessions whose \Seen may be on its way; only they wait for it.
    lazy: BTreeSet<usize>,
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
                .map(|_| house.connect(Protocol::Imap, None))
                .collect(),
            house,
            folders: Default::default(),
            others: BTreeMap::new(),
            quota: 0,
            lazy: BTreeSet::new(),
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
        match self.random(20) {
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
            13 => self.close(session, folder).await,
            14 => self.create().await,
            15 => self.delete().await,
            16 => self.rename().await,
            17 => self.limit().await,
            _ => self.compare(session).await,
        }
        self.look().await;
    }

    async fn select(&mut self, session: usize) {
        let folder = self.random(2);
        let client = &mut self.clients[session];
        client.folder = Some(folder);
        client.selections += 1;
        client.messages.clear();
        client.last = 0;
        let read_only = self.random(4) == 0;
        self.clients[session].read_only = read_only;
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let out = self
            .say(session, &format!("{verb} {}", FOLDERS[folder]))
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
        if self.over(text.len() as u64) {
            return;
        }
        self.trace.push("deliver".to_owned());
        self.house.deliver(ADDRESS, text.as_bytes()).await;
        self.folders[0].add(Message::new(text.len() as u64));
    }

    async fn append(&mut self, session: usize) {
        let (folder, flags) = (self.random(2), self.flags());
        let text = format!("Subject: {}\r\n\r\n", self.random(10_000));
        self.no_warning(text.len() as u64).await;
        let (name, list, n) = (FOLDERS[folder], words(&flags), text.len());
        let mut message = Message::new(n as u64);
        message.flags = flags;
        let command = format!("APPEND {name} ({list}) {{{n}+}}\r\n{text}");
        if self.over(n as u64) {
            self.refused(session, &command, "[OVERQUOTA]").await;
            return;
        }
        self.folders[folder].add(message);
        let out = self.say(session, &command).await;
        let code = format!(" {}]", self.folders[folder].last);
        assert!(out.contains(&code), "{out}\n{:#?}", self.trace);
    }

    async fn store(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let flags = self.flags();
        let (sign, silent) = (
            ["", "+", "-"][self.random(3)],
            [".SILENT", ""][self.random(2)],
        );
        let (prefix, set, list) = (chosen.prefix(), &chosen.set, words(&flags));
        let command = format!("{prefix}STORE {set} {sign}FLAGS{silent} ({list})");
        if self.clients[session].read_only {
            return self.refused(session, &command, "[READ-ONLY]").await;
        }
        for uid in &chosen.uids {
            let message = self.message(folder, *uid);
            let old = message.flags.clone();
            match sign {
                "+" => message.flags.extend(flags.iter().cloned()),
                "-" => message.flags.retain(|flag| !flags.contains(flag)),
                _ => message.flags.clone_from(&flags),
            }
            message.changed |= old != message.flags;
        }
        let known = self.clients[session].messages.len();
        self.say(session, &command).await;
        if !silent.is_empty() {
            // What it asked not to be told it has to work out; this client forgets instead.
            let messages = &mut self.clients[session].messages;
            let known = messages.iter_mut().take(known);
            known.for_each(|message| message.1 = None);
        }
    }

    async fn expunge(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let whole = !chosen.uid;
        let command = if whole {
            "EXPUNGE".to_owned()
        } else {
            format!("UID EXPUNGE {}", chosen.set)
        };
        if self.clients[session].read_only {
            return self.refused(session, &command, "[READ-ONLY]").await;
        }
        let known = self.known(session);
        let messages = &mut self.folders[folder].messages;
        messages.retain(|uid, message| {
            let meant = known.contains(uid) && (whole || chosen.uids.contains(uid));
            !message.flags.contains("\\Deleted") || !meant
        });
        self.say(session, &command).await;
    }

    /// What the client does not know of stays.
    async fn close(&mut self, session: usize, folder: usize) {
        let known = self.known(session);
        if !self.clients[session].read_only {
            let messages = &mut self.folders[folder].messages;
            messages.retain(|uid, message| {
                !message.flags.contains("\\Deleted") || !known.contains(uid)
            });
        }
        self.clients[session].folder = None;
        self.say(session, "CLOSE").await;
    }

    async fn copy(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let to = self.random(FOLDERS.len() + OTHERS.len());
        let name = *FOLDERS.iter().chain(&OTHERS).nth(to).unwrap();
        let moves = self.random(2) == 0 && to != folder;
        let verb = if moves { "MOVE" } else { "COPY" };
        let command = format!("{}{verb} {} {name}", chosen.prefix(), chosen.set);
        let messages = &self.folders[folder].messages;
        let taken: Vec<_> = chosen
            .uids
            .iter()
            .map(|uid| (*uid, messages[uid].clone()))
            .collect();
        let size = taken.iter().map(|(_, message)| message.size).sum();
        self.no_warning(size).await;
        if to >= FOLDERS.len() && !self.others.contains_key(name) {
            return self.refused(session, &command, "[TRYCREATE]").await;
        }
        if moves && self.clients[session].read_only {
            return self.refused(session, &command, "[READ-ONLY]").await;
        }
        if !moves && !taken.is_empty() && self.over(size) {
            return self.refused(session, &command, "[OVERQUOTA]").await;
        }
        let first = self.folder(name).last + 1;
        for (uid, message) in &taken {
            let mut copy = Message::new(message.size);
            copy.flags.clone_from(&message.flags);
            self.folder(name).add(copy);
            if moves {
                self.folders[folder].messages.remove(uid);
            }
        }
        let out = self.say(session, &command).await;
        let code = out.split_once("[COPYUID ").map(|(_, code)| code);
        assert_eq!(code.is_some(), !taken.is_empty(), "{:#?}", self.trace);
        if let Some(code) = code {
            // The code ends with the first new UID, or with that and the last one.
            let (code, _) = code.split_once(']').unwrap();
            let to = code.split(' ').nth(2).unwrap();
            let last = first + u32::try_from(taken.len()).unwrap() - 1;
            let want = match taken.len() {
                1 => first.to_string(),
                _ => format!("{first}:{last}"),
            };
            assert_eq!(to, want, "{out}\n{:#?}", self.trace);
        }
    }

    /// Sets \Seen; STATUS then waits for it.
    async fn read(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        if !self.clients[session].read_only {
            for uid in &chosen.uids {
                let message = self.message(folder, *uid);
                message.changed |= message.flags.insert("\\Seen".to_owned());
            }
            self.lazy.insert(session);
        }
        let (prefix, set) = (chosen.prefix(), &chosen.set);
        let command = format!("{prefix}FETCH {set} (BODY[HEADER] BODY[TEXT])");
        self.say(session, &command).await;
        if self.random(2) == 0 || self.lazy.iter().any(|other| *other != session) {
            return;
        }
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
        if self.lazy.iter().any(|other| *other != session) {
            return;
        }
        if self.random(2) == 0 {
            self.say(session, "NOOP").await;
        }
        let known = self.known(session);
        let out = self.say(session, "UID SEARCH FLAGGED NOT SEEN").await;
        let matches = |message: &Message| {
            message.flags.contains("\\Flagged") && !message.flags.contains("\\Seen")
        };
        let messages = self.folders[folder].messages.iter();
        let found = messages.filter(|(uid, message)| known.contains(uid) && matches(message));
        let numbers = found.map(|(uid, _)| uid.to_string());
        let words: Vec<_> = ["* SEARCH".to_owned()].into_iter().chain(numbers).collect();
        let want = format!("{}\r\n", words.join(" "));
        assert!(out.contains(&want), "{want} {out}\n{:#?}", self.trace);
    }

    async fn create(&mut self) {
        let name = OTHERS[self.random(OTHERS.len())];
        let command = format!("CREATE {name}");
        if self.others.contains_key(name) {
            return self.refused(0, &command, "[ALREADYEXISTS]").await;
        }
        self.make(name);
        self.say(0, &command).await;
    }

    async fn delete(&mut self) {
        let name = OTHERS[self.random(OTHERS.len())];
        let command = format!("DELETE {name}");
        if self.others.remove(name).is_none() {
            return self.refused(0, &command, "[NONEXISTENT]").await;
        }
        self.say(0, &command).await;
    }

    /// With the folder below.
    async fn rename(&mut self) {
        let (from, to) = [("x", "z"), ("z", "x"), ("z", "x/y"), ("x/y", "z")][self.random(4)];
        let command = format!("RENAME {from} {to}");
        if !self.others.contains_key(from) {
            return self.refused(0, &command, "[NONEXISTENT]").await;
        }
        if self.others.contains_key(to) {
            return self.refused(0, &command, "[ALREADYEXISTS]").await;
        }
        if from == "x" && self.others.contains_key("x/y") {
            // `z/y` is no name of this game.
            return;
        }
        let folder = self.others.remove(from).unwrap();
        self.make(to);
        self.others.insert(to, folder);
        self.say(0, &command).await;
    }

    /// A folder, with the one above it.
    fn make(&mut self, name: &'static str) {
        if name == "x/y" {
            self.others.entry("x").or_default();
        }
        self.others.insert(name, Folder::default());
    }

    /// Little room is left, or much, or there is no limit.
    async fn limit(&mut self) {
        let used = self.used().1;
        let quota = match self.random(4) {
            0 => used + self.random(100) as u64 + 1,
            1 => 3 * used + 1000,
            _ => 0,
        };
        self.set_quota(quota).await;
    }

    /// What brings a warning into INBOX (ST-9) is not what this is about: the limit goes before it.
    async fn no_warning(&mut self, size: u64) {
        let used = self.used().1 + size;
        if self.quota > 0 && !self.over(size) && 100 * used >= 80 * self.quota {
            self.set_quota(0).await;
        }
    }

    async fn set_quota(&mut self, quota: u64) {
        self.quota = quota;
        self.trace.push(format!("quota {}", self.quota));
        self.house.quota(ADDRESS, self.quota).await;
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
        // Nothing is on its way any more.
        self.house.stored(ADDRESS).await;
        self.lazy.clear();
        self.say(session, "NOOP").await;
        let want: Vec<_> = self.folders[folder].messages.clone().into_iter().collect();
        let client = &self.clients[session];
        assert_eq!(client.messages.len(), want.len(), "{:#?}", self.trace);
        for ((known, flags), (uid, message)) in client.messages.iter().zip(&want) {
            assert_eq!(known, uid, "{:#?}", self.trace);
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
            if told.recent && !self.clients[session].read_only {
                assert!(kept.recent.is_none_or(|who| who == selection), "{context}");
                kept.recent = Some(selection);
            }
        }
    }

    /// The store holds what it should.
    async fn look(&mut self) {
        if !self.lazy.is_empty() && self.random(2) == 0 {
            return;
        }
        self.lazy.clear();
        let mut found = self.house.stored(ADDRESS).await;
        let names = FOLDERS.into_iter().zip(&mut self.folders);
        let others = self.others.iter_mut().map(|(name, folder)| (*name, folder));
        for (name, folder) in names.chain(others) {
            let context = format!("{name}\n{:#?}", self.trace);
            let stored = found.remove(name).expect(name);
            same(folder, &stored, &context);
        }
        found.retain(|_, stored| !stored.messages.is_empty());
        assert!(found.is_empty(), "{:?}\n{:#?}", found.keys(), self.trace);
        let usage = self.house.usage(ADDRESS);
        let usage = (usage.messages, usage.octets);
        assert_eq!(usage, self.used(), "{:#?}", self.trace);
    }

    /// Messages and octets of all folders.
    fn used(&self) -> (u64, u64) {
        let folders = self.folders.iter().chain(self.others.values());
        let messages = folders.flat_map(|folder| folder.messages.values());
        messages.fold((0, 0), |sum, m| (sum.0 + 1, sum.1 + m.size))
    }

    /// So many more octets would be too much.
    fn over(&self, size: u64) -> bool {
        self.quota > 0 && self.used().1 + size > self.quota
    }

    fn folder(&mut self, name: &str) -> &mut Folder {
        match FOLDERS.iter().position(|folder| *folder == name) {
            Some(place) => &mut self.folders[place],
            None => self.others.get_mut(name).unwrap(),
        }
    }

    fn message(&mut self, folder: usize, uid: u32) -> &mut Message {
        self.folders[folder].messages.get_mut(&uid).unwrap()
    }

    /// UIDs that the client was told of.
    fn known(&self, session: usize) -> BTreeSet<u32> {
        let messages = self.clients[session].messages.iter();
        messages.map(|message| message.0).collect()
    }

    /// Some messages: there, gone or not yet there; half of the time as the client saw them last.
    async fn choose(&mut self, session: usize, folder: usize) -> Chosen {
        if self.random(2) == 0 {
            self.say(session, "NOOP").await;
        }
        let client = self.clients[session].messages.len();
        let uid = client == 0 || self.random(2) == 0;
        let last = if uid {
            usize::try_from(self.folders[folder].last).unwrap() + 2
        } else {
            client
        };
        let count = 1 + self.random(4);
        let numbers = (0..count).map(|_| u32::try_from(1 + self.random(last)).unwrap());
        let numbers: BTreeSet<u32> = numbers.collect();
        let set = set(&numbers);
        let known = self.known(session);
        let place = |n: &u32| self.clients[session].messages[*n as usize - 1].0;
        let mut uids = if uid {
            numbers
        } else {
            numbers.iter().map(place).collect()
        };
        let there = &self.folders[folder].messages;
        uids.retain(|uid| known.contains(uid) && there.contains_key(uid));
        Chosen { uid, set, uids }
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
        let gone = reply.contains("[EXPUNGEISSUED]");
        assert!(reply.starts_with("OK") || gone, "{out}\n{:#?}", self.trace);
        out
    }

    /// Says a command that is refused with this code.
    async fn refused(&mut self, session: usize, command: &str, code: &str) {
        let (out, reply) = self.talk(session, command).await;
        let want = format!("NO {code}");
        assert!(reply.starts_with(&want), "{want} {out}\n{:#?}", self.trace);
    }

    /// Says a command; gives all of the answer, and its last line without the tag.
    async fn talk(&mut self, session: usize, command: &str) -> (String, String) {
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
        if self.clients[session].folder.is_some() {
            self.hear(session, &out);
        }
        (out, reply)
    }

    /// Believes what it is told.
    fn hear(&mut self, session: usize, out: &str) {
        let client = &mut self.clients[session];
        let Some(folder) = client.folder.map(|folder| &self.folders[folder]) else {
            return;
        };
        let messages = &mut client.messages;
        for line in responses(out) {
            let mut words = line.split(' ').skip(1);
            let (number, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            match word.trim_end() {
                "EXISTS" => {
                    assert!(number >= messages.len(), "{line}\n{:#?}", self.trace);
                    let new = number - messages.len();
                    let after = folder.messages.range(client.last + 1..).take(new);
                    messages.extend(after.map(|(uid, _)| (*uid, None)));
                    assert_eq!(messages.len(), number, "{line}\n{:#?}", self.trace);
                    client.last = client.last.max(messages.last().map_or(0, |m| m.0));
                }
                "EXPUNGE" => {
                    messages.remove(number - 1);
                }
                "FETCH" => {
                    let told = fetched(&line).unwrap();
                    if let Some(flags) = told.flags {
                        messages[told.place - 1].1 = Some(flags);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A folder of the store is as it should be; nothing goes back.
fn same(folder: &mut Folder, stored: &Stored, context: &str) {
    assert_eq!(stored.next, folder.last + 1, "{context}");
    assert!(stored.modseq >= folder.modseq, "{context}");
    folder.modseq = stored.modseq;
    let uids: Vec<_> = folder.messages.keys().collect();
    let there: Vec<_> = stored.messages.keys().collect();
    assert_eq!(there, uids, "{context}");
    let (mut octets, mut unseen) = (0, 0);
    for (message, (uid, (flags, modseq, size))) in
        folder.messages.values_mut().zip(&stored.messages)
    {
        assert_eq!(
            (flags, size),
            (&message.flags, &message.size),
            "UID {uid} {context}"
        );
        let (before, old) = &message.stored;
        let changed = old != flags || *before == 0;
        assert!(
            modseq > before || !changed && modseq == before,
            "UID {uid} {context}"
        );
        assert!(*modseq <= stored.modseq, "UID {uid} {context}");
        message.stored = (*modseq, flags.clone());
        octets += size;
        unseen += u32::from(!flags.contains("\\Seen"));
    }
    let counts = (stored.exists as usize, stored.octets, stored.unseen);
    assert_eq!(counts, (stored.messages.len(), octets, unseen), "{context}");
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
