//! Finds the parts of a message while it streams by. Memory is bounded whatever comes: part headers,
//! their texts and the number and depth of parts all have a limit, and of a body's line only the
//! start is kept.

use std::collections::BTreeMap;

use memchr::{memchr, memchr_iter};

use crate::mail::envelope::Envelope;
use crate::mail::header::{Field, fields, unfold};
use crate::mail::octets::Octets;
use crate::mail::parameter::{
    Parameters, content_type, disposition, joined, languages, text, word,
};
use crate::mail::structure::{Body, DEPTH_MAX, Disposition, PARTS_MAX, Part, Structure};

/// Longest header of a part that is read, in octets; offsets are right beyond it.
const HEADER_MAX: usize = 64 * 1024;
/// Longest header of the message itself that is read, in octets.
pub(in crate::mail) const MESSAGE_HEADER_MAX: usize = 256 * 1024;
/// Longest boundary; RFC 2046 section 5.1.1 says 70.
const BOUNDARY_MAX: usize = 256;
/// How much of a line is needed to know a boundary: dashes on both sides and some white space.
const LINE_MAX: usize = BOUNDARY_MAX + 64;
/// Memory for texts and envelopes of parts, in octets; parts beyond it have only type and place.
const TEXTS_MAX: usize = 256 * 1024;

/// Reads a message in pieces of any size.
#[derive(Debug)]
pub struct Scanner {
    parts: Vec<Part<'static>>,
    /// From the message down to where the scanner is.
    open: Vec<Open>,
    /// The boundaries that are looked for, with the levels in `open` that have them. A map, because
    /// a hostile body may be all dashes at depth 100.
    boundaries: BTreeMap<Vec<u8>, Vec<usize>>,
    /// The header being read; `None` in bodies.
    header: Option<Header>,
    /// The start of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Of that line.
    seen: u64,
    /// Start of the current line, from the start of the message.
    offset: u64,
    /// Line ends before the current line.
    lines: u64,
    /// Octets of the line end before the current line: 0, 1 or 2.
    last_end: u64,
    /// The octet before the current piece.
    last: u8,
    /// Left of [`TEXTS_MAX`].
    room: usize,
    /// Whether the message's header is kept for [`Scanner::take_header`].
    keep: bool,
    kept: Option<Vec<u8>>,
}

/// A part that has not ended.
#[derive(Debug)]
struct Open {
    index: usize,
    /// Empty where no parts are looked for: not a multipart, or its closing boundary has come.
    boundary: Vec<u8>,
    digest: bool,
    /// Line ends before the body.
    lines: u64,
}

#[derive(Debug, Default)]
struct Header {
    octets: Vec<u8>,
    /// Where the current line starts in them.
    line: usize,
}

enum Delimiter {
    Close,
    Next,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    #[must_use]
    pub fn new() -> Self {
        let mut scanner = Self {
            parts: Vec::new(),
            open: Vec::new(),
            boundaries: BTreeMap::new(),
            header: None,
            partial: Vec::new(),
            seen: 0,
            offset: 0,
            lines: 0,
            last_end: 0,
            last: 0,
            room: TEXTS_MAX,
            keep: false,
            kept: None,
        };
        scanner.begin(0);
        scanner
    }

    /// A scanner that keeps the message's header, up to 256 KiB, until it is taken.
    pub(in crate::mail) fn keeping_header() -> Self {
        Self {
            keep: true,
            ..Self::new()
        }
    }

    /// The message's header, once, as soon as it is whole.
    pub(in crate::mail) fn take_header(&mut self) -> Option<Vec<u8>> {
        self.kept.take()
    }

    /// Of memory, in octets, about.
    pub(in crate::mail) fn octets(&self) -> usize {
        let parts = self.parts.capacity().saturating_mul(size_of::<Part<'_>>());
        let header = self.header.as_ref().map_or(0, |h| h.octets.capacity());
        let kept = self.kept.as_ref().map_or(0, Vec::capacity);
        let texts = TEXTS_MAX.saturating_sub(self.room);
        [header, kept, texts]
            .into_iter()
            .fold(parts, usize::saturating_add)
    }

    /// Takes the next octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            if self.only_counts() {
                self.count(rest);
                return;
            }
            let end = memchr(b'\n', rest).map(|lf| lf.saturating_add(1));
            let (piece, after) = rest
                .split_at_checked(end.unwrap_or(rest.len()))
                .unwrap_or((rest, b""));
            rest = after;
            self.piece(piece, end.is_some());
        }
    }

    /// The message has ended.
    #[must_use]
    pub fn finish(mut self) -> Structure<'static> {
        self.end();
        let mut parts = self.parts.into_iter();
        Structure {
            message: parts.next().unwrap_or_default(),
            below: parts.collect(),
        }
    }

    /// Works off what is left. Nothing may be pushed after it.
    pub(in crate::mail) fn end(&mut self) {
        if self.seen > 0 {
            let line = std::mem::take(&mut self.partial);
            self.line(&line, self.seen, 0);
        }
        self.headers_end(self.offset);
        self.close(0, self.offset, self.lines);
    }

    /// In a body without any boundary to look for, only octets and line ends count.
    fn only_counts(&self) -> bool {
        self.header.is_none() && self.seen == 0 && self.boundaries.is_empty()
    }

    fn count(&mut self, octets: &[u8]) {
        let lines = memchr_iter(b'\n', octets).count();
        self.lines = self.lines.saturating_add(wide(lines));
        self.offset = self.offset.saturating_add(wide(octets.len()));
    }

    /// Takes a whole line or a piece of one.
    fn piece(&mut self, piece: &[u8], whole: bool) {
        let first = self.seen == 0;
        self.seen = self.seen.saturating_add(wide(piece.len()));
        let before = match piece.len().checked_sub(2) {
            Some(at) => piece.get(at).copied(),
            None => (!first).then_some(self.last),
        };
        let line_end = if before == Some(b'\r') { 2 } else { 1 };
        self.last = piece.last().copied().unwrap_or(self.last);
        if let Some(header) = &mut self.header {
            let limit = if self.parts.len() == 1 {
                MESSAGE_HEADER_MAX
            } else {
                HEADER_MAX
            };
            keep(&mut header.octets, piece, limit);
        }
        if first && whole {
            self.line(piece, self.seen, line_end);
            return;
        }
        keep(&mut self.partial, piece, LINE_MAX);
        if whole {
            let mut line = std::mem::take(&mut self.partial);
            self.line(&line, self.seen, line_end);
            line.clear();
            self.partial = line;
        }
    }

    /// One line: its start, its length with the line end, and the length of that.
    fn line(&mut self, start: &[u8], length: u64, line_end: u64) {
        let next = self.offset.saturating_add(length);
        let empty = length == line_end;
        let delimiter = self.delimiter(start, length);
        let mut header_ends = false;
        if let Some((level, delimiter)) = delimiter {
            if let Some(header) = &mut self.header {
                header.octets.truncate(header.line);
            }
            self.headers_end(self.offset.saturating_sub(self.last_end));
            self.boundary(level, &delimiter, next);
        } else if let Some(header) = &mut self.header {
            header_ends = empty;
            header.line = header.octets.len();
        }
        self.offset = next;
        self.lines = self.lines.saturating_add(line_end.min(1));
        self.last_end = line_end;
        self.seen = 0;
        if header_ends {
            self.header_ends(next);
        }
    }

    /// Which open multipart a line belongs to as a boundary, the innermost first. White space may
    /// follow the boundary (RFC 2046 section 5.1.1), nothing else.
    fn delimiter(&self, start: &[u8], length: u64) -> Option<(usize, Delimiter)> {
        let text = start.strip_prefix(b"--")?;
        if length > wide(LINE_MAX) {
            return None;
        }
        let text = text.trim_ascii_end();
        let level = |text: &[u8]| self.boundaries.get(text)?.last().copied();
        let next = level(text);
        match text.strip_suffix(b"--").and_then(level) {
            Some(close) if next.is_none_or(|next| next < close) => Some((close, Delimiter::Close)),
            _ => next.map(|next| (next, Delimiter::Next)),
        }
    }

    /// All parts inside of the multipart end before the line end that comes before the boundary.
    fn boundary(&mut self, level: usize, delimiter: &Delimiter, next: u64) {
        let end = self.offset.saturating_sub(self.last_end);
        let lines = self.lines.saturating_sub(self.last_end.min(1));
        self.close(level.saturating_add(1), end, lines);
        match delimiter {
            Delimiter::Close => {
                if let Some(open) = self.open.get_mut(level) {
                    let boundary = std::mem::take(&mut open.boundary);
                    self.forget(&boundary);
                }
            }
            Delimiter::Next if self.parts.len() < PARTS_MAX => self.begin(next),
            Delimiter::Next => {}
        }
    }

    /// Ends all parts from `level` down at `end`, before which there are `lines` line ends. The empty
    /// line of a header stays with it even if a boundary follows at once.
    fn close(&mut self, level: usize, mut end: u64, mut lines: u64) {
        while self.open.len() > level {
            let Some(open) = self.open.pop() else { return };
            self.forget(&open.boundary);
            let after = self.parts.len().saturating_sub(open.index);
            if let Some(part) = self.parts.get_mut(open.index) {
                if part.body_start > end {
                    (end, lines) = (part.body_start, open.lines);
                }
                part.end = end;
                part.lines = lines.saturating_sub(open.lines);
                part.below = u32::try_from(after.saturating_sub(1)).unwrap_or(u32::MAX);
            }
        }
    }

    /// The innermost multipart with this boundary needs it no more.
    fn forget(&mut self, boundary: &[u8]) {
        if let Some(levels) = self.boundaries.get_mut(boundary) {
            levels.pop();
            if levels.is_empty() {
                self.boundaries.remove(boundary);
            }
        }
    }

    /// A part begins with its header.
    fn begin(&mut self, offset: u64) {
        self.open.push(Open {
            index: self.parts.len(),
            boundary: Vec::new(),
            digest: false,
            lines: self.lines,
        });
        self.parts.push(Part {
            header_start: offset,
            body_start: offset,
            end: offset,
            ..Part::default()
        });
        self.header = Some(Header::default());
    }

    /// No header goes on beyond `offset`. A message part begins a message, whose header ends as well.
    fn headers_end(&mut self, offset: u64) {
        while self.header.is_some() {
            self.header_ends(offset);
        }
    }

    /// The header of the innermost part is whole; its body begins at `offset`.
    fn header_ends(&mut self, offset: u64) {
        let block = self.header.take().unwrap_or_default().octets;
        let outer = self.open.iter().rev().nth(1);
        let (outer, digest) = outer.map_or((None, false), |o| (Some(o.index), o.digest));
        let mut part = read_part(&block, digest);
        let boundary = self.decide(&mut part);
        let begins_message = matches!(part.body, Body::Message(_));
        if let Some(level) = self.open.len().checked_sub(1)
            && !boundary.is_empty()
        {
            let levels = self.boundaries.entry(boundary.clone()).or_default();
            levels.push(level);
        }
        if let Some(open) = self.open.last_mut() {
            open.lines = self.lines;
            open.digest = part.subtype.is("digest");
            open.boundary = boundary;
        }
        if let Some(Body::Message(_)) = outer.and_then(|i| self.parts.get(i)).map(|o| &o.body) {
            self.envelope(outer, &block);
        }
        let index = self.open.last().map_or(0, |open| open.index);
        let start = self.settle(part, index, offset);
        if index == 0 && self.keep {
            self.kept = Some(block);
        }
        if begins_message {
            self.begin(start);
        }
    }

    /// Decides what will be looked for inside of a part; returns the boundary of a multipart.
    fn decide(&self, part: &mut Part<'static>) -> Vec<u8> {
        let deeper = self.open.len() < DEPTH_MAX;
        if part.kind.is("multipart") {
            let boundary = joined(&part.parameters, "boundary").unwrap_or_default();
            let boundary = boundary.trim_ascii_end();
            if deeper && (1..=BOUNDARY_MAX).contains(&boundary.len()) {
                part.body = Body::Multipart;
                return boundary.to_vec();
            }
        } else if part.is("message", "rfc822") || part.is("message", "global") {
            if deeper && self.parts.len() < PARTS_MAX {
                part.body = Body::Message(Box::default());
                return Vec::new();
            }
        } else {
            return Vec::new();
        }
        part.kind = "application".into();
        part.subtype = "octet-stream".into();
        part.parameters = Vec::new();
        Vec::new()
    }

    /// The header of a message inside of a message part was read.
    fn envelope(&mut self, outer: Option<usize>, block: &[u8]) {
        let read = Envelope::from_header(block);
        let cost = read.cost();
        if cost <= self.room
            && let Some(outer) = outer.and_then(|index| self.parts.get_mut(index))
        {
            self.room = self.room.saturating_sub(cost);
            outer.body = Body::Message(Box::new(read));
        }
    }

    /// Puts a part in its place, its texts as far as there is room; returns where its body begins.
    fn settle(&mut self, mut part: Part<'static>, index: usize, offset: u64) -> u64 {
        let cost = cost(&part);
        if cost <= self.room {
            self.room = self.room.saturating_sub(cost);
        } else {
            part = Part {
                kind: part.kind,
                subtype: part.subtype,
                body: part.body,
                ..Part::default()
            };
        }
        let Some(place) = self.parts.get_mut(index) else {
            return offset;
        };
        part.header_start = place.header_start;
        part.body_start = offset.max(place.header_start);
        *place = part;
        place.body_start
    }
}

/// What the MIME fields of a header say; the first of each name counts.
fn read_part(block: &[u8], digest: bool) -> Part<'static> {
    let mut part = Part::default();
    let mut typed = false;
    for field in fields(block) {
        if !field
            .name
            .get(..8)
            .is_some_and(|n| n.eq_ignore_ascii_case(b"content-"))
        {
            continue;
        }
        if field.is("Content-Type") {
            if !typed && let Some((kind, subtype, all)) = content_type(&unfold(field.value)) {
                (part.kind, part.subtype, part.parameters) = (kind, subtype, all);
            }
            typed = true;
        } else {
            read_field(&mut part, &field);
        }
    }
    if part.kind.is_empty() {
        let (kind, subtype, all) = default_type(digest && !typed);
        (part.kind, part.subtype, part.parameters) = (kind, subtype, all);
    }
    part
}

/// RFC 2045 section 5.2, RFC 2046 section 5.1.5.
fn default_type(message: bool) -> (Octets<'static>, Octets<'static>, Parameters) {
    if message {
        ("message".into(), "rfc822".into(), Vec::new())
    } else {
        let charset = ("charset".into(), "us-ascii".into());
        ("text".into(), "plain".into(), vec![charset])
    }
}

fn read_field(part: &mut Part<'static>, field: &Field<'_>) {
    let value = unfold(field.value);
    let (place, read) = match field.name.to_ascii_lowercase().as_slice() {
        b"content-id" => (&mut part.id, text(&value)),
        b"content-description" => (&mut part.description, text(&value)),
        b"content-transfer-encoding" => (&mut part.encoding, word(&value)),
        b"content-md5" => (&mut part.md5, text(&value)),
        b"content-location" => (&mut part.location, text(&value)),
        b"content-language" => {
            if part.language.is_empty() {
                part.language = languages(&value);
            }
            return;
        }
        b"content-disposition" => {
            if part.disposition.is_none() {
                part.disposition =
                    disposition(&value).map(|(kind, parameters)| Disposition { kind, parameters });
            }
            return;
        }
        _ => return,
    };
    if place.is_none() {
        *place = read;
    }
}

/// Octets of memory that the texts of a part take, about.
fn cost(part: &Part<'_>) -> usize {
    let text = |o: &Option<Octets<'_>>| o.as_ref().map_or(0, |o| o.len());
    let texts = [
        &part.id,
        &part.description,
        &part.encoding,
        &part.md5,
        &part.location,
    ]
    .map(text);
    let disposition = part.disposition.iter().flat_map(|d| &d.parameters);
    let pair = size_of::<Octets<'_>>().saturating_mul(2);
    let parameters = part.parameters.iter().chain(disposition);
    let parameters =
        parameters.map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(pair));
    let languages = part
        .language
        .iter()
        .map(|tag| tag.len().saturating_add(pair));
    texts
        .into_iter()
        .chain(parameters)
        .chain(languages)
        .fold(0, usize::saturating_add)
}

/// Appends as much as fits.
fn keep(to: &mut Vec<u8>, octets: &[u8], limit: usize) {
    let room = limit.saturating_sub(to.len()).min(octets.len());
    to.extend_from_slice(octets.get(..room).unwrap_or_default());
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
