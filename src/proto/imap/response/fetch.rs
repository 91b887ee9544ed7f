//! `* n FETCH (…)`: one line for each message.

use super::super::command::{BodySection, Section, SectionText};
use super::write;
use crate::base::id::{ModSeq, Uid};
use crate::base::time::Time;
use crate::mail::flag::Flags;

/// One line, written item by item. [`FetchLine::end`] must be the last.
#[derive(Debug)]
pub struct FetchLine<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> FetchLine<'a> {
    /// `* n FETCH (`.
    pub fn begin(out: &'a mut Vec<u8>, sequence: u32) -> Self {
        out.extend_from_slice(b"* ");
        write::number(out, u64::from(sequence));
        out.extend_from_slice(b" FETCH (");
        Self { out, first: true }
    }

    /// Goes on with a line that has no item yet, if `first`.
    pub fn resume(out: &'a mut Vec<u8>, first: bool) -> Self {
        Self { out, first }
    }

    /// `)` and the line end.
    pub fn end(self) {
        self.out.extend_from_slice(b")\r\n");
    }

    pub fn uid(&mut self, uid: Uid) {
        write::number(self.item("UID"), u64::from(uid.0));
    }

    pub fn flags<'k>(
        &mut self,
        system: Flags,
        keywords: impl IntoIterator<Item = &'k str>,
        recent: bool,
    ) {
        write::flags(self.item("FLAGS"), system, keywords, recent);
    }

    pub fn internal_date(&mut self, time: Time) {
        write::date_time(self.item("INTERNALDATE"), time);
    }

    /// `RFC822.SIZE`, in octets.
    pub fn size(&mut self, size: u64) {
        write::number(self.item("RFC822.SIZE"), size);
    }

    pub fn mod_seq(&mut self, mod_seq: ModSeq) {
        let out = self.item("MODSEQ");
        write::list(out, [mod_seq.0], write::number);
    }

    /// Any item: its name and a space; the value goes to what is returned. For `ENVELOPE`,
    /// `BODYSTRUCTURE` and the like.
    pub fn item(&mut self, name: &str) -> &mut Vec<u8> {
        self.space();
        write::text(self.out, name);
        self.out.push(b' ');
        self.out
    }

    /// An item whose name with the space after it was written before; see [`label`].
    pub fn labeled(&mut self, label: &[u8]) -> &mut Vec<u8> {
        self.space();
        self.out.extend_from_slice(label);
        self.out
    }

    /// As [`FetchLine::labeled`], where the line goes on by another one.
    pub fn take(mut self, label: &[u8]) -> &'a mut Vec<u8> {
        self.space();
        self.out.extend_from_slice(label);
        self.out
    }

    fn space(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b' ');
        }
    }
}

/// `BODY[1.HEADER.FIELDS (DATE)]<0>`: without PEEK, and of a partial only where it begins.
pub fn label(out: &mut Vec<u8>, body: &BodySection) {
    write::text(out, "BODY[");
    section(out, &body.section);
    out.push(b']');
    from(out, body.partial);
}

/// `BINARY[1.2]<0> ` or `BINARY.SIZE[1.2] `, with the space (RFC 3516 section 4.3).
pub fn binary_label(out: &mut Vec<u8>, name: &str, part: &[u32], partial: Option<(u32, u32)>) {
    write::text(out, name);
    path(out, part);
    out.push(b']');
    from(out, partial);
    out.push(b' ');
}

fn path(out: &mut Vec<u8>, part: &[u32]) {
    for (n, part) in part.iter().enumerate() {
        if n > 0 {
            out.push(b'.');
        }
        write::number(out, u64::from(*part));
    }
}

fn from(out: &mut Vec<u8>, partial: Option<(u32, u32)>) {
    if let Some((from, _)) = partial {
        out.push(b'<');
        write::number(out, u64::from(from));
        out.push(b'>');
    }
}

fn section(out: &mut Vec<u8>, section: &Section) {
    path(out, &section.part);
    let name = match &section.text {
        SectionText::Full => return,
        SectionText::Header => "HEADER",
        SectionText::HeaderFields { not: false, .. } => "HEADER.FIELDS ",
        SectionText::HeaderFields { not: true, .. } => "HEADER.FIELDS.NOT ",
        SectionText::Mime => "MIME",
        SectionText::Text => "TEXT",
    };
    if !section.part.is_empty() {
        out.push(b'.');
    }
    write::text(out, name);
    if let SectionText::HeaderFields { names, .. } = &section.text {
        write::list(out, names, |out, name| write::astring(out, name.as_bytes()));
    }
}
