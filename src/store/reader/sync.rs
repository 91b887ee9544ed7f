//! What happened to a folder since somebody saw it (RFC 7162).

use std::ops::ControlFlow;

use super::Reader;
use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::Broken,
};

impl Reader {
    /// UIDs of messages that may have changed or appeared after `since`: more than those perhaps, the
    /// message's own MODSEQ tells. `None`: the journal does not reach back so far.
    pub fn changed_since(&self, folder: FolderId, since: ModSeq) -> Result<Option<Ranges>, Broken> {
        let _ = (folder, since);
        Ok(None)
    }

    /// UIDs of messages that went after `since`, none of which is there. `None`: the journal does not
    /// reach back so far.
    pub fn vanished_since(
        &self,
        folder: FolderId,
        since: ModSeq,
    ) -> Result<Option<Ranges>, Broken> {
        let _ = (folder, since);
        Ok(None)
    }

    /// How many messages have \Deleted, and their octets.
    pub fn deleted(&self, folder: FolderId) -> Result<(u32, u64), Broken> {
        let (mut count, mut octets) = (0_u32, 0_u64);
        self.messages(folder, Uid(1), Uid(u32::MAX), &mut |_, message| {
            if message.flags.has(Flags::DELETED) {
                count = count.saturating_add(1);
                octets = octets.saturating_add(message.size);
            }
            ControlFlow::Continue(())
        })?;
        Ok((count, octets))
    }
}
