//! Finding messages: rows decide, then filters, and content only where both leave it open.

use std::{cell::RefCell, ops::ControlFlow, sync::Arc};

use super::{
    content::{Look, texts},
    key::{Facts, Key, Known, Needles},
};
use crate::{
    base::{
        id::{ContentId, ModSeq, Uid},
        ranges::Ranges,
    },
    mail::{
        filter,
        summary::{Head, Stored, Summary, SummaryBuilder},
    },
    proto::imap::session::Completion,
    service::imap::{Imap, Shared, pace::Pace, rest::Rest, summary::summarize},
    store::{Broken, Content, Reader, Request, Store, message::Message},
};

/// Messages that are looked into in one go, and about how many octets of them: somebody else's
/// search comes between two such goes.
const OPEN_MAX: usize = 64;
const OCTETS_MAX: u64 = 4 * 1024 * 1024;
/// Filters are stored so many at once.
const FILTERS_MAX: usize = 512;

/// A search that goes on.
#[derive(Debug)]
pub struct Scan {
    plan: Arc<Plan>,
    rest: Rest,
    /// Messages that their rows do not decide.
    open: Vec<Open>,
    filters: Filters,
    pub found: Found,
}

/// Filters on their way to the store.
#[derive(Debug, Default)]
pub struct Filters(Vec<(ContentId, Vec<u8>)>);

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub uids: Ranges,
    /// MODSEQ of the first message, of the last, and the highest.
    pub first: Option<(Uid, ModSeq)>,
    pub last: Option<(Uid, ModSeq)>,
    pub highest: ModSeq,
}

impl Found {
    fn note(&mut self, uid: Uid, modseq: ModSeq) {
        self.uids.insert(uid.0);
        self.highest = self.highest.max(modseq);
        if self.first.is_none_or(|first| uid < first.0) {
            self.first = Some((uid, modseq));
        }
        if self.last.is_none_or(|last| uid > last.0) {
            self.last = Some((uid, modseq));
        }
    }
}

/// What is looked for.
#[derive(Debug)]
pub struct Plan {
    pub key: Key,
    pub needles: Needles,
}

#[derive(Debug)]
struct Open {
    uid: Uid,
    row: Message,
    recent: bool,
    /// It has no filter yet.
    collect: bool,
}

#[derive(Clone, Copy)]
enum Decided {
    Matches(bool),
    Open { collect: bool },
}

impl Scan {
    /// `uids`: those that may match.
    pub fn new(plan: Plan, uids: &Ranges) -> Self {
        let within = plan.key.within().intersection(uids);
        Self {
            plan: Arc::new(plan),
            rest: Rest::from(&within),
            open: Vec::new(),
            filters: Filters::default(),
            found: Found::default(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty() && self.open.is_empty() && self.filters.0.is_empty()
    }

    pub fn has_mod_seq(&self) -> bool {
        self.plan.key.has_mod_seq()
    }
}

impl Imap {
    /// Goes on for one slice of rows, or one go at contents.
    pub(super) async fn scan(&mut self, scan: &mut Scan) -> Result<(), Completion> {
        if !scan.rest.is_empty() && scan.open.len() < OPEN_MAX {
            return self.scan_rows(scan);
        }
        if !scan.open.is_empty() {
            let open = std::mem::take(&mut scan.open);
            let plan = Arc::clone(&scan.plan);
            let looked = on_pool(&self.shared, move |store| plan.look(store, open)).await?;
            tell_lost(&looked.lost);
            for (uid, modseq) in looked.matches {
                scan.found.note(uid, modseq);
            }
            scan.open = looked.left;
            scan.filters.0.extend(looked.filters);
            for (content, summary) in looked.summaries {
                let request = Request::Summarize { content, summary };
                // Nobody waits for it.
                let _ = self.shared.store.request(request).await;
            }
        }
        let ends = scan.rest.is_empty() && scan.open.is_empty();
        if ends || scan.filters.0.len() >= FILTERS_MAX {
            scan.filters.store(&self.shared.store).await;
        }
        Ok(())
    }

    /// Decides one slice of messages, as far as their rows do.
    fn scan_rows(&mut self, scan: &mut Scan) -> Result<(), Completion> {
        let shared = self.shared.clone();
        let selected = self.open()?;
        let pace = Pace::new(&shared);
        let scratch = RefCell::default();
        let mut first = true;
        let Scan {
            plan,
            rest,
            open,
            found,
            ..
        } = scan;
        shared.store.read(|reader| {
            let mut failed = None;
            rest.slice(reader, selected.folder(), |uid, row| {
                let late = !std::mem::take(&mut first) && pace.is_over();
                if late || open.len() >= OPEN_MAX {
                    return ControlFlow::Break(());
                }
                let facts = Facts {
                    uid,
                    row,
                    recent: selected.view.recent().contains(uid.0),
                    head: None,
                    known: None,
                    scratch: &scratch,
                };
                match plan.by_rows(reader, &facts) {
                    Ok(Decided::Matches(true)) => found.note(uid, row.modseq),
                    Ok(Decided::Matches(false)) => {}
                    Ok(Decided::Open { collect }) => open.push(Open {
                        uid,
                        row: row.clone(),
                        recent: facts.recent,
                        collect,
                    }),
                    Err(broken) => {
                        failed = Some(broken);
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            })?;
            failed.map_or(Ok(()), Err)
        })?;
        Ok(())
    }
}

/// Runs a job that reads contents on the blocking pool; one of all sessions at a time.
pub async fn on_pool<T: Send + 'static>(
    shared: &Shared,
    job: impl FnOnce(&Store) -> T + Send + 'static,
) -> T {
    let _permit = shared.searches.acquire().await;
    let store = shared.store.clone();
    blocking::unblock(move || job(&store)).await
}

impl Filters {
    /// Stores them; where that cannot be, the next search makes them again.
    pub async fn store(&mut self, store: &Store) {
        let filters = std::mem::take(&mut self.0);
        if !filters.is_empty()
            && let Err(refusal) = store.request(Request::Filters(filters)).await
        {
            log::debug!("imap: filters not kept: {refusal}");
        }
    }

    pub fn push(&mut self, content: ContentId, filter: Vec<u8>) {
        self.0.push((content, filter));
    }
}

/// What one go at contents has brought.
#[derive(Debug, Default)]
struct Looked {
    matches: Vec<(Uid, ModSeq)>,
    filters: Vec<(ContentId, Vec<u8>)>,
    summaries: Vec<(ContentId, Vec<u8>)>,
    left: Vec<Open>,
    lost: Vec<Lost>,
}

/// A content that is not there, or cannot be read as a whole.
pub type Lost = (ContentId, Option<Broken>);

/// Logs what the pool met.
pub fn tell_lost(lost: &[Lost]) {
    for (id, why) in lost {
        match why {
            Some(broken) => log::error!("imap: content {id}: {broken}"),
            None => log::error!("imap: content {id} is not there"),
        }
    }
}

impl Plan {
    fn by_rows(&self, reader: &Reader, facts: &Facts<'_>) -> Result<Decided, Broken> {
        if let Some(matches) = self.key.decide(facts) {
            return Ok(Decided::Matches(matches));
        }
        if !self.key.asks(1) {
            return self.by_filter(reader, facts);
        }
        let shown = reader.summary(facts.row.content, |octets| {
            let head = Head::decode(octets)?;
            let facts = Facts {
                head: Some(&head),
                ..*facts
            };
            Some(self.by_filter(reader, &facts))
        })?;
        let lacking = Ok(Decided::Open { collect: false });
        shown.flatten().unwrap_or(lacking)
    }

    fn by_filter(&self, reader: &Reader, facts: &Facts<'_>) -> Result<Decided, Broken> {
        if let Some(matches) = self.key.decide(facts) {
            return Ok(Decided::Matches(matches));
        }
        let decided = reader.filter(facts.row.content, |stored| {
            filter::is_current(stored).then(|| {
                self.key.decide(&Facts {
                    known: Some(&Known::Filter(stored, &self.needles)),
                    ..*facts
                })
            })
        })?;
        Ok(match decided.flatten() {
            Some(Some(matches)) => Decided::Matches(matches),
            Some(None) => Decided::Open { collect: false },
            None => Decided::Open { collect: true },
        })
    }

    /// Looks into contents, as many as one go has.
    fn look(&self, store: &Store, open: Vec<Open>) -> Result<Looked, Broken> {
        let mut out = Looked::default();
        let mut octets: u64 = 0;
        let mut open = open.into_iter();
        while octets < OCTETS_MAX
            && let Some(one) = open.next()
        {
            octets = octets.saturating_add(one.row.size);
            self.look_at(store, &one, &mut out)?;
        }
        out.left = open.collect();
        Ok(out)
    }

    fn look_at(&self, store: &Store, open: &Open, out: &mut Looked) -> Result<(), Broken> {
        let id = open.row.content;
        let opened = open_content(store, id, &mut out.lost)?;
        // What is lost holds nothing that could be found.
        let empty = opened.is_none().then(|| SummaryBuilder::new().finish());
        let seen = match opened {
            Some(content) => {
                let collect = open.collect;
                look_into(store, id, content, &self.needles, collect, &mut out.lost)?
            }
            None => Seen::default(),
        };
        let stored = seen.stored.as_deref().and_then(Summary::decode);
        let summary = stored.or(seen.made).or(empty);
        let facts = Facts {
            uid: open.uid,
            row: &open.row,
            recent: open.recent,
            head: summary.as_ref().map(|summary| &summary.head),
            known: Some(&Known::Found(&seen.found)),
            scratch: &RefCell::default(),
        };
        if self.key.decide(&facts).unwrap_or(false) {
            out.matches.push((open.uid, open.row.modseq));
        }
        out.filters.extend(seen.filter.map(|filter| (id, filter)));
        out.summaries
            .extend(seen.summary.map(|stored| (id, stored)));
        Ok(())
    }
}

/// What was seen in a content.
#[derive(Default)]
struct Seen {
    /// The stored summary, or else what was made.
    stored: Option<Vec<u8>>,
    made: Option<Summary<'static>>,
    /// To be stored.
    summary: Option<Vec<u8>>,
    filter: Option<Vec<u8>>,
    found: Vec<bool>,
}

fn look_into(
    store: &Store,
    id: ContentId,
    mut content: Content,
    needles: &Needles,
    collect: bool,
    lost: &mut Vec<Lost>,
) -> Result<Seen, Broken> {
    let stored = store.read(|reader| reader.summary(id, <[u8]>::to_vec))?;
    let too_big = stored.as_deref().map(Stored::read) == Some(Stored::TooBig);
    let mut seen = Seen::default();
    let mut look = Look::new(needles, collect);
    let read = match stored.as_deref().and_then(Summary::decode) {
        Some(summary) => look.read(&mut content, texts(&summary.structure)),
        None => summarize(&mut content).and_then(|made| {
            seen.summary = (!too_big).then(|| made.encode());
            let read = look.read(&mut content, texts(&made.structure));
            seen.made = Some(made);
            read
        }),
    };
    seen.stored = stored;
    seen.found = look.found;
    match read {
        Ok(()) => seen.filter = look.filter.map(filter::Builder::finish),
        // What is damaged holds what could be read of it.
        Err(broken) => lost.push((id, Some(broken))),
    }
    Ok(seen)
}

/// Makes the filter of a content, and says how many octets it has; `None` where it is gone or cannot
/// be read. Reads content: for the pool.
///
/// # Errors
///
/// The index fails.
pub fn make_filter(
    store: &Store,
    id: ContentId,
    lost: &mut Vec<Lost>,
) -> Result<(Option<Vec<u8>>, u64), Broken> {
    let Some(content) = open_content(store, id, lost)? else {
        return Ok((None, 0));
    };
    let size = content.size();
    let seen = look_into(store, id, content, &Needles::default(), true, lost)?;
    Ok((seen.filter, size))
}

/// A message's content; `None` where it is lost: that must not keep anybody from the other messages.
fn open_content(
    store: &Store,
    id: ContentId,
    lost: &mut Vec<Lost>,
) -> Result<Option<Content>, Broken> {
    match store.content(id) {
        Ok(Some(content)) => return Ok(Some(content)),
        Ok(None) => lost.push((id, None)),
        Err(broken @ Broken::Corrupt(_)) => lost.push((id, Some(broken))),
        Err(broken @ (Broken::Index(_) | Broken::Io(_) | Broken::Stopped)) => return Err(broken),
    }
    Ok(None)
}
