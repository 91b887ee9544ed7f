//! What a FETCH asks for, made ready once for all of its messages.

use crate::{
    mail::kept::is_kept,
    proto::imap::{
        command::{BodySection, FetchItem, Section, SectionText},
        response::fetch,
    },
};

/// First octet and highest number of octets.
pub type Partial = Option<(u32, u32)>;

/// An item. `label` is the name under which the answer gives it, `BODY[1.MIME]<0>`, and a space.
#[derive(Debug)]
pub enum Item {
    /// A part decoded (RFC 3516).
    Binary {
        label: Vec<u8>,
        part: Vec<u32>,
        partial: Partial,
    },
    /// How many octets that has.
    BinarySize { label: Vec<u8>, part: Vec<u32> },
    /// Header fields of the message that stand in its rows.
    Fields {
        label: Vec<u8>,
        names: Vec<String>,
        partial: Partial,
    },
    /// What stands in the message's rows.
    Row(FetchItem),
    Section {
        label: Vec<u8>,
        section: Section,
        partial: Partial,
    },
}

/// What the items of a FETCH are made of, beside the message's state row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    pub summary: bool,
    pub content: bool,
    /// The client reads the message: it is \Seen from now on.
    pub seen: bool,
}

impl Item {
    pub fn new(item: FetchItem) -> Self {
        let whole = |name: &str, text| Self::Section {
            label: [name.as_bytes(), b" "].concat(),
            section: Section {
                part: Vec::new(),
                text,
            },
            partial: None,
        };
        match item {
            FetchItem::Binary(binary) => {
                let mut label = Vec::new();
                fetch::binary_label(&mut label, "BINARY[", &binary.part, binary.partial);
                Self::Binary {
                    label,
                    part: binary.part,
                    partial: binary.partial,
                }
            }
            FetchItem::BinarySize(part) => {
                let mut label = Vec::new();
                fetch::binary_label(&mut label, "BINARY.SIZE[", &part, None);
                Self::BinarySize { label, part }
            }
            FetchItem::BodySection(body) => Self::section(*body),
            FetchItem::Rfc822 => whole("RFC822", SectionText::Full),
            FetchItem::Rfc822Header => whole("RFC822.HEADER", SectionText::Header),
            FetchItem::Rfc822Text => whole("RFC822.TEXT", SectionText::Text),
            row => Self::Row(row),
        }
    }

    fn section(body: BodySection) -> Self {
        let mut label = Vec::new();
        fetch::label(&mut label, &body);
        label.push(b' ');
        let BodySection {
            section, partial, ..
        } = body;
        match section {
            Section {
                part,
                text: SectionText::HeaderFields { names, not: false },
            } if part.is_empty() && names.iter().all(|name| is_kept(name.as_bytes())) => {
                Self::Fields {
                    label,
                    names,
                    partial,
                }
            }
            section => Self::Section {
                label,
                section,
                partial,
            },
        }
    }

    /// Whether it needs the message's summary.
    pub fn summary(&self) -> bool {
        match self {
            Self::Binary { part, .. } | Self::BinarySize { part, .. } => !part.is_empty(),
            Self::Fields { .. } => true,
            Self::Row(item) => matches!(
                item,
                FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope
            ),
            Self::Section { section, .. } => !is_whole(section),
        }
    }
}

impl Needs {
    /// Sees what items that are ready need.
    pub fn look(&mut self, items: &[Item]) {
        for item in items {
            self.summary |= item.summary();
            match item {
                Item::Binary { .. } | Item::BinarySize { .. } | Item::Section { .. } => {
                    self.content = true;
                }
                // Their messages are marked, and shown so, batch by batch.
                Item::Fields { .. } => self.content |= self.seen,
                Item::Row(_) => {}
            }
        }
    }
}

/// What these items do to flags.
pub fn needs(items: &[FetchItem]) -> Needs {
    let mut needs = Needs::default();
    for item in items {
        needs.seen |= match item {
            FetchItem::Binary(binary) => !binary.peek,
            FetchItem::BodySection(body) => !body.peek,
            FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
            _ => false,
        };
    }
    needs
}

/// Whether the section can be found without the summary.
pub fn is_whole(section: &Section) -> bool {
    section.part.is_empty() && section.text == SectionText::Full
}
