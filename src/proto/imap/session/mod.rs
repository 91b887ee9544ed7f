//! An IMAP session as a machine: it reads commands, keeps the state (RFC 3501 section 3), settles
//! what needs no store, and asks for the rest.

mod append;
mod compress;
mod enable;
mod login;
mod output;
mod question;
mod receive;
mod run;
mod secure;
#[cfg(test)]
mod tests;

use std::mem;

pub use self::question::{Answer, Completion, Enabled, Piece, Question, StateChange, Status};

use self::append::{Appending, Skip};
use self::compress::Compression;
pub use self::compress::Places;
use self::output::Output;
use crate::base::id::ContentRange;
use crate::base::line::Input;
use crate::base::machine::{Machine, Secured, Step};
use crate::base::time::Instant;
use crate::proto::sasl::{self, Exchange, Turn};

/// Text of one command in octets, literals not counted; RFC 7162 section 4 wants 8192 at least.
const LINE_MAX: usize = 64 << 10;
/// The same while nobody has logged in. Each also bounds the literals of one command.
const LINE_MAX_STRANGER: usize = 8 << 10;
/// Literals refused without a question asked are read and forgotten up to here, in octets.
const SWALLOW_MAX: u64 = 64 << 20;
/// Failed log-ins of one connection.
const FAILED_MAX: u8 = 10;
/// Bad commands in a row, after and before the log-in.
const BAD_MAX: u8 = 20;
const BAD_MAX_STRANGER: u8 = 10;
/// Seconds for a command that has begun to arrive, and between two pieces of a message.
const COMMAND_WAIT: u64 = 5 * 60;
const APPEND_WAIT: u64 = 3 * 60;
/// Seconds for a stranger's command while the house is crowded.
const CROWDED_WAIT: u64 = 10;

/// What differs between sessions.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest message of APPEND, in octets; 0 = no limit.
    pub append_limit: u64,
    /// Seconds without a command after which the session ends, IDLE or not. RFC 3501 section 5.4
    /// wants 30 minutes at least.
    pub idle_wait: u64,
    /// Whether passwords may be sent in clear, too: from a loopback that is exempt.
    pub login: bool,
    /// Seconds for each command before the log-in.
    pub login_wait: u64,
    /// STARTTLS is offered while the connection is in clear.
    pub starttls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            append_limit: 35 << 20,
            idle_wait: 30 * 60,
            login: true,
            login_wait: 60,
            starttls: false,
        }
    }
}

/// One client's session. While it idles it holds no buffer.
#[derive(Debug)]
pub struct Session {
    options: Options,
    input: Input,
    /// Lines and literals of the command that is coming in, save for the line in `input`.
    command: Vec<u8>,
    /// How many octets of `command` are literals.
    literals: usize,
    out: Output,
    /// The APPEND that runs.
    append: Option<Box<Appending>>,
    /// Of the command that runs; `*` where it has none.
    tag: Box<str>,
    phase: Phase,
    state: State,
    /// What `until` is the end of; `None` once something happened that starts the wait anew.
    wait: Option<Wait>,
    until: Instant,
    bad: u8,
    failed: u8,
    crowded: bool,
    /// The connection is encrypted.
    secured: bool,
    /// Its channel binding.
    exporter: Option<Box<[u8; 32]>>,
    compression: Compression,
    enabled: Enabled,
    signals: Signals,
}

/// What was said from outside and not acted upon yet.
#[derive(Debug, Default)]
struct Signals {
    ended: bool,
    stopped: bool,
    woken: bool,
}

/// RFC 3501 section 3. Logout is [`Phase::Bye`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    NotAuthenticated,
    Authenticated,
    Selected,
}

#[derive(Debug)]
enum Phase {
    /// The service is to forget the messages of an APPEND that is refused.
    Abort(Box<Completion>),
    /// Octets of a message go to the service; so many are to come.
    Append {
        left: u64,
    },
    /// What follows a message: another, or the line end.
    AppendTail,
    /// A question is out.
    Asked(Asked),
    /// Everything is said: send it, have the service forget, close.
    Bye,
    Closed,
    /// A line of a command.
    Command,
    /// Everything is said in clear: the next octets are compressed.
    Compress,
    /// What an exchange wants next.
    Exchange(Box<Exchange>, Box<Turn>),
    /// Nothing was said yet.
    Greeting,
    /// The handshake is going on.
    Handshaking,
    Idle,
    /// Octets of a literal inside a command; so many are to come.
    Literal {
        left: usize,
    },
    /// The service has more, as soon as what it gave is sent.
    More(Asked),
    /// The client's line in AUTHENTICATE.
    Response(Box<Exchange>),
    /// Everything is said in clear: the handshake comes.
    Secure,
    /// The rest of a command that is refused.
    Skip(Box<Skip>),
}

/// What the question was.
#[derive(Debug)]
enum Asked {
    Abort(Box<Completion>),
    AppendBegin { size: u64, waits: bool },
    Command,
    Forget,
    Login,
    Poll,
    Sasl(Box<Exchange>),
}

/// What the session waits for; each has its own time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    Command,
    Idle,
    Login,
    Octets,
}

/// What came of one bit of work.
enum Work {
    Again,
    Step(Step<Question, ContentRange>),
    Wait(Wait),
}

impl Session {
    /// A session that begins with the greeting. The first wait starts with the first step.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            input: Input::default(),
            command: Vec::new(),
            literals: 0,
            out: Output::default(),
            append: None,
            tag: "*".into(),
            phase: Phase::Greeting,
            state: State::NotAuthenticated,
            wait: None,
            until: Instant::NEVER,
            bad: 0,
            failed: 0,
            crowded: false,
            secured: false,
            exporter: None,
            compression: Compression::Never,
            enabled: Enabled::default(),
            signals: Signals::default(),
        }
    }

    fn work(&mut self) -> Work {
        if self.signals.stopped && self.interruptible() {
            self.bye("Server shutting down");
        }
        match self.phase {
            Phase::Abort(_) => self.abort(),
            Phase::Append { left } => self.append_octets(left),
            Phase::AppendTail => self.append_tail(),
            Phase::Asked(_) | Phase::Handshaking => Work::Step(Step::Read {
                until: Instant::NEVER,
            }),
            Phase::Bye if self.out.is_empty() => self.ask(Question::Forget, Asked::Forget),
            Phase::Bye => {
                self.out.flush();
                Work::Again
            }
            Phase::Closed => Work::Step(Step::Close),
            Phase::Command => self.receive(),
            Phase::Compress => self.compressed(),
            Phase::Exchange(..) => self.turn(),
            Phase::Greeting => self.greet(),
            Phase::Idle => self.idle(),
            Phase::Literal { left } => self.literal(left),
            Phase::More(_) => self.more(),
            Phase::Response(_) => self.response(),
            Phase::Secure => self.handshake(),
            Phase::Skip(_) => self.skip(),
        }
    }

    /// No command is being carried out.
    fn interruptible(&self) -> bool {
        match self.phase {
            Phase::Command
            | Phase::Greeting
            | Phase::Idle
            | Phase::Literal { .. }
            | Phase::Response(_)
            | Phase::Skip(_) => true,
            Phase::Abort(_)
            | Phase::Append { .. }
            | Phase::AppendTail
            | Phase::Asked(_)
            | Phase::Bye
            | Phase::Closed
            | Phase::Compress
            | Phase::Exchange(..)
            | Phase::Handshaking
            | Phase::More(_)
            | Phase::Secure => false,
        }
    }

    fn ask(&mut self, question: Question, asked: Asked) -> Work {
        self.phase = Phase::Asked(asked);
        Work::Step(Step::Ask(question))
    }

    fn more(&mut self) -> Work {
        if let Phase::More(asked) = mem::replace(&mut self.phase, Phase::Command) {
            return self.ask(Question::More, asked);
        }
        Work::Again
    }

    /// Nothing to do with what is in hand: send what is held, then read.
    fn wait(&mut self, wait: Wait, now: Instant) -> Option<Step<Question, ContentRange>> {
        if !self.out.is_empty() {
            self.out.flush();
            return None;
        }
        if self.signals.ended {
            self.phase = Phase::Bye;
            return None;
        }
        if self.wait != Some(wait) {
            self.wait = Some(wait);
            self.until = now.plus_seconds(self.seconds(wait));
        }
        if now >= self.until {
            self.bye("Idle for too long");
            return None;
        }
        Some(Step::Read { until: self.until })
    }

    fn seconds(&self, wait: Wait) -> u64 {
        match wait {
            Wait::Command => COMMAND_WAIT,
            Wait::Idle => self.options.idle_wait,
            Wait::Login if self.crowded => self.options.login_wait.min(CROWDED_WAIT),
            Wait::Login => self.options.login_wait,
            Wait::Octets => APPEND_WAIT,
        }
    }

    /// Says good-bye, once; nothing is read after it.
    fn bye(&mut self, text: &str) {
        if !matches!(self.phase, Phase::Bye) {
            self.out.line(&format!("* BYE {text}"));
            self.phase = Phase::Bye;
        }
    }

    /// Ends the running command. The next one may come.
    fn complete(&mut self, completion: &Completion) {
        self.wait = None;
        self.phase = Phase::Command;
        self.append = None;
        self.out.completion(&self.tag, completion);
        match completion.state {
            None => {}
            Some(StateChange::Authenticated | StateChange::Deselected) => {
                self.state = State::Authenticated;
            }
            Some(StateChange::Bye) => self.phase = Phase::Bye,
            Some(StateChange::Selected { .. }) => self.state = State::Selected,
        }
        if completion.status == Status::Bad {
            self.count_bad();
        } else {
            self.bad = 0;
        }
    }

    fn count_bad(&mut self) {
        self.bad = self.bad.saturating_add(1);
        let max = if self.stranger() {
            BAD_MAX_STRANGER
        } else {
            BAD_MAX
        };
        if self.bad > max {
            self.bye("Too many bad commands");
        }
    }

    fn line_max(&self) -> usize {
        if self.stranger() {
            LINE_MAX_STRANGER
        } else {
            LINE_MAX
        }
    }

    fn settle(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::Abort(completion), _) => self.complete(&completion),
            (Asked::Forget, _) => self.phase = Phase::Closed,
            (Asked::AppendBegin { size, waits }, Answer::Accept) => self.accepted(size, waits),
            (Asked::AppendBegin { size, waits }, Answer::Done(pieces, completion)) => {
                self.out.pieces(pieces);
                self.refuse(completion, size, waits);
            }
            (
                asked @ (Asked::AppendBegin { .. } | Asked::Command | Asked::Login | Asked::Poll),
                Answer::More(pieces),
            ) => {
                self.out.pieces(pieces);
                self.out.flush();
                self.phase = Phase::More(asked);
            }
            (Asked::Command, Answer::Done(pieces, completion)) => {
                self.out.pieces(pieces);
                self.complete(&completion);
            }
            (Asked::Login, Answer::Done(pieces, completion)) => {
                self.out.pieces(pieces);
                self.logged_in(completion);
            }
            (Asked::Poll, Answer::Done(pieces, completion)) => {
                self.out.pieces(pieces);
                if completion.state == Some(StateChange::Bye) {
                    self.complete(&completion);
                } else {
                    self.phase = Phase::Idle;
                }
            }
            (Asked::Sasl(mut exchange), Answer::Sasl(answer)) => {
                let turn = Box::new(exchange.answer(answer));
                self.phase = Phase::Exchange(exchange, turn);
            }
            // Its octets may be on their way: nobody is to take them for commands.
            (Asked::AppendBegin { size, waits }, Answer::Sasl(_)) => {
                self.refuse(Completion::server_bug(), size, waits);
            }
            (Asked::Sasl(_), _)
            | (Asked::Command | Asked::Login | Asked::Poll, Answer::Accept | Answer::Sasl(_)) => {
                self.complete(&Completion::server_bug());
            }
        }
    }
}

impl Machine for Session {
    type Question = Question;
    type Answer = Answer;
    type Range = ContentRange;

    fn input(&mut self, octets: &[u8]) -> usize {
        match self.phase {
            // Nobody will read it.
            Phase::Bye | Phase::Closed | Phase::Asked(Asked::Forget) => octets.len(),
            _ => self.input.take(octets, self.line_max()),
        }
    }

    fn end(&mut self) {
        self.signals.ended = true;
    }

    fn step(&mut self, now: Instant) -> Step<Question, ContentRange> {
        loop {
            if let Some(step) = self.out.next() {
                return step;
            }
            match self.work() {
                Work::Again => {}
                Work::Step(step) => return step,
                Work::Wait(wait) => {
                    if let Some(step) = self.wait(wait, now) {
                        return step;
                    }
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        match mem::replace(&mut self.phase, Phase::Command) {
            Phase::Asked(asked) => self.settle(asked, answer),
            // Nobody asked.
            phase => self.phase = phase,
        }
    }

    fn not_now(question: &Question) -> Option<Answer> {
        match question {
            Question::Login { .. } => Some(Answer::Done(Vec::new(), Completion::not_now())),
            Question::Sasl(sasl::Question::Password { .. } | sasl::Question::Proof { .. }) => {
                Some(Answer::Sasl(sasl::Answer::TryAgain))
            }
            // The keys of a SCRAM exchange are told at once.
            _ => None,
        }
    }

    /// Only an idle client is told; others learn it with their next command.
    fn wake(&mut self) {
        if matches!(
            self.phase,
            Phase::Idle | Phase::Asked(Asked::Poll) | Phase::More(Asked::Poll)
        ) {
            self.signals.woken = true;
        }
    }

    fn stop(&mut self) {
        self.signals.stopped = true;
    }

    fn crowded(&mut self, crowded: bool) {
        if self.crowded != crowded {
            self.crowded = crowded;
            if self.wait == Some(Wait::Login) {
                self.wait = None;
            }
        }
    }

    fn stranger(&self) -> bool {
        let proved = match &self.phase {
            Phase::Exchange(_, turn) => matches!(**turn, Turn::Done { .. }),
            _ => false,
        };
        self.state == State::NotAuthenticated && !proved
    }

    /// With implicit TLS this comes before the first step.
    fn secured(&mut self, secured: Secured) {
        match self.phase {
            Phase::Greeting => {}
            Phase::Handshaking => self.phase = Phase::Command,
            _ => return,
        }
        self.secured = true;
        self.exporter = secured.exporter.map(Box::new);
        self.wait = None;
    }
}
