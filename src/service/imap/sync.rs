//! Telling a client what is new in its selected folder: EXPUNGE, EXISTS, RECENT and changed flags
//! (RFC 3501 section 7), in slices.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    Imap, Running, SLICE_OCTETS,
    flags::{flag_names, write_flags},
    rest::Rest,
    selected::{Places, Selected},
};
use crate::{
    base::{id::ModSeq, ranges::Ranges},
    proto::imap::{
        response::{self, fetch::FetchLine},
        session::{Answer, Completion, Piece},
        view::View,
    },
    store::{Broken, Store},
};

/// What a command's end may tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tell {
    /// EXPUNGE too: not while FETCH, STORE or SEARCH with sequence numbers is answered.
    pub expunge: bool,
    /// The session's own change of flags, which its command has told, or was asked not to.
    pub own: Option<ModSeq>,
    /// UID with changed flags: after UID commands.
    pub uid: bool,
}

impl Tell {
    pub const ALL: Self = Self {
        expunge: true,
        own: None,
        uid: false,
    };
}

/// A command that is carried out, and what is still to be told before its completion.
#[derive(Debug)]
pub struct Ending {
    completion: Completion,
    /// Places that are gone, as the client counts them; told from the last one down.
    gone: Ranges,
    exists: bool,
    /// UIDs whose flags are to be told, if their row changed after `above`.
    flags: Rest,
    above: ModSeq,
    uid: bool,
}

impl Imap {
    /// Ends a command: what is new, then its completion.
    pub fn finish(&mut self, out: Vec<u8>, completion: Completion, tell: Tell) -> Answer {
        let mut ending = Ending {
            completion,
            gone: Ranges::new(),
            exists: false,
            flags: Rest::default(),
            above: ModSeq(0),
            uid: tell.uid,
        };
        if let Some(selected) = self.selected.as_deref_mut() {
            self.shared.registry.catch_up();
            ending.look(selected, tell);
            if ending.exists {
                selected.take_recent(&self.shared.registry);
            }
        }
        self.end(out, Box::new(ending))
    }

    /// Goes on telling what is new.
    pub fn end(&mut self, mut out: Vec<u8>, mut ending: Box<Ending>) -> Answer {
        if let Some(selected) = self.selected.as_deref_mut() {
            ending.expunge(&mut out);
            if ending.exists && ending.gone.is_empty() {
                ending.exists = false;
                write_counts(&mut out, &selected.view);
            }
            while !ending.flags.is_empty() && ending.gone.is_empty() && out.len() < SLICE_OCTETS {
                if let Err(broken) = ending.changed(&self.shared.store, selected, &mut out) {
                    // The command itself is carried out; the next one looks again.
                    log::error!("imap: {broken}");
                    ending.flags = Rest::default();
                    selected.look_again(ending.above);
                }
            }
            if !ending.gone.is_empty() || !ending.flags.is_empty() {
                self.running = Some(Running::Ending(ending));
                return Answer::More(pieces(out));
            }
        }
        Answer::Done(pieces(out), ending.completion)
    }
}

impl Ending {
    /// Finds what is new since the client was told last.
    fn look(&mut self, selected: &mut Selected, tell: Tell) {
        if selected.version == selected.watch.version() {
            return;
        }
        let now = selected.watch.snapshot();
        let present = if now.deleted {
            Arc::new(Ranges::new())
        } else {
            now.uids
        };
        let changes = selected.watch.flagged_since(selected.modseq);
        let flags = match changes {
            _ if now.deleted => Ranges::new(),
            None => present.as_ref().clone(),
            Some(changes) => {
                let others = changes.iter().filter(|change| Some(change.0) != tell.own);
                others.fold(Ranges::new(), |all, change| all.union(&change.1))
            }
        };
        self.above = selected.modseq;
        selected.modseq = now.modseq;
        // Of those that appear the client will ask.
        let known = flags.intersection(selected.view.uids());
        let update = selected.view.update(present, tell.expunge);
        self.flags = Rest::from(&known.difference(&update.vanished));
        self.gone = update.expunged;
        self.exists = update.exists.is_some();
        if tell.expunge {
            selected.version = now.version;
        }
    }

    fn expunge(&mut self, out: &mut Vec<u8>) {
        while let Some(place) = self.gone.last()
            && out.len() < SLICE_OCTETS
        {
            response::expunge(out, place);
            self.gone.remove(place);
        }
    }

    /// Tells one slice of changed flags.
    fn changed(
        &mut self,
        store: &Store,
        selected: &mut Selected,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let (above, with_uid) = (self.above, self.uid);
        store.read(|reader| {
            let names = flag_names(reader, selected, out)?;
            let uids = selected.view.uids().clone();
            let mut places = Places::new(&uids);
            let folder = selected.folder();
            self.flags.slice(reader, folder, |uid, row| {
                let place = places.of(uid.0);
                if row.modseq <= above || selected.knows(uid, row) {
                    return ControlFlow::Continue(());
                }
                let mut line = FetchLine::begin(out, place);
                if with_uid {
                    line.uid(uid);
                }
                let recent = selected.view.recent().contains(uid.0);
                write_flags(&mut line, row, &names, recent);
                line.end();
                ControlFlow::Continue(())
            })
        })
    }
}

/// EXISTS and RECENT.
pub fn write_counts(out: &mut Vec<u8>, view: &View) {
    response::exists(out, view.count());
    let recent = view.recent().count();
    response::recent(out, u32::try_from(recent).unwrap_or(u32::MAX));
}

pub fn pieces(octets: Vec<u8>) -> Vec<Piece> {
    if octets.is_empty() {
        Vec::new()
    } else {
        vec![Piece::Octets(octets)]
    }
}
