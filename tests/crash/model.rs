//! What the store has to hold: a plain model of everything that was asked of it.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::{
    base::{
        id::{FolderId, Uid, UserId},
        ranges::Ranges,
        secret::Secret,
        time::Time,
    },
    mail::flag::Flags,
    store::{
        Body, Store,
        directory::DomainClass,
        mailbox::STANDARD,
        request::{Append, Appended, Deliver, Flag, FlagMode, Recipient, Request},
    },
};

use crate::disk::Dice;

/// The fake calendar's time.
pub const TIME: i64 = 1_790_000_000;

/// The text of a message: `tag` names it, every octet follows from it.
pub fn text(tag: u64, size: usize) -> Vec<u8> {
    let mut out = format!("X-Tag: {tag}\r\nX-Size: {size}\r\n\r\n").into_bytes();
    let mut dice = Dice::new(tag);
    while out.len() < size {
        if tag.is_multiple_of(3) {
            out.extend_from_slice(b"The same line again and again deflates well.\r\n");
        } else {
            out.extend_from_slice(&dice.next().to_le_bytes());
        }
    }
    out.truncate(size.max(64));
    out
}

/// Tag and size of a text that was read back; `None` if it is none or not all there.
pub fn tag_of(octets: &[u8]) -> Option<(u64, usize)> {
    let head = octets.get(..octets.len().min(64))?;
    let head: String = head.iter().map(|&octet| char::from(octet)).collect();
    let mut lines = head.split("\r\n");
    let tag = lines.next()?.strip_prefix("X-Tag: ")?.parse().ok()?;
    let size = lines.next()?.strip_prefix("X-Size: ")?.parse().ok()?;
    (text(tag, size) == octets).then_some((tag, size))
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageView {
    pub flags: u8,
    pub keywords: BTreeSet<String>,
    pub modseq: u64,
    pub tag: u64,
    pub size: u64,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FolderView {
    pub user: u32,
    pub name: String,
    pub validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub messages: BTreeMap<u32, MessageView>,
}

/// All that can be seen from outside.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct View {
    pub domains: BTreeSet<String>,
    pub users: BTreeMap<u32, String>,
    pub folders: BTreeMap<u32, FolderView>,
    pub settings: BTreeMap<String, String>,
    pub subscriptions: BTreeSet<(u32, String)>,
}

/// The model: a view, and the counters that hand out numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Model {
    pub view: View,
    pub next_user: u32,
    pub next_folder: u32,
    pub next_validity: u32,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            view: View::default(),
            next_user: 1,
            next_folder: 1,
            next_validity: u32::try_from(TIME).unwrap(),
        }
    }
}

/// A request of a script.
#[derive(Clone, Debug)]
pub enum Wish {
    AddDomain(String),
    AddUser(String),
    Append(u32, Vec<(u64, usize)>),
    Copy(u32, u32, Ranges),
    Create(u32, String),
    Delete(u32),
    /// Tag, size, users.
    Deliver(u64, usize, Vec<u32>),
    Expunge(u32, Option<Ranges>),
    Flag(u32, Ranges, FlagMode, Flags, Vec<String>),
    Move(u32, u32, Ranges),
    Purge(u32),
    Rename(u32, String),
    Set(String, Option<String>),
    Subscribe(u32, String, bool),
}

impl Wish {
    /// The request; a delivery takes the body that came in pieces, if there is one.
    pub fn request(&self, streamed: Option<Body>) -> Request {
        match self.clone() {
            Self::AddDomain(name) => Request::AddDomain {
                name,
                class: DomainClass::Mailbox,
            },
            Self::AddUser(address) => Request::AddUser {
                address,
                password: Secret::new(b"$argon2id$".to_vec()),
                quota: 0,
            },
            Self::Append(folder, messages) => Request::Append(Append {
                folder: FolderId(folder),
                messages: messages.into_iter().map(appended).collect(),
            }),
            Self::Copy(from, to, uids) => Request::Copy {
                from: FolderId(from),
                to: FolderId(to),
                uids,
            },
            Self::Create(user, name) => Request::CreateFolder {
                user: UserId(user),
                name,
                special: None,
            },
            Self::Delete(folder) => Request::DeleteFolder {
                folder: FolderId(folder),
            },
            Self::Deliver(tag, size, to) => Request::Deliver(Deliver {
                prefix: PREFIX.to_vec(),
                body: streamed.unwrap_or_else(|| Body::small(text(tag, size))),
                summary: b"summary".to_vec(),
                received: Time(TIME),
                to: to.into_iter().map(recipient).collect(),
            }),
            Self::Expunge(folder, uids) => Request::Expunge {
                folder: FolderId(folder),
                uids,
            },
            Self::Flag(folder, uids, mode, flags, keywords) => Request::Flag(Flag {
                folder: FolderId(folder),
                uids,
                mode,
                flags,
                keywords,
                unchanged_since: None,
                lazy: false,
            }),
            Self::Move(from, to, uids) => Request::Move {
                from: FolderId(from),
                to: FolderId(to),
                uids,
            },
            Self::Purge(user) => Request::RemoveUser {
                user: UserId(user),
                purge: true,
            },
            Self::Rename(folder, name) => Request::RenameFolder {
                folder: FolderId(folder),
                name,
            },
            Self::Set(key, value) => Request::Set { key, value },
            Self::Subscribe(user, name, on) => Request::Subscribe {
                user: UserId(user),
                name,
                on,
            },
        }
    }
}

pub const PREFIX: &[u8] = b"Return-Path: <a@away.test>\r\n";

fn appended((tag, size): (u64, usize)) -> Appended {
    Appended {
        body: Body::small(text(tag, size)),
        summary: Vec::new(),
        date: Time(TIME),
        flags: Flags::SEEN,
        keywords: Vec::new(),
    }
}

fn recipient(user: u32) -> Recipient {
    Recipient {
        user: UserId(user),
        folder: None,
        flags: Flags::NONE,
        keywords: Vec::new(),
    }
}

impl View {
    pub fn inbox(&self, user: u32) -> Option<u32> {
        self.named(user, "INBOX")
    }

    pub fn named(&self, user: u32, name: &str) -> Option<u32> {
        let mut all = self.folders.iter();
        let found = all.find(|(_, f)| f.user == user && f.name == name);
        found.map(|(id, _)| *id)
    }
}

impl Model {
    fn folder(&mut self, id: u32) -> Option<&mut FolderView> {
        self.view.folders.get_mut(&id)
    }

    fn make_folder(&mut self, user: u32, name: &str) {
        let folder = FolderView {
            user,
            name: name.to_owned(),
            validity: self.next_validity,
            uid_next: 1,
            modseq: 1,
            messages: BTreeMap::new(),
        };
        self.view.folders.insert(self.next_folder, folder);
        self.next_folder += 1;
        self.next_validity += 1;
    }

    /// Carries a wish out. `None`: it is to be refused.
    #[must_use]
    pub fn apply(&mut self, wish: &Wish) -> Option<()> {
        match wish {
            Wish::AddDomain(name) => self.view.domains.insert(name.clone()).then_some(()),
            Wish::AddUser(address) => {
                let (_, domain) = address.rsplit_once('@')?;
                let taken = self.view.users.values().any(|a| a == address);
                (self.view.domains.contains(domain) && !taken).then_some(())?;
                let user = self.next_user;
                self.next_user += 1;
                self.view.users.insert(user, address.clone());
                for (name, _) in STANDARD {
                    self.make_folder(user, name);
                    self.view.subscriptions.insert((user, name.to_owned()));
                }
                Some(())
            }
            Wish::Append(folder, messages) => {
                let folder = self.folder(*folder)?;
                let modseq = folder.modseq + 1;
                for &(tag, size) in messages {
                    let size = text(tag, size).len() as u64;
                    folder.arrive(modseq, tag, size, Flags::SEEN);
                }
                Some(())
            }
            Wish::Copy(from, to, uids) => self.copy(*from, *to, uids, false),
            Wish::Create(user, name) => {
                self.view.users.get(user)?;
                let free = self.view.named(*user, name).is_none();
                free.then(|| self.make_folder(*user, name))
            }
            Wish::Delete(folder) => {
                (self.folder(*folder)?.name != "INBOX").then_some(())?;
                self.view.folders.remove(folder).map(drop)
            }
            Wish::Deliver(tag, size, users) => self.deliver(*tag, *size, users),
            Wish::Expunge(folder, uids) => {
                let folder = self.folder(*folder)?;
                let before = folder.messages.len();
                folder.messages.retain(|uid, m| {
                    let named = uids.as_ref().is_none_or(|uids| uids.contains(*uid));
                    !(named && Flags(m.flags).has(Flags::DELETED))
                });
                folder.modseq += u64::from(folder.messages.len() < before);
                Some(())
            }
            Wish::Flag(folder, uids, mode, flags, keywords) => {
                self.flag(*folder, uids, *mode, *flags, keywords)
            }
            Wish::Move(from, to, uids) => self.copy(*from, *to, uids, true),
            Wish::Purge(user) => {
                self.view.users.remove(user)?;
                self.view.folders.retain(|_, f| f.user != *user);
                self.view.subscriptions.retain(|(u, _)| u != user);
                Some(())
            }
            Wish::Rename(folder, name) => self.rename(*folder, name),
            Wish::Set(key, Some(value)) => {
                self.view.settings.insert(key.clone(), value.clone());
                Some(())
            }
            Wish::Set(key, None) => {
                self.view.settings.remove(key);
                Some(())
            }
            Wish::Subscribe(user, name, on) => {
                self.view.users.get(user)?;
                let entry = (*user, name.clone());
                if *on {
                    self.view.subscriptions.insert(entry);
                } else {
                    self.view.subscriptions.remove(&entry);
                }
                Some(())
            }
        }
    }

    fn deliver(&mut self, tag: u64, size: usize, users: &[u32]) -> Option<()> {
        let inboxes: Option<BTreeSet<u32>> = users.iter().map(|&u| self.view.inbox(u)).collect();
        let size = text(tag, size).len() + PREFIX.len();
        for inbox in inboxes? {
            let folder = self.folder(inbox)?;
            folder.arrive(folder.modseq + 1, tag, size as u64, Flags::NONE);
        }
        Some(())
    }

    fn copy(&mut self, from: u32, to: u32, uids: &Ranges, moves: bool) -> Option<()> {
        self.folder(to)?;
        let source = self.folder(from)?;
        let there: Vec<(u32, MessageView)> = source
            .messages
            .iter()
            .filter(|(uid, _)| uids.contains(**uid))
            .map(|(uid, message)| (*uid, message.clone()))
            .collect();
        if there.is_empty() {
            return Some(());
        }
        if moves {
            source.messages.retain(|uid, _| !uids.contains(*uid));
            source.modseq += u64::from(from != to);
        }
        let target = self.folder(to)?;
        target.modseq += 1;
        for (_, message) in there {
            let modseq = target.modseq;
            let copy = MessageView { modseq, ..message };
            target.messages.insert(target.uid_next, copy);
            target.uid_next += 1;
        }
        Some(())
    }

    fn flag(
        &mut self,
        folder: u32,
        uids: &Ranges,
        mode: FlagMode,
        flags: Flags,
        keywords: &[String],
    ) -> Option<()> {
        let folder = self.folder(folder)?;
        let modseq = folder.modseq + 1;
        for (uid, message) in &mut folder.messages {
            if !uids.contains(*uid) {
                continue;
            }
            let before = message.clone();
            let names = keywords.iter().cloned();
            match mode {
                FlagMode::Add => {
                    message.flags |= flags.0;
                    message.keywords.extend(names);
                }
                FlagMode::Remove => {
                    message.flags &= !flags.0;
                    message.keywords.retain(|k| !keywords.contains(k));
                }
                FlagMode::Replace => {
                    message.flags = flags.0;
                    message.keywords = names.collect();
                }
            }
            if *message != before {
                message.modseq = modseq;
                folder.modseq = modseq;
            }
        }
        Some(())
    }

    fn rename(&mut self, id: u32, name: &str) -> Option<()> {
        let folder = self.folder(id)?.clone();
        self.view.named(folder.user, name).is_none().then_some(())?;
        if folder.name == "INBOX" {
            self.make_folder(folder.user, name);
            let all = Ranges::span(1, u32::MAX);
            return self.copy(id, self.next_folder - 1, &all, true);
        }
        let inside = format!("{}/", folder.name);
        (!name.starts_with(&inside)).then_some(())?;
        for other in self.view.folders.values_mut() {
            if other.user == folder.user
                && let Some(rest) = other.name.strip_prefix(&inside)
            {
                other.name = format!("{name}/{rest}");
            }
        }
        name.clone_into(&mut self.folder(id)?.name);
        Some(())
    }
}

impl FolderView {
    fn arrive(&mut self, modseq: u64, tag: u64, size: u64, flags: Flags) {
        let message = MessageView {
            flags: flags.0,
            keywords: BTreeSet::new(),
            modseq,
            tag,
            size,
        };
        self.messages.insert(self.uid_next, message);
        self.uid_next += 1;
        self.modseq = modseq;
    }
}

/// Content that reads as something else than any message.
pub const DAMAGED: u64 = u64::MAX;

/// What the store shows; counts are compared with the rows on the way. `damage`: content may be
/// unreadable, and shows as [`DAMAGED`].
pub fn view(store: &Store, damage: bool) -> Result<View, String> {
    let broken = |error: pillarbox::store::Broken| format!("a row cannot be read: {error}");
    let mut view = View::default();
    let (users, mut contents) = store
        .read(|reader| {
            view.domains = reader
                .domains()?
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            view.settings = reader.settings()?.into_iter().collect();
            Ok((reader.users(None, 1000)?, BTreeMap::new()))
        })
        .map_err(broken)?;
    for (user, row) in users {
        view.users.insert(user.0, row.address);
        let (folders, usage) = store
            .read(|reader| {
                for name in reader.subscriptions(user)? {
                    view.subscriptions.insert((user.0, name));
                }
                Ok((reader.folders(user)?, reader.usage(user)?))
            })
            .map_err(broken)?;
        let (mut octets, mut count) = (0, 0);
        for (id, row) in folders {
            let mut folder = FolderView {
                user: user.0,
                name: row.name.clone(),
                validity: row.validity,
                uid_next: row.uid_next.0,
                modseq: row.modseq.0,
                messages: BTreeMap::new(),
            };
            let mut all = Vec::new();
            let uids = store
                .read(|reader| {
                    reader.messages(id, Uid(1), Uid(u32::MAX), &mut |uid, message| {
                        all.push((uid.0, message.clone()));
                        std::ops::ControlFlow::Continue(())
                    })?;
                    reader.uids(id)
                })
                .map_err(broken)?;
            for (uid, message) in &all {
                let tag = match contents.get(&message.content) {
                    Some(&tag) => tag,
                    None => content(store, message.content, message.size, damage)?,
                };
                contents.insert(message.content, tag);
                let places = message.keywords.iter();
                let names = places.map(|&place| row.keywords[usize::from(place)].clone());
                let shown = MessageView {
                    flags: message.flags.0,
                    keywords: names.collect(),
                    modseq: message.modseq.0,
                    tag,
                    size: message.size,
                };
                folder.messages.insert(*uid, shown);
            }
            let unseen: Vec<u32> = folder
                .messages
                .iter()
                .filter(|(_, m)| !Flags(m.flags).has(Flags::SEEN))
                .map(|(uid, _)| *uid)
                .collect();
            let sum: u64 = folder.messages.values().map(|m| m.size).sum();
            let counted = (folder.messages.len(), unseen.len(), sum);
            let said = (row.exists as usize, row.unseen as usize, row.octets);
            let first = unseen.first().copied().unwrap_or(0);
            if counted != said || row.first_unseen.0 != first {
                return Err(format!(
                    "folder {id:?} counts {said:?}, first unseen {:?}; its rows {counted:?}, {first}",
                    row.first_unseen
                ));
            }
            if uids.iter().ne(folder.messages.keys().copied()) {
                return Err(format!(
                    "folder {id:?} has the UIDs {uids:?} without a scan"
                ));
            }
            octets += sum;
            count += folder.messages.len() as u64;
            view.folders.insert(id.0, folder);
        }
        if (usage.octets, usage.messages) != (octets, count) {
            return Err(format!("{user:?} uses {usage:?}, not {octets} and {count}"));
        }
    }
    Ok(view)
}

/// Reads content and says which message it is.
fn content(
    store: &Store,
    id: pillarbox::base::id::ContentId,
    size: u64,
    damage: bool,
) -> Result<u64, String> {
    let read = (|| -> Result<Vec<u8>, String> {
        let content = store.content(id).map_err(|error| error.to_string())?;
        let mut content = content.ok_or("it is not there")?;
        read_all(&mut content)
    })();
    let octets = match read {
        Ok(octets) => octets,
        Err(_) if damage => return Ok(DAMAGED),
        Err(error) => return Err(format!("{id:?} cannot be read: {error}")),
    };
    if octets.len() as u64 != size {
        return Err(format!("{id:?} has {} octets, not {size}", octets.len()));
    }
    let text = octets.strip_prefix(PREFIX).unwrap_or(&octets);
    let (tag, _) = tag_of(text).ok_or_else(|| format!("{id:?} reads as something else"))?;
    Ok(tag)
}

pub fn read_all(content: &mut pillarbox::store::Content) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    loop {
        let part = content
            .read(out.len() as u64)
            .map_err(|error| error.to_string())?;
        if part.is_empty() {
            return Ok(out);
        }
        out.extend_from_slice(part);
    }
}
