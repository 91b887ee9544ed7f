//! What is derived from content and kept in the index only: it comes and goes without a trace in the log.

use std::sync::Weak;

use async_channel::Sender;

use super::Writer;
use crate::{
    base::id::ContentId,
    store::{Refusal, Reply, index::key, message::filter, space::Room},
};

/// For each filter that is stored so many contents are passed over, to see up to where all have one.
const FILTERS_PASSED: usize = 16;
/// Octets of a filter's row beside the filter.
const FILTER_ROW: u64 = 32;

/// So many octets of filters count as a row for the checkpoint's rhythm: one every 8 MiB.
const FILTERS_ROW: u64 = 512;

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
                self.checkpoint.rows = self.checkpoint.rows.saturating_add(rows);
                self.checkpoint.since.get_or_insert(self.clock.now().0);
                Ok(())
            }
            Err(broken) => Err(self.index_failed(&broken).refusal()),
        }
    }
}
