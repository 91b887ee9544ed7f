//! The MX listener's side of a connection: settles what `proto::smtp::server` asks. It never relays
//! (SR-10), whoever the client is.

mod journal;
mod transaction;

use std::{cell::Cell, rc::Rc};

use self::{
    journal::{Delay, Quoted, Said, queue_id},
    transaction::{Message, Transaction},
};
use crate::{
    base::{id::UserId, machine::Secured},
    mail::{
        address::Address,
        flag::Flags,
        path::{ForwardPath, parse_forward, parse_reverse},
        trace,
    },
    net::{drive::Service, world::World},
    policy::{
        connection::Client,
        recipient,
        sender::{self, Whose},
    },
    proto::sasl,
    proto::smtp::{
        parameter::MailParameters,
        reply::Reply,
        server::{Answer, Note, Noted, Question, Session},
    },
    routing::{self, Destination, Refusal, Rights},
    service::{
        inbound::{self, Failure, Reception},
        lookup::{Rows, look},
        reply::{self, Told},
    },
    store::{Store, request::Recipient},
};

/// What the admin chose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Our name in `Received:` lines.
    pub hostname: String,
    pub routing: routing::Options,
    /// The port of `listen.local`, told to clients on loopback that want to relay (SR-10); `None`
    /// where there is no such listener.
    pub local_port: Option<String>,
}

/// What all connections of the listener share.
#[derive(Debug)]
pub struct Shared {
    store: Store,
    world: Rc<dyn World>,
    options: Options,
    /// Counts messages, for their ids.
    count: Cell<u32>,
}

impl Shared {
    #[must_use]
    pub fn new(store: Store, world: Rc<dyn World>, options: Options) -> Self {
        let mut start = [0; 4];
        world.random().fill(&mut start);
        Self {
            store,
            world,
            options,
            count: Cell::new(u32::from_le_bytes(start)),
        }
    }

    fn next_id(&self) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        queue_id(self.world.time().0, count)
    }
}

/// One connection. Logs its beginning and its end.
#[derive(Debug)]
pub struct Mx {
    shared: Rc<Shared>,
    client: Client,
    /// The name that the client gave itself, empty before HELO.
    helo: String,
    esmtp: bool,
    tls: Option<Secured>,
    transaction: Option<Box<Transaction>>,
}

impl Mx {
    #[must_use]
    pub fn new(shared: Rc<Shared>, client: Client, tls: Option<Secured>) -> Self {
        log::info!("connect from {}", named(&client));
        Self {
            shared,
            client,
            helo: String::new(),
            esmtp: false,
            tls,
            transaction: None,
        }
    }

    /// MAIL. A sender that is refused is refused at its recipients (SR-11).
    fn sender(&mut self, path: &str, parameters: MailParameters) -> Reply {
        let Ok(reverse) = parse_reverse(path) else {
            let refusal = Reply::new(501, "5.1.7 Bad sender address syntax");
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        };
        if !self.shared.store.status().room {
            let refusal = reply::no_room();
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        }
        let routing = &self.shared.options.routing;
        let judged = look(&self.shared.store, |rows| {
            sender::judge(&reverse, |address| whose(rows, routing, address))
        });
        let objection = judged.unwrap_or(Err(sender::Refusal::LookupFailed)).err();
        let begun = self.shared.world.now();
        self.transaction = Some(Box::new(Transaction::new(
            reverse, parameters, objection, begun,
        )));
        Reply::new(250, "2.1.0 Ok")
    }

    /// RCPT.
    fn recipient(&mut self, path: &str) -> Reply {
        let Ok(forward) = parse_forward(path) else {
            let refusal = Reply::new(501, "5.1.3 Bad recipient address syntax");
            self.log_refusal("RCPT", path, &refusal);
            return refusal;
        };
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, "5.5.1 Error: need MAIL command");
        };
        match self.judge(transaction, &forward) {
            Ok(users) => {
                if let Some(transaction) = &mut self.transaction {
                    let each = users.into_iter().map(|user| (forward.clone(), user));
                    transaction.recipients.extend(each);
                }
                Reply::new(250, "2.1.5 Ok")
            }
            Err(refusal) => {
                self.log_refusal("RCPT", &forward.to_string(), &refusal);
                refusal
            }
        }
    }

    fn judge(
        &self,
        transaction: &Transaction,
        forward: &ForwardPath,
    ) -> Result<Vec<UserId>, Reply> {
        let always = recipient::is_role(forward);
        if let Some(objection) = transaction.objection.filter(|_| !always) {
            return Err(reply::sender(objection, &transaction.reverse));
        }
        let options = &self.shared.options;
        let found = look(&self.shared.store, |rows| {
            let routed = routing::route(rows, &options.routing, Rights::Stranger, forward);
            let mut people = Vec::new();
            for destination in routed.outcome? {
                match destination {
                    Destination::Mailbox { user, .. } => people.push((user, rows.room(user)?)),
                    // Nothing leaves yet.
                    Destination::Queue { .. } => return Err(Refusal::Foreign),
                    Destination::Discard { .. } => {}
                }
            }
            Ok(people)
        });
        let hint = options.local_port.as_deref();
        let hint = hint.filter(|_| self.client.is_loopback());
        let people = found
            .unwrap_or(Err(Refusal::LookupFailed))
            .map_err(|refusal| reply::recipient(&refusal, forward, hint))?;
        if !self.shared.store.status().room {
            return Err(reply::no_room());
        }
        for (_, room) in people.iter().filter(|_| !always) {
            recipient::judge(*room, transaction.parameters.size)
                .map_err(|recipient::Full| reply::full(forward))?;
        }
        Ok(people.into_iter().map(|(user, _)| user).collect())
    }

    /// DATA or the first BDAT.
    fn begin(&mut self) -> Reply {
        let id = self.shared.next_id();
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, "5.5.1 Error: need MAIL command");
        };
        if !self.shared.store.status().room {
            let refusal = reply::no_room();
            self.log_refusal("DATA", "", &refusal);
            return refusal;
        }
        let reception = Reception::begin(&self.shared.store, self.trace(transaction, &id));
        log::info!("{id}: client={}", named(&self.client));
        if let Some(transaction) = &mut self.transaction {
            transaction.message = Some(Message { id, reception });
            transaction.fated = false;
        }
        Reply::new(250, "2.0.0 Ok")
    }

    /// Our `Received:` field (SR-28).
    fn trace(&self, transaction: &Transaction, id: &str) -> Vec<u8> {
        let received = trace::Received {
            from_helo: &self.helo,
            client_ip: self.client.ip,
            client_name: self.client.name.as_deref(),
            by: &self.shared.options.hostname,
            with: self.with(transaction.parameters.smtputf8),
            tls: self.tls.as_ref(),
            id,
            for_: transaction.only_recipient().map(bare),
            time: self.shared.world.time(),
        };
        received.to_string().into_bytes()
    }

    /// RFC 3848, RFC 6531 section 4.3.
    fn with(&self, smtputf8: bool) -> &'static str {
        match (self.esmtp, smtputf8, self.tls.is_some()) {
            (false, _, _) => "SMTP",
            (true, false, false) => "ESMTP",
            (true, false, true) => "ESMTPS",
            (true, true, false) => "UTF8SMTP",
            (true, true, true) => "UTF8SMTPS",
        }
    }

    /// The content is whole: it is delivered to all recipients at once (SR-29).
    async fn end(&mut self) -> Told {
        let Some(mut transaction) = self.transaction.take() else {
            return Reply::new(503, "5.5.1 Error: need MAIL command").into();
        };
        let Some(Message { id, reception }) = transaction.message.take() else {
            return Reply::new(503, "5.5.1 Error: need RCPT command").into();
        };
        match self.deliver(&transaction, &id, reception).await {
            Ok(()) => {
                self.log_sent(&transaction, &id);
                Reply::new(250, format!("2.0.0 Ok: queued as {id}")).into()
            }
            Err(failure) => {
                let told = reply::message(&failure);
                self.log_failure(&transaction, &id, &failure, &told);
                told
            }
        }
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
        let to = transaction.users().into_iter().map(|user| Recipient {
            user,
            folder: None,
            flags: Flags::NONE,
            keywords: Vec::new(),
        });
        let shared = &self.shared;
        let prefix = trace::return_path(&transaction.reverse).into_bytes();
        let now = shared.world.time();
        inbound::deliver(&shared.store, whole, prefix, to.collect(), now).await?;
        Ok(())
    }

    fn log_sent(&self, transaction: &Transaction, id: &str) {
        let delay = self.shared.world.now().since(transaction.begun);
        for (path, _) in &transaction.recipients {
            log::info!(
                "{id}: to={}, relay=local, delay={}, status=sent (delivered to mailbox)",
                Quoted(&path.to_string()),
                Delay(delay)
            );
        }
    }

    fn log_failure(&self, transaction: &Transaction, id: &str, failure: &Failure, told: &Told) {
        if let Failure::Store(refusal) = failure {
            log::warn!("{id}: store: {refusal}");
        }
        match told {
            Told::Hang => log::warn!("{id}: from={}: not answered", reverse(transaction)),
            Told::Reply(reply) => log::info!(
                "{id}: reject: END-OF-MESSAGE from {}: {}; {}{}",
                named(&self.client),
                Said(reply),
                envelope(transaction),
                self.greeting()
            ),
        }
    }

    /// `path` is that of a MAIL or RCPT, else empty.
    fn log_refusal(&self, verb: &str, path: &str, refusal: &Reply) {
        let transaction = self.transaction.as_deref();
        let envelope = match (verb, transaction) {
            ("MAIL", None) if !path.is_empty() => format!("from={} ", Quoted(path)),
            ("RCPT", Some(transaction)) if !path.is_empty() => {
                format!("from={} to={} ", reverse(transaction), Quoted(path))
            }
            (_, Some(transaction)) => envelope(transaction),
            (_, None) => String::new(),
        };
        log::info!(
            "{}: reject: {verb} from {}: {}; {envelope}{}",
            transaction.and_then(id).unwrap_or("NOQUEUE"),
            named(&self.client),
            Said(refusal),
            self.greeting()
        );
    }

    /// What the session decided by itself.
    fn note(&mut self, Note { after, what }: &Note) {
        match what {
            Noted::Authenticated { .. } => {}
            Noted::Lost => self.log_end("lost connection", after),
            Noted::Refused { path, reply } => self.log_refusal(after, path, reply),
            Noted::TimedOut => self.log_end("timeout", after),
            Noted::TooManyErrors => self.log_end("too many errors", after),
        }
        // What is wrong with another command than these leaves a message as it is.
        let refused = matches!(what, Noted::Refused { .. });
        if let Some(transaction) = &mut self.transaction
            && (!refused || matches!(*after, "BDAT" | "DATA"))
        {
            transaction.fated = true;
        }
    }

    /// `timeout after DATA from host[ip]`, in front of it the message's id, if it has one.
    fn log_end(&self, how: &str, after: &str) {
        let transaction = self.transaction.as_deref();
        let mut line = format!("{how} after {after} from {}", named(&self.client));
        if let Some(id) = transaction.and_then(id) {
            line.insert_str(0, &format!("{id}: "));
        }
        if let Some(transaction) = transaction {
            line.push_str("; ");
            line.push_str(&envelope(transaction));
            line.push_str(&self.greeting());
        }
        log::info!("{line}");
    }

    /// The transaction is over. A message that had begun has its line by now, or gets it here.
    fn forget(&mut self, how: &str, after: &str) {
        if let Some(transaction) = &self.transaction
            && !transaction.fated
            && transaction.message.is_some()
        {
            self.log_end(how, after);
        }
        self.transaction = None;
    }

    fn greeting(&self) -> String {
        let proto = if self.esmtp { "ESMTP" } else { "SMTP" };
        format!("proto={proto} helo=<{}>", Quoted(&self.helo))
    }
}

impl Service for Mx {
    type Machine = Session;

    async fn ask(&mut self, question: Question) -> Answer {
        let told = match question {
            Question::Auth(_) => return Answer::Auth(sasl::Answer::Refused),
            Question::Begin => self.begin().into(),
            Question::End { .. } => Box::pin(self.end()).await,
            Question::Forget { after } => {
                self.forget("canceled", after);
                Reply::new(250, "2.0.0 Ok").into()
            }
            Question::Hello { name, esmtp } => {
                self.helo = name;
                self.esmtp = esmtp;
                Reply::new(250, "Ok").into()
            }
            Question::Note(note) => {
                self.note(&note);
                Reply::new(250, "2.0.0 Ok").into()
            }
            Question::QueueRun { .. } => {
                Reply::new(458, "4.7.1 Unable to queue messages for this node").into()
            }
            Question::Recipient { path, .. } => self.recipient(&path).into(),
            Question::Sender { path, parameters } => self.sender(&path, parameters).into(),
        };
        match told {
            Told::Hang => Answer::Hang,
            Told::Reply(reply) => Answer::Reply(reply),
        }
    }

    async fn content(&mut self, octets: Vec<u8>) {
        if let Some(transaction) = &mut self.transaction
            && let Some(message) = &mut transaction.message
        {
            Box::pin(message.reception.write(&octets)).await;
        }
    }

    /// The machine sends no content.
    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    /// Nothing happens here that a sender waits for.
    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for Mx {
    fn drop(&mut self) {
        self.forget("lost connection", "DATA");
        log::info!("disconnect from {}", named(&self.client));
    }
}

/// The message's name, once it has one.
fn id(transaction: &Transaction) -> Option<&str> {
    let message = transaction.message.as_ref()?;
    Some(&message.id)
}

fn reverse(transaction: &Transaction) -> String {
    Quoted(&transaction.reverse.to_string()).to_string()
}

/// `from=<> to=<> `; of many recipients the number.
fn envelope(transaction: &Transaction) -> String {
    let to = match (transaction.only_recipient(), transaction.recipients.len()) {
        (_, 0) => String::new(),
        (Some(path), _) => format!("to={} ", Quoted(&path.to_string())),
        (None, count) => format!("nrcpt={count} "),
    };
    format!("from={} {to}", reverse(transaction))
}

/// A recipient without brackets.
fn bare(path: &ForwardPath) -> String {
    match path {
        ForwardPath::Address(address) => address.to_string(),
        ForwardPath::Bare(local) => local.clone(),
    }
}

/// The client in log lines; its name comes from somebody's DNS.
fn named(client: &Client) -> String {
    Quoted(&client.to_string()).to_string()
}

fn whose(rows: &Rows<'_>, options: &routing::Options, address: &Address) -> Whose {
    let path = ForwardPath::Address(address.clone());
    match routing::route(rows, options, Rights::Stranger, &path).outcome {
        Err(Refusal::Foreign) => Whose::Foreign,
        Err(Refusal::LookupFailed) => Whose::LookupFailed,
        Err(Refusal::Unknown) => Whose::Nobodys,
        Err(
            Refusal::AliasLoop | Refusal::Nobody | Refusal::TooMany | Refusal::Transport { .. },
        )
        | Ok(_) => Whose::Ours,
    }
}
