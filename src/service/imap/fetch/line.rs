//! One message's `* n FETCH (…)`.

use super::{item::Item, section};
use crate::{
    base::id::Uid,
    mail::summary::Summary,
    proto::imap::{
        command::FetchItem,
        response::{self, fetch::FetchLine},
    },
    service::imap::flags::write_flags,
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
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        items: &[Item],
        prefix: &[u8],
        summary: Option<&Summary<'_>>,
    ) {
        let mut line = FetchLine::begin(out, self.place);
        for item in items {
            match item {
                Item::Row(item) => self.item(&mut line, item, summary),
                Item::Fields {
                    label,
                    names,
                    partial,
                } => section::fields(line.labeled(label), names, *partial, prefix, summary),
                Item::Binary { .. } | Item::BinarySize { .. } | Item::Section { .. } => {}
            }
        }
        line.end();
    }

    pub fn flags(&self, line: &mut FetchLine<'_>) {
        write_flags(line, self.row, self.keywords, self.recent);
    }

    /// One item; nothing for those that need content.
    pub fn item(&self, line: &mut FetchLine<'_>, item: &FetchItem, summary: Option<&Summary<'_>>) {
        match (item, summary) {
            (FetchItem::Flags, _) => self.flags(line),
            (FetchItem::InternalDate, _) => line.internal_date(self.row.date),
            (FetchItem::ModSeq, _) => line.mod_seq(self.row.modseq),
            (FetchItem::Rfc822Size, _) => line.size(self.row.size),
            (FetchItem::Uid, _) => line.uid(self.uid),
            (FetchItem::Body, Some(summary)) => {
                response::body(line.item("BODY"), &summary.structure);
            }
            (FetchItem::BodyStructure, Some(summary)) => {
                response::body_structure(line.item("BODYSTRUCTURE"), &summary.structure);
            }
            (FetchItem::Envelope, Some(summary)) => {
                response::envelope(line.item("ENVELOPE"), &summary.envelope());
            }
            (
                FetchItem::Binary(_)
                | FetchItem::BinarySize(_)
                | FetchItem::Body
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
