//! `queue`: mail that waits to leave.

mod bulk;
mod list;
mod overview;
mod show;
mod text;

use serde::{Deserialize, Serialize};

use crate::{
    base::id::QueueId,
    service::{
        operate::{Context, Kind, Problem, Reply, name},
        outbound::PAUSED,
    },
    store::{self, Reader, queue::QueueEntry},
};

pub use overview::spooled;
pub(super) use overview::{Overview, overview};
pub use show::Message;
pub use text::{Mailq, mailq};
pub(super) use text::{plain, size, text};

/// Entries that are read in one go.
const SLICE: usize = 256;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// Back to the sender now.
    Bounce(Which),
    /// Everything is due at once.
    Flush,
    Hold(Which),
    /// So many at most, behind the entry `after`: [`Page::next`] leads on.
    List {
        filter: Filter,
        after: Option<u64>,
    },
    Pause,
    Release(Which),
    Remove(Which),
    Resume,
    Retry(Which),
    Show {
        id: String,
    },
}

/// What is meant.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Which {
    /// As they are listed.
    pub ids: Vec<String>,
    /// All that the filter lets through.
    pub all: bool,
    pub filter: Filter,
}

/// What of the queue is meant: all of what is said here.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Filter {
    /// An address, or a domain.
    pub to: Option<String>,
    /// The reverse-path, or its domain; `<>` = the null reverse-path.
    pub from: Option<String>,
    /// A way out, as `queue show` names it.
    pub lane: Option<String>,
    pub held: bool,
    /// In seconds since it arrived.
    pub older: Option<u64>,
}

/// Part of a list.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Where the next part begins; `None` = this was the last.
    pub next: Option<u64>,
}

/// How an entry is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is tried until it is released.
    Held,
    /// Its sender was told that it is late.
    Late,
    /// It is on its way now.
    Sending,
    Waiting,
}

/// A message as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// As its sender was told ("queued as").
    pub id: String,
    pub state: State,
    pub arrived: String,
    /// The same in seconds since 1970.
    pub arrived_unix: i64,
    /// Since it arrived.
    pub age_seconds: u64,
    /// In octets.
    pub size: u64,
    /// Empty = the null reverse-path.
    pub sender: String,
    pub recipients: Vec<Waiting>,
}

/// One for whom it waits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Waiting {
    pub address: String,
    /// Its way out: a transport, else the domain.
    pub lane: String,
    /// Why it waits, in the other side's words where it said something.
    pub reason: Option<String>,
    pub tries: u32,
    /// Until the next try, while there is a network; `None` = not before somebody does something.
    pub next_try_seconds: Option<u64>,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Bounce(which) => bulk::bounce(context, &which, dry_run).await,
        Request::Flush => bulk::flush(context, dry_run).await,
        Request::Hold(which) => bulk::hold(context, &which, true, dry_run).await,
        Request::List { filter, after } => list::list(context, &filter, after).map(Reply::Queue),
        Request::Pause => bulk::pause(context, true, dry_run).await,
        Request::Release(which) => bulk::hold(context, &which, false, dry_run).await,
        Request::Remove(which) => bulk::remove(context, &which, dry_run).await,
        Request::Resume => bulk::pause(context, false, dry_run).await,
        Request::Retry(which) => bulk::retry(context, &which, dry_run).await,
        Request::Show { id } => show::show(context, &id),
    }
}

/// The oldest entries that fit.
pub(super) fn first(context: &Context<'_>, filter: &Filter) -> Result<Vec<Row>, Problem> {
    Ok(list::list(context, filter, None)?.rows)
}

/// The entry of this name.
pub(super) fn named(context: &Context<'_>, id: &str) -> Result<Option<Row>, Problem> {
    Ok(context.store.read(|reader| {
        let Some(queue) = reader.queue_named(id)? else {
            return Ok(None);
        };
        let Some(entry) = reader.queue_entry(queue)? else {
            return Ok(None);
        };
        list::View::new(context, reader)?
            .row(queue, &entry)
            .map(Some)
    })?)
}

/// Whether sending was stopped by the admin.
pub(super) fn is_paused(reader: &Reader) -> Result<bool, store::Broken> {
    Ok(reader.setting(PAUSED)?.is_some())
}

fn find(context: &Context<'_>, id: &str) -> Result<(QueueId, QueueEntry), Problem> {
    let found = context.store.read(|reader| {
        let Some(queue) = reader.queue_named(id)? else {
            return Ok(None);
        };
        Ok(reader.queue_entry(queue)?.map(|entry| (queue, entry)))
    })?;
    found.ok_or_else(|| {
        let text = format!(
            "no message {} waits (pillarbox queue list)",
            name::shown(id)
        );
        Problem::new(Kind::NoSuch, text)
    })
}
