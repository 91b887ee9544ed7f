//! Everything that happens to mail that waits: it comes, it is tried, it is held, it goes. Each keeps
//! the lanes right.

use crate::{
    base::id::QueueId,
    store::{
        Broken, Refusal,
        apply::Context,
        change::{Accepted, Change},
        counters,
        index::{
            key,
            table::{Rows, Tables},
        },
        message::content,
        queue::{
            Fate, LaneNote, QueueEntry, Queued, QueuedRecipient, Settled, Uptime, entry,
            lane::{self, Lanes},
            named, totals, uptime,
        },
        request::Request,
    },
};

/// Decides a request about queued mail; `None`: nothing has to change.
///
/// # Errors
///
/// For good: [`Refusal::NoEntry`], of an entry that is to be removed.
pub fn decide(rows: &impl Rows, request: &Request) -> Result<Option<Change>, Refusal> {
    let there = |id: &QueueId| rows.has(&key::queue(*id));
    Ok(match request {
        Request::HoldQueued { queues, held } => {
            let mut queues = queues.clone();
            retain(&mut queues, |id| {
                Ok(entry(rows, *id)?.is_some_and(|entry| entry.held != *held))
            })?;
            let held = *held;
            (!queues.is_empty()).then_some(Change::HoldQueued { queues, held })
        }
        Request::RemoveQueued { queue } => {
            if !there(queue)? {
                return Err(Refusal::NoEntry);
            }
            Some(Change::RemoveQueued(*queue))
        }
        Request::RetryQueued { queues } => {
            let mut queues = queues.clone();
            retain(&mut queues, there)?;
            (!queues.is_empty()).then_some(Change::RetryQueued(queues))
        }
        Request::Settle {
            settled,
            lane,
            uptime,
        } => {
            let mut settled = settled.clone();
            retain(&mut settled, |settled| there(&settled.queue))?;
            let news = !settled.is_empty() || lane.is_some() || is_later(rows, *uptime)?;
            news.then(|| Change::Settle {
                settled,
                lane: lane.clone(),
                uptime: *uptime,
            })
        }
        Request::Uptime(uptime) => is_later(rows, *uptime)?.then_some(Change::Uptime(*uptime)),
        Request::WakeLanes { lanes, uptime } => {
            let news = lane::next(rows, None)?.is_some() || is_later(rows, *uptime)?;
            news.then(|| Change::WakeLanes {
                lanes: lanes.clone(),
                uptime: *uptime,
            })
        }
        // All others are decided by the caller.
        _ => None,
    })
}

fn retain<T>(
    list: &mut Vec<T>,
    mut keep: impl FnMut(&T) -> Result<bool, Broken>,
) -> Result<(), Broken> {
    let mut failed = Ok(());
    list.retain(|item| match keep(item) {
        Ok(keep) => keep,
        Err(broken) => {
            failed = Err(broken);
            false
        }
    });
    failed
}

fn is_later(rows: &impl Rows, now: Uptime) -> Result<bool, Broken> {
    Ok(now > uptime(rows)?)
}

/// Decides outcomes that a message tells of. Where one tells nothing new (its entry or its recipients
/// are gone, or its sender was warned), the message must not be sent again.
///
/// # Errors
///
/// For good: [`Refusal::NoEntry`].
pub fn decide_settles(rows: &impl Rows, settles: &[Settled]) -> Result<(), Refusal> {
    for settled in settles {
        let entry = entry(rows, settled.queue)?.ok_or(Refusal::NoEntry)?;
        let news = settled.recipients.iter().any(|(address, fate)| {
            let mut all = entry.queued.recipients.iter();
            all.any(|to| to.address == *address && !(*fate == Fate::Warned && to.warned))
        });
        if !news {
            return Err(Refusal::NoEntry);
        }
    }
    Ok(())
}

/// Applies that a message waits; its content is there.
///
/// # Errors
///
/// The index fails.
pub fn add(
    tables: &mut Tables<'_>,
    accepted: &Accepted,
    id: QueueId,
    queued: &Queued,
) -> Result<(), Broken> {
    let mut numbers = counters::counters(tables)?;
    numbers.queue = numbers.queue.max(id.0.saturating_add(1));
    counters::set_counters(tables, &numbers)?;
    if tables.has(&key::queue(id))? {
        return Ok(());
    }
    // Who brings it may know the time better than the store, which is told it now and then.
    let given = queued.recipients.iter().map(|to| to.due).max();
    let since = uptime(tables)?.max(given.unwrap_or(0));
    set_uptime(tables, since)?;
    let mut entry = QueueEntry {
        content: accepted.content,
        size: accepted.octets(),
        arrived: accepted.date,
        since,
        held: queued.recipients.iter().any(QueuedRecipient::is_merged),
        queued: queued.clone(),
    };
    for to in &mut entry.queued.recipients {
        to.due = since;
    }
    tables.set(&key::queue(id), &entry)?;
    tables.set(&key::queue_name(&queued.id), &id)?;
    lane::shift(tables, id, &Lanes::new(), &lane::of(&entry))?;
    content::refer(tables, entry.content)?;
    let mut totals = totals(tables)?;
    totals.entries = totals.entries.saturating_add(1);
    totals.octets = totals.octets.saturating_add(entry.size);
    tables.set(key::QUEUE, &totals)
}

/// Applies that an entry goes; its content too where nobody else has it.
///
/// # Errors
///
/// The index fails.
pub fn remove(tables: &mut Tables<'_>, at: &Context, id: QueueId) -> Result<(), Broken> {
    match entry(tables, id)? {
        Some(entry) => end(tables, at, id, &entry, &lane::of(&entry)),
        None => Ok(()),
    }
}

/// An entry goes that waited in `lanes`.
fn end(
    tables: &mut Tables<'_>,
    at: &Context,
    id: QueueId,
    entry: &QueueEntry,
    lanes: &Lanes,
) -> Result<(), Broken> {
    tables.remove(&key::queue(id))?;
    if named(tables, &entry.queued.id)? == Some(id) {
        tables.remove(&key::queue_name(&entry.queued.id))?;
    }
    lane::shift(tables, id, lanes, &Lanes::new())?;
    content::release(tables, at, entry.content)?;
    let mut totals = totals(tables)?;
    totals.entries = totals.entries.saturating_sub(1);
    totals.octets = totals.octets.saturating_sub(entry.size);
    tables.set(key::QUEUE, &totals)
}

/// Applies what became of queued mail.
///
/// # Errors
///
/// The index fails.
pub fn settle(
    tables: &mut Tables<'_>,
    at: &Context,
    settled: &[Settled],
    note: Option<&LaneNote>,
    uptime: Uptime,
) -> Result<(), Broken> {
    set_uptime(tables, uptime)?;
    settle_all(tables, at, settled)?;
    match note {
        Some(note) => lane::note(tables, note),
        None => Ok(()),
    }
}

/// Applies outcomes, in their order.
///
/// # Errors
///
/// The index fails.
pub fn settle_all(
    tables: &mut Tables<'_>,
    at: &Context,
    settled: &[Settled],
) -> Result<(), Broken> {
    for settled in settled {
        let id = settled.queue;
        let Some(mut entry) = entry(tables, id)? else {
            continue;
        };
        let before = lane::of(&entry);
        for (address, fate) in &settled.recipients {
            meet(&mut entry.queued, address, fate);
        }
        if entry.queued.recipients.is_empty() {
            end(tables, at, id, &entry, &before)?;
        } else {
            tables.set(&key::queue(id), &entry)?;
            lane::shift(tables, id, &before, &lane::of(&entry))?;
        }
    }
    Ok(())
}

/// A recipient meets a fate.
fn meet(queued: &mut Queued, address: &str, fate: &Fate) {
    if *fate == Fate::Gone {
        return queued.recipients.retain(|to| to.address != address);
    }
    let all = queued.recipients.iter_mut();
    for to in all.filter(|to| to.address == address) {
        match fate {
            Fate::Gone => {}
            Fate::Moved { transport } => to.transport.clone_from(transport),
            Fate::Waits { due, reason } => {
                to.due = *due;
                to.tries = to.tries.saturating_add(1);
                to.reason = Some(reason.clone());
            }
            Fate::Warned => to.warned = true,
        }
    }
}

/// Applies a change to an entry that keeps its recipients.
fn edit(
    tables: &mut Tables<'_>,
    id: QueueId,
    edit: impl FnOnce(&mut QueueEntry),
) -> Result<(), Broken> {
    let Some(mut entry) = entry(tables, id)? else {
        return Ok(());
    };
    let before = lane::of(&entry);
    edit(&mut entry);
    tables.set(&key::queue(id), &entry)?;
    lane::shift(tables, id, &before, &lane::of(&entry))
}

fn hasten(entry: &mut QueueEntry, now: Uptime) {
    for to in &mut entry.queued.recipients {
        to.due = to.due.min(now);
    }
}

/// Applies that entries are held, or released and due at once.
///
/// # Errors
///
/// The index fails.
pub fn hold(tables: &mut Tables<'_>, queues: &[QueueId], held: bool) -> Result<(), Broken> {
    let now = uptime(tables)?;
    for id in queues {
        edit(tables, *id, |entry| {
            entry.held = held;
            if !held {
                hasten(entry, now);
            }
        })?;
    }
    Ok(())
}

/// Applies that entries are due at once, and their lanes.
///
/// # Errors
///
/// The index fails.
pub fn retry(tables: &mut Tables<'_>, queues: &[QueueId]) -> Result<(), Broken> {
    let now = uptime(tables)?;
    for id in queues {
        let mut lanes = Lanes::new();
        edit(tables, *id, |entry| {
            hasten(entry, now);
            lanes = lane::of(entry);
        })?;
        for lane in lanes.keys() {
            lane::edit(tables, lane, |row| row.not_before = 0)?;
        }
    }
    Ok(())
}

/// Applies that these lanes, or without names every one, may be tried again, and with them what waits for
/// that alone.
///
/// # Errors
///
/// The index fails.
pub fn wake(tables: &mut Tables<'_>, lanes: &[String], now: Uptime) -> Result<(), Broken> {
    set_uptime(tables, now)?;
    lane::wake(tables, lanes, now, &mut |tables, id, lane| {
        let Some(mut entry) = entry(tables, id)? else {
            return Ok(());
        };
        let before = lane::of(&entry);
        let all = entry.queued.recipients.iter_mut();
        for to in all.filter(|to| to.lane() == lane) {
            to.due = to.due.min(now);
        }
        tables.set(&key::queue(id), &entry)?;
        lane::place(tables, id, &before, &lane::of(&entry))
    })
}

/// Applies the clock of network-up time, which only goes forward.
///
/// # Errors
///
/// The index fails.
pub fn set_uptime(tables: &mut Tables<'_>, now: Uptime) -> Result<(), Broken> {
    if now > uptime(tables)? {
        tables.set(key::UPTIME, &now)?;
    }
    Ok(())
}
