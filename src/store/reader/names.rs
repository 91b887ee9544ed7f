//! A person's names by their octets, in slices: folders, subscriptions, and what lies below a name.

use std::{cmp::Ordering, ops::ControlFlow};

use super::Reader;
use crate::{
    base::id::{FolderId, UserId},
    store::{
        Broken,
        index::{
            key,
            table::{self, Rows as _},
        },
        value,
    },
};

/// A name, and whether there is a folder of it; else there is a subscription alone.
pub type Name = (String, Option<FolderId>);

/// Is shown a name and its row.
type Each<'a> = dyn FnMut(&str, &[u8]) -> Result<ControlFlow<()>, Broken> + 'a;

impl Reader {
    /// The names of folders and subscriptions behind `after`, in their order, at most `most`.
    pub fn names(&self, user: UserId, after: &str, most: usize) -> Result<Vec<Name>, Broken> {
        let (mut folders, mut subscriptions) = (Vec::new(), Vec::new());
        self.behind(&key::folder_name(user, ""), after, &mut |name, id| {
            let id = value::decode(id, "folder name")?;
            folders.push((name.to_owned(), Some(id)));
            Ok(flow(folders.len() < most))
        })?;
        self.behind(&key::subscription(user, ""), after, &mut |name, _| {
            subscriptions.push((name.to_owned(), None));
            Ok(flow(subscriptions.len() < most))
        })?;
        // Both are in their order; behind the first `most` of both there may be more.
        let mut names: Vec<Name> = Vec::new();
        let (mut folders, mut others) = (folders.into_iter(), subscriptions.into_iter());
        let (mut folder, mut other) = (folders.next(), others.next());
        while names.len() < most {
            let first = match (&folder, &other) {
                (None, None) => break,
                (Some(folder), Some(other)) => folder.0.cmp(&other.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            if first.is_le() {
                names.extend(folder.take());
                folder = folders.next();
            } else {
                names.extend(other.take());
            }
            if first.is_ge() {
                other = others.next();
            }
        }
        Ok(names)
    }

    pub fn is_subscribed(&self, user: UserId, name: &str) -> Result<bool, Broken> {
        self.rows.has(&key::subscription(user, name))
    }

    /// Whether there is a folder below this name.
    pub fn has_folder_below(&self, user: UserId, name: &str) -> Result<bool, Broken> {
        let mut found = false;
        let prefix = [name, "/"].concat();
        let prefix = key::folder_name(user, &prefix);
        self.rows.scan_prefix(&prefix, &mut |_, _| {
            found = true;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Shows the subscriptions below this name until `each` breaks.
    pub fn subscriptions_below(
        &self,
        user: UserId,
        name: &str,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), Broken> {
        let prefix = [name, "/"].concat();
        let prefix = key::subscription(user, &prefix);
        self.rows.scan_prefix(&prefix, &mut |key, _| {
            let name = key::text_of(key, 5).ok_or(Broken::Corrupt("subscription"))?;
            Ok(each(name))
        })
    }

    /// Rows whose key is `prefix` with a text behind `after`.
    fn behind(&self, prefix: &[u8], after: &str, each: &mut Each<'_>) -> Result<(), Broken> {
        let mut from = [prefix, after.as_bytes()].concat();
        if !after.is_empty() {
            from.push(0);
        }
        self.rows
            .scan(&from, &table::after(prefix), &mut |key, row| {
                let name = key::text_of(key, prefix.len()).ok_or(Broken::Corrupt("name"))?;
                each(name, row)
            })
    }
}

fn flow(goes_on: bool) -> ControlFlow<()> {
    if goes_on {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
