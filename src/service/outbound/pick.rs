//! The next message of a lane.

use std::{collections::VecDeque, rc::Rc};

use super::{
    Outbound,
    lane::{CHUNK, Claim, Job, Lane, sort},
    settle::{Came, Outcome, What},
};
use crate::{
    base::id::QueueId,
    service::lookup,
    store::{
        directory::TransportTls,
        queue::{Fate, QueueEntry, Settled},
    },
};

/// Entries in a row with nothing to send.
const MISSES_MAX: usize = 256;

impl Outbound {
    /// The next message of a lane that is due; `None`: there is none.
    pub(super) async fn pick(self: &Rc<Self>, lane: &Rc<Lane>) -> Option<Box<Job>> {
        for _ in 0..MISSES_MAX {
            self.room().await;
            if self.parts.house.is_stopping() || lane.cooling.get() {
                return None;
            }
            let claim = self.next_claim(lane)?;
            let entry = self.parts.store.read(|reader| reader.queue_entry(claim.id));
            let entry = self.told(entry).flatten().filter(|entry| !entry.held);
            if let Some(entry) = entry
                && let Some(job) = self.look_at(lane, claim, entry)
            {
                return Some(job);
            }
        }
        // The index says what the rows do not: nobody is to spin on that.
        let world = &self.parts.world;
        world.sleep(world.now().plus_seconds(1)).await;
        None
    }

    fn next_claim(&self, lane: &Rc<Lane>) -> Option<Rc<Claim>> {
        if let Some(claim) = lane.ready.borrow_mut().pop_front() {
            return Some(claim);
        }
        let (now, most) = (self.now(), lane.taken().saturating_add(CHUNK));
        let due = self.parts.store.read(|reader| {
            if reader.setting(super::PAUSED)?.is_some() {
                return Ok(Vec::<QueueId>::new());
            }
            reader.lane_entries(&lane.name, now, most)
        });
        let due = self.told(due)?;
        let mut claims: VecDeque<_> = due.into_iter().filter_map(|id| lane.claim(id)).collect();
        let first = claims.pop_front();
        lane.ready.borrow_mut().append(&mut claims);
        first
    }

    /// Where the rows send it by now.
    fn look_at(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        claim: Rc<Claim>,
        entry: QueueEntry,
    ) -> Option<Box<Job>> {
        let (options, now) = (self.options(), self.now());
        let sorted = lookup::look(&self.parts.store, |rows| {
            sort(rows, &options.routing, &lane.name, &entry, now)
        });
        let sorted = sorted.ok()?;
        let fates = sorted.moved.into_iter();
        let fates: Vec<_> = fates
            .map(|(address, transport)| (address, Fate::Moved { transport }))
            .collect();
        if !fates.is_empty() {
            self.move_on(lane, &claim, fates);
        }
        if !sorted.unclear.is_empty() {
            let came = sorted.unclear.into_iter().map(|recipient| -> Came {
                let (status, text) = ("4.3.5", "its way cannot be looked up now");
                let (status, text) = (status.to_owned(), text.to_owned());
                (recipient, What::Waits { status, text })
            });
            let outcome = Outcome {
                claim: &claim,
                entry: &entry,
                relay: "none",
                came: came.collect(),
                note: None,
            };
            self.settle(lane, outcome);
        }
        if sorted.here.is_empty() {
            return None;
        }
        Some(Box::new(Job {
            claim,
            entry,
            left: sorted.here,
            level: sorted.pattern.and_then(|pattern| self.level(&pattern)),
            again: false,
        }))
    }

    /// What the admin said of TLS at a transport.
    fn level(&self, pattern: &str) -> Option<TransportTls> {
        let row = self.parts.store.read(|reader| reader.transport(pattern));
        self.told(row).flatten()?.tls
    }

    fn move_on(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        claim: &Rc<Claim>,
        recipients: Vec<(String, Fate)>,
    ) {
        let (this, lane, claim) = (Rc::clone(self), Rc::clone(lane), Rc::clone(claim));
        self.begun(1);
        (self.parts.spawn)(Box::pin(async move {
            let settled = Settled {
                queue: claim.id,
                recipients,
            };
            this.settled(vec![settled], None).await;
            drop(claim);
            this.ended(&lane);
            this.wake();
        }));
    }
}
