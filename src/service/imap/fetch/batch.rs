//! Messages of a FETCH that take their content, written many at a time on the blocking pool.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use super::{
    binary::Decoding,
    item::{Item, Partial},
    line::Line,
    promise::{Promised, filler, without_nul},
    section::{self, Place},
};
use crate::{
    base::id::{ContentId, ContentRange, Uid},
    mail::{
        header,
        summary::{self, Summary, SummaryBuilder},
    },
    proto::imap::{
        command::{Section, SectionText},
        response::{fetch::FetchLine, write},
        session::Piece,
    },
    service::imap::summary::{span, summarize},
    store::{Broken, Content, content::Unpacker, message::Message},
};

/// Octets of one answer, about; below what the allocator takes from the system and gives back each
/// time.
pub const ANSWER: usize = 96 * 1024;

/// Messages that are looked up at once.
pub const MESSAGES: usize = 64;

/// Longer texts are not held: they are promised, and read when they are sent. In octets.
pub const INLINE_MAX: u64 = 64 * 1024;

/// Pieces of one answer; each content in it stays pinned until it is sent.
const PIECES_MAX: usize = 16;

/// Longest header that is looked into for its fields, in octets.
const HEADER_MAX: u64 = 256 * 1024;

/// Octets that one job goes through, whatever comes of it.
pub const WORK_MAX: u64 = 2 * 1024 * 1024;

/// Messages in their order, the first one perhaps begun.
#[derive(Debug)]
pub struct Batch {
    pub items: Arc<[Item]>,
    pub keywords: Vec<String>,
    pub messages: VecDeque<Open>,
    /// Goes out before all.
    pub lead: Vec<u8>,
    pub unpacker: Unpacker,
    /// The header whose fields were asked for last, of the first message, and where it stands.
    block: Option<(Range<u64>, Vec<u8>)>,
}

/// A message whose line is being written: it may take several answers.
#[derive(Debug)]
pub struct Open {
    pub uid: Uid,
    pub row: Message,
    pub place: u32,
    pub recent: bool,
    /// \Seen was set for this FETCH, and is to be told.
    pub tell_seen: bool,
    /// As it is stored.
    pub stored: Option<Vec<u8>>,
    /// `None` where it is lost.
    pub content: Option<Content>,
    /// Where nothing is stored.
    pub made: Option<Box<Summary<'static>>>,
    /// The line's head is written.
    pub begun: bool,
    /// Items that were written.
    pub done: usize,
    /// A part that is being decoded.
    pub decoding: Option<Box<Decoding>>,
}

/// What a job wrote.
#[derive(Debug, Default)]
pub struct Written {
    pub pieces: Vec<Piece>,
    pub octets: Vec<u8>,
    pub promised: Vec<Promised>,
    /// Summaries that were not stored, encoded.
    pub made: Vec<(ContentId, Vec<u8>)>,
    pub broken: Vec<(ContentId, Broken)>,
    /// A text was `NIL` because it cannot be read.
    pub damage: bool,
    /// A part was `NIL` because nobody knows how it is encoded.
    pub unknown: bool,
    /// Octets gone through.
    pub work: u64,
}

/// Whether an item was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    Done,
    /// It has to wait for the next answer.
    Later,
}

/// A section of one message.
struct Wanted<'a> {
    label: &'a [u8],
    section: &'a Section,
    partial: Partial,
    summary: Option<&'a Summary<'a>>,
}

impl Batch {
    pub fn new(items: Arc<[Item]>) -> Self {
        Self {
            items,
            keywords: Vec::new(),
            messages: VecDeque::new(),
            lead: Vec::new(),
            unpacker: Unpacker::default(),
            block: None,
        }
    }

    /// Writes as many messages as an answer holds. Blocks.
    pub fn run(&mut self) -> Written {
        let mut out = Written {
            octets: std::mem::take(&mut self.lead),
            ..Written::default()
        };
        out.octets.reserve_exact(ANSWER.saturating_add(ANSWER / 8));
        while !out.is_full()
            && let Some(mut open) = self.messages.pop_front()
        {
            if self.message(&mut open, &mut out) == Flow::Later {
                self.messages.push_front(open);
                break;
            }
            self.block = None;
        }
        out.flush();
        out
    }

    /// Writes what is left of a message's line, or as much of it as the answer holds.
    fn message(&mut self, open: &mut Open, out: &mut Written) -> Flow {
        let items = Arc::clone(&self.items);
        if items.iter().any(Item::summary) {
            open.find_summary(out);
        }
        let (stored, made) = (open.stored.take(), open.made.take());
        let decoded = stored.as_deref().and_then(Summary::decode);
        let summary = decoded.as_ref().or(made.as_deref());
        if !std::mem::replace(&mut open.begun, true) {
            FetchLine::begin(&mut out.octets, open.place);
        }
        let mut flow = Flow::Done;
        for item in items.iter().skip(open.done) {
            flow = if out.is_full() {
                Flow::Later
            } else {
                self.item(item, open, summary, out)
            };
            if flow == Flow::Later {
                break;
            }
            open.decoding = None;
            open.done = open.done.saturating_add(1);
        }
        (open.stored, open.made) = (stored, made);
        if flow == Flow::Done {
            let mut to = open.resume(&mut out.octets);
            if open.tell_seen {
                open.line(&self.keywords).flags(&mut to);
            }
            to.end();
        }
        flow
    }

    fn item(
        &mut self,
        item: &Item,
        open: &mut Open,
        summary: Option<&Summary<'_>>,
        out: &mut Written,
    ) -> Flow {
        match item {
            Item::Binary {
                label,
                part,
                partial,
            } => out.binary(label, part, Some(*partial), open, summary),
            Item::BinarySize { label, part } => out.binary(label, part, None, open, summary),
            Item::Fields {
                label,
                names,
                partial,
            } => {
                let prefix = open.content.as_ref().map_or(&b""[..], Content::prefix);
                let to = open.resume(&mut out.octets).take(label);
                section::fields(to, names, *partial, prefix, summary);
                Flow::Done
            }
            Item::Row(item) => {
                let mut to = open.resume(&mut out.octets);
                open.line(&self.keywords).item(&mut to, item, summary);
                Flow::Done
            }
            Item::Section {
                label,
                section,
                partial,
            } => {
                let wanted = Wanted {
                    label,
                    section,
                    partial: *partial,
                    summary,
                };
                self.section(&wanted, open, out)
            }
        }
    }

    /// Writes a section's octets or promises them.
    fn section(&mut self, wanted: &Wanted<'_>, open: &mut Open, out: &mut Written) -> Flow {
        let Some(content) = open.content.as_ref() else {
            open.resume(&mut out.octets).take(wanted.label);
            out.damaged();
            return Flow::Done;
        };
        match wanted.place(content) {
            Place::Nowhere => {
                let to = open.resume(&mut out.octets).take(wanted.label);
                to.extend_from_slice(b"NIL");
                Flow::Done
            }
            Place::Octets(range) => {
                let range = section::partial(range, wanted.partial);
                self.octets(wanted.label, range, open, out)
            }
            Place::Fields(range) => self.fields(wanted, range, open, out),
        }
    }

    fn octets(
        &mut self,
        label: &[u8],
        range: Range<u64>,
        open: &mut Open,
        out: &mut Written,
    ) -> Flow {
        let length = range.end.saturating_sub(range.start);
        if length <= INLINE_MAX && !out.has_room(length) {
            return Flow::Later;
        }
        open.resume(&mut out.octets).take(label);
        let Some(content) = open.content.as_mut() else {
            out.damaged();
            return Flow::Done;
        };
        let id = open.row.content;
        let before = out.octets.len();
        if length > INLINE_MAX {
            out.work = out.work.saturating_add(INLINE_MAX);
            match content.read(range.start) {
                Ok(_) => {
                    let promised = Promised::new(id, content.another());
                    write::literal(&mut out.octets, length);
                    out.promise(promised, range.start, length);
                }
                Err(broken) => out.lost(before, id, broken),
            }
            return Flow::Done;
        }
        write::literal(&mut out.octets, length);
        out.work = out.work.saturating_add(length);
        let start = out.octets.len();
        let read = content.append(range, &mut self.unpacker, &mut out.octets);
        let got = out.octets.len().saturating_sub(start) as u64;
        let read = match read {
            Ok(()) if got < length => Err(Broken::Corrupt("content")),
            read => read,
        };
        match read {
            Err(broken) if got == 0 => out.lost(before, id, broken),
            Err(broken) => {
                out.broken.push((id, broken));
                let left = length.saturating_sub(got);
                let left = usize::try_from(left).unwrap_or_default();
                out.octets.extend_from_slice(&filler(left));
            }
            Ok(()) => {}
        }
        without_nul(out.octets.get_mut(start..).unwrap_or_default());
        Flow::Done
    }

    /// Fields of a header that do not all stand in the message's rows.
    fn fields(
        &mut self,
        wanted: &Wanted<'_>,
        range: Range<u64>,
        open: &mut Open,
        out: &mut Written,
    ) -> Flow {
        let SectionText::HeaderFields { names, not } = &wanted.section.text else {
            return Flow::Done;
        };
        let place = range.start..range.end.min(range.start.saturating_add(HEADER_MAX));
        out.work = out
            .work
            .saturating_add(place.end.saturating_sub(place.start));
        open.resume(&mut out.octets).take(wanted.label);
        if self.block.as_ref().is_none_or(|known| known.0 != place) {
            let Some(content) = open.content.as_mut() else {
                out.damaged();
                return Flow::Done;
            };
            match span(content, place.start, place.end) {
                Ok(octets) => self.block = Some((place, octets)),
                Err(broken) => {
                    out.lost(out.octets.len(), open.row.content, broken);
                    return Flow::Done;
                }
            }
        }
        let block = self.block.as_ref().map_or(&b""[..], |known| &known.1);
        let fields = header::filter(block, names, *not);
        section::cut(&mut out.octets, &fields, wanted.partial);
        Flow::Done
    }
}

impl Wanted<'_> {
    fn place(&self, content: &Content) -> Place {
        let size = content.size();
        match self.summary {
            _ if super::item::is_whole(self.section) => Place::Octets(0..size),
            None => Place::Nowhere,
            Some(summary) => {
                let prefix = content.prefix().len() as u64;
                section::find(self.section, summary, prefix, size)
            }
        }
    }
}

impl Open {
    pub fn line<'a>(&'a self, keywords: &'a [String]) -> Line<'a> {
        Line {
            uid: self.uid,
            place: self.place,
            row: &self.row,
            keywords,
            recent: self.recent,
        }
    }

    /// Goes on with the line.
    pub fn resume<'o>(&self, out: &'o mut Vec<u8>) -> FetchLine<'o> {
        FetchLine::resume(out, self.done == 0)
    }

    /// Sees that there is a summary; where none is stored it is made.
    fn find_summary(&mut self, out: &mut Written) {
        if self.made.is_some() {
            return;
        }
        let stored = self.stored.as_deref().unwrap_or_default();
        let store_it = match summary::Stored::read(stored) {
            summary::Stored::Summary(_) => return,
            summary::Stored::TooBig => false,
            summary::Stored::Other => true,
        };
        let id = self.row.content;
        let made = match self.content.as_mut().map(summarize) {
            Some(Ok(made)) => {
                if store_it {
                    out.made.push((id, made.encode()));
                }
                out.work = out.work.saturating_add(self.row.size);
                made
            }
            Some(Err(broken)) => {
                out.broken.push((id, broken));
                SummaryBuilder::new().finish()
            }
            None => SummaryBuilder::new().finish(),
        };
        self.made = Some(Box::new(made));
    }
}

impl Written {
    /// No more fits into this answer, or it took long enough.
    pub fn is_full(&self) -> bool {
        self.octets.len() >= ANSWER || self.pieces.len() >= PIECES_MAX || self.work >= WORK_MAX
    }

    /// Whether so many octets fit beside what is there.
    pub fn has_room(&self, octets: u64) -> bool {
        let held = self.octets.len() as u64;
        held < 4096 || held.saturating_add(octets) <= ANSWER as u64
    }

    /// `NIL` for a text that cannot be read; the whole command is answered NO, so that nobody takes
    /// the message for an empty one.
    pub fn damaged(&mut self) {
        self.octets.extend_from_slice(b"NIL");
        self.damage = true;
    }

    /// As [`Written::damaged`], in place of what stands behind `before`.
    pub fn lost(&mut self, before: usize, id: ContentId, broken: Broken) {
        self.octets.truncate(before);
        self.damaged();
        self.broken.push((id, broken));
    }

    /// Lets promised octets follow; the literal's head is written.
    pub fn promise(&mut self, promised: Promised, from: u64, length: u64) {
        let range = ContentRange {
            content: promised.id,
            from,
            length,
        };
        self.flush();
        self.pieces.push(Piece::Range(range));
        self.promised.push(promised);
    }

    fn flush(&mut self) {
        if !self.octets.is_empty() {
            let octets = std::mem::take(&mut self.octets);
            self.pieces.push(Piece::Octets(octets));
        }
    }
}
