//! Looking for text in a message's content, piece by piece, on the blocking pool.

use std::{borrow::Cow, ops::Range};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

use super::{
    decode::Transfer,
    key::{Needle, Needles},
};
use crate::{
    mail::{
        filter::{self, Place},
        fold::{fold, fold_value},
        header::fields,
        structure::{Body, Structure},
        summary::{Summary, SummaryBuilder},
    },
    store::{Broken, Content, content::Unpacker},
};

/// Contents up to this size are read at once, in octets.
const WHOLE_MAX: u64 = 256 * 1024;

/// Longest header that is looked into, in octets.
const HEADER_MAX: u64 = 512 * 1024;

/// A text in a message: where it lies and what it is. Offsets count from the content's start, without
/// the prefix.
#[derive(Debug)]
pub struct Text {
    range: Range<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Coded(Transfer, &'static Encoding),
    Header(Whose),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    /// The message's own: what is in front of the content belongs to it.
    Own,
    /// Of a message inside of it: BODY looks there too.
    Inner,
    /// Of a part.
    Part,
}

/// The texts of a message in the order in which they lie: headers, and what is text.
pub fn texts(structure: &Structure<'_>) -> Vec<Text> {
    let mut out = Vec::new();
    let mut whose = Whose::Own;
    for part in structure.parts() {
        let header = part.header();
        let end = header.end.min(header.start.saturating_add(HEADER_MAX));
        out.push(Text {
            range: header.start..end,
            kind: Kind::Header(whose),
        });
        whose = match part.body {
            Body::Message(_) => Whose::Inner,
            Body::Leaf | Body::Multipart => Whose::Part,
        };
        let text = part.kind.is("text") || part.kind.is("message");
        if text && matches!(part.body, Body::Leaf) {
            let label = part.parameter("charset");
            let charset = label.and_then(|label| Encoding::for_label(label));
            let transfer = Transfer::named(part.encoding.as_deref().unwrap_or_default());
            out.push(Text {
                range: part.content(),
                kind: Kind::Coded(transfer, charset.unwrap_or(UTF_8)),
            });
        }
    }
    out
}

/// What reading contents takes, one after the other.
#[derive(Default)]
pub struct Room {
    unpacker: Unpacker,
    whole: Vec<u8>,
}

/// A content that is looked into.
pub struct Source<'a> {
    content: Content,
    /// All of it, if it is small; else empty.
    whole: &'a [u8],
}

impl<'a> Source<'a> {
    pub fn new(mut content: Content, room: &'a mut Room) -> Self {
        let size = content.size();
        let whole = &mut room.whole;
        whole.clear();
        // What is damaged is read piece by piece, as far as that goes.
        let small = size <= WHOLE_MAX
            && content.append(0..size, &mut room.unpacker, whole).is_ok()
            && whole.len() as u64 == size;
        if !small {
            *whole = Vec::new();
        }
        Self { content, whole }
    }

    /// Octets from `at` on; none at the end.
    fn read(&mut self, at: u64) -> Result<&[u8], Broken> {
        if self.whole.is_empty() {
            return self.content.read(at);
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        Ok(self.whole.get(at..).unwrap_or_default())
    }

    fn prefix(&self) -> u64 {
        self.content.prefix().len() as u64
    }

    pub fn size(&self) -> u64 {
        self.content.size()
    }

    fn span(&mut self, from: u64, to: u64) -> Result<Cow<'a, [u8]>, Broken> {
        if self.whole.is_empty() {
            return super::super::summary::span(&mut self.content, from, to).map(Cow::Owned);
        }
        let at = |n: u64| {
            usize::try_from(n)
                .unwrap_or(usize::MAX)
                .min(self.whole.len())
        };
        Ok(self.whole.get(at(from)..at(to)).unwrap_or_default().into())
    }

    /// # Errors
    ///
    /// What the content says.
    pub fn summarize(&mut self) -> Result<Summary<'static>, Broken> {
        let mut builder = SummaryBuilder::new();
        let mut at = self.prefix();
        loop {
            let octets = self.read(at)?;
            if octets.is_empty() {
                return Ok(builder.finish());
            }
            builder.push(octets);
            at = at.saturating_add(octets.len() as u64);
        }
    }
}

/// One look into a content.
pub struct Look<'a> {
    needles: &'a Needles,
    pub found: Vec<bool>,
    /// Collects for the next search; then every text is read to its end.
    pub filter: Option<filter::Builder>,
}

impl<'a> Look<'a> {
    pub fn new(needles: &'a Needles, collect: bool) -> Self {
        Self {
            needles,
            found: vec![false; needles.0.len()],
            filter: collect.then(filter::Builder::new),
        }
    }

    /// Looks into all texts.
    ///
    /// # Errors
    ///
    /// What the content says of the last text that could not be read; the others were looked at.
    pub fn read(&mut self, content: &mut Source<'_>, texts: Vec<Text>) -> Result<(), Broken> {
        let mut ended = Ok(());
        for text in texts {
            if self.filter.is_none() && self.found.iter().all(|found| *found) {
                break;
            }
            let read = match text.kind {
                Kind::Header(whose) => self.header(content, whose, &text.range),
                Kind::Coded(transfer, charset) => {
                    self.coded(content, &text.range, Window::new(transfer, charset))
                }
            };
            if let Err(broken) = read {
                ended = Err(broken);
            }
        }
        ended
    }

    fn header(
        &mut self,
        content: &mut Source<'_>,
        whose: Whose,
        range: &Range<u64>,
    ) -> Result<(), Broken> {
        let prefix = content.prefix();
        let from = match whose {
            Whose::Own => 0,
            Whose::Inner | Whose::Part => range.start.saturating_add(prefix),
        };
        let block = content.span(from, range.end.saturating_add(prefix))?;
        let mut line = String::new();
        for field in fields(&block) {
            line.clear();
            fold(&String::from_utf8_lossy(field.name), &mut line);
            line.push_str(": ");
            fold_value(field.value, &mut line);
            self.line(whose, &line);
        }
        Ok(())
    }

    fn line(&mut self, whose: Whose, line: &str) {
        for (needle, found) in self.needles.0.iter().zip(&mut self.found) {
            *found |= match needle {
                Needle::Header(name, text) => {
                    let value = line.strip_prefix(name.as_str());
                    whose == Whose::Own && value.is_some_and(|value| value.contains(text.as_str()))
                }
                Needle::Body(text) => whose == Whose::Inner && line.contains(text.as_str()),
                Needle::Text(text) => line.contains(text.as_str()),
            };
        }
        if let Some(filter) = &mut self.filter {
            let place = match whose {
                Whose::Inner => Place::Body,
                Whose::Own | Whose::Part => Place::Header,
            };
            filter.text(place, line);
        }
    }

    fn coded(
        &mut self,
        content: &mut Source<'_>,
        range: &Range<u64>,
        mut window: Window,
    ) -> Result<(), Broken> {
        let prefix = content.prefix();
        let (mut at, end) = (
            range.start.saturating_add(prefix),
            range.end.saturating_add(prefix),
        );
        let longest = self
            .needles
            .0
            .iter()
            .map(|needle| needle.body().len())
            .max();
        let longest = longest.unwrap_or(0);
        while at < end && (self.filter.is_some() || self.found.iter().any(|found| !found)) {
            let octets = content.read(at)?;
            if octets.is_empty() {
                break;
            }
            let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let piece = octets.get(..left.min(octets.len())).unwrap_or_default();
            at = at.saturating_add(piece.len() as u64);
            let new = window.push(piece, at >= end);
            if let Some(filter) = &mut self.filter {
                filter.text(Place::Body, new);
            }
            for (needle, found) in self.needles.0.iter().zip(&mut self.found) {
                let text = needle.body();
                *found |= !text.is_empty() && window.text.contains(text);
            }
            window.slide(longest);
        }
        Ok(())
    }
}

impl Needle {
    /// What it looks for in a body; nothing for one that only looks into the header.
    fn body(&self) -> &str {
        match self {
            Self::Body(text) | Self::Text(text) => text,
            Self::Header(..) => "",
        }
    }
}

/// Decoded and folded text, as much of it as a needle can span.
struct Window {
    transfer: Transfer,
    charset: Decoder,
    text: String,
    decoded: String,
}

impl Window {
    fn new(transfer: Transfer, charset: &'static Encoding) -> Self {
        Self {
            transfer,
            charset: charset.new_decoder_with_bom_removal(),
            text: String::new(),
            decoded: String::new(),
        }
    }

    /// Takes the next octets; returns what they add.
    fn push(&mut self, octets: &[u8], last: bool) -> &str {
        let mut octets = self.transfer.decode(octets);
        let open = if last {
            self.transfer.finish()
        } else {
            Vec::new()
        };
        if !open.is_empty() {
            octets.to_mut().extend(open);
        }
        let mut rest = octets.as_ref();
        self.decoded.clear();
        loop {
            let room = self.charset.max_utf8_buffer_length(rest.len());
            self.decoded.reserve(room.unwrap_or(rest.len()).max(16));
            let decoder = &mut self.charset;
            let (result, read, _) = decoder.decode_to_string(rest, &mut self.decoded, last);
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        let from = self.text.len();
        fold(&self.decoded, &mut self.text);
        self.text.get(from..).unwrap_or_default()
    }

    /// Keeps only what the beginning of a needle can be.
    fn slide(&mut self, longest: usize) {
        let mut from = self.text.len().saturating_sub(longest);
        while !self.text.is_char_boundary(from) {
            from = from.saturating_sub(1);
        }
        self.text.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(transfer: Transfer, label: &str, octets: &[u8], needle: &str, cut: usize) -> bool {
        let charset = Encoding::for_label(label.as_bytes()).unwrap();
        let mut window = Window::new(transfer, charset);
        let mut found = false;
        for piece in octets.chunks(cut) {
            window.push(piece, false);
            found |= window.text.contains(needle);
            window.slide(needle.len());
        }
        found
    }

    #[test]
    fn text_is_found_across_pieces_and_encodings() {
        for cut in [1, 2, 7, 1000] {
            let plain =
                |octets: &[u8], needle| window(Transfer::None, "utf-8", octets, needle, cut);
            assert!(plain("one Größe two".as_bytes(), "grösse"));
            assert!(plain("ΟΔΟΣ".as_bytes(), "οδοσ"));
            assert!(!plain(b"one two", "onetwo"));
            let quoted = Transfer::named(b"Quoted-Printable");
            assert!(window(
                quoted,
                "iso-8859-1",
                b"Gr=F6=\r\n=DFe",
                "grösse",
                cut
            ));
            let base64 = Transfer::named(b"base64");
            assert!(window(
                base64,
                "utf-8",
                b"R3LD\r\ntsOfZQ==\r\n",
                "grösse",
                cut
            ));
            let japanese = b"\x1b$B$3$s$K$A$O\x1b(B";
            assert!(window(Transfer::None, "iso-2022-jp", japanese, "にち", cut));
        }
    }
}
