//! `mail export`: a person's mail in bounded parts, for whoever writes it to files (ST-4).

use serde::{Deserialize, Serialize};

use crate::service::operate::{Context, Kind, Problem, Reply};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// The folders of a person, or the one that is named: `a@d`, `a@d/Sent`.
    Folders { whose: String },
    /// Messages of a folder: what comes behind `after`.
    Messages { folder: Folder, after: Mark },
}

/// What an export begins with.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Folder {
    /// UTF-8, levels separated by `/`.
    pub name: String,
    pub id: u32,
    /// UIDVALIDITY.
    pub validity: u32,
    pub messages: u32,
    /// In octets.
    pub size: u64,
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// 0 = before the first message.
    pub uid: u32,
    /// Octets of it that were had; `None` = all.
    pub octets: Option<u64>,
}

/// A message, or a part of a long one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Part {
    pub uid: u32,
    /// Where in the message `octets` begin.
    pub from: u64,
    /// Of the whole message.
    pub size: u64,
    pub octets: Vec<u8>,
    /// `\Seen` and the like, without the backslash.
    pub flags: Vec<String>,
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970.
    pub date: i64,
}

pub(super) async fn operate(context: &Context<'_>, request: Request) -> Result<Reply, Problem> {
    let _ = (context, request);
    Err(Problem::new(Kind::NotRunning, "not in this version"))
}
