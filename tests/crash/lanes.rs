//! Mail that waits, as a plain model has it: what becomes of it, and the lanes as they follow from it.

use std::collections::BTreeMap;

use pillarbox::{
    base::id::QueueId,
    store::{
        Reader, Store,
        index::key::{self, Kind},
        queue::{Fate, Lane, LaneNote, QueueEntry, QueuedRecipient, Settled, lane},
        value,
    },
};

use crate::{
    model::{Model, PREFIX, text},
    view::{QueueView, View},
};

impl QueueView {
    fn waits_in(&self) -> BTreeMap<String, u64> {
        let mut out = BTreeMap::new();
        for to in self.recipients.iter().filter(|_| !self.held) {
            let due = out.entry(to.lane().to_owned()).or_insert(to.due);
            *due = to.due.min(*due);
        }
        out
    }

    fn hasten(&mut self, now: u64, lane: Option<&str>) {
        for to in &mut self.recipients {
            if lane.is_none_or(|lane| to.lane() == lane) {
                to.due = to.due.min(now);
            }
        }
    }
}

/// Counts, and what is due next; the rest is kept from before.
pub fn derived(
    queue: &BTreeMap<u64, QueueView>,
    before: &BTreeMap<String, Lane>,
) -> BTreeMap<String, Lane> {
    let mut out: BTreeMap<String, Lane> = BTreeMap::new();
    for (lane, due) in queue.values().flat_map(QueueView::waits_in) {
        let first = Lane {
            waiting: 0,
            next: u64::MAX,
            ..before.get(&lane).cloned().unwrap_or_default()
        };
        let row = out.entry(lane).or_insert(first);
        row.waiting += 1;
        row.next = row.next.min(due);
    }
    for row in out.values_mut() {
        row.next = row.next.max(row.not_before);
    }
    out
}

/// An outcome that the script of a run asks for.
pub fn settled(id: u64, recipients: &[(&str, Fate)]) -> Settled {
    let recipients = recipients.iter();
    Settled {
        queue: QueueId(id),
        recipients: recipients
            .map(|(address, fate)| ((*address).to_owned(), fate.clone()))
            .collect(),
    }
}

pub fn waits(due: u64) -> Fate {
    Fate::Waits {
        due,
        reason: format!("451 4.3.0 not before {due}"),
    }
}

pub fn note(lane: &str, not_before: u64, failures: u32) -> LaneNote {
    LaneNote {
        lane: lane.to_owned(),
        not_before,
        failures,
        reason: (failures > 0).then(|| format!("failed {failures} times")),
    }
}

impl Model {
    fn renew(&mut self) {
        self.view.lanes = derived(&self.view.queue, &self.view.lanes);
    }

    fn note(&mut self, note: &LaneNote) {
        if let Some(row) = self.view.lanes.get_mut(&note.lane) {
            row.not_before = note.not_before;
            row.failures = note.failures;
            row.reason.clone_from(&note.reason);
        }
        self.renew();
    }

    pub fn uptime(&mut self, now: u64) {
        self.view.uptime = self.view.uptime.max(now);
    }

    pub fn enqueue(&mut self, tag: u64, size: usize, others: &[String]) {
        let since = self.view.uptime;
        let recipients = others.iter().map(|address| QueuedRecipient {
            address: address.clone(),
            due: since,
            ..QueuedRecipient::default()
        });
        let entry = QueueView {
            tag,
            size: (text(tag, size).len() + PREFIX.len()) as u64,
            since,
            held: false,
            recipients: recipients.collect(),
        };
        self.view.queue.insert(self.next_queue, entry);
        self.next_queue += 1;
        self.renew();
    }

    pub fn dequeue(&mut self, id: u64) -> Option<()> {
        self.view.queue.remove(&id)?;
        self.renew();
        Some(())
    }

    pub fn settle(&mut self, settled: &[Settled], note: Option<&LaneNote>, uptime: u64) {
        self.uptime(uptime);
        self.settle_all(settled);
        if let Some(note) = note {
            self.note(note);
        }
    }

    pub fn settle_all(&mut self, settled: &[Settled]) {
        for one in settled {
            let Some(entry) = self.view.queue.get_mut(&one.queue.0) else {
                continue;
            };
            for (address, fate) in &one.recipients {
                if *fate == Fate::Gone {
                    entry.recipients.retain(|to| to.address != *address);
                }
                let all = entry.recipients.iter_mut();
                for to in all.filter(|to| to.address == *address) {
                    match fate {
                        Fate::Gone => unreachable!(),
                        Fate::Moved { transport } => to.transport.clone_from(transport),
                        Fate::Waits { due, reason } => {
                            (to.due, to.reason) = (*due, Some(reason.clone()));
                            to.tries += 1;
                        }
                        Fate::Warned => to.warned = true,
                    }
                }
            }
            if entry.recipients.is_empty() {
                self.view.queue.remove(&one.queue.0);
            }
            self.renew();
        }
    }

    /// Whether a message that tells of these outcomes tells something new.
    pub fn is_news(&self, settles: &[Settled]) -> bool {
        settles.iter().all(|one| {
            let entry = self.view.queue.get(&one.queue.0);
            entry.is_some_and(|entry| {
                one.recipients.iter().any(|(address, fate)| {
                    let mut all = entry.recipients.iter();
                    all.any(|to| to.address == *address && !(*fate == Fate::Warned && to.warned))
                })
            })
        })
    }

    pub fn hold(&mut self, queues: &[u64], held: bool) {
        let now = self.view.uptime;
        for id in queues {
            if let Some(entry) = self.view.queue.get_mut(id).filter(|e| e.held != held) {
                entry.held = held;
                if !held {
                    entry.hasten(now, None);
                }
            }
            self.renew();
        }
    }

    pub fn retry(&mut self, queues: &[u64]) {
        let now = self.view.uptime;
        for id in queues {
            let Some(entry) = self.view.queue.get_mut(id) else {
                continue;
            };
            entry.hasten(now, None);
            for lane in entry.waits_in().into_keys() {
                if let Some(row) = self.view.lanes.get_mut(&lane) {
                    row.not_before = 0;
                }
            }
            self.renew();
        }
    }

    pub fn wake(&mut self, uptime: u64, lanes: &[String]) {
        self.uptime(uptime);
        let late: Vec<(String, u64)> = self
            .view
            .lanes
            .iter()
            .filter(|(name, row)| {
                row.not_before > uptime && (lanes.is_empty() || lanes.contains(name))
            })
            .map(|(name, row)| (name.clone(), row.not_before))
            .collect();
        for (name, not_before) in late {
            let waiting = self.view.queue.iter();
            let mut waiting: Vec<(u64, u64)> = waiting
                .filter_map(|(id, entry)| Some((*entry.waits_in().get(&name)?, *id)))
                .filter(|(due, _)| *due > uptime && *due <= not_before)
                .collect();
            waiting.sort_unstable();
            for (_, id) in waiting.into_iter().take(4) {
                if let Some(entry) = self.view.queue.get_mut(&id) {
                    entry.hasten(uptime, Some(&name));
                }
            }
            if let Some(row) = self.view.lanes.get_mut(&name) {
                row.not_before = 0;
            }
        }
        self.renew();
    }
}

/// The lanes that a store shows, in every way that it shows them; they follow from its entries.
pub fn shown(store: &Store, view: &View) -> Result<BTreeMap<String, Lane>, String> {
    let look = |reader: &Reader| {
        let lanes: BTreeMap<String, Lane> = reader.lanes(None, 1000)?.into_iter().collect();
        let mut order = Vec::new();
        let mut next = reader.next_lane()?;
        while let Some((due, lane)) = next {
            next = reader.next_lane_after(due, &lane)?;
            order.push((due, lane));
        }
        let mut entries = BTreeMap::new();
        for name in lanes.keys() {
            let due = reader.lane_entries(name, u64::MAX, 1000)?;
            let first = reader.lane_entries(name, u64::MAX, 1)?;
            let oldest = reader.lane_oldest(name, None, 1000)?;
            entries.insert(name.clone(), (due, oldest, first));
        }
        Ok((lanes, order, entries))
    };
    let (lanes, order, entries) = store
        .read(look)
        .map_err(|error| format!("lanes cannot be read: {error}"))?;
    let expected = derived(&view.queue, &lanes);
    if expected != lanes {
        return Err(format!("lanes are {lanes:?}, not {expected:?}"));
    }
    let mut by_due: Vec<_> = lanes.iter().map(|(n, row)| (row.next, n.clone())).collect();
    by_due.sort();
    if order != by_due {
        return Err(format!("lanes are due as {order:?}, not {by_due:?}"));
    }
    for (name, (due, oldest, first)) in entries {
        let waiting = view.queue.iter();
        let mut waiting: Vec<(u64, QueueId)> = waiting
            .filter_map(|(id, entry)| Some((*entry.waits_in().get(&name)?, QueueId(*id))))
            .collect();
        let by_id: Vec<QueueId> = waiting.iter().map(|(_, id)| *id).collect();
        waiting.sort();
        let by_due: Vec<QueueId> = waiting.iter().map(|(_, id)| *id).collect();
        if (&due, &oldest) != (&by_due, &by_id) || first[..] != by_due[..1] {
            return Err(format!("lane {name} has {due:?} and {oldest:?}"));
        }
    }
    Ok(lanes)
}

/// The rows of lanes are exactly those that the entries ask for.
pub fn count(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), String> {
    let of = |kind: Kind| rows.iter().filter(move |(key, _)| key[0] == kind.letter());
    let mut expected = Vec::new();
    for (key, octets) in of(Kind::Queue) {
        let id = QueueId(key::u64_of(key).unwrap());
        let entry: QueueEntry = value::decode(octets, "queue entry").unwrap();
        for (name, due) in lane::of(&entry) {
            expected.push(key::lane_entry(&name, due, id));
            expected.push(key::lane_oldest(&name, id));
            expected.push(key::lane(&name));
        }
    }
    for (key, octets) in of(Kind::Lane) {
        let row: Lane = value::decode(octets, "lane").unwrap();
        let name = key::text_of(key, 1).unwrap();
        expected.push(key::lane_due(row.next, name));
    }
    expected.sort();
    expected.dedup();
    let kinds = [Kind::LaneOldest, Kind::Lane, Kind::LaneDue, Kind::LaneEntry];
    let found: Vec<Vec<u8>> = kinds
        .iter()
        .flat_map(|kind| of(*kind))
        .map(|(key, _)| key.clone())
        .collect();
    if found != expected {
        return Err(format!("lanes have the rows {found:?}, not {expected:?}"));
    }
    Ok(())
}
