//! What became of recipients: told to the log and the store at once, and to the sender where that is due.

use std::rc::Rc;

use super::{
    Outbound,
    bounce::{Notice, Told},
    lane::{Claim, Lane},
    line,
};
use crate::{
    base::id::QueueId,
    mail::report::{self, Action},
    schedule::{Verdict, judge},
    store::{
        Broken, Refusal, Request,
        queue::{Fate, LaneNote, Notify, QueueEntry, QueuedRecipient, Settled},
    },
};

/// Entries of a lane whose age is looked at in one go.
const AGED: usize = 64;
/// Pause before an outcome is brought to the store again, in milliseconds.
const AGAIN: u64 = 1000;

/// What came of one recipient.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// By a `discard:` transport.
    Dropped,
    /// For good.
    Fails {
        status: String,
        text: String,
        /// The server that said so, as `host[ip]`.
        remote: Option<String>,
    },
    /// Taken by somebody else. `dsn`: who will tell the sender where that was asked for.
    Sent {
        status: String,
        text: String,
        dsn: bool,
        last: bool,
    },
    /// For now.
    Waits { status: String, text: String },
}

/// One recipient and what came of it.
pub(super) type Came = (QueuedRecipient, What);

/// What came of a try.
pub(super) struct Outcome<'a> {
    pub claim: &'a Rc<Claim>,
    pub entry: &'a QueueEntry,
    /// `host[ip]:port`, or `none`.
    pub relay: &'a str,
    pub came: Vec<Came>,
    /// The whole lane has to wait as well: the same pause for this message.
    pub note: Option<LaneNote>,
}

/// What is made of it for the store and for the sender.
#[derive(Default)]
struct Made {
    fates: Vec<(String, Fate)>,
    notices: Vec<Notice>,
    gone: usize,
}

impl Outbound {
    /// Keeps what came of a try. Returns at once; the entry stays in hand until it is on the medium.
    pub(super) fn settle(self: &Rc<Self>, lane: &Rc<Lane>, outcome: Outcome<'_>) {
        let Outcome {
            claim,
            entry,
            relay,
            came,
            note,
        } = outcome;
        // That a lane works again makes nothing due.
        let due = note.as_ref().filter(|note| note.failures > 0);
        let due = due.map(|note| note.not_before);
        let mut made = Made::default();
        for (recipient, what) in came {
            self.judge(entry, relay, &recipient, what, due, &mut made);
        }
        self.keep(lane, Rc::clone(claim), entry, made, note);
    }

    /// Looks at the messages of a lane that failed, oldest first, up to the first that is young: some may
    /// be too old, or late. Returns at once; nothing is tried in the lane meanwhile.
    pub(super) fn age(self: &Rc<Self>, lane: &Rc<Lane>, relay: &str, status: &str, reason: &str) {
        if lane.aging.replace(true) {
            return;
        }
        let (this, lane, relay) = (Rc::clone(self), Rc::clone(lane), relay.to_owned());
        let (status, reason) = (status.to_owned(), reason.to_owned());
        (self.parts.spawn)(Box::pin(async move {
            let mut after = None;
            while !this.parts.house.is_stopping() {
                after = this.age_slice(&lane, after, &relay, (&status, &reason));
                if after.is_none() {
                    break;
                }
                this.room().await;
                smol::future::yield_now().await;
            }
            lane.aging.set(false);
            this.leave(&lane);
        }));
    }

    /// Some entries behind `after`: the last of them, if those behind it may be old as well.
    fn age_slice(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        after: Option<QueueId>,
        relay: &str,
        tried: (&str, &str),
    ) -> Option<QueueId> {
        let oldest = self.parts.store.read(|reader| {
            let ids = reader.lane_oldest(&lane.name, after, AGED)?;
            let entries = ids.into_iter().map(|id| Ok((id, reader.queue_entry(id)?)));
            entries.collect::<Result<Vec<_>, Broken>>()
        });
        let now = self.now();
        let schedule = self.options().schedule;
        let mut last = None;
        for (id, entry) in self.told(oldest)? {
            last = Some(id);
            let Some(entry) = entry.filter(|entry| !entry.held) else {
                continue;
            };
            let age = now.saturating_sub(entry.since);
            if judge(age, false, &schedule) == Verdict::Keep {
                return None;
            }
            let mut made = Made::default();
            for recipient in &entry.queued.recipients {
                if recipient.lane() != lane.name {
                    continue;
                }
                let verdict = judge(age, recipient.warned, &schedule);
                self.aged(&entry, relay, recipient, verdict, tried, &mut made);
            }
            if !made.fates.is_empty()
                && let Some(claim) = lane.claim(id)
            {
                self.keep(lane, claim, &entry, made, None);
            }
        }
        last
    }

    fn judge(
        &self,
        entry: &QueueEntry,
        relay: &str,
        recipient: &QueuedRecipient,
        what: What,
        due: Option<u64>,
        made: &mut Made,
    ) {
        let soft = self.options().soft_bounce;
        let line = |dsn: &str, status, text: &str| {
            let fate = line::Fate {
                to: &recipient.address,
                relay,
                dsn,
                status,
                text,
            };
            self.log(entry, &fate);
        };
        match what {
            What::Dropped => {
                line("2.0.0", "discarded", "transport discard");
                made.gone(recipient);
            }
            What::Sent {
                status,
                text,
                dsn,
                last,
            } => {
                line(&status, "sent", &text);
                let asked = recipient.notify.is_some_and(|n| n.has(Notify::SUCCESS));
                if asked && !dsn {
                    let action = if last {
                        Action::Delivered
                    } else {
                        Action::Relayed
                    };
                    made.notice(recipient, action, status, text, Some(relay.to_owned()));
                }
                made.gone(recipient);
            }
            What::Fails {
                status,
                text,
                remote,
            } => {
                let said = |text: &str| match &remote {
                    Some(peer) => line::said(peer, text),
                    None => text.to_owned(),
                };
                if soft {
                    let status = line::softened(&status);
                    let text = format!("would bounce: {}", said(&line::softened(&text)));
                    self.waits(entry, relay, recipient, (&status, &text), due, made);
                } else {
                    line(&status, "bounced", &said(&text));
                    made.failed(recipient, status, text, remote);
                }
            }
            What::Waits { status, text } => {
                self.waits(entry, relay, recipient, (&status, &text), due, made);
            }
        }
    }

    fn waits(
        &self,
        entry: &QueueEntry,
        relay: &str,
        recipient: &QueuedRecipient,
        (status, text): (&str, &str),
        due: Option<u64>,
        made: &mut Made,
    ) {
        let (now, options) = (self.now(), self.options());
        let age = now.saturating_sub(entry.since);
        let verdict = judge(age, recipient.warned, &options.schedule);
        if verdict != Verdict::GiveUp {
            let fate = line::Fate {
                to: &recipient.address,
                relay,
                dsn: status,
                status: "deferred",
                text,
            };
            self.log(entry, &fate);
            let pause = options.schedule.pause(recipient.tries.saturating_add(1));
            let due = due.unwrap_or_else(|| now.saturating_add(pause));
            let reason = text.to_owned();
            made.fates
                .push((recipient.address.clone(), Fate::Waits { due, reason }));
        }
        self.aged(entry, relay, recipient, verdict, (status, text), made);
    }

    /// What a message's age brings about.
    fn aged(
        &self,
        entry: &QueueEntry,
        relay: &str,
        recipient: &QueuedRecipient,
        verdict: Verdict,
        (status, reason): (&str, &str),
        made: &mut Made,
    ) {
        match verdict {
            Verdict::Keep => {}
            Verdict::GiveUp => {
                let fate = line::Fate {
                    to: &recipient.address,
                    relay,
                    dsn: "4.4.7",
                    status: "expired",
                    text: reason,
                };
                self.log(entry, &fate);
                let text = format!("delivery time expired; the last try: {reason}");
                made.failed(recipient, "4.4.7".to_owned(), text, None);
            }
            Verdict::Warn => {
                let wanted = recipient.notify.is_none_or(|n| n.has(Notify::DELAY));
                if wanted {
                    let (status, text) = (status.to_owned(), reason.to_owned());
                    made.notice(recipient, Action::Delayed, status, text, None);
                }
                made.fates.push((recipient.address.clone(), Fate::Warned));
            }
        }
    }

    /// Brings it to the store, in a task of its own.
    fn keep(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        claim: Rc<Claim>,
        entry: &QueueEntry,
        made: Made,
        note: Option<LaneNote>,
    ) {
        if made.fates.is_empty() && note.is_none() {
            return;
        }
        // Every recipient that there was when the entry was read.
        let mut emptied = made.gone >= entry.queued.recipients.len();
        let name = entry.queued.id.clone();
        let entry = (!made.notices.is_empty()).then(|| Box::new(entry.clone()));
        let (this, lane) = (Rc::clone(self), Rc::clone(lane));
        self.begun(1);
        (self.parts.spawn)(Box::pin(async move {
            let id = claim.id;
            let mut settled = Settled {
                queue: id,
                recipients: made.fates,
            };
            let told = match &entry {
                Some(entry) => this.report(entry, &made.notices, &settled).await,
                None => Told::Nobody,
            };
            if let (Told::Later(why), Some(entry)) = (&told, &entry) {
                this.postpone(entry, &made.notices, why, &mut settled.recipients);
                emptied = false;
            }
            let known = matches!(told, Told::Kept) || settled.recipients.is_empty();
            let settled = if known { Vec::new() } else { vec![settled] };
            if !settled.is_empty() || note.is_some() {
                this.settled(settled, note).await;
            }
            if made.gone > 0 && (emptied || this.is_gone(id)) {
                log::info!("{name}: removed");
            }
            if let (Told::Later(_), Some(entry)) = (told, entry) {
                this.tell_later(*entry, made.notices, None);
            }
            drop(claim);
            this.ended(&lane);
        }));
    }

    /// A report cannot be made now: those of whose failure it tells wait for it, where everybody can see
    /// that; who was sent to stays so.
    fn postpone(
        &self,
        entry: &QueueEntry,
        notices: &[Notice],
        why: &str,
        fates: &mut Vec<(String, Fate)>,
    ) {
        let (now, schedule) = (self.now(), self.options().schedule);
        fates.retain(|(_, fate)| *fate != Fate::Warned);
        for (address, fate) in fates {
            let mut of = notices.iter().filter(|notice| notice.0.address == *address);
            let Some(notice) = of.find(|notice| notice.0.action == Action::Failed) else {
                continue;
            };
            let mut all = entry.queued.recipients.iter();
            let tries = all.find(|one| one.address == *address).map(|one| one.tries);
            let pause = schedule.pause(tries.unwrap_or(0).saturating_add(1));
            *fate = Fate::Waits {
                due: now.saturating_add(pause),
                reason: format!("its report cannot be kept now: {why}; {}", notice.0.text),
            };
        }
    }

    /// Until it is kept: an outcome is never dropped.
    pub(super) async fn settled(&self, settled: Vec<Settled>, lane: Option<LaneNote>) {
        loop {
            let request = Request::Settle {
                settled: settled.clone(),
                lane: lane.clone(),
                uptime: self.now(),
            };
            match self.parts.store.request(request).await {
                Ok(_) | Err(Refusal::NoEntry) => return,
                Err(Refusal::Broken(Broken::Stopped)) => {
                    log::error!("the store has ended before an outcome was kept");
                    return;
                }
                Err(refusal) => log::error!("an outcome is not kept yet: {refusal}"),
            }
            let world = &self.parts.world;
            world.sleep(world.now().plus(AGAIN)).await;
        }
    }

    fn is_gone(&self, id: QueueId) -> bool {
        let row = self.parts.store.read(|reader| reader.queue_entry(id));
        matches!(row, Ok(None))
    }
}

impl Made {
    fn gone(&mut self, recipient: &QueuedRecipient) {
        self.fates.push((recipient.address.clone(), Fate::Gone));
        self.gone = self.gone.saturating_add(1);
    }

    fn failed(
        &mut self,
        recipient: &QueuedRecipient,
        status: String,
        text: String,
        remote: Option<String>,
    ) {
        let wanted = recipient.notify.is_none_or(|n| n.has(Notify::FAILURE));
        if wanted {
            self.notice(recipient, Action::Failed, status, text, remote);
        }
        self.gone(recipient);
    }

    fn notice(
        &mut self,
        recipient: &QueuedRecipient,
        action: Action,
        status: String,
        text: String,
        remote: Option<String>,
    ) {
        self.notices.push(Notice(report::Recipient {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            action,
            status,
            remote,
            text,
            tried: None,
            until: None,
        }));
    }
}
