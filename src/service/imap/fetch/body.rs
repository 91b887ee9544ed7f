//! FETCH items that need a message's content.

use std::{ops::Range, sync::Arc};

use super::{
    Fetching, Line, Output,
    section::{self, Place},
};
use crate::{
    base::{
        id::{ContentId, ContentRange, Uid},
        ranges::Ranges,
    },
    mail::{
        flag::Flags,
        header,
        summary::{self, Summary},
    },
    proto::imap::{
        command::{FetchItem, Section, SectionText},
        response::{fetch::FetchLine, write},
        session::{Completion, Piece},
    },
    service::imap::{
        Imap, SLICE_OCTETS,
        flags::flag_names,
        selected::Told,
        summary::{read, span},
    },
    store::{
        Broken, Content, Request,
        content::PIECE_MAX,
        message::Message,
        request::{Flag, FlagMode},
    },
};

/// Pieces of one answer; each content in it stays pinned until it is sent.
const PIECES_MAX: usize = 16;

/// Octets of one answer, those of contents in hand included.
const OCTETS_MAX: usize = 256 * 1024;

/// Longest header that is looked into for its fields, in octets.
const HEADER_MAX: u64 = 256 * 1024;

/// Blocks longer than this are filtered on the blocking pool, in octets.
const BLOCK_SMALL: usize = 16 * 1024;

/// A message whose line is being written: it may take several answers.
#[derive(Debug)]
pub struct Open {
    uid: Uid,
    row: Message,
    keywords: Vec<String>,
    place: u32,
    recent: bool,
    /// \Seen was set for this FETCH, and is to be told.
    tell_seen: bool,
    /// As it is stored; where it is not, it was made.
    summary: Option<Vec<u8>>,
    /// Items that were written.
    done: usize,
    /// The header whose fields were asked for last, and where it stands.
    block: Option<(Range<u64>, Arc<[u8]>)>,
}

/// Content whose octets were promised.
#[derive(Debug)]
pub struct Promised {
    id: ContentId,
    content: Content,
    /// Some of it could not be read, and that was logged.
    damaged: bool,
}

impl Imap {
    /// Tells one message, as much of it as an answer holds.
    pub(super) async fn fetch_content(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Output,
    ) -> Result<(), Completion> {
        if let Some(open) = fetching.open.take() {
            // Its line has begun, and has to end.
            let content = self.open_content(open.row.content).unwrap_or_default();
            self.write_items(fetching, open, content, out).await;
        } else if let Some(open) = self.open_message(fetching, out).await? {
            let content = self.open_content(open.row.content)?;
            FetchLine::begin(&mut out.octets, open.place);
            self.write_items(fetching, open, content, out).await;
        }
        Ok(())
    }

    /// Looks up the next message; `None` if it is gone or not wanted.
    async fn open_message(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Output,
    ) -> Result<Option<Box<Open>>, Completion> {
        let Some(uid) = fetching.rest.pop() else {
            return Ok(None);
        };
        let shared = self.shared.clone();
        let selected = self.open()?;
        let folder = selected.folder();
        let found = shared.store.read(|reader| {
            let names = flag_names(reader, selected, &mut out.octets)?;
            Ok(reader.message(folder, uid)?.map(|row| (names, row)))
        })?;
        let Some((keywords, mut row)) = found else {
            return Ok(None);
        };
        let old = |since| row.modseq <= since;
        if fetching.changed_since.is_some_and(old) {
            return Ok(None);
        }
        let seen = fetching.needs.seen && self.mark_seen(uid, &mut row).await;
        let summary = self.stored_summary(fetching, &row).await?;
        let view = &self.open()?.view;
        let open = Open {
            uid,
            place: view.sequence(uid).unwrap_or_default(),
            recent: view.recent().contains(uid.0),
            row,
            keywords,
            tell_seen: seen && !fetching.items.contains(&FetchItem::Flags),
            summary,
            done: 0,
            block: None,
        };
        Ok(Some(Box::new(open)))
    }

    /// Writes what is left of a message's line, or as much of it as the answer holds.
    async fn write_items(
        &mut self,
        fetching: &mut Fetching,
        mut open: Box<Open>,
        mut content: Option<Content>,
        out: &mut Output,
    ) {
        let stored = open.summary.take();
        let decoded = stored.as_deref().and_then(Summary::decode);
        let made = fetching.made.as_ref().map(|made| &made.1);
        let summary = decoded.as_ref().or(made);
        let mut whole = true;
        for item in fetching.items.iter().skip(open.done) {
            if out.is_full() {
                whole = false;
                break;
            }
            let mut first = open.done == 0;
            let mut to = resume(&mut out.octets, &mut first);
            open.done = open.done.saturating_add(1);
            let Some((section, partial)) = section::of(item) else {
                open.line().item(&mut to, item, summary);
                continue;
            };
            section::begin(&mut to, item);
            let wanted = Wanted {
                section,
                partial,
                summary,
                id: open.row.content,
            };
            content = self
                .write_section(out, &wanted, &mut open.block, content)
                .await;
        }
        if let Some(content) = content {
            self.promised.push_back(Promised {
                id: open.row.content,
                content,
                damaged: false,
            });
        }
        if whole {
            let mut to = FetchLine::resume(&mut out.octets);
            if open.tell_seen {
                open.line().flags(&mut to);
            }
            to.end();
        } else {
            open.summary = stored;
            fetching.open = Some(open);
        }
    }

    /// Has \Seen set, and shows it already: its answer does not wait for the medium. Tells whether
    /// anything changed.
    async fn mark_seen(&mut self, uid: Uid, row: &mut Message) -> bool {
        let Some(selected) = self.selected.as_deref_mut() else {
            return false;
        };
        if row.flags.has(Flags::SEEN) {
            return false;
        }
        let request = Request::Flag(Flag {
            folder: selected.folder(),
            uids: Ranges::span(uid.0, uid.0),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
            lazy: true,
        });
        if let Err(refusal) = self.shared.store.request(request).await {
            log::debug!("imap: \\Seen of a message not kept: {refusal}");
            return false;
        }
        row.flags = row.flags.with(Flags::SEEN);
        selected.unsettled = true;
        selected.tell_ahead(Told::new(uid, row));
        true
    }

    /// The message's stored summary, if an item needs it; where there is none it is made.
    async fn stored_summary(
        &self,
        fetching: &mut Fetching,
        row: &Message,
    ) -> Result<Option<Vec<u8>>, Completion> {
        let mut sections = fetching.items.iter().filter_map(section::of);
        let whole = sections.all(|(section, _)| section::is_whole(&section));
        if !fetching.needs.summary && whole {
            return Ok(None);
        }
        let id = row.content;
        if fetching.made.as_ref().is_some_and(|made| made.0 == id) {
            return Ok(None);
        }
        fetching.made = None;
        let store = &self.shared.store;
        let stored = store.read(|reader| reader.summary(id, <[u8]>::to_vec))?;
        let store_it = match summary::Stored::read(stored.as_deref().unwrap_or_default()) {
            summary::Stored::Summary(_) => return Ok(stored),
            summary::Stored::TooBig => false,
            summary::Stored::Other => true,
        };
        fetching.made = Some(self.make_summary(id, store_it).await?);
        Ok(None)
    }

    /// Writes a section's octets or promises them. Takes the content and gives it back.
    async fn write_section(
        &self,
        out: &mut Output,
        wanted: &Wanted<'_>,
        block: &mut Option<(Range<u64>, Arc<[u8]>)>,
        content: Option<Content>,
    ) -> Option<Content> {
        let Some(content) = content else {
            out.damaged();
            return None;
        };
        match wanted.place(&content) {
            Place::Nowhere => {
                out.octets.extend_from_slice(b"NIL");
                Some(content)
            }
            Place::Octets(range) => {
                let range = section::partial(range, wanted.partial);
                self.promise(out, wanted.id, content, range).await
            }
            Place::Fields(range) => {
                let end = range.end.min(range.start.saturating_add(HEADER_MAX));
                let place = range.start..end;
                let known = block.take().filter(|known| known.0 == place);
                let (content, found) = if let Some((_, octets)) = known {
                    (content, Ok(octets))
                } else {
                    let job = move |content: &mut Content| span(content, range.start, end);
                    let (content, octets) = read(&self.shared, content, job).await;
                    (content, octets.map(Arc::from))
                };
                match found {
                    Ok(octets) => {
                        let fields = wanted.fields(octets.clone()).await;
                        write::literal(&mut out.octets, fields.len() as u64);
                        out.long(fields);
                        *block = Some((place, octets));
                    }
                    Err(broken) => {
                        log::error!("imap: content {}: {broken}", wanted.id);
                        out.damaged();
                    }
                }
                Some(content)
            }
        }
    }

    /// Promises the octets of a range, if its first ones can be read.
    async fn promise(
        &self,
        out: &mut Output,
        id: ContentId,
        content: Content,
        range: Range<u64>,
    ) -> Option<Content> {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            write::literal(&mut out.octets, 0);
            return Some(content);
        }
        let job = move |content: &mut Content| content.read(range.start).map(<[u8]>::len);
        let (content, octets) = read(&self.shared, content, job).await;
        match octets {
            Ok(held) => {
                out.held = out.held.saturating_add(held);
                write::literal(&mut out.octets, length);
                out.push(Piece::Range(ContentRange {
                    content: id,
                    from: range.start,
                    length,
                }));
            }
            Err(broken) => {
                log::error!("imap: content {id}: {broken}");
                out.damaged();
            }
        }
        Some(content)
    }

    /// The octets of a range that was promised, from its octet `at` on. What cannot be read is
    /// filled up: a damaged message must not end the session.
    pub(in crate::service::imap) async fn promised_octets(
        &mut self,
        range: &ContentRange,
        at: u64,
    ) -> Option<Vec<u8>> {
        // What was promised before it is sent.
        let before = self.promised.iter().position(|p| p.id == range.content)?;
        self.promised.drain(..before);
        let Promised {
            id,
            content,
            mut damaged,
        } = self.promised.pop_front()?;
        let from = range.from.saturating_add(at);
        let left = usize::try_from(range.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let job = move |content: &mut Content| {
            let octets = content.read(from)?;
            let octets = octets.get(..left.min(octets.len())).unwrap_or_default();
            if octets.is_empty() {
                return Err(Broken::Corrupt("content"));
            }
            Ok(octets.to_vec())
        };
        let (content, octets) = read(&self.shared, content, job).await;
        let octets = octets.unwrap_or_else(|broken| {
            if !std::mem::replace(&mut damaged, true) {
                log::error!("imap: content {id}: {broken}");
            }
            filler(left.min(PIECE_MAX))
        });
        let octets = without_nul(octets);
        self.promised.push_front(Promised {
            id,
            content,
            damaged,
        });
        Some(octets)
    }
}

/// A literal holds no NUL (RFC 3501 section 9, CHAR8), whatever a sender wrote: it becomes 0x80, as
/// other servers have it.
fn without_nul(mut octets: Vec<u8>) -> Vec<u8> {
    for octet in &mut octets {
        if *octet == 0 {
            *octet = 0x80;
        }
    }
    octets
}

/// So many octets in place of those that are lost: a word about it, then lines of spaces.
fn filler(length: usize) -> Vec<u8> {
    const WORDS: &[u8] = b"\r\n[This part of the message is damaged in the store.]\r\n";
    const LINE: usize = 76;
    let mut out = WORDS.to_vec();
    while out.len() < length {
        out.resize(out.len().saturating_add(LINE), b' ');
        out.extend_from_slice(b"\r\n");
    }
    out.truncate(length);
    if let Some(end) = length.checked_sub(2).and_then(|at| out.get_mut(at..)) {
        end.copy_from_slice(b"\r\n");
    }
    out
}

/// Goes on with a line; nothing stands before its first item.
fn resume<'a>(out: &'a mut Vec<u8>, first: &mut bool) -> FetchLine<'a> {
    if std::mem::take(first) {
        FetchLine::resume_first(out)
    } else {
        FetchLine::resume(out)
    }
}

/// A section of one message.
struct Wanted<'a> {
    section: Section,
    partial: Option<(u32, u32)>,
    summary: Option<&'a Summary<'a>>,
    id: ContentId,
}

impl Wanted<'_> {
    fn place(&self, content: &Content) -> Place {
        let size = content.size();
        match self.summary {
            _ if section::is_whole(&self.section) => Place::Octets(0..size),
            None => Place::Nowhere,
            Some(summary) => {
                let prefix = content.prefix().len() as u64;
                section::find(&self.section, summary, prefix, size)
            }
        }
    }

    /// The fields that are asked for, of a header block.
    async fn fields(&self, block: Arc<[u8]>) -> Vec<u8> {
        let SectionText::HeaderFields { names, not } = &self.section.text else {
            return Vec::new();
        };
        let mut fields = if block.len() > BLOCK_SMALL {
            let (names, not) = (names.clone(), *not);
            blocking::unblock(move || header::filter(&block, &names, not)).await
        } else {
            header::filter(&block, names, *not)
        };
        let range = section::partial(0..fields.len() as u64, self.partial);
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        fields.truncate(at(range.end));
        fields.drain(..at(range.start).min(fields.len()));
        without_nul(fields)
    }
}

impl Open {
    fn line(&self) -> Line<'_> {
        Line {
            uid: self.uid,
            place: self.place,
            row: &self.row,
            keywords: &self.keywords,
            recent: self.recent,
        }
    }
}

impl Output {
    /// Adds octets without a copy where that would cost.
    fn long(&mut self, octets: Vec<u8>) {
        if octets.len() < SLICE_OCTETS {
            self.octets.extend_from_slice(&octets);
        } else {
            self.push(Piece::Octets(octets));
        }
    }

    /// No more fits into this answer.
    pub(super) fn is_full(&self) -> bool {
        self.octets.len() >= SLICE_OCTETS
            || self.pieces.len() >= PIECES_MAX
            || self.held >= OCTETS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filler_has_the_promised_length() {
        for length in [0, 1, 2, 3, 50, 60, 137, 138, 139, 5000, PIECE_MAX] {
            let octets = filler(length);
            assert_eq!(octets.len(), length);
            let lines = octets.split(|c| *c == b'\n');
            assert!(lines.max_by_key(|line| line.len()).unwrap().len() <= 78);
        }
    }

    #[test]
    fn no_nul_goes_out() {
        assert_eq!(without_nul(b"a\0b\0".to_vec()), b"a\x80b\x80");
    }
}
