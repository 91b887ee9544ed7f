//! Filling a batch: each wish is decided against all before it, placed, applied.

use std::io;

use super::{BATCH_MAX, wish::Wish};
use crate::{
    base::time::Time,
    store::{
        Broken, Refusal, Reply, apply,
        change::{CHANGE_MAX, Dated},
        decide::{self, Numbers},
        index::table::Tables,
        log::{append::Log, batch::Batch, blocks_up},
        request::Notice,
        space::Room,
    },
};

/// A batch being filled.
#[derive(Debug)]
pub(super) struct Filling {
    pub batch: Option<Batch>,
    pub sequence: u64,
    pub time: Time,
    pub room: Room,
    pub need: Option<u32>,
    /// Octets that a batch has at most.
    pub most: u32,
    pub changes: u64,
    /// Something in it makes content dead.
    pub frees: bool,
    /// Something in it must leave the medium.
    pub purges: bool,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Failed(io::Error),
    Nothing,
    Synced { octets: u64 },
}

pub(super) enum Taken {
    Answer(Result<Reply, Refusal>),
    /// The index failed.
    Failed(Broken),
    /// It does not fit into this batch.
    Later,
}

impl Filling {
    pub(super) fn take(
        &mut self,
        tables: &mut Tables<'_>,
        numbers: &mut Numbers,
        wish: &Wish,
        begun: bool,
        notices: &mut Vec<Notice>,
    ) -> Taken {
        if !self.room.allows(&wish.request) {
            return Taken::Answer(Err(Refusal::Full));
        }
        if let Some(refusal) = wish.torn() {
            return Taken::Answer(Err(refusal));
        }
        let next = self.sequence.saturating_add(1);
        let decided = match decide::decide(tables, numbers, next, &wish.request) {
            Ok(decided) => decided,
            Err(Refusal::Broken(broken)) => return Taken::Failed(broken),
            Err(refusal) => return Taken::Answer(Err(refusal)),
        };
        let Some(mut change) = decided.change else {
            return Taken::Answer(Ok(decided.reply));
        };
        let Some(batch) = self.batch.as_mut().filter(|_| begun) else {
            return Taken::Later;
        };
        wish.place_streams(&mut change);
        let time = self.time;
        let length = Dated {
            time,
            change: change.clone(),
        }
        .encode()
        .len();
        let need = wish.need(length);
        if length > CHANGE_MAX || need > self.most {
            return Taken::Answer(Err(Refusal::Limit {
                name: "octets of a change",
                limit: CHANGE_MAX as u64,
            }));
        }
        if !batch.fits(need) || (!batch.is_empty() && batch.len() > BATCH_MAX) {
            self.need = Some(need);
            return Taken::Later;
        }
        wish.place(batch, self.sequence, &mut change);
        let dated = Dated { time, change };
        match self.append(tables, &dated.encode(), &dated) {
            Ok(()) => {
                decide::notices(&dated.change, notices);
                Taken::Answer(Ok(decided.reply))
            }
            Err(broken) => Taken::Failed(broken),
        }
    }

    pub(super) fn append(
        &mut self,
        tables: &mut Tables<'_>,
        encoded: &[u8],
        dated: &Dated,
    ) -> Result<(), Broken> {
        let Some(batch) = &mut self.batch else {
            return Err(Broken::Stopped);
        };
        self.sequence = self.sequence.saturating_add(1);
        self.changes = self.changes.saturating_add(1);
        self.frees |= dated.change.frees();
        self.purges |= dated.change.purges();
        batch.change(self.sequence, encoded);
        apply::apply(tables, self.sequence, batch.segment(), dated)
    }

    /// Writes and syncs the batch, inside the index's transaction.
    pub(super) fn put(&mut self, log: &mut Log) -> Result<(), Broken> {
        let Some(batch) = self.batch.take().filter(|batch| !batch.is_empty()) else {
            return Ok(());
        };
        let octets = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let octets = u64::from(blocks_up(octets));
        match log.write(batch, self.sequence).and_then(|()| log.sync()) {
            Ok(()) => {
                self.outcome = Outcome::Synced { octets };
                Ok(())
            }
            Err(error) => {
                let kind = error.kind();
                self.outcome = Outcome::Failed(error);
                Err(Broken::Io(kind.into()))
            }
        }
    }
}
