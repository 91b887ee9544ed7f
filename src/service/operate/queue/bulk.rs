//! What is done to one message, to several, or to all that a filter lets through: a slice at a time.

use super::{PAUSED, SLICE, Which, find, is_paused, list::Fits};
use crate::{
    base::id::QueueId,
    service::{
        operate::{Context, Kind, Problem, Reply, count, status},
        outbound::Returned,
    },
    store::{
        self, Refusal,
        queue::{Fate, QueueEntry, Settled},
    },
};

/// Names that are said; of more, the number has to do.
const NAMED: usize = 8;

/// What is done.
#[derive(Clone, Copy)]
enum Deed {
    Hold,
    Release,
    Remove,
    Retry,
}

impl Deed {
    /// With "would", and when it is done, with what follows.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Hold => ("hold", "held", "not tried until released"),
            Self::Release => ("release", "released", "tried at once"),
            Self::Remove => ("remove", "removed", "not sent; the sender is not told"),
            Self::Retry => ("try", "due", "tried at once"),
        }
    }
}

pub(super) async fn hold(
    context: &Context<'_>,
    which: &Which,
    hold: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let deed = if hold { Deed::Hold } else { Deed::Release };
    all(context, which, deed, dry_run).await
}

pub(super) async fn remove(
    context: &Context<'_>,
    which: &Which,
    dry_run: bool,
) -> Result<Reply, Problem> {
    all(context, which, Deed::Remove, dry_run).await
}

pub(super) async fn retry(
    context: &Context<'_>,
    which: &Which,
    dry_run: bool,
) -> Result<Reply, Problem> {
    all(context, which, Deed::Retry, dry_run).await
}

pub(super) async fn flush(context: &Context<'_>, dry_run: bool) -> Result<Reply, Problem> {
    let everything = Which {
        all: true,
        ..Which::default()
    };
    all(context, &everything, Deed::Retry, dry_run).await
}

pub(super) async fn bounce(
    context: &Context<'_>,
    which: &Which,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let mut next = Next::new(context, which)?;
    let Some(outbound) = context.outbound else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let (mut tally, mut busy) = (Tally::default(), Tally::default());
    while let Some(slice) = next.slice(context)? {
        for found in slice {
            if dry_run {
                tally.add(&[found]);
                continue;
            }
            let returned = outbound.give_back(found.0).await;
            match returned.map_err(|refusal| Problem::refused(&refusal, &found.1.queued.id))? {
                Returned::Done => tally.add(&[found]),
                Returned::Sending | Returned::Waits => busy.add(&[found]),
                Returned::Went => {}
            }
        }
    }
    let what = tally.text();
    if dry_run {
        return Ok(Reply::Done(format!("would return {what} to the sender")));
    }
    let mut done = format!("returned to the sender: {what}");
    if busy.count > 0 {
        done = format!(
            "{done}\nnote: on the way now, or their senders cannot be told now; try again later: {}",
            busy.text()
        );
    }
    wake(context);
    Ok(Reply::Done(done))
}

/// Stops sending, or lets it go on.
pub(super) async fn pause(
    context: &Context<'_>,
    pause: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let is = context.store.read(is_paused)?;
    let done = match (pause, is) {
        (true, false) => {
            "paused: mail for others is taken and kept, and nothing is sent (pillarbox queue resume)"
        }
        (true, true) => "was paused already (pillarbox queue resume)",
        (false, true) => "resumed: mail leaves again",
        (false, false) => "was not paused",
    };
    if dry_run {
        return Ok(Reply::Done(format!("would be: {done}")));
    }
    if pause != is {
        let request = store::Request::Set {
            key: PAUSED.to_owned(),
            value: pause.then(|| "yes".to_owned()),
        };
        let set = context.store.request(request).await;
        set.map_err(|refusal| Problem::refused(&refusal, "queue"))?;
        log::info!(target: "queue", "{done}");
        wake(context);
    }
    Ok(Reply::Done(done.to_owned()))
}

/// What was done so far.
#[derive(Default)]
struct Tally {
    count: usize,
    names: Vec<String>,
}

impl Tally {
    fn add(&mut self, entries: &[(QueueId, QueueEntry)]) {
        self.count = self.count.saturating_add(entries.len());
        let room = NAMED.saturating_sub(self.names.len());
        let names = entries.iter().take(room).map(|(_, e)| e.queued.id.clone());
        self.names.extend(names);
    }

    /// `3 messages: A, B, C`.
    fn text(&self) -> String {
        match self.names.as_slice() {
            [] => "nothing".to_owned(),
            [one] if self.count == 1 => one.clone(),
            names if self.count == names.len() => {
                let count = count(self.count, "message", "messages");
                format!("{count}: {}", names.join(", "))
            }
            _ => count(self.count, "message", "messages"),
        }
    }
}

async fn all(
    context: &Context<'_>,
    which: &Which,
    deed: Deed,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let mut tally = Tally::default();
    let mut next = Next::new(context, which)?;
    while let Some(slice) = next.slice(context)? {
        // What is so already is not told of.
        if let (Deed::Retry, false) = (deed, which.all)
            && let Some((_, held)) = slice.iter().find(|(_, entry)| entry.held)
        {
            let id = &held.queued.id;
            let text = format!("{id} is held and not tried; first: pillarbox queue release {id}");
            return Err(Problem::new(Kind::NotAllowed, text));
        }
        let slice: Vec<_> = (slice.into_iter())
            .filter(|(_, entry)| match deed {
                Deed::Hold => !entry.held,
                Deed::Release => entry.held,
                Deed::Retry => !entry.held,
                Deed::Remove => true,
            })
            .collect();
        if !slice.is_empty() && !dry_run {
            carry_out(context, deed, &slice).await?;
        }
        tally.add(&slice);
    }
    let (verb, done, follows) = deed.words();
    let what = tally.text();
    if dry_run {
        return Ok(Reply::Done(format!("would {verb} {what}")));
    }
    if tally.count == 0 {
        return Ok(Reply::Done(format!("{done}: nothing")));
    }
    wake(context);
    Ok(Reply::Done(format!("{done}: {what} ({follows})")))
}

async fn carry_out(
    context: &Context<'_>,
    deed: Deed,
    slice: &[(QueueId, QueueEntry)],
) -> Result<(), Problem> {
    let queues: Vec<_> = slice.iter().map(|(queue, _)| *queue).collect();
    let request = match deed {
        Deed::Hold => store::Request::HoldQueued { queues, held: true },
        Deed::Release => store::Request::HoldQueued {
            queues,
            held: false,
        },
        Deed::Remove => removal(context, slice)?,
        Deed::Retry => store::Request::RetryQueued { queues },
    };
    match context.store.request(request).await {
        // Sent meanwhile.
        Ok(_) | Err(Refusal::NoEntry) => {}
        Err(refusal) => return Err(Problem::refused(&refusal, "queue")),
    }
    let (_, done, _) = deed.words();
    for (_, entry) in slice {
        log::info!(target: "queue", "{}: {done}", entry.queued.id);
    }
    Ok(())
}

/// All recipients of all these are gone: one change.
fn removal(
    context: &Context<'_>,
    slice: &[(QueueId, QueueEntry)],
) -> Result<store::Request, Problem> {
    let gone = |(queue, entry): &(QueueId, QueueEntry)| Settled {
        queue: *queue,
        recipients: (entry.queued.recipients.iter())
            .map(|one| (one.address.clone(), Fate::Gone))
            .collect(),
    };
    Ok(store::Request::Settle {
        settled: slice.iter().map(gone).collect(),
        lane: None,
        uptime: context.store.read(store::Reader::uptime)?,
    })
}

/// What is left to be done.
enum Next<'a> {
    Found(std::vec::IntoIter<(QueueId, QueueEntry)>),
    Scan {
        fits: Fits<'a>,
        after: Option<QueueId>,
    },
}

impl<'a> Next<'a> {
    /// Who is named has to be there: else nothing is done at all.
    fn new(context: &Context<'_>, which: &'a Which) -> Result<Self, Problem> {
        if which.all {
            return Ok(Self::Scan {
                fits: Fits::new(&which.filter),
                after: None,
            });
        }
        let mut found = Vec::with_capacity(which.ids.len());
        for id in &which.ids {
            let entry = find(context, id)?;
            if found.iter().all(|(queue, _)| *queue != entry.0) {
                found.push(entry);
            }
        }
        Ok(Self::Found(found.into_iter()))
    }

    /// The next ones; some may have been passed over, so a slice can be empty.
    fn slice(
        &mut self,
        context: &Context<'_>,
    ) -> Result<Option<Vec<(QueueId, QueueEntry)>>, Problem> {
        match self {
            Self::Found(found) => {
                let slice: Vec<_> = found.by_ref().take(SLICE).collect();
                Ok((!slice.is_empty()).then_some(slice))
            }
            Self::Scan { fits, after } => {
                let mut slice = context.store.read(|reader| reader.queue(*after, SLICE))?;
                let Some((last, _)) = slice.last() else {
                    return Ok(None);
                };
                *after = Some(*last);
                slice.retain(|(_, entry)| fits.fits(entry, context));
                Ok(Some(slice))
            }
        }
    }
}

/// Something may be due now.
fn wake(context: &Context<'_>) {
    if let Some(outbound) = context.outbound {
        outbound.afresh();
    }
}
