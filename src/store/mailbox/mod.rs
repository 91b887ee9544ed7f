//! Folders of a person.

use serde::{Deserialize, Serialize};

use crate::{
    base::id::{ModSeq, Uid, UserId},
    store::request::Special,
};

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
}
