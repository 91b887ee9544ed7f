//! The server's side of SMTP, RFC 5321: one session as a machine.
//!
//! It words what is wrong with syntax and order; what is judged or stored it asks, and passes the
//! service's replies through. While a message arrives the session hands its text on in pieces and
//! holds none of it.

mod auth;
mod clock;
mod commands;
mod incoming;
mod options;
mod state;
#[cfg(test)]
pub(in crate::proto::smtp) mod tests;

use std::mem::{replace, take};
use std::sync::Arc;

pub use self::options::{Auth, AuthOptions, Options, Tls};
use self::state::{After, Hello, Mail, Pending, State};
use super::parameter::{MailParameters, RcptParameters};
use super::reply::Reply;
use crate::base::line::Input;
use crate::base::machine::{Machine, Secured};
use crate::base::time::Instant;
use crate::proto::sasl;

/// What a step of this machine is.
pub type Step = crate::base::machine::Step<Question, ()>;

/// Most octets of input held at once.
const INPUT_MAX: usize = 16 * 1024;
/// Replies are written at the latest when they are this long, in octets.
const OUTPUT_MAX: usize = 16 * 1024;
/// Longest command line in octets with its CRLF. RFC 5321 section 4.5.3.1.4 asks for 512, the
/// extensions' parameters for some hundreds more.
const LINE_MAX: usize = 2048;
/// A line of more octets ends the connection.
const LONG_LINE_MAX: usize = 64 * 1024;
/// What stands in notes for a command that is none.
const UNKNOWN: &str = "UNKNOWN";
/// For so many seconds after a message the peer is no stranger.
const KNOWN_S: u64 = 60;

/// With recipients, the peer is no stranger until it has been silent for so many seconds.
const PROGRESS_S: u64 = 10;

/// What the service decides. Each is answered with [`Answer::Reply`], `End` also with
/// [`Answer::Hang`], `Auth` with [`Answer::Auth`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// AUTH (RFC 4954). Who it is holds from [`Noted::Authenticated`] on, until a handshake.
    Auth(sasl::Question),
    /// DATA or the first BDAT: content will come as `Step::Content`. If this is refused after DATA,
    /// the transaction goes on; after BDAT, `Forget` follows.
    Begin,
    /// The content is whole and was `size` octets: settle the message. The transaction is over
    /// whatever the answer.
    End { size: u64 },
    /// RSET, a new EHLO, a failed content, or the connection ended: forget the transaction. The
    /// answer is not sent. A driver that stops stepping forgets by itself.
    Forget {
        /// As in [`Note`].
        after: &'static str,
    },
    /// HELO, or EHLO if `esmtp`. The words of a positive answer are the session's own.
    Hello { name: String, esmtp: bool },
    /// For the log alone: the session said or saw something without asking. The answer is not sent.
    Note(Note),
    /// ETRN, RFC 1985.
    QueueRun { argument: String },
    /// RCPT; the path with brackets, well-formed.
    Recipient {
        path: String,
        parameters: RcptParameters,
    },
    /// MAIL; the path with brackets, well-formed. A positive answer opens the transaction.
    Sender {
        path: String,
        parameters: MailParameters,
    },
}

/// What a log has to tell of a session that words its own refusals. The transaction that it is about
/// is forgotten later, if at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// The present or the last command's verb; `CONNECT` before the first, `UNKNOWN` for none.
    pub after: &'static str,
    pub what: Noted,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Noted {
    /// AUTH succeeded; `name` is that of the last [`Question::Auth`].
    Authenticated {
        mechanism: sasl::Mechanism,
        name: String,
    },
    /// The client hung up without QUIT.
    Lost,
    Refused {
        /// As it was given to MAIL or RCPT, perhaps malformed; empty for other commands.
        path: String,
        reply: Reply,
    },
    /// The client was too slow: 421.
    TimedOut,
    /// 421.
    TooManyErrors,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    Auth(sasl::Answer),
    /// Nobody can tell how it went: what was said before leaves, and the connection ends.
    Hang,
    /// 2xx and 3xx go on, 4xx and 5xx refuse, 421 ends the connection.
    Reply(Reply),
}

/// One session with a client.
#[derive(Debug)]
pub struct Session {
    options: Arc<Options>,
    input: Input,
    out: Vec<u8>,
    state: State,
    peer: Peer,
    mail: Mail,
    /// The verb that notes are about.
    verb: &'static str,
    notice: Notice,
    /// Commands that were refused since the last message.
    errors: u32,
    /// Commands since the last message that lead to none.
    junk: u32,
    /// Transactions in this session.
    mails: u32,
    /// Since when the present command is waited for.
    since: Option<Instant>,
    /// When the service was asked or handed content: the time that it takes is not the client's.
    paused: Option<Instant>,
    /// When the last message was settled, if that is recent.
    settled: Option<Instant>,
    /// When the session was last stepped.
    now: Instant,
    crowded: bool,
    ended: bool,
    stopping: bool,
}

/// What there is for the log.
#[derive(Debug)]
enum Notice {
    /// To be handed to the driver before anything else.
    Due(Box<Note>),
    None,
    /// With the driver.
    Told,
}

/// What the client has shown of itself.
#[derive(Debug, Default)]
struct Peer {
    hello: Hello,
    /// It sent commands ahead where that is not allowed (RFC 2920 section 3.1).
    improper: bool,
    secured: bool,
    /// The handshake's channel binding.
    exporter: Option<Box<[u8; 32]>>,
    authenticated: bool,
}

impl Session {
    /// A session that has yet to greet. Sessions of one listener may share their options.
    pub fn new(options: impl Into<Arc<Options>>, now: Instant) -> Self {
        Self {
            options: options.into(),
            input: Input::default(),
            out: vec![],
            state: State::Fresh,
            peer: Peer::default(),
            mail: Mail::None,
            verb: "CONNECT",
            notice: Notice::None,
            errors: 0,
            junk: 0,
            mails: 0,
            since: None,
            paused: None,
            settled: None,
            now,
            crowded: false,
            ended: false,
            stopping: false,
        }
    }

    fn say(&mut self, code: u16, text: impl Into<String>) {
        self.put(&Reply::new(code, text));
    }

    fn put(&mut self, reply: &Reply) {
        if self.options.soft_bounce {
            reply.clone().softened().encode(&mut self.out);
        } else {
            reply.encode(&mut self.out);
        }
    }

    /// Says no, counts and notes it.
    fn refuse(&mut self, code: u16, text: impl Into<String>) {
        self.refuse_path("", code, text);
    }

    /// The same for a MAIL or RCPT with this path.
    fn refuse_path(&mut self, path: &str, code: u16, text: impl Into<String>) {
        self.errors = self.errors.saturating_add(1);
        let reply = Reply::new(code, text);
        self.put(&reply);
        self.note_refusal(path, reply);
    }

    /// Says no, notes it, and ends the connection.
    fn dismiss(&mut self, code: u16, text: impl Into<String>) {
        let reply = Reply::new(code, text);
        self.put(&reply);
        self.note_refusal("", reply);
        self.state = State::Ending;
    }

    /// Says the last word, and ends the connection.
    fn part(&mut self, code: u16, text: impl Into<String>) {
        self.say(code, text);
        self.state = State::Ending;
    }

    fn note_refusal(&mut self, path: &str, reply: Reply) {
        let path = path.to_owned();
        self.note(Noted::Refused { path, reply });
    }

    fn note(&mut self, what: Noted) {
        let after = self.verb;
        self.notice = Notice::Due(Box::new(Note { after, what }));
    }

    fn time_out(&mut self) {
        let text = format!("4.4.2 {} Error: timeout exceeded", self.options.hostname);
        self.part(421, text);
        self.note(Noted::TimedOut);
    }

    /// The client hung up.
    fn lost(&mut self) {
        self.note(Noted::Lost);
        self.state = State::Ending;
    }

    /// Passes the service's reply on; says whether the connection lives.
    fn pass(&mut self, reply: &Reply) -> bool {
        if !reply.is_positive() {
            self.errors = self.errors.saturating_add(1);
        }
        self.put(reply);
        if reply.ends() {
            self.state = State::Ending;
        }
        !reply.ends()
    }

    fn ask(&mut self, question: Question, pending: Pending) {
        self.state = State::Ask(Box::new(question), pending);
    }

    /// Has the open transaction forgotten, if there is one; then `after`.
    fn forget(&mut self, after: After) {
        if matches!(replace(&mut self.mail, Mail::None), Mail::Open(_)) {
            let question = Question::Forget { after: self.verb };
            self.ask(question, Pending::Forget(after));
        } else {
            self.forgotten(after);
        }
    }

    fn forgotten(&mut self, after: After) {
        self.state = State::Command;
        match after {
            After::Close => self.state = State::Done,
            After::Content(incoming) => self.state = State::Content(incoming),
            After::Hello { name, esmtp } => {
                self.ask(Question::Hello { name, esmtp }, Pending::Hello { esmtp });
            }
            After::Reset => self.say(250, "2.0.0 Ok"),
        }
    }

    /// One command, or the wait for it.
    fn command(&mut self, now: Instant) -> Option<Step> {
        if self.errors >= self.options.errors_max {
            let text = format!("4.7.0 {} Error: too many errors", self.options.hostname);
            self.part(421, text);
            self.note(Noted::TooManyErrors);
            return None;
        }
        if self.out.len() >= OUTPUT_MAX {
            return Some(Step::Write(take(&mut self.out)));
        }
        match self.input.line() {
            Some(length) if length <= LINE_MAX => {
                let line = self.input.rest().get(..length).unwrap_or_default().to_vec();
                self.input.advance(length);
                self.since = None;
                self.line(&line);
                None
            }
            None if self.input.len() <= LINE_MAX => self.wait(now),
            _ => {
                self.verb = UNKNOWN;
                self.state = State::LongLine {
                    octets: 0,
                    after_cr: false,
                    response: false,
                };
                None
            }
        }
    }

    /// Swallows a line that is too long.
    fn long_line(
        &mut self,
        mut octets: usize,
        mut after_cr: bool,
        response: bool,
        now: Instant,
    ) -> Option<Step> {
        let mut used = 0;
        for &octet in self.input.rest() {
            used += 1;
            octets = octets.saturating_add(1);
            if (octet == b'\n') != after_cr {
                self.bare(if after_cr { "CR" } else { "LF" });
                return None;
            }
            if octets > LONG_LINE_MAX {
                let text = format!("4.7.0 {} Error: line too long", self.options.hostname);
                self.dismiss(421, text);
                return None;
            }
            if octet == b'\n' {
                self.input.advance(used);
                self.since = None;
                self.state = State::Command;
                if response {
                    // RFC 4954 section 4.
                    self.refuse(500, "5.5.6 Error: authentication exchange line is too long");
                } else {
                    self.refuse(500, "5.5.2 Error: line too long");
                }
                return None;
            }
            after_cr = octet == b'\r';
        }
        self.input.advance(used);
        self.state = State::LongLine {
            octets,
            after_cr,
            response,
        };
        self.wait(now)
    }

    /// A line end that is none could be taken for one by others: nothing after it is read.
    fn bare(&mut self, name: &str) {
        self.dismiss(550, format!("5.5.2 Error: bare <{name}> received"));
    }

    /// Waits for a command, from the end of the last one to the end of this one. `None` when the
    /// wait is over.
    fn wait(&mut self, now: Instant) -> Option<Step> {
        if self.ended {
            self.lost();
            return None;
        }
        if self.stopping && !self.mail.has_content() {
            let text = format!("4.3.2 {} Service shutting down", self.options.hostname);
            if self.mail.has_recipient() {
                self.dismiss(421, text);
            } else {
                self.part(421, text);
            }
            return None;
        }
        let seconds = if self.crowded {
            self.options.crowded_wait_s
        } else {
            self.options.command_wait_s
        };
        let until = self.since.get_or_insert(now).plus_seconds(seconds);
        if now >= until {
            self.time_out();
            return None;
        }
        let known = self.settled.map(|at| at.plus_seconds(KNOWN_S));
        if known.is_some_and(|known| now >= known) {
            self.settled = None;
        }
        // To step once more when the peer becomes a stranger again.
        let until = match known {
            Some(known) if now < known => until.min(known),
            _ => until,
        };
        let until = until.min(self.until_stranger(now));
        Some(self.read(until))
    }

    /// Since when nothing has come, neither a command nor content.
    fn silent_since(&self) -> Option<Instant> {
        match &self.state {
            State::Content(incoming) => incoming.clock.last(),
            _ => self.since,
        }
    }

    /// When a transaction that stands still makes the peer a stranger again, if that is to come.
    fn until_stranger(&self, now: Instant) -> Instant {
        let silent = self.silent_since().filter(|_| self.mail.has_recipient());
        let until = silent.map(|at| at.plus_seconds(PROGRESS_S));
        until.filter(|at| now < *at).unwrap_or(Instant::NEVER)
    }

    /// Whether there is a transaction, and it gets on (SR-24).
    fn gets_on(&self) -> bool {
        let silent = self.silent_since();
        self.mail.has_recipient() && silent.is_none_or(|at| self.now < at.plus_seconds(PROGRESS_S))
    }

    /// Reads, but first lets the replies go.
    fn read(&mut self, until: Instant) -> Step {
        if self.out.is_empty() {
            Step::Read { until }
        } else {
            Step::Write(take(&mut self.out))
        }
    }

    fn greeting(&mut self) -> Step {
        self.state = State::Command;
        let mut out = vec![];
        let text = format!("{} ESMTP Pillarbox", self.options.hostname);
        Reply::new(220, text).encode(&mut out);
        Step::Write(out)
    }

    /// The first octet of a handshake can only come after the reply: what is in hand is from
    /// somebody in between (RFC 3207 section 6).
    fn handshake(&mut self) -> Option<Step> {
        if !self.input.is_empty() || self.ended {
            self.out.clear();
            self.state = State::Ending;
            return None;
        }
        if !self.out.is_empty() {
            return Some(Step::Write(take(&mut self.out)));
        }
        self.state = State::Handshaking;
        Some(Step::StartTls)
    }

    fn ending(&mut self) -> Option<Step> {
        if !self.out.is_empty() {
            return Some(Step::Write(take(&mut self.out)));
        }
        self.input.clear();
        self.forget(After::Close);
        None
    }

    /// Leaves out of account the time that the service took.
    fn resume(&mut self, now: Instant) {
        if let (Some(at), State::Content(incoming)) = (self.paused.take(), &mut self.state) {
            incoming.clock.pause(now.since(at));
        }
        self.now = now;
    }
}

impl Machine for Session {
    type Question = Question;
    type Answer = Answer;
    type Range = ();

    fn input(&mut self, octets: &[u8]) -> usize {
        if matches!(self.state, State::Done | State::Ending) {
            return octets.len();
        }
        self.input.take(octets, INPUT_MAX)
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn step(&mut self, now: Instant) -> Step {
        self.resume(now);
        loop {
            if matches!(self.notice, Notice::Due(_))
                && let Notice::Due(note) = replace(&mut self.notice, Notice::Told)
            {
                self.paused = Some(now);
                return Step::Ask(Question::Note(*note));
            }
            let step = match replace(&mut self.state, State::Command) {
                State::Ask(question, pending) => {
                    self.state = State::Asked(pending);
                    Some(Step::Ask(*question))
                }
                State::Command => self.command(now),
                State::Content(incoming) => self.content(incoming, now),
                State::Done => {
                    self.state = State::Done;
                    Some(Step::Close)
                }
                State::Ending => {
                    self.state = State::Ending;
                    self.ending()
                }
                State::Fresh => Some(self.greeting()),
                State::Handshake => {
                    self.state = State::Handshake;
                    self.handshake()
                }
                State::LongLine {
                    octets,
                    after_cr,
                    response,
                } => self.long_line(octets, after_cr, response, now),
                State::Response(exchange) => self.response(exchange, now),
                state @ (State::Asked(_) | State::Handshaking) => {
                    self.state = state;
                    Some(Step::Read {
                        until: Instant::NEVER,
                    })
                }
            };
            if let Some(step) = step {
                if matches!(step, Step::Ask(_) | Step::Content(_)) {
                    self.paused = Some(now);
                }
                return step;
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        if matches!(self.notice, Notice::Told) {
            self.notice = Notice::None;
            return;
        }
        match (replace(&mut self.state, State::Command), answer) {
            (State::Asked(Pending::Auth(exchange)), Answer::Auth(answer)) => {
                self.auth_answered(exchange, answer);
            }
            (State::Asked(pending), Answer::Reply(reply)) => self.answered(pending, reply),
            (State::Asked(_), Answer::Auth(_)) => self.state = State::Ending,
            (State::Asked(pending), Answer::Hang) => {
                if matches!(pending, Pending::End) {
                    self.mail = Mail::None;
                }
                self.state = State::Ending;
            }
            (state, _) => self.state = state,
        }
    }

    /// The keys of a SCRAM exchange are told at once.
    fn not_now(question: &Question) -> Option<Answer> {
        matches!(
            question,
            Question::Auth(sasl::Question::Password { .. } | sasl::Question::Proof { .. })
        )
        .then_some(Answer::Auth(sasl::Answer::TryAgain))
    }

    fn stop(&mut self) {
        self.stopping = true;
    }

    fn crowded(&mut self, crowded: bool) {
        self.crowded = crowded;
    }

    fn stranger(&self) -> bool {
        self.settled.is_none() && !self.gets_on() && !self.peer.authenticated
    }

    /// All that was said before the handshake is forgotten (RFC 3207 section 4.2). With implicit TLS
    /// this comes before the first step.
    fn secured(&mut self, secured: Secured) {
        match self.state {
            State::Fresh => {}
            State::Handshaking => self.state = State::Command,
            _ => return,
        }
        self.peer = Peer {
            secured: true,
            exporter: secured.exporter.map(Box::new),
            ..Peer::default()
        };
        self.since = None;
    }
}
