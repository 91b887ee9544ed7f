//! FETCH and UID FETCH (RFC 3501 section 6.4.5). What stands in a message's rows is read in slices;
//! content is never held: its octets are promised, and read when they are sent.

mod body;
mod line;
mod section;

use std::ops::ControlFlow;

pub use self::body::Promised;
use self::{body::Open, line::Line};
use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    flags::flag_names,
    refusal::expunge_issued,
    rest::Rest,
    selected::Places,
    summary::{Made, Stored},
    sync::{Tell, pieces},
};
use crate::{
    base::id::{ContentId, ModSeq},
    mail::summary::Summary,
    proto::imap::{
        command::{Fetch, FetchItem},
        session::{Answer, Completion, Piece},
    },
};

/// A FETCH that is carried out.
#[derive(Debug)]
pub struct Fetching {
    items: Vec<FetchItem>,
    rest: Rest,
    needs: Needs,
    changed_since: Option<ModSeq>,
    /// The message of which an answer told only a part.
    open: Option<Box<Open>>,
    /// The last summary that had to be made from content.
    made: Option<Made>,
    tell: Tell,
    completion: Completion,
}

/// What the items of a FETCH are made of, beside the message's state row.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    summary: bool,
    content: bool,
    /// The client reads the message: it is \Seen from now on.
    seen: bool,
}

/// What is sent next.
#[derive(Debug, Default)]
struct Output {
    pieces: Vec<Piece>,
    octets: Vec<u8>,
    /// Octets that are in hand beside these.
    held: usize,
    /// A text was `NIL` because it cannot be read.
    damage: bool,
}

impl Output {
    /// Lets a piece follow what was written.
    fn push(&mut self, piece: Piece) {
        if !self.octets.is_empty() {
            let octets = std::mem::take(&mut self.octets);
            self.held = self.held.saturating_add(octets.len());
            self.pieces.push(Piece::Octets(octets));
        }
        if let Piece::Octets(octets) = &piece {
            self.held = self.held.saturating_add(octets.len());
        }
        self.pieces.push(piece);
    }

    /// `NIL` for a text that cannot be read; the whole command is answered NO, so that nobody takes
    /// the message for an empty one.
    fn damaged(&mut self) {
        self.octets.extend_from_slice(b"NIL");
        self.damage = true;
    }

    fn finish(mut self) -> Vec<Piece> {
        if !self.octets.is_empty() {
            self.pieces.push(Piece::Octets(self.octets));
        }
        self.pieces
    }
}

impl Fetching {
    fn is_done(&self) -> bool {
        self.rest.is_empty() && self.open.is_none()
    }
}

/// Whether the answer shows flags as they are in the store.
pub fn reads_flags(fetch: &Fetch) -> bool {
    let shows = |item: &FetchItem| matches!(item, FetchItem::Flags | FetchItem::ModSeq);
    fetch.changed_since.is_some() || fetch.items.iter().any(shows)
}

impl Imap {
    pub(super) async fn fetch(&mut self, fetch: Fetch) -> Outcome {
        let selected = self.open()?;
        let mut uids = selected.resolve(&fetch.set, fetch.uid)?;
        let mut needs = needs(&fetch.items);
        needs.seen &= !selected.read_only;
        let mut completion = Completion::ok("Fetch completed.");
        let by_number = !fetch.uid && !fetch.set.is_saved();
        if by_number && !selected.gone(&uids).is_empty() {
            // RFC 2180 section 4.1. (Of UIDs that are gone nothing is said.)
            completion = expunge_issued();
        }
        let mut earlier = Vec::new();
        if let Some(since) = fetch.changed_since {
            if fetch.vanished {
                self.write_earlier(&mut earlier, &fetch.set, since)?;
            }
            uids = self.changed_since(uids, since)?;
        }
        let tell = Tell {
            expunge: fetch.uid,
            own: None,
            uid: fetch.uid,
        };
        let fetching = Fetching {
            rest: Rest::from(&uids),
            items: fetch.items,
            needs,
            changed_since: fetch.changed_since,
            open: None,
            made: None,
            tell,
            completion,
        };
        if !earlier.is_empty() {
            self.running = Some(Running::Fetching(Box::new(fetching)));
            return Ok(Answer::More(pieces(earlier)));
        }
        Ok(self.fetch_more(Box::new(fetching)).await)
    }

    /// Goes on with the next messages.
    pub(super) async fn fetch_more(&mut self, mut fetching: Box<Fetching>) -> Answer {
        let mut out = Output::default();
        while !fetching.is_done() && !out.is_full() {
            let done = if fetching.needs.content {
                self.fetch_content(&mut fetching, &mut out).await
            } else {
                self.fetch_rows(&mut fetching, &mut out.octets).await
            };
            if let Err(completion) = done {
                fetching.rest = Rest::default();
                fetching.completion = completion;
            } else if out.damage {
                let text = "Some of these messages are damaged in the store";
                fetching.completion = Completion::no(text).with_code("SERVERBUG");
            }
            smol::future::yield_now().await;
        }
        if fetching.is_done() && out.pieces.is_empty() {
            self.finish(out.octets, fetching.completion, fetching.tell)
        } else {
            self.running = Some(Running::Fetching(fetching));
            Answer::More(out.finish())
        }
    }

    /// Tells one slice of what stands in rows.
    async fn fetch_rows(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Vec<u8>,
    ) -> Result<(), Completion> {
        if let Some((content, store_it)) = self.rows(fetching, out)? {
            fetching.made = Some(self.make_summary(content, store_it).await?);
        }
        Ok(())
    }

    /// Stops at a message whose summary has to be made first.
    fn rows(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Vec<u8>,
    ) -> Result<Option<(ContentId, bool)>, Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let mut lacking = None;
        shared.store.read(|reader| {
            let keywords = flag_names(reader, selected, out)?;
            let mut places = Places::new(selected.view.uids());
            let Fetching {
                items,
                rest,
                made,
                needs,
                changed_since,
                ..
            } = fetching;
            let mut failed = None;
            rest.slice(reader, selected.folder(), |uid, row| {
                if changed_since.is_some_and(|since| row.modseq <= since) {
                    return ControlFlow::Continue(());
                }
                if out.len() >= SLICE_OCTETS {
                    return ControlFlow::Break(());
                }
                let line = Line {
                    uid,
                    place: places.of(uid.0),
                    row,
                    keywords: &keywords,
                    recent: selected.view.recent().contains(uid.0),
                };
                if !needs.summary {
                    line.write(out, items, None);
                    return ControlFlow::Continue(());
                }
                if let Some(made) = made.as_ref().filter(|made| made.0 == row.content) {
                    line.write(out, items, Some(&made.1));
                    return ControlFlow::Continue(());
                }
                let mut write = |summary: &Summary<'_>| line.write(out, items, Some(summary));
                match Stored::show(reader, row.content, &mut write) {
                    Ok(Stored::Shown) => return ControlFlow::Continue(()),
                    Ok(Stored::Lacking { store_it }) => lacking = Some((row.content, store_it)),
                    Err(broken) => failed = Some(broken),
                }
                ControlFlow::Break(())
            })?;
            failed.map_or(Ok(()), Err)
        })?;
        Ok(lacking)
    }
}

fn needs(items: &[FetchItem]) -> Needs {
    let mut needs = Needs::default();
    for item in items {
        match item {
            FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope => {
                needs.summary = true;
            }
            FetchItem::BodySection(section) => {
                needs.content = true;
                needs.seen |= !section.peek;
            }
            FetchItem::Rfc822 | FetchItem::Rfc822Text => {
                needs.content = true;
                needs.seen = true;
            }
            FetchItem::Rfc822Header => needs.content = true,
            // Not yet.
            FetchItem::Binary(_)
            | FetchItem::BinarySize(_)
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::ModSeq
            | FetchItem::Rfc822Size
            | FetchItem::Uid => {}
        }
    }
    needs
}
