//! Where the octets of a section lie (RFC 3501 section 6.4.5), and what it is called in the answer.

use std::ops::Range;

use super::{item::Partial, promise::without_nul};
use crate::{
    mail::{header, summary::Summary},
    proto::imap::{
        command::{Section, SectionText},
        response::write,
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
pub fn partial(range: Range<u64>, partial: Partial) -> Range<u64> {
    let Some((first, count)) = partial else {
        return range;
    };
    let from = range.start.saturating_add(u64::from(first)).min(range.end);
    let to = from.saturating_add(u64::from(count)).min(range.end);
    from..to
}

/// Writes a literal with a part of `octets`, which are header fields.
pub fn cut(out: &mut Vec<u8>, octets: &[u8], part: Partial) {
    let range = partial(0..octets.len() as u64, part);
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let octets = octets.get(at(range.start)..at(range.end));
    let octets = octets.unwrap_or_default();
    write::literal(out, octets.len() as u64);
    let start = out.len();
    out.extend_from_slice(octets);
    without_nul(out.get_mut(start..).unwrap_or_default());
}

/// Writes a literal with header fields that are all kept beside the message, as they stand in it: first
/// those of its prefix.
pub fn fields(
    out: &mut Vec<u8>,
    names: &[String],
    part: Partial,
    prefix: &[u8],
    summary: Option<&Summary<'_>>,
) {
    let meant = |name: &[u8]| {
        names
            .iter()
            .any(|n| n.as_bytes().eq_ignore_ascii_case(name))
    };
    let mut found = Vec::with_capacity(512);
    for field in header::fields(prefix).filter(|field| meant(field.name)) {
        found.extend_from_slice(prefix.get(field.whole).unwrap_or_default());
    }
    if let Some(summary) = summary {
        for line in summary.header.lines().filter(|line| meant(line.name())) {
            line.write(&mut found);
        }
    }
    found.extend_from_slice(b"\r\n");
    cut(out, &found, part);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn block() -> impl Strategy<Value = Vec<u8>> {
        const NAMES: &[&str] = &["Subject", "to", "X-Own", "RECEIVED", "Date ", "List-Id"];
        let field = (
            proptest::sample::select(NAMES),
            proptest::collection::vec(proptest::sample::select(&b"ab <@:\t\xe9\0"[..]), 0..30),
            proptest::sample::select(&["\r\n", "\r\n\tmore\r\n", "\r\nno field\r\n"][..]),
        );
        let field = field.prop_map(|(name, value, end)| {
            [name.as_bytes(), b":", &value, end.as_bytes()].concat()
        });
        proptest::collection::vec(field, 0..8).prop_map(|fields| fields.concat())
    }

    proptest! {
        /// What comes from rows is what comes from content.
        #[test]
        fn kept_fields_as_from_content(
            prefix in block(),
            header in block(),
            asked in proptest::sample::subsequence(vec!["SUBJECT", "To", "date", "List-ID", "Cc"], 0..5),
            part: Option<(u8, u8)>,
        ) {
            let part = part.map(|(from, count)| (u32::from(from), u32::from(count) + 1));
            let names: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            let content = [&header, &b"\r\nSubject: body\r\n"[..]].concat();
            let mut builder = SummaryBuilder::new();
            builder.push(&content);
            let stored = builder.finish().encode();
            let summary = Summary::decode(&stored).unwrap();
            let mut from_rows = Vec::new();
            fields(&mut from_rows, &names, part, &prefix, Some(&summary));
            let mut from_content = Vec::new();
            let whole = header::filter(&[prefix, content].concat(), &names, false);
            cut(&mut from_content, &whole, part);
            prop_assert_eq!(from_rows, from_content);
        }
    }
}
