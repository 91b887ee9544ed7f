//! Commands that change messages.

use std::collections::BTreeSet;

use super::Play;
use super::hear::{numbers, set, words};
use super::state::{Chosen, FlagSet, Kind, Message};

/// How a STORE changes flags: `+`, `-` or all of them.
fn alter(old: &mut FlagSet, sign: &str, flags: &FlagSet) {
    match sign {
        "+" => old.extend(flags.iter().cloned()),
        "-" => old.retain(|flag| !flags.contains(flag)),
        _ => old.clone_from(flags),
    }
}

impl Play {
    pub(super) async fn store(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let flags = self.flags();
        let sign = ["", "+", "-"][self.random(3)];
        let silent = self.coin();
        let since = self.since(session, &chosen).await;
        let condition = since.map_or(String::new(), |n| format!("(UNCHANGEDSINCE {n}) "));
        let suffix = if silent { ".SILENT" } else { "" };
        let (prefix, list) = (chosen.prefix(), words(&flags));
        let command = format!(
            "{prefix}STORE {} {condition}{sign}FLAGS{suffix} ({list})",
            chosen.set
        );
        if self.clients[session].read_only {
            return self.refused(session, &command, "NO [READ-ONLY]").await;
        }
        let mut failed = BTreeSet::new();
        for uid in &chosen.uids {
            let message = self.message(folder, *uid);
            if since.is_some_and(|since| message.stored.0 > since) {
                failed.insert(*uid);
            } else {
                alter(&mut message.flags, sign, &flags);
            }
        }
        let (out, reply) = self.exchange(session, &command).await;
        if silent {
            // What it asked not to be told the client works out itself.
            let known = &mut self.clients[session].messages;
            let meant = |uid: u32| chosen.named.contains(&uid) && !failed.contains(&uid);
            for message in known.iter_mut().filter(|message| meant(message.uid)) {
                if let Some(known) = &mut message.flags {
                    alter(known, sign, &flags);
                } else if sign.is_empty() {
                    message.flags = Some(flags.clone());
                }
            }
        }
        let place = |uid: &u32| {
            let messages = &self.clients[session].messages;
            let place = messages.iter().position(|message| message.uid == *uid);
            u32::try_from(place.unwrap()).unwrap() + 1
        };
        let modified: BTreeSet<u32> = if chosen.uid {
            failed
        } else {
            failed.iter().map(place).collect()
        };
        self.hear(session, &command, &out);
        let no = chosen.is_stale() && (!silent || chosen.uids.is_empty());
        let status = if no { "NO" } else { "OK" };
        let code = reply.split_once("[MODIFIED ").map(|(_, code)| code);
        let code = code.map(|code| numbers(code.split(']').next().unwrap()));
        let context = format!("{}\n{out}\n{:#?}", set(&modified), self.trace);
        assert!(reply.starts_with(status), "{status} {context}");
        assert_eq!(code.unwrap_or_default(), modified, "{context}");
        let issued = reply.contains("[EXPUNGEISSUED]");
        assert_eq!(issued, no && modified.is_empty(), "{context}");
    }

    /// A MODSEQ above which messages are not to be changed: of one of them, or about that.
    async fn since(&mut self, session: usize, chosen: &Chosen) -> Option<u64> {
        if self.clients[session].kind == Kind::Plain || self.coin() {
            return None;
        }
        // Their MODSEQs are known then.
        self.look_now().await;
        let folder = self.clients[session].folder?;
        let uid = chosen.uids.iter().nth(self.random(chosen.uids.len()))?;
        let modseq = self.folders[folder].messages[uid].stored.0;
        Some((modseq + self.random(3) as u64).saturating_sub(1))
    }

    pub(super) async fn expunge(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let whole = !chosen.uid;
        let command = if whole {
            "EXPUNGE".to_owned()
        } else {
            format!("UID EXPUNGE {}", chosen.set)
        };
        if self.clients[session].read_only {
            return self.refused(session, &command, "NO [READ-ONLY]").await;
        }
        let known = self.clients[session].known();
        let messages = &mut self.folders[folder].messages;
        let count = messages.len();
        messages.retain(|uid, message| {
            let meant = known.contains(uid) && (whole || chosen.uids.contains(uid));
            !message.flags.contains("\\Deleted") || !meant
        });
        let some = messages.len() < count;
        let (out, reply) = self.talk(session, &command).await;
        assert!(reply.starts_with("OK"), "{out}\n{:#?}", self.trace);
        let highest = reply.contains("[HIGHESTMODSEQ ");
        let wanted = some && self.clients[session].kind == Kind::Qresync;
        assert_eq!(highest, wanted, "{out}\n{:#?}", self.trace);
    }

    pub(super) async fn copy(&mut self, session: usize, folder: usize) {
        let chosen = self.choose(session, folder).await;
        let name = if self.random(4) == 0 {
            super::OTHERS[self.random(super::OTHERS.len())].to_owned()
        } else {
            self.name()
        };
        let moves = self.coin();
        let verb = if moves { "MOVE" } else { "COPY" };
        let command = format!("{}{verb} {} {name}", chosen.prefix(), chosen.set);
        let messages = &self.folders[folder].messages;
        let taken = chosen.uids.iter().map(|uid| (*uid, messages[uid].clone()));
        let taken: Vec<(u32, Message)> = taken.collect();
        let size = taken.iter().map(|(_, message)| message.size).sum();
        self.no_warning(size).await;
        let refusal = if !self.names.contains_key(&name) {
            Some("NO [TRYCREATE]")
        } else if chosen.is_stale() {
            Some("NO [EXPUNGEISSUED]")
        } else if moves && self.clients[session].read_only {
            Some("NO [READ-ONLY]")
        } else if !moves && !taken.is_empty() && self.over(size) {
            Some("NO [OVERQUOTA]")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.refused(session, &command, refusal).await;
        }
        let first = self.folder(&name).last + 1;
        for (uid, message) in &taken {
            self.folder(&name).add(message.copy());
            if moves {
                self.folders[folder].messages.remove(uid);
            }
        }
        let (out, reply) = self.talk(session, &command).await;
        assert!(reply.starts_with("OK"), "{out}\n{:#?}", self.trace);
        let code = out.split_once("[COPYUID ").map(|(_, code)| code);
        assert_eq!(code.is_some(), !taken.is_empty(), "{:#?}", self.trace);
        if let Some(code) = code {
            let (code, _) = code.split_once(']').unwrap();
            let mut sets = code.split(' ').skip(1).map(numbers);
            assert_eq!(sets.next(), Some(chosen.uids), "{out}\n{:#?}", self.trace);
            let last = first + u32::try_from(taken.len()).unwrap() - 1;
            let new = (first..=last).collect();
            assert_eq!(sets.next(), Some(new), "{out}\n{:#?}", self.trace);
            if moves {
                // RFC 6851 section 4.3.
                let before = !out.split("[COPYUID").next().unwrap().contains("EXPUNGE");
                assert!(before, "{out}\n{:#?}", self.trace);
                let wanted = self.clients[session].kind == Kind::Qresync;
                let highest = reply.starts_with("OK [HIGHESTMODSEQ ");
                assert_eq!(highest, wanted, "{out}\n{:#?}", self.trace);
            }
        }
    }
}
