//! What can go wrong, told apart by what the caller has to do.

use std::{fmt, io};

/// Why a request is not carried out; nothing has changed (but see [`Refusal::Unknown`]).
#[derive(Debug)]
pub enum Refusal {
    /// The store itself failed; nothing of the request will ever show. The peer may try again later.
    Broken(Broken),
    /// What is there is not what the request was made for: somebody else changed it. Read it again.
    Changed,
    /// What should be made is there already.
    Exists,
    /// The disk has no room for this now. The peer may try again later, or delete something.
    Full,
    /// A limit of `spec/ux.md` section 3.12 is reached: which, and how much it allows.
    Limit { name: &'static str, limit: u64 },
    /// A name that cannot be one.
    Name,
    /// No such domain.
    NoDomain,
    /// No such queue entry, or app password.
    NoEntry,
    /// The folder is not there (any more).
    NoFolder,
    /// No such person.
    NoUser,
    /// It still holds what has to go first.
    NotEmpty,
    /// The mailbox would grow past its quota, both in octets.
    OverQuota { limit: u64, wanted: u64 },
    /// Nobody can tell whether it was carried out: the connection ends without an answer.
    Unknown,
}

impl From<Broken> for Refusal {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => write!(f, "{broken}"),
            Self::Changed => f.write_str("somebody else changed it meanwhile"),
            Self::Exists => f.write_str("it exists already"),
            Self::Full => f.write_str("the disk is full"),
            Self::Limit { name, limit } => write!(f, "no more than {limit} ({name})"),
            Self::Name => f.write_str("that is no valid name"),
            Self::NoDomain => f.write_str("no such domain"),
            Self::NoEntry => f.write_str("no such entry"),
            Self::NoFolder => f.write_str("no such folder"),
            Self::NoUser => f.write_str("no such user"),
            Self::NotEmpty => f.write_str("it is not empty"),
            Self::OverQuota { limit, .. } => {
                write!(f, "the mailbox is full (quota {limit} octets)")
            }
            Self::Unknown => f.write_str("it is not known whether it was carried out"),
        }
    }
}

/// The store cannot be read or written. Logged; the index is reopened.
#[derive(Debug)]
pub enum Broken {
    /// What was read is not what was written: bad flash, or a bug. Names the kind of row or record.
    Corrupt(&'static str),
    /// The index failed.
    Index(Box<redb::Error>),
    /// The disk failed.
    Io(io::Error),
    /// The store is being closed, or waits for its disk to come back.
    Stopped,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(what) => write!(f, "damaged in the store: {what}"),
            Self::Index(error) => write!(f, "index: {error}"),
            Self::Io(error) => write!(f, "disk: {error}"),
            Self::Stopped => f.write_str("the store is closed"),
        }
    }
}

impl Broken {
    /// Whether what was read is at fault, not the disk's mood: reading it again would not help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt(_) => true,
            Self::Index(error) => match &**error {
                redb::Error::Corrupted(_)
                | redb::Error::RepairAborted
                | redb::Error::TableTypeMismatch { .. }
                | redb::Error::TypeDefinitionChanged { .. }
                | redb::Error::UpgradeRequired(_) => true,
                // A file too short to hold what it says, or without redb's magic.
                redb::Error::Io(error) => matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ),
                _ => false,
            },
            Self::Io(_) | Self::Stopped => false,
        }
    }
}

impl std::error::Error for Broken {}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Broken {
            fn from(error: redb::$error) -> Self {
                Self::Index(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    CommitError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError,
    SetDurabilityError
);
