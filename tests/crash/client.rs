//! What others keep beside the store: a mail program that was away (RFC 7162 section 3.2.5), and
//! filters, which may be lost and never be wrong.

use std::{collections::BTreeMap, ops::ControlFlow};

use pillarbox::{
    base::{
        id::{ContentId, FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    store::{Reader, Store, message::Message},
};

use crate::view::{FolderView, View};

/// So many states of folders are remembered at most.
const SEEN_MAX: usize = 24;

/// States of folders that clients have seen: they were acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Clients(Vec<(u32, FolderView)>);

impl Clients {
    /// Remembers what is new in `now`.
    pub fn see(&mut self, before: &View, now: &View) {
        for (id, folder) in &now.folders {
            if before.folders.get(id) == Some(folder) {
                continue;
            }
            if self.0.len() >= SEEN_MAX {
                // One from anywhere: old ones and new ones stay.
                let one = usize::try_from(folder.modseq).unwrap() * 7 % self.0.len();
                self.0.remove(one);
            }
            self.0.push((*id, folder.clone()));
        }
    }

    /// From everything that was seen, what the store tells leads to exactly what is there.
    pub fn come_back(&self, store: &Store, now: &View) -> Result<(), String> {
        for (id, seen) in &self.0 {
            let Some(folder) = now.folders.get(id) else {
                continue;
            };
            let told = store.read(|reader| Ok(resync(reader, *id, seen)));
            let found = told.map_err(|error| error.to_string())??;
            let shown = |folder: &FolderView| -> Known {
                let all = folder.messages.iter();
                all.map(|(uid, m)| (*uid, (m.flags, m.keywords.len(), m.modseq)))
                    .collect()
            };
            if found != shown(folder) {
                return Err(format!(
                    "a client that saw folder {id} at {} ends with {found:?}, not {:?}",
                    seen.modseq,
                    shown(folder)
                ));
            }
        }
        Ok(())
    }
}

/// Flags, number of keywords, MODSEQ by UID.
type Known = BTreeMap<u32, (u8, usize, u64)>;

fn resync(reader: &Reader, id: u32, seen: &FolderView) -> Result<Known, String> {
    let (folder, since) = (FolderId(id), ModSeq(seen.modseq));
    let broken = |error: pillarbox::store::Broken| error.to_string();
    let existing = reader.uids(folder).map_err(broken)?;
    let changed = reader.changed_since(folder, since).map_err(broken)?;
    let vanished = reader.vanished_since(folder, since).map_err(broken)?;
    let all = || Ranges::span(1, u32::MAX);
    let mut known: Known = seen
        .messages
        .iter()
        .map(|(uid, m)| (*uid, (m.flags, m.keywords.len(), m.modseq)))
        .collect();
    let gone = vanished.unwrap_or_else(|| all().difference(&existing));
    if !gone.intersection(&existing).is_empty() {
        return Err(format!(
            "folder {id}: {gone:?} went, and {existing:?} is there"
        ));
    }
    known.retain(|uid, _| !gone.contains(*uid));
    for span in changed.unwrap_or_else(all).spans() {
        let (from, to) = (Uid(*span.start()), Uid(*span.end()));
        let mut tell = |uid: Uid, m: &Message| {
            if m.modseq > since {
                known.insert(uid.0, (m.flags.0, m.keywords.len(), m.modseq.0));
            }
            ControlFlow::Continue(())
        };
        reader
            .messages(folder, from, Uid(to.0.saturating_add(1)), &mut |uid, m| {
                if uid > to {
                    ControlFlow::Break(())
                } else {
                    tell(uid, m)
                }
            })
            .map_err(broken)?;
    }
    Ok(known)
}

/// The one filter that a content may have.
pub fn filter_of(id: ContentId) -> Vec<u8> {
    id.0.to_be_bytes().repeat(5)
}

/// Filters are there or not, and never those of another content; what has none is named.
pub fn filters(store: &Store) -> Result<(), String> {
    let broken = |error: pillarbox::store::Broken| error.to_string();
    let first = ContentId(0);
    let lacking = store
        .read(|reader| reader.unfiltered(first, 10_000))
        .map_err(broken)?;
    let users = store.read(|reader| reader.users(None, 1000));
    for (user, _) in users.map_err(broken)? {
        let folders = store.read(|reader| reader.folders(user)).map_err(broken)?;
        for (id, _) in folders {
            let mut contents = Vec::new();
            store
                .read(|reader| {
                    reader.messages(id, Uid(1), Uid(u32::MAX), &mut |_, message| {
                        contents.push(message.content);
                        ControlFlow::Continue(())
                    })?;
                    for &content in &contents {
                        let right = reader.filter(content, |f| f == filter_of(content))?;
                        let wrong = match right {
                            Some(right) => !right || lacking.contains(&content),
                            None => !lacking.contains(&content),
                        };
                        if wrong {
                            return Ok(Err(format!("{content:?} has the filter {right:?}")));
                        }
                    }
                    Ok(Ok(()))
                })
                .map_err(broken)??;
        }
    }
    Ok(())
}
