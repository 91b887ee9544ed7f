//! Keys of rows: a letter for the kind, then what orders them. Narrow rows of a kind lie together.

use crate::base::id::{ContentId, FolderId, ModSeq, QueueId, Uid, UserId};

/// A kind of row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Access,
    /// Key form of an address → user.
    Address,
    Alias,
    AppPassword,
    Content,
    Device,
    DkimKey,
    Domain,
    /// What a search may skip; derived from content, not in a dump.
    Filter,
    Folder,
    /// (user, name) → folder.
    FolderName,
    /// (folder, MODSEQ) → what changed or went then.
    Journal,
    /// Mail with one way out.
    Lane,
    /// (when something is due there next, lane).
    LaneDue,
    /// (lane, when it is due there, queue entry).
    LaneEntry,
    /// (lane, queue entry) → when it is due there.
    LaneOldest,
    Message,
    Meta,
    Queue,
    /// What a queued message was called when it was taken in → queue entry.
    QueueName,
    /// A known recipient of a domain that is passed on.
    Recipient,
    /// Folder that is gone → when.
    Remains,
    Route,
    Segment,
    Setting,
    Subscription,
    /// Derived from content; not in a dump.
    Summary,
    Transport,
    Usage,
    User,
}

impl Kind {
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Access => b'x',
            Self::Address => b'a',
            Self::Alias => b'l',
            Self::AppPassword => b'p',
            Self::Content => b'c',
            Self::Device => b'D',
            Self::DkimKey => b'K',
            Self::Domain => b'd',
            Self::Filter => b'b',
            Self::Folder => b'f',
            Self::FolderName => b'n',
            Self::Journal => b'j',
            Self::Lane => b'v',
            Self::LaneDue => b'w',
            Self::LaneEntry => b'z',
            Self::LaneOldest => b'Z',
            Self::Message => b'm',
            Self::Meta => b'!',
            Self::Queue => b'e',
            Self::QueueName => b'i',
            Self::Recipient => b'k',
            Self::Remains => b'h',
            Self::Route => b'r',
            Self::Segment => b'g',
            Self::Setting => b'o',
            Self::Subscription => b's',
            Self::Summary => b'y',
            Self::Transport => b't',
            Self::Usage => b'q',
            Self::User => b'u',
        }
    }
}

/// The last change that was applied.
pub const SEQUENCE: &[u8] = b"!sequence";
/// Counters that hand out numbers.
pub const COUNTERS: &[u8] = b"!counters";
/// Number of the dump that counts: its name is on the medium for certain.
pub const DUMP: &[u8] = b"!dump";
/// Every content below this id has its filter, as far as it is there. Not in a dump.
pub const FILTERED: &[u8] = b"!filtered";
/// How many queue entries there are, and their octets.
pub const QUEUE: &[u8] = b"!queue";
/// The clock of network-up time.
pub const UPTIME: &[u8] = b"!uptime";
/// Changes were lost and the counters have not been raised yet.
pub const LOST: &[u8] = b"!lost";
/// The store's secret.
pub const SECRET: &[u8] = b"!secret";

fn key(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![kind.letter()];
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// `local@domain` as `domain@local`, so that what a domain has lies together. (A domain has no `@`.)
fn by_domain(kind: Kind, address: &str) -> Vec<u8> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    key(kind, &[domain.as_bytes(), b"@", local.as_bytes()])
}

/// The address in a key that [`address`], [`alias`] or [`recipient`] made.
#[must_use]
pub fn address_of(key: &[u8]) -> Option<String> {
    match text_of(key, 1)?.split_once('@')? {
        ("", local) => Some(local.to_owned()),
        (domain, local) => Some(format!("{local}@{domain}")),
    }
}

/// What all keys of `kind` begin with whose addresses are in `domain`.
#[must_use]
pub fn in_domain(kind: Kind, domain: &str) -> Vec<u8> {
    key(kind, &[domain.as_bytes(), b"@"])
}

#[must_use]
pub fn access(cidr: &str) -> Vec<u8> {
    key(Kind::Access, &[cidr.as_bytes()])
}

#[must_use]
pub fn address(address: &str) -> Vec<u8> {
    by_domain(Kind::Address, address)
}

/// `source`: `local@domain`, or `@domain` for a catch-all.
#[must_use]
pub fn alias(source: &str) -> Vec<u8> {
    by_domain(Kind::Alias, source)
}

#[must_use]
pub fn app_password(user: UserId, id: u32) -> Vec<u8> {
    key(
        Kind::AppPassword,
        &[&user.0.to_be_bytes(), &id.to_be_bytes()],
    )
}

/// What the keys of all app passwords of a person begin with.
#[must_use]
pub fn app_passwords(user: UserId) -> Vec<u8> {
    key(Kind::AppPassword, &[&user.0.to_be_bytes()])
}

#[must_use]
pub fn content(id: ContentId) -> Vec<u8> {
    key(Kind::Content, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn device(name: &str) -> Vec<u8> {
    key(Kind::Device, &[name.as_bytes()])
}

/// `name`: `domain/selector`.
#[must_use]
pub fn dkim_key(name: &str) -> Vec<u8> {
    key(Kind::DkimKey, &[name.as_bytes()])
}

#[must_use]
pub fn domain(name: &str) -> Vec<u8> {
    key(Kind::Domain, &[name.as_bytes()])
}

#[must_use]
pub fn filter(id: ContentId) -> Vec<u8> {
    key(Kind::Filter, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn folder(id: FolderId) -> Vec<u8> {
    key(Kind::Folder, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn folder_name(user: UserId, name: &str) -> Vec<u8> {
    key(Kind::FolderName, &[&user.0.to_be_bytes(), name.as_bytes()])
}

#[must_use]
pub fn journal(folder: FolderId, modseq: ModSeq) -> Vec<u8> {
    key(
        Kind::Journal,
        &[&folder.0.to_be_bytes(), &modseq.0.to_be_bytes()],
    )
}

/// What the keys of a folder's journal begin with.
#[must_use]
pub fn journals(folder: FolderId) -> Vec<u8> {
    key(Kind::Journal, &[&folder.0.to_be_bytes()])
}

#[must_use]
pub fn lane(name: &str) -> Vec<u8> {
    key(Kind::Lane, &[name.as_bytes()])
}

#[must_use]
pub fn lane_due(next: u64, name: &str) -> Vec<u8> {
    key(Kind::LaneDue, &[&next.to_be_bytes(), name.as_bytes()])
}

/// When something is due in a lane, and the lane, of a key that [`lane_due`] made.
#[must_use]
pub fn lane_due_of(key: &[u8]) -> Option<(u64, &str)> {
    Some((u64_of(key)?, text_of(key, 9)?))
}

#[must_use]
pub fn lane_entry(lane: &str, due: u64, id: QueueId) -> Vec<u8> {
    let mut out = lane_entries(lane);
    out.extend_from_slice(&due.to_be_bytes());
    out.extend_from_slice(&id.0.to_be_bytes());
    out
}

/// What the keys of a lane's entries begin with.
#[must_use]
pub fn lane_entries(lane: &str) -> Vec<u8> {
    in_lane(Kind::LaneEntry, lane)
}

/// Lane, when it is due there, and entry, of a key that [`lane_entry`] made.
#[must_use]
pub fn lane_entry_of(key: &[u8]) -> Option<(&str, u64, QueueId)> {
    let (lane, rest) = lane_of(key)?;
    let (due, id) = rest.split_at_checked(8)?;
    let due = u64::from_be_bytes(due.try_into().ok()?);
    Some((lane, due, QueueId(u64::from_be_bytes(id.try_into().ok()?))))
}

#[must_use]
pub fn lane_oldest(lane: &str, id: QueueId) -> Vec<u8> {
    let mut out = lane_oldests(lane);
    out.extend_from_slice(&id.0.to_be_bytes());
    out
}

/// What the keys of a lane's entries by age begin with.
#[must_use]
pub fn lane_oldests(lane: &str) -> Vec<u8> {
    in_lane(Kind::LaneOldest, lane)
}

/// Lane and entry of a key that [`lane_oldest`] made.
#[must_use]
pub fn lane_oldest_of(key: &[u8]) -> Option<(&str, QueueId)> {
    let (lane, id) = lane_of(key)?;
    Some((lane, QueueId(u64::from_be_bytes(id.try_into().ok()?))))
}

/// With its length in front: no lane's entries lie among another's.
fn in_lane(kind: Kind, lane: &str) -> Vec<u8> {
    let length = u16::try_from(lane.len()).unwrap_or(u16::MAX);
    key(kind, &[&length.to_be_bytes(), lane.as_bytes()])
}

/// The lane, and what is behind it.
fn lane_of(key: &[u8]) -> Option<(&str, &[u8])> {
    let length = u16::from_be_bytes(key.get(1..3)?.try_into().ok()?);
    let (lane, rest) = key.get(3..)?.split_at_checked(usize::from(length))?;
    Some((std::str::from_utf8(lane).ok()?, rest))
}

#[must_use]
pub fn message(folder: FolderId, uid: Uid) -> Vec<u8> {
    key(
        Kind::Message,
        &[&folder.0.to_be_bytes(), &uid.0.to_be_bytes()],
    )
}

/// What the keys of a folder's messages begin with.
#[must_use]
pub fn messages(folder: FolderId) -> Vec<u8> {
    key(Kind::Message, &[&folder.0.to_be_bytes()])
}

#[must_use]
pub fn queue(id: QueueId) -> Vec<u8> {
    key(Kind::Queue, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn queue_name(name: &str) -> Vec<u8> {
    key(Kind::QueueName, &[name.as_bytes()])
}

#[must_use]
pub fn recipient(address: &str) -> Vec<u8> {
    by_domain(Kind::Recipient, address)
}

#[must_use]
pub fn remains(folder: FolderId) -> Vec<u8> {
    key(Kind::Remains, &[&folder.0.to_be_bytes()])
}

#[must_use]
pub fn route(name: &str) -> Vec<u8> {
    key(Kind::Route, &[name.as_bytes()])
}

#[must_use]
pub fn segment(number: u64) -> Vec<u8> {
    key(Kind::Segment, &[&number.to_be_bytes()])
}

#[must_use]
pub fn setting(name: &str) -> Vec<u8> {
    key(Kind::Setting, &[name.as_bytes()])
}

#[must_use]
pub fn subscription(user: UserId, name: &str) -> Vec<u8> {
    key(
        Kind::Subscription,
        &[&user.0.to_be_bytes(), name.as_bytes()],
    )
}

#[must_use]
pub fn summary(id: ContentId) -> Vec<u8> {
    key(Kind::Summary, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn transport(pattern: &str) -> Vec<u8> {
    key(Kind::Transport, &[pattern.as_bytes()])
}

#[must_use]
pub fn usage(user: UserId) -> Vec<u8> {
    key(Kind::Usage, &[&user.0.to_be_bytes()])
}

#[must_use]
pub fn user(id: UserId) -> Vec<u8> {
    key(Kind::User, &[&id.0.to_be_bytes()])
}

/// The UID at the end of a message's key.
#[must_use]
pub fn uid_of(key: &[u8]) -> Option<Uid> {
    second_u32_of(key).map(Uid)
}

/// The MODSEQ at the end of a journal's key.
#[must_use]
pub fn modseq_of(key: &[u8]) -> Option<ModSeq> {
    let octets = key.get(5..13)?.try_into().ok()?;
    Some(ModSeq(u64::from_be_bytes(octets)))
}

/// The second number of keys that are two.
#[must_use]
pub fn second_u32_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(5..9)?.try_into().ok()?))
}

/// The number behind the letter, of keys that are one number.
#[must_use]
pub fn u32_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?))
}

/// As [`u32_of`], for 64 bits.
#[must_use]
pub fn u64_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}

/// The text behind `from` octets of a key.
#[must_use]
pub fn text_of(key: &[u8], from: usize) -> Option<&str> {
    std::str::from_utf8(key.get(from..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_by_domain() {
        for text in ["a@home.test", "@home.test", "\"a@b\"@home.test", "root"] {
            assert_eq!(address_of(&alias(text)).as_deref(), Some(text));
        }
        let home = in_domain(Kind::Alias, "home.test");
        assert!(alias("@home.test").starts_with(&home));
        assert!(!alias("a@home.test.other").starts_with(&home));
        assert!(!alias("a@x.home.test").starts_with(&home));
    }
}
