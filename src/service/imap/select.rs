//! SELECT, EXAMINE, CLOSE, UNSELECT, and the end of a session.

use super::{
    Imap, Outcome,
    flags::write_flag_list,
    refusal::no_folder,
    resync,
    selected::Selected,
    sync::{Ending, highest, pieces, write_counts},
};
use crate::{
    base::id::UserId,
    proto::imap::{
        command::Select,
        response,
        session::{Answer, Completion, StateChange},
    },
    store::{Refusal, Reply, Request, mailbox::Folder},
};

impl Imap {
    /// SELECT and EXAMINE. Whatever was selected before no longer is, even if this fails (RFC 3501
    /// section 6.3.1); CLOSED says where its responses end (RFC 7162 section 3.2.11).
    pub(super) async fn select(&mut self, user: UserId, select: Select) -> Outcome {
        if select.qresync.is_some() && !self.enabled.qresync {
            return Err(Completion::bad("Enable QRESYNC first"));
        }
        let mut out = Vec::new();
        if self.selected.is_some() {
            response::ok(&mut out, "CLOSED", "Previous mailbox closed.");
            self.deselect().await;
        }
        Ok(match self.open_folder(user, &select, &mut out) {
            Ok(ending) => self.end(out, ending),
            Err(completion) => {
                let completion = completion.with_state(StateChange::Deselected);
                Answer::Done(pieces(out), completion)
            }
        })
    }

    fn open_folder(
        &mut self,
        user: UserId,
        select: &Select,
        out: &mut Vec<u8>,
    ) -> Result<Box<Ending>, Completion> {
        let shared = &self.shared;
        let id = shared
            .store
            .read(|reader| reader.folder_named(user, &select.folder))?
            .ok_or_else(no_folder)?;
        let (watch, row) = shared.registry.open(id)?.ok_or_else(no_folder)?;
        let mut selected = Selected::new(watch, select.read_only, row.keywords.len());
        selected.condstore = self.enabled.condstore;
        selected.take_recent(&shared.registry);
        let missed = match &select.qresync {
            Some(known) => shared
                .store
                .read(|reader| resync::missed(reader, &selected, &row, known))?,
            None => None,
        };
        describe(out, &selected, &row);
        let (code, text) = if select.read_only {
            ("READ-ONLY", "Examine completed.")
        } else {
            ("READ-WRITE", "Select completed.")
        };
        let state = StateChange::Selected {
            read_only: select.read_only,
        };
        let completion = Completion::ok(text).with_code(code).with_state(state);
        let upto = selected.safe;
        self.selected = Some(Box::new(selected));
        Ok(Box::new(match (missed, &select.qresync) {
            (Some(missed), Some(known)) => {
                let (vanished, changed) = (missed.vanished, &missed.changed);
                Ending::missed(completion, vanished, changed, known.modseq, upto)
            }
            _ => Ending::new(completion),
        }))
    }

    /// CLOSE: what is \Deleted goes without a word, unless the folder is read-only.
    pub(super) async fn close(&mut self) -> Outcome {
        let qresync = self.enabled.qresync;
        let mut completion = Completion::ok("Close completed.").with_state(StateChange::Deselected);
        let selected = self.open()?;
        let folder = selected.folder();
        if !selected.read_only {
            // Messages that came after the last word to the client stay.
            let uids = Some(selected.view.uids().as_ref().clone());
            let request = Request::Expunge { folder, uids };
            match self.shared.store.request(request).await {
                Ok(Reply::Expunged { uids }) if qresync && !uids.is_empty() => {
                    // Of what it does not know to be \Deleted it is told when it comes back.
                    let safe = self.open()?.safe;
                    completion = completion.with_code(highest(safe));
                }
                Ok(_) | Err(Refusal::NoFolder) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        self.deselect().await;
        Ok(Answer::Done(Vec::new(), completion))
    }

    /// UNSELECT (RFC 3691).
    pub(super) async fn unselect(&mut self) -> Outcome {
        self.deselect().await;
        let completion = Completion::ok("Unselect completed.").with_state(StateChange::Deselected);
        Ok(Answer::Done(Vec::new(), completion))
    }

    /// The connection is gone, or its client logged out.
    pub(super) async fn forget(&mut self) {
        self.running = None;
        self.appending = None;
        self.promised.clear();
        self.deselect().await;
        self.user = None;
    }

    /// Ends the interest in the selected folder. What was shown as \Recent is written down only now:
    /// one change per visit, not one per message.
    async fn deselect(&mut self) {
        let Some(selected) = self.selected.take() else {
            return;
        };
        let (folder, uid) = (selected.folder(), selected.watch.recent());
        if selected.read_only || selected.view.recent().is_empty() {
            return;
        }
        drop(selected);
        if let Err(refusal) = self
            .shared
            .store
            .request(Request::Recent { folder, uid })
            .await
        {
            log::debug!("imap: recent of folder {folder} not kept: {refusal}");
        }
    }
}

/// What a client is told of a folder that it opens (RFC 3501 section 6.3.1). Counts come from the
/// snapshot, so that they fit what is told later.
fn describe(out: &mut Vec<u8>, selected: &Selected, row: &Folder) {
    write_flag_list(out, &row.keywords, selected.read_only);
    write_counts(out, &selected.view);
    let unseen = selected.view.sequence(row.first_unseen);
    if let Some(place) = unseen.map(u64::from) {
        response::ok_number(out, "UNSEEN", place, "First unseen.");
    }
    let numbers = [
        ("UIDVALIDITY", u64::from(row.validity), "UIDs valid."),
        ("UIDNEXT", u64::from(row.uid_next.0), "Predicted next UID."),
        ("HIGHESTMODSEQ", row.modseq.0, "Highest."),
    ];
    for (code, number, text) in numbers {
        response::ok_number(out, code, number, text);
    }
}
