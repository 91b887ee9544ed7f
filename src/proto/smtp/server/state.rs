//! Where a session stands. Rare and large parts are boxed: an idle session is small.

use super::Question;
use super::incoming::{Chunk, Incoming};
use crate::proto::sasl::Exchange;
use crate::proto::smtp::content::Text;
use crate::proto::smtp::server::clock::Clock;

#[derive(Debug)]
pub enum State {
    /// To be handed to the driver.
    Ask(Box<Question>, Pending),
    /// With the driver.
    Asked(Pending),
    Command,
    Content(Box<Incoming>),
    Done,
    /// Write what there is to say, have the transaction forgotten, close.
    Ending,
    /// Not greeted yet.
    Fresh,
    /// STARTTLS was accepted; its reply has to leave.
    Handshake,
    Handshaking,
    /// Within a line that is too long; `octets` of it are swallowed. `response`: it was one of an
    /// authentication exchange.
    LongLine {
        octets: usize,
        after_cr: bool,
        response: bool,
    },
    /// For the answer to a challenge.
    Response(Box<Exchange>),
}

/// Whose answer is waited for, and what it needs to go on.
#[derive(Debug)]
pub enum Pending {
    Auth(Box<Exchange>),
    /// With the chunk that follows, if it was BDAT.
    Begin(Option<Chunk>),
    End,
    Forget(After),
    Hello {
        esmtp: bool,
    },
    QueueRun,
    Recipient,
    Sender(Box<Transaction>),
}

/// What comes after the transaction is forgotten.
#[derive(Debug)]
pub enum After {
    Close,
    /// Swallow the rest.
    Content(Box<Incoming>),
    Hello {
        name: String,
        esmtp: bool,
    },
    Reset,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hello {
    Ehlo,
    Helo,
    #[default]
    None,
}

#[derive(Debug)]
pub enum Mail {
    /// A chunk was refused: all that follow up to `LAST` or RSET are swallowed.
    Failed,
    None,
    Open(Box<Transaction>),
}

/// A mail transaction whose sender was accepted.
#[derive(Debug, Default)]
pub struct Transaction {
    pub null_sender: bool,
    pub smtputf8: bool,
    pub accepted: u32,
    pub refused: u32,
    /// RCPTs beyond the limit.
    pub beyond: u32,
    /// Once content came by BDAT.
    pub chunks: Option<(Text, Clock)>,
}

impl Mail {
    /// Whether part of a message has come already.
    pub fn has_content(&self) -> bool {
        matches!(self, Self::Open(transaction) if transaction.chunks.is_some())
    }

    pub fn has_recipient(&self) -> bool {
        matches!(self, Self::Open(transaction) if transaction.accepted > 0)
    }
}
