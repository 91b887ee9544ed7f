//! The queue in words, for people and for programs that know Postfix's `mailq`.

use super::{Row, State, Waiting};
use crate::{base::time::Time, config::value::print_size};

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Late => "late",
            Self::Sending => "sending",
            Self::Waiting => "waiting",
        }
    }
}

/// A line for each message, and one below it for each recipient.
pub fn text(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        lines.push(format!(
            "{}  {}, {}, arrived {} ago, from <{}>",
            row.id,
            row.state.word(),
            size(row.size),
            span(row.age_seconds),
            plain(&row.sender)
        ));
        lines.extend(row.recipients.iter().map(|one| {
            let address = plain(&one.address);
            format!("    to <{address}>, {}", tried(row.state, one))
        }));
    }
    lines
}

/// When it is tried next, and why it was not sent so far.
pub(super) fn tried(state: State, one: &Waiting) -> String {
    let mut text = match (state, one.next_try_seconds) {
        (State::Held, _) => "held".to_owned(),
        (State::Sending, _) => "on its way now".to_owned(),
        (_, None) => "waits: sending is paused".to_owned(),
        (_, Some(0)) => "next try now".to_owned(),
        (_, Some(seconds)) => format!("next try in {}", span(seconds)),
    };
    if let Some(reason) = &one.reason {
        text.push_str(": ");
        text.push_str(&plain(reason));
    }
    text
}

/// Octets, rounded up.
pub fn size(octets: u64) -> String {
    match octets {
        0..1024 => octets.to_string(),
        1024..1_048_576 => print_size(octets.div_ceil(1024).saturating_mul(1024)),
        _ => print_size(octets.div_ceil(1_048_576).saturating_mul(1_048_576)),
    }
}

/// A time in words, rounded down.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What somebody else wrote, so that it is one line and moves no terminal's cursor (UX-95).
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Among the others are those that turn the direction of writing.
        let harmful = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if harmful {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The queue as Postfix's `mailq` prints it, for programs that read that; page by page.
#[derive(Debug, Default)]
pub struct Mailq {
    count: u64,
    octets: u64,
}

/// So wide are reasons, which stand on the right.
const REASON: usize = 76;
/// Where recipients begin.
const RECIPIENT: usize = 41;

impl Mailq {
    /// The lines of the next rows.
    pub fn page(&mut self, rows: &[Row]) -> Vec<String> {
        let mut lines = Vec::new();
        for row in rows {
            if self.count == 0 {
                let head = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------";
                lines.push(head.to_owned());
            } else {
                lines.push(String::new());
            }
            self.count = self.count.saturating_add(1);
            self.octets = self.octets.saturating_add(row.size);
            entry(row, &mut lines);
        }
        lines
    }

    /// The last lines.
    #[must_use]
    pub fn end(&self) -> Vec<String> {
        if self.count == 0 {
            return vec!["Mail queue is empty".to_owned()];
        }
        let more = if self.count == 1 { "" } else { "s" };
        let tail = format!(
            "-- {} Kbytes in {} Request{more}.",
            self.octets / 1024,
            self.count
        );
        vec![String::new(), tail]
    }
}

fn entry(row: &Row, lines: &mut Vec<String>) {
    let mark = match row.state {
        State::Held => "!",
        State::Sending => "*",
        State::Late | State::Waiting => "",
    };
    let sender = match row.sender.as_str() {
        "" => "MAILER-DAEMON".to_owned(),
        sender => plain(sender),
    };
    let id = format!("{}{mark}", row.id);
    let arrived = Time(row.arrived_unix).asctime();
    lines.push(format!("{id:<11} {:>7} {arrived:<20} {sender}", row.size));
    let mut said = None;
    for one in &row.recipients {
        if let Some(reason) = &one.reason
            && said != Some(reason)
        {
            let reason = plain(reason);
            let pad = REASON.saturating_sub(reason.chars().count());
            lines.push(format!("{}({reason})", " ".repeat(pad)));
        }
        said = one.reason.as_ref();
        lines.push(format!("{}{}", " ".repeat(RECIPIENT), plain(&one.address)));
    }
}

/// All of it at once.
#[must_use]
pub fn mailq(rows: &[Row]) -> Vec<String> {
    let mut mailq = Mailq::default();
    let mut lines = mailq.page(rows);
    lines.extend(mailq.end());
    lines
}
