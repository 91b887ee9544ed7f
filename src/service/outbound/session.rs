//! One connection to a peer: gives it messages, one transaction after another, and takes what it says
//! of them.

use std::{fmt, rc::Rc};

use smol::future::FutureExt;

use super::{
    Outbound,
    lane::{Claim, Job, Lane},
    line,
    settle::{Came, Outcome, What},
    sign::{Leaving, Outgoing},
    slots::Slot,
};
use crate::{
    base::time::Instant,
    mail::rewrite::Rewrite,
    net::drive::Service,
    proto::smtp::{
        client::{self, Answer, Body, Offer, Question, Report, Session, Stage, Transaction},
        reply::Reply,
    },
    routing::LookupFailed,
    service::password::scram::prove,
    store::{
        Broken,
        directory::TransportTls,
        queue::{BodyKind, QueueEntry, QueuedRecipient, Ret},
    },
};

/// Messages over one connection, and how long it is used, in seconds.
const MESSAGES_MAX: u32 = 100;
const USED_MAX: u64 = 300;
/// After so many messages others get their turn, if they wait for one.
const TURN: u32 = 10;
/// How long it waits for more mail, in milliseconds.
const IDLE: u64 = 2000;
/// Recipients of one transaction (RFC 5321 section 4.5.3.1.8).
const RECIPIENTS_MAX: usize = 100;

/// What holds for a whole connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// `host[ip]`.
    pub peer: String,
    /// `host[ip]:port`.
    pub relay: String,
    pub lmtp: bool,
    pub level: Option<TransportTls>,
    /// The peer has proved who it is.
    pub verified: bool,
    pub rewrite: Option<Rewrite>,
}

/// A message that the peer is being given.
struct Sending {
    claim: Rc<Claim>,
    entry: QueueEntry,
    /// Those of this transaction, and those that follow.
    recipients: Vec<QueuedRecipient>,
    later: Vec<QueuedRecipient>,
    level: Option<TransportTls>,
    again: bool,
    /// `None` while the blocking pool has it.
    outgoing: Option<Outgoing>,
    first: Vec<u8>,
}

impl Sending {
    /// What is left to be done; `None`: nothing.
    fn job(self, again: bool) -> Option<Box<Job>> {
        (!self.later.is_empty()).then(|| {
            Box::new(Job {
                claim: self.claim,
                entry: self.entry,
                left: self.later,
                level: self.level,
                again,
            })
        })
    }
}

/// What settles the questions of a client's session.
pub(super) struct Courier<'a> {
    outbound: &'a Rc<Outbound>,
    lane: &'a Rc<Lane>,
    slot: Option<&'a Slot>,
    terms: Terms,
    since: Instant,
    /// The peer was ready for mail.
    pub started: bool,
    /// The connection was made for a message that requires proof (RFC 8689).
    proves: bool,
    /// The next message; after the end, one that was not sent.
    pub job: Option<Box<Job>>,
    sending: Option<Sending>,
    /// Transactions that came to an end, and those of them in which the peer judged a message.
    done: u32,
    judged: u32,
    /// No mail: this sender is named, and what is said to that is kept.
    probe: Option<String>,
    pub refused: Option<Reply>,
}

impl<'a> Courier<'a> {
    pub fn new(
        outbound: &'a Rc<Outbound>,
        lane: &'a Rc<Lane>,
        slot: &'a Slot,
        terms: Terms,
        job: Box<Job>,
    ) -> Self {
        Self {
            outbound,
            lane,
            slot: Some(slot),
            proves: job.entry.queued.requiretls,
            job: Some(job),
            ..Self::probing(outbound, lane, terms, String::new())
        }
        .without_probe()
    }

    /// One that names a sender and nothing else.
    pub fn probing(
        outbound: &'a Rc<Outbound>,
        lane: &'a Rc<Lane>,
        terms: Terms,
        sender: String,
    ) -> Self {
        Self {
            outbound,
            lane,
            slot: None,
            terms,
            since: outbound.parts.world.now(),
            started: false,
            proves: false,
            job: None,
            sending: None,
            done: 0,
            judged: 0,
            probe: Some(sender),
            refused: None,
        }
    }

    fn without_probe(mut self) -> Self {
        self.probe = None;
        self
    }

    async fn next(&mut self, offer: &Offer) -> Answer {
        if !self.started {
            self.started = true;
            if let Some(slot) = self.slot {
                slot.stands();
            }
            if let Some(sender) = &self.probe {
                return Answer::Transaction(Box::new(named(sender)));
            }
        }
        if self.probe.is_some() {
            return Answer::Quit;
        }
        loop {
            let Some(job) = self.next_job().await else {
                return Answer::Quit;
            };
            let needs_proof = job.entry.queued.requiretls && !self.terms.verified;
            if (needs_proof && !self.proves) || job.level != self.terms.level {
                self.job = Some(job);
                return Answer::Quit;
            }
            if let Some(transaction) = self.prepare(*job, offer).await {
                return Answer::Transaction(Box::new(transaction));
            }
        }
    }

    /// Whether another lane waits for a place that this one has held for long, or beside others.
    fn gives_way(&self) -> bool {
        let wanted = &self.outbound.wanted;
        let enough = self.lane.workers.get() > 1 || self.done >= TURN;
        let gives = self.done > 0 && enough && wanted.get() > 0 && self.job.is_none();
        if gives {
            wanted.set(wanted.get().saturating_sub(1));
        }
        gives
    }

    /// The next message: one that is there, or one that comes soon.
    async fn next_job(&mut self) -> Option<Box<Job>> {
        let world = &self.outbound.parts.world;
        let old = world.now() >= self.since.plus_seconds(USED_MAX);
        if self.done >= MESSAGES_MAX || (old && self.done > 0) || self.gives_way() {
            return None;
        }
        if let Some(job) = self.job.take() {
            return Some(job);
        }
        let until = world.now().plus(IDLE);
        loop {
            if let Some(job) = self.outbound.pick(self.lane).await {
                return Some(job);
            }
            if self.outbound.parts.house.is_stopping() || self.lane.cooling.get() {
                return None;
            }
            let told = self.lane.park();
            let told = async { told.recv().await.unwrap_or(false) };
            let late = async {
                world.sleep(until).await;
                false
            };
            if !told.or(late).await {
                return None;
            }
        }
    }

    /// Makes a message ready. `None`: it cannot be read, which was kept.
    async fn prepare(&mut self, job: Job, offer: &Offer) -> Option<Transaction> {
        let Job {
            claim,
            entry,
            left,
            level,
            again,
        } = job;
        let most = usize::try_from(offer.recipients_max).unwrap_or(RECIPIENTS_MAX);
        let most = most.clamp(1, RECIPIENTS_MAX);
        let srs = left.first().and_then(|recipient| recipient.srs.clone());
        let (mut recipients, mut later) = (Vec::new(), Vec::new());
        for recipient in left {
            if recipients.len() < most && recipient.srs == srs {
                recipients.push(recipient);
            } else {
                later.push(recipient);
            }
        }
        let mut rewrite = self.terms.rewrite.clone();
        if let Some(rewrite) = &mut rewrite {
            rewrite.forwarded = srs.is_some();
        }
        let outbound = self.outbound;
        let Ok(reverse) = outbound.reverse(&entry, srs.as_deref(), rewrite.as_ref()) else {
            let why = "whose sender it is cannot be looked up now";
            self.unreadable(&claim, &entry, recipients, later, &why);
            return None;
        };
        let leaving = Leaving {
            reverse: reverse.clone(),
            arrival: entry.queued.arrival,
            rewrite,
            now: outbound.parts.world.date(),
        };
        let read = self.open(&entry, leaving).await;
        let (outgoing, first) = match read {
            Ok(opened) => opened,
            Err(broken) => {
                self.unreadable(&claim, &entry, recipients, later, &broken);
                return None;
            }
        };
        let plain = reverse.is_ascii() && recipients.iter().all(|one| one.address.is_ascii());
        let transaction = Transaction {
            reverse,
            recipients: recipients.iter().map(recipient).collect(),
            size: outgoing.size(),
            body: match entry.queued.body {
                BodyKind::SevenBit => Body::SevenBit,
                BodyKind::BinaryMime | BodyKind::EightBitMime => Body::EightBitMime,
            },
            // An alias may have brought an address that its sender does not know of (RFC 6531 3.4).
            smtputf8: entry.queued.smtputf8 || !plain,
            requiretls: entry.queued.requiretls,
            envid: entry.queued.envid.clone(),
            ret: entry.queued.ret.map(|ret| match ret {
                Ret::Full => "FULL",
                Ret::Headers => "HDRS",
            }),
        };
        self.sending = Some(Sending {
            claim,
            entry,
            recipients,
            later,
            level,
            again,
            outgoing: Some(outgoing),
            first,
        });
        Some(transaction)
    }

    /// The message as it leaves, and its first octets.
    async fn open(
        &self,
        entry: &QueueEntry,
        leaving: Leaving,
    ) -> Result<(Outgoing, Vec<u8>), Broken> {
        let content = self.outbound.parts.store.content(entry.content)?;
        let content = content.ok_or(Broken::Corrupt("content of queued mail"))?;
        let keys = self.outbound.keys.clone();
        let _place = self.outbound.reading.acquire().await;
        blocking::unblock(move || {
            let mut outgoing = Outgoing::prepare(content, &keys, &leaving)?;
            let first = outgoing.piece(0)?;
            Ok((outgoing, first))
        })
        .await
    }

    /// Damage in the store, or a disk that does not answer: the message waits.
    fn unreadable(
        &self,
        claim: &Rc<Claim>,
        entry: &QueueEntry,
        recipients: Vec<QueuedRecipient>,
        later: Vec<QueuedRecipient>,
        broken: &dyn fmt::Display,
    ) {
        log::error!("{}: {broken}", entry.queued.id);
        let came = recipients
            .into_iter()
            .chain(later)
            .map(|recipient| -> Came {
                let (status, text) = ("4.3.0".to_owned(), broken.to_string());
                (recipient, What::Waits { status, text })
            });
        let outcome = Outcome {
            claim,
            entry,
            relay: "none",
            came: came.collect(),
            note: None,
        };
        self.outbound.settle(self.lane, outcome);
    }

    async fn read(&mut self, from: u64) -> Option<Vec<u8>> {
        let sending = self.sending.as_mut()?;
        if from == 0 && !sending.first.is_empty() {
            return Some(std::mem::take(&mut sending.first));
        }
        let mut outgoing = sending.outgoing.take()?;
        let _place = self.outbound.reading.acquire().await;
        let (outgoing, octets) = blocking::unblock(move || {
            let octets = outgoing.piece(from);
            (outgoing, octets)
        })
        .await;
        sending.outgoing = Some(outgoing);
        match octets {
            Ok(octets) => Some(octets).filter(|octets| !octets.is_empty()),
            Err(broken) => {
                log::error!("{}: {broken}", sending.entry.queued.id);
                None
            }
        }
    }

    /// A transaction has ended.
    pub fn ended(&mut self, report: &Report) {
        if self.probe.is_some() {
            if let Some(client::Outcome::Refused { reply, .. }) = report.outcomes.first() {
                self.refused = Some(reply.clone());
            }
            return;
        }
        let Some(mut sending) = self.sending.take() else {
            return;
        };
        let outcomes = &report.outcomes;
        let unjudged = outcomes.iter().all(is_no_judgement);
        if unjudged && self.done > 0 && !sending.again && outcomes.iter().all(is_unbegun) {
            // The peer had enough of this connection.
            let left = std::mem::take(&mut sending.recipients);
            sending.later.splice(..0, left);
            self.job = sending.job(true);
            return;
        }
        self.done = self.done.saturating_add(1);
        let recipients = std::mem::take(&mut sending.recipients).into_iter();
        let came = recipients.zip(outcomes);
        let came = came.map(|(recipient, outcome)| (recipient, self.what(outcome, report.dsn)));
        let came: Vec<_> = came.collect();
        if unjudged && self.judged == 0 {
            return self.useless(sending, came);
        }
        if !unjudged {
            self.judged = self.judged.saturating_add(1);
            self.lane.window.borrow_mut().success();
        }
        let outcome = Outcome {
            claim: &sending.claim,
            entry: &sending.entry,
            relay: &self.terms.relay,
            came,
            note: self.lane.recovered(),
        };
        self.outbound.settle(self.lane, outcome);
        let again = sending.again;
        self.job = sending.job(again);
    }

    /// The connection ended before the peer had judged anything: the lane's failure.
    fn useless(&self, sending: Sending, mut came: Vec<Came>) {
        let (status, text) = match came.first() {
            Some((_, What::Waits { status, text } | What::Fails { status, text, .. })) => {
                (status.clone(), text.clone())
            }
            _ => ("4.4.2".to_owned(), "lost connection".to_owned()),
        };
        came.extend(sending.later.into_iter().map(|recipient| {
            let (status, text) = (status.clone(), text.clone());
            (recipient, What::Waits { status, text })
        }));
        let message = (&sending.claim, &sending.entry);
        let why = (status.as_str(), text.as_str());
        self.outbound
            .lane_failed(self.lane, message, came, &self.terms.relay, why);
    }

    fn what(&self, outcome: &client::Outcome, dsn: bool) -> What {
        match outcome {
            client::Outcome::Delivered(reply) => What::Sent {
                status: line::status(reply),
                text: crate::service::smtp::journal::Said(reply).to_string(),
                dsn,
                last: self.terms.lmtp,
            },
            client::Outcome::Refused { at, reply } => {
                let (status, text) = (line::status(reply), line::reply(*at, reply));
                let peer = &self.terms.peer;
                if reply.is_permanent() {
                    let remote = Some(peer.clone());
                    What::Fails {
                        status,
                        text,
                        remote,
                    }
                } else {
                    let text = line::said(peer, &text);
                    What::Waits { status, text }
                }
            }
            client::Outcome::Lost { text, .. } => What::Waits {
                status: "4.4.2".to_owned(),
                text: text.clone(),
            },
            client::Outcome::Unfit { status, text } => What::Fails {
                status: (*status).to_owned(),
                text: text.clone(),
                remote: None,
            },
        }
    }
}

/// A transaction that names nobody but its sender.
fn named(sender: &str) -> Transaction {
    Transaction {
        reverse: sender.to_owned(),
        recipients: Vec::new(),
        size: 0,
        body: Body::SevenBit,
        smtputf8: false,
        requiretls: false,
        envid: None,
        ret: None,
    }
}

/// The connection's fault, not the message's.
fn is_no_judgement(outcome: &client::Outcome) -> bool {
    match outcome {
        client::Outcome::Lost { at, .. } => !matches!(at, Stage::Data | Stage::End),
        client::Outcome::Refused { reply, .. } => reply.ends(),
        client::Outcome::Delivered(_) | client::Outcome::Unfit { .. } => false,
    }
}

/// The peer had heard no more than MAIL.
fn is_unbegun(outcome: &client::Outcome) -> bool {
    match outcome {
        client::Outcome::Lost { at, .. } | client::Outcome::Refused { at, .. } => {
            *at == Stage::Mail
        }
        client::Outcome::Delivered(_) | client::Outcome::Unfit { .. } => false,
    }
}

fn recipient(row: &QueuedRecipient) -> client::Recipient {
    client::Recipient {
        address: row.address.clone(),
        notify: row.notify.map(|notify| notify.to_string()),
        orcpt: row.orcpt.clone(),
    }
}

impl Outbound {
    /// The reverse-path with which a message leaves (FW-11, UX-10).
    fn reverse(
        &self,
        entry: &QueueEntry,
        srs: Option<&str>,
        rewrite: Option<&Rewrite>,
    ) -> Result<String, LookupFailed> {
        let sender = &entry.queued.sender;
        if sender.is_empty() {
            return Ok(String::new());
        }
        let ours = match srs {
            Some(domain) => self.rewritten(sender, domain)?,
            None => None,
        };
        let reverse = ours.unwrap_or_else(|| sender.clone());
        Ok(match rewrite {
            Some(rewrite) => rewrite.reverse(&reverse),
            None => reverse,
        })
    }
}

impl Service for Courier<'_> {
    type Machine = Session;

    async fn ask(&mut self, question: Question) -> Answer {
        if let Some(slot) = self.slot {
            slot.hears();
        }
        let answer = match question {
            Question::Next(offer) => Box::pin(self.next(&offer)).await,
            Question::Prove(asked) => {
                let proved = blocking::unblock(move || prove(&asked)).await;
                Answer::Proved(Box::new(proved))
            }
            Question::Content { from } => Answer::Content(Box::pin(self.read(from)).await),
            Question::Done(report) => {
                self.ended(&report);
                Answer::Noted
            }
        };
        if let Some(slot) = self.slot {
            slot.waits();
        }
        answer
    }

    /// The machine takes no content.
    async fn content(&mut self, _: Vec<u8>) {}

    /// The machine sends no ranges.
    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}
