//! One mail transaction: who sends, who gets it, and the message while it comes.

use std::collections::BTreeSet;

use crate::{
    base::{id::UserId, memory::Held, time::Instant},
    mail::path::{ForwardPath, ReversePath},
    policy::{recipient::is_role, sender::Origin},
    proto::smtp::{
        parameter::{MailParameters, RcptParameters},
        reply::Reply,
    },
    routing::Destination,
    service::{inbound::Reception, smtp::local::Guest},
};

/// Most destinations of a transaction: an alias may have 1,000 (FW-8), and recipients may be 100.
pub const DESTINATIONS_MAX: usize = 2000;

/// What is remembered from MAIL on.
#[derive(Debug)]
pub struct Transaction {
    pub reverse: ReversePath,
    pub parameters: MailParameters,
    /// Why the client may not come at all (SR-18); told at each recipient (SR-11).
    pub barred: Option<Reply>,
    /// Who it is, at the listeners for programs and devices.
    pub guest: Guest,
    /// The sender's domain is none of ours, as was seen at the last recipient.
    pub foreign: bool,
    /// What DNS says of that domain, once it was asked (SR-13).
    pub origin: Option<Origin>,
    /// Those that were accepted, in their order.
    pub recipients: Vec<Accepted>,
    pub begun: Instant,
    /// From DATA or the first BDAT on.
    pub message: Option<Message>,
    /// The log has told how it ends.
    pub fated: bool,
}

/// A recipient that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub path: ForwardPath,
    pub parameters: RcptParameters,
    /// Where its mail goes: at least one.
    pub destinations: Vec<Destination>,
    /// Members of a list who were full, and get no copy (ST-8).
    pub full: BTreeSet<UserId>,
    /// The store's last change when this was found out.
    pub sequence: u64,
}

impl Accepted {
    /// Whether `found` is where the mail goes still.
    #[must_use]
    pub fn leads_to(&self, found: &[Destination]) -> bool {
        found
            .iter()
            .filter(|destination| match destination {
                Destination::Mailbox { user, .. } => !self.full.contains(user),
                Destination::Discard { .. } | Destination::Queue { .. } => true,
            })
            .eq(&self.destinations)
    }
}

/// A message that is coming.
#[derive(Debug)]
pub struct Message {
    /// Its name in logs, in `Received:` and in `queued as`.
    pub id: String,
    pub reception: Reception,
    /// Kept while it comes (HD-4).
    pub memory: Held,
}

/// A message that leaves: an address, and the recipient that it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    pub address: &'a str,
    pub srs: bool,
    /// Of the recipient that it stands for; empty for a bare name.
    pub domain: &'a str,
    pub transport: Option<&'a str>,
    pub parameters: &'a RcptParameters,
}

impl Transaction {
    #[must_use]
    pub fn new(
        reverse: ReversePath,
        parameters: MailParameters,
        barred: Option<Reply>,
        guest: Guest,
        begun: Instant,
    ) -> Self {
        Self {
            reverse,
            parameters,
            barred,
            guest,
            foreign: false,
            origin: None,
            recipients: Vec::new(),
            begun,
            message: None,
            fated: false,
        }
    }

    /// Whether so many destinations more are too many.
    #[must_use]
    pub fn is_crowded(&self, more: usize) -> bool {
        let held: usize = self.recipients.iter().map(|r| r.destinations.len()).sum();
        held.saturating_add(more) > DESTINATIONS_MAX
    }

    /// Whose mailboxes get it; somebody reached twice gets one copy (FW-12).
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        let users: BTreeSet<_> = self.destinations().filter_map(whose).collect();
        users.into_iter().collect()
    }

    /// Those of them who get it however full they are: readers for postmaster and abuse (SR-26).
    #[must_use]
    pub fn always(&self) -> BTreeSet<UserId> {
        let roles = self.recipients.iter().filter(|r| is_role(&r.path));
        roles
            .flat_map(|r| &r.destinations)
            .filter_map(whose)
            .collect()
    }

    /// Who gets it elsewhere, in their order; each once (FW-12), as it was reached first.
    #[must_use]
    pub fn leaving(&self) -> Vec<Leaving<'_>> {
        let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
        for recipient in &self.recipients {
            for destination in &recipient.destinations {
                if let Destination::Queue {
                    address,
                    srs,
                    transport,
                } = destination
                    && seen.insert(address.to_lowercase())
                {
                    out.push(Leaving {
                        address,
                        srs: *srs,
                        domain: recipient.path.address().map_or("", |at| at.domain.as_str()),
                        transport: transport.as_deref(),
                        parameters: &recipient.parameters,
                    });
                }
            }
        }
        out
    }

    /// For the `for` clause: shown only where nobody learns of anybody else (RFC 5321 section 7.6).
    #[must_use]
    pub fn only_recipient(&self) -> Option<&ForwardPath> {
        match self.recipients.as_slice() {
            [only] => Some(&only.path),
            _ => None,
        }
    }

    fn destinations(&self) -> impl Iterator<Item = &Destination> {
        self.recipients.iter().flat_map(|r| &r.destinations)
    }
}

fn whose(destination: &Destination) -> Option<UserId> {
    match destination {
        Destination::Mailbox { user, .. } => Some(*user),
        Destination::Discard { .. } | Destination::Queue { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::path::parse_forward;

    fn accepted(path: &str, destinations: Vec<Destination>) -> Accepted {
        Accepted {
            path: parse_forward(path).unwrap(),
            parameters: RcptParameters::default(),
            destinations,
            full: BTreeSet::new(),
            sequence: 0,
        }
    }

    fn mailbox(user: u32) -> Destination {
        Destination::Mailbox {
            user: UserId(user),
            address: format!("{user}@home.test"),
        }
    }

    fn queue(address: &str) -> Destination {
        Destination::Queue {
            address: address.to_owned(),
            srs: true,
            transport: None,
        }
    }

    #[test]
    fn where_it_led_at_rcpt() {
        let mut list = accepted("<list@home.test>", vec![mailbox(2), queue("x@away.test")]);
        list.full.insert(UserId(1));
        for (found, want) in [
            (vec![mailbox(2), queue("x@away.test")], true),
            (vec![mailbox(1), mailbox(2), queue("x@away.test")], true),
            (vec![mailbox(2), mailbox(3), queue("x@away.test")], false),
            (vec![mailbox(2)], false),
            (vec![], false),
        ] {
            assert_eq!(list.leads_to(&found), want, "{found:?}");
        }
    }

    #[test]
    fn one_copy_each() {
        let mut transaction = Transaction::new(
            ReversePath::Null,
            MailParameters::default(),
            None,
            Guest::Trusted,
            Instant(0),
        );
        transaction.recipients = vec![
            accepted(
                "<all@home.test>",
                vec![mailbox(2), queue("x@away.test"), mailbox(1)],
            ),
            accepted("<a@home.test>", vec![mailbox(1)]),
            accepted(
                "<b@home.test>",
                vec![queue("X@away.test"), queue("y@away.test")],
            ),
        ];
        assert_eq!(transaction.users(), [UserId(1), UserId(2)]);
        let leaving: Vec<_> = transaction.leaving().iter().map(|l| l.address).collect();
        assert_eq!(leaving, ["x@away.test", "y@away.test"]);
        assert!(!transaction.is_crowded(DESTINATIONS_MAX - 6));
        assert!(transaction.is_crowded(DESTINATIONS_MAX - 5));
        assert_eq!(transaction.only_recipient(), None);
    }
}
