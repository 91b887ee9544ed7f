//! What has to do with mail that only passes through: bounces to senders that we rewrote (FW-11), ETRN
//! (SR-21), and reports of deliveries here.

use crate::{
    mail::{
        address::Address,
        domain::Domain,
        path::{ForwardPath, ReversePath},
        srs,
    },
    proto::smtp::reply::Reply,
    routing::{self, Class, Destination, Refusal, Routed, class::class},
    service::{
        lookup::{self, Rows},
        smtp::{Door, Options, transaction::Transaction},
    },
    store::queue::{Arrival, Queued, QueuedRecipient},
};

impl Door {
    /// Where a recipient's mail goes. A reverse-path of our own making leads to whom it stands for, if we
    /// did make it.
    pub(super) fn route(
        &self,
        rows: &Rows<'_>,
        options: &Options,
        rights: routing::Rights,
        forward: &ForwardPath,
    ) -> Routed {
        let route =
            |rights, path: &ForwardPath| routing::route(rows, &options.routing, rights, path);
        let ForwardPath::Address(address) = forward else {
            return route(rights, forward);
        };
        let ours = srs::is_rewritten(&address.local)
            && matches!(
                class(rows, &options.routing, &address.domain),
                Ok(Some(class)) if class.is_hosted()
            );
        if !ours {
            return route(rights, forward);
        }
        let now = self.shared.world.time();
        let sender = self.shared.srs.original(&address.local, now).ok();
        let Some(sender) = sender.and_then(|sender| Address::parse(&sender)) else {
            return Routed {
                outcome: Err(Refusal::Unknown),
                steps: Vec::new(),
            };
        };
        let mut routed = route(routing::Rights::User, &ForwardPath::Address(sender));
        for destination in routed.outcome.iter_mut().flatten() {
            if let Destination::Queue { srs, .. } = destination {
                *srs = true;
            }
        }
        routed
    }

    /// ETRN (RFC 1985): what waits for a domain that we keep mail for is tried at once.
    pub(super) fn queue_run(&self, argument: &str) -> Reply {
        let name = argument.strip_prefix('@').unwrap_or(argument);
        let refused = || Reply::new(458, "4.7.1 Unable to queue messages for this node");
        let (Some(outbound), Some(domain)) = (self.shared.outbound(), Domain::parse(name)) else {
            return refused();
        };
        let options = self.shared.options();
        let class = lookup::find(&self.shared.store, |rows| {
            class(rows, &options.routing, &domain)
        });
        if !matches!(class, Ok(Some(Class::Backup | Class::Relay))) {
            return refused();
        }
        match outbound.hurry(&domain) {
            None => refused(),
            Some(0) => Reply::new(251, "2.0.0 OK, no messages waiting"),
            Some(count) => Reply::new(253, format!("2.0.0 OK, {count} pending messages started")),
        }
    }

    /// Tells the sender of deliveries to mailboxes here, where that was asked for (RFC 3461 section 6.1).
    pub(super) fn tell_delivered(
        &self,
        transaction: &Transaction,
        id: &str,
        message_id: Option<&str>,
    ) {
        let ReversePath::Address(sender) = &transaction.reverse else {
            return;
        };
        let asked = transaction.recipients.iter().filter(|recipient| {
            let success = recipient
                .parameters
                .notify
                .is_some_and(|notify| notify.success);
            let here = |to: &Destination| matches!(to, Destination::Mailbox { .. });
            success && recipient.destinations.iter().any(here)
        });
        let recipients: Vec<_> = asked
            .map(|recipient| QueuedRecipient {
                address: match &recipient.path {
                    ForwardPath::Address(address) => address.to_string(),
                    ForwardPath::Bare(local) => local.clone(),
                },
                orcpt: recipient.parameters.orcpt.clone(),
                ..QueuedRecipient::default()
            })
            .collect();
        let Some(outbound) = self.shared.outbound().filter(|_| !recipients.is_empty()) else {
            return;
        };
        let queued = Queued {
            id: id.to_owned(),
            sender: sender.to_string(),
            submitter: None,
            envid: transaction.parameters.envid.clone(),
            ret: None,
            body: crate::store::queue::BodyKind::SevenBit,
            smtputf8: transaction.parameters.smtputf8,
            requiretls: transaction.parameters.requiretls,
            arrival: Arrival::Here,
            recipients,
        };
        let header = match message_id {
            Some(id) if id.is_ascii() => format!("Message-ID: {}\r\n", id.trim()),
            _ => String::new(),
        };
        outbound.delivered(queued, self.shared.world.time(), header.into_bytes());
    }
}
