//! A POP3 session as a machine: it reads commands, keeps the state (RFC 1939 section 3), lets people
//! log in by [`sasl`], and asks for what is about the maildrop.

mod auth;
#[cfg(test)]
mod tests;

use std::mem::{replace, take};

use super::capability;
use super::command::{self, Command, Maildrop, SyntaxError};
use super::lines::Lines;
use crate::base::line::Input;
use crate::base::machine::{Machine, Secured};
use crate::base::time::Instant;
use crate::proto::sasl::{self, Exchange};

/// What a step of this machine is.
pub type Step = crate::base::machine::Step<Question, ()>;

/// Longest line in octets with its line end: RFC 2449 section 4 has 255 for commands, RFC 4954
/// section 4 so many for the messages of an exchange.
const LINE_MAX: usize = 12_288;
/// Replies are written at the latest when they are this long, in octets.
const OUTPUT_MAX: usize = 16 * 1024;
/// Failed log-ins of one connection.
const FAILED_MAX: u8 = 10;
/// Bad commands in a row, after and before the log-in.
const BAD_MAX: u8 = 20;
const BAD_MAX_STRANGER: u8 = 10;
/// Seconds for a stranger's command while the house is crowded.
const CROWDED_WAIT: u64 = 10;

/// What differs between sessions.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Passwords may be sent without TLS too: from a loopback that is exempt.
    pub in_clear: bool,
    /// STLS is offered while the connection is in clear.
    pub tls: bool,
    /// Seconds for a command once somebody has logged in; RFC 1939 section 3 wants 10 minutes.
    pub idle_wait: u64,
    /// The same before the log-in.
    pub login_wait: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            in_clear: false,
            tls: true,
            idle_wait: 10 * 60,
            login_wait: 60,
        }
    }
}

/// What the session cannot settle itself. Each is answered once, by an [`Answer`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// PASS or AUTH. Answered with [`Answer::Auth`].
    Auth(sasl::Question),
    /// A command about the maildrop. Answered with `Ok`, `Err`, `Bye` or `Lines`.
    Maildrop(Maildrop),
    /// What [`Answer::Lines`] or [`Answer::More`] brought is sent: go on. Not asked where TOP has all
    /// its lines.
    More,
    /// Who was let in last is who it says: lock the maildrop and look what is in it. `Err` leaves a
    /// stranger.
    Open,
    /// QUIT after the log-in: remove what was deleted. The session ends whatever the answer.
    Quit,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    Auth(sasl::Answer),
    /// `-ERR`, then the end.
    Bye(&'static str),
    /// `-ERR`.
    Err(&'static str),
    /// `+OK` and the first octets of its lines; the session doubles the dots.
    Lines {
        text: String,
        octets: Vec<u8>,
        more: bool,
    },
    /// The next octets of these lines.
    More {
        octets: Vec<u8>,
        more: bool,
    },
    /// `+OK`.
    Ok(String),
}

/// One client's session. While it idles it holds no buffer.
#[derive(Debug)]
pub struct Session {
    options: Options,
    input: Input,
    out: Vec<u8>,
    state: State,
    secured: bool,
    /// The handshake's channel binding.
    exporter: Option<Box<[u8; 32]>>,
    /// Somebody has logged in: the TRANSACTION state.
    open: bool,
    /// What USER said.
    user: Option<Box<[u8]>>,
    /// Since when the present command is waited for.
    since: Option<Instant>,
    bad: u8,
    failed: u8,
    signals: Signals,
}

/// What was said from outside.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four things that happen or do not, each by itself"
)]
struct Signals {
    crowded: bool,
    ended: bool,
    stopping: bool,
    /// Another session has the maildrop.
    taken: bool,
}

#[derive(Debug)]
enum State {
    /// To be handed to the driver.
    Ask(Box<Question>, Pending),
    /// With the driver.
    Asked(Pending),
    Command,
    Done,
    /// Write what there is to say, then close.
    Ending,
    /// Not greeted yet.
    Fresh,
    /// STLS was accepted; its reply has to leave.
    Handshake,
    Handshaking,
    /// Some lines of an answer are to leave before there are more.
    More(Box<Lines>),
    /// For the answer to a challenge.
    Response(Box<Exchange>),
}

/// Whose answer is waited for.
#[derive(Debug)]
enum Pending {
    Auth(Box<Exchange>),
    /// With the lines that TOP asked for.
    Maildrop(Option<u32>),
    More(Box<Lines>),
    Open,
    Quit,
}

impl Session {
    /// A session that has yet to greet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            input: Input::default(),
            out: vec![],
            state: State::Fresh,
            secured: false,
            exporter: None,
            open: false,
            user: None,
            since: None,
            bad: 0,
            failed: 0,
            signals: Signals::default(),
        }
    }

    fn say(&mut self, status: &str, text: &str) {
        for part in [status, text, "\r\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn ok(&mut self, text: &str) {
        self.say("+OK ", text);
    }

    fn err(&mut self, text: &str) {
        self.say("-ERR ", text);
    }

    /// Says no, and ends the connection.
    fn part(&mut self, text: &str) {
        self.err(text);
        self.state = State::Ending;
    }

    /// Says no to what no client says; ends the connection when that is said too often.
    fn wrong(&mut self, text: &str) {
        self.err(text);
        self.bad = self.bad.saturating_add(1);
        let most = if self.open { BAD_MAX } else { BAD_MAX_STRANGER };
        if self.bad > most {
            self.state = State::Ending;
        }
    }

    fn ask(&mut self, question: Question, pending: Pending) {
        self.state = State::Ask(Box::new(question), pending);
    }

    /// Whether passwords may be sent.
    fn login(&self) -> bool {
        self.secured || self.options.in_clear
    }

    fn tls(&self) -> bool {
        self.options.tls && !self.secured
    }

    /// The next line without its line end, which may be a bare LF. `Err`: what to do until it is
    /// there, if it is worth waiting for.
    fn line(&mut self, now: Instant) -> Result<Vec<u8>, Option<Step>> {
        if self.out.len() >= OUTPUT_MAX {
            return Err(Some(self.write()));
        }
        let Some(length) = self.input.line() else {
            if self.input.len() >= LINE_MAX {
                self.part("Line too long");
                return Err(None);
            }
            return Err(self.wait(now));
        };
        let line = self.input.rest().get(..length).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.input.advance(length);
        self.since = None;
        Ok(line)
    }

    fn command(&mut self, now: Instant) -> Option<Step> {
        let line = match self.line(now) {
            Ok(line) => line,
            Err(step) => return step,
        };
        match command::parse(&line) {
            Ok(command) => self.carry_out(command),
            Err(SyntaxError::Argument) => self.wrong("Bad arguments"),
            // A browser, or somebody who uses one against us.
            Err(SyntaxError::Verb) if !self.open && is_http(&line) => {
                self.part("This is a POP3 server");
            }
            Err(SyntaxError::Verb) => self.wrong("Unknown command"),
        }
        None
    }

    fn carry_out(&mut self, command: Command<'_>) {
        match (command, self.open) {
            (Command::Capa, _) => {
                let tls = self.tls() && !self.open;
                let bound = self.exporter.is_some();
                let list = capability::list(self.login(), tls, bound);
                self.ok("Capability list follows");
                self.out.extend_from_slice(list.as_bytes());
                self.out.extend_from_slice(b".\r\n");
            }
            (Command::Maildrop(maildrop), true) => {
                self.bad = 0;
                let top = match maildrop {
                    Maildrop::Top(_, lines) => Some(lines),
                    _ => None,
                };
                self.ask(Question::Maildrop(maildrop), Pending::Maildrop(top));
            }
            (Command::Maildrop(_), false) => self.wrong("Log in first"),
            (Command::Quit, true) => self.ask(Question::Quit, Pending::Quit),
            (Command::Quit, false) => {
                self.ok("Bye");
                self.state = State::Ending;
            }
            (_, true) => self.wrong("Already logged in"),
            (Command::Auth(argument), false) => self.auth(argument),
            (Command::Pass(password), false) => self.pass(password),
            (Command::Stls, false) if self.tls() => {
                self.ok("Begin TLS negotiation");
                self.state = State::Handshake;
            }
            (Command::Stls, false) => self.wrong("TLS is not available"),
            (Command::User(name), false) => self.user(name),
            // RFC 6856 section 2.1. Names, passwords and mail are UTF-8 without it, too.
            (Command::Utf8, false) => self.ok("UTF8 enabled"),
        }
    }

    /// Waits for a line, from the end of the last one to the end of this one, once replies have left.
    /// `None` when the wait is over.
    fn wait(&mut self, now: Instant) -> Option<Step> {
        if !self.out.is_empty() {
            return Some(self.write());
        }
        if self.signals.stopping {
            self.part("[SYS/TEMP] Server shutting down");
            return None;
        }
        let seconds = match self.open {
            true => self.options.idle_wait,
            false if self.signals.crowded => self.options.login_wait.min(CROWDED_WAIT),
            false => self.options.login_wait,
        };
        let until = self.since.get_or_insert(now).plus_seconds(seconds);
        if self.signals.ended || self.signals.taken || now >= until {
            // RFC 1939 section 3: nothing is removed and nothing is said.
            self.state = State::Ending;
            return None;
        }
        Some(Step::Read { until })
    }

    fn write(&mut self) -> Step {
        Step::Write(take(&mut self.out))
    }

    /// The first octet of a handshake can only come after the reply: what is in hand is from
    /// somebody in between (RFC 2595 section 4).
    fn handshake(&mut self) -> Option<Step> {
        if !self.input.is_empty() || self.signals.ended {
            self.out.clear();
            self.state = State::Ending;
            return None;
        }
        if !self.out.is_empty() {
            self.state = State::Handshake;
            return Some(self.write());
        }
        self.state = State::Handshaking;
        Some(Step::StartTls)
    }

    /// Writes lines of an answer, and asks for more where there are some.
    fn lines(&mut self, mut lines: Box<Lines>, octets: &[u8], more: bool) {
        lines.write(octets, &mut self.out);
        if more && !lines.is_whole() {
            self.state = State::More(lines);
        } else {
            lines.end(&mut self.out);
        }
    }

    fn answered(&mut self, pending: Pending, answer: Answer) {
        match (pending, answer) {
            (Pending::Auth(exchange), Answer::Auth(answer)) => self.judged(exchange, answer),
            (_, Answer::Bye(text)) | (Pending::Quit, Answer::Err(text)) => self.part(text),
            (Pending::Maildrop(_) | Pending::Open, Answer::Err(text)) => self.err(text),
            (Pending::Maildrop(_), Answer::Ok(text)) => self.ok(&text),
            (Pending::Maildrop(top), Answer::Lines { text, octets, more }) => {
                self.ok(&text);
                self.lines(Box::new(Lines::new(top)), &octets, more);
            }
            (Pending::More(lines), Answer::More { octets, more }) => {
                self.lines(lines, &octets, more);
            }
            (Pending::Open, Answer::Ok(text)) => {
                self.ok(&text);
                self.open = true;
                self.bad = 0;
            }
            (Pending::Quit, Answer::Ok(text)) => {
                self.ok(&text);
                self.state = State::Ending;
            }
            // No answer to this question.
            _ => self.state = State::Ending,
        }
    }
}

impl Machine for Session {
    type Question = Question;
    type Answer = Answer;
    type Range = ();

    fn input(&mut self, octets: &[u8]) -> usize {
        match self.state {
            // Nobody will read it.
            State::Done | State::Ending => octets.len(),
            _ => self.input.take(octets, LINE_MAX),
        }
    }

    fn end(&mut self) {
        self.signals.ended = true;
    }

    fn step(&mut self, now: Instant) -> Step {
        loop {
            let step = match replace(&mut self.state, State::Command) {
                State::Ask(question, pending) => {
                    self.state = State::Asked(pending);
                    Some(Step::Ask(*question))
                }
                State::Command => self.command(now),
                State::Done => {
                    self.state = State::Done;
                    Some(Step::Close)
                }
                State::Ending => {
                    self.state = State::Ending;
                    if self.out.is_empty() {
                        self.state = State::Done;
                        None
                    } else {
                        Some(self.write())
                    }
                }
                State::Fresh => {
                    self.ok("Pillarbox ready.");
                    None
                }
                State::Handshake => self.handshake(),
                State::More(lines) if self.out.is_empty() => {
                    self.ask(Question::More, Pending::More(lines));
                    None
                }
                State::More(lines) => {
                    self.state = State::More(lines);
                    Some(self.write())
                }
                State::Response(exchange) => self.response(exchange, now),
                state @ (State::Asked(_) | State::Handshaking) => {
                    self.state = state;
                    Some(Step::Read {
                        until: Instant::NEVER,
                    })
                }
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        match replace(&mut self.state, State::Command) {
            State::Asked(pending) => self.answered(pending, answer),
            // Nobody asked.
            state => self.state = state,
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

    fn wake(&mut self) {
        self.signals.taken = true;
    }

    fn stop(&mut self) {
        self.signals.stopping = true;
    }

    fn crowded(&mut self, crowded: bool) {
        self.signals.crowded = crowded;
    }

    fn stranger(&self) -> bool {
        !self.open
    }

    /// What was said before the handshake is forgotten (RFC 2595 section 4). With implicit TLS this
    /// comes before the first step.
    fn secured(&mut self, secured: Secured) {
        match self.state {
            State::Fresh => {}
            State::Handshaking => self.state = State::Command,
            _ => return,
        }
        self.secured = true;
        self.exporter = secured.exporter.map(Box::new);
        self.user = None;
        self.since = None;
    }
}

/// Whether a line is what a browser begins with.
fn is_http(line: &[u8]) -> bool {
    memchr::memmem::find(line, b" HTTP/").is_some()
}
