//! Keys of rows: a letter for the kind, then what orders them. Narrow rows of a kind lie together.

use crate::base::id::{ContentId, FolderId, Uid, UserId};

/// A kind of row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Key form of an address → user.
    Address,
    Content,
    Domain,
    Folder,
    /// (user, name) → folder.
    FolderName,
    Message,
    Meta,
    Segment,
    Setting,
    Subscription,
    /// Derived from content; not in a dump.
    Summary,
    Usage,
    User,
}

impl Kind {
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Address => b'a',
            Self::Content => b'c',
            Self::Domain => b'd',
            Self::Folder => b'f',
            Self::FolderName => b'n',
            Self::Message => b'm',
            Self::Meta => b'!',
            Self::Segment => b'g',
            Self::Setting => b'o',
            Self::Subscription => b's',
            Self::Summary => b'y',
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

#[must_use]
pub fn address(address: &str) -> Vec<u8> {
    key(Kind::Address, &[address.as_bytes()])
}

#[must_use]
pub fn content(id: ContentId) -> Vec<u8> {
    key(Kind::Content, &[&id.0.to_be_bytes()])
}

#[must_use]
pub fn domain(name: &str) -> Vec<u8> {
    key(Kind::Domain, &[name.as_bytes()])
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
pub fn message(folder: FolderId, uid: Uid) -> Vec<u8> {
    key(
        Kind::Message,
        &[&folder.0.to_be_bytes(), &uid.0.to_be_bytes()],
    )
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
    let octets = key.get(5..9)?;
    Some(Uid(u32::from_be_bytes(octets.try_into().ok()?)))
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
