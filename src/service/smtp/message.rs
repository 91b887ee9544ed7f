//! DATA and BDAT: a message comes, and goes to all of its recipients at once (SR-29).

use crate::{
    base::id::UserId,
    mail::{
        fixup::Fixup,
        flag::Flags,
        path::{ForwardPath, ReversePath},
        trace,
    },
    proto::smtp::{
        parameter::{self, MailParameters},
        reply::Reply,
    },
    service::{
        inbound::{self, Delivery, Failure, Reception, Whole},
        reply::{self, Told},
        smtp::{
            Door, Kind, Options,
            journal::Quoted,
            transaction::{Leaving, Message, Transaction},
        },
        warning,
    },
    store::{
        queue::{Arrival, BodyKind, Notify, Queued, QueuedRecipient, Ret, Uptime},
        request::Recipient,
    },
};

impl Door {
    /// DATA or the first BDAT.
    pub(super) fn begin(&mut self) -> Reply {
        let id = self.shared.next_id();
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, "5.5.1 Error: need MAIL command");
        };
        let welcome = self.still_welcome().and_then(|()| self.room());
        if let Err(refusal) = welcome.and_then(|()| self.still_there(transaction)) {
            self.log_refusal("DATA", "", &refusal);
            return refusal;
        }
        if let Some(refusal) = self.slowed(&transaction.guest) {
            self.log_refusal("DATA", "", &refusal);
            return refusal;
        }
        let Some(memory) = self.shared.memory.hold(inbound::MEMORY) else {
            let refusal = reply::no_memory();
            self.log_refusal("DATA", "", &refusal);
            return refusal;
        };
        self.took(&transaction.guest);
        let trace = self.trace(transaction, &id);
        let fixup = self.fixup(&id, &transaction.reverse);
        let reception = Reception::begin(&self.shared.store, trace, fixup);
        self.log_client(&id);
        if let Some(transaction) = &mut self.transaction {
            transaction.message = Some(Message {
                id,
                reception,
                memory,
            });
            transaction.fated = false;
        }
        Reply::new(250, "2.0.0 Ok")
    }

    /// Our `Received:` field (SR-28).
    fn trace(&self, transaction: &Transaction, id: &str) -> Vec<u8> {
        let options = self.shared.options();
        let received = trace::Received {
            from_helo: &self.helo,
            client_ip: self.client.ip,
            client_name: self.client.name.as_deref(),
            hidden: self.hides(&options),
            uid: self.uid.filter(|_| self.kind == Kind::Local),
            by: &options.hostname,
            with: self.with(transaction.parameters.smtputf8),
            tls: self.tls.as_ref(),
            id,
            for_: transaction.only_recipient().map(bare),
            time: self.shared.world.date(),
        };
        received.to_string().into_bytes()
    }

    fn arrival(&self) -> Arrival {
        match self.kind {
            Kind::Devices => Arrival::Device,
            Kind::Local => Arrival::Machine,
            Kind::Mx => Arrival::Anybody,
            Kind::Submission => Arrival::Person,
        }
    }

    /// RFC 3848, RFC 6531 section 4.3.
    fn with(&self, smtputf8: bool) -> &'static str {
        let authenticated = self.identity.is_some();
        match (smtputf8, self.tls.is_some(), authenticated) {
            _ if !self.esmtp => "SMTP",
            (false, false, false) => "ESMTP",
            (false, false, true) => "ESMTPA",
            (false, true, false) => "ESMTPS",
            (false, true, true) => "ESMTPSA",
            (true, false, false) => "UTF8SMTP",
            (true, false, true) => "UTF8SMTPA",
            (true, true, false) => "UTF8SMTPS",
            (true, true, true) => "UTF8SMTPSA",
        }
    }

    /// Whether the world does not learn where a message was written (SU-15). Programs on this machine
    /// pass on what others wrote.
    fn hides(&self, options: &Options) -> bool {
        matches!(self.kind, Kind::Devices | Kind::Submission) && options.hide_client
    }

    /// What is mended of a submitted message (SU-15).
    fn fixup(&self, id: &str, reverse: &ReversePath) -> Option<Box<Fixup>> {
        if self.kind == Kind::Mx {
            return None;
        }
        let (options, now) = (self.shared.options(), self.shared.world.date());
        let day = now.rfc3339();
        let day: String = day.chars().filter(char::is_ascii_digit).collect();
        Some(Box::new(Fixup {
            hide_client: self.hides(&options),
            hide_agent: self.kind == Kind::Submission && options.hide_agent,
            hostname: options.hostname.clone(),
            date: now.rfc5322(),
            from: match (self.kind, reverse) {
                (Kind::Devices | Kind::Local, ReversePath::Address(address)) => {
                    Some(address.to_string())
                }
                _ => None,
            },
            origin: match self.kind {
                Kind::Devices | Kind::Local => options.routing.origin.clone(),
                Kind::Mx | Kind::Submission => None,
            },
            message_id: format!("<{day}.{id}@{}>", options.hostname),
        }))
    }

    /// The content is whole: it is delivered to all recipients at once (SR-29).
    pub(super) async fn end(&mut self) -> Told {
        let Some(mut transaction) = self.transaction.take() else {
            return Reply::new(503, "5.5.1 Error: need MAIL command").into();
        };
        let Some(Message {
            id,
            reception,
            memory: _memory,
        }) = transaction.message.take()
        else {
            return Reply::new(503, "5.5.1 Error: need RCPT command").into();
        };
        match self.deliver(&transaction, &id, reception).await {
            Ok(()) => {
                let shared = &self.shared;
                warning::give(&shared.store, &*shared.world, &transaction.users()).await;
                Reply::new(250, format!("2.0.0 Ok: queued as {id}")).into()
            }
            Err(failure) => {
                let told = reply::message(&failure, self.name());
                self.log_failure(&transaction, &id, &failure, &told);
                told
            }
        }
    }

    /// The log-in name; empty for strangers.
    fn name(&self) -> &str {
        self.identity.as_ref().map_or("", |who| &who.name)
    }

    async fn deliver(
        &self,
        transaction: &Transaction,
        id: &str,
        reception: Reception,
    ) -> Result<(), Failure> {
        let whole = reception.finish().await?;
        log::info!(
            "{id}: message-id={}",
            Quoted(whole.message_id.as_deref().unwrap_or("<>"))
        );
        log::info!(
            "{id}: from={}, size={}, nrcpt={}",
            Quoted(&transaction.reverse.to_string()),
            whole.body.size(),
            transaction.recipients.len()
        );
        self.judge_authors(&whole.authors)?;
        let submitter = self.identity.as_ref().map(|who| who.user);
        let delivery = Delivery {
            prefix: trace::return_path(&transaction.reverse).into_bytes(),
            to: users(transaction),
            queue: queued(
                transaction,
                id,
                (self.arrival(), submitter),
                whole.eight_bit,
                self.shared.uptime(),
            ),
            settles: Vec::new(),
            warns: None,
        };
        if !delivery.is_empty()
            && let Some((queued, count)) = self.repeated(transaction, id, &whole)
        {
            return self.merge(transaction, whole, queued, count).await;
        }
        // All of it is dropped where all recipients are `discard:` (TR-12).
        if !delivery.is_empty() {
            let (now, leaves) = (self.shared.world.date(), delivery.queue.is_some());
            let message_id = whole.message_id.clone();
            inbound::deliver(&self.shared.store, whole, delivery, now).await?;
            if let Some(outbound) = self.shared.outbound().filter(|_| leaves) {
                outbound.wake();
            }
            self.tell_delivered(transaction, id, message_id.as_deref());
        }
        self.log_fates(transaction, id);
        Ok(())
    }

    /// It waits for a digest (LM-11).
    async fn merge(
        &self,
        transaction: &Transaction,
        whole: Whole,
        queued: Queued,
        count: u64,
    ) -> Result<(), Failure> {
        let (size, now) = (whole.body.size(), self.shared.world.date());
        let delivery = Delivery {
            prefix: trace::return_path(&transaction.reverse).into_bytes(),
            to: Vec::new(),
            queue: Some(queued.clone()),
            settles: Vec::new(),
            warns: None,
        };
        inbound::deliver(&self.shared.store, whole, delivery, now).await?;
        self.log_merged(transaction, &queued.id, count);
        self.merged(&queued, size);
        Ok(())
    }
}

/// The mailboxes that get it.
pub(super) fn users(transaction: &Transaction) -> Vec<Recipient> {
    let always = transaction.always();
    let users = transaction.users().into_iter();
    users
        .map(|user| Recipient {
            user,
            folder: None,
            flags: Flags::NONE,
            keywords: Vec::new(),
            always: always.contains(&user),
        })
        .collect()
}

/// The entry for everybody who is not here, with what the envelope asked for. `eight_bit`: the content
/// is; what was declared of it decides nothing, as some declare too much and some nothing.
pub(super) fn queued(
    transaction: &Transaction,
    id: &str,
    (arrival, submitter): (Arrival, Option<UserId>),
    eight_bit: bool,
    now: Uptime,
) -> Option<Queued> {
    let leaving = transaction.leaving();
    if leaving.is_empty() {
        return None;
    }
    let MailParameters {
        body: _,
        envid,
        requiretls,
        ret,
        size: _,
        smtputf8,
    } = &transaction.parameters;
    Some(Queued {
        id: id.to_owned(),
        sender: match &transaction.reverse {
            ReversePath::Address(address) => address.to_string(),
            ReversePath::Bare(local) => local.clone(),
            ReversePath::Null => String::new(),
        },
        submitter,
        arrival,
        envid: envid.clone(),
        ret: ret.map(|ret| match ret {
            parameter::Ret::Full => Ret::Full,
            parameter::Ret::Headers => Ret::Headers,
        }),
        body: if eight_bit {
            BodyKind::EightBitMime
        } else {
            BodyKind::SevenBit
        },
        smtputf8: *smtputf8,
        requiretls: *requiretls,
        recipients: leaving
            .iter()
            .map(|leaving| queued_recipient(leaving, now))
            .collect(),
    })
}

fn queued_recipient(leaving: &Leaving<'_>, now: Uptime) -> QueuedRecipient {
    QueuedRecipient {
        address: leaving.address.to_owned(),
        notify: leaving.parameters.notify.map(notify),
        orcpt: leaving.parameters.orcpt.clone(),
        srs: leaving.srs.then(|| leaving.domain.to_owned()),
        transport: leaving.transport.map(str::to_owned),
        due: now,
        ..QueuedRecipient::default()
    }
}

/// All false is NEVER (RFC 3461 section 4.1).
fn notify(asked: parameter::Notify) -> Notify {
    let words = [
        (asked.success, Notify::SUCCESS),
        (asked.failure, Notify::FAILURE),
        (asked.delay, Notify::DELAY),
    ];
    let bits = words.into_iter().filter(|(wanted, _)| *wanted);
    bits.map(|(_, bit)| bit)
        .reduce(Notify::with)
        .unwrap_or(Notify::NEVER)
}

/// A recipient without brackets.
fn bare(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Address(address) => address.to_string(),
        ForwardPath::Bare(local) => local.clone(),
    }
}
