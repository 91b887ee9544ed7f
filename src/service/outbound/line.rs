//! Log lines of mail that leaves, in Postfix's words, and the texts that reports take from them.

use std::io;

use super::Outbound;
use crate::{
    proto::smtp::{client::Stage, reply::Reply},
    service::smtp::journal::{Quoted, Said},
    store::queue::QueueEntry,
};

/// One recipient's fate, as a line tells it.
pub(super) struct Fate<'a> {
    pub to: &'a str,
    /// `host[ip]:port`, or `none`.
    pub relay: &'a str,
    /// RFC 3463.
    pub dsn: &'a str,
    pub status: &'static str,
    pub text: &'a str,
}

impl Outbound {
    pub(super) fn log(&self, entry: &QueueEntry, fate: &Fate<'_>) {
        let passed = self.parts.world.time().0.saturating_sub(entry.arrived.0);
        log::info!(
            "{}: to=<{}>, relay={}, delay={}, dsn={}, status={} ({})",
            entry.queued.id,
            Quoted(fate.to),
            Quoted(fate.relay),
            passed.max(0),
            fate.dsn,
            fate.status,
            Quoted(fate.text)
        );
    }
}

/// `host h[ip] said: …`.
pub(super) fn said(peer: &str, reply: &str) -> String {
    format!("host {peer} said: {reply}")
}

/// `550 5.1.1 No such user (in reply to RCPT TO command)`.
pub(super) fn reply(at: Stage, reply: &Reply) -> String {
    let when = match at {
        Stage::Greeting => "",
        Stage::Hello => " (in reply to EHLO command)",
        Stage::StartTls => " (in reply to STARTTLS command)",
        Stage::Auth => " (in reply to AUTH command)",
        Stage::Mail => " (in reply to MAIL FROM command)",
        Stage::Rcpt => " (in reply to RCPT TO command)",
        Stage::Data => " (in reply to DATA command)",
        Stage::End => " (in reply to end of DATA command)",
    };
    format!("{}{when}", Said(reply))
}

/// What was said for good, as it counts while nothing is refused for good (OQ-5): the first digit of
/// both codes is a 4.
pub(super) fn softened(text: &str) -> String {
    let mut out = text.to_owned();
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|c| c.is_ascii_digit());
    let second = match text.split_once(' ') {
        Some((word, _)) if is_code(word) => word.len().saturating_add(1),
        _ => 0,
    };
    for at in [0, second] {
        let rest = text.get(at..).unwrap_or_default();
        let status = rest.starts_with("5.");
        let code = at == 0 && second > 0 && rest.starts_with('5');
        if status || code {
            out.replace_range(at..at.saturating_add(1), "4");
        }
    }
    out
}

/// The status in a reply (RFC 2034), else what its code says.
pub(super) fn status(reply: &Reply) -> String {
    let first = reply.lines.first().map_or("", String::as_str);
    let word = first.split(' ').next().unwrap_or_default();
    let class = reply.code.checked_div(100).unwrap_or(5);
    let mut parts = word.split('.');
    let number = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| {
            (1..=digits).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit())
        })
    };
    let fits = parts.next() == Some(class.to_string().as_str())
        && number(parts.next(), 3)
        && number(parts.next(), 3)
        && parts.next().is_none();
    if fits {
        word.to_owned()
    } else {
        format!("{class}.0.0")
    }
}

/// `Connection refused`: without the number that Rust puts behind it.
pub(super) fn trouble(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_reply() {
        for (code, text, want) in [
            (250, "2.0.0 Ok", "2.0.0"),
            (250, "Ok", "2.0.0"),
            (550, "5.1.1 <a@b>: no", "5.1.1"),
            (550, "4.1.1 odd", "5.0.0"),
            (450, "4.2.0", "4.2.0"),
            (550, "5.1 no", "5.0.0"),
            (550, "5.1.1234 no", "5.0.0"),
            (554, "", "5.0.0"),
        ] {
            assert_eq!(status(&Reply::new(code, text)), want, "{text}");
        }
    }

    #[test]
    fn oq_5_both_codes_are_softened() {
        for (text, want) in [
            ("550 5.1.1 no 5.1.1", "450 4.1.1 no 5.1.1"),
            ("554 no", "454 no"),
            ("5.1.1 no", "4.1.1 no"),
            ("450 4.2.0 no", "450 4.2.0 no"),
            ("5 apples", "5 apples"),
            ("550", "550"),
            ("", ""),
        ] {
            assert_eq!(softened(text), want);
        }
    }

    #[test]
    fn what_a_host_said() {
        let no = Reply::new(550, "5.1.1 No\r\nsuch user");
        assert_eq!(
            said("mx.a[192.0.2.1]", &reply(Stage::Rcpt, &no)),
            r"host mx.a[192.0.2.1] said: 550 5.1.1 No\u{d}\u{a}such user (in reply to RCPT TO command)"
        );
        let error = io::Error::from_raw_os_error(111);
        assert_eq!(trouble(&error), "Connection refused");
    }
}
