//! What waits to be sent: entries by age, lanes by what is due next.

use super::Reader;
use crate::{
    base::id::QueueId,
    store::{
        Broken,
        queue::{self, Lane, QueueEntry, Totals, Uptime, lane},
    },
};

impl Reader {
    /// Up to `limit` messages that wait, after `after`, oldest first.
    pub fn queue(
        &self,
        after: Option<QueueId>,
        limit: usize,
    ) -> Result<Vec<(QueueId, QueueEntry)>, Broken> {
        queue::entries(&self.rows, after, limit)
    }

    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueEntry>, Broken> {
        queue::entry(&self.rows, id)
    }

    /// By the name that the message's sender was told ("queued as").
    pub fn queue_named(&self, name: &str) -> Result<Option<QueueId>, Broken> {
        queue::named(&self.rows, name)
    }

    /// How many messages wait.
    pub fn queue_count(&self) -> Result<u64, Broken> {
        Ok(queue::totals(&self.rows)?.entries)
    }

    /// Octets of the messages that wait.
    pub fn queue_octets(&self) -> Result<u64, Broken> {
        Ok(queue::totals(&self.rows)?.octets)
    }

    /// How many messages wait, and their octets.
    pub fn queue_totals(&self) -> Result<Totals, Broken> {
        queue::totals(&self.rows)
    }

    /// The clock of network-up time as the store was told last.
    pub fn uptime(&self) -> Result<Uptime, Broken> {
        queue::uptime(&self.rows)
    }

    /// The lane in which something is due first, and when: now or later.
    pub fn next_lane(&self) -> Result<Option<(Uptime, String)>, Broken> {
        lane::next(&self.rows, None)
    }

    /// As [`Reader::next_lane`], of those behind one that it gave: for who passes over lanes that are
    /// being worked on.
    pub fn next_lane_after(
        &self,
        due: Uptime,
        lane: &str,
    ) -> Result<Option<(Uptime, String)>, Broken> {
        lane::next(&self.rows, Some((due, lane)))
    }

    /// None where nothing waits there.
    pub fn lane(&self, name: &str) -> Result<Option<Lane>, Broken> {
        lane::lane(&self.rows, name)
    }

    /// Up to `limit` lanes by name, behind that of `after`.
    pub fn lanes(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Lane)>, Broken> {
        lane::lanes(&self.rows, after, limit)
    }

    /// Up to `limit` entries of a lane that are due at `now`, the first due first.
    pub fn lane_entries(
        &self,
        lane: &str,
        now: Uptime,
        limit: usize,
    ) -> Result<Vec<QueueId>, Broken> {
        lane::due(&self.rows, lane, now, limit)
    }

    /// Up to `limit` entries of a lane behind `after`, oldest first, due or not.
    pub fn lane_oldest(
        &self,
        lane: &str,
        after: Option<QueueId>,
        limit: usize,
    ) -> Result<Vec<QueueId>, Broken> {
        lane::oldest(&self.rows, lane, after, limit)
    }
}
