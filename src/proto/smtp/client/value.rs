//! What goes into the client and comes out of it.

use crate::{
    base::{machine::Secured, secret::Secret},
    proto::{
        sasl::client::{Proved, ToProve},
        smtp::reply::Reply,
    },
};

/// How a connection is spoken on.
#[derive(Clone, Debug)]
pub struct Options {
    /// LHLO, and a reply for each recipient (RFC 2033).
    pub lmtp: bool,
    /// Our name.
    pub hello: String,
    /// The peer's, for texts: `mx.away.test[192.0.2.1]`.
    pub peer: String,
    pub tls: Tls,
    /// Who logs in; only under TLS, unless `in_clear`.
    pub login: Option<Login>,
    pub in_clear: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tls {
    /// It was there before the first octet.
    Implicit,
    Never,
    /// Where it is offered.
    Offered,
    /// Else the connection ends before MAIL.
    Required,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    pub password: Secret,
    /// For SCRAM: fresh, at least 18 random octets, printable and without commas.
    pub nonce: String,
}

/// What the machine asks.
#[derive(Debug)]
pub enum Question {
    /// Greeted, under TLS and logged in as wished: what is sent first, or next?
    Next(Offer),
    /// SCRAM's arithmetic, which takes long: [`Answer::Proved`].
    Prove(Box<ToProve>),
    /// The octets of the present transaction's message from this one on: at least one, at most 64 KiB.
    Content { from: u64 },
    /// A transaction has ended; [`Answer::Noted`] once that is kept.
    Done(Report),
}

#[derive(Debug)]
pub enum Answer {
    /// `None`: they cannot be read. The connection ends, so that the peer drops what it has.
    Content(Option<Vec<u8>>),
    Noted,
    Proved(Box<Proved>),
    /// Nothing more: QUIT.
    Quit,
    Transaction(Box<Transaction>),
}

/// What the peer can do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an extension that is offered or not"
)]
pub struct Offer {
    /// Most recipients of one transaction (RFC 9422); 100 where it does not say.
    pub recipients_max: u32,
    /// In octets; 0 where it does not say.
    pub size_max: u64,
    pub dsn: bool,
    pub eight_bit: bool,
    pub requiretls: bool,
    pub smtputf8: bool,
    /// A handshake was made.
    pub secured: Option<Secured>,
}

/// One message to recipients of one destination.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Without brackets; empty = the null reverse-path.
    pub reverse: String,
    /// None: the sender alone is named, and that taken back.
    pub recipients: Vec<Recipient>,
    /// Octets of the message.
    pub size: u64,
    pub body: Body,
    pub smtputf8: bool,
    /// RFC 8689: the peer has to offer it.
    pub requiretls: bool,
    /// xtext, as it was given.
    pub envid: Option<String>,
    /// `FULL` or `HDRS`.
    pub ret: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub struct Recipient {
    pub address: String,
    /// As behind `NOTIFY=`.
    pub notify: Option<String>,
    pub orcpt: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Body {
    EightBitMime,
    #[default]
    SevenBit,
}

/// What became of a transaction: one outcome for each recipient, in their order.
#[derive(Clone, Debug)]
pub struct Report {
    pub outcomes: Vec<Outcome>,
    /// The peer does what NOTIFY asks itself (DSN was offered, RFC 3461 section 5.2.2).
    pub dsn: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// 2xx at the end (LMTP: for this recipient).
    Delivered(Reply),
    /// 4xx or 5xx at this command.
    Refused { at: Stage, reply: Reply },
    /// The connection ended or nothing came; at [`Stage::End`] nobody knows whether it was delivered.
    Lost { at: Stage, text: String },
    /// The peer lacks what the message needs (SMTPUTF8, REQUIRETLS, 8BITMIME, SIZE): for good, here. With a
    /// status of RFC 3463.
    Unfit { status: &'static str, text: String },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    Greeting,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the content.
    End,
}

/// How a connection ended that did not come to its first [`Question::Next`], or was lost between two
/// transactions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    pub at: Stage,
    /// `None`: lost, or no answer in time.
    pub reply: Option<Reply>,
    pub text: String,
}

impl Stage {
    /// As in Postfix's `(in reply to RCPT TO command)`.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Greeting => "initial greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::End => "end of DATA",
        }
    }

    /// As in Postfix's `lost connection with mx.away.test[192.0.2.1] while …`.
    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Greeting => "receiving the initial server greeting",
            Self::Hello => "performing the EHLO handshake",
            Self::StartTls => "asking for TLS",
            Self::Auth => "logging in",
            Self::Mail => "sending MAIL FROM",
            Self::Rcpt => "sending RCPT TO",
            Self::Data => "sending message body",
            Self::End => "sending end of data -- message may be sent more than once",
        }
    }
}
