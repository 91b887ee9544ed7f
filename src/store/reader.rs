//! What can be read: one transaction, one moment. Never held across an await, never longer than a
//! slice (256 rows or 5 ms).

mod directory;
mod names;
mod queue;
mod sync;

use std::{cell::RefCell, cmp::Ordering, ops::ControlFlow};

use crate::{
    base::{
        id::{ContentId, FolderId, Uid, UserId},
        ranges::Ranges,
        time::Time,
    },
    store::{
        Broken, counters,
        index::{
            key::{self, Kind},
            table::{Cursor, Row, Rows, Snapshot},
        },
        mailbox::{self, Folder, folder},
        message::{
            self, Message,
            content::{self, ContentRow},
        },
        value,
    },
};

/// The state at one moment.
#[derive(Debug)]
pub struct Reader {
    rows: Snapshot,
    /// Where the last summary was found: contents of a folder's messages mostly follow each other,
    /// and the next row costs a fraction of a look-up.
    summaries: RefCell<Option<Cursor>>,
    filters: RefCell<Option<Cursor>>,
    contents: RefCell<Option<Cursor>>,
}

/// Rows passed over before a look-up is cheaper.
const PASSED_MAX: u32 = 4;

impl Reader {
    pub(super) fn new(rows: Snapshot) -> Self {
        Self {
            rows,
            summaries: RefCell::default(),
            filters: RefCell::default(),
            contents: RefCell::default(),
        }
    }

    /// Sequence number of the last change that is in this state.
    pub fn sequence(&self) -> Result<u64, Broken> {
        self.rows.sequence()
    }

    /// The newest time that a change carried: it is not earlier now (UX-37).
    pub fn saved_time(&self) -> Result<Time, Broken> {
        Ok(counters::counters(&self.rows)?.time)
    }

    pub fn folder_named(&self, user: UserId, name: &str) -> Result<Option<FolderId>, Broken> {
        mailbox::named(&self.rows, user, name)
    }

    pub fn folder(&self, folder: FolderId) -> Result<Option<Folder>, Broken> {
        mailbox::folder(&self.rows, folder)
    }

    /// A person's folders by name.
    pub fn folders(&self, user: UserId) -> Result<Vec<(FolderId, Folder)>, Broken> {
        let mut out = Vec::new();
        for id in mailbox::all(&self.rows, user)? {
            out.extend(self.folder(id)?.map(|folder| (id, folder)));
        }
        Ok(out)
    }

    /// Names a person subscribed to, whether or not there is such a folder.
    pub fn subscriptions(&self, user: UserId) -> Result<Vec<String>, Broken> {
        folder::subscriptions(&self.rows, user)
    }

    /// The UIDs of a folder's messages. Scans the folder when it has holes: keep the result.
    pub fn uids(&self, id: FolderId) -> Result<Ranges, Broken> {
        let Some(folder) = self.folder(id)? else {
            return Ok(Ranges::new());
        };
        // As many as there are numbers from the first message on: no holes, no scan.
        let mut first = None;
        let from = key::message(id, Uid(1));
        let to = key::message(id, Uid(u32::MAX));
        self.rows.scan(&from, &to, &mut |key, _| {
            first = key::uid_of(key);
            Ok(ControlFlow::Break(()))
        })?;
        let Some(first) = first else {
            return Ok(Ranges::new());
        };
        if folder.uid_next.0.checked_sub(first.0) == Some(folder.exists) {
            return Ok(Ranges::span(first.0, folder.uid_next.0.saturating_sub(1)));
        }
        message::existing(&self.rows, id, &Ranges::span(1, u32::MAX))
    }

    pub fn message(&self, folder: FolderId, uid: Uid) -> Result<Option<Message>, Broken> {
        self.rows.row(&key::message(folder, uid), "message")
    }

    /// Shows the messages from `from` to `to`, ascending, until `each` breaks.
    pub fn messages(
        &self,
        folder: FolderId,
        from: Uid,
        to: Uid,
        each: &mut dyn FnMut(Uid, &Message) -> ControlFlow<()>,
    ) -> Result<(), Broken> {
        let span = Ranges::span(from.0, to.0);
        message::scan(&self.rows, folder, &span, &mut |uid, message| {
            Ok(each(uid, &message))
        })
    }

    /// What was derived from a content, as it was given with the delivery; `None` where it has to be
    /// derived again.
    pub fn summary<T>(
        &self,
        content: ContentId,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Broken> {
        let row = self.derived(&self.summaries, Kind::Summary, &key::summary(content))?;
        Ok(row.map(|(_, value)| read(value.value())))
    }

    /// Where a content lies; [`Store::contents`](crate::store::Store::contents) opens it.
    pub fn content(&self, content: ContentId) -> Result<Option<ContentRow>, Broken> {
        let row = self.derived(&self.contents, Kind::Content, &key::content(content))?;
        row.map(|(_, value)| value::decode(value.value(), "content"))
            .transpose()
    }

    /// The header lines in front of a content; `None` where there is no such content.
    pub fn prefix<T>(
        &self,
        content: ContentId,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Broken> {
        let row = self.derived(&self.contents, Kind::Content, &key::content(content))?;
        row.map(|(_, value)| content::prefix(value.value()).map(read))
            .transpose()
    }

    /// What [`Request::Filters`](crate::store::Request::Filters) stored for a content; `None` where
    /// there is none.
    pub fn filter<T>(
        &self,
        content: ContentId,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Broken> {
        let row = self.derived(&self.filters, Kind::Filter, &key::filter(content))?;
        Ok(row.map(|(_, value)| read(value.value())))
    }

    /// Contents without a filter, ascending from `from`, at most `most`. Begins where the writer knows
    /// that all before have one.
    pub fn unfiltered(&self, from: ContentId, most: usize) -> Result<Vec<ContentId>, Broken> {
        let mark = message::filter::mark(&self.rows)?;
        message::filter::missing(&self.rows, from.max(mark), most)
    }

    /// A row by a cursor that was left at the one before it, if all goes well.
    fn derived(
        &self,
        cursor: &RefCell<Option<Cursor>>,
        kind: Kind,
        wanted: &[u8],
    ) -> Result<Option<Row>, Broken> {
        let mut cursor = cursor.borrow_mut();
        for fresh in [false, true] {
            if fresh || cursor.is_none() {
                *cursor = Some(self.rows.cursor(wanted, &[kind.letter() + 1])?);
            }
            for _ in 0..PASSED_MAX {
                let next = cursor.as_mut().map(Cursor::advance).transpose()?.flatten();
                let Some(row) = next else {
                    break;
                };
                match row.0.value().cmp(wanted) {
                    Ordering::Less => {}
                    Ordering::Equal => return Ok(Some(row)),
                    Ordering::Greater => break,
                }
            }
        }
        *cursor = None;
        Ok(None)
    }
}
