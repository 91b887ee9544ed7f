//! COPY, MOVE and their UID forms (RFC 3501 section 6.4.7, RFC 6851).

use super::{
    Imap, Outcome,
    refusal::{expunge_issued, for_target, read_only, try_create},
    sync::Tell,
};
use crate::{
    base::{
        id::{FolderId, UserId},
        ranges::Ranges,
    },
    proto::imap::{command::Copy, response, session::Completion},
    service::warning,
    store::{Reply, Request},
};

/// Which messages go where.
struct Way {
    from: FolderId,
    to: FolderId,
    uids: Ranges,
}

impl Imap {
    pub(super) async fn copy(&mut self, user: UserId, copy: Copy) -> Outcome {
        let uid = copy.uid;
        let Way { from, to, uids } = self.way(user, &copy)?;
        let mut completion = Completion::ok("Copy completed.");
        if !uids.is_empty() {
            let request = Request::Copy { from, to, uids };
            let reply = self.shared.store.request(request).await;
            if let Some(code) = copy_uid(&reply.map_err(for_target)?) {
                completion = completion.with_code(code);
            }
            warning::give(&self.shared.store, &*self.shared.world, &[user]).await;
            self.refresh();
        }
        let tell = Tell { uid, ..Tell::ALL };
        Ok(self.finish(Vec::new(), completion, tell))
    }

    /// The COPYUID comes before the EXPUNGEs (RFC 6851 section 4.3).
    pub(super) async fn move_messages(&mut self, user: UserId, copy: Copy) -> Outcome {
        let uid = copy.uid;
        let Way { from, to, uids } = self.way(user, &copy)?;
        if self.open()?.read_only {
            return Err(read_only());
        }
        let mut out = Vec::new();
        if !uids.is_empty() {
            let request = Request::Move { from, to, uids };
            let reply = self.shared.store.request(request).await;
            if let Some(code) = copy_uid(&reply.map_err(for_target)?) {
                response::ok(&mut out, &code, "Moved.");
            }
            self.refresh();
        }
        let tell = Tell { uid, ..Tell::ALL };
        let completion = Completion::ok("Move completed.");
        Ok(if out.is_empty() {
            self.finish(out, completion, tell)
        } else {
            self.finish_expunged(out, completion, tell)
        })
    }

    /// Sequence numbers of messages that another session has expunged refuse the whole (RFC 2180
    /// section 4.4); UIDs of such messages are passed over.
    fn way(&mut self, user: UserId, copy: &Copy) -> Result<Way, Completion> {
        let selected = self.open()?;
        let uids = selected.resolve(&copy.set, copy.uid)?;
        let (from, gone) = (selected.folder(), selected.gone(&uids));
        let to = self
            .shared
            .store
            .read(|reader| reader.folder_named(user, &copy.folder))?
            .ok_or_else(try_create)?;
        if !gone.is_empty() && !copy.uid && !copy.set.is_saved() {
            return Err(expunge_issued());
        }
        Ok(Way { from, to, uids })
    }
}

fn copy_uid(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Copied { validity, from, to } => response::copy_uid(*validity, from, to),
        _ => None,
    }
}
