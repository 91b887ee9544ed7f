//! One message's `* n FETCH (…)`.

use crate::{
    base::id::Uid,
    mail::summary::Summary,
    proto::imap::{command::FetchItem, response},
    service::imap::text::{put, write_flags},
    store::message::Message,
};

/// What is known of a message before its content is looked at.
pub struct Line<'a> {
    pub uid: Uid,
    pub place: u32,
    pub row: &'a Message,
    pub keywords: &'a [String],
    pub recent: bool,
}

impl Line<'_> {
    /// The whole line; the items need no content.
    pub fn write(&self, out: &mut Vec<u8>, items: &[FetchItem], summary: Option<&Summary<'_>>) {
        self.begin(out);
        let mut first = true;
        for item in items {
            if !first {
                out.push(b' ');
            }
            first = false;
            self.item(out, item, summary);
        }
        out.extend_from_slice(b")\r\n");
    }

    pub fn begin(&self, out: &mut Vec<u8>) {
        put!(out, "* {} FETCH (", self.place);
    }

    pub fn flags(&self, out: &mut Vec<u8>) {
        write_flags(out, self.row, self.keywords, self.recent);
    }

    /// One item; nothing for those that need content.
    pub fn item(&self, out: &mut Vec<u8>, item: &FetchItem, summary: Option<&Summary<'_>>) {
        match (item, summary) {
            (FetchItem::Flags, _) => self.flags(out),
            (FetchItem::InternalDate, _) => {
                put!(out, "INTERNALDATE \"{}\"", self.row.date.imap());
            }
            (FetchItem::ModSeq, _) => put!(out, "MODSEQ ({})", self.row.modseq),
            (FetchItem::Rfc822Size, _) => put!(out, "RFC822.SIZE {}", self.row.size),
            (FetchItem::Uid, _) => put!(out, "UID {}", self.uid),
            (FetchItem::Body, Some(summary)) => {
                out.extend_from_slice(b"BODY ");
                response::body(out, &summary.structure);
            }
            (FetchItem::BodyStructure, Some(summary)) => {
                out.extend_from_slice(b"BODYSTRUCTURE ");
                response::body_structure(out, &summary.structure);
            }
            (FetchItem::Envelope, Some(summary)) => {
                out.extend_from_slice(b"ENVELOPE ");
                response::envelope(out, &summary.envelope);
            }
            (
                FetchItem::Body
                | FetchItem::BodyStructure
                | FetchItem::Envelope
                | FetchItem::BodySection(_)
                | FetchItem::Rfc822
                | FetchItem::Rfc822Header
                | FetchItem::Rfc822Text,
                _,
            ) => {}
        }
    }
}
