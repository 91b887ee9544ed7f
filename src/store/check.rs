//! Reads everything: is all content there, does every message and queue entry have its own?

use std::ops::ControlFlow;

use crate::{
    base::id::{ContentId, QueueId},
    store::{
        Broken, Store, content,
        index::{
            key::{self, Kind},
            table::{Rows, Snapshot},
        },
        message::{Message, content::ContentRow},
        queue::{self, Lane, QueueEntry, lane},
        value,
    },
};

/// Rows read in one transaction.
const SLICE: usize = 256;

/// Takes a row, its key and value, with the rows of the same moment.
type See<'a> = dyn FnMut(&Snapshot, &[u8], &[u8]) -> Result<(), Broken> + 'a;

/// What a check found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    pub messages: u64,
    /// Queue entries.
    pub queued: u64,
    /// Ways out for which something waits.
    pub lanes: u64,
    pub contents: u64,
    /// Of content, as text.
    pub octets: u64,
    /// What is wrong, a line each; at most 1,000 lines.
    pub wrong: Vec<String>,
}

impl Report {
    fn wrong(&mut self, text: String) {
        if self.wrong.len() < 1000 {
            self.wrong.push(text);
        }
    }
}

impl Store {
    /// Reads all messages, the queue and all content. Takes as long as that takes; runs beside everything else.
    ///
    /// # Errors
    ///
    /// The index fails. What is damaged is in the report.
    pub fn check(&self) -> Result<Report, Broken> {
        let mut report = Report::default();
        self.check_messages(&mut report)?;
        self.check_queue(&mut report)?;
        self.check_lanes(&mut report)?;
        self.check_contents(&mut report)?;
        Ok(report)
    }

    fn check_messages(&self, report: &mut Report) -> Result<(), Broken> {
        self.each_row(Kind::Message, &mut |rows, key, octets| {
            let message: Message = value::decode(octets, "message")?;
            report.messages = report.messages.saturating_add(1);
            if !rows.has(&key::content(message.content))? {
                let uid = key::uid_of(key).unwrap_or_default();
                let folder = key::u32_of(key).unwrap_or(0);
                report.wrong(format!("message {uid} of folder {folder} has no content"));
            }
            Ok(())
        })
    }

    fn check_queue(&self, report: &mut Report) -> Result<(), Broken> {
        self.each_row(Kind::Queue, &mut |rows, key, octets| {
            let entry: QueueEntry = value::decode(octets, "queue entry")?;
            report.queued = report.queued.saturating_add(1);
            let id = QueueId(key::u64_of(key).unwrap_or(0));
            if !rows.has(&key::content(entry.content))? {
                report.wrong(format!("queue entry {id} has no content"));
            }
            for (lane, due) in lane::of(&entry) {
                let oldest = rows.row(&key::lane_oldest(&lane, id), "lane entry")?;
                if !rows.has(&key::lane_entry(&lane, due, id))? || oldest != Some(due) {
                    report.wrong(format!("queue entry {id} is not in its lane {lane}"));
                }
            }
            Ok(())
        })
    }

    /// Every lane waits for what its entries are due, and no lane has entries that are not there.
    fn check_lanes(&self, report: &mut Report) -> Result<(), Broken> {
        let stray = |rows: &Snapshot, lane: &str, due: Option<u64>, id: QueueId| {
            let entry = queue::entry(rows, id)?;
            let there = entry.and_then(|entry| lane::of(&entry).remove(lane));
            Ok::<_, Broken>(there.is_none() || due.is_some_and(|due| there != Some(due)))
        };
        self.each_row(Kind::LaneEntry, &mut |rows, key, _| {
            let (lane, due, id) = key::lane_entry_of(key).ok_or(Broken::Corrupt("lane entry"))?;
            if stray(rows, lane, Some(due), id)? {
                report.wrong(format!("lane {lane} has queue entry {id} at another time"));
            }
            Ok(())
        })?;
        self.each_row(Kind::LaneOldest, &mut |rows, key, _| {
            let (lane, id) = key::lane_oldest_of(key).ok_or(Broken::Corrupt("lane entry"))?;
            if stray(rows, lane, None, id)? {
                report.wrong(format!(
                    "lane {lane} has queue entry {id}, which is not in it"
                ));
            }
            Ok(())
        })?;
        self.each_row(Kind::LaneDue, &mut |rows, key, _| {
            let (next, name) = key::lane_due_of(key).ok_or(Broken::Corrupt("lane"))?;
            if lane::lane(rows, name)?.is_none_or(|row| row.next != next) {
                report.wrong(format!("lane {name} is not due at {next}"));
            }
            Ok(())
        })?;
        self.each_row(Kind::Lane, &mut |rows, key, octets| {
            let row: Lane = value::decode(octets, "lane")?;
            let name = key::text_of(key, 1).ok_or(Broken::Corrupt("lane"))?;
            report.lanes = report.lanes.saturating_add(1);
            let first = lane::first_due(rows, name)?;
            let next = first.map(|first| first.max(row.not_before));
            if next != Some(row.next) || !rows.has(&key::lane_due(row.next, name))? {
                report.wrong(format!("lane {name} is not found when it is due"));
            }
            let mut waiting = 0_u64;
            rows.scan_prefix(&key::lane_oldests(name), &mut |_, _| {
                waiting = waiting.saturating_add(1);
                Ok(ControlFlow::Continue(()))
            })?;
            if waiting != row.waiting {
                let counts = row.waiting;
                report.wrong(format!(
                    "lane {name} counts {counts} entries, not {waiting}"
                ));
            }
            Ok(())
        })
    }

    fn check_contents(&self, report: &mut Report) -> Result<(), Broken> {
        let mut contents: Vec<(ContentId, ContentRow)> = Vec::new();
        self.each_row(Kind::Content, &mut |_, key, octets| {
            let id = ContentId(key::u64_of(key).ok_or(Broken::Corrupt("content key"))?);
            contents.push((id, value::decode(octets, "content")?));
            if contents.len() < SLICE {
                return Ok(());
            }
            for (id, row) in contents.drain(..) {
                self.check_content(id, &row, report);
            }
            Ok(())
        })?;
        for (id, row) in contents {
            self.check_content(id, &row, report);
        }
        Ok(())
    }

    fn check_content(&self, id: ContentId, row: &ContentRow, report: &mut Report) {
        report.contents = report.contents.saturating_add(1);
        let mut row = row.clone();
        loop {
            match self.read_pieces(&row) {
                Ok(octets) => {
                    report.octets = report.octets.saturating_add(octets);
                    return;
                }
                // It may have moved, or gone, since its row was read: then it is read again.
                Err(error) => match self.content_places(id) {
                    Ok(None) => return,
                    Ok(Some(now)) if now.pieces != row.pieces => row = now,
                    _ => return report.wrong(format!("content {id}: {error}")),
                },
            }
        }
    }

    /// Reads all of a content; its length in octets.
    fn read_pieces(&self, row: &ContentRow) -> Result<u64, Broken> {
        let mut octets = 0_u64;
        for &piece in &row.pieces {
            let text = content::read_piece(&self.0.segments, self.0.secret, piece)?;
            octets = octets.saturating_add(text.len() as u64);
        }
        Ok(octets)
    }

    fn each_row(&self, kind: Kind, each: &mut See<'_>) -> Result<(), Broken> {
        let mut from = vec![kind.letter()];
        let to = [kind.letter().saturating_add(1)];
        loop {
            let (mut count, mut last) = (0, None);
            self.snapshot(|rows| {
                rows.scan(&from, &to, &mut |key, octets| {
                    if count == SLICE {
                        last = Some(key.to_vec());
                        return Ok(ControlFlow::Break(()));
                    }
                    count += 1;
                    each(rows, key, octets)?;
                    Ok(ControlFlow::Continue(()))
                })
            })?;
            match last {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }
}
