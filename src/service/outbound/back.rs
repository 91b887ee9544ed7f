//! Mail that goes back to its sender because the admin says so (`queue bounce`).

use super::{
    Outbound,
    bounce::{Notice, Told},
    line,
};
use crate::{
    base::id::QueueId,
    mail::report::{self, Action},
    store::{
        Refusal, Request,
        queue::{Fate, Notify, QueueEntry, QueuedRecipient, Settled},
    },
};

/// Of what the sender is told (RFC 3463: other mail system status).
const STATUS: &str = "5.3.0";
const TEXT: &str = "returned to the sender by the administrator";

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Returned {
    /// It is gone; its sender is told, where that is to be.
    Done,
    /// Somebody has it in hand just now: nothing was done.
    Sending,
    /// Its sender cannot be told now: nothing was done.
    Waits,
    /// It went meanwhile.
    Went,
}

impl Outbound {
    /// Whether somebody has this entry in hand.
    #[must_use]
    pub fn has(&self, id: QueueId) -> bool {
        self.lanes.borrow().values().any(|lane| lane.has(id))
    }

    /// Ends an entry as if nobody could be reached. On the medium when it returns.
    ///
    /// # Errors
    ///
    /// The store refuses; the entry may be held where it cannot even be released.
    pub async fn give_back(&self, id: QueueId) -> Result<Returned, Refusal> {
        self.give_back_as(id, TEXT).await
    }

    /// The same for a reason of our own.
    ///
    /// # Errors
    ///
    /// The store refuses; the entry may be held then.
    pub async fn give_back_as(&self, id: QueueId, text: &str) -> Result<Returned, Refusal> {
        let hold = |held| Request::HoldQueued {
            queues: vec![id],
            held,
        };
        let store = &self.parts.store;
        // Nobody begins with it from here on.
        let was = store.read(|reader| reader.queue_entry(id))?;
        store.request(hold(true)).await?;
        if self.has(id) {
            if was.is_some_and(|entry| !entry.held) {
                store.request(hold(false)).await?;
            }
            return Ok(Returned::Sending);
        }
        let returned = self.give_up(id, text).await;
        if !matches!(returned, Ok(Returned::Done | Returned::Went))
            && was.is_some_and(|entry| !entry.held)
        {
            // Nobody was told: it goes on as before.
            store.request(hold(false)).await?;
        }
        returned
    }

    /// Ends an entry that nobody can begin with.
    async fn give_up(&self, id: QueueId, text: &str) -> Result<Returned, Refusal> {
        let store = &self.parts.store;
        let Some(entry) = store.read(|reader| reader.queue_entry(id))? else {
            return Ok(Returned::Went);
        };
        let gone = entry.queued.recipients.iter();
        let settled = Settled {
            queue: id,
            recipients: gone.map(|one| (one.address.clone(), Fate::Gone)).collect(),
        };
        let notices = self.told_of(&entry, text);
        let told = if notices.is_empty() {
            Told::Nobody
        } else {
            self.report(&entry, &notices, &settled).await
        };
        match told {
            Told::Kept => {}
            Told::Later(_) => return Ok(Returned::Waits),
            Told::Nobody => {
                let settle = Request::Settle {
                    settled: vec![settled],
                    lane: None,
                    uptime: self.now(),
                };
                store.request(settle).await?;
            }
        }
        log::info!("{}: removed", entry.queued.id);
        Ok(Returned::Done)
    }

    /// A line in the log for each recipient, and what the sender hears of those it wants to hear of.
    fn told_of(&self, entry: &QueueEntry, text: &str) -> Vec<Notice> {
        let notice = |one: &QueuedRecipient| {
            self.log(
                entry,
                &line::Fate {
                    to: &one.address,
                    relay: "none",
                    dsn: STATUS,
                    status: "bounced",
                    text,
                },
            );
            let wanted = one.notify.is_none_or(|notify| notify.has(Notify::FAILURE));
            wanted.then(|| {
                Notice(report::Recipient {
                    address: one.address.clone(),
                    orcpt: one.orcpt.clone(),
                    action: Action::Failed,
                    status: STATUS.to_owned(),
                    remote: None,
                    text: text.to_owned(),
                    tried: None,
                    until: None,
                })
            })
        };
        entry.queued.recipients.iter().filter_map(notice).collect()
    }
}
