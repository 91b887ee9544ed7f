//! Folders come, go and get other names, also while somebody looks at them; quota.

use super::state::Folder;
use super::{OTHERS, Play};

impl Play {
    pub(super) async fn create(&mut self, session: usize) {
        let name = OTHERS[self.random(OTHERS.len())];
        let command = format!("CREATE {name}");
        if self.names.contains_key(name) {
            return self.refused(session, &command, "NO [ALREADYEXISTS]").await;
        }
        self.make(name);
        self.say(session, &command).await;
    }

    pub(super) async fn delete(&mut self, session: usize) {
        let name = OTHERS[self.random(OTHERS.len())];
        let command = format!("DELETE {name}");
        let Some(folder) = self.names.remove(name) else {
            return self.refused(session, &command, "NO [NONEXISTENT]").await;
        };
        let folder = &mut self.folders[folder];
        folder.name = None;
        folder.messages.clear();
        self.say(session, &command).await;
    }

    /// With the folder below; INBOX stays and gives its messages.
    pub(super) async fn rename(&mut self, session: usize) {
        let pairs = [
            ("x", "z"),
            ("z", "x"),
            ("z", "x/y"),
            ("x/y", "z"),
            ("INBOX", "z"),
        ];
        let (from, to) = pairs[self.random(pairs.len())];
        let command = format!("RENAME {from} {to}");
        if from == "x" && self.names.contains_key("x/y") {
            // `z/y` is no name of this game.
            return;
        }
        if !self.names.contains_key(from) {
            return self.refused(session, &command, "NO [NONEXISTENT]").await;
        }
        if self.names.contains_key(to) {
            return self.refused(session, &command, "NO [ALREADYEXISTS]").await;
        }
        if from == "INBOX" {
            self.make(to);
            let messages = std::mem::take(&mut self.folders[0].messages);
            for message in messages.values() {
                self.folder(to).add(message.copy());
            }
        } else {
            if to == "x/y" && !self.names.contains_key("x") {
                self.make("x");
            }
            let folder = self.names.remove(from).unwrap();
            self.folders[folder].name = Some(to.to_owned());
            self.names.insert(to.to_owned(), folder);
        }
        self.say(session, &command).await;
    }

    /// A folder, with the one above it.
    fn make(&mut self, name: &str) {
        for name in [name.split('/').next().unwrap(), name] {
            if !self.names.contains_key(name) {
                self.names.insert(name.to_owned(), self.folders.len());
                self.folders.push(Folder::new(name));
            }
        }
    }

    /// Little room is left, or much, or there is no limit.
    pub(super) async fn limit(&mut self) {
        let used = self.used().1;
        let quota = match self.random(4) {
            0 => used + self.random(100) as u64 + 1,
            1 => 3 * used + 1000,
            _ => 0,
        };
        self.set_quota(quota).await;
    }

    /// What brings a warning into INBOX (ST-9) is not what this is about: the limit goes before it.
    pub(super) async fn no_warning(&mut self, size: u64) {
        let used = self.used().1 + size;
        if self.quota > 0 && !self.over(size) && 100 * used >= 80 * self.quota {
            self.set_quota(0).await;
        }
    }

    async fn set_quota(&mut self, quota: u64) {
        self.quota = quota;
        self.trace.push(format!("quota {}", self.quota));
        self.house.quota(super::ADDRESS, self.quota).await;
    }

    /// Messages and octets of all folders.
    pub(super) fn used(&self) -> (u64, u64) {
        let messages = self.folders.iter().flat_map(|f| f.messages.values());
        messages.fold((0, 0), |sum, m| (sum.0 + 1, sum.1 + m.size))
    }

    /// So many more octets would be too much.
    pub(super) fn over(&self, size: u64) -> bool {
        self.quota > 0 && self.used().1 + size > self.quota
    }
}
