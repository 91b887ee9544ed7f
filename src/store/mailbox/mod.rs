//! Folders of a person.

pub mod folder;
pub mod remains;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::id::{FolderId, ModSeq, Uid, UserId},
    mail::flag::Flags,
    store::{
        Broken, Refusal,
        index::{
            key,
            table::{Rows, Tables},
        },
        message::{Message, UNCOUNTED, journal::Extent},
        request::Special,
        value,
    },
};

/// The name of the inbox inside the store.
pub const INBOX: &str = "INBOX";
/// The folders that every person has at once (ST-3).
pub const STANDARD: [(&str, Option<Special>); 6] = [
    (INBOX, None),
    ("Archive", Some(Special::Archive)),
    ("Drafts", Some(Special::Drafts)),
    ("Junk", Some(Special::Junk)),
    ("Sent", Some(Special::Sent)),
    ("Trash", Some(Special::Trash)),
];

/// Flags of a message that is not there: it is neither unseen nor deleted.
const ABSENT: Flags = Flags::SEEN;

/// A folder's row. Counts follow the rows of its messages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Folder {
    pub user: UserId,
    /// UTF-8, parts separated by `/`; the inbox is `INBOX`.
    pub name: String,
    pub special: Option<Special>,
    /// UIDVALIDITY, from a counter that only grows.
    pub validity: u32,
    pub uid_next: Uid,
    /// HIGHESTMODSEQ.
    pub modseq: ModSeq,
    pub exists: u32,
    pub unseen: u32,
    /// Sum of the messages' sizes, in octets.
    pub octets: u64,
    /// The UID of the first message without \Seen; 0 if all are seen.
    pub first_unseen: Uid,
    /// Messages from this UID on have been shown to no session as \Recent.
    pub recent: Uid,
    /// Keyword names; a message's row holds places in this list. Names stay once they are here.
    pub keywords: Vec<String>,
    /// Messages with \Deleted, and their octets.
    pub deleted: u32,
    pub deleted_octets: u64,
    /// Messages that do not count for the quota, and their octets.
    pub uncounted: u32,
    pub uncounted_octets: u64,
    pub journal: Extent,
}

impl Folder {
    pub(super) fn raise(&mut self, uid: Uid, modseq: ModSeq) {
        let next = Uid(uid.0.saturating_add(1));
        self.uid_next = self.uid_next.max(next);
        self.modseq = self.modseq.max(modseq);
    }

    pub(super) fn count_in(&mut self, uid: Uid, message: &Message) {
        self.exists = self.exists.saturating_add(1);
        self.octets = self.octets.saturating_add(message.size);
        if message.flags.has(UNCOUNTED) {
            self.uncounted = self.uncounted.saturating_add(1);
            self.uncounted_octets = self.uncounted_octets.saturating_add(message.size);
        }
        self.count_flags(uid, ABSENT, message.flags, message.size);
    }

    pub(super) fn count_out(&mut self, uid: Uid, message: &Message) {
        self.exists = self.exists.saturating_sub(1);
        self.octets = self.octets.saturating_sub(message.size);
        if message.flags.has(UNCOUNTED) {
            self.uncounted = self.uncounted.saturating_sub(1);
            self.uncounted_octets = self.uncounted_octets.saturating_sub(message.size);
        }
        self.count_flags(uid, message.flags, ABSENT, message.size);
    }

    /// A message's flags are others than before; see [`ABSENT`].
    pub(super) fn count_flags(&mut self, uid: Uid, before: Flags, after: Flags, size: u64) {
        match (before.has(Flags::SEEN), after.has(Flags::SEEN)) {
            (false, true) => self.seen(),
            (true, false) => self.unseen(uid),
            _ => {}
        }
        match (before.has(Flags::DELETED), after.has(Flags::DELETED)) {
            (false, true) => {
                self.deleted = self.deleted.saturating_add(1);
                self.deleted_octets = self.deleted_octets.saturating_add(size);
            }
            (true, false) => {
                self.deleted = self.deleted.saturating_sub(1);
                self.deleted_octets = self.deleted_octets.saturating_sub(size);
            }
            _ => {}
        }
    }

    /// A message without \Seen more.
    fn unseen(&mut self, uid: Uid) {
        if self.first_unseen.0 == 0 || uid < self.first_unseen {
            self.first_unseen = uid;
        }
        self.unseen = self.unseen.saturating_add(1);
    }

    /// A message without \Seen less; [`find_first_unseen`] looks for the first one later.
    fn seen(&mut self) {
        self.unseen = self.unseen.saturating_sub(1);
    }
}

/// # Errors
///
/// The index fails.
pub fn folder(rows: &impl Rows, id: FolderId) -> Result<Option<Folder>, Broken> {
    rows.row(&key::folder(id), "folder")
}

/// # Errors
///
/// The index fails.
pub fn named(rows: &impl Rows, user: UserId, name: &str) -> Result<Option<FolderId>, Broken> {
    rows.row(&key::folder_name(user, name), "folder name")
}

/// A person's folders by name.
///
/// # Errors
///
/// The index fails.
pub fn all(rows: &impl Rows, user: UserId) -> Result<Vec<FolderId>, Broken> {
    let mut out = Vec::new();
    rows.scan_prefix(&key::folder_name(user, ""), &mut |_, octets| {
        out.push(value::decode(octets, "folder name")?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// The number that a folder's next change gets.
///
/// # Errors
///
/// [`Refusal::Limit`] at the end of numbers (RFC 7162 section 3.1: 63 bits).
pub fn next_modseq(folder: &Folder) -> Result<ModSeq, Refusal> {
    let next = folder.modseq.next().filter(|m| m.0 < 1 << 63);
    next.ok_or(Refusal::Limit {
        name: "MODSEQs",
        limit: 1 << 63,
    })
}

/// Places of keywords in a folder's list, and the names that the list has to get for that.
///
/// # Errors
///
/// [`Refusal::Limit`].
pub fn keywords(
    folder: &Folder,
    names: &[String],
    max: u64,
) -> Result<(Vec<u16>, Vec<String>), Refusal> {
    let mut known: Vec<&str> = folder.keywords.iter().map(String::as_str).collect();
    let (mut places, mut new) = (Vec::new(), Vec::new());
    for name in names {
        let place = known.iter().position(|k| k.eq_ignore_ascii_case(name));
        let place = place.unwrap_or_else(|| {
            known.push(name);
            new.push(name.clone());
            known.len().saturating_sub(1)
        });
        let limit = max.min(u64::from(u16::MAX));
        match u16::try_from(place) {
            Ok(place) if u64::from(place) < limit => places.push(place),
            _ => {
                return Err(Refusal::Limit {
                    name: "limit.keywords",
                    limit,
                });
            }
        }
    }
    places.sort_unstable();
    places.dedup();
    Ok((places, new))
}

/// Places of those keywords that the folder knows.
#[must_use]
pub fn known_keywords(folder: &Folder, names: &[String]) -> Vec<u16> {
    let place = |name: &String| {
        let at = folder
            .keywords
            .iter()
            .position(|k| k.eq_ignore_ascii_case(name))?;
        u16::try_from(at).ok()
    };
    names.iter().filter_map(place).collect()
}

/// Makes [`Folder::first_unseen`] right after messages were seen or went.
pub(super) fn find_first_unseen(
    rows: &Tables<'_>,
    id: FolderId,
    folder: &mut Folder,
) -> Result<(), Broken> {
    if folder.unseen == 0 {
        folder.first_unseen = Uid(0);
        return Ok(());
    }
    let from = key::message(id, folder.first_unseen);
    let to = key::message(id, Uid(u32::MAX));
    let mut first = Uid(0);
    rows.scan(&from, &to, &mut |key, octets| {
        let message: Message = value::decode(octets, "message")?;
        if message.flags.has(Flags::SEEN) {
            return Ok(ControlFlow::Continue(()));
        }
        first = key::uid_of(key).ok_or(Broken::Corrupt("message key"))?;
        Ok(ControlFlow::Break(()))
    })?;
    folder.first_unseen = first;
    Ok(())
}
