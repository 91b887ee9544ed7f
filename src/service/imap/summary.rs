//! Summaries of messages: read where they are stored, made again from content where they are not.

use super::{Imap, Shared};
use crate::{
    base::id::{ContentId, FolderId, Uid},
    mail::summary::{self, Summary, SummaryBuilder},
    proto::imap::session::Completion,
    store::{Broken, Content, Reader},
};

/// A summary that was made from content just now.
pub type Made = (ContentId, Summary<'static>);

/// What became of a stored summary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    /// It has to be made from content, and then stored if that makes sense.
    Lacking {
        store_it: bool,
    },
    Shown,
}

impl Stored {
    /// Shows the stored summary of a content.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn show(
        reader: &Reader,
        content: ContentId,
        show: impl FnOnce(&Summary<'_>),
    ) -> Result<Self, Broken> {
        let shown = reader.summary(content, |octets| match summary::Stored::read(octets) {
            summary::Stored::Summary(summary) => {
                show(&summary);
                Self::Shown
            }
            summary::Stored::TooBig => Self::Lacking { store_it: false },
            summary::Stored::Other => Self::Lacking { store_it: true },
        })?;
        Ok(shown.unwrap_or(Self::Lacking { store_it: true }))
    }
}

impl Imap {
    /// Whether a message was expunged after its row was read: then its content may be gone too, and
    /// nothing is lost.
    pub(super) fn is_gone(&self, folder: FolderId, uid: Uid) -> Result<bool, Completion> {
        let row = self
            .shared
            .store
            .read(|reader| reader.message(folder, uid))?;
        Ok(row.is_none())
    }
}

/// A content that was looked up; `None` where it is lost.
///
/// # Errors
///
/// The store fails.
pub fn found(
    id: ContentId,
    content: Result<Option<Content>, Broken>,
) -> Result<Option<Content>, Completion> {
    match content {
        Ok(Some(content)) => return Ok(Some(content)),
        Ok(None) => log::error!("imap: content {id} is not there"),
        Err(broken @ Broken::Corrupt(_)) => log::error!("imap: content {id}: {broken}"),
        Err(broken @ (Broken::Index(_) | Broken::Io(_) | Broken::Stopped)) => {
            return Err(broken.into());
        }
    }
    Ok(None)
}

/// Reads content on the blocking pool; not too many at once.
pub async fn read<T: Send + 'static>(
    shared: &Shared,
    mut content: Content,
    job: impl FnOnce(&mut Content) -> Result<T, Broken> + Send + 'static,
) -> (Content, Result<T, Broken>) {
    let _permit = shared.reads.acquire().await;
    blocking::unblock(move || {
        let result = job(&mut content);
        (content, result)
    })
    .await
}

/// Makes a summary from content: for the pool.
///
/// # Errors
///
/// What the content says.
pub fn summarize(content: &mut Content) -> Result<Summary<'static>, Broken> {
    let mut builder = SummaryBuilder::new();
    let mut at = content.prefix().len() as u64;
    loop {
        let octets = content.read(at)?;
        if octets.is_empty() {
            return Ok(builder.finish());
        }
        builder.push(octets);
        at = at.saturating_add(octets.len() as u64);
    }
}

/// The octets from `from` to `to`, fewer where the content ends before.
///
/// # Errors
///
/// What the content says.
pub fn span(content: &mut Content, from: u64, to: u64) -> Result<Vec<u8>, Broken> {
    let mut out = Vec::new();
    let mut at = from;
    while at < to {
        let octets = content.read(at)?;
        if octets.is_empty() {
            break;
        }
        let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
        let taken = octets.get(..left.min(octets.len())).unwrap_or_default();
        out.extend_from_slice(taken);
        at = at.saturating_add(taken.len() as u64);
    }
    Ok(out)
}
