//! Applying a change: deterministic and, but for the index's IO, total. What a change names and does
//! not find is skipped for that part; counters still rise; counts follow the rows that really changed.

use std::ops::ControlFlow;

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        time::Time,
    },
    store::{
        Broken,
        change::{Change, Dated},
        counters,
        directory::{self, Domain, app_password, dkim, table, usage, user},
        index::{
            key::{self, Kind},
            table::{Rows, Tables},
        },
        mailbox::{Folder, folder},
        message::{self, arrive, content, copy, expunge, flag, journal},
        queue, value,
    },
};

/// Where and when a change stands.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub sequence: u64,
    pub segment: u64,
    pub time: Time,
    /// Content that dies by it has to leave the medium.
    pub purge: bool,
}

impl Context {
    #[must_use]
    pub fn new(sequence: u64, segment: u64, time: Time) -> Self {
        Self {
            sequence,
            segment,
            time,
            purge: false,
        }
    }

    #[must_use]
    pub fn purging(self) -> Self {
        Self {
            purge: true,
            ..self
        }
    }
}

/// Applies a change inside a transaction: at run time, at recovery, at rebuild.
///
/// # Errors
///
/// The index cannot be read or written: the caller drops the transaction.
pub fn apply(
    tables: &mut Tables<'_>,
    sequence: u64,
    segment: u64,
    dated: &Dated,
) -> Result<(), Broken> {
    let at = Context::new(sequence, segment, dated.time);
    one(tables, &at, &dated.change)?;
    note(tables, sequence, segment)?;
    let mut numbers = counters::counters(tables)?;
    if dated.time > numbers.time {
        numbers.time = dated.time;
        counters::set_counters(tables, &numbers)?;
    }
    tables.set(key::SEQUENCE, &sequence)
}

/// Notes that a segment holds a change, applied or not.
///
/// # Errors
///
/// The index fails.
pub fn note(tables: &mut Tables<'_>, sequence: u64, segment: u64) -> Result<(), Broken> {
    let mut row = counters::segment(tables, segment)?;
    row.last_change = row.last_change.max(sequence);
    counters::set_segment(tables, segment, &row)
}

fn one(tables: &mut Tables<'_>, at: &Context, change: &Change) -> Result<(), Broken> {
    match change {
        Change::Accept(accepted) => arrive::apply(tables, at, accepted),
        Change::Copy(copied) => copy::apply(tables, at, copied, false),
        Change::CreateFolder(new) => folder::create(tables, new),
        Change::DeleteFolders(folders) => folder::delete(tables, at, folders),
        Change::Expunge {
            folder,
            uids,
            modseq,
        } => expunge::apply(tables, at, *folder, uids, *modseq),
        Change::Flag(flagged) => flag::apply(tables, flagged),
        Change::Jump { numbers, modseqs } => jump(tables, *numbers, *modseqs),
        Change::Move(copied) => copy::apply(tables, at, copied, true),
        Change::Moved(pieces) => content::moved(tables, pieces),
        Change::Raise {
            folder,
            uid_next,
            modseq,
        } => folder::raise(tables, *folder, *uid_next, *modseq),
        Change::Recent { folder, uid } => folder::recent(tables, *folder, *uid),
        Change::HoldQueued { queues, held } => queue::hold(tables, queues, *held),
        Change::RemoveQueued(id) => queue::remove(tables, at, *id),
        Change::RetryQueued(queues) => queue::retry(tables, queues),
        Change::Settle {
            settled,
            lane,
            uptime,
        } => queue::settle(tables, at, settled, lane.as_ref(), *uptime),
        Change::Uptime(uptime) => queue::set_uptime(tables, *uptime),
        Change::WakeLanes { lanes, uptime } => queue::wake(tables, lanes, *uptime),
        Change::RenameFolders(renames) => folder::rename(tables, renames),
        Change::Several(changes) => changes.iter().try_for_each(|c| one(tables, at, c)),
        Change::Subscribe { user, name, on } => folder::subscribe(tables, *user, name, *on),
        Change::Summarize { content, summary } => content::summarize(tables, *content, summary),
        Change::AddAppPassword { .. }
        | Change::AddDomain { .. }
        | Change::AddUser(_)
        | Change::Edit(_)
        | Change::RemoveAppPassword { .. }
        | Change::RemoveDomain { .. }
        | Change::RemoveUser { .. }
        | Change::RenameUser { .. }
        | Change::Set { .. }
        | Change::SetDomainEnabled { .. }
        | Change::SetDomainListed { .. }
        | Change::SetPassword { .. }
        | Change::SetQuota { .. }
        | Change::SetUserEnabled { .. }
        | Change::UsedAppPassword { .. } => administer(tables, at, change),
    }
}

/// Domains, people, the administrator's tables and settings.
fn administer(tables: &mut Tables<'_>, at: &Context, change: &Change) -> Result<(), Broken> {
    match change {
        Change::AddAppPassword { user, id, app } => app_password::add(tables, at, *user, *id, app),
        Change::AddDomain {
            name,
            class,
            listed,
        } => {
            let row = Domain {
                class: *class,
                enabled: true,
                listed: *listed,
            };
            tables.set(&key::domain(name), &row)
        }
        Change::AddUser(new) => user::add(tables, at, new),
        Change::Edit(rows) => rows
            .iter()
            .try_for_each(|row| table::apply(tables, at, row)),
        Change::RemoveAppPassword { user, id } => app_password::remove(tables, *user, *id),
        Change::RemoveDomain { name } => {
            table::forget_recipients(tables, name)?;
            dkim::forget(tables, at, name)?;
            tables.remove(&key::domain(name)).map(drop)
        }
        Change::RemoveUser { user, purge } => user::remove(tables, at, *user, *purge),
        Change::RenameUser { user, address } => user::rename(tables, *user, address),
        Change::Set { key, value } => match value {
            Some(text) => tables.set(&key::setting(key), text),
            None => tables.remove(&key::setting(key)).map(drop),
        },
        Change::SetDomainEnabled { name, enabled } => {
            directory::edit_domain(tables, name, |row| row.enabled = *enabled)
        }
        Change::SetDomainListed { name, listed } => {
            directory::edit_domain(tables, name, |row| row.listed = *listed)
        }
        Change::SetPassword {
            user,
            secrets,
            changed,
        } => user::set_password(tables, at, *user, secrets, *changed),
        Change::SetQuota { user, quota } => usage::set_quota(tables, *user, *quota),
        Change::SetUserEnabled { user, enabled } => {
            directory::edit(tables, *user, |row| row.enabled = *enabled)
        }
        Change::UsedAppPassword { user, id, time } => app_password::used(tables, *user, *id, *time),
        // All others are applied by the caller.
        _ => Ok(()),
    }
}

/// After a loss: no number that was handed out may name something new.
fn jump(tables: &mut Tables<'_>, numbers: u32, modseqs: u64) -> Result<(), Broken> {
    let mut counted = counters::counters(tables)?;
    counted.user = counted.user.saturating_add(numbers);
    counted.folder = counted.folder.saturating_add(numbers);
    counted.validity = counted.validity.saturating_add(numbers);
    counted.content = counted.content.saturating_add(u64::from(numbers));
    counted.queue = counted.queue.saturating_add(u64::from(numbers));
    counted.app_password = counted.app_password.saturating_add(numbers);
    counters::set_counters(tables, &counted)?;
    tables.remove(key::LOST)?;
    let mut folders: Vec<(FolderId, Folder)> = Vec::new();
    // Folders of this transaction are to be found by the scan.
    tables.flush()?;
    tables.scan_prefix(&[Kind::Folder.letter()], &mut |key, octets| {
        let id = key::u32_of(key).ok_or(Broken::Corrupt("folder key"))?;
        folders.push((FolderId(id), value::decode(octets, "folder")?));
        Ok(ControlFlow::Continue(()))
    })?;
    for (id, mut row) in folders {
        row.uid_next = Uid(row.uid_next.0.saturating_add(numbers));
        row.modseq = ModSeq(row.modseq.0.saturating_add(modseqs));
        // What somebody saw of changes that are lost is taken back: everything is news.
        let modseq = row.modseq;
        message::renew(tables, id, modseq)?;
        journal::forget(tables, id, &mut row, modseq)?;
        tables.set(&key::folder(id), &row)?;
    }
    Ok(())
}
