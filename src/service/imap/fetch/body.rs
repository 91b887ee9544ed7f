//! FETCH items that need a message's content.

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
        Imap,
        flags::flag_names,
        selected::Told,
        summary::{read, span},
    },
    store::{
        Content, Request,
        message::Message,
        request::{Flag, FlagMode},
    },
};

/// Pieces of one answer; each content in it stays pinned until it is sent.
pub const PIECES_MAX: usize = 16;

/// Longest header that is looked into for its fields, in octets.
const HEADER_MAX: u64 = 512 * 1024;

impl Imap {
    /// Tells one message.
    pub(super) async fn fetch_content(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Output,
    ) -> Result<(), Completion> {
        let Some(uid) = fetching.rest.pop() else {
            return Ok(());
        };
        let shared = self.shared.clone();
        let selected = self.open()?;
        let folder = selected.folder();
        let found = shared.store.read(|reader| {
            let names = flag_names(reader, selected, &mut out.octets)?;
            Ok(reader.message(folder, uid)?.map(|row| (names, row)))
        })?;
        let Some((keywords, mut row)) = found else {
            return Ok(());
        };
        if fetching
            .changed_since
            .is_some_and(|since| row.modseq <= since)
        {
            return Ok(());
        }
        let seen = fetching.needs.seen && self.mark_seen(uid, &mut row).await;
        let stored = self.stored_summary(fetching, &row).await?;
        let stored = stored.as_deref().and_then(Summary::decode);
        let made = fetching.made.as_ref().map(|made| &made.1);
        let summary = stored.as_ref().or(made);
        let selected = self.open()?;
        let line = Line {
            uid,
            place: selected.view.sequence(uid).unwrap_or_default(),
            row: &row,
            keywords: &keywords,
            recent: selected.view.recent().contains(uid.0),
        };
        let mut content = shared.store.content(row.content)?;
        FetchLine::begin(&mut out.octets, line.place);
        let (mut first, mut told) = (true, false);
        for item in &fetching.items {
            told |= *item == FetchItem::Flags;
            let mut to = resume(&mut out.octets, &mut first);
            let Some((section, partial)) = section::of(item) else {
                line.item(&mut to, item, summary);
                continue;
            };
            section::begin(&mut to, item);
            let wanted = Wanted {
                section,
                partial,
                summary,
                id: row.content,
            };
            content = self.write_section(out, &wanted, content).await;
        }
        let mut to = resume(&mut out.octets, &mut first);
        if seen && !told {
            line.flags(&mut to);
        }
        to.end();
        if let Some(content) = content {
            self.promised.push_back((row.content, content));
        }
        Ok(())
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
        content: Option<Content>,
    ) -> Option<Content> {
        let Some(content) = content else {
            out.octets.extend_from_slice(b"NIL");
            return None;
        };
        match wanted.place(&content) {
            Place::Nowhere => {
                out.octets.extend_from_slice(b"NIL");
                Some(content)
            }
            Place::Octets(range) => {
                let range = section::partial(range, wanted.partial);
                let length = range.end.saturating_sub(range.start);
                write::literal(&mut out.octets, length);
                if length > 0 {
                    out.push(Piece::Range(ContentRange {
                        content: wanted.id,
                        from: range.start,
                        length,
                    }));
                }
                Some(content)
            }
            Place::Fields(range) => {
                let end = range.end.min(range.start.saturating_add(HEADER_MAX));
                let job = move |content: &mut Content| span(content, range.start, end);
                let (content, block) = read(&self.shared, content, job).await;
                match block {
                    Ok(block) => {
                        let fields = wanted.fields(&block);
                        write::literal(&mut out.octets, fields.len() as u64);
                        out.octets.extend_from_slice(&fields);
                    }
                    Err(broken) => {
                        log::error!("imap: content {}: {broken}", wanted.id);
                        out.octets.extend_from_slice(b"NIL");
                    }
                }
                Some(content)
            }
        }
    }

    /// The octets of a range that was promised, from its octet `at` on.
    pub(in crate::service::imap) async fn promised_octets(
        &mut self,
        range: &ContentRange,
        at: u64,
    ) -> Option<Vec<u8>> {
        // What was promised before it is sent.
        let before = self.promised.iter().position(|p| p.0 == range.content)?;
        self.promised.drain(..before);
        let (id, content) = self.promised.pop_front()?;
        let from = range.from.saturating_add(at);
        let left = usize::try_from(range.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let job = move |content: &mut Content| {
            let octets = content.read(from)?;
            Ok(octets.get(..left.min(octets.len())).map(<[u8]>::to_vec))
        };
        let (content, octets) = read(&self.shared, content, job).await;
        self.promised.push_front((id, content));
        match octets {
            Ok(octets) => octets.filter(|octets| !octets.is_empty()),
            Err(broken) => {
                log::error!("imap: content {id}: {broken}");
                None
            }
        }
    }
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
    fn fields(&self, block: &[u8]) -> Vec<u8> {
        let SectionText::HeaderFields { names, not } = &self.section.text else {
            return Vec::new();
        };
        let fields = header::filter(block, names, *not);
        let range = section::partial(0..fields.len() as u64, self.partial);
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let part = fields.get(at(range.start)..at(range.end));
        part.unwrap_or_default().to_vec()
    }
}
