//! What is stored beside a message so that listing and searching need not read it again.

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::mail::date::SentDate;
use crate::mail::envelope::Envelope;
use crate::mail::kept::Kept;
use crate::mail::structure::{Scanner, Structure};

/// A larger summary is not stored; it is made again from the content when it is needed.
const STORED_MAX: usize = 64 * 1024;
const WHOLE: u8 = 1;
const TOO_BIG: u8 = 0;

/// The front of a [`Summary`]: cheap to read where the structure is not wanted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Head<'a> {
    /// What the first `Date:` field says.
    pub sent: Option<SentDate>,
    /// The fields in [`kept::KEPT`](crate::mail::kept::KEPT).
    #[serde(borrow)]
    pub header: Kept<'a>,
    /// Octets of the header, its empty line included.
    pub header_size: u64,
    /// Line ends in the body.
    pub lines: u64,
}

impl<'a> Head<'a> {
    /// Reads the front of what [`Summary::encode`] made; `None` unless the summary itself is there.
    #[must_use]
    pub fn decode(stored: &'a [u8]) -> Option<Self> {
        let rest = stored.strip_prefix(&[Summary::VERSION, WHOLE])?;
        postcard::take_from_bytes(rest).ok().map(|(head, _)| head)
    }

    /// What IMAP calls the envelope, read from the kept fields.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'static> {
        self.header.envelope()
    }

    /// The unfolded value of the first kept field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.header.field(name)
    }
}

/// A message in short. Decoded it borrows from the stored octets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Summary<'a> {
    #[serde(borrow)]
    pub head: Head<'a>,
    #[serde(borrow)]
    pub structure: Structure<'a>,
}

impl<'a> Deref for Summary<'a> {
    type Target = Head<'a>;

    fn deref(&self) -> &Head<'a> {
        &self.head
    }
}

/// What a stored summary turned out to be.
#[derive(Debug, Eq, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart at once; most are the large one"
)]
pub enum Stored<'a> {
    /// Of another version, or damaged: make it again from the content and store it.
    Other,
    Summary(Summary<'a>),
    /// Make it again from the content whenever it is needed.
    TooBig,
}

impl<'a> Summary<'a> {
    /// Grows with every change of what is stored or how it is found out.
    pub const VERSION: u8 = 2;

    /// For the store: a version, then the summary; a mark of two octets if it is above 64 KiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let head = vec![Self::VERSION, WHOLE];
        match postcard::to_extend(self, head) {
            Ok(stored) if stored.len() <= STORED_MAX => stored,
            _ => vec![Self::VERSION, TOO_BIG],
        }
    }

    /// Reads what [`Summary::encode`] made; `None` unless the summary itself is there.
    #[must_use]
    pub fn decode(stored: &'a [u8]) -> Option<Self> {
        match Stored::read(stored) {
            Stored::Summary(summary) => Some(summary),
            Stored::Other | Stored::TooBig => None,
        }
    }

    /// Octets of the whole message.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.structure.root().end
    }
}

impl<'a> Stored<'a> {
    #[must_use]
    pub fn read(stored: &'a [u8]) -> Self {
        match stored {
            [Summary::VERSION, WHOLE, rest @ ..] => {
                postcard::from_bytes(rest).map_or(Self::Other, Self::Summary)
            }
            [Summary::VERSION, TOO_BIG] => Self::TooBig,
            _ => Self::Other,
        }
    }
}

/// Makes a summary while the message streams by, in pieces of any size.
#[derive(Debug)]
pub struct SummaryBuilder {
    scanner: Scanner,
    header: Kept<'static>,
}

impl Default for SummaryBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl SummaryBuilder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            scanner: Scanner::keeping_header(),
            header: Kept::default(),
        }
    }

    /// Takes the next octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        self.scanner.push(octets);
        self.header();
    }

    /// Of memory, in octets, about: it grows with the message up to some 100 KiB, or more where somebody
    /// wants it to.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.scanner.octets().saturating_add(self.header.octets()) as u64
    }

    #[must_use]
    pub fn finish(mut self) -> Summary<'static> {
        self.scanner.end();
        self.header();
        let structure = self.scanner.finish();
        let (header_size, lines) = (structure.root().body_start, structure.root().lines);
        let date = self.header.field("Date");
        let sent = date.and_then(|date| SentDate::parse(&String::from_utf8_lossy(&date)));
        let head = Head {
            sent,
            header: self.header,
            header_size,
            lines,
        };
        Summary { head, structure }
    }

    /// Reads the header as soon as it is whole, and lets go of it.
    fn header(&mut self) {
        if let Some(block) = self.scanner.take_header() {
            self.header = Kept::of(&block);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary(content: &[u8], cut: usize) -> Summary<'static> {
        let mut builder = SummaryBuilder::new();
        for piece in content.chunks(cut) {
            builder.push(piece);
        }
        builder.finish()
    }

    const CONTENT: &[u8] = b"Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n\
        From: =?utf-8?Q?Ol=C3=A1?= <a@a.test>\r\n\
        To: \"B, A\" <b@b.test>, g: c@c.test;\r\n\
        Subject: Hello\r\n\
        References: <1@a.test>\r\n\t<2@a.test>\r\n\
        Content-Type: multipart/mixed; boundary=x\r\n\
        \r\n\
        --x\r\n\r\none\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n\
        --x--\r\n";

    #[test]
    fn one_message() {
        let made = summary(CONTENT, CONTENT.len());
        for cut in [1, 7, 100] {
            assert_eq!(summary(CONTENT, cut), made);
        }
        let stored = made.encode();
        let read = Summary::decode(&stored).unwrap();
        assert_eq!(read, made);
        assert_eq!(
            &*read.field("references").unwrap(),
            b"<1@a.test>\t<2@a.test>"
        );
        assert_eq!(read.field("list-id"), None);
        assert_eq!(read.sent.unwrap().time.0, 1_795_272_815);
        assert_eq!(Head::decode(&stored).unwrap(), made.head);
        assert_eq!(read.size(), CONTENT.len() as u64);
        assert_eq!(read.structure.parts().count(), 4);
        assert!(CONTENT[..usize::try_from(read.header_size).unwrap()].ends_with(b"\r\n\r\n"));
        assert_eq!(read.lines, 10);
    }

    #[test]
    fn not_stored() {
        let content = format!("Subject: {}\r\n\r\n", "x".repeat(70_000));
        let made = summary(content.as_bytes(), 4096);
        assert_eq!(made.field("Subject").unwrap().len(), 70_000);
        let stored = made.encode();
        assert_eq!(stored.len(), 2);
        assert_eq!(Stored::read(&stored), Stored::TooBig);
        for stored in [
            &b""[..],
            &[0, 1],
            &[Summary::VERSION, WHOLE],
            &[Summary::VERSION],
        ] {
            assert_eq!(Stored::read(stored), Stored::Other);
        }
    }

    #[test]
    fn what_it_takes_is_known() {
        let mut builder = SummaryBuilder::new();
        assert!(builder.octets() < 4096);
        builder.push(format!("Subject: {}", "x".repeat(100_000)).as_bytes());
        assert!(builder.octets() >= 100_000);
        builder.push(b"\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n");
        let header = builder.octets();
        assert!(header >= 100_000);
        for _ in 0..900 {
            builder.push(b"--x\r\nContent-Description: a part\r\n\r\n\r\n");
        }
        assert!(builder.octets() >= header + 50_000);
    }

    #[test]
    fn header_without_an_end() {
        let made = summary(b"Subject: a\r\nTo: b@c", 3);
        let envelope = made.envelope();
        assert_eq!(envelope.subject.unwrap().text(), "a");
        assert_eq!(envelope.to.len(), 1);
        assert_eq!((made.header_size, made.lines), (19, 0));
    }

    proptest! {
        #[test]
        fn damage_is_found_or_harmless(at: prop::sample::Index, octet: u8) {
            let mut stored = summary(CONTENT, 4096).encode();
            *at.get_mut(&mut stored) = octet;
            if let Some(read) = Summary::decode(&stored) {
                let _ = (read.size(), read.envelope(), read.structure.section(&[2, 1]));
            }
        }
    }
}
