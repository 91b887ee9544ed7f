//! What waited for a digest leaves (LM-11): one message with all of them in it, in the change that takes
//! them out of the queue. A single one leaves as it is.

use std::collections::BTreeSet;

use crate::{
    base::id::QueueId,
    mail::{
        flag::Flags,
        header,
        path::{ReversePath, parse_forward, parse_reverse},
        trace,
    },
    proto::smtp::parameter::{MailParameters, RcptParameters},
    routing::{self, Rights},
    service::{
        inbound::{self, Delivery, Failure, Reception},
        lookup,
        smtp::{
            Shared,
            local::Guest,
            log_lines,
            message::{queued, users},
            transaction::{Accepted, Transaction},
        },
    },
    store::{
        Content, Refusal,
        queue::{Arrival, Fate, QueueEntry, Settled},
    },
};

/// What the admin reads of a digest that cannot go where its messages were to go.
const DEAD: &str = "merged into a digest, and nobody is there any more";
/// More octets of one message are not read: larger ones are never merged.
const READ_MAX: usize = 256 << 10;

impl Shared {
    /// Sends entries of one kind; false: they wait still, or some of them.
    pub(super) async fn send(&self, entries: &[(QueueId, QueueEntry)]) -> bool {
        let Some((_, newest)) = entries.last() else {
            return true;
        };
        let Some(_memory) = self.memory.hold(inbound::MEMORY) else {
            return false;
        };
        let reverse = parse_reverse(&format!("<{}>", newest.queued.sender));
        let reverse = reverse.unwrap_or(ReversePath::Null);
        let parameters = MailParameters::default();
        let now = self.world.now();
        let mut transaction = Transaction::new(reverse, parameters, None, Guest::Trusted, now);
        let (mut gone, mut dead) = (Vec::new(), false);
        for to in &newest.queued.recipients {
            match self.accepted(&to.address) {
                Ok(Some(accepted)) => {
                    gone.push(to.address.clone());
                    transaction.recipients.push(accepted);
                }
                Ok(None) => dead = true,
                Err(()) => return false,
            }
        }
        let sent = gone.is_empty() || self.send_to(entries, transaction, &gone).await;
        if dead && sent {
            return self.give_back(entries).await;
        }
        sent
    }

    /// Where a recipient's mail goes by now. `None`: nowhere; an error: nobody can tell now.
    fn accepted(&self, address: &str) -> Result<Option<Accepted>, ()> {
        let Ok(path) = parse_forward(&format!("<{address}>")) else {
            return Ok(None);
        };
        let options = self.options();
        let found = lookup::find(&self.store, |rows| {
            Ok(routing::route(rows, &options.routing, Rights::User, &path).outcome)
        });
        match found {
            Ok(Ok(destinations)) => Ok(Some(Accepted {
                path,
                parameters: RcptParameters::default(),
                destinations,
                full: BTreeSet::new(),
                sequence: 0,
            })),
            Ok(Err(refusal)) if !refusal.is_temporary() => Ok(None),
            _ => Err(()),
        }
    }

    async fn send_to(
        &self,
        entries: &[(QueueId, QueueEntry)],
        transaction: Transaction,
        gone: &[String],
    ) -> bool {
        let id = self.next_id();
        let made = self.make(entries, &id).await;
        let whole = match made {
            Ok(whole) => whole,
            Err(failure) => {
                log::error!("{id}: digest: {failure:?}");
                return false;
            }
        };
        let size = whole.body.size();
        let settles = entries.iter().map(|(queue, _)| Settled {
            queue: *queue,
            recipients: gone.iter().map(|to| (to.clone(), Fate::Gone)).collect(),
        });
        let mut to = users(&transaction);
        // Who is full learns why by this.
        for recipient in &mut to {
            (recipient.always, recipient.flags) = (true, Flags::NONE);
        }
        let delivery = Delivery {
            prefix: trace::return_path(&transaction.reverse).into_bytes(),
            to,
            queue: queued(
                &transaction,
                &id,
                (Arrival::Here, None),
                whole.eight_bit,
                self.uptime(),
            ),
            settles: settles.collect(),
            warns: None,
        };
        let leaves = delivery.queue.is_some();
        match inbound::deliver(&self.store, whole, delivery, self.world.time()).await {
            Ok(_) => {}
            // Somebody has taken one of them out meanwhile: the others go next time.
            Err(Refusal::NoEntry) => return false,
            Err(refusal) => {
                log::error!("{id}: digest: {refusal}");
                return false;
            }
        }
        log::info!(
            "{id}: from={}, size={size}, nrcpt={}",
            transaction.reverse,
            transaction.recipients.len()
        );
        log_lines::fates(&transaction, &id, self.world.now());
        for (_, entry) in entries {
            let name = &entry.queued.id;
            log::info!("{name}: removed (it is in {id})");
        }
        if let Some(outbound) = self.outbound().filter(|_| leaves) {
            outbound.wake();
        }
        true
    }

    /// What is left of entries has nobody to go to: their senders are told.
    async fn give_back(&self, entries: &[(QueueId, QueueEntry)]) -> bool {
        let Some(outbound) = self.outbound() else {
            return false;
        };
        for (queue, _) in entries {
            if let Err(refusal) = outbound.give_back_as(*queue, DEAD).await {
                log::error!("digest: {refusal}");
                return false;
            }
        }
        true
    }

    /// The message.
    async fn make(
        &self,
        entries: &[(QueueId, QueueEntry)],
        id: &str,
    ) -> Result<inbound::Whole, Failure> {
        let mut reception = Reception::begin(&self.store, Vec::new(), None);
        if let [(_, only)] = entries {
            let text = self.text(only).await?;
            reception.write(&text).await;
            return reception.finish().await;
        }
        let boundary = format!("digest/{id}");
        if let (Some((_, first)), Some((_, newest))) = (entries.first(), entries.last()) {
            let block = self.text(newest).await?;
            let head = self.head(&block, id, entries.len(), (first, newest));
            reception.write(&head).await;
        }
        for (_, entry) in entries {
            let part = format!(
                "\r\n--{boundary}\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            );
            reception.write(part.as_bytes()).await;
            let text = self.text(entry).await?;
            reception.write(&text).await;
        }
        let end = format!("\r\n--{boundary}--\r\n");
        reception.write(end.as_bytes()).await;
        reception.finish().await
    }

    /// The header of a digest and its first part; `block`: the header of the newest of its messages.
    fn head(
        &self,
        block: &[u8],
        id: &str,
        count: usize,
        (first, newest): (&QueueEntry, &QueueEntry),
    ) -> Vec<u8> {
        let (time, hostname) = (self.world.time(), self.options().hostname.clone());
        let mut out = Vec::new();
        for name in ["From", "To"] {
            if let Some(value) = header::value(block, name) {
                out.extend_from_slice(format!("{name}: ").as_bytes());
                out.extend_from_slice(value.trim_ascii());
                out.extend_from_slice(b"\r\n");
            }
        }
        let subject = header::value(block, "Subject").unwrap_or_default();
        out.extend_from_slice(format!("Subject: [{count} times] ").as_bytes());
        out.extend_from_slice(subject.trim_ascii());
        let text = format!(
            "\r\nDate: {}\r\nMessage-ID: <{}.{id}@{hostname}>\r\nAuto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"digest/{id}\"\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n--digest/{id}\r\n\
             Content-Type: text/plain; charset=us-ascii\r\n\r\n\
             {count} messages with this sender and this subject (but for numbers in it)\r\n\
             came to {hostname}\r\n\
             \x20   from {}\r\n    to   {}\r\n\
             Those before them went out as they were; these were kept back, so that they\r\n\
             are not a flood. All of them are attached, the oldest first.\r\n",
            time.rfc5322(),
            time.0.max(0),
            first.arrived.rfc5322(),
            newest.arrived.rfc5322(),
        );
        out.extend_from_slice(text.as_bytes());
        out
    }

    /// A message of the queue, without what was put in front of it at its delivery.
    async fn text(&self, entry: &QueueEntry) -> Result<Vec<u8>, Failure> {
        let found = self.store.content(entry.content).map_err(Refusal::from)?;
        let content = found.ok_or(Refusal::NoEntry)?;
        let text = blocking::unblock(move || read(content)).await;
        Ok(text.map_err(Refusal::from)?)
    }
}

fn read(mut content: Content) -> Result<Vec<u8>, crate::store::Broken> {
    let (mut out, mut at) = (Vec::new(), content.prefix().len() as u64);
    while out.len() < READ_MAX {
        let octets = content.read(at)?;
        if octets.is_empty() {
            break;
        }
        out.extend_from_slice(octets);
        at = at.saturating_add(octets.len() as u64);
    }
    Ok(out)
}
