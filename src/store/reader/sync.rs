//! What happened to a folder since somebody saw it (RFC 7162).

use super::Reader;
use crate::{
    base::{
        id::{FolderId, ModSeq},
        ranges::Ranges,
    },
    store::{Broken, message::journal},
};

impl Reader {
    /// UIDs of messages that may have changed or appeared after `since`: more than those perhaps, the
    /// message's own MODSEQ tells. `None`: the journal does not reach back so far.
    pub fn changed_since(&self, folder: FolderId, since: ModSeq) -> Result<Option<Ranges>, Broken> {
        journal::changed_since(&self.rows, folder, since)
    }

    /// UIDs of messages that went after `since`, none of which is there. `None`: the journal does not
    /// reach back so far.
    pub fn vanished_since(
        &self,
        folder: FolderId,
        since: ModSeq,
    ) -> Result<Option<Ranges>, Broken> {
        journal::vanished_since(&self.rows, folder, since)
    }

    /// How many messages have \Deleted, and their octets.
    pub fn deleted(&self, folder: FolderId) -> Result<(u32, u64), Broken> {
        let row = self.folder(folder)?;
        Ok(row.map_or((0, 0), |row| (row.deleted, row.deleted_octets)))
    }
}
