//! `mail export`: a person's mail in bounded parts, for whoever writes it to files (ST-4).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::id::{FolderId, Uid, UserId},
    mail::flag::Flags,
    proto::imap::folder_name,
    service::operate::{Context, Kind, Problem, Reply, name::shown, user},
    store::{
        Broken, Reader, Store,
        content::Unpacker,
        mailbox::Folder as Row,
        message::{Message, UNCOUNTED},
    },
};

/// Octets of messages in one answer, about: the control socket and both ends hold them several times.
const OCTETS: u64 = 256 * 1024;
/// Messages in one answer.
const MESSAGES: usize = 256;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// The folders of a person, or the one that is named: `a@d`, `a@d/Sent`.
    Folders { whose: String },
    /// Messages of a folder: what comes behind `after`. None = that was all.
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
    pub flags: Flags,
    pub keywords: Vec<String>,
    /// INTERNALDATE, in seconds since 1970.
    pub date: i64,
    /// The rest cannot be read.
    pub damaged: bool,
}

impl Part {
    /// Where the next part begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.from.saturating_add(self.octets.len() as u64)
    }

    /// Whether nothing of the message comes behind it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.damaged || self.end() >= self.size
    }

    /// What is to be asked for next.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            uid: self.uid,
            octets: (!self.is_last()).then(|| self.end()),
        }
    }
}

pub(super) async fn operate(context: &Context<'_>, request: Request) -> Result<Reply, Problem> {
    match request {
        Request::Folders { whose } => folders(context, &whose).map(Reply::Folders),
        Request::Messages { folder, after } => {
            let store = context.store.clone();
            // It reads from the disk.
            let parts = blocking::unblock(move || parts(&store, &folder, after)).await?;
            Ok(Reply::Exported(parts))
        }
    }
}

fn folders(context: &Context<'_>, whose: &str) -> Result<Vec<Folder>, Problem> {
    let (address, wanted) = split(whose);
    let (user, _) = user::find(context, address)?;
    let wanted = match wanted {
        Some(name) => {
            let text = || format!("{} is no name of a folder", shown(name));
            let name = folder_name::folder(name);
            Some(name.ok_or_else(|| Problem::new(Kind::BadData, text()))?)
        }
        None => None,
    };
    let found = context
        .store
        .read(|reader| rows(reader, user, wanted.as_deref()))?;
    if let (Some(name), []) = (&wanted, found.as_slice()) {
        let text = format!("{address} has no folder {}", shown(name));
        return Err(Problem::new(Kind::NoSuch, text));
    }
    Ok(found)
}

fn rows(reader: &Reader, user: UserId, wanted: Option<&str>) -> Result<Vec<Folder>, Broken> {
    let all = reader.folders(user)?.into_iter();
    let fits = all.filter(|(_, row)| wanted.is_none_or(|wanted| row.name == wanted));
    let folder = |(id, row): (FolderId, Row)| Folder {
        name: row.name,
        id: id.0,
        validity: row.validity,
        messages: row.exists,
        size: row.octets,
    };
    Ok(fits.map(folder).collect())
}

/// `a@d/Sent` is an address and a folder. A local part may hold a slash, a domain may not.
fn split(whose: &str) -> (&str, Option<&str>) {
    let at = whose.find('@').unwrap_or_default();
    let (_, domain) = whose.split_at(at);
    let Some(slash) = domain.find('/') else {
        return (whose, None);
    };
    let (address, folder) = whose.split_at(at.saturating_add(slash));
    (address, folder.strip_prefix('/'))
}

/// The next messages, or the next part of a long one.
fn parts(store: &Store, folder: &Folder, after: Mark) -> Result<Vec<Part>, Problem> {
    let id = FolderId(folder.id);
    let first = match after.octets {
        Some(_) => Some(Uid(after.uid)),
        None => Uid(after.uid).next(),
    };
    let Some(first) = first else {
        return Ok(Vec::new());
    };
    let found = store.read(|reader| {
        let row = reader.folder(id)?;
        let Some(row) = row.filter(|row| row.validity == folder.validity) else {
            return Ok(None);
        };
        let mut messages = Vec::new();
        reader.messages(id, first, Uid(u32::MAX), &mut |uid, message| {
            messages.push((uid, message.clone()));
            if messages.len() < MESSAGES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(Some((row, messages)))
    })?;
    let Some((row, messages)) = found else {
        let text = format!("the folder {} is gone", shown(&folder.name));
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let mut parts = Vec::new();
    let mut room = OCTETS;
    let mut unpacker = Unpacker::default();
    for (uid, message) in messages {
        let from = match after.octets {
            Some(octets) if uid.0 == after.uid => octets,
            _ => 0,
        };
        let Some(part) = part(
            store,
            &row,
            uid,
            &message,
            from..from.saturating_add(room),
            &mut unpacker,
        )?
        else {
            continue;
        };
        room = room.saturating_sub(part.octets.len() as u64);
        let whole = part.is_last();
        parts.push(part);
        if !whole || room == 0 {
            break;
        }
    }
    Ok(parts)
}

/// `None`: the message went meanwhile.
fn part(
    store: &Store,
    row: &Row,
    uid: Uid,
    message: &Message,
    span: std::ops::Range<u64>,
    unpacker: &mut Unpacker,
) -> Result<Option<Part>, Problem> {
    let mut part = Part {
        uid: uid.0,
        from: span.start,
        size: message.size,
        octets: Vec::new(),
        flags: message.flags.without(UNCOUNTED),
        keywords: message
            .keywords
            .iter()
            .filter_map(|place| row.keywords.get(usize::from(*place)).cloned())
            .collect(),
        date: message.date.0,
        damaged: false,
    };
    match store.content(message.content) {
        Ok(Some(mut content)) => {
            part.size = content.size();
            let end = span.end.min(part.size);
            let read = content.append(span.start..end, unpacker, &mut part.octets);
            part.damaged = match read {
                Ok(()) => part.end() < end,
                Err(Broken::Corrupt(_)) => true,
                Err(broken) => return Err(broken.into()),
            };
            Ok(Some(part))
        }
        Ok(None) => Ok(None),
        Err(Broken::Corrupt(_)) => {
            part.damaged = true;
            Ok(Some(part))
        }
        Err(broken) => Err(broken.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_folder() {
        for (whose, want) in [
            ("a@d.test", ("a@d.test", None)),
            ("a@d.test/Sent", ("a@d.test", Some("Sent"))),
            ("a/b@d.test/Sent/2026", ("a/b@d.test", Some("Sent/2026"))),
            ("a@d.test/", ("a@d.test", Some(""))),
            ("a", ("a", None)),
        ] {
            assert_eq!(split(whose), want, "{whose}");
        }
    }
}
