//! Telling a client what is new in its selected folder: EXPUNGE or VANISHED, EXISTS, RECENT and
//! changed flags (RFC 3501 section 7, RFC 7162), in slices.
//!
//! No client may believe in a HIGHESTMODSEQ above a change that it was not told: it would miss that
//! change for good. [`Selected::safe`] is where everything up to it was told; whatever MODSEQ a
//! command has shown beyond it, the client is told this one before the completion (RFC 7162
//! section 6 has it take that, and forget the higher ones).

use std::{ops::ControlFlow, sync::Arc};

use super::{
    Imap, Running,
    flags::{flag_names, write_flags},
    rest::Rest,
    selected::{Places, Selected},
};
use crate::{
    base::{id::ModSeq, ranges::Ranges},
    proto::imap::{
        response::{self, fetch::FetchLine, write},
        session::{Answer, Completion, Piece, Status},
        view::View,
    },
    store::{Broken, Reader, Store},
};

/// Spans of UIDs in one VANISHED.
const SPANS_MAX: usize = 1000;

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

/// How messages that are gone are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gone {
    /// To a client that comes back: UIDs, and no sequence number moves.
    Earlier,
    /// Sequence numbers, from the last one down.
    Expunge,
    /// UIDs, to clients that enabled QRESYNC.
    Vanished,
}

/// A command that is carried out, and what is still to be told before its completion.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Ending {
    completion: Completion,
    how: Gone,
    /// UIDs or sequence numbers, as `how` says.
    gone: Ranges,
    exists: bool,
    /// Messages came or went: they have MODSEQs that no FETCH tells.
    moved: bool,
    /// UIDs whose flags are to be told, if their row changed after `above` and not after `upto`: a
    /// later change is told when it is looked at, with all that came before it.
    flags: Rest,
    above: ModSeq,
    upto: ModSeq,
    uid: bool,
    /// HIGHESTMODSEQ goes into the completion.
    highest: bool,
}

impl Ending {
    pub fn new(completion: Completion) -> Self {
        Self {
            completion,
            how: Gone::Expunge,
            gone: Ranges::new(),
            exists: false,
            moved: false,
            flags: Rest::default(),
            above: ModSeq(0),
            upto: ModSeq(0),
            uid: false,
            highest: false,
        }
    }

    /// What a client that comes back was not there for: messages that went, and those of `changed`
    /// whose row changed after `above` (RFC 7162 section 3.2.5.1).
    pub fn missed(
        completion: Completion,
        vanished: Ranges,
        changed: &Ranges,
        above: ModSeq,
        upto: ModSeq,
    ) -> Self {
        Self {
            how: Gone::Earlier,
            gone: vanished,
            flags: Rest::from(changed),
            above,
            upto,
            uid: true,
            ..Self::new(completion)
        }
    }
}

impl Imap {
    /// Ends a command: what is new, then its completion.
    pub fn finish(&mut self, out: Vec<u8>, completion: Completion, tell: Tell) -> Answer {
        let ending = Ending::new(completion);
        self.look_and_end(out, ending, tell)
    }

    /// The same for a command by which messages went: its completion says how far the client is now
    /// (RFC 7162 section 3.2.7).
    pub fn finish_expunged(&mut self, out: Vec<u8>, completion: Completion, tell: Tell) -> Answer {
        let mut ending = Ending::new(completion);
        ending.highest = self.enabled.qresync;
        self.look_and_end(out, ending, tell)
    }

    fn look_and_end(&mut self, out: Vec<u8>, mut ending: Ending, tell: Tell) -> Answer {
        ending.uid = tell.uid || self.enabled.qresync;
        if self.enabled.qresync {
            ending.how = Gone::Vanished;
        }
        if let Some(selected) = self.selected.as_deref_mut() {
            self.shared.registry.catch_up();
            ending.look(&self.shared.store, selected, tell);
            if ending.exists {
                selected.take_recent(&self.shared.registry);
            }
        }
        self.end(out, Box::new(ending))
    }

    /// Goes on telling what is new.
    pub fn end(&mut self, mut out: Vec<u8>, mut ending: Box<Ending>) -> Answer {
        let condstore = self.enabled.condstore;
        let most = self.shared.slice_octets();
        if let Some(selected) = self.selected.as_deref_mut() {
            ending.expunge(&mut out, most);
            if ending.exists && ending.gone.is_empty() {
                ending.exists = false;
                write_counts(&mut out, &selected.view);
            }
            let store = &self.shared.store;
            while !ending.flags.is_empty() && ending.gone.is_empty() && out.len() < most {
                if let Err(broken) = ending.changed(store, selected, condstore, &mut out) {
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
            if condstore {
                ending.tell_highest(store, selected, &mut out);
            }
        }
        Answer::Done(pieces(out), ending.completion)
    }
}

impl Ending {
    /// Finds what is new since the client was told last.
    fn look(&mut self, store: &Store, selected: &mut Selected, tell: Tell) {
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
            None => forgotten(store, selected, &present),
            Some(changes) => {
                let others = changes.iter().filter(|change| Some(change.0) != tell.own);
                others.fold(Ranges::new(), |all, change| all.union(&change.1))
            }
        };
        (self.above, self.upto) = (selected.modseq, now.modseq);
        selected.modseq = now.modseq;
        // Of those that appear the client will ask.
        let known = flags.intersection(selected.view.uids());
        let update = selected.view.update(present, tell.expunge);
        self.flags = Rest::from(&known.difference(&update.vanished));
        self.gone = match self.how {
            Gone::Expunge => update.expunged,
            Gone::Earlier | Gone::Vanished => update.vanished,
        };
        self.exists = update.exists.is_some();
        self.moved = self.exists || !self.gone.is_empty();
        if tell.expunge || selected.view.held_back().is_empty() {
            selected.version = now.version;
            selected.safe = now.modseq;
        }
    }

    fn expunge(&mut self, out: &mut Vec<u8>, most: usize) {
        while out.len() < most {
            match self.how {
                Gone::Expunge => {
                    let Some(place) = self.gone.last() else {
                        return;
                    };
                    response::expunge(out, place);
                    self.gone.remove(place);
                }
                Gone::Earlier | Gone::Vanished => {
                    if self.gone.is_empty() {
                        return;
                    }
                    let some = first_spans(&mut self.gone);
                    write_vanished(out, &some, self.how == Gone::Earlier);
                }
            }
        }
    }

    /// Tells one slice of changed flags.
    fn changed(
        &mut self,
        store: &Store,
        selected: &mut Selected,
        condstore: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let (above, upto, with_uid) = (self.above, self.upto, self.uid);
        store.read(|reader| {
            let names = flag_names(reader, selected, out)?;
            let uids = selected.view.uids().clone();
            let mut places = Places::new(&uids);
            let folder = selected.folder();
            self.flags.slice(reader, folder, |uid, row| {
                let place = places.of(uid.0);
                if row.modseq <= above || row.modseq > upto {
                    return ControlFlow::Continue(());
                }
                // Who knows the flags may still not know their MODSEQ.
                if selected.knows(uid, row) && !condstore {
                    return ControlFlow::Continue(());
                }
                let mut line = FetchLine::begin(out, place);
                if with_uid {
                    line.uid(uid);
                }
                let recent = selected.view.recent().contains(uid.0);
                write_flags(&mut line, row, &names, recent);
                if condstore {
                    line.mod_seq(row.modseq);
                }
                line.end();
                ControlFlow::Continue(())
            })
        })
    }

    /// Tells how far the client is: where its command wants that, where it is the first to ask for
    /// MODSEQs (RFC 7162 section 3.1.2), where messages came or went (else it would ask for them again
    /// when it comes back), and where it was perhaps shown a higher one.
    fn tell_highest(&mut self, store: &Store, selected: &mut Selected, out: &mut Vec<u8>) {
        let safe = selected.safe;
        let first = !std::mem::replace(&mut selected.condstore, true);
        let completion = &mut self.completion;
        if self.highest && completion.status == Status::Ok && completion.code.is_none() {
            completion.code = Some(highest(safe));
            return;
        }
        let folder = selected.folder();
        let beyond = || {
            let row = store.read(|reader| reader.folder(folder));
            // Where that cannot be known, the client had better be told.
            row.map_or(true, |row| row.is_some_and(|row| row.modseq > safe))
        };
        if first || self.moved || beyond() {
            response::ok_number(out, "HIGHESTMODSEQ", safe.0, "Highest.");
        }
    }
}

/// The response code of a completion (RFC 7162 section 3.1.2.1).
pub fn highest(modseq: ModSeq) -> String {
    let mut code = b"HIGHESTMODSEQ ".to_vec();
    write::number(&mut code, modseq.0);
    String::from_utf8(code).unwrap_or_default()
}

/// Messages that may have changed when there were more changes than are remembered: the store's journal
/// knows, or the rows do.
fn forgotten(store: &Store, selected: &Selected, present: &Ranges) -> Ranges {
    let (folder, since) = (selected.folder(), selected.modseq);
    let changed = |reader: &Reader| reader.changed_since(folder, since);
    match store.read(changed) {
        Ok(Some(changed)) => changed.intersection(present),
        Ok(None) | Err(_) => present.clone(),
    }
}

/// Takes out the first spans, as many as one line holds.
fn first_spans(uids: &mut Ranges) -> Ranges {
    let mut some = Ranges::new();
    for span in uids.spans().take(SPANS_MAX) {
        some.insert_span(*span.start(), *span.end());
    }
    uids.remove_span(0, some.last().unwrap_or(u32::MAX));
    some
}

/// `* VANISHED (EARLIER) 41,43:116` (RFC 7162 section 3.2.10).
fn write_vanished(out: &mut Vec<u8>, uids: &Ranges, earlier: bool) {
    write::text(out, "* VANISHED ");
    if earlier {
        write::text(out, "(EARLIER) ");
    }
    write::ranges(out, uids);
    write::text(out, "\r\n");
}

/// All lines at once.
pub fn write_earlier(out: &mut Vec<u8>, mut uids: Ranges) {
    while !uids.is_empty() {
        let some = first_spans(&mut uids);
        write_vanished(out, &some, true);
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
