//! What the store has to hold: a plain model of everything that was asked of it.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::{
    base::{
        id::{FolderId, ModSeq, QueueId, UserId},
        ranges::Ranges,
        secret::Secret,
        time::Time,
    },
    mail::flag::Flags,
    store::{
        Body,
        directory::{Alias, DomainClass, Edit, NewAppPassword, ScramKeys, Swap},
        mailbox::STANDARD,
        queue::{Arrival, LaneNote, Queued, QueuedRecipient, Settled},
        request::{Append, Appended, Deliver, Flag, FlagMode, Recipient, Request},
    },
};

use crate::disk::Dice;

use crate::view::PersonView;
pub use crate::view::{DAMAGED, FolderView, MessageView, View, view};

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

/// The model: a view, and the counters that hand out numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Model {
    pub view: View,
    pub next_user: u32,
    pub next_folder: u32,
    pub next_queue: u64,
    pub next_app: u32,
    pub next_validity: u32,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            view: View::default(),
            next_user: 1,
            next_folder: 1,
            next_queue: 1,
            next_app: 1,
            next_validity: u32::try_from(TIME).unwrap(),
        }
    }
}

/// A request of a script.
#[derive(Clone, Debug)]
pub enum Wish {
    AddApp(u32, String),
    AddDomain(String),
    AddUser(String),
    Append(u32, Vec<(u64, usize)>),
    Copy(u32, u32, Ranges),
    Create(u32, String),
    Delete(u32),
    /// Tag, size, users.
    Deliver(u64, usize, Vec<u32>),
    /// Aliases: source, target that it has, target that it gets.
    Edit(Vec<(String, Option<String>, Option<String>)>),
    Expunge(u32, Option<Ranges>),
    Flag(u32, Ranges, FlagMode, Flags, Vec<String>),
    /// STORE UNCHANGEDSINCE.
    FlagSince(u32, Ranges, Flags, u64),
    Hold(Vec<u64>, bool),
    /// The mail is kept.
    Leave(u32),
    Move(u32, u32, Ranges),
    Password(u32, String),
    Purge(u32),
    /// QUIT after DELE (POP3).
    Remove(u32, Ranges),
    RemoveApp(u32, u32),
    RemoveQueued(u64),
    Rename(u32, String),
    /// A message that tells what became of others: tag, size, users, others, outcomes.
    Report(u64, usize, Vec<u32>, Vec<String>, Vec<Settled>),
    Retry(Vec<u64>),
    /// \Seen by FETCH: nobody waits for it.
    Seen(u32, Ranges),
    /// Tag, size, users, others.
    Send(u64, usize, Vec<u32>, Vec<String>),
    Set(String, Option<String>),
    Settle(Vec<Settled>, Option<LaneNote>, u64),
    Subscribe(u32, String, bool),
    /// Nobody waits for it.
    Uptime(u64),
    /// Without names, all.
    Wake(u64, Vec<String>),
}

impl Wish {
    /// The request; a delivery takes the body that came in pieces, if there is one.
    pub fn request(&self, streamed: Option<Body>) -> Request {
        if let Some(flag) = self.flag() {
            return Request::Flag(flag);
        }
        if let Some(request) = self.clone().of_the_queue() {
            return request;
        }
        match self.clone() {
            Self::AddApp(user, name) => Request::AddAppPassword {
                user: UserId(user),
                app: NewAppPassword {
                    name,
                    sha256: [1; 32],
                    scram: keys(),
                },
            },
            Self::AddDomain(name) => Request::AddDomain {
                name,
                class: DomainClass::Mailbox,
                listed: false,
            },
            Self::AddUser(address) => Request::AddUser {
                address,
                password: Secret::new(PASSWORD.as_bytes().to_vec()),
                scram: Some(keys()),
                scram_salt: [3; 16],
                scram_count: 4096,
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
            Self::Deliver(tag, size, to) => deliver(tag, size, streamed, to, None, vec![]),
            Self::Edit(rows) => Request::Edit(rows.into_iter().map(swap).collect()),
            Self::Expunge(folder, uids) => Request::Expunge {
                folder: FolderId(folder),
                uids,
            },
            Self::Leave(user) => leave(user, false),
            Self::Move(from, to, uids) => Request::Move {
                from: FolderId(from),
                to: FolderId(to),
                uids,
            },
            Self::Purge(user) => leave(user, true),
            Self::Password(user, password) => Request::SetPassword {
                user: UserId(user),
                password: Secret::new(password.into_bytes()),
                scram: None,
                scram_salt: [4; 16],
                scram_count: 4096,
                changed: true,
                was: None,
            },
            Self::Remove(folder, uids) => Request::RemoveMessages {
                folder: FolderId(folder),
                uids,
            },
            Self::RemoveApp(user, id) => Request::RemoveAppPassword {
                user: UserId(user),
                id,
            },
            Self::Rename(folder, name) => Request::RenameFolder {
                folder: FolderId(folder),
                name,
            },
            Self::Report(tag, size, to, others, settles) => {
                let queued = (!others.is_empty()).then(|| queued(tag, &others));
                deliver(tag, size, streamed, to, queued, settles)
            }
            Self::Send(tag, size, to, others) => {
                let queued = queued(tag, &others);
                deliver(tag, size, streamed, to, Some(queued), vec![])
            }
            Self::Set(key, value) => Request::Set { key, value },
            Self::Subscribe(user, name, on) => Request::Subscribe {
                user: UserId(user),
                name,
                on,
            },
            _ => unreachable!(),
        }
    }
}

fn leave(user: u32, purge: bool) -> Request {
    let user = UserId(user);
    Request::RemoveUser { user, purge }
}

impl Wish {
    fn of_the_queue(self) -> Option<Request> {
        Some(match self {
            Self::Hold(queues, held) => Request::HoldQueued {
                queues: queues.into_iter().map(QueueId).collect(),
                held,
            },
            Self::RemoveQueued(id) => Request::RemoveQueued { queue: QueueId(id) },
            Self::Retry(queues) => Request::RetryQueued {
                queues: queues.into_iter().map(QueueId).collect(),
            },
            Self::Settle(settled, lane, uptime) => Request::Settle {
                settled,
                lane,
                uptime,
            },
            Self::Uptime(uptime) => Request::Uptime(uptime),
            Self::Wake(uptime, lanes) => Request::WakeLanes { lanes, uptime },
            _ => return None,
        })
    }

    fn flag(&self) -> Option<Flag> {
        Some(match self.clone() {
            Self::Flag(folder, uids, mode, flags, keywords) => Flag {
                mode,
                keywords,
                ..add(folder, uids, flags)
            },
            Self::FlagSince(folder, uids, flags, since) => Flag {
                unchanged_since: Some(ModSeq(since)),
                ..add(folder, uids, flags)
            },
            Self::Seen(folder, uids) => Flag {
                lazy: true,
                ..add(folder, uids, Flags::SEEN)
            },
            _ => return None,
        })
    }
}

fn add(folder: u32, uids: Ranges, flags: Flags) -> Flag {
    Flag {
        folder: FolderId(folder),
        uids,
        mode: FlagMode::Add,
        flags,
        keywords: Vec::new(),
        unchanged_since: None,
        lazy: false,
    }
}

pub const PREFIX: &[u8] = b"Return-Path: <a@away.test>\r\n";

/// What everybody has at first.
pub const PASSWORD: &str = "$argon2id$";

fn swap((name, was, now): (String, Option<String>, Option<String>)) -> Edit {
    let (was, now) = (was.map(alias), now.map(alias));
    Edit::Alias(Swap { name, was, now })
}

fn deliver(
    tag: u64,
    size: usize,
    streamed: Option<Body>,
    to: Vec<u32>,
    queue: Option<Queued>,
    settles: Vec<Settled>,
) -> Request {
    Request::Deliver(Deliver {
        prefix: PREFIX.to_vec(),
        body: streamed.unwrap_or_else(|| Body::small(text(tag, size))),
        summary: b"summary".to_vec(),
        received: Time(TIME),
        to: to.into_iter().map(recipient).collect(),
        queue,
        settles,
        warns: None,
    })
}

fn keys() -> ScramKeys {
    ScramKeys {
        stored: [1; 32],
        server: [2; 32],
    }
}

fn alias(target: String) -> Alias {
    Alias {
        targets: vec![target],
        enabled: true,
        srs: None,
    }
}

fn queued(tag: u64, others: &[String]) -> Queued {
    let recipients = others.iter().map(|address| QueuedRecipient {
        address: address.clone(),
        ..QueuedRecipient::default()
    });
    Queued {
        id: format!("Q{tag}"),
        sender: "anna@home.test".to_owned(),
        submitter: Some(UserId(1)),
        envid: None,
        ret: None,
        body: pillarbox::store::queue::BodyKind::default(),
        smtputf8: false,
        requiretls: false,
        arrival: Arrival::Person,
        recipients: recipients.collect(),
    }
}

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
        always: false,
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
            Wish::FlagSince(folder, uids, flags, since) => {
                let uids = uids.difference(&self.view.later(*folder, uids, *since));
                self.flag(*folder, &uids, FlagMode::Add, *flags, &[])
            }
            Wish::Seen(folder, uids) => self.flag(*folder, uids, FlagMode::Add, Flags::SEEN, &[]),
            Wish::Move(from, to, uids) => self.copy(*from, *to, uids, true),
            Wish::Remove(folder, uids) => {
                let folder = self.folder(*folder)?;
                let before = folder.messages.len();
                folder.messages.retain(|uid, _| !uids.contains(*uid));
                folder.modseq += u64::from(folder.messages.len() < before);
                Some(())
            }
            Wish::RemoveQueued(id) => self.dequeue(*id),
            Wish::Rename(folder, name) => self.rename(*folder, name),
            Wish::Send(tag, size, users, others) => {
                self.deliver(*tag, *size, users)?;
                self.enqueue(*tag, *size, others);
                Some(())
            }
            Wish::Report(tag, size, users, others, settles) => {
                self.is_news(settles).then_some(())?;
                self.deliver(*tag, *size, users)?;
                if !others.is_empty() {
                    self.enqueue(*tag, *size, others);
                }
                self.settle_all(settles);
                Some(())
            }
            other => self.outcome(other),
        }
    }

    /// What becomes of mail that waits.
    fn outcome(&mut self, wish: &Wish) -> Option<()> {
        match wish {
            Wish::Hold(queues, held) => self.hold(queues, *held),
            Wish::Retry(queues) => self.retry(queues),
            Wish::Settle(settled, note, uptime) => self.settle(settled, note.as_ref(), *uptime),
            Wish::Uptime(uptime) => self.uptime(*uptime),
            Wish::Wake(uptime, lanes) => self.wake(*uptime, lanes),
            other => return self.administer(other),
        }
        Some(())
    }

    /// People, aliases, secrets, settings.
    fn administer(&mut self, wish: &Wish) -> Option<()> {
        match wish {
            Wish::AddApp(user, name) => {
                let person = self.view.people.get_mut(user)?;
                person.apps.insert(self.next_app, name.clone());
                self.next_app += 1;
                Some(())
            }
            Wish::AddDomain(name) => self.view.domains.insert(name.clone()).then_some(()),
            Wish::AddUser(address) => {
                let (_, domain) = address.rsplit_once('@')?;
                let mut others = self.view.users.iter();
                let taken = others.any(|(id, a)| a == address && !self.view.people[id].removed);
                (self.view.domains.contains(domain) && !taken).then_some(())?;
                let user = self.next_user;
                self.next_user += 1;
                self.view.users.insert(user, address.clone());
                self.view.people.insert(user, PersonView::default());
                for (name, _) in STANDARD {
                    self.make_folder(user, name);
                    self.view.subscriptions.insert((user, name.to_owned()));
                }
                Some(())
            }
            Wish::Edit(rows) => {
                let aliases = &mut self.view.aliases;
                let fits = rows
                    .iter()
                    .all(|(name, was, _)| aliases.get(name) == was.as_ref());
                fits.then_some(())?;
                for (name, _, now) in rows {
                    match now {
                        Some(now) => drop(aliases.insert(name.clone(), now.clone())),
                        None => drop(aliases.remove(name)),
                    }
                }
                Some(())
            }
            Wish::Leave(user) => {
                let person = self.view.people.get_mut(user)?;
                person.removed = true;
                person.credentials += 1;
                Some(())
            }
            Wish::Password(user, password) => {
                let person = self.view.people.get_mut(user)?;
                person.password.clone_from(password);
                person.credentials += 1;
                Some(())
            }
            Wish::Purge(user) => {
                self.view.users.remove(user)?;
                self.view.people.remove(user);
                self.view.folders.retain(|_, f| f.user != *user);
                self.view.subscriptions.retain(|(u, _)| u != user);
                Some(())
            }
            Wish::RemoveApp(user, id) => {
                let person = self.view.people.get_mut(user)?;
                person.apps.remove(id)?;
                person.credentials += 1;
                Some(())
            }
            Wish::Set(key, Some(value)) => {
                self.view.settings.insert(key.clone(), value.clone());
                Some(())
            }
            Wish::Set(key, None) => {
                self.view.settings.remove(key);
                Some(())
            }
            Wish::Subscribe(user, name, on) => {
                let person = self.view.people.get(user)?;
                (!person.removed).then_some(())?;
                let entry = (*user, name.clone());
                if *on {
                    self.view.subscriptions.insert(entry);
                } else {
                    self.view.subscriptions.remove(&entry);
                }
                Some(())
            }
            // All others are carried out by the caller.
            _ => None,
        }
    }

    fn deliver(&mut self, tag: u64, size: usize, users: &[u32]) -> Option<()> {
        if users
            .iter()
            .any(|user| self.view.people.get(user).is_none_or(|p| p.removed))
        {
            return None;
        }
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
