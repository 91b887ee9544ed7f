//! STORE and UID STORE (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3).

use std::ops::ControlFlow;

use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    flags::{flag_names, write_flags},
    refusal::read_only,
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
        let uids = selected.resolve(&store.set, store.uid)?;
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
            self.refresh();
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
        let Some(selected) = self.selected.as_deref_mut() else {
            return Ok(());
        };
        shared.store.read(|reader| {
            let names = flag_names(reader, selected, out)?;
            let view = &selected.view;
            let mut places = Places::new(view.uids());
            let (uid_too, modseq_too) = (telling.tell.uid, telling.modseq);
            let each = |uid: Uid, row: &Message| {
                let mut line = FetchLine::begin(out, places.of(uid.0));
                if uid_too {
                    line.uid(uid);
                }
                if modseq_too {
                    line.mod_seq(row.modseq);
                }
                write_flags(&mut line, row, &names, view.recent().contains(uid.0));
                line.end();
                ControlFlow::Continue(())
            };
            telling.rest.slice(reader, selected.folder(), each)
        })
    }

    /// The completion: with MODIFIED where messages were left alone (RFC 7162 section 3.1.3).
    fn stored(&mut self, failed: &Ranges, uid: bool) -> Result<Completion, Completion> {
        let completion = Completion::ok("Store completed.");
        if failed.is_empty() {
            return Ok(completion);
        }
        let numbers = if uid {
            failed.clone()
        } else {
            self.open()?.view.sequences(failed)
        };
        let mut code = b"MODIFIED ".to_vec();
        write::ranges(&mut code, &numbers);
        Ok(completion.with_code(String::from_utf8_lossy(&code)))
    }
}

fn tell(uid: bool, own: Option<ModSeq>) -> Tell {
    Tell {
        expunge: uid,
        own,
        uid,
    }
}
