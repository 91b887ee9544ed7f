//! What can be seen of a store from outside.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox::{
    base::{
        id::{ContentId, FolderId, Uid},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::{
        Broken, Reader, Store,
        mailbox::Folder,
        queue::{Lane, QueuedRecipient},
    },
};

use crate::{
    lanes,
    model::{PASSWORD, PREFIX, tag_of},
};

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

impl FolderView {
    pub fn arrive(&mut self, modseq: u64, tag: u64, size: u64, flags: Flags) {
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

/// All that can be seen from outside.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct View {
    pub aliases: BTreeMap<String, String>,
    pub people: BTreeMap<u32, PersonView>,
    pub queue: BTreeMap<u64, QueueView>,
    pub domains: BTreeSet<String>,
    pub users: BTreeMap<u32, String>,
    pub folders: BTreeMap<u32, FolderView>,
    pub lanes: BTreeMap<String, Lane>,
    /// Of network-up time.
    pub uptime: u64,
    pub settings: BTreeMap<String, String>,
    pub subscriptions: BTreeSet<(u32, String)>,
}

/// Secrets of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonView {
    pub password: String,
    pub credentials: u64,
    pub apps: BTreeMap<u32, String>,
    /// Gone, and the mail is kept.
    pub removed: bool,
}

impl Default for PersonView {
    fn default() -> Self {
        Self {
            password: PASSWORD.to_owned(),
            credentials: 1,
            apps: BTreeMap::new(),
            removed: false,
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueView {
    pub tag: u64,
    pub size: u64,
    pub since: u64,
    pub held: bool,
    pub recipients: Vec<QueuedRecipient>,
}

impl View {
    pub fn inbox(&self, user: u32) -> Option<u32> {
        self.named(user, "INBOX")
    }

    /// Those of `uids` that changed after `since`.
    pub fn later(&self, folder: u32, uids: &Ranges, since: u64) -> Ranges {
        let folder = self.folders.get(&folder);
        let all = folder.into_iter().flat_map(|folder| &folder.messages);
        all.filter(|(uid, m)| uids.contains(**uid) && m.modseq > since)
            .map(|(uid, _)| *uid)
            .collect()
    }

    pub fn named(&self, user: u32, name: &str) -> Option<u32> {
        let mut all = self.folders.iter();
        let found = all.find(|(_, f)| f.user == user && f.name == name);
        found.map(|(id, _)| *id)
    }
}

/// Content that reads as something else than any message.
pub const DAMAGED: u64 = u64::MAX;

/// What the store shows; counts are compared with the rows on the way. `damage`: content may be
/// unreadable, and shows as [`DAMAGED`].
pub fn view(store: &Store, damage: bool) -> Result<View, String> {
    let broken = |error: Broken| format!("a row cannot be read: {error}");
    let mut view = View::default();
    let (users, mut contents) = store
        .read(|reader| {
            view.domains = reader
                .domains()?
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            view.settings = reader.settings()?.into_iter().collect();
            view.aliases = aliases(reader)?;
            Ok((reader.users(None, 1000)?, BTreeMap::new()))
        })
        .map_err(broken)?;
    for (user, row) in users {
        let apps = store
            .read(|reader| reader.app_passwords(user))
            .map_err(broken)?;
        let person = PersonView {
            password: String::from_utf8_lossy(row.password.reveal()).into_owned(),
            credentials: row.credentials,
            apps: apps.into_iter().map(|(id, app)| (id, app.name)).collect(),
            removed: row.removed.is_some(),
        };
        view.people.insert(user.0, person);
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
        if usage.folders as usize != folders.len() {
            return Err(format!("{user:?} has {} folders: {usage:?}", folders.len()));
        }
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
                let tag = tag(store, &mut contents, message.content, message.size, damage)?;
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
            let sum = counted(store, id, &row, &folder, &uids)?;
            octets += sum;
            count += folder.messages.len() as u64;
            view.folders.insert(id.0, folder);
        }
        if (usage.octets, usage.messages) != (octets, count) {
            return Err(format!("{user:?} uses {usage:?}, not {octets} and {count}"));
        }
    }
    view.queue = queue(store, &mut contents, damage)?;
    view.lanes = lanes::shown(store, &view)?;
    view.uptime = store.read(Reader::uptime).map_err(broken)?;
    Ok(view)
}

/// What the folder's row counts is what its messages come to; their octets.
fn counted(
    store: &Store,
    id: FolderId,
    row: &Folder,
    folder: &FolderView,
    uids: &Ranges,
) -> Result<u64, String> {
    let unseen: Vec<u32> = folder
        .messages
        .iter()
        .filter(|(_, m)| !Flags(m.flags).has(Flags::SEEN))
        .map(|(uid, _)| *uid)
        .collect();
    let deleted = folder.messages.values();
    let deleted = deleted.filter(|m| Flags(m.flags).has(Flags::DELETED));
    let deleted = deleted.fold((0, 0), |(n, sum), m| (n + 1, sum + m.size));
    let told = store
        .read(|reader| reader.deleted(id))
        .map_err(|error| error.to_string())?;
    if deleted != told {
        return Err(format!(
            "folder {id:?} counts {told:?} deleted, not {deleted:?}"
        ));
    }
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
    Ok(sum)
}

/// Content that was read already.
type Tags = BTreeMap<ContentId, u64>;

fn tag(
    store: &Store,
    tags: &mut Tags,
    id: ContentId,
    size: u64,
    damage: bool,
) -> Result<u64, String> {
    if let Some(&tag) = tags.get(&id) {
        return Ok(tag);
    }
    let tag = content(store, id, size, damage)?;
    tags.insert(id, tag);
    Ok(tag)
}

/// In slices of two, so that going on behind a row is tried as well.
fn aliases(reader: &Reader) -> Result<BTreeMap<String, String>, Broken> {
    let mut out = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let slice = reader.aliases(after.as_deref(), 2)?;
        let Some((last, _)) = slice.last() else {
            return Ok(out);
        };
        after = Some(last.clone());
        let rows = slice
            .into_iter()
            .map(|(name, row)| (name, row.targets.concat()));
        out.extend(rows);
    }
}

fn queue(
    store: &Store,
    contents: &mut Tags,
    damage: bool,
) -> Result<BTreeMap<u64, QueueView>, String> {
    let mut out = BTreeMap::new();
    let (entries, names, totals) = store
        .read(|reader| {
            let entries = reader.queue(None, 1000)?;
            let names = entries
                .iter()
                .map(|(_, e)| reader.queue_named(&e.queued.id));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            Ok((
                entries,
                names,
                (reader.queue_count()?, reader.queue_octets()?),
            ))
        })
        .map_err(|error| format!("the queue cannot be read: {error}"))?;
    let octets: u64 = entries.iter().map(|(_, entry)| entry.size).sum();
    if totals != (entries.len() as u64, octets) {
        return Err(format!(
            "the queue counts {totals:?}, not {} and {octets}",
            entries.len()
        ));
    }
    for ((id, entry), named) in entries.into_iter().zip(names) {
        if named != Some(id) {
            return Err(format!("queue entry {id} is not found by its name"));
        }
        let shown = QueueView {
            tag: tag(store, contents, entry.content, entry.size, damage)?,
            size: entry.size,
            since: entry.since,
            held: entry.held,
            recipients: entry.queued.recipients,
        };
        out.insert(id.0, shown);
    }
    Ok(out)
}

/// Reads content and says which message it is.
fn content(store: &Store, id: ContentId, size: u64, damage: bool) -> Result<u64, String> {
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
