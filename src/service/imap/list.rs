//! LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9, RFC 5258, RFC 5819, RFC 6154).

use std::collections::BTreeMap;

use super::{Imap, Outcome, pace::Pace, sync::Tell};
use crate::{
    base::id::{FolderId, UserId},
    proto::imap::{
        command::{List, Lsub},
        pattern::Pattern,
        response,
        session::Completion,
    },
    store::{Broken, Store, request::Special},
};

/// What is known of a name: there may be no folder of it.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    folder: Option<FolderId>,
    special: Option<Special>,
    subscribed: bool,
    /// There is a folder below it.
    children: bool,
    /// A name below it is subscribed to.
    subscribed_below: bool,
}

/// All names in their order, those above them included.
type Names = BTreeMap<String, Entry>;

impl Imap {
    pub(super) async fn list(&mut self, user: UserId, list: &List) -> Outcome {
        let utf8 = self.enabled.utf8;
        let completion = Completion::ok("List completed.");
        let mut out = Vec::new();
        if let [pattern] = list.patterns.as_slice()
            && pattern.is_empty()
            && !list.extended
        {
            // What separates levels.
            response::list_root(&mut out);
            return Ok(self.finish(out, completion, Tell::ALL));
        }
        let names = names(&self.shared.store, user)?;
        let mut pace = Pace::new(&self.shared);
        let asked = matching(&names, &list.reference, &list.patterns, &mut pace).await;
        for ((name, entry), asked) in names.iter().zip(asked) {
            pace.breathe().await;
            if !asked {
                continue;
            }
            let Some(child_info) = wanted(list, entry) else {
                continue;
            };
            response::list(&mut out, "LIST", attributes(list, entry), name, utf8);
            if child_info {
                // Behind the name, before the line's end (RFC 5258 section 6).
                out.truncate(out.len().saturating_sub(2));
                out.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
            }
            if let (Some(items), Some(folder)) = (list.returns.status, entry.folder) {
                self.write_status(&mut out, folder, items).await?;
            }
        }
        Ok(self.finish(out, completion, Tell::ALL))
    }

    /// Names above subscribed ones are told as \Noselect when the pattern ends in `%` (RFC 3501
    /// section 6.3.9).
    pub(super) async fn lsub(&mut self, user: UserId, lsub: &Lsub) -> Outcome {
        let utf8 = self.enabled.utf8;
        let names = names(&self.shared.store, user)?;
        let (reference, pattern) = (&lsub.reference, &lsub.pattern);
        let last = if pattern.is_empty() {
            reference
        } else {
            pattern
        };
        let above = last.ends_with('%');
        let pattern = Pattern::new(reference, pattern);
        let mut pace = Pace::new(&self.shared);
        let mut out = Vec::new();
        for (name, entry) in &names {
            pace.breathe().await;
            if !pattern.matches(name) {
                continue;
            }
            let attribute = match entry.subscribed {
                true => None,
                false if above && entry.subscribed_below => Some("\\Noselect"),
                false => continue,
            };
            response::list(&mut out, "LSUB", attribute, name, utf8);
        }
        Ok(self.finish(out, Completion::ok("Lsub completed."), Tell::ALL))
    }
}

/// A person's names: folders, subscriptions, and what lies above them.
fn names(store: &Store, user: UserId) -> Result<Names, Broken> {
    let (folders, subscriptions) =
        store.read(|reader| Ok((reader.folders(user)?, reader.subscriptions(user)?)))?;
    let mut names = Names::new();
    for (id, folder) in folders {
        for above in levels_above(&folder.name) {
            names.entry(above.to_owned()).or_default().children = true;
        }
        let entry = names.entry(folder.name).or_default();
        entry.folder = Some(id);
        entry.special = folder.special;
    }
    for name in subscriptions {
        for above in levels_above(&name) {
            names.entry(above.to_owned()).or_default().subscribed_below = true;
        }
        names.entry(name).or_default().subscribed = true;
    }
    Ok(names)
}

fn levels_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// Which of the names one of the patterns asks for.
async fn matching(
    names: &Names,
    reference: &str,
    patterns: &[String],
    pace: &mut Pace,
) -> Vec<bool> {
    let mut asked = vec![false; names.len()];
    for pattern in patterns {
        let pattern = Pattern::new(reference, pattern);
        for (name, asked) in names.keys().zip(&mut asked) {
            pace.breathe().await;
            *asked = *asked || pattern.matches(name);
        }
    }
    asked
}

/// Whether an entry is listed, and whether its CHILDINFO is told.
fn wanted(list: &List, entry: &Entry) -> Option<bool> {
    let select = &list.select;
    // Names of which nothing exists but subscriptions are not LIST's, unless it asks for them.
    let there = entry.folder.is_some() || entry.children;
    if select.special_use && entry.special.is_none() {
        return None;
    }
    if !select.subscribed {
        return there.then_some(false);
    }
    let child_info = select.recursive_match && entry.subscribed_below;
    (entry.subscribed || child_info).then_some(child_info)
}

fn attributes(list: &List, entry: &Entry) -> Vec<&'static str> {
    let mut all = Vec::new();
    if entry.folder.is_none() {
        all.push(if list.extended {
            "\\NonExistent"
        } else {
            "\\Noselect"
        });
    }
    all.push(if entry.children {
        "\\HasChildren"
    } else {
        "\\HasNoChildren"
    });
    if entry.subscribed && (list.select.subscribed || list.returns.subscribed) {
        all.push("\\Subscribed");
    }
    match entry.special {
        None => {}
        Some(Special::Archive) => all.push("\\Archive"),
        Some(Special::Drafts) => all.push("\\Drafts"),
        Some(Special::Junk) => all.push("\\Junk"),
        Some(Special::Sent) => all.push("\\Sent"),
        Some(Special::Trash) => all.push("\\Trash"),
    }
    all
}
