//! STORE and UID STORE (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3).

use std::ops::ControlFlow;

use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    refusal::read_only,
    rest::Rest,
    selected::{Places, places},
    sync::{Tell, pieces},
    text::{flag_names, put, set_text, write_flags},
};
use crate::{
    base::{id::ModSeq, ranges::Ranges},
    proto::imap::{
        command::{Store, StoreMode},
        session::{Answer, Completion},
    },
    store::{
        Reply, Request,
        request::{Flag, FlagMode},
    },
};

/// A STORE that is carried out; its client is told the new flags.
#[derive(Debug)]
pub struct Telling {
    rest: Rest,
    tell: Tell,
    /// MODSEQ beside the flags: the client knows of it.
    modseq: bool,
    completion: Completion,
}

impl Imap {
    pub(super) async fn store(&mut self, store: Store) -> Outcome {
        let selected = self.open()?;
        if selected.read_only {
            return Err(read_only());
        }
        let uids = selected
            .resolve(&store.set, store.uid)
            .ok_or_else(|| Completion::bad("No such message"))?;
        let modseq = store.unchanged_since.is_some();
        let (silent, uid) = (store.silent, store.uid);
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
            unchanged_since: store.unchanged_since,
            lazy: false,
        });
        let (mut failed, mut own) = (Ranges::new(), None);
        if !uids.is_empty() {
            let reply = self.shared.store.request(request).await?;
            if let Reply::Flagged {
                changed,
                failed: left,
                modseq,
            } = reply
            {
                failed = left;
                own = (!changed.is_empty()).then_some(modseq);
            }
            self.refresh()?;
        }
        let told = if silent && !modseq {
            Ranges::new()
        } else {
            uids.difference(&failed)
        };
        let telling = Telling {
            rest: Rest::from(&told),
            tell: tell(uid, own),
            modseq,
            completion: self.stored(&failed, uid)?,
        };
        Ok(self.store_told(Box::new(telling)).await)
    }

    /// Tells the flags of the next messages.
    pub(super) async fn store_told(&mut self, mut telling: Box<Telling>) -> Answer {
        let mut out = Vec::new();
        while !telling.rest.is_empty() && out.len() < SLICE_OCTETS {
            if let Err(completion) = self.told_slice(&mut telling, &mut out) {
                return self.finish(out, completion, telling.tell);
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

    fn told_slice(&mut self, telling: &mut Telling, out: &mut Vec<u8>) -> Result<(), Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        shared.store.read(|reader| {
            let names = flag_names(reader, selected, out)?;
            let mut places = Places::new(&selected.uids);
            let (uid_too, modseq_too) = (telling.tell.uid, telling.modseq);
            telling.rest.slice(reader, selected.folder(), |uid, row| {
                put!(out, "* {} FETCH (", places.of(uid.0));
                if uid_too {
                    put!(out, "UID {uid} ");
                }
                if modseq_too {
                    put!(out, "MODSEQ ({}) ", row.modseq);
                }
                write_flags(out, row, &names, selected.recent.contains(uid.0));
                out.extend_from_slice(b")\r\n");
                ControlFlow::Continue(())
            })
        })?;
        Ok(())
    }

    /// The completion: with MODIFIED where messages were left alone (RFC 7162 section 3.1.3).
    fn stored(&mut self, failed: &Ranges, uid: bool) -> Result<Completion, Completion> {
        let completion = Completion::ok("Store completed.");
        if failed.is_empty() {
            return Ok(completion);
        }
        let set = if uid {
            set_text(failed)
        } else {
            set_text(&places(&self.open()?.uids, failed))
        };
        Ok(completion.with_code(format!("MODIFIED {set}")))
    }
}

fn tell(uid: bool, own: Option<ModSeq>) -> Tell {
    Tell {
        expunge: uid,
        own,
        uid,
    }
}
