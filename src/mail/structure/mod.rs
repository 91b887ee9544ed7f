//! The MIME structure of a message (RFC 2045, RFC 2046): what its parts are and where they lie.

mod scan;
#[cfg(test)]
mod tests;

use std::ops::{Deref, Range};

use serde::{Deserialize, Serialize};

use crate::mail::envelope::Envelope;
use crate::mail::octets::Octets;

pub use scan::Scanner;

/// Parts that lie deeper than this are not looked into.
pub const DEPTH_MAX: usize = 100;
/// Most parts of a message; what follows is not looked into.
pub const PARTS_MAX: usize = 1_000;

/// All parts of a message, the message itself first. Never empty.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Structure<'a> {
    #[serde(borrow)]
    message: Part<'a>,
    /// The parts below it, each before its own parts.
    #[serde(borrow)]
    below: Vec<Part<'a>>,
}

/// What is inside of a part.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Body<'a> {
    /// Content that is no mail of its own. The type is neither `multipart` nor `message/rfc822`.
    #[default]
    Leaf,
    /// A message (`message/rfc822`, `message/global`) with the envelope of it; its one child is that
    /// message, which begins where the body of this part begins.
    Message(#[serde(borrow)] Box<Envelope<'a>>),
    /// Parts in a row. There may be none: IMAP then shows an empty text in their place.
    Multipart,
}

/// A value with parameters, as Content-Disposition has it (RFC 2183).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Disposition<'a> {
    #[serde(borrow)]
    pub kind: Octets<'a>,
    #[serde(borrow)]
    pub parameters: Vec<(Octets<'a>, Octets<'a>)>,
}

/// One part. Texts are as in the header, unfolded, in their case, RFC 2231 and RFC 2047 not decoded,
/// cut at 2 KiB. Offsets are octets from the start of the message:
/// `header_start <= body_start <= end`. The line end before a boundary is the boundary's.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part<'a> {
    /// `text` of `text/plain`. A multipart or message that cannot be looked into (no boundary, too
    /// deep) is given as `application/octet-stream`.
    #[serde(borrow)]
    pub kind: Octets<'a>,
    /// `plain` of `text/plain`.
    #[serde(borrow)]
    pub subtype: Octets<'a>,
    #[serde(borrow)]
    pub parameters: Vec<(Octets<'a>, Octets<'a>)>,
    #[serde(borrow)]
    pub id: Option<Octets<'a>>,
    #[serde(borrow)]
    pub description: Option<Octets<'a>>,
    /// `None` means `7bit` (RFC 2045 section 6.1).
    #[serde(borrow)]
    pub encoding: Option<Octets<'a>>,
    #[serde(borrow)]
    pub md5: Option<Octets<'a>>,
    #[serde(borrow)]
    pub disposition: Option<Disposition<'a>>,
    #[serde(borrow)]
    pub language: Vec<Octets<'a>>,
    #[serde(borrow)]
    pub location: Option<Octets<'a>>,
    #[serde(borrow)]
    pub body: Body<'a>,
    pub header_start: u64,
    /// Behind the empty line that ends the header.
    pub body_start: u64,
    pub end: u64,
    /// Line ends in the body.
    pub lines: u64,
    /// How many of the parts that follow lie inside of this one, at any depth.
    below: u32,
}

impl<'a> Part<'a> {
    /// Octets of the body, encoded as it is.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.end.saturating_sub(self.body_start)
    }

    /// Where the header lies, its empty line included.
    #[must_use]
    pub fn header(&self) -> Range<u64> {
        self.header_start..self.body_start
    }

    /// Where the body lies.
    #[must_use]
    pub fn content(&self) -> Range<u64> {
        self.body_start..self.end
    }

    /// Whether the type is this one, in any case.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.is(kind) && self.subtype.is(subtype)
    }

    /// The value of a parameter of the type.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Octets<'a>> {
        let mut all = self.parameters.iter();
        all.find(|(n, _)| n.is(name)).map(|(_, value)| value)
    }
}

/// A part and what lies inside of it.
#[derive(Clone, Copy, Debug)]
pub struct Node<'s, 'a> {
    part: &'s Part<'a>,
    below: &'s [Part<'a>],
}

impl<'a> Structure<'a> {
    /// The message itself.
    #[must_use]
    pub fn root(&self) -> Node<'_, 'a> {
        Node {
            part: &self.message,
            below: &self.below,
        }
    }

    /// All parts, each before its own parts; the first is the message itself.
    pub fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.message).chain(&self.below)
    }

    /// The part that IMAP calls by this path, `[4, 2]` for `4.2` (RFC 9051 section 6.4.5.1); the empty
    /// path is the message. A message that is no multipart has one part, itself: for its texts and
    /// offsets look at that part's body, not at its header.
    #[must_use]
    pub fn section(&self, path: &[u32]) -> Option<Node<'_, 'a>> {
        let Some((&first, rest)) = path.split_first() else {
            return Some(self.root());
        };
        let first = self.root().numbered(first);
        rest.iter().try_fold(first?, |at, &number| match at.body {
            Body::Leaf => None,
            Body::Message(_) => at.children().next()?.numbered(number),
            Body::Multipart => at.numbered(number),
        })
    }
}

impl<'s, 'a> Node<'s, 'a> {
    /// The part, for longer than this node.
    #[must_use]
    pub fn part(self) -> &'s Part<'a> {
        self.part
    }

    /// The parts directly inside: those of a multipart, or the one message of a message part.
    pub fn children(self) -> impl Iterator<Item = Node<'s, 'a>> {
        let mut rest = self.below;
        std::iter::from_fn(move || {
            let (part, after) = rest.split_first()?;
            let count = usize::try_from(part.below).unwrap_or(usize::MAX);
            let (below, after) = after.split_at_checked(count).unwrap_or((after, &[]));
            rest = after;
            Some(Node { part, below })
        })
    }

    /// The message inside of a message part.
    #[must_use]
    pub fn message(self) -> Option<Node<'s, 'a>> {
        match self.part.body {
            Body::Message(_) => self.children().next(),
            Body::Leaf | Body::Multipart => None,
        }
    }

    /// Part `number` of this message, counted from 1.
    fn numbered(self, number: u32) -> Option<Self> {
        let before = usize::try_from(number.checked_sub(1)?).ok()?;
        match self.part.body {
            Body::Multipart => self.children().nth(before),
            Body::Leaf | Body::Message(_) => (before == 0).then_some(self),
        }
    }
}

impl<'a> Deref for Node<'_, 'a> {
    type Target = Part<'a>;

    fn deref(&self) -> &Part<'a> {
        self.part
    }
}
