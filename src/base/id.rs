//! Numbers that name things. Each only grows and is never given twice.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
        )]
        pub struct $name(pub $int);

        impl $name {
            /// The number after this one; `None` where numbers end.
            #[must_use]
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Stored content, shared by all messages that have it.
    ContentId, u64
);
id!(
    /// A folder of any person (an IMAP mailbox); a renamed folder keeps it.
    FolderId, u32
);
id!(
    /// A message that waits to be sent, with its recipients.
    QueueId, u64
);
id!(
    /// A message inside its folder (RFC 9051 section 2.3.1.1); 0 names none.
    Uid, u32
);
id!(
    /// A folder's modification sequence (RFC 7162 section 3.1); 0 before any.
    ModSeq, u64
);
id!(
    /// A person who has a mailbox; a renamed one keeps it.
    UserId, u32
);

/// A part of a stored message: what [`crate::base::machine::Step::Send`] names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentRange {
    pub content: ContentId,
    /// In octets from the message's first one, its prefix included.
    pub from: u64,
    /// In octets.
    pub length: u64,
}
