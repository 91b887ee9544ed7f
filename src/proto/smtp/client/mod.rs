//! The client of SMTP and LMTP (RFC 5321, RFC 2033): one connection, any number of transactions.

use crate::{base::secret::Secret, proto::smtp::reply::Reply};

/// How a connection is spoken on.
#[derive(Clone, Debug)]
pub struct Options {
    /// LHLO, and a reply for each recipient (RFC 2033).
    pub lmtp: bool,
    /// Our name.
    pub hello: String,
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
}

/// What the machine asks.
#[derive(Debug)]
pub enum Question {
    /// Greeted, under TLS and logged in as wished: what is sent first, or next?
    Next,
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
    /// Nothing more: QUIT.
    Quit,
    Transaction(Box<Transaction>),
}

/// One message to recipients of one destination.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Without brackets; empty = the null reverse-path.
    pub reverse: String,
    /// At least one.
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
