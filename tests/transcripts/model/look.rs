//! Looking: at messages, at what the store holds, at what a client believes.

use std::collections::BTreeSet;

use super::hear::{all_fetched, set};
use super::state::Kind;
use super::{ADDRESS, Play};

impl Play {
    /// Sets \Seen; STATUS then waits for it.
    pub(super) async fn read(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        if !self.clients[session].read_only {
            for uid in &chosen.uids {
                let message = self.message(folder, *uid);
                message.flags.insert("\\Seen".to_owned());
            }
            self.lazy.insert(session);
        }
        let (prefix, set) = (chosen.prefix(), &chosen.set);
        let command = format!("{prefix}FETCH {set} (BODY[HEADER] BODY[TEXT])");
        self.say(session, &command).await;
        let others = self.lazy.iter().any(|other| *other != session);
        let Some(name) = self.folders[folder].name.clone() else {
            return;
        };
        if others || self.coin() {
            return;
        }
        let command = format!("STATUS {name} (MESSAGES UNSEEN)");
        let out = self.say(session, &command).await;
        let messages = self.folders[folder].messages.values();
        let count = messages.len();
        let unseen = messages.filter(|m| !m.flags.contains("\\Seen")).count();
        let want = format!("(MESSAGES {count} UNSEEN {unseen})");
        assert!(out.contains(&want), "{want} {out}\n{:#?}", self.trace);
    }

    pub(super) async fn search(&mut self, session: usize, folder: usize) {
        if self.lazy.iter().any(|other| *other != session) {
            return;
        }
        if self.coin() {
            self.say(session, "NOOP").await;
        }
        let known = self.clients[session].known();
        let out = self.say(session, "UID SEARCH FLAGGED NOT SEEN").await;
        let messages = self.folders[folder].messages.iter();
        let found = messages.filter(|(uid, message)| {
            let flags = &message.flags;
            known.contains(uid) && flags.contains("\\Flagged") && !flags.contains("\\Seen")
        });
        let numbers = found.map(|(uid, _)| uid.to_string());
        let words: Vec<_> = ["* SEARCH".to_owned()].into_iter().chain(numbers).collect();
        let want = format!("{}\r\n", words.join(" "));
        assert!(out.contains(&want), "{want} {out}\n{:#?}", self.trace);
    }

    /// A result that is kept as `$`.
    pub(super) async fn save(&mut self, session: usize, folder: usize) {
        self.look_now().await;
        let known = self.clients[session].known();
        let messages = self.folders[folder].messages.iter();
        let found = messages
            .filter(|(uid, message)| known.contains(uid) && !message.flags.contains("\\Answered"));
        let found: BTreeSet<u32> = found.map(|(uid, _)| *uid).collect();
        self.clients[session].saved = found;
        let command = "UID SEARCH RETURN (SAVE) UNANSWERED";
        self.say(session, command).await;
    }

    /// What changed and what went, for a client that is there (RFC 7162 section 3.2.6).
    pub(super) async fn fetch_changed(&mut self, session: usize, folder: usize) {
        let client = &self.clients[session];
        if client.kind == Kind::Plain || client.messages.is_empty() {
            return;
        }
        self.look_now().await;
        let client = &self.clients[session];
        let (qresync, known) = (client.kind == Kind::Qresync, client.known());
        let since = self.random(usize::try_from(self.folders[folder].modseq).unwrap() + 1) as u64;
        let vanished = if qresync { " VANISHED" } else { "" };
        let command = format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{vanished})");
        let out = self.say(session, &command).await;
        let told = all_fetched(&out).into_iter();
        let told: BTreeSet<u32> = told.filter_map(|told| told.uid).collect();
        let messages = self.folders[folder].messages.iter();
        let changed = messages.filter(|(uid, m)| known.contains(uid) && m.stored.0 > since);
        let changed: BTreeSet<u32> = changed.map(|(uid, _)| *uid).collect();
        let missing: BTreeSet<u32> = changed.difference(&told).copied().collect();
        assert!(missing.is_empty(), "{missing:?} {out}\n{:#?}", self.trace);
        if qresync {
            let earlier = out.find("(EARLIER)").unwrap_or(0);
            let fetch = out.find(" FETCH (").unwrap_or(usize::MAX);
            assert!(earlier < fetch, "{out}\n{:#?}", self.trace);
        }
    }

    /// What a client was told must be all that there is to know; then it asks.
    pub(super) async fn compare(&mut self, session: usize) {
        let Some(folder) = self.clients[session].folder else {
            return;
        };
        // Nothing is on its way any more.
        self.look_now().await;
        self.say(session, "NOOP").await;
        self.believes(session, folder);
        let want: Vec<_> = self.folders[folder].messages.clone().into_iter().collect();
        let selection = (session, self.clients[session].selections);
        let condstore = self.clients[session].kind > Kind::Plain;
        let items = if condstore { "FLAGS MODSEQ" } else { "FLAGS" };
        let command = format!("UID FETCH 1:* ({items})");
        let out = self.say(session, &command).await;
        let told = all_fetched(&out);
        assert_eq!(told.len(), want.len(), "{out}\n{:#?}", self.trace);
        for (told, (uid, message)) in told.iter().zip(&want) {
            let context = format!("{told:?}\n{:#?}", self.trace);
            assert_eq!(told.uid, Some(*uid), "{context}");
            assert_eq!(told.flags.as_ref(), Some(&message.flags), "{context}");
            let modseq = condstore.then_some(message.stored.0);
            assert_eq!(told.modseq, modseq, "{context}");
            let kept = self.folders[folder].messages.get_mut(uid).unwrap();
            if told.recent && !self.clients[session].read_only {
                assert!(kept.recent.is_none_or(|who| who == selection), "{context}");
                kept.recent = Some(selection);
            }
        }
    }

    /// The client's picture is the folder.
    pub(super) fn believes(&self, session: usize, folder: usize) {
        let (client, folder) = (&self.clients[session], &self.folders[folder]);
        let context = format!("{session} {:#?}", self.trace);
        let uids: BTreeSet<u32> = folder.messages.keys().copied().collect();
        let known = client.known();
        assert_eq!(set(&known), set(&uids), "{context}");
        for (known, message) in client.messages.iter().zip(folder.messages.values()) {
            let context = format!("{known:?}\n{context}");
            let flags = known.flags.as_ref().unwrap_or(&message.flags);
            assert_eq!(*flags, message.flags, "{context}");
            let modseq = known.modseq.unwrap_or(message.stored.0);
            // What a client knows the flags of it may know an older MODSEQ of.
            assert_eq!(modseq, message.stored.0, "{context}");
        }
    }

    /// The store holds what it should.
    pub(super) async fn look(&mut self) {
        if self.lazy.is_empty() || self.coin() {
            self.look_now().await;
        }
    }

    pub(super) async fn look_now(&mut self) {
        self.lazy.clear();
        let mut found = self.house.stored(ADDRESS).await;
        for (name, place) in &self.names {
            let context = format!("{name}\n{:#?}", self.trace);
            let stored = found.remove(name).expect(&context);
            self.folders[*place].same(&stored, &context);
        }
        found.retain(|_, stored| !stored.messages.is_empty());
        assert!(found.is_empty(), "{:?}\n{:#?}", found.keys(), self.trace);
        let usage = self.house.usage(ADDRESS);
        let usage = (usage.messages, usage.octets);
        assert_eq!(usage, self.used(), "{:#?}", self.trace);
    }
}
