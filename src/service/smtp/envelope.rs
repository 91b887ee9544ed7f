//! MAIL and RCPT: judged with the directory as it is at that command, and refused before any content.

use std::collections::BTreeSet;

use crate::{
    base::id::UserId,
    mail::{
        address::Address,
        path::{ForwardPath, ReversePath, parse_forward, parse_reverse},
    },
    policy::{
        recipient,
        sender::{self, Whose},
    },
    proto::smtp::{
        parameter::{MailParameters, RcptParameters},
        reply::Reply,
    },
    routing::{self, Destination, Refusal, Routed, Step},
    service::{
        lookup::{self, Rows},
        reply,
        smtp::{
            Door, Kind, Options,
            journal::Quoted,
            mx, submission,
            transaction::{Accepted, Transaction},
        },
    },
};

/// What the directory says of a recipient.
struct Found {
    /// Why its sender is refused (SR-11).
    objection: Option<Objection>,
    /// The sender's domain is none of ours.
    foreign: bool,
    routed: Routed,
    /// Of the mailboxes where it ends, in their order.
    rooms: Vec<(UserId, recipient::Room)>,
    /// The store's last change at that moment.
    sequence: u64,
    /// Some of it leaves, and the queue takes no more.
    queue_full: bool,
}

/// A sender that is refused.
pub(super) struct Objection {
    pub refusal: sender::Refusal,
    /// The authenticated user that it does not belong to.
    pub user: String,
}

impl Door {
    /// MAIL. A sender that is refused is refused at its recipients (SR-11).
    pub(super) fn sender(&mut self, path: &str, parameters: MailParameters) -> Reply {
        let Ok(reverse) = parse_reverse(path) else {
            let refusal = Reply::new(501, "5.1.7 Bad sender address syntax");
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        };
        self.shared.look_at_names();
        if let Err(refusal) = self.still_welcome().and_then(|()| self.room()) {
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        }
        let judged = self.guest().and_then(|guest| {
            let barred = match self.kind {
                Kind::Mx => mx::is_barred(&self.shared.store, self.client.ip)?
                    .then(|| reply::client(&self.client)),
                Kind::Devices | Kind::Local | Kind::Submission => self.barred(&guest),
            };
            Ok((guest, barred))
        });
        let Ok((guest, barred)) = judged else {
            let refusal = reply::lookup_failed(&reverse);
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        };
        if let Some(refusal) = self.slowed(&guest) {
            self.log_refusal("MAIL", path, &refusal);
            return refusal;
        }
        let reverse = match self.kind {
            Kind::Mx => reverse,
            Kind::Devices | Kind::Local | Kind::Submission => {
                completed(reverse, &self.shared.options().routing)
            }
        };
        let begun = self.shared.world.now();
        let transaction = Transaction::new(reverse, parameters, barred, guest, begun);
        self.transaction = Some(Box::new(transaction));
        Reply::new(250, "2.1.0 Ok")
    }

    /// RCPT.
    pub(super) async fn recipient(&mut self, path: &str, parameters: RcptParameters) -> Reply {
        let Ok(forward) = parse_forward(path) else {
            let refusal = Reply::new(501, "5.1.3 Bad recipient address syntax");
            self.log_refusal("RCPT", path, &refusal);
            return refusal;
        };
        let Some(transaction) = &self.transaction else {
            return Reply::new(503, "5.5.1 Error: need MAIL command");
        };
        let judged = match self.judge(transaction, &forward) {
            Ok((accepted, foreign)) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.foreign = foreign;
                }
                self.whence(&forward).await.map(|()| accepted)
            }
            Err(refusal) => Err(refusal),
        };
        match judged {
            Ok(accepted) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients.push(Accepted {
                        path: forward,
                        parameters,
                        ..accepted
                    });
                }
                Reply::new(250, "2.1.5 Ok")
            }
            Err(refusal) => {
                self.log_refusal("RCPT", &forward.to_string(), &refusal);
                refusal
            }
        }
    }

    /// Where a recipient's mail goes, and whether the sender's domain is none of ours.
    fn judge(
        &self,
        transaction: &Transaction,
        forward: &ForwardPath,
    ) -> Result<(Accepted, bool), Reply> {
        self.still_welcome()?;
        // The admin's word against a network is stronger than everybody's right to write to the
        // postmaster (RFC 5321 section 4.5.1 knows the extreme case).
        if let Some(refusal) = &transaction.barred {
            return Err(refusal.clone());
        }
        Self::may_send(&transaction.guest, &transaction.reverse)?;
        if let Some(address) = forward.address() {
            Self::may_reach(&transaction.guest, address)?;
        }
        let options = self.shared.options();
        let found = lookup::find(&self.shared.store, |rows| {
            self.find(rows, &options, transaction, forward)
        })
        .map_err(|_| reply::lookup_failed(forward))?;
        if let Some(objection) = &found.objection {
            return Err(reply::sender(
                objection.refusal,
                &transaction.reverse,
                &objection.user,
            ));
        }
        log_dead(forward, &found.routed.steps);
        let hint = options.local_port.as_deref();
        let hint = hint.filter(|_| self.client.is_loopback());
        let refused = |refusal| reply::recipient(refusal, forward, hint);
        let mut destinations = found.routed.outcome.map_err(refused)?;
        if self.stays(&destinations) {
            return Err(reply::local_only(forward, &options.local.reject_text));
        }
        self.room()?;
        if found.queue_full {
            return Err(reply::queue_full());
        }
        if transaction.is_crowded(destinations.len()) && !transaction.recipients.is_empty() {
            return Err(Reply::new(452, "4.5.3 Error: too many recipients"));
        }
        // Somebody who has another way to go does not depend on these.
        let others = destinations.len() > found.rooms.len();
        let rooms: Vec<_> = found.rooms.iter().map(|(_, room)| *room).collect();
        let mut full = BTreeSet::new();
        if !recipient::is_role(forward) {
            recipient::judge(&rooms, others, transaction.parameters.size)
                .map_err(|recipient::Full| reply::full(forward))?;
            let is_full =
                |(user, room): &(UserId, recipient::Room)| room.is_full().then_some(*user);
            full = found.rooms.iter().filter_map(is_full).collect();
            drop_full(forward, &mut destinations, &full);
        }
        let accepted = Accepted {
            path: forward.clone(),
            parameters: RcptParameters::default(),
            destinations,
            full,
            sequence: found.sequence,
        };
        Ok((accepted, found.foreign))
    }

    /// Whether the mail still goes where it went at RCPT: aliases and people may have changed since.
    pub(super) fn still_there(&self, transaction: &Transaction) -> Result<(), Reply> {
        let options = self.shared.options();
        let rights = self.rights();
        let same = lookup::find(&self.shared.store, |rows| {
            let now = rows.sequence()?;
            let same = |accepted: &Accepted| {
                accepted.sequence == now
                    || self
                        .route(rows, &options, rights, &accepted.path)
                        .outcome
                        .is_ok_and(|found| accepted.leads_to(&found))
            };
            Ok(transaction.recipients.iter().all(same))
        });
        // The peer asks again, and hears at RCPT what has become of them.
        match same {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Reply::new(451, "4.3.0 Temporary lookup failure")),
        }
    }

    fn rights(&self) -> routing::Rights {
        match (self.kind, &self.identity) {
            (Kind::Devices | Kind::Local, _) | (Kind::Submission, Some(_)) => routing::Rights::User,
            (Kind::Mx | Kind::Submission, _) => routing::Rights::Stranger,
        }
    }

    fn find(
        &self,
        rows: &Rows<'_>,
        options: &Options,
        transaction: &Transaction,
        forward: &ForwardPath,
    ) -> Result<Found, routing::LookupFailed> {
        let mut foreign = false;
        let objection = match (self.kind, &self.identity) {
            // Postmaster and abuse take mail whoever it claims to be from (SR-26).
            (Kind::Mx, _) if recipient::is_role(forward) => None,
            (Kind::Mx, _) => {
                let (objection, whose) =
                    mx::objection(rows, &options.routing, &transaction.reverse);
                foreign = whose == Some(Whose::Foreign);
                objection
            }
            (Kind::Submission, Some(who)) => {
                submission::objection(rows, &options.routing, who, &transaction.reverse)?
            }
            (Kind::Devices | Kind::Local, _) | (Kind::Submission, None) => None,
        };
        let routed = self.route(rows, options, self.rights(), forward);
        let (mut rooms, mut leaves) = (Vec::new(), false);
        for destination in routed.outcome.iter().flatten() {
            match destination {
                Destination::Discard { .. } => {}
                Destination::Mailbox { user, .. } => rooms.push((*user, rows.room(*user)?)),
                Destination::Queue { .. } => leaves = true,
            }
        }
        let queue_full = leaves && rows.queue_full(options.queue_entries, options.queue_octets)?;
        Ok(Found {
            objection,
            foreign,
            routed,
            rooms,
            sequence: rows.sequence()?,
            queue_full,
        })
    }

    /// Whether the disk takes anything (SR-30).
    pub(super) fn room(&self) -> Result<(), Reply> {
        if self.shared.store.has_room() {
            Ok(())
        } else {
            Err(reply::no_room())
        }
    }
}

/// What of an expansion leads nowhere, while the rest lives (FW-9).
fn log_dead(forward: &ForwardPath, steps: &[Step]) {
    for step in steps {
        if let Step::Dead { address, refusal } = step
            && *refusal != Refusal::Foreign
            && forward.address().map(ToString::to_string).as_ref() != Some(address)
        {
            log::warn!(
                "NOQUEUE: dead end: {} leads to <{}>: {refusal}",
                Quoted(&forward.to_string()),
                Quoted(address)
            );
        }
    }
}

/// Members of a list who are full already get no copy: else they would get every one (ST-8).
fn drop_full(forward: &ForwardPath, destinations: &mut Vec<Destination>, full: &BTreeSet<UserId>) {
    if full.is_empty() {
        return;
    }
    destinations.retain(|destination| match destination {
        Destination::Mailbox { user, address } if full.contains(user) => {
            log::warn!(
                "NOQUEUE: dead end: {} leads to <{}>: the mailbox is full",
                Quoted(&forward.to_string()),
                Quoted(address)
            );
            false
        }
        _ => true,
    });
}

/// A bare local part with the origin behind it (AC-8).
fn completed(reverse: ReversePath, options: &routing::Options) -> ReversePath {
    let ReversePath::Bare(local) = &reverse else {
        return reverse;
    };
    let origin = options.origin.clone();
    match origin.and_then(|origin| Address::new(local.clone(), origin)) {
        Some(address) => ReversePath::Address(address),
        None => reverse,
    }
}
