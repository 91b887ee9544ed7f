//! STATUS (RFC 3501 section 6.3.10), also inside LIST (RFC 5819).

use std::ops::ControlFlow;

use super::{Imap, Outcome, SLICE_ROWS, refusal::no_folder, sync::Tell};
use crate::{
    base::id::{FolderId, Uid, UserId},
    proto::imap::{
        capability::announced,
        command::{Status, StatusItem, StatusItems},
        response,
        session::Completion,
    },
    store::mailbox::Folder,
};

impl Imap {
    pub(super) async fn status(&mut self, user: UserId, status: &Status) -> Outcome {
        let folder = self.find(user, &status.folder)?.ok_or_else(no_folder)?;
        let mut out = Vec::new();
        if !self.write_status(&mut out, folder, status.items).await? {
            return Err(no_folder());
        }
        Ok(self.finish(out, Completion::ok("Status completed."), Tell::ALL))
    }

    /// Writes `* STATUS`; false if the folder is gone.
    pub(super) async fn write_status(
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
                    limit => announced(limit),
                },
                StatusItem::Deleted => u64::from(row.deleted),
                StatusItem::DeletedStorage => row.deleted_octets,
                StatusItem::HighestModSeq => row.modseq.0,
                StatusItem::Messages => u64::from(row.exists),
                StatusItem::Recent => self.count_recent(folder, &row).await?,
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
    async fn count_recent(&self, folder: FolderId, row: &Folder) -> Result<u64, Completion> {
        if let Some(selected) = self.selected.as_deref()
            && selected.folder() == folder
        {
            return Ok(selected.view.recent().count());
        }
        let mut from = self.shared.registry.recent(folder, row.recent);
        let store = &self.shared.store;
        let mut count: u64 = 0;
        while from < row.uid_next {
            let (mut left, mut next) = (SLICE_ROWS, None);
            let last = Uid(row.uid_next.0.saturating_sub(1));
            store.read(|reader| {
                reader.messages(folder, from, last, &mut |uid, _| {
                    count = count.saturating_add(1);
                    left = left.saturating_sub(1);
                    if left > 0 {
                        return ControlFlow::Continue(());
                    }
                    next = uid.next();
                    ControlFlow::Break(())
                })
            })?;
            let Some(next) = next else {
                break;
            };
            from = next;
            smol::future::yield_now().await;
        }
        Ok(count)
    }
}
