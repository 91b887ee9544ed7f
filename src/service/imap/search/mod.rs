//! SEARCH and UID SEARCH (RFC 3501 section 6.4.4). What a message's rows decide is decided in slices;
//! only what is left is looked for in content, one message of all sessions at a time.

mod content;
pub(super) mod decode;
mod key;

use std::{ops::ControlFlow, sync::Arc};

use self::{
    content::Found,
    key::{Facts, Folded, Key, Needles},
};
use super::{
    Imap, Outcome, Running, SLICE_OCTETS,
    pace::Pace,
    rest::Rest,
    summary::{Stored, read},
    sync::{Tell, pieces},
};
use crate::{
    base::{id::Uid, ranges::Ranges},
    mail::summary::Summary,
    proto::imap::{
        command::{Search, SearchReturn},
        response::write,
        session::{Answer, Completion},
    },
    store::message::Message,
};

/// A SEARCH that is carried out; its client is told the numbers.
#[derive(Debug)]
pub struct Searching {
    numbers: Rest,
    tell: Tell,
}

/// A search that goes on.
struct Scan {
    key: Key,
    needles: Arc<Needles>,
    found: Ranges,
    /// Messages of this slice that their rows do not decide.
    undecided: Vec<(Uid, Message)>,
}

impl Imap {
    pub(super) async fn search(&mut self, search: Search) -> Outcome {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let folder = selected.folder();
        let row = shared.store.read(|reader| reader.folder(folder))?;
        let keywords = row.map(|row| row.keywords).unwrap_or_default();
        let (key, needles) = key::compile(&search.key, selected, &keywords);
        let uids = key.within().intersection(selected.view.uids());
        let mut rest = Rest::from(&uids);
        let mut scan = Scan {
            key,
            needles: Arc::new(needles),
            found: Ranges::new(),
            undecided: Vec::new(),
        };
        while !rest.is_empty() {
            self.scan_rows(&mut rest, &mut scan)?;
            for (uid, row) in std::mem::take(&mut scan.undecided) {
                if self.search_content(&scan, uid, &row).await? {
                    scan.found.insert(uid.0);
                }
            }
            smol::future::yield_now().await;
        }
        self.searched(&search, &scan.found)
    }

    /// Decides one slice of messages, as far as their rows do.
    fn scan_rows(&mut self, rest: &mut Rest, scan: &mut Scan) -> Result<(), Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let pace = Pace::new(&shared);
        let mut first = true;
        shared.store.read(|reader| {
            let mut failed = None;
            rest.slice(reader, selected.folder(), |uid, row| {
                if !std::mem::take(&mut first) && pace.is_over() {
                    return ControlFlow::Break(());
                }
                let facts = Facts {
                    uid,
                    row,
                    recent: selected.view.recent().contains(uid.0),
                    summary: None,
                    folded: Folded::default(),
                    found: None,
                };
                let mut decided = scan.key.decide(&facts);
                if decided.is_none() {
                    let show = |summary: &Summary<'_>| {
                        decided = scan.key.decide(&Facts {
                            summary: Some(summary),
                            ..facts
                        });
                    };
                    if let Err(broken) = Stored::show(reader, row.content, show) {
                        failed = Some(broken);
                        return ControlFlow::Break(());
                    }
                }
                match decided {
                    Some(true) => scan.found.insert(uid.0),
                    Some(false) => {}
                    None => scan.undecided.push((uid, row.clone())),
                }
                ControlFlow::Continue(())
            })?;
            failed.map_or(Ok(()), Err)
        })?;
        Ok(())
    }

    /// Decides by a message's content.
    async fn search_content(
        &self,
        scan: &Scan,
        uid: Uid,
        row: &Message,
    ) -> Result<bool, Completion> {
        let store = &self.shared.store;
        let _permit = self.shared.searches.acquire().await;
        let mut stored = store.read(|reader| reader.summary(row.content, <[u8]>::to_vec))?;
        if Summary::decode(stored.as_deref().unwrap_or_default()).is_none() {
            stored = None;
        }
        let made = match &stored {
            Some(_) => None,
            None => Some(self.make_summary(row.content, true).await?.1),
        };
        let decoded = stored.as_deref().and_then(Summary::decode);
        let Some(summary) = decoded.as_ref().or(made.as_ref()) else {
            return Ok(false);
        };
        let mut found = Found::default();
        if let Some(content) = self.open_content(row.content)? {
            let (needles, parts) = (scan.needles.clone(), content::parts(summary));
            let job = move |content: &mut _| {
                let mut found = Found::default();
                let whole = content::look(content, &needles, &parts, &mut found);
                Ok((found, whole))
            };
            let (some, whole) = read(&self.shared, content, job).await.1?;
            found = some;
            if let Err(broken) = whole {
                // What is damaged holds nothing that could be found.
                log::error!("imap: content {}: {broken}", row.content);
            }
        }
        let recent = |s: &super::Selected| s.view.recent().contains(uid.0);
        let facts = Facts {
            uid,
            row,
            recent: self.selected.as_deref().is_some_and(recent),
            summary: Some(summary),
            folded: Folded::default(),
            found: Some(&found),
        };
        Ok(scan.key.decide(&facts).unwrap_or(false))
    }

    fn searched(&mut self, search: &Search, found: &Ranges) -> Outcome {
        let numbers = if search.uid {
            found.clone()
        } else {
            self.open()?.view.sequences(found)
        };
        let tell = Tell {
            expunge: search.uid,
            own: None,
            uid: search.uid,
        };
        let mut out = Vec::new();
        if let Some(returns) = search.returns {
            write_extended(&mut out, search.uid, returns, &numbers);
            return Ok(self.finish(out, Completion::ok("Search completed."), tell));
        }
        out.extend_from_slice(b"* SEARCH");
        let numbers = Rest::from(&numbers);
        Ok(self.tell_found(out, Box::new(Searching { numbers, tell })))
    }

    /// Goes on telling the numbers.
    pub(super) fn search_told(&mut self, searching: Box<Searching>) -> Answer {
        self.tell_found(Vec::new(), searching)
    }

    fn tell_found(&mut self, mut out: Vec<u8>, mut searching: Box<Searching>) -> Answer {
        while out.len() < SLICE_OCTETS {
            let Some(Uid(number)) = searching.numbers.pop() else {
                out.extend_from_slice(b"\r\n");
                let completion = Completion::ok("Search completed.");
                return self.finish(out, completion, searching.tell);
            };
            out.push(b' ');
            write::number(&mut out, u64::from(number));
        }
        self.running = Some(Running::Searching(searching));
        Answer::More(pieces(out))
    }
}

/// `* ESEARCH` (RFC 4731).
fn write_extended(out: &mut Vec<u8>, uid: bool, returns: SearchReturn, numbers: &Ranges) {
    out.extend_from_slice(b"* ESEARCH");
    if uid {
        out.extend_from_slice(b" UID");
    }
    let min = numbers.first().filter(|_| returns.min);
    let max = numbers.last().filter(|_| returns.max);
    let count = returns.count.then(|| numbers.count());
    let items = [
        (" MIN ", min.map(u64::from)),
        (" MAX ", max.map(u64::from)),
        (" COUNT ", count),
    ];
    for (name, number) in items {
        if let Some(number) = number {
            write::text(out, name);
            write::number(out, number);
        }
    }
    if returns.all && !numbers.is_empty() {
        write::text(out, " ALL ");
        write::ranges(out, numbers);
    }
    write::text(out, "\r\n");
}
