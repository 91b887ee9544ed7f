//! FETCH items that need a message's content.

use std::borrow::Cow;

use super::{
    Fetching, Line, Output,
    section::{self, Place},
};
use crate::{
    base::{
        id::{ContentRange, Uid},
        ranges::Ranges,
    },
    mail::{flag::Flags, header, summary::Summary},
    proto::imap::{
        command::{FetchItem, Section, SectionText},
        session::{Completion, Piece},
    },
    service::imap::{
        Imap,
        selected::Told,
        summary::{Stored, read, span},
        text::{flag_names, put},
    },
    store::{
        Content, Request,
        message::Message,
        request::{Flag, FlagMode},
    },
};

/// Pieces of one answer; each content in it stays pinned until it is sent.
pub const PIECES_MAX: usize = 16;

impl Imap {
    /// Tells one message.
    pub(super) async fn fetch_content(
        &mut self,
        fetching: &mut Fetching,
        out: &mut Output,
    ) -> Result<(), Completion> {
        let Some(uid) = fetching.rest.pop() else {
            return Ok(());
        };
        let shared = self.shared.clone();
        let selected = self.open()?;
        let folder = selected.folder();
        let found = shared.store.read(|reader| {
            let names = flag_names(reader, selected, &mut out.octets)?;
            Ok(reader.message(folder, uid)?.map(|row| (names, row)))
        })?;
        let Some((keywords, mut row)) = found else {
            return Ok(());
        };
        if fetching.changed_since.is_some_and(|since| row.modseq <= since) {
            return Ok(());
        }
        let seen = fetching.needs.seen && self.mark_seen(uid, &mut row).await;
        let summary = self.summary(fetching, &row).await?;
        let selected = self.open()?;
        let line = Line {
            uid,
            place: u32::try_from(selected.uids.rank(uid.0)).unwrap_or(u32::MAX),
            row: &row,
            keywords: &keywords,
            recent: selected.recent.contains(uid.0),
        };
        let mut content = shared.store.content(row.content)?;
        line.begin(&mut out.octets);
        let (mut first, mut told) = (true, false);
        for item in &fetching.items {
            if !first {
                out.octets.push(b' ');
            }
            first = false;
            told |= *item == FetchItem::Flags;
            let Some((section, partial)) = section::of(item) else {
                line.item(&mut out.octets, item, summary.as_deref());
                continue;
            };
            section::write_name(&mut out.octets, item);
            let wanted = Wanted {
                section,
                partial,
                summary: summary.as_deref(),
                row: &row,
            };
            content = self.write_section(out, &wanted, content).await?;
        }
        if seen && !told {
            out.octets.push(b' ');
            line.flags(&mut out.octets);
        }
        out.octets.extend_from_slice(b")\r\n");
        if let Some(content) = content {
            self.promised.push((row.content, content));
        }
        Ok(())
    }

    /// Has \Seen set, and shows it already: its answer does not wait for the medium. Tells whether
    /// anything changed.
    async fn mark_seen(&mut self, uid: Uid, row: &mut Message) -> bool {
        let Some(selected) = self.selected.as_deref_mut() else {
            return false;
        };
        if row.flags.has(Flags::SEEN) {
            return false;
        }
        let request = Request::Flag(Flag {
            folder: selected.folder(),
            uids: Ranges::span(uid.0, uid.0),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
            lazy: true,
        });
        if let Err(refusal) = self.shared.store.request(request).await {
            log::debug!("imap: \\Seen of a message not kept: {refusal}");
            return false;
        }
        row.flags = row.flags.with(Flags::SEEN);
        selected.unsettled = true;
        selected.tell_ahead(Told {
            uid,
            flags: row.flags,
            keywords: row.keywords.clone(),
        });
        true
    }

    /// The message's summary, if an item needs it.
    async fn summary<'a>(
        &self,
        fetching: &'a mut Fetching,
        row: &Message,
    ) -> Result<Option<Cow<'a, Summary<'static>>>, Completion> {
        let needs = fetching.needs.summary
            || fetching
                .items
                .iter()
                .filter_map(section::of)
                .any(|(section, _)| !section::is_whole(&section));
        if !needs {
            return Ok(None);
        }
        let id = row.content;
        if fetching.made.as_ref().is_none_or(|made| made.0 != id) {
            let mut stored = None;
            let show = |summary: &Summary<'_>| stored = Some(summary.clone().into_owned());
            let store = &self.shared.store;
            let shown = store.read(|reader| Stored::show(reader, id, show))?;
            fetching.made = Some(match (shown, stored) {
                (Stored::Shown, Some(summary)) => (id, summary),
                (Stored::Shown, None) => self.make_summary(id, false).await?,
                (Stored::Lacking { store_it }, _) => self.make_summary(id, store_it).await?,
            });
        }
        Ok(fetching.made.as_ref().map(|made| Cow::Borrowed(&made.1)))
    }
}
