//! `status`: is it well, and how much of everything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::schema::Role,
    net::tls::Tls,
    service::operate::{Context, Kind, Problem, Reply, name, queue, tls},
    store,
};

/// Mail from sendmail that lies in its folder for longer is told, in seconds.
const SPOOLED: u64 = 600;
/// What is said when nobody can be asked.
pub const NOT_RUNNING: &str = "pillarbox is not running (pillarbox serve)";

/// What only the running appliance knows.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// Since the start.
    pub uptime: Duration,
    pub smtp_sessions: u64,
    /// POP3 too.
    pub imap_sessions: u64,
    /// What the start found in the store that should not be.
    pub opened: store::Opened,
    /// The certificates in use.
    pub tls: Option<Tls>,
}

/// How well it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Warning,
    Failing,
}

impl State {
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Failing => 2,
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Report {
    pub state: State,
    /// What is not well, and what to do.
    pub problems: Vec<String>,
    pub version: String,
    pub uptime_seconds: u64,
    pub hostname: String,
    pub profile: String,
    pub domains: u64,
    /// Whose mailbox gets the mail of postmaster, abuse and the like.
    pub postmaster: Option<String>,
    /// Messages that wait to leave.
    pub queued: u64,
    /// Since the oldest of them arrived.
    pub queue_oldest_seconds: u64,
    /// Ways out whose last try failed.
    pub queue_failing: u64,
    /// Nothing is sent until it is resumed.
    pub queue_paused: bool,
    /// Bounces of bounces since the start: nobody was told (OQ-4).
    pub bounces_dropped: u64,
    /// The queue in words.
    pub queue: String,
    /// Until the certificate that most clients get ends; negative since it has.
    pub certificate_days: Option<i64>,
    pub smtp_sessions: u64,
    /// POP3 too.
    pub imap_sessions: u64,
    /// Number of the last change.
    pub sequence: u64,
    pub live_octets: u64,
    pub log_octets: u64,
    pub free_octets: u64,
}

pub(super) fn operate(context: &Context<'_>) -> Result<Reply, Problem> {
    let Some(running) = &context.running else {
        return Err(Problem::new(Kind::NotRunning, NOT_RUNNING));
    };
    let figures = context.store.status();
    let domains = context.store.read(store::Reader::domains)?;
    let queue = queue::overview(context)?;
    let certificate_days = running
        .tls
        .as_ref()
        .and_then(|tls| tls::days_left(tls, context.now));
    let (state, problems) = problems(
        running,
        &figures,
        &queue,
        certificate_days,
        // A relay hosts none.
        domains.is_empty() && context.config.role() != Role::Relay,
    );
    Ok(Reply::Status(Box::new(Report {
        state,
        problems,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: running.uptime.as_secs(),
        hostname: context
            .config
            .text(&crate::config::schema::HOSTNAME)
            .to_owned(),
        profile: context.config.profile().name().to_owned(),
        domains: u64::try_from(domains.len()).unwrap_or(u64::MAX),
        postmaster: name::postmaster(context)?,
        queued: queue.waiting,
        queue_oldest_seconds: queue.oldest_seconds,
        queue_failing: u64::try_from(queue.failing).unwrap_or(u64::MAX),
        queue_paused: queue.paused,
        bounces_dropped: context.outbound.map_or(0, |outbound| outbound.dropped()),
        queue: queue.text(),
        certificate_days,
        smtp_sessions: running.smtp_sessions,
        imap_sessions: running.imap_sessions,
        sequence: figures.sequence,
        live_octets: figures.live_octets,
        log_octets: figures.log_octets,
        free_octets: figures.free_octets,
    })))
}

/// What is not well, and how bad that is.
fn problems(
    running: &Running,
    figures: &store::Status,
    queue: &queue::Overview,
    certificate_days: Option<i64>,
    empty: bool,
) -> (State, Vec<String>) {
    let mut state = State::Ok;
    let mut problems = Vec::new();
    let mut say = |how: State, text: String| {
        state = state.max(how);
        problems.push(text);
    };
    if !figures.room {
        let text = "the disk is full: mail is deferred until something is deleted";
        say(State::Failing, text.to_owned());
    }
    if let Some(trouble) = &figures.trouble {
        say(
            State::Warning,
            format!("the store had trouble since the start, last: {trouble}"),
        );
    }
    if running.opened.lost > 0 {
        let text = format!(
            "{} changes were lost before the last start",
            running.opened.lost
        );
        say(State::Warning, text);
    }
    let damage = running.opened.damage.len();
    if damage > 0 {
        let text = format!("{damage} places in the log cannot be read (pillarbox store check)");
        say(State::Warning, text);
    }
    match certificate_days {
        Some(days) if days < 0 => {
            let text = "the certificate has ended: mail programs refuse it (pillarbox tls show)";
            say(State::Failing, text.to_owned());
        }
        Some(days) if days < tls::NEAR => {
            let text = format!("the certificate ends in {days} days (pillarbox tls show)");
            say(State::Warning, text);
        }
        _ => {}
    }
    if queue.paused {
        let text = "sending is paused (pillarbox queue resume)";
        say(State::Warning, text.to_owned());
    }
    if let Some((lane, _, reason)) = queue.reasons.first() {
        let text = format!("mail for {lane} waits: {reason} (pillarbox queue list)");
        say(State::Warning, text);
    }
    if queue.spooled.oldest > SPOOLED || queue.spooled.aside > 0 {
        let text = queue::spooled(&queue.spooled).unwrap_or_default();
        say(State::Warning, text);
    }
    if empty {
        let text = "there is no domain yet (pillarbox domain add NAME)";
        say(State::Warning, text.to_owned());
    }
    (state, problems)
}

impl Report {
    pub(super) fn text(&self) -> Vec<String> {
        let word = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failing => "failing",
        };
        let mut lines = vec![format!(
            "{word}: {} (pillarbox {}, profile {})",
            self.hostname, self.version, self.profile
        )];
        lines.extend(self.problems.iter().map(|problem| format!("- {problem}")));
        lines.push(format!(
            "up {}, {} SMTP, {} IMAP and POP3 sessions",
            span(self.uptime_seconds),
            self.smtp_sessions,
            self.imap_sessions
        ));
        if let Some(person) = &self.postmaster {
            lines.push(format!("mail for postmaster, abuse and root: {person}"));
        }
        lines.push(match self.bounces_dropped {
            0 => format!("queue: {}", self.queue),
            count => format!("queue: {}; {count} bounces of bounces dropped", self.queue),
        });
        lines.push(format!(
            "{} domains; store: {} MiB live of {} MiB, {} MiB free, change {}",
            self.domains,
            mebibytes(self.live_octets),
            mebibytes(self.log_octets),
            mebibytes(self.free_octets),
            self.sequence
        ));
        lines
    }
}

fn mebibytes(octets: u64) -> u64 {
    octets.div_ceil(1024 * 1024)
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oq_4_bounces_of_bounces_are_counted() {
        let mut report = Report {
            state: State::Ok,
            problems: Vec::new(),
            version: "0".to_owned(),
            uptime_seconds: 0,
            hostname: "mx.home.test".to_owned(),
            profile: "small".to_owned(),
            domains: 1,
            postmaster: None,
            queued: 0,
            queue_oldest_seconds: 0,
            queue_failing: 0,
            queue_paused: false,
            bounces_dropped: 0,
            queue: "empty".to_owned(),
            certificate_days: None,
            smtp_sessions: 0,
            imap_sessions: 0,
            sequence: 1,
            live_octets: 0,
            log_octets: 0,
            free_octets: 0,
        };
        assert!(report.text().contains(&"queue: empty".to_owned()));
        report.bounces_dropped = 3;
        let line = "queue: empty; 3 bounces of bounces dropped".to_owned();
        assert!(report.text().contains(&line));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["bounces_dropped"], 3);
    }
}
