//! Lanes: all mail with one way out. What is due next is found without looking at the rest: lanes are
//! ordered by it, and so are the entries of a lane. Held entries are in no lane.

use std::{collections::BTreeMap, ops::ControlFlow};

use crate::{
    base::id::QueueId,
    store::{
        Broken,
        index::{
            key::{self, Kind},
            table::{Rows, Tables, after as behind},
        },
        queue::{Lane, LaneNote, QueueEntry, Uptime},
        value,
    },
};

/// An entry's lanes, and when something of it is due there.
pub type Lanes = BTreeMap<String, Uptime>;

/// The lanes that an entry waits in; none while it is held.
#[must_use]
pub fn of(entry: &QueueEntry) -> Lanes {
    let mut out = Lanes::new();
    for recipient in entry.queued.recipients.iter().filter(|_| !entry.held) {
        let lane = recipient.lane();
        match out.get_mut(lane) {
            Some(due) => *due = recipient.due.min(*due),
            None => drop(out.insert(lane.to_owned(), recipient.due)),
        }
    }
    out
}

/// # Errors
///
/// The index fails.
pub fn lane(rows: &impl Rows, name: &str) -> Result<Option<Lane>, Broken> {
    rows.row(&key::lane(name), "lane")
}

/// Up to `limit` lanes by name, behind that of `after`.
///
/// # Errors
///
/// The index fails.
pub fn lanes(
    rows: &impl Rows,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Lane)>, Broken> {
    let mut from = key::lane(after.unwrap_or_default());
    if after.is_some() {
        from.push(0);
    }
    let mut out = Vec::new();
    rows.scan(&from, &behind(&key::lane("")), &mut |key, octets| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let name = key::text_of(key, 1).ok_or(Broken::Corrupt("lane key"))?;
        out.push((name.to_owned(), value::decode(octets, "lane")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// The lane in which something is due first, of those behind `after`, and when.
///
/// # Errors
///
/// The index fails.
pub fn next(
    rows: &impl Rows,
    after: Option<(Uptime, &str)>,
) -> Result<Option<(Uptime, String)>, Broken> {
    let mut from = vec![Kind::LaneDue.letter()];
    if let Some((due, lane)) = after {
        from = key::lane_due(due, lane);
        from.push(0);
    }
    Ok(by_due(rows, &from, 1)?.pop())
}

/// Up to `limit` lanes by what is due next, from a key on.
fn by_due(rows: &impl Rows, from: &[u8], limit: usize) -> Result<Vec<(Uptime, String)>, Broken> {
    let mut out = Vec::new();
    let to = [Kind::LaneDue.letter().saturating_add(1)];
    rows.scan(from, &to, &mut |key, _| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let (due, lane) = key::lane_due_of(key).ok_or(Broken::Corrupt("lane key"))?;
        out.push((due, lane.to_owned()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Up to `limit` entries of a lane that are due at `now`, the first due first.
///
/// # Errors
///
/// The index fails.
pub fn due(
    rows: &impl Rows,
    lane: &str,
    now: Uptime,
    limit: usize,
) -> Result<Vec<QueueId>, Broken> {
    between(rows, lane, 0, now, limit)
}

/// Up to `limit` entries of a lane that are due from `first` to `last`.
fn between(
    rows: &impl Rows,
    lane: &str,
    first: Uptime,
    last: Uptime,
    limit: usize,
) -> Result<Vec<QueueId>, Broken> {
    let mut out = Vec::new();
    let from = key::lane_entry(lane, first, QueueId(0));
    rows.scan(&from, &behind(&key::lane_entries(lane)), &mut |key, _| {
        let (_, due, id) = key::lane_entry_of(key).ok_or(Broken::Corrupt("lane entry key"))?;
        if due > last || out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        out.push(id);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Up to `limit` entries of a lane behind `after`, oldest first.
///
/// # Errors
///
/// The index fails.
pub fn oldest(
    rows: &impl Rows,
    lane: &str,
    after: Option<QueueId>,
    limit: usize,
) -> Result<Vec<QueueId>, Broken> {
    let mut out = Vec::new();
    let Some(first) = after.map_or(Some(QueueId(0)), QueueId::next) else {
        return Ok(out);
    };
    let from = key::lane_oldest(lane, first);
    rows.scan(&from, &behind(&key::lane_oldests(lane)), &mut |key, _| {
        if out.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let (_, id) = key::lane_oldest_of(key).ok_or(Broken::Corrupt("lane entry key"))?;
        out.push(id);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// When the first of a lane's entries is due.
///
/// # Errors
///
/// The index fails.
pub fn first_due(rows: &impl Rows, lane: &str) -> Result<Option<Uptime>, Broken> {
    let mut first = None;
    rows.scan_prefix(&key::lane_entries(lane), &mut |key, _| {
        first = key::lane_entry_of(key).map(|(_, due, _)| due);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(first)
}

/// Applies that an entry waits in other lanes than it did, or until another time.
///
/// # Errors
///
/// The index fails.
pub fn shift(
    tables: &mut Tables<'_>,
    id: QueueId,
    before: &Lanes,
    after: &Lanes,
) -> Result<(), Broken> {
    place(tables, id, before, after)?;
    for lane in before.keys().filter(|lane| !after.contains_key(*lane)) {
        edit(tables, lane, |row| {
            row.waiting = row.waiting.saturating_sub(1);
        })?;
    }
    for (lane, due) in after {
        let was = before.get(lane);
        if was == Some(due) {
            continue;
        }
        let more = u64::from(was.is_none());
        edit(tables, lane, |row| {
            row.waiting = row.waiting.saturating_add(more);
        })?;
    }
    Ok(())
}

/// As [`shift`], but for the lanes' own rows: those are the caller's to edit.
///
/// # Errors
///
/// The index fails.
pub fn place(
    tables: &mut Tables<'_>,
    id: QueueId,
    before: &Lanes,
    after: &Lanes,
) -> Result<(), Broken> {
    for (lane, &due) in before {
        let now = after.get(lane);
        if now != Some(&due) {
            tables.remove(&key::lane_entry(lane, due, id))?;
        }
        if now.is_none() {
            tables.remove(&key::lane_oldest(lane, id))?;
        }
    }
    for (lane, due) in after {
        if before.get(lane) != Some(due) {
            tables.set(&key::lane_entry(lane, *due, id), &())?;
            tables.set(&key::lane_oldest(lane, id), due)?;
        }
    }
    Ok(())
}

/// Applies what is to be kept of a try as a whole; of a lane in which nothing waits, nothing is.
///
/// # Errors
///
/// The index fails.
pub fn note(tables: &mut Tables<'_>, note: &LaneNote) -> Result<(), Broken> {
    edit(tables, &note.lane, |row| {
        row.not_before = note.not_before;
        row.failures = note.failures;
        row.reason.clone_from(&note.reason);
    })
}

/// Changes a lane's row and puts it where it belongs by what is due next. One in which nothing waits
/// goes.
///
/// # Errors
///
/// The index fails.
pub fn edit(
    tables: &mut Tables<'_>,
    name: &str,
    edit: impl FnOnce(&mut Lane),
) -> Result<(), Broken> {
    let was = lane(tables, name)?;
    let mut now = was.clone().unwrap_or_default();
    edit(&mut now);
    let first = first_due(tables, name)?.filter(|_| now.waiting > 0);
    now.next = now.not_before.max(first.unwrap_or(0));
    if let Some(was) = &was
        && (first.is_none() || was.next != now.next)
    {
        tables.remove(&key::lane_due(was.next, name))?;
    }
    if first.is_none() {
        return tables.remove(&key::lane(name)).map(drop);
    }
    if was.as_ref().is_none_or(|was| was.next != now.next) {
        tables.set(&key::lane_due(now.next, name), &())?;
    }
    if was.as_ref() != Some(&now) {
        tables.set(&key::lane(name), &now)?;
    }
    Ok(())
}

/// Lanes that are looked at between two changes of the index.
const SLICE: usize = 256;
/// Entries of a lane that are due at once with it: those whose try ended with a failure of the lane.
const HASTENED: usize = 4;

/// Makes an entry that waits in this lane due, and [`place`]s it.
type Hasten<'a> = dyn FnMut(&mut Tables<'_>, QueueId, &str) -> Result<(), Broken> + 'a;

/// Applies that these lanes, or without names every one, may be tried again, and shows the entries of each
/// that wait for nothing else. Lanes that are due already are not looked at.
///
/// # Errors
///
/// Those of `hasten`, or the index fails.
pub fn wake(
    tables: &mut Tables<'_>,
    names: &[String],
    uptime: Uptime,
    hasten: &mut Hasten<'_>,
) -> Result<(), Broken> {
    if !names.is_empty() {
        let mut names = names.iter();
        return names.try_for_each(|name| wake_one(tables, name, uptime, hasten));
    }
    let mut from = key::lane_due(uptime.saturating_add(1), "");
    loop {
        // A lane that is woken moves to the front: none is met twice.
        let slice = by_due(tables, &from, SLICE)?;
        let Some((due, last)) = slice.last() else {
            return Ok(());
        };
        from = key::lane_due(*due, last);
        from.push(0);
        for (_, name) in &slice {
            wake_one(tables, name, uptime, hasten)?;
        }
    }
}

fn wake_one(
    tables: &mut Tables<'_>,
    name: &str,
    uptime: Uptime,
    hasten: &mut Hasten<'_>,
) -> Result<(), Broken> {
    let not_before = lane(tables, name)?.map_or(0, |row| row.not_before);
    if not_before <= uptime {
        return Ok(());
    }
    let first = uptime.saturating_add(1);
    for id in between(tables, name, first, not_before, HASTENED)? {
        hasten(tables, id, name)?;
    }
    edit(tables, name, |row| row.not_before = 0)
}
