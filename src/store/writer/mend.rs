//! An index that failed is opened again, or made anew, while the store runs.

use std::sync::PoisonError;

use super::Writer;
use crate::store::{Broken, index::Index, recover};

impl Writer {
    /// Opens the index again and replays what it lacks; where that does not do, makes it anew. Readers
    /// are told to try again meanwhile.
    pub(in crate::store) fn reopen(&mut self) {
        self.blind = true;
        self.close_index();
        let opened = Index::open(&self.disk, self.options.cache).and_then(|(index, anew)| {
            let (disk, log, secret) = (&self.disk, &self.log, self.shared.secret);
            let replayed = if anew {
                Err(Broken::Corrupt("index"))
            } else {
                recover::replay_running(disk, &index, log, secret)
            };
            match replayed {
                Ok(()) => Ok(index),
                Err(broken) if broken.is_damage() => {
                    drop(index);
                    recover::rebuild_running(disk, &self.options, log, secret)
                }
                Err(broken) => Err(broken),
            }
        });
        self.take_index(opened).unwrap_or_default();
    }

    /// A new index from dump and log, beside the old one, which is read meanwhile.
    pub(super) fn rebuild(&mut self) -> Result<(), Broken> {
        self.dumps.running = None;
        self.log.sync()?;
        let (disk, log, secret) = (&self.disk, &self.log, self.shared.secret);
        let rebuilt = recover::rebuild_running(disk, &self.options, log, secret)?;
        self.close_index();
        self.take_index(Ok(rebuilt))
    }

    fn close_index(&mut self) {
        // The dump reads from a transaction of its own.
        self.dumps.running = None;
        let mut guard = self
            .shared
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *guard = None;
    }

    fn take_index(&mut self, opened: Result<Index, Broken>) -> Result<(), Broken> {
        let mut guard = self
            .shared
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok(index) => {
                *guard = Some(index);
                self.blind = false;
                // What was removed from the old one may be there again.
                self.tidying.clean = false;
                Ok(())
            }
            Err(broken) => {
                self.shared.note_trouble(&broken);
                Err(broken)
            }
        }
    }
}
