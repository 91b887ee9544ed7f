//! Messages in folders.

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{ContentId, ModSeq},
        time::Time,
    },
    mail::flag::Flags,
};

/// A message's state row: narrow, because flags of 100,000 are read at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Message {
    pub flags: Flags,
    /// Places in the folder's list of keyword names, ascending.
    pub keywords: Vec<u16>,
    pub modseq: ModSeq,
    /// RFC822.SIZE in octets, the prefix included.
    pub size: u64,
    /// INTERNALDATE.
    pub date: Time,
    pub content: ContentId,
}
