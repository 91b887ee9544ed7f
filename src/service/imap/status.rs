//! STATUS (RFC 3501 section 6.3.10), also inside LIST (RFC 5819).

use super::{Imap, Outcome, refusal::no_folder, sync::Tell};
use crate::{
    base::{
        id::{FolderId, UserId},
        ranges::Ranges,
    },
    proto::imap::{
        command::{Status, StatusItem, StatusItems},
        response,
        session::Completion,
    },
    store::mailbox::Folder,
};

impl Imap {
    pub(super) fn status(&mut self, user: UserId, status: &Status) -> Outcome {
        let folder = self.find(user, &status.folder)?.ok_or_else(no_folder)?;
        let mut out = Vec::new();
        if !self.write_status(&mut out, folder, status.items)? {
            return Err(no_folder());
        }
        Ok(self.finish(out, Completion::ok("Status completed."), Tell::ALL))
    }

    /// Writes `* STATUS`; false if the folder is gone.
    pub(super) fn write_status(
        &self,
        out: &mut Vec<u8>,
        folder: FolderId,
        items: StatusItems,
    ) -> Result<bool, Completion> {
        let store = &self.shared.store;
        let Some(row) = store.read(|reader| reader.folder(folder))? else {
            return Ok(false);
        };
        let mut counts = Vec::new();
        for (item, _) in items.iter() {
            let n = match item {
                StatusItem::AppendLimit => match self.shared.options.get().message_size {
                    0 => {
                        counts.push((item, None));
                        continue;
                    }
                    limit => limit,
                },
                StatusItem::Deleted => u64::from(row.deleted),
                StatusItem::DeletedStorage => row.deleted_octets,
                StatusItem::HighestModSeq => row.modseq.0,
                StatusItem::Messages => u64::from(row.exists),
                StatusItem::Recent => self.count_recent(folder, &row)?,
                StatusItem::Size => row.octets,
                StatusItem::UidNext => u64::from(row.uid_next.0),
                StatusItem::UidValidity => u64::from(row.validity),
                StatusItem::Unseen => u64::from(row.unseen),
            };
            counts.push((item, Some(n)));
        }
        response::status(out, &row.name, counts, self.enabled.utf8);
        Ok(true)
    }

    /// Messages that nobody was shown as \Recent; those of the selected folder that are so here.
    fn count_recent(&self, folder: FolderId, row: &Folder) -> Result<u64, Completion> {
        if let Some(selected) = self.selected.as_deref()
            && selected.folder() == folder
        {
            return Ok(selected.view.recent().count());
        }
        let first = self.shared.registry.recent(folder, row.recent);
        let store = &self.shared.store;
        if first >= row.uid_next {
            return Ok(0);
        }
        let uids = store.read(|reader| reader.uids(folder))?;
        let new = Ranges::span(first.0, row.uid_next.0);
        Ok(uids.intersection(&new).count())
    }
}
