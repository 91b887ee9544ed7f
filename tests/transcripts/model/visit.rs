//! Clients select folders, leave, and come back with what they know.

use super::super::common::house::Protocol;
use super::hear::set;
use super::state::{Cache, Kind, Known};
use super::{ADDRESS, Play};

impl Play {
    /// The connection breaks or is ended; what the client knows stays.
    pub(super) async fn leave(&mut self, session: usize) {
        if self.coin() {
            self.say(session, "LOGOUT").await;
        }
        self.put_away(session);
        self.trace.push(format!("{session} is gone"));
        self.connections[session] = self.house.connect(Protocol::Imap, None);
        self.clients[session].online = false;
    }

    fn put_away(&mut self, session: usize) {
        let folder = self.clients[session].folder;
        let name = folder.and_then(|folder| self.folders[folder].name.clone());
        self.clients[session].put_away(name);
    }

    pub(super) async fn come_back(&mut self, session: usize) {
        self.say(session, &format!("LOGIN {ADDRESS} secret")).await;
        self.clients[session].online = true;
        let coin = self.coin();
        let names = match self.clients[session].kind {
            Kind::Qresync => "QRESYNC",
            Kind::Condstore if coin => "CONDSTORE",
            _ => return,
        };
        self.say(session, &format!("ENABLE {names}")).await;
    }

    /// A message goes, the client hears of a later change where no number may move, and leaves before it
    /// is told the first: it must not believe that it has come that far.
    pub(super) async fn slip_away(&mut self, session: usize, folder: usize) {
        let Some(name) = self.folders[folder].name.clone() else {
            return;
        };
        if self.clients[session].read_only {
            return;
        }
        self.say(session, "NOOP").await;
        let count = self.clients[session].messages.len();
        if count < 2 {
            return;
        }
        let (gone, place) = (self.random(count), self.random(count));
        if gone == place {
            return;
        }
        let uid = |place: usize| self.clients[session].messages[place].uid;
        let (gone, uid) = (uid(gone), uid(place));
        self.folders[folder].messages.remove(&gone);
        self.trace.push(format!("other: {name} {gone} goes"));
        let uids = [gone].into_iter().collect();
        self.house.change(ADDRESS, &name, uids, true).await;
        let flags = &mut self.message(folder, uid).flags;
        let sign = if flags.remove("$Label") {
            "-"
        } else {
            flags.insert("$Label".to_owned());
            "+"
        };
        let command = format!("STORE {} {sign}FLAGS ($Label)", place + 1);
        self.say(session, &command).await;
        self.leave(session).await;
        self.come_back(session).await;
        self.select_named(session, name).await;
    }

    pub(super) async fn select(&mut self, session: usize) {
        let name = self.name();
        self.select_named(session, name).await;
    }

    async fn select_named(&mut self, session: usize, name: String) {
        let folder = self.names[&name];
        let was = self.clients[session].folder.is_some();
        self.put_away(session);
        let read_only = self.random(4) == 0;
        let cache = self.clients[session].away.remove(&name);
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let parameter = match (&cache, self.clients[session].kind) {
            (Some(cache), _) => self.qresync(cache),
            (None, Kind::Condstore) => " (CONDSTORE)".to_owned(),
            (None, _) => String::new(),
        };
        let command = format!("{verb} {name}{parameter}");
        let (out, reply) = self.exchange(session, &command).await;
        assert!(reply.starts_with("OK"), "{out}\n{:#?}", self.trace);
        assert_eq!(out.starts_with("* OK [CLOSED]"), was, "{:#?}", self.trace);
        let (_, validity) = out.split_once("[UIDVALIDITY ").unwrap();
        let validity = validity.split(']').next().unwrap().to_owned();
        let client = &mut self.clients[session];
        client.folder = Some(folder);
        client.selections += 1;
        client.read_only = read_only;
        client.last = 0;
        client.highest = 0;
        let (earlier, fetch) = (out.contains("(EARLIER)"), out.contains(" FETCH ("));
        let void = cache
            .as_ref()
            .is_none_or(|cache| cache.validity != validity);
        assert!(!void || !earlier && !fetch, "{:#?}", self.trace);
        if let Some(cache) = cache
            && cache.validity == validity
        {
            client.highest = cache.highest;
            let known = cache.messages.into_iter();
            client.cache = known.map(|message| (message.uid, message)).collect();
        }
        client.validity = validity;
        self.hear(session, &command, &out);
        let client = &self.clients[session];
        let left: Vec<u32> = client.cache.keys().copied().collect();
        assert!(left.is_empty(), "{left:?}\n{:#?}", self.trace);
        let count = self.folders[folder].messages.len();
        let exists = format!("* {count} EXISTS");
        assert!(out.contains(&exists), "{:#?}", self.trace);
        let next = self.folders[folder].last + 1;
        let next = format!("[UIDNEXT {next}]");
        assert!(out.contains(&next), "{:#?}", self.trace);
        if !parameter.is_empty() && self.coin() {
            // Nothing is on its way any more.
            self.look_now().await;
            self.say(session, "NOOP").await;
            self.believes(session, folder);
        }
    }

    /// What a client says that it knows.
    fn qresync(&mut self, cache: &Cache) -> String {
        let Cache {
            validity,
            highest,
            messages,
        } = cache;
        let uids = messages.iter().map(|message| message.uid).collect();
        let last = messages.last().map_or(0, |message| message.uid);
        let known = match self.random(3) {
            0 if last > 0 => format!(" {}", set(&uids)),
            1 if last > 0 => format!(" 1:{last}"),
            _ => String::new(),
        };
        let some = (1_u32..).zip(messages).filter(|_| self.random(4) == 0);
        let some: Vec<(u32, &Known)> = some.collect();
        let matching = if some.is_empty() || known.is_empty() {
            String::new()
        } else {
            let places = some.iter().map(|(place, _)| *place).collect();
            let uids = some.iter().map(|(_, message)| message.uid).collect();
            format!(" ({} {})", set(&places), set(&uids))
        };
        format!(" (QRESYNC ({validity} {highest}{known}{matching}))")
    }

    /// What the client does not know of stays.
    pub(super) async fn close(&mut self, session: usize, folder: usize) {
        let known = self.clients[session].known();
        let close = self.random(3) > 0;
        if close && !self.clients[session].read_only {
            let messages = &mut self.folders[folder].messages;
            messages.retain(|uid, message| {
                !message.flags.contains("\\Deleted") || !known.contains(uid)
            });
        }
        let command = if close { "CLOSE" } else { "UNSELECT" };
        self.say(session, command).await;
        self.put_away(session);
    }
}
