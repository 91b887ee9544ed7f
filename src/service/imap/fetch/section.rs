//! Where the octets of a section lie (RFC 3501 section 6.4.5), and what it is called in the answer.

use std::ops::Range;

use crate::{
    mail::summary::Summary,
    proto::imap::{
        command::{FetchItem, Section, SectionText},
        response::fetch::FetchLine,
    },
};

/// A section of one message. Offsets count from the message's first octet, its prefix included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Some of the header fields that stand there.
    Fields(Range<u64>),
    /// The message has no such part.
    Nowhere,
    Octets(Range<u64>),
}

/// The section that an item asks for, and its partial range; `None` for items without content.
pub fn of(item: &FetchItem) -> Option<(Section, Option<(u32, u32)>)> {
    let whole = |text| Section {
        part: Vec::new(),
        text,
    };
    match item {
        FetchItem::BodySection(body) => Some((body.section.clone(), body.partial)),
        FetchItem::Rfc822 => Some((whole(SectionText::Full), None)),
        FetchItem::Rfc822Header => Some((whole(SectionText::Header), None)),
        FetchItem::Rfc822Text => Some((whole(SectionText::Text), None)),
        FetchItem::Binary(_)
        | FetchItem::BinarySize(_)
        | FetchItem::Body
        | FetchItem::BodyStructure
        | FetchItem::Envelope
        | FetchItem::Flags
        | FetchItem::InternalDate
        | FetchItem::ModSeq
        | FetchItem::Rfc822Size
        | FetchItem::Uid => None,
    }
}

/// Whether the section can be found without the summary.
pub fn is_whole(section: &Section) -> bool {
    section.part.is_empty() && section.text == SectionText::Full
}

/// Finds a section in a message of `size` octets with a prefix of `prefix` octets.
pub fn find(section: &Section, summary: &Summary<'_>, prefix: u64, size: u64) -> Place {
    if section.part.is_empty() {
        let body = prefix.saturating_add(summary.header_size).min(size);
        return match &section.text {
            SectionText::Full => Place::Octets(0..size),
            SectionText::Header => Place::Octets(0..body),
            SectionText::HeaderFields { .. } => Place::Fields(0..body),
            SectionText::Mime => Place::Nowhere,
            SectionText::Text => Place::Octets(body..size),
        };
    }
    let shift = |range: Range<u64>| {
        let at = |n: u64| n.saturating_add(prefix).min(size);
        at(range.start)..at(range.end)
    };
    let Some(node) = summary.structure.section(&section.part) else {
        return Place::Nowhere;
    };
    let part = node.part();
    match &section.text {
        SectionText::Full => return Place::Octets(shift(part.content())),
        SectionText::Mime => return Place::Octets(shift(part.header())),
        SectionText::Header | SectionText::HeaderFields { .. } | SectionText::Text => {}
    }
    // The rest is about the message inside of a message part.
    let Some(message) = node.message().map(crate::mail::structure::Node::part) else {
        return Place::Nowhere;
    };
    match &section.text {
        SectionText::Full | SectionText::Mime => Place::Nowhere,
        SectionText::Header => Place::Octets(shift(message.header())),
        SectionText::HeaderFields { .. } => Place::Fields(shift(message.header())),
        SectionText::Text => Place::Octets(shift(message.content())),
    }
}

/// What is left of a range of octets when a client asks for a part of it.
pub fn partial(range: Range<u64>, partial: Option<(u32, u32)>) -> Range<u64> {
    let Some((first, count)) = partial else {
        return range;
    };
    let from = range.start.saturating_add(u64::from(first)).min(range.end);
    let to = from.saturating_add(u64::from(count)).min(range.end);
    from..to
}

/// Writes the name under which the answer gives an item, `BODY[1.MIME]<0>`, and a space.
pub fn begin<'l>(line: &'l mut FetchLine<'_>, item: &FetchItem) -> &'l mut Vec<u8> {
    match item {
        FetchItem::BodySection(body) => line.section(body),
        FetchItem::Rfc822Header => line.item("RFC822.HEADER"),
        FetchItem::Rfc822Text => line.item("RFC822.TEXT"),
        FetchItem::Rfc822
        | FetchItem::Binary(_)
        | FetchItem::BinarySize(_)
        | FetchItem::Body
        | FetchItem::BodyStructure
        | FetchItem::Envelope
        | FetchItem::Flags
        | FetchItem::InternalDate
        | FetchItem::ModSeq
        | FetchItem::Rfc822Size
        | FetchItem::Uid => line.item("RFC822"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::summary::SummaryBuilder;

    const CONTENT: &[u8] = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\n\r\none\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n\
        --x--\r\n";
    const PREFIX: &[u8] = b"Return-Path: <>\r\n";

    fn found(part: &[u32], text: SectionText) -> Option<String> {
        let mut builder = SummaryBuilder::new();
        builder.push(CONTENT);
        let whole = [PREFIX, CONTENT].concat();
        let section = Section {
            part: part.to_vec(),
            text,
        };
        let summary = builder.finish();
        let (prefix, size) = (PREFIX.len() as u64, whole.len() as u64);
        match find(&section, &summary, prefix, size) {
            Place::Nowhere => None,
            Place::Fields(range) | Place::Octets(range) => {
                let (from, to) = (
                    range.start.try_into().unwrap(),
                    range.end.try_into().unwrap(),
                );
                let octets: &[u8] = &whole[from..to];
                Some(String::from_utf8(octets.to_vec()).unwrap())
            }
        }
    }

    #[test]
    fn sections_of_a_message() {
        use SectionText::{Full, Header, Mime, Text};
        let whole = String::from_utf8([PREFIX, CONTENT].concat()).unwrap();
        assert_eq!(found(&[], Full), Some(whole.clone()));
        let (header, text) = whole.split_at(whole.find("--x").unwrap());
        assert_eq!(found(&[], Header).as_deref(), Some(header));
        assert_eq!(found(&[], Text).as_deref(), Some(text));
        assert_eq!(found(&[1], Full).as_deref(), Some("one"));
        assert_eq!(found(&[1], Mime).as_deref(), Some("\r\n"));
        assert_eq!(found(&[1], Header), None);
        assert_eq!(found(&[2], Full).as_deref(), Some("Subject: in\r\n\r\ntwo"));
        assert_eq!(found(&[2], Header).as_deref(), Some("Subject: in\r\n\r\n"));
        assert_eq!(found(&[2], Text).as_deref(), Some("two"));
        assert_eq!(found(&[2, 1], Full).as_deref(), Some("two"));
        assert_eq!(found(&[3], Full), None);
        assert_eq!(found(&[1, 1], Full), None);
    }

    #[test]
    fn parts_of_a_range() {
        assert_eq!(partial(10..20, None), 10..20);
        assert_eq!(partial(10..20, Some((2, 3))), 12..15);
        assert_eq!(partial(10..20, Some((2, 99))), 12..20);
        assert_eq!(partial(10..20, Some((99, 1))), 20..20);
    }
}
