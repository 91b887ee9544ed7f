//! What changes the index only, without a trace in the log: what is derived from content comes, what
//! folders left behind goes.

use std::sync::Weak;

use async_channel::Sender;

use super::Writer;
use crate::{
    base::id::ContentId,
    store::{Refusal, Reply, index::key, mailbox::remains, message::filter, space::Room},
};

/// For each filter that is stored so many contents are passed over, to see up to where all have one.
const FILTERS_PASSED: usize = 16;
/// Octets of a filter's row beside the filter.
const FILTER_ROW: u64 = 32;

/// So many octets of filters count as a row for the checkpoint's rhythm: one every 8 MiB.
const FILTERS_ROW: u64 = 512;

/// Rows of folders that are gone, removed at one step.
const CLEAN: usize = 512;

/// Filters of contents.
pub(super) type Filters = Vec<(ContentId, Vec<u8>)>;

impl Writer {
    /// Stores what was derived from content: in the index only, without a sync.
    pub(super) fn derive(&mut self, filters: Vec<(Filters, Sender<Result<Reply, Refusal>>)>) {
        for (filters, answer) in filters {
            let done = self.filters(&filters);
            let _ = answer.try_send(done.map(|()| Reply::Done));
        }
    }

    fn filters(&mut self, filters: &Filters) -> Result<(), Refusal> {
        let octets: u64 = filters
            .iter()
            .map(|(_, f)| f.len() as u64 + FILTER_ROW)
            .sum();
        let room = self.rooms.room() == Room::Plenty;
        if !room || octets.saturating_mul(2) > self.rooms.index_room() {
            return Err(Refusal::Full);
        }
        // Content in the log that has no row yet comes later, with a smaller number.
        let streams = self.streams.iter().filter_map(Weak::upgrade);
        let begun = streams.filter_map(|stream| stream.lock().content);
        let on_its_way = begun.min().unwrap_or(ContentId(u64::MAX));
        let most = filters.len().saturating_mul(FILTERS_PASSED);
        let sequence = self.sequence;
        let done = self.read(|index| {
            index.write(false, |tables| {
                filter::store(tables, filters)?;
                filter::raise(tables, on_its_way, most)?;
                tables.set(key::SEQUENCE, &sequence)?;
                Ok(tables.touched.max(octets / FILTERS_ROW))
            })
        });
        match done {
            Ok(rows) => {
                self.unsaved(rows);
                Ok(())
            }
            Err(broken) => Err(self.index_failed(&broken).refusal()),
        }
    }

    /// Removes a slice of it; says whether there was any.
    pub fn clean(&mut self) -> bool {
        if self.tidying.clean {
            return false;
        }
        let sequence = self.sequence;
        let done = self.read(|index| {
            let Some((id, remains)) = remains::first(&index.snapshot()?)? else {
                return Ok(None);
            };
            index.write(false, |tables| {
                remains::clean(tables, id, remains, CLEAN)?;
                tables.set(key::SEQUENCE, &sequence)?;
                Ok(Some(tables.touched))
            })
        });
        match done {
            Ok(Some(rows)) => {
                self.unsaved(rows);
                self.tidying.due = true;
                true
            }
            Ok(None) => {
                self.tidying.clean = true;
                false
            }
            Err(_) => {
                self.reopen();
                false
            }
        }
    }

    /// The index has what only a checkpoint makes durable.
    fn unsaved(&mut self, rows: u64) {
        self.checkpoint.rows = self.checkpoint.rows.saturating_add(rows);
        self.checkpoint.since.get_or_insert(self.clock.now().0);
    }
}
