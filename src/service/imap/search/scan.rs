//! Finding messages: rows decide, then filters, and content only where both leave it open.

use std::{cell::RefCell, ops::ControlFlow, sync::Arc};

use super::{
    content::{Look, Room, Source, texts},
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
    service::imap::{Imap, Shared, pace::Pace, rest::Rest},
    store::{Broken, Content, Reader, Request, Store, content::Pins, message::Message},
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
    pins: Pins,
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
    key: Key,
    needles: Needles,
    /// The key asks for header fields.
    heads: bool,
}

impl Plan {
    pub fn new((key, needles): (Key, Needles)) -> Self {
        let heads = key.asks(1);
        Self {
            key,
            needles,
            heads,
        }
    }
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
            pins: Pins::default(),
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
            let pins = std::mem::take(&mut scan.pins);
            let looked = on_pool(&self.shared, move |store| plan.look(store, open, pins));
            let looked = looked.await?;
            tell_lost(&looked.lost);
            let folder = self.open()?.folder();
            for (uid, id) in looked.absent {
                if !self.is_gone(folder, uid)? {
                    log::error!("imap: content {id} is not there");
                }
            }
            scan.pins = looked.pins;
            for (uid, modseq) in looked.matches {
                scan.found.note(uid, modseq);
            }
            scan.open = looked.left;
            scan.filters.0.extend(looked.filters);
            self.keep_made(looked.summaries).await;
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
    /// Messages without content: lost, or expunged meanwhile.
    absent: Vec<(Uid, ContentId)>,
    pins: Pins,
}

/// A content that cannot be read as a whole.
pub type Lost = (ContentId, Broken);

/// Logs what the pool met.
pub fn tell_lost(lost: &[Lost]) {
    for (id, broken) in lost {
        log::error!("imap: content {id}: {broken}");
    }
}

impl Plan {
    fn by_rows(&self, reader: &Reader, facts: &Facts<'_>) -> Result<Decided, Broken> {
        if let Some(matches) = self.key.decide(facts) {
            return Ok(Decided::Matches(matches));
        }
        if !self.heads {
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
    fn look(&self, store: &Store, mut open: Vec<Open>, pins: Pins) -> Result<Looked, Broken> {
        let mut octets: u64 = 0;
        let go = open.iter().take_while(|one| {
            let goes = octets < OCTETS_MAX;
            octets = octets.saturating_add(one.row.size);
            goes
        });
        let count = go.count();
        let mut out = Looked {
            left: open.split_off(count),
            pins,
            ..Looked::default()
        };
        let ids: Vec<ContentId> = open.iter().map(|one| one.row.content).collect();
        let found = gather(store, &ids, &mut out.pins)?;
        let mut room = Room::default();
        for (one, given) in open.iter().zip(found) {
            self.look_at(one, given, &mut room, &mut out)?;
        }
        Ok(out)
    }

    fn look_at(
        &self,
        open: &Open,
        given: Given,
        room: &mut Room,
        out: &mut Looked,
    ) -> Result<(), Broken> {
        let id = open.row.content;
        let opened = match given.0 {
            Ok(None) => {
                out.absent.push((open.uid, id));
                None
            }
            _ => given.content(id, &mut out.lost)?,
        };
        // What is lost holds nothing that could be found.
        let empty = opened.is_none().then(|| SummaryBuilder::new().finish());
        let seen = match opened {
            Some((content, stored)) => {
                let source = Source::new(content, room);
                let look = Look::new(&self.needles, open.collect);
                look_into(id, source, stored, look, &mut out.lost)
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

/// A content and its stored summary.
type Opened = (Content, Option<Vec<u8>>);

/// What was found of a content and its summary.
struct Given(Result<Option<Content>, Broken>, Option<Vec<u8>>);

/// Opens contents, all by the rows of one moment.
fn gather(store: &Store, ids: &[ContentId], pins: &mut Pins) -> Result<Vec<Given>, Broken> {
    let (mut rows, mut summaries) = (Vec::new(), Vec::new());
    store.read(|reader| {
        for &id in ids {
            rows.push((id, reader.content(id)?));
            summaries.push(reader.summary(id, <[u8]>::to_vec)?);
        }
        Ok(())
    })?;
    let contents = store.contents(rows, pins);
    Ok(contents
        .into_iter()
        .zip(summaries)
        .map(|(c, s)| Given(c, s))
        .collect())
}

impl Given {
    /// `None` where the content is lost or gone: that must not keep anybody from the other messages.
    fn content(self, id: ContentId, lost: &mut Vec<Lost>) -> Result<Option<Opened>, Broken> {
        match self.0 {
            Ok(Some(content)) => return Ok(Some((content, self.1))),
            Ok(None) => {}
            Err(broken @ Broken::Corrupt(_)) => lost.push((id, broken)),
            Err(broken @ (Broken::Index(_) | Broken::Io(_) | Broken::Stopped)) => {
                return Err(broken);
            }
        }
        Ok(None)
    }
}

fn look_into(
    id: ContentId,
    mut source: Source<'_>,
    stored: Option<Vec<u8>>,
    mut look: Look<'_>,
    lost: &mut Vec<Lost>,
) -> Seen {
    let too_big = stored.as_deref().map(Stored::read) == Some(Stored::TooBig);
    let mut seen = Seen::default();
    let read = match stored.as_deref().and_then(Summary::decode) {
        Some(summary) => look.read(&mut source, texts(&summary.structure)),
        None => source.summarize().and_then(|made| {
            seen.summary = (!too_big).then(|| made.encode());
            let read = look.read(&mut source, texts(&made.structure));
            seen.made = Some(made);
            read
        }),
    };
    seen.stored = stored;
    seen.found = look.found;
    match read {
        Ok(()) => seen.filter = look.filter.map(filter::Builder::finish),
        // What is damaged holds what could be read of it.
        Err(broken) => lost.push((id, broken)),
    }
    seen
}

/// A content that was looked at, and its filter.
pub type Filtered = (ContentId, Option<Vec<u8>>);

/// Filters of contents, about as many as one go has; `None` for those that are gone or damaged. Reads
/// content: for the pool.
///
/// # Errors
///
/// The index fails.
pub fn make_filters(
    store: &Store,
    ids: &[ContentId],
) -> Result<(Vec<Filtered>, Vec<Lost>), Broken> {
    let (mut made, mut lost) = (Vec::new(), Vec::new());
    let (mut octets, mut room, needles) = (0_u64, Room::default(), Needles::default());
    let found = gather(store, ids, &mut Pins::default())?;
    for (&id, given) in ids.iter().zip(found) {
        let mut filter = None;
        if let Some((content, stored)) = given.content(id, &mut lost)? {
            let source = Source::new(content, &mut room);
            octets = octets.saturating_add(source.size());
            filter = look_into(id, source, stored, Look::new(&needles, true), &mut lost).filter;
        }
        made.push((id, filter));
        if octets >= OCTETS_MAX {
            break;
        }
    }
    Ok((made, lost))
}
