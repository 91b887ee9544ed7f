//! Reports about the delivery of a message (RFC 3464, in the frame of RFC 6522; RFC 6533 where addresses
//! hold UTF-8). Written by hand: the few lines that a report has are all there is to write, and nothing
//! that others said may get out of its place.

mod clean;
mod words;

use memchr::memmem;

use crate::{
    base::time::Time,
    mail::{
        header,
        report::clean::{Charset, field},
    },
};

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
    /// The server that said so, as `host` or `host[ip]:port`; `None` where the text is ours.
    pub remote: Option<String>,
    /// Its reply with the codes, and perhaps behind [`WHEN`] to what; or what went wrong here. From anybody: it is made harmless here.
    pub text: String,
    pub tried: Option<Time>,
    /// Until when it is tried again ([`Action::Delayed`]).
    pub until: Option<Time>,
}

/// RFC 3464 section 2.3.3. What weighs less comes first: a report is named by the heaviest.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Action {
    Expanded,
    Relayed,
    Delivered,
    Delayed,
    #[default]
    Failed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Expanded => "expanded",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
            Self::Delayed => "delayed",
            Self::Failed => "failed",
        }
    }
}

/// What goes back of the message itself.
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// Its header block, with or without its empty line.
    Header(&'a [u8]),
    /// All of it; of more than [`WHOLE_MAX`] octets only the header goes back.
    Whole(&'a [u8]),
}

/// Between a reply and the command to which it came, as people read it.
pub const WHEN: &str = " (in reply to ";

/// A longer message does not go back whole, in octets.
pub const WHOLE_MAX: usize = 256 * 1024;

/// The report as a message with CRLF line ends, `Date:` and all; no lines above 998 octets.
#[must_use]
pub fn compose(report: &Report<'_>, original: Original<'_>) -> Vec<u8> {
    let charset = if report.smtputf8 && needs_utf8(report) {
        Charset::Utf8
    } else {
        Charset::Ascii
    };
    let words = words::text(report);
    let status = status(report, charset);
    let returned = Returned::new(original, charset);
    let boundary = boundary(report, &[words.as_bytes(), &status, &returned.octets]);
    let eight_bit = !words.is_ascii() || !status.is_ascii() || !returned.octets.is_ascii();
    let mut out = header(report, original, eight_bit, &boundary);
    part(
        &mut out,
        &boundary,
        "Notification",
        "text/plain; charset=utf-8",
        words.as_bytes(),
    );
    let kind = match charset {
        Charset::Ascii => "message/delivery-status",
        Charset::Utf8 => "message/global-delivery-status",
    };
    part(&mut out, &boundary, "Delivery report", kind, &status);
    let (about, kind) = (returned.about, returned.kind);
    part(&mut out, &boundary, about, kind, &returned.octets);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

fn needs_utf8(report: &Report<'_>) -> bool {
    let mut addresses = report.recipients.iter().map(|to| &to.address);
    !report.to.is_ascii() || addresses.any(|address| !address.is_ascii())
}

fn header(report: &Report<'_>, original: Original<'_>, eight_bit: bool, boundary: &str) -> Vec<u8> {
    let host = clean::name(report.hostname);
    let mut out = String::new();
    field(
        &mut out,
        "From",
        &format!("Mail Delivery System <MAILER-DAEMON@{host}>"),
    );
    let to = clean::text(report.to, Charset::Utf8, clean::ADDRESS_MAX);
    field(&mut out, "To", &format!("<{to}>"));
    field(&mut out, "Subject", words::subject(report));
    field(&mut out, "Date", &report.now.rfc5322());
    let id = clean::name(report.message_id);
    field(&mut out, "Message-ID", &format!("<{id}>"));
    let (Original::Header(block) | Original::Whole(block)) = original;
    if let Some(about) = header::value(block, "Message-ID").and_then(clean::message_id) {
        field(&mut out, "References", &about);
    }
    // RFC 3834 section 5: neither a reply nor another report comes back.
    field(&mut out, "Auto-Submitted", "auto-replied");
    field(&mut out, "MIME-Version", "1.0");
    out.push_str("Content-Type: multipart/report; report-type=delivery-status;\r\n");
    out.push_str(&["\tboundary=\"", boundary, "\"\r\n"].concat());
    if eight_bit {
        field(&mut out, "Content-Transfer-Encoding", "8bit");
    }
    out.push_str("\r\nThis is a MIME-encapsulated message.\r\n");
    out.into_bytes()
}

fn part(out: &mut Vec<u8>, boundary: &str, about: &str, kind: &str, octets: &[u8]) {
    let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
    let lines = format!(
        "\r\n--{boundary}\r\nContent-Description: {about}\r\nContent-Type: {kind}\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\r\n"
    );
    out.extend_from_slice(lines.as_bytes());
    out.extend_from_slice(octets);
}

/// One that stands in none of the parts.
fn boundary(report: &Report<'_>, parts: &[&[u8]]) -> String {
    let id: String = clean::name(report.id).chars().take(32).collect();
    let mut number = 0_u64;
    loop {
        let boundary = format!("=_{number}.{}.{id}", report.now.0);
        let finder = memmem::Finder::new(boundary.as_bytes());
        if parts.iter().all(|part| finder.find(part).is_none()) {
            return boundary;
        }
        number = number.wrapping_add(1);
    }
}

/// RFC 3464 section 2: fields of the message, then a group of fields for each recipient.
fn status(report: &Report<'_>, charset: Charset) -> Vec<u8> {
    let mut out = String::new();
    let host = clean::name(report.hostname);
    field(&mut out, "Reporting-MTA", &format!("dns; {host}"));
    if let Some(envid) = report.envid {
        let envid = clean::text(&clean::xtext(envid), Charset::Ascii, clean::ADDRESS_MAX);
        field(&mut out, "Original-Envelope-Id", &envid);
    }
    field(&mut out, "X-Pillarbox-Queue-ID", &clean::name(report.id));
    field(&mut out, "Arrival-Date", &report.arrived.rfc5322());
    for recipient in report.recipients {
        out.push_str("\r\n");
        group(&mut out, recipient, charset);
    }
    out.into_bytes()
}

fn group(out: &mut String, recipient: &Recipient, charset: Charset) {
    if let Some(orcpt) = &recipient.orcpt {
        field(out, "Original-Recipient", &clean::orcpt(orcpt, charset));
    }
    let address = clean::typed_address(&recipient.address, charset);
    field(out, "Final-Recipient", &address);
    field(out, "Action", recipient.action.word());
    field(out, "Status", &clean::status(&recipient.status));
    let text = clean::text(&recipient.text, charset, clean::TEXT_MAX);
    if let Some(remote) = &recipient.remote {
        // The name alone, and the reply alone (sections 2.3.5 and 2.3.6).
        let name = remote.split_once('[').map_or(&**remote, |(name, _)| name);
        let reply = text.rsplit_once(WHEN).map_or(&*text, |(reply, _)| reply);
        field(out, "Remote-MTA", &format!("dns; {}", clean::name(name)));
        field(out, "Diagnostic-Code", &format!("smtp; {reply}"));
    } else if !text.is_empty() {
        field(out, "Diagnostic-Code", &format!("X-Pillarbox; {text}"));
    }
    if let Some(tried) = recipient.tried {
        field(out, "Last-Attempt-Date", &tried.rfc5322());
    }
    if let (Action::Delayed, Some(until)) = (recipient.action, recipient.until) {
        field(out, "Will-Retry-Until", &until.rfc5322());
    }
}

/// The last part.
struct Returned {
    about: &'static str,
    kind: &'static str,
    octets: Vec<u8>,
}

impl Returned {
    fn new(original: Original<'_>, charset: Charset) -> Self {
        let (block, whole) = match original {
            Original::Whole(whole) if whole.len() <= WHOLE_MAX => (whole, true),
            Original::Whole(block) | Original::Header(block) => (header_of(block), false),
        };
        let utf8 = charset == Charset::Utf8 && !block.is_ascii() && str::from_utf8(block).is_ok();
        let (about, kind) = match (whole, utf8) {
            (true, true) => ("Undelivered Message", "message/global"),
            (true, false) => ("Undelivered Message", "message/rfc822"),
            (false, true) => ("Undelivered Message Headers", "message/global-headers"),
            (false, false) => ("Undelivered Message Headers", "text/rfc822-headers"),
        };
        Self {
            about,
            kind,
            octets: clean::lines(block),
        }
    }
}

/// The header block of a message without its empty line, whole lines of it up to [`WHOLE_MAX`].
fn header_of(message: &[u8]) -> &[u8] {
    let end = if message.starts_with(b"\r\n") {
        0
    } else {
        memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at.saturating_add(2))
    };
    let block = message.get(..end).unwrap_or_default();
    match block.get(..WHOLE_MAX) {
        None => block,
        Some(start) => {
            let end = memchr::memrchr(b'\n', start).map_or(start.len(), |at| at.saturating_add(1));
            start.get(..end).unwrap_or(start)
        }
    }
}

#[cfg(test)]
mod tests;
