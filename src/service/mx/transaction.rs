//! One mail transaction: who sends, who gets it, and the message while it comes.

use crate::{
    base::{id::UserId, time::Instant},
    mail::path::{ForwardPath, ReversePath},
    policy::sender,
    proto::smtp::parameter::MailParameters,
    service::inbound::Reception,
};

/// What is remembered from MAIL on.
#[derive(Debug)]
pub struct Transaction {
    pub reverse: ReversePath,
    pub parameters: MailParameters,
    /// Why the sender is refused; told at each recipient (SR-11).
    pub objection: Option<sender::Refusal>,
    /// Those that were accepted, in their order.
    pub recipients: Vec<(ForwardPath, UserId)>,
    pub begun: Instant,
    /// From DATA or the first BDAT on.
    pub message: Option<Message>,
    /// The log has told how it ends.
    pub fated: bool,
}

/// A message that is coming.
#[derive(Debug)]
pub struct Message {
    /// Its name in logs, in `Received:` and in `queued as`.
    pub id: String,
    pub reception: Reception,
}

impl Transaction {
    #[must_use]
    pub fn new(
        reverse: ReversePath,
        parameters: MailParameters,
        objection: Option<sender::Refusal>,
        begun: Instant,
    ) -> Self {
        Self {
            reverse,
            parameters,
            objection,
            recipients: Vec::new(),
            begun,
            message: None,
            fated: false,
        }
    }

    /// Whose mailboxes get it; somebody reached twice gets one copy (FW-12).
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        let mut users: Vec<_> = self.recipients.iter().map(|(_, user)| *user).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// For the `for` clause: shown only where nobody learns of anybody else (RFC 5321 section 7.6).
    #[must_use]
    pub fn only_recipient(&self) -> Option<&ForwardPath> {
        match self.recipients.as_slice() {
            [(path, _)] => Some(path),
            _ => None,
        }
    }
}
