//! Making the summaries that messages lack: after the index was made anew all of them do.

use std::ops::ControlFlow;

use smol::future::poll_once;

use super::batch::{MESSAGES, WORK_MAX};
use crate::{
    base::id::ContentId,
    mail::summary::SummaryBuilder,
    proto::imap::session::Completion,
    service::imap::{
        Imap,
        rest::Rest,
        summary::{Made, Stored, found, summarize},
    },
    store::{Broken, Content, Refusal, Request, content::Pins},
};

/// Summaries that were made are held up to so many octets.
const MADE_MAX: usize = 256 * 1024;

/// What a job has made.
#[derive(Debug, Default)]
struct Making {
    made: Vec<Made>,
    /// Those that are to be stored.
    kept: Vec<(ContentId, Vec<u8>)>,
    broken: Vec<(ContentId, Broken)>,
}

impl Imap {
    /// Makes the summaries that the next messages lack, many in one job.
    pub(in crate::service::imap) async fn make_next(
        &mut self,
        rest: &Rest,
        pins: &mut Pins,
    ) -> Result<Vec<Made>, Completion> {
        let shared = self.shared.clone();
        let folder = self.open()?.folder();
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        shared.store.read(|reader| {
            let mut failed = None;
            rest.look(reader, folder, |uid, row| {
                let mut look = || -> Result<(), Broken> {
                    let stored = Stored::show(reader, row.content, |_| ())?;
                    if let Stored::Lacking { store_it } = stored {
                        rows.push((row.content, reader.content(row.content)?));
                        ids.push((uid, row.content, store_it));
                    }
                    Ok(())
                };
                failed = look().err();
                if failed.is_some() || rows.len() >= MESSAGES {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            failed.map_or(Ok(()), Err)
        })?;
        let contents = shared.store.contents(rows, pins);
        let mut work = Vec::new();
        for ((uid, id, store_it), content) in ids.into_iter().zip(contents) {
            if matches!(content, Ok(None)) && self.is_gone(folder, uid)? {
                continue;
            }
            work.push((id, store_it, found(id, content)?));
        }
        let _permit = shared.reads.acquire().await;
        let making = blocking::unblock(move || make(work)).await;
        for (id, broken) in making.broken {
            log::error!("imap: content {id}: {broken}");
        }
        self.keep_made(making.kept).await;
        Ok(making.made)
    }

    /// Stores summaries that were made; all in one batch of the writer.
    pub(in crate::service::imap) async fn keep_made(&self, made: Vec<(ContentId, Vec<u8>)>) {
        let store = &self.shared.store;
        // All are asked before one is waited for.
        let mut waiting = Vec::new();
        for (content, summary) in made {
            let request = Request::Summarize { content, summary };
            let mut request = Box::pin(store.request(request));
            match poll_once(&mut request).await {
                Some(done) => tell(content, done.err()),
                None => waiting.push((content, request)),
            }
        }
        for (content, request) in waiting {
            tell(content, request.await.err());
        }
    }
}

/// Makes summaries: the first one, and others while there is room. What cannot be read has an empty
/// one.
fn make(work: Vec<(ContentId, bool, Option<Content>)>) -> Making {
    let mut making = Making::default();
    let (mut held, mut octets) = (0usize, 0u64);
    for (id, store_it, mut content) in work {
        if held > MADE_MAX || octets > WORK_MAX {
            break;
        }
        octets = octets.saturating_add(content.as_ref().map_or(0, Content::size));
        let mut made = SummaryBuilder::new().finish();
        match content.as_mut().map(summarize) {
            Some(Ok(summary)) => {
                made = summary;
                let encoded = made.encode();
                // Of one that is too big only a mark is stored.
                let size = if store_it { encoded.len() } else { MADE_MAX };
                held = held.saturating_add(size);
                if store_it {
                    making.kept.push((id, encoded));
                }
            }
            Some(Err(broken)) => making.broken.push((id, broken)),
            None => {}
        }
        making.made.push((id, made));
    }
    making
}

fn tell(content: ContentId, refusal: Option<Refusal>) {
    if let Some(refusal) = refusal {
        log::debug!("imap: summary of content {content} not kept: {refusal}");
    }
}
