//! The one place where what the store refuses becomes what an IMAP client reads.

use crate::{
    proto::imap::session::{Completion, StateChange},
    store::{Broken, Refusal},
};

impl From<Refusal> for Completion {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Broken(broken) => broken.into(),
            Refusal::Exists => Self::no("Mailbox already exists").with_code("ALREADYEXISTS"),
            Refusal::Full => Self::no("Insufficient system storage").with_code("OVERQUOTA"),
            Refusal::Limit { name, limit } => {
                Self::no(&format!("No more than {limit} ({name})")).with_code("LIMIT")
            }
            Refusal::Name => Self::no("Invalid mailbox name").with_code("CANNOT"),
            // No request of a session is answered so: those rows are the administrator's.
            Refusal::Changed | Refusal::NoEntry => {
                Self::no("Internal error").with_code("SERVERBUG")
            }
            Refusal::NoDomain | Refusal::NoUser => {
                Self::no("Account no longer exists").with_code("UNAVAILABLE")
            }
            Refusal::NoFolder => no_folder(),
            Refusal::NotEmpty => Self::no("Mailbox is not empty").with_code("CANNOT"),
            Refusal::OverQuota { .. } => Self::no("Mailbox is full").with_code("OVERQUOTA"),
            // Neither yes nor no would be true.
            Refusal::Unknown => Self::no("Internal error, please log in again")
                .with_code("SERVERBUG")
                .with_state(StateChange::Bye),
        }
    }
}

impl From<Broken> for Completion {
    fn from(broken: Broken) -> Self {
        match broken {
            // Said once by whoever closes the store.
            Broken::Stopped => {}
            Broken::Corrupt(_) | Broken::Index(_) | Broken::Io(_) => log::error!("imap: {broken}"),
        }
        Self::no("Temporary internal error, try again later").with_code("UNAVAILABLE")
    }
}

/// The answer where a message should have gone to a folder: one that is missing can be made
/// (RFC 3501 section 7.1, TRYCREATE).
pub fn for_target(refusal: Refusal) -> Completion {
    match refusal {
        Refusal::NoFolder => try_create(),
        other => other.into(),
    }
}

/// The folder does not exist (RFC 5530 section 3).
pub fn no_folder() -> Completion {
    Completion::no("Mailbox doesn't exist").with_code("NONEXISTENT")
}

/// The folder does not exist, and the client may make it.
pub fn try_create() -> Completion {
    Completion::no("Mailbox doesn't exist").with_code("TRYCREATE")
}

/// Too much is on its way at once (HD-4).
pub fn no_memory() -> Completion {
    Completion::no("Out of memory for now, try again later").with_code("UNAVAILABLE")
}

/// The folder was opened with EXAMINE.
pub fn read_only() -> Completion {
    Completion::no("Mailbox is read-only").with_code("READ-ONLY")
}

/// Another session has expunged some of the messages (RFC 2180 section 4, RFC 5530 section 3).
pub fn expunge_issued() -> Completion {
    Completion::no("Some of these messages are expunged").with_code("EXPUNGEISSUED")
}
