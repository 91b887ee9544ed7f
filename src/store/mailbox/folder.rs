//! Folders come, go and get other names; subscriptions.

use std::ops::ControlFlow;

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid, UserId},
        ranges::Ranges,
    },
    store::{
        Broken, Refusal,
        apply::Context,
        change::{Change, Copied, NewFolder},
        decide::Numbers,
        directory,
        index::{
            key,
            table::{Rows, Tables},
        },
        mailbox::{self, Folder, INBOX, remains},
        message::{self, journal::Extent},
        request::Special,
        value,
    },
};

/// Longest folder name in octets, and how deep folders may lie.
pub const NAME_MAX: usize = 1000;
const DEPTH_MAX: usize = 64;

/// Decides a new folder.
///
/// # Errors
///
/// For good: [`Refusal::Exists`] for the name and for the special use, [`Refusal::Name`],
/// [`Refusal::NoUser`], [`Refusal::Limit`].
pub fn decide_create(
    rows: &impl Rows,
    numbers: &mut Numbers,
    user: UserId,
    name: &str,
    special: Option<Special>,
) -> Result<Change, Refusal> {
    directory::user(rows, user)?.ok_or(Refusal::NoUser)?;
    check_name(name)?;
    if mailbox::named(rows, user, name)?.is_some() {
        return Err(Refusal::Exists);
    }
    if special.is_some() && is_used(rows, user, special)? {
        return Err(Refusal::Exists);
    }
    let count = u64::from(directory::usage::usage(rows, user)?.folders);
    if numbers.folders_max > 0 && count >= numbers.folders_max {
        return Err(Refusal::Limit {
            name: "limit.folders",
            limit: numbers.folders_max,
        });
    }
    Ok(Change::CreateFolder(NewFolder {
        folder: numbers.folder()?,
        user,
        name: name.to_owned(),
        special,
        validity: numbers.validity()?,
    }))
}

/// Whether another folder of the person has the special use.
fn is_used(rows: &impl Rows, user: UserId, special: Option<Special>) -> Result<bool, Broken> {
    for id in mailbox::all(rows, user)? {
        let row = mailbox::folder(rows, id)?.ok_or(Broken::Corrupt("folder"))?;
        if row.special == special {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one more subscription may be noted: a person may have as many as folders, which need not
/// be there.
///
/// # Errors
///
/// For good: [`Refusal::Name`], [`Refusal::Limit`].
pub fn check_subscription(
    rows: &impl Rows,
    numbers: &Numbers,
    user: UserId,
    name: &str,
) -> Result<(), Refusal> {
    check_name(name)?;
    check_count(rows, numbers.folders_max, &key::subscription(user, ""))
}

/// Refuses when so many keys begin with a prefix; 0: there is no limit.
fn check_count(rows: &impl Rows, limit: u64, prefix: &[u8]) -> Result<(), Refusal> {
    let mut left = limit;
    if limit > 0 {
        rows.scan_prefix(prefix, &mut |_, _| {
            left = left.saturating_sub(1);
            Ok(match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        })?;
    }
    match (limit, left) {
        (1.., 0) => Err(Refusal::Limit {
            name: "limit.folders",
            limit,
        }),
        _ => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let parts = name.split('/').count();
    let good = !name.is_empty()
        && name.len() <= NAME_MAX
        && parts <= DEPTH_MAX
        && name.split('/').all(|part| !part.is_empty())
        && !name.chars().any(char::is_control)
        && (name == INBOX || !name.eq_ignore_ascii_case(INBOX));
    good.then_some(()).ok_or(Refusal::Name)
}

/// Applies a new folder.
///
/// # Errors
///
/// The index fails.
pub fn create(tables: &mut Tables<'_>, new: &NewFolder) -> Result<(), Broken> {
    let mut numbers = crate::store::counters::counters(tables)?;
    numbers.folder = numbers.folder.max(new.folder.0.saturating_add(1));
    numbers.validity = numbers.validity.max(new.validity.saturating_add(1));
    crate::store::counters::set_counters(tables, &numbers)?;
    let folder = Folder {
        user: new.user,
        name: new.name.clone(),
        special: new.special,
        validity: new.validity,
        uid_next: Uid(1),
        modseq: ModSeq(1),
        exists: 0,
        unseen: 0,
        octets: 0,
        first_unseen: Uid(0),
        recent: Uid(1),
        keywords: Vec::new(),
        deleted: 0,
        deleted_octets: 0,
        uncounted: 0,
        uncounted_octets: 0,
        journal: Extent::default(),
    };
    directory::usage::count_folder(tables, new.user)?;
    tables.set(&key::folder(new.folder), &folder)?;
    tables.set(&key::folder_name(new.user, &new.name), &new.folder)
}

/// Decides that a folder goes with its messages.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`], [`Refusal::Name`] for INBOX.
pub fn decide_delete(rows: &impl Rows, id: FolderId) -> Result<Change, Refusal> {
    let folder = mailbox::folder(rows, id)?.ok_or(Refusal::NoFolder)?;
    if folder.name == INBOX {
        return Err(Refusal::Name);
    }
    Ok(Change::DeleteFolders(vec![id]))
}

/// Applies that folders go: what they hold counts for nothing from now on, its rows go later.
///
/// # Errors
///
/// The index fails.
pub fn delete(tables: &mut Tables<'_>, at: &Context, folders: &[FolderId]) -> Result<(), Broken> {
    for &id in folders {
        let Some(folder) = mailbox::folder(tables, id)? else {
            continue;
        };
        remains::leave(tables, at, id)?;
        tables.remove(&key::folder_name(folder.user, &folder.name))?;
        tables.remove(&key::folder(id))?;
        directory::usage::count_out(tables, &folder)?;
    }
    Ok(())
}

/// Decides new names for a folder and its children. INBOX itself stays and gives its messages away.
///
/// # Errors
///
/// For good: [`Refusal::NoFolder`], [`Refusal::Exists`], [`Refusal::Name`], [`Refusal::Limit`].
pub fn decide_rename(
    rows: &impl Rows,
    numbers: &mut Numbers,
    id: FolderId,
    name: &str,
) -> Result<Change, Refusal> {
    let folder = mailbox::folder(rows, id)?.ok_or(Refusal::NoFolder)?;
    check_name(name)?;
    if mailbox::named(rows, folder.user, name)?.is_some() {
        return Err(Refusal::Exists);
    }
    if folder.name == INBOX {
        return decide_rename_inbox(rows, numbers, id, &folder, name);
    }
    let mut renames = vec![(id, name.to_owned())];
    rename_below(rows, folder.user, &folder.name, name, &mut renames)?;
    Ok(Change::RenameFolders(renames))
}

/// Decides new names for what lies below a name of which there is no folder.
///
/// # Errors
///
/// As [`decide_rename`]; [`Refusal::NoFolder`] where nothing lies below it.
pub fn decide_rename_level(
    rows: &impl Rows,
    user: UserId,
    from: &str,
    name: &str,
) -> Result<Change, Refusal> {
    if mailbox::named(rows, user, name)?.is_some() {
        return Err(Refusal::Exists);
    }
    let mut renames = Vec::new();
    rename_below(rows, user, from, name, &mut renames)?;
    if renames.is_empty() {
        return Err(Refusal::NoFolder);
    }
    Ok(Change::RenameFolders(renames))
}

/// Adds the new names of the folders below one.
fn rename_below(
    rows: &impl Rows,
    user: UserId,
    from: &str,
    name: &str,
    renames: &mut Vec<(FolderId, String)>,
) -> Result<(), Refusal> {
    let inside = [from, "/"].concat();
    if name.starts_with(&inside) {
        return Err(Refusal::Name);
    }
    let own = renames.len();
    rows.scan_prefix(&key::folder_name(user, &inside), &mut |key, octets| {
        let rest = key::text_of(key, inside.len().saturating_add(5));
        let new = [name, "/", rest.ok_or(Broken::Corrupt("folder name"))?].concat();
        renames.push((value::decode(octets, "folder name")?, new));
        Ok(ControlFlow::Continue(()))
    })?;
    for (_, new) in renames.iter().skip(own) {
        check_name(new)?;
        if mailbox::named(rows, user, new)?.is_some() {
            return Err(Refusal::Exists);
        }
    }
    Ok(())
}

fn decide_rename_inbox(
    rows: &impl Rows,
    numbers: &mut Numbers,
    id: FolderId,
    inbox: &Folder,
    name: &str,
) -> Result<Change, Refusal> {
    let create = decide_create(rows, numbers, inbox.user, name, None)?;
    let Change::CreateFolder(new) = &create else {
        return Err(Refusal::Name);
    };
    let uids = message::existing(rows, id, &Ranges::span(1, u32::MAX))?;
    if uids.is_empty() {
        return Ok(create);
    }
    let places = 0..u16::try_from(inbox.keywords.len()).unwrap_or(u16::MAX);
    let all = Copied {
        from: id,
        to: new.folder,
        uids,
        first: Uid(1),
        from_modseq: mailbox::next_modseq(inbox)?,
        modseq: ModSeq(2),
        keywords: places.map(|place| (place, place)).collect(),
        names: inbox.keywords.clone(),
    };
    Ok(Change::Several(vec![create, Change::Move(all)]))
}

/// Applies new names.
///
/// # Errors
///
/// The index fails.
pub fn rename(tables: &mut Tables<'_>, renames: &[(FolderId, String)]) -> Result<(), Broken> {
    for (id, name) in renames {
        let Some(mut folder) = mailbox::folder(tables, *id)? else {
            continue;
        };
        tables.remove(&key::folder_name(folder.user, &folder.name))?;
        tables.set(&key::folder_name(folder.user, name), id)?;
        folder.name.clone_from(name);
        tables.set(&key::folder(*id), &folder)?;
    }
    Ok(())
}

/// Applies that numbers go on from these at least.
///
/// # Errors
///
/// The index fails.
pub fn raise(
    tables: &mut Tables<'_>,
    id: FolderId,
    uid_next: Uid,
    modseq: ModSeq,
) -> Result<(), Broken> {
    if let Some(mut folder) = mailbox::folder(tables, id)? {
        folder.uid_next = folder.uid_next.max(uid_next);
        folder.modseq = folder.modseq.max(modseq);
        tables.set(&key::folder(id), &folder)?;
    }
    Ok(())
}

/// Applies that messages below `uid` have been shown as \Recent.
///
/// # Errors
///
/// The index fails.
pub fn recent(tables: &mut Tables<'_>, id: FolderId, uid: Uid) -> Result<(), Broken> {
    if let Some(mut folder) = mailbox::folder(tables, id)? {
        folder.recent = folder.recent.max(uid);
        tables.set(&key::folder(id), &folder)?;
    }
    Ok(())
}

/// Applies a subscription.
///
/// # Errors
///
/// The index fails.
pub fn subscribe(
    tables: &mut Tables<'_>,
    user: UserId,
    name: &str,
    on: bool,
) -> Result<(), Broken> {
    let key = key::subscription(user, name);
    if on {
        tables.set(&key, &())
    } else {
        tables.remove(&key).map(drop)
    }
}

/// Names a person subscribed to.
///
/// # Errors
///
/// The index fails.
pub fn subscriptions(rows: &impl Rows, user: UserId) -> Result<Vec<String>, Broken> {
    let mut out = Vec::new();
    rows.scan_prefix(&key::subscription(user, ""), &mut |key, _| {
        let name = key::text_of(key, 5).ok_or(Broken::Corrupt("subscription"))?;
        out.push(name.to_owned());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}
