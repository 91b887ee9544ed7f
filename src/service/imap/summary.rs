//! Summaries of messages: read where they are stored, made again from content where they are not.

use super::{Imap, Shared};
use crate::{
    base::id::ContentId,
    mail::summary::{self, Summary, SummaryBuilder},
    proto::imap::session::Completion,
    store::{Broken, Content, Reader, Request},
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
    /// A message's content; `None` where it is lost: that must not keep a client from its other
    /// messages.
    pub(super) fn open_content(&self, id: ContentId) -> Result<Option<Content>, Completion> {
        found(id, self.shared.store.content(id))
    }

    /// Makes a summary from content on the blocking pool. A message without its content has an empty
    /// one.
    pub(super) async fn make_summary(
        &self,
        id: ContentId,
        store_it: bool,
    ) -> Result<Made, Completion> {
        let Some(content) = self.open_content(id)? else {
            return Ok((id, SummaryBuilder::new().finish()));
        };
        let (_, made) = read(&self.shared, content, summarize).await;
        let made = match made {
            Ok(made) => made,
            Err(broken) => {
                log::error!("imap: content {id}: {broken}");
                return Ok((id, SummaryBuilder::new().finish()));
            }
        };
        if store_it {
            let summary = made.encode();
            let request = Request::Summarize {
                content: id,
                summary,
            };
            if let Err(refusal) = self.shared.store.request(request).await {
                log::debug!("imap: summary of content {id} not kept: {refusal}");
            }
        }
        Ok((id, made))
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
