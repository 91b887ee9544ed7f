//! EXPUNGE and UID EXPUNGE (RFC 4315).

use super::{Imap, Outcome, refusal::read_only, sync::Tell};
use crate::{
    proto::imap::{seqset::SeqSet, session::Completion},
    store::{Reply, Request},
};

impl Imap {
    /// Messages that the client does not know yet stay, even those that somebody else marked.
    pub(super) async fn expunge(&mut self, set: Option<SeqSet>) -> Outcome {
        let selected = self.open()?;
        if selected.read_only {
            return Err(read_only());
        }
        let uids = match &set {
            Some(set) => selected.resolve(set, true)?,
            None => selected.view.uids().as_ref().clone(),
        };
        let folder = selected.folder();
        let mut some = false;
        if !uids.is_empty() {
            let uids = Some(uids);
            let request = Request::Expunge { folder, uids };
            let reply = self.shared.store.request(request).await?;
            some = matches!(reply, Reply::Expunged { uids } if !uids.is_empty());
            self.refresh();
        }
        let tell = Tell {
            uid: set.is_some(),
            ..Tell::ALL
        };
        let completion = Completion::ok("Expunge completed.");
        Ok(if some {
            self.finish_expunged(Vec::new(), completion, tell)
        } else {
            self.finish(Vec::new(), completion, tell)
        })
    }

    /// What this session changed itself shows in its own next words. The change is on the medium:
    /// where the index cannot be read now, the client is told yes all the same, and the rest later.
    pub(super) fn refresh(&mut self) {
        if let Some(selected) = self.selected.as_deref()
            && let Err(broken) = self.shared.registry.refresh(&selected.watch)
        {
            log::error!("imap: what changed is told later: {broken}");
        }
    }
}
