//! What the log tells of a connection and of its messages (OP-3): one line per fate.

use std::collections::BTreeSet;

use crate::{
    base::time::Instant,
    mail::path::ForwardPath,
    policy::connection::Client,
    proto::smtp::{
        reply::Reply,
        server::{Note, Noted},
    },
    routing::Destination,
    service::{
        inbound::Failure,
        reply::Told,
        smtp::{
            Door,
            journal::{Delay, Quoted, Said},
            transaction::Transaction,
        },
    },
};

impl Door {
    /// The message's first line; in the words of Postfix, who sent it.
    pub(super) fn log_client(&self, id: &str) {
        let sasl = self.identity.as_ref().map_or(String::new(), |who| {
            let (method, name) = (who.method, Quoted(&who.name));
            format!(", sasl_method={method}, sasl_username={name}")
        });
        log::info!("{id}: client={}{sasl}", named(&self.client));
    }

    /// What became of it for each recipient.
    pub(super) fn log_fates(&self, transaction: &Transaction, id: &str) {
        fates(transaction, id, self.shared.world.now());
    }

    /// It waits for a digest, the `count`-th of its kind in an hour (LM-11).
    pub(super) fn log_merged(&self, transaction: &Transaction, id: &str, count: u64) {
        let delay = Delay(self.shared.world.now().since(transaction.begun));
        for recipient in &transaction.recipients {
            let to = recipient.path.to_string();
            log::info!(
                "{id}: to={}, relay=none, delay={delay}, status=held (merged into a digest: number {count} of its kind within an hour)",
                Quoted(&to)
            );
        }
    }

    pub(super) fn log_failure(
        &self,
        transaction: &Transaction,
        id: &str,
        failure: &Failure,
        told: &Told,
    ) {
        if let Failure::Store(refusal) = failure {
            log::warn!("{id}: store: {refusal}");
        }
        match told {
            Told::Hang => log::warn!("{id}: from={}: not answered", reverse(transaction)),
            Told::Reply(reply) => log::info!(
                "{id}: {}: END-OF-MESSAGE from {}: {}; {}{}",
                self.verdict(reply),
                named(&self.client),
                Said(reply),
                envelope(transaction),
                self.greeting()
            ),
        }
    }

    /// `path` is that of a MAIL or RCPT, else empty.
    pub(super) fn log_refusal(&self, verb: &str, path: &str, refusal: &Reply) {
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
            "{}: {}: {verb} from {}: {}; {envelope}{}",
            transaction.and_then(id).unwrap_or("NOQUEUE"),
            self.verdict(refusal),
            named(&self.client),
            Said(refusal),
            self.greeting()
        );
    }

    /// What the session decided by itself.
    pub(super) fn log_note(&self, Note { after, what }: &Note) {
        match what {
            Noted::Authenticated { .. } => {}
            Noted::Lost => self.log_end("lost connection", after),
            Noted::Refused { path, reply } => self.log_refusal(after, path, reply),
            Noted::TimedOut => self.log_end("timeout", after),
            Noted::TooManyErrors => self.log_end("too many errors", after),
        }
    }

    /// `timeout after DATA from host[ip]`, in front of it the message's id, if it has one.
    pub(super) fn log_end(&self, how: &str, after: &str) {
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

    /// With soft bounces nothing is refused for good; the log tells what would be (OQ-5).
    fn verdict(&self, refusal: &Reply) -> &'static str {
        if refusal.code >= 500 && self.shared.options().soft_bounce {
            "would refuse"
        } else {
            "reject"
        }
    }

    fn greeting(&self) -> String {
        let proto = if self.esmtp { "ESMTP" } else { "SMTP" };
        format!("proto={proto} helo=<{}>", Quoted(&self.helo))
    }
}

/// What became of a message for each recipient; `orig_to` is whom the client named.
pub(super) fn fates(transaction: &Transaction, id: &str, now: Instant) {
    let delay = Delay(now.since(transaction.begun));
    let mut told = BTreeSet::new();
    for recipient in &transaction.recipients {
        let named = recipient.path.to_string();
        for destination in &recipient.destinations {
            let (address, relay, status) = fate(destination);
            let orig = if is_same(address, &recipient.path) {
                String::new()
            } else {
                format!(" orig_to={},", Quoted(&named))
            };
            let line = format!("to=<{}>,{orig}", Quoted(address));
            if told.insert(line.clone()) {
                log::info!("{id}: {line} relay={relay}, delay={delay}, status={status}");
            }
        }
    }
}

/// The client in log lines; its name comes from somebody's DNS.
pub(super) fn named(client: &Client) -> String {
    Quoted(&client.to_string()).to_string()
}

/// An address, who took the message, and what became of it there.
fn fate(destination: &Destination) -> (&str, &'static str, &'static str) {
    match destination {
        Destination::Discard { address } => (address, "none", "discarded (transport discard)"),
        Destination::Mailbox { address, .. } => (address, "local", "sent (delivered to mailbox)"),
        Destination::Queue { address, .. } => (address, "none", "queued (waits to be sent)"),
    }
}

fn is_same(address: &str, path: &ForwardPath) -> bool {
    match path {
        ForwardPath::Address(named) => {
            named.key() == address.to_lowercase() || named.to_string() == address
        }
        ForwardPath::Bare(_) => false,
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
