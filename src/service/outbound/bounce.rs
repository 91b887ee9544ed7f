//! What senders are told: reports of failures, delays and deliveries (OQ-4), as messages of our own.

use std::rc::Rc;

use ring::hmac;

use super::Outbound;
use crate::{
    base::{id::ContentId, time::Time},
    mail::{
        address::Address,
        flag::Flags,
        path::ForwardPath,
        report::{self, Action, Original, Report, WHOLE_MAX},
        srs::{self, Srs},
    },
    policy::limits::HEADER_MAX,
    routing::{self, Destination, Rights},
    service::{
        inbound::{self, Delivery, Failure, Reception},
        lookup,
        smtp::journal::Quoted,
    },
    store::{
        Broken, Content, Refusal, Store,
        queue::{Arrival, BodyKind, QueueEntry, Queued, QueuedRecipient, Ret, Settled},
        request::Recipient,
    },
};

/// Pauses before good news is told again, in seconds: the first and the longest, and how many.
const PAUSE: u64 = 1;
const PAUSE_MAX: u64 = 60;
const PATIENCE: u32 = 10;
/// Messages of which good news waits to be told.
const TELLING_MAX: usize = 64;

/// What the sender is told of one recipient.
#[derive(Clone, Debug)]
pub(super) struct Notice(pub report::Recipient);

/// What came of a report.
#[derive(Debug)]
pub(super) enum Told {
    /// It is on the medium, and with it what became of the recipients; or both were before.
    Kept,
    /// Nobody is to be told; nothing was kept.
    Nobody,
    /// Not now, in plain words; nothing was kept.
    Later(String),
}

/// Where a report goes.
struct Back {
    to: Vec<Recipient>,
    queue: Vec<QueuedRecipient>,
    /// For the log.
    local: Vec<String>,
}

/// Our own way of writing reverse-paths (FW-11): its secret is the store's.
#[must_use]
pub fn srs(store: &Store) -> Srs {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &store.secret());
    let mut secret = [0; 32];
    for (to, from) in secret.iter_mut().zip(hmac::sign(&key, b"srs").as_ref()) {
        *to = *from;
    }
    Srs::new(&secret)
}

impl Outbound {
    /// Tells the sender, and keeps in the same change what became of the recipients.
    pub(super) async fn report(
        &self,
        entry: &QueueEntry,
        notices: &[Notice],
        settled: &Settled,
    ) -> Told {
        let settles = vec![settled.clone()];
        self.report_on(entry, notices, settles, None).await
    }

    /// Tells of what went well although it cannot be told now: such news is lost when that lasts.
    pub(super) fn tell_later(
        self: &Rc<Self>,
        entry: QueueEntry,
        mut notices: Vec<Notice>,
        header: Option<Vec<u8>>,
    ) {
        notices.retain(|notice| is_good(notice.0.action));
        let many = self.telling.get();
        if notices.is_empty() || many >= TELLING_MAX {
            return;
        }
        self.telling.set(many.saturating_add(1));
        let this = Rc::clone(self);
        (self.parts.spawn)(Box::pin(async move {
            let world = &this.parts.world;
            let mut pause = PAUSE;
            for _ in 0..PATIENCE {
                world.sleep(world.now().plus_seconds(pause)).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
                let told = this.report_on(&entry, &notices, Vec::new(), header.clone());
                if !matches!(Box::pin(told).await, Told::Later(_)) {
                    break;
                }
            }
            this.telling.set(this.telling.get().saturating_sub(1));
        }));
    }

    /// Tells the sender that a message has arrived in a mailbox here, where that was asked for
    /// (NOTIFY=SUCCESS, RFC 3461 section 6.1). `header`: of the message, some of it.
    pub fn delivered(self: &Rc<Self>, queued: Queued, arrived: Time, header: Vec<u8>) {
        let notices = queued.recipients.iter().map(|recipient| {
            Notice(report::Recipient {
                address: recipient.address.clone(),
                orcpt: recipient.orcpt.clone(),
                action: Action::Delivered,
                status: "2.0.0".to_owned(),
                remote: None,
                text: "delivered to mailbox".to_owned(),
                tried: None,
                until: None,
            })
        });
        let notices: Vec<_> = notices.collect();
        let entry = QueueEntry {
            content: ContentId(0),
            size: 0,
            arrived,
            since: self.now(),
            held: false,
            queued,
        };
        let this = Rc::clone(self);
        self.begun(1);
        (self.parts.spawn)(Box::pin(async move {
            let told = this
                .report_on(&entry, &notices, Vec::new(), Some(header.clone()))
                .await;
            this.outcome_is_kept();
            if matches!(told, Told::Later(_)) {
                this.tell_later(entry, notices, Some(header));
            }
        }));
    }

    /// `header`: of the message, where it is not in the store.
    async fn report_on(
        &self,
        entry: &QueueEntry,
        notices: &[Notice],
        settles: Vec<Settled>,
        header: Option<Vec<u8>>,
    ) -> Told {
        let id = &entry.queued.id;
        if entry.queued.sender.is_empty() {
            if notices.iter().any(|n| n.0.action == Action::Failed) {
                self.dropped.set(self.dropped.get().saturating_add(1));
                log::info!("{id}: no report: it has no sender");
            }
            return Told::Nobody;
        }
        let mut kept = false;
        for action in [
            Action::Failed,
            Action::Delayed,
            Action::Relayed,
            Action::Delivered,
        ] {
            let of: Vec<_> = notices
                .iter()
                .filter(|notice| notice.0.action == action)
                .map(|notice| notice.0.clone())
                .collect();
            if of.is_empty() {
                continue;
            }
            let settles = if kept { Vec::new() } else { settles.clone() };
            let original = match &header {
                Some(header) => (false, header.clone()),
                None => self.original(entry, action).await,
            };
            match self.tell(entry, action, of, settles, original).await {
                Told::Kept => kept = true,
                Told::Nobody => {}
                Told::Later(why) if kept => log::error!("{id}: no further report: {why}"),
                later @ Told::Later(_) => return later,
            }
        }
        if kept { Told::Kept } else { Told::Nobody }
    }

    /// One report.
    async fn tell(
        &self,
        entry: &QueueEntry,
        action: Action,
        mut recipients: Vec<report::Recipient>,
        settles: Vec<Settled>,
        original: (bool, Vec<u8>),
    ) -> Told {
        let now = self.parts.world.date();
        for recipient in &mut recipients {
            recipient.tried = Some(now);
            if action == Action::Delayed {
                recipient.until = Some(self.gives_up(entry, now));
            }
        }
        let id = &entry.queued.id;
        let Some(back) = self.back(&entry.queued.sender) else {
            let sender = Quoted(&entry.queued.sender);
            log::warn!("{id}: no report: nobody is <{sender}>");
            return Told::Nobody;
        };
        let Ok(back) = back else {
            log::error!("{id}: the report waits: nobody can tell where it goes");
            return Told::Later("nobody can tell where it goes".to_owned());
        };
        let made = self.make(entry, &recipients, &original, now);
        match self.deliver(entry, action, made, back, settles).await {
            Ok(()) | Err(Failure::Store(Refusal::NoEntry | Refusal::Broken(Broken::Stopped))) => {
                Told::Kept
            }
            Err(failure) => {
                let why = match failure {
                    Failure::Store(refusal) => refusal.to_string(),
                    failure => format!("{failure:?}"),
                };
                log::error!("{id}: the report waits: {why}");
                Told::Later(why)
            }
        }
    }

    /// By the calendar, if the network stays.
    fn gives_up(&self, entry: &QueueEntry, now: Time) -> Time {
        let age = self.now().saturating_sub(entry.since);
        let left = self.options().schedule.give_up.saturating_sub(age);
        Time(now.0.saturating_add(i64::try_from(left).unwrap_or(0)))
    }

    fn make(
        &self,
        entry: &QueueEntry,
        recipients: &[report::Recipient],
        original: &(bool, Vec<u8>),
        now: Time,
    ) -> (String, Vec<u8>) {
        let options = self.options();
        let id = self.next_id();
        let message_id = format!("{}.{id}@{}", now.0.max(0), options.hostname);
        let report = Report {
            hostname: &options.hostname,
            to: &entry.queued.sender,
            id: &entry.queued.id,
            envid: entry.queued.envid.as_deref(),
            arrived: entry.arrived,
            now,
            message_id: &message_id,
            smtputf8: entry.queued.smtputf8,
            recipients,
        };
        let (whole, octets) = original;
        let original = if *whole {
            Original::Whole(octets)
        } else {
            Original::Header(octets)
        };
        (id, report::compose(&report, original))
    }

    async fn deliver(
        &self,
        entry: &QueueEntry,
        action: Action,
        (id, message): (String, Vec<u8>),
        back: Back,
        settles: Vec<Settled>,
    ) -> Result<(), Failure> {
        let store = &self.parts.store;
        let mut reception = Reception::begin(store, Vec::new(), None);
        reception.write(&message).await;
        let whole = reception.finish().await?;
        let size = whole.body.size();
        let count = back.to.len().saturating_add(back.queue.len());
        let queued = !back.queue.is_empty();
        let queue = queued.then(|| Queued {
            id: id.clone(),
            sender: String::new(),
            submitter: None,
            envid: None,
            ret: None,
            body: if message.is_ascii() {
                BodyKind::SevenBit
            } else {
                BodyKind::EightBitMime
            },
            smtputf8: entry.queued.smtputf8,
            requiretls: entry.queued.requiretls,
            arrival: Arrival::Here,
            recipients: back.queue,
        });
        let delivery = Delivery {
            prefix: b"Return-Path: <>\r\n".to_vec(),
            to: back.to,
            queue,
            settles,
            warns: None,
        };
        inbound::deliver(store, whole, delivery, self.parts.world.date()).await?;
        let what = match action {
            Action::Failed => "non-delivery",
            Action::Delayed => "delay",
            _ => "delivery status",
        };
        log::info!("{}: sender {what} notification: {id}", entry.queued.id);
        log::info!("{id}: from=<>, size={size}, nrcpt={count}");
        for address in &back.local {
            log::info!(
                "{id}: to=<{}>, relay=local, delay=0, dsn=2.0.0, status=sent (delivered to mailbox)",
                Quoted(address)
            );
        }
        if queued {
            self.wake();
        }
        Ok(())
    }

    /// Where a report to this reverse-path goes: `None` = to nobody, ever; an error: nobody can tell now.
    fn back(&self, sender: &str) -> Option<Result<Back, ()>> {
        let address = Address::parse(sender)?;
        let routing = self.routing();
        let found = lookup::find(&self.parts.store, |rows| {
            let address = match self.resolved(&address) {
                Some(original) => original,
                None => address.clone(),
            };
            let path = ForwardPath::Address(address);
            Ok(routing::route(rows, &routing, Rights::User, &path).outcome)
        });
        let destinations = match found {
            Ok(Ok(destinations)) => destinations,
            Ok(Err(refusal)) if !refusal.is_temporary() => return None,
            _ => return Some(Err(())),
        };
        let mut back = Back {
            to: Vec::new(),
            queue: Vec::new(),
            local: Vec::new(),
        };
        for destination in destinations {
            match destination {
                Destination::Discard { .. } => {}
                Destination::Mailbox { user, address } => {
                    back.local.push(address);
                    back.to.push(Recipient {
                        user,
                        folder: None,
                        flags: Flags::NONE,
                        keywords: Vec::new(),
                        // Who writes from a full mailbox learns that nothing arrives.
                        always: true,
                    });
                }
                Destination::Queue {
                    address, transport, ..
                } => back.queue.push(QueuedRecipient {
                    address,
                    transport,
                    due: self.now(),
                    ..QueuedRecipient::default()
                }),
            }
        }
        (!back.to.is_empty() || !back.queue.is_empty()).then_some(Ok(back))
    }

    /// With what the file of aliases says now (LM-2, LM-3): root at this machine may be somebody elsewhere.
    fn routing(&self) -> routing::Options {
        let options = self.options();
        let (path, now) = (options.aliases.as_deref(), self.parts.world.now());
        let names = self.names.anew(path, now);
        routing::Options {
            names: names.unwrap_or_else(|| self.names.names()),
            ..options.routing.clone()
        }
    }

    /// Whom a reverse-path of our own making stands for (FW-11).
    fn resolved(&self, address: &Address) -> Option<Address> {
        if !srs::is_rewritten(&address.local) {
            return None;
        }
        let now = self.parts.world.time();
        Address::parse(&self.srs.original(&address.local, now).ok()?)
    }

    /// What goes back of the message: whether it is all of it, and its octets. What cannot be read does
    /// not keep the report back.
    async fn original(&self, entry: &QueueEntry, action: Action) -> (bool, Vec<u8>) {
        let whole = action == Action::Failed
            && entry.queued.ret == Some(Ret::Full)
            && entry.size <= WHOLE_MAX as u64;
        let content = match self.parts.store.content(entry.content) {
            Ok(Some(content)) => content,
            Ok(None) => return (false, Vec::new()),
            Err(broken) => {
                log::error!("{}: content: {broken}", entry.queued.id);
                return (false, Vec::new());
            }
        };
        let _place = self.reading.acquire().await;
        let octets = blocking::unblock(move || first(content, whole)).await;
        (whole, octets)
    }
}

fn is_good(action: Action) -> bool {
    matches!(action, Action::Delivered | Action::Relayed)
}

/// The content without its prefix: all of it, or its header block.
fn first(mut content: Content, whole: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = content.prefix().len() as u64;
    let most = if whole { WHOLE_MAX } else { HEADER_MAX };
    while out.len() < most {
        let Ok(octets) = content.read(at) else { break };
        if octets.is_empty() {
            break;
        }
        let seen = out.len().saturating_sub(3);
        out.extend_from_slice(octets);
        at = at.saturating_add(octets.len() as u64);
        if whole {
            continue;
        }
        let fresh = out.get(seen..).unwrap_or_default();
        if let Some(end) = memchr::memmem::find(fresh, b"\r\n\r\n") {
            out.truncate(seen.saturating_add(end).saturating_add(2));
            break;
        }
    }
    out.truncate(most);
    out
}
