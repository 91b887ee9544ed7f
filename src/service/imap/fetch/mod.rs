//! FETCH and UID FETCH (RFC 3501 section 6.4.5). What stands in a message's rows is read in slices;
//! content is never held: its octets are promised, and read when they are sent.

mod batch;
mod binary;
mod gather;
mod item;
mod line;
mod make;
mod promise;
mod section;

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

pub use self::promise::Promised;
use self::{
    batch::Batch,
    gather::Ahead,
    item::{Item, Needs},
    line::Line,
};
use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    flags::flag_names,
    refusal::expunge_issued,
    rest::Rest,
    selected::{Places, Reached},
    summary::{Made, Stored},
    sync::{Tell, pieces},
};
use crate::{
    base::id::ModSeq,
    mail::summary::Summary,
    proto::imap::{
        command::{Fetch, FetchItem},
        session::{Answer, Completion, Piece},
    },
    store::content::Pins,
};

/// A FETCH that is carried out.
#[derive(Debug)]
pub struct Fetching {
    items: Arc<[Item]>,
    rest: Rest,
    reached: Reached,
    needs: Needs,
    changed_since: Option<ModSeq>,
    /// The last summaries that had to be made from content.
    made: Vec<Made>,
    /// Messages that were looked up and come next, or a spare one, where content is needed.
    batch: Option<Box<Batch>>,
    /// The next answers, being written while the last one is sent.
    ahead: VecDeque<Ahead>,
    pins: Pins,
    tell: Tell,
    /// Messages were named by sequence numbers.
    by_number: bool,
    completion: Completion,
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
        let mut needs = item::needs(&fetch.items);
        needs.seen &= !selected.read_only;
        let items: Arc<[Item]> = fetch.items.into_iter().map(Item::new).collect();
        needs.look(&items);
        let mut completion = Completion::ok("Fetch completed.");
        let by_number = !fetch.uid && !fetch.set.is_saved();
        let gone = selected.gone(&uids);
        uids = uids.difference(&gone);
        if by_number && !gone.is_empty() {
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
            reached: Reached::default(),
            items,
            needs,
            changed_since: fetch.changed_since,
            made: Vec::new(),
            batch: None,
            ahead: VecDeque::new(),
            pins: Pins::default(),
            tell,
            by_number,
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
        let mut out = Vec::new();
        let mut done = fetching.rest.is_empty() && !fetching.reads();
        while !done && out.is_empty() {
            let told = if fetching.needs.content {
                self.fetch_content(&mut fetching, &mut out).await
            } else {
                self.fetch_rows(&mut fetching, &mut out).await
            };
            if let Err(completion) = told {
                fetching.rest = Rest::default();
                fetching.batch = None;
                fetching.ahead.clear();
                fetching.completion = completion;
            }
            done = fetching.rest.is_empty() && !fetching.reads();
            smol::future::yield_now().await;
        }
        if done && out.iter().all(|piece| matches!(piece, Piece::Octets(_))) {
            let octets = out.into_iter().filter_map(|piece| match piece {
                Piece::Octets(octets) => Some(octets),
                Piece::Range(_) => None,
            });
            let octets = octets.reduce(|all, more| [all, more].concat());
            self.finish(
                octets.unwrap_or_default(),
                fetching.completion,
                fetching.tell,
            )
        } else {
            self.running = Some(Running::Fetching(fetching));
            Answer::More(out)
        }
    }

    /// Tells one slice of what stands in rows.
    async fn fetch_rows(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Vec<Piece>,
    ) -> Result<(), Completion> {
        let mut octets = Vec::new();
        while octets.len() < SLICE_OCTETS && !fetching.rest.is_empty() {
            if self.rows(fetching, &mut octets)? {
                let made = self.make_next(&fetching.rest, &mut fetching.pins);
                fetching.made = made.await?;
            }
            smol::future::yield_now().await;
        }
        *out = pieces(octets);
        Ok(())
    }

    /// Stops, and says so, at a message whose summary has to be made first.
    fn rows(&mut self, fetching: &mut Fetching, out: &mut Vec<u8>) -> Result<bool, Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let mut lacking = false;
        shared.store.read(|reader| {
            let keywords = flag_names(reader, selected, out)?;
            let mut places = Places::resume(selected.view.uids(), fetching.reached);
            let Fetching {
                items,
                rest,
                made,
                needs,
                changed_since,
                reached,
                ..
            } = fetching;
            let fields = items.iter().any(|item| matches!(item, Item::Fields { .. }));
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
                    line.write(out, items, &[], None);
                    return ControlFlow::Continue(());
                }
                let mut prefix = Vec::new();
                if fields {
                    let copy = |octets: &[u8]| prefix.extend_from_slice(octets);
                    if let Err(broken) = reader.prefix(row.content, copy) {
                        failed = Some(broken);
                        return ControlFlow::Break(());
                    }
                }
                if let Some(made) = made.iter().find(|made| made.0 == row.content) {
                    line.write(out, items, &prefix, Some(&made.1));
                    return ControlFlow::Continue(());
                }
                let mut write = |summary: &Summary<'_>| {
                    line.write(out, items, &prefix, Some(summary));
                };
                match Stored::show(reader, row.content, &mut write) {
                    Ok(Stored::Shown) => return ControlFlow::Continue(()),
                    Ok(Stored::Lacking { .. }) => lacking = true,
                    Err(broken) => failed = Some(broken),
                }
                ControlFlow::Break(())
            })?;
            *reached = places.reached();
            failed.map_or(Ok(()), Err)
        })?;
        Ok(lacking)
    }
}
