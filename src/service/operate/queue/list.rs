//! What waits, a slice at a time: neither side ever has the whole queue in memory (UX-97).

use std::collections::HashMap;

use super::{Filter, Page, Row, SLICE, State, Waiting, is_paused, text::plain};
use crate::{
    base::id::QueueId,
    mail::domain::Domain,
    service::operate::{Context, Problem},
    store::{
        Broken, Reader,
        queue::{Lane, QueueEntry, QueuedRecipient, Uptime},
    },
};

/// Entries that are looked at for one answer; fewer may fit the filter.
const LOOKED_MAX: usize = 4096;
/// Recipients in one answer: some entries have a thousand.
const RECIPIENTS_MAX: usize = 4096;

/// # Errors
///
/// The store cannot be read.
pub fn list(context: &Context<'_>, filter: &Filter, after: Option<u64>) -> Result<Page, Problem> {
    let filter = Fits::new(filter);
    let mut page = Page::default();
    let mut after = after.map(QueueId);
    let (mut looked, mut recipients) = (0_usize, 0_usize);
    while looked < LOOKED_MAX && page.rows.len() < SLICE && recipients < RECIPIENTS_MAX {
        let slice = context.store.read(|reader| {
            let slice = reader.queue(after, SLICE)?;
            let mut view = View::new(context, reader)?;
            for (id, entry) in &slice {
                if filter.fits(entry, context) {
                    let row = view.row(*id, entry)?;
                    recipients = recipients.saturating_add(row.recipients.len());
                    page.rows.push(row);
                }
            }
            Ok(slice.last().map(|(last, _)| (*last, slice.len())))
        })?;
        let Some((last, count)) = slice else {
            return Ok(page);
        };
        after = Some(last);
        looked = looked.saturating_add(count);
    }
    page.next = after.map(|last| last.0);
    Ok(page)
}

/// A filter, as it is held against entries.
pub struct Fits<'a> {
    filter: &'a Filter,
    to: Option<Pattern>,
    from: Option<Pattern>,
    lane: Option<String>,
}

/// An address, or all of a domain; lower case.
enum Pattern {
    Address(String),
    Domain(String),
    /// The null reverse-path.
    Null,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text == "<>" {
            return Self::Null;
        }
        match text.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() => {
                Self::Address(format!("{}@{}", local.to_lowercase(), ascii(domain)))
            }
            Some((_, domain)) => Self::Domain(ascii(domain)),
            None => Self::Domain(ascii(text)),
        }
    }

    fn fits(&self, address: &str) -> bool {
        let lower = address.to_lowercase();
        match self {
            Self::Address(wanted) => lower == *wanted,
            Self::Domain(wanted) => {
                (lower.rsplit_once('@')).is_some_and(|(_, domain)| domain == wanted)
            }
            Self::Null => lower.is_empty(),
        }
    }
}

/// As it stands in the queue.
fn ascii(domain: &str) -> String {
    Domain::parse(domain).map_or_else(
        || domain.to_lowercase(),
        |domain| domain.as_str().to_owned(),
    )
}

impl<'a> Fits<'a> {
    #[must_use]
    pub fn new(filter: &'a Filter) -> Self {
        Self {
            filter,
            to: filter.to.as_deref().map(Pattern::new),
            from: filter.from.as_deref().map(Pattern::new),
            lane: filter.lane.as_ref().map(|lane| lane.to_lowercase()),
        }
    }

    #[must_use]
    pub fn fits(&self, entry: &QueueEntry, context: &Context<'_>) -> bool {
        let queued = &entry.queued;
        let age = || age(entry, context);
        let any = |test: &dyn Fn(&QueuedRecipient) -> bool| queued.recipients.iter().any(test);
        (!self.filter.held || entry.held)
            && self.filter.older.is_none_or(|older| age() >= older)
            && self
                .from
                .as_ref()
                .is_none_or(|from| from.fits(&queued.sender))
            && (self.to.as_ref()).is_none_or(|to| any(&|one| to.fits(&one.address)))
            && (self.lane.as_ref())
                .is_none_or(|lane| any(&|one| one.lane().to_lowercase() == *lane))
    }
}

/// In seconds since it arrived, by the calendar.
pub fn age(entry: &QueueEntry, context: &Context<'_>) -> u64 {
    let age = context.now.0.saturating_sub(entry.arrived.0);
    u64::try_from(age).unwrap_or_default()
}

/// What entries are seen with: the same lanes stand in many of them.
pub struct View<'a> {
    context: &'a Context<'a>,
    reader: &'a Reader,
    now: Uptime,
    paused: bool,
    lanes: HashMap<String, Lane>,
}

impl<'a> View<'a> {
    pub fn new(context: &'a Context<'a>, reader: &'a Reader) -> Result<Self, Broken> {
        Ok(Self {
            context,
            reader,
            now: match context.outbound {
                Some(outbound) => outbound.now(),
                None => reader.uptime()?,
            },
            paused: is_paused(reader)?,
            lanes: HashMap::new(),
        })
    }

    pub fn row(&mut self, id: QueueId, entry: &QueueEntry) -> Result<Row, Broken> {
        let queued = &entry.queued;
        let mut recipients = Vec::with_capacity(queued.recipients.len());
        for recipient in &queued.recipients {
            recipients.push(self.waiting(entry.held, recipient)?);
        }
        let late = queued.recipients.iter().any(|one| one.warned);
        Ok(Row {
            id: queued.id.clone(),
            state: match (entry.held, late) {
                (true, _) => State::Held,
                _ if self.context.outbound.is_some_and(|it| it.has(id)) => State::Sending,
                (false, true) => State::Late,
                (false, false) => State::Waiting,
            },
            arrived: entry.arrived.rfc3339(),
            arrived_unix: entry.arrived.0,
            age_seconds: age(entry, self.context),
            size: entry.size,
            sender: queued.sender.clone(),
            recipients,
        })
    }

    pub fn waiting(&mut self, held: bool, one: &QueuedRecipient) -> Result<Waiting, Broken> {
        let lane = self.lane(one.lane())?;
        let due = one.due.max(lane.not_before);
        // What the whole lane met last is newer than what this one met, if it may not try before.
        let reason = match (&one.reason, &lane.reason) {
            (Some(own), Some(_)) if one.due >= lane.not_before => Some(own.clone()),
            (own, lanes) => lanes.clone().or_else(|| own.clone()),
        };
        let now = self.now;
        Ok(Waiting {
            address: one.address.clone(),
            lane: one.lane().to_owned(),
            // JSON ends on terminals, too.
            reason: reason.map(|reason| plain(&reason)),
            tries: one.tries,
            next_try_seconds: (!held && !self.paused).then(|| due.saturating_sub(now)),
        })
    }

    fn lane(&mut self, name: &str) -> Result<&Lane, Broken> {
        if !self.lanes.contains_key(name) {
            let lane = self.reader.lane(name)?.unwrap_or_default();
            self.lanes.insert(name.to_owned(), lane);
        }
        Ok(self.lanes.entry(name.to_owned()).or_default())
    }
}
