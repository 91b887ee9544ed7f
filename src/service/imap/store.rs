//! STORE and UID STORE (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3).

use std::ops::ControlFlow;

use super::{
    Imap, Outcome, Running,
    flags::{flag_names, write_flags},
    refusal::{expunge_issued, read_only},
    rest::Rest,
    selected::Places,
    sync::{Tell, pieces},
};
use crate::{
    base::{
        id::{ModSeq, Uid},
        ranges::Ranges,
    },
    proto::imap::{
        command::{Store, StoreMode},
        response::{fetch::FetchLine, write},
        session::{Answer, Completion},
    },
    store::{
        Broken, Reply, Request,
        message::Message,
        request::{Flag, FlagMode},
    },
};

/// A STORE that is carried out; its client is told the new flags.
#[derive(Debug)]
pub struct Telling {
    rest: Rest,
    tell: Tell,
    /// What the client knows already needs no FLAGS: it asked for silence.
    silent: bool,
    /// UNCHANGEDSINCE, or 0.
    since: ModSeq,
    /// Left alone because of it.
    failed: Ranges,
    completion: Completion,
}

impl Imap {
    pub(super) async fn store(&mut self, store: Store) -> Outcome {
        let selected = self.open()?;
        if selected.read_only {
            return Err(read_only());
        }
        let uids = selected.resolve(&store.set, store.uid)?;
        let (silent, uid, since) = (store.silent, store.uid, store.unchanged_since);
        let request = Request::Flag(Flag {
            folder: selected.folder(),
            uids: uids.clone(),
            mode: match store.mode {
                StoreMode::Add => FlagMode::Add,
                StoreMode::Remove => FlagMode::Remove,
                StoreMode::Replace => FlagMode::Replace,
            },
            flags: store.flags.system,
            keywords: store.flags.keywords,
            unchanged_since: since,
            lazy: false,
        });
        let (mut failed, mut own, mut changed) = (Ranges::new(), None, Ranges::new());
        if !uids.is_empty() {
            let reply = self.shared.store.request(request).await?;
            if let Reply::Flagged {
                changed: done,
                failed: left,
                modseq,
            } = reply
            {
                failed = left;
                own = (!done.is_empty()).then_some(modseq);
                changed = done;
            }
            self.refresh();
        }
        // RFC 7162 section 3.1.3: who asks about MODSEQs is told all of them, of those left alone too.
        let told = match (silent, since) {
            (false, _) | (true, Some(_)) => uids.clone(),
            (true, None) if self.enabled.condstore => changed,
            (true, None) => Ranges::new(),
        };
        let by_number = !uid && !store.set.is_saved();
        let telling = Telling {
            rest: Rest::from(&told),
            tell: Tell {
                expunge: uid,
                own,
                uid,
            },
            silent,
            since: since.unwrap_or(ModSeq(0)),
            completion: self.stored(&uids, &failed, uid, by_number, silent)?,
            failed,
        };
        Ok(self.store_told(Box::new(telling)).await)
    }

    /// Tells the flags of the next messages.
    pub(super) async fn store_told(&mut self, mut telling: Box<Telling>) -> Answer {
        let mut out = Vec::new();
        while !telling.rest.is_empty() && out.len() < self.shared.slice_octets() {
            if let Err(broken) = self.told_slice(&mut telling, &mut out) {
                // The change itself is on the medium; it is told as if somebody else had made it.
                log::error!("imap: flags that were set are not told: {broken}");
                telling.rest = Rest::default();
                telling.tell.own = None;
            }
            smol::future::yield_now().await;
        }
        if telling.rest.is_empty() {
            self.finish(out, telling.completion, telling.tell)
        } else {
            self.running = Some(Running::Telling(telling));
            Answer::More(pieces(out))
        }
    }

    fn told_slice(&mut self, telling: &mut Telling, out: &mut Vec<u8>) -> Result<(), Broken> {
        let shared = self.shared.clone();
        let (modseq_too, qresync) = (self.enabled.condstore, self.enabled.qresync);
        let Some(selected) = self.selected.as_deref_mut() else {
            return Ok(());
        };
        shared.store.read(|reader| {
            let names = flag_names(reader, selected, out)?;
            let view = &selected.view;
            let mut places = Places::new(view.uids());
            let Telling {
                rest,
                tell,
                silent,
                since,
                failed,
                ..
            } = telling;
            let told = selected.modseq;
            let each = |uid: Uid, row: &Message| {
                if row.modseq > told && failed.contains(uid.0) {
                    // It is news anyway.
                    return ControlFlow::Continue(());
                }
                let mut line = FetchLine::begin(out, places.of(uid.0));
                if tell.uid || qresync {
                    line.uid(uid);
                }
                // Somebody else's change is news even in silence.
                let known = Some(row.modseq) == tell.own || row.modseq <= *since;
                if !*silent || !known {
                    write_flags(&mut line, row, &names, view.recent().contains(uid.0));
                }
                if modseq_too {
                    line.mod_seq(row.modseq);
                }
                line.end();
                ControlFlow::Continue(())
            };
            rest.slice(reader, selected.folder(), each)
        })
    }

    /// The completion: with MODIFIED where messages were left alone (RFC 7162 section 3.1.3), NO where
    /// sequence numbers named messages that another session has expunged (RFC 2180 section 4.2).
    fn stored(
        &mut self,
        uids: &Ranges,
        failed: &Ranges,
        uid: bool,
        by_number: bool,
        silent: bool,
    ) -> Result<Completion, Completion> {
        let selected = self.open()?;
        let gone = selected.gone(uids);
        let missed = by_number && !gone.is_empty() && (!silent || gone == *uids);
        let completion = if missed {
            expunge_issued()
        } else {
            Completion::ok("Store completed.")
        };
        if failed.is_empty() {
            return Ok(completion);
        }
        let numbers = if uid {
            failed.clone()
        } else {
            selected.view.sequences(failed)
        };
        let mut code = b"MODIFIED ".to_vec();
        write::ranges(&mut code, &numbers);
        Ok(completion.with_code(String::from_utf8_lossy(&code)))
    }
}
