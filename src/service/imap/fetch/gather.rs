//! Looking up the messages of a FETCH that take their content, and having the next answer written
//! while the last one is sent.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use super::{
    Fetching,
    batch::{ANSWER, Batch, MESSAGES, Open, Written},
    item::Item,
};
use crate::{
    base::{memory::Held, ranges::Ranges},
    mail::flag::Flags,
    proto::imap::{
        command::FetchItem,
        session::{Completion, Piece},
    },
    service::imap::{
        Imap,
        flags::flag_names,
        refusal::expunge_issued,
        selected::{Places, Told},
        summary::found,
    },
    store::{
        Broken, Request,
        request::{Flag, FlagMode},
    },
};

/// Answers that are written at the same time: one processor inflates while the other sends, and the
/// next one is begun before that is done.
const AHEAD_MAX: usize = 2;

/// An answer that is being written on the blocking pool.
#[derive(Debug)]
pub struct Ahead {
    job: blocking::Task<(Box<Batch>, Written)>,
    _memory: Held,
}

impl Fetching {
    /// Whether messages were looked up that are not told yet.
    pub fn reads(&self) -> bool {
        !self.ahead.is_empty() || self.is_left()
    }

    /// Whether there are messages to tell before those that are being written.
    fn is_left(&self) -> bool {
        self.batch.as_ref().is_some_and(|b| !b.messages.is_empty())
    }
}

impl Imap {
    /// Tells as many messages as an answer holds.
    pub(super) async fn fetch_content(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Vec<Piece>,
    ) -> Result<(), Completion> {
        let ahead = if fetching.is_left() {
            None
        } else {
            fetching.ahead.pop_front()
        };
        let done = match ahead {
            Some(ahead) => Some(ahead.job.await),
            None => match self.next_batch(fetching).await? {
                Some(mut batch) => {
                    let _permit = self.shared.reads.acquire().await;
                    let job = move || {
                        let written = batch.run();
                        (batch, written)
                    };
                    Some(blocking::unblock(job).await)
                }
                None => None,
            },
        };
        if let Some((batch, mut written)) = done {
            fetching.batch = Some(batch);
            self.keep_made(std::mem::take(&mut written.made)).await;
            for (id, broken) in &written.broken {
                log::error!("imap: content {id}: {broken}");
            }
            if written.damage {
                let text = "Some of these messages are damaged in the store";
                fetching.completion = Completion::no(text).with_code("SERVERBUG");
            } else if written.unknown {
                let text = "Some of these parts have an unknown encoding";
                fetching.completion = Completion::no(text).with_code("UNKNOWN-CTE");
            }
            self.promised.extend(written.promised);
            *out = written.pieces;
        }
        self.read_ahead(fetching).await
    }

    /// Has the next answers written if there are any, and room and somebody to do it. What makes
    /// messages \Seen is not done before they are sent.
    async fn read_ahead(&mut self, fetching: &mut Fetching) -> Result<(), Completion> {
        while !fetching.needs.seen && (fetching.is_left() || !fetching.rest.is_empty()) {
            let first = fetching.is_left();
            if !first && fetching.ahead.len() >= AHEAD_MAX {
                break;
            }
            let Some(memory) = self.shared.memory.hold(2 * ANSWER as u64) else {
                break;
            };
            let Some(permit) = self.shared.reads.try_acquire_arc() else {
                break;
            };
            let Some(mut batch) = self.next_batch(fetching).await? else {
                break;
            };
            let job = blocking::unblock(move || {
                let _permit = permit;
                let written = batch.run();
                (batch, written)
            });
            let ahead = Ahead {
                job,
                _memory: memory,
            };
            if first {
                fetching.ahead.push_front(ahead);
            } else {
                fetching.ahead.push_back(ahead);
            }
        }
        Ok(())
    }

    /// Messages that are looked up and not told; `None` if there are no more.
    async fn next_batch(
        &mut self,
        fetching: &mut Fetching,
    ) -> Result<Option<Box<Batch>>, Completion> {
        let items = &fetching.items;
        let batch = fetching.batch.take();
        let mut batch = batch.unwrap_or_else(|| Box::new(Batch::new(Arc::clone(items))));
        while batch.messages.is_empty() && !fetching.rest.is_empty() {
            self.look_up(fetching, &mut batch)?;
            if fetching.needs.seen {
                let flags = |item: &Item| matches!(item, Item::Row(FetchItem::Flags));
                let shown = fetching.items.iter().any(flags);
                self.mark_seen(&mut batch.messages, shown).await;
            }
        }
        let some = !batch.messages.is_empty() || !batch.lead.is_empty();
        Ok(some.then_some(batch))
    }

    /// Looks up the next messages in one slice.
    fn look_up(&mut self, fetching: &mut Fetching, batch: &mut Batch) -> Result<(), Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let mut rows = Vec::new();
        shared.store.read(|reader| {
            batch.keywords = flag_names(reader, selected, &mut batch.lead)?;
            let mut places = Places::resume(selected.view.uids(), fetching.reached);
            let summaries = fetching.items.iter().any(Item::summary);
            let (mut octets, mut failed) = (0u64, None);
            fetching.rest.slice(reader, selected.folder(), |uid, row| {
                if fetching
                    .changed_since
                    .is_some_and(|since| row.modseq <= since)
                {
                    return ControlFlow::Continue(());
                }
                // Not many more than fit: the client may go before it has them.
                if rows.len() >= MESSAGES || octets >= ANSWER as u64 {
                    return ControlFlow::Break(());
                }
                let mut find = || -> Result<(), Broken> {
                    let stored = if summaries {
                        reader.summary(row.content, <[u8]>::to_vec)?
                    } else {
                        None
                    };
                    let held = stored.as_ref().map_or(0, Vec::len) as u64;
                    octets = octets.saturating_add(row.size).saturating_add(held);
                    batch.messages.push_back(Open {
                        uid,
                        row: row.clone(),
                        place: places.of(uid.0),
                        recent: selected.view.recent().contains(uid.0),
                        tell_seen: false,
                        stored,
                        content: None,
                        made: None,
                        begun: false,
                        done: 0,
                        decoding: None,
                    });
                    rows.push((row.content, reader.content(row.content)?));
                    Ok(())
                };
                if let Err(broken) = find() {
                    failed = Some(broken);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            fetching.reached = places.reached();
            failed.map_or(Ok(()), Err)
        })?;
        let contents = shared.store.contents(rows, &mut fetching.pins);
        let folder = self.open()?.folder();
        let mut gone = Ranges::new();
        for (open, content) in batch.messages.iter_mut().zip(contents) {
            if matches!(content, Ok(None)) && self.is_gone(folder, open.uid)? {
                gone.insert(open.uid.0);
            } else {
                open.content = found(open.row.content, content)?;
            }
        }
        if !gone.is_empty() {
            let messages = &mut batch.messages;
            messages.retain(|open| !gone.contains(open.uid.0));
            if fetching.by_number {
                fetching.completion = expunge_issued();
            }
        }
        Ok(())
    }

    /// Has \Seen set, and shows it already: its answer does not wait for the medium. `shown`: flags
    /// are told anyway.
    async fn mark_seen(&mut self, messages: &mut VecDeque<Open>, shown: bool) {
        let Some(selected) = self.selected.as_deref_mut() else {
            return;
        };
        let unseen = messages.iter().filter(|m| !m.row.flags.has(Flags::SEEN));
        let uids: Ranges = unseen.map(|open| open.uid.0).collect();
        if uids.is_empty() {
            return;
        }
        let request = Request::Flag(Flag {
            folder: selected.folder(),
            uids: uids.clone(),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
            lazy: true,
        });
        if let Err(refusal) = self.shared.store.request(request).await {
            log::debug!("imap: \\Seen of messages not kept: {refusal}");
            return;
        }
        selected.unsettled = true;
        for open in messages.iter_mut().filter(|m| uids.contains(m.uid.0)) {
            open.row.flags = open.row.flags.with(Flags::SEEN);
            open.tell_seen = !shown;
            selected.tell_ahead(Told::new(open.uid, &open.row));
        }
    }
}
