//! Looking for text in a message's content, piece by piece, on the blocking pool.

use std::ops::Range;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

use super::{
    decode::Transfer,
    key::{Needle, Needles, fold},
};
use crate::{
    mail::{header::fields, structure::Body, summary::Summary},
    service::imap::summary::span,
    store::{Broken, Content},
};

/// Longest header that is looked into, in octets.
const HEADER_MAX: u64 = 512 * 1024;

/// Which needles were found.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Found(Vec<bool>);

impl Found {
    pub fn has(&self, needle: usize) -> bool {
        self.0.get(needle).copied().unwrap_or(false)
    }

    fn note(&mut self, needle: usize, found: bool) {
        if let Some(known) = self.0.get_mut(needle) {
            *known |= found;
        }
    }
}

/// Text inside of a message: where it lies and how it is encoded. Offsets count from the content's
/// start, without the prefix.
#[derive(Debug)]
pub struct Text {
    range: Range<u64>,
    transfer: Transfer,
    charset: &'static Encoding,
    /// A header: its words are decoded.
    header: bool,
}

/// The texts in a message's body: parts of type text, and headers of messages inside of it.
pub fn parts(summary: &Summary<'_>) -> Vec<Text> {
    let mut texts = vec![Text {
        range: 0..summary.header_size,
        transfer: Transfer::None,
        charset: UTF_8,
        header: true,
    }];
    for part in summary.structure.parts() {
        if part.kind.is("text") && matches!(part.body, Body::Leaf) {
            let label = part.parameter("charset");
            let charset = label.and_then(|label| Encoding::for_label(label));
            texts.push(Text {
                range: part.content(),
                transfer: Transfer::named(part.encoding.as_deref().unwrap_or_default()),
                charset: charset.unwrap_or(UTF_8),
                header: false,
            });
        }
        if let (Body::Message(_), true) = (&part.body, part.body_start < part.end) {
            texts.push(Text {
                range: part.body_start..part.end.min(part.body_start.saturating_add(HEADER_MAX)),
                transfer: Transfer::None,
                charset: UTF_8,
                header: true,
            });
        }
    }
    texts
}

/// Looks for all needles at once; the first text is the message's own header.
///
/// # Errors
///
/// What the content says of the last text that could not be read; the others were looked at.
pub fn look(
    content: &mut Content,
    needles: &Needles,
    texts: &[Text],
    found: &mut Found,
) -> Result<(), Broken> {
    found.0.resize(needles.0.len(), false);
    let mut whole = Ok(());
    for (place, text) in texts.iter().enumerate() {
        if let Err(broken) = look_in(content, place == 0, text, needles, found) {
            whole = Err(broken);
        }
    }
    whole
}

fn look_in(
    content: &mut Content,
    own: bool,
    text: &Text,
    needles: &Needles,
    found: &mut Found,
) -> Result<(), Broken> {
    let prefix = content.prefix().len() as u64;
    if !text.header {
        return look_in_text(content, prefix, text, needles, found);
    }
    let from = if own {
        0
    } else {
        text.range.start.saturating_add(prefix)
    };
    let to = text.range.end.saturating_add(prefix);
    let to = to.min(from.saturating_add(HEADER_MAX));
    let block = span(content, from, to)?;
    look_in_header(&block, own, needles, found);
    Ok(())
}

fn look_in_header(block: &[u8], own: bool, needles: &Needles, found: &mut Found) {
    for field in fields(block) {
        let value = fold(field.value);
        let name = String::from_utf8_lossy(field.name).to_lowercase();
        let line = [name.as_str(), ": ", value.as_str()].concat();
        for (place, needle) in needles.0.iter().enumerate() {
            let here = !found.has(place)
                && match needle {
                    Needle::Header(wanted, text) => {
                        own && field.is(wanted) && value.contains(text.as_str())
                    }
                    Needle::Body(text) => !own && value.contains(text.as_str()),
                    Needle::Text(text) => line.contains(text.as_str()),
                };
            found.note(place, here);
        }
    }
}

fn look_in_text(
    content: &mut Content,
    prefix: u64,
    text: &Text,
    needles: &Needles,
    found: &mut Found,
) -> Result<(), Broken> {
    let wanted: Vec<(usize, &str)> = needles
        .0
        .iter()
        .enumerate()
        .filter_map(|(place, needle)| match needle {
            Needle::Body(text) | Needle::Text(text) => Some((place, text.as_str())),
            Needle::Header(..) => None,
        })
        .filter(|(place, _)| !found.has(*place))
        .collect();
    let longest = wanted.iter().map(|(_, text)| text.len()).max();
    let Some(longest) = longest else {
        return Ok(());
    };
    let mut window = Window::new(text, longest);
    let (mut at, end) = (
        text.range.start.saturating_add(prefix),
        text.range.end.saturating_add(prefix),
    );
    while at <= end {
        let octets = content.read(at)?;
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = octets.get(..left.min(octets.len())).unwrap_or_default();
        at = at.saturating_add(piece.len() as u64);
        let last = piece.is_empty() || at >= end;
        window.push(piece, last);
        for (place, text) in &wanted {
            let here = !found.has(*place) && window.text.contains(text);
            found.note(*place, here);
        }
        if last {
            break;
        }
        window.slide();
    }
    Ok(())
}

/// Decoded text in lower case, as much of it as a needle can span.
struct Window {
    transfer: Transfer,
    charset: Decoder,
    longest: usize,
    text: String,
}

impl Window {
    fn new(text: &Text, longest: usize) -> Self {
        Self {
            transfer: text.transfer.clone(),
            charset: text.charset.new_decoder_with_bom_removal(),
            longest,
            text: String::new(),
        }
    }

    fn push(&mut self, octets: &[u8], last: bool) {
        let octets = self.transfer.decode(octets);
        let mut decoded = String::new();
        let mut rest = octets.as_slice();
        loop {
            let room = self.charset.max_utf8_buffer_length(rest.len());
            decoded.reserve(room.unwrap_or(rest.len()).max(16));
            let (result, read, _) = self.charset.decode_to_string(rest, &mut decoded, last);
            rest = rest.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        self.text.push_str(&decoded.to_lowercase());
    }

    /// Keeps only what the beginning of a needle can be.
    fn slide(&mut self) {
        let mut from = self.text.len().saturating_sub(self.longest);
        while !self.text.is_char_boundary(from) {
            from = from.saturating_sub(1);
        }
        self.text.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &Text, octets: &[u8], needle: &str, cut: usize) -> bool {
        let mut window = Window::new(text, needle.len());
        let mut found = false;
        for piece in octets.chunks(cut) {
            window.push(piece, false);
            found |= window.text.contains(needle);
            window.slide();
        }
        found
    }

    #[test]
    fn text_is_found_across_pieces_and_encodings() {
        let text = |transfer, label: &str| Text {
            range: 0..0,
            transfer,
            charset: Encoding::for_label(label.as_bytes()).unwrap(),
            header: false,
        };
        for cut in [1, 2, 7, 1000] {
            let plain = text(Transfer::None, "utf-8");
            assert!(window(&plain, "one Größe two".as_bytes(), "größe", cut));
            assert!(!window(&plain, b"one two", "onetwo", cut));
            let quoted = text(Transfer::named(b"Quoted-Printable"), "iso-8859-1");
            assert!(window(&quoted, b"Gr=F6=\r\n=DFe", "größe", cut));
            let base64 = text(Transfer::named(b"base64"), "utf-8");
            assert!(window(&base64, b"R3LD\r\ntsOfZQ==\r\n", "größe", cut));
        }
    }
}
