//! The client of SMTP and LMTP (RFC 5321, RFC 2033): one connection, any number of transactions.
//!
//! Whatever the peer does, each transaction ends in one outcome for each of its recipients.

mod auth;
mod content;
mod hello;
mod replies;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

use std::collections::VecDeque;
use std::mem::{replace, take};

use self::hello::Capabilities;
use self::replies::Replies;
use self::transaction::Open;
pub use self::value::{
    Answer, Body, Failed, Login, Offer, Options, Outcome, Question, Recipient, Report, Stage, Tls,
    Transaction,
};
use super::reply::Reply;
use crate::base::line::Input;
use crate::base::machine::{Machine, Secured};
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::proto::sasl::client::Exchange;

/// What a step of this machine is.
pub type Step = crate::base::machine::Step<Question, ()>;

/// Most octets of input held at once.
const INPUT_MAX: usize = 16 * 1024;
/// For the greeting, EHLO, MAIL and RCPT, in seconds (RFC 5321 section 4.5.3.2).
const COMMAND_WAIT: u64 = 300;
/// For the answer to DATA.
const DATA_WAIT: u64 = 120;
/// For the answer to a piece of a message (BDAT), as for the peer to take one.
const CHUNK_WAIT: u64 = 180;
/// For the answer to the end of a message.
const END_WAIT: u64 = 600;
/// The message is safe by then.
const QUIT_WAIT: u64 = 5;

/// Whose reply comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expect {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Reset,
    Mail,
    /// Of this recipient.
    Rcpt(usize),
    Data,
    Chunk,
    /// Of all recipients, or of this one (LMTP).
    End(Option<usize>),
    Quit,
}

impl Expect {
    fn stage(self) -> Stage {
        match self {
            Self::Greeting => Stage::Greeting,
            Self::Ehlo | Self::Helo => Stage::Hello,
            Self::StartTls => Stage::StartTls,
            Self::Auth => Stage::Auth,
            Self::Reset | Self::Mail | Self::Quit => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data | Self::Chunk => Stage::Data,
            Self::End(_) => Stage::End,
        }
    }

    fn seconds(self) -> u64 {
        match self {
            Self::Data | Self::StartTls => DATA_WAIT,
            Self::Chunk => CHUNK_WAIT,
            Self::End(_) => END_WAIT,
            Self::Quit => QUIT_WAIT,
            _ => COMMAND_WAIT,
        }
    }
}

#[derive(Debug)]
enum State {
    Ask(Box<Question>),
    Asked,
    /// The next piece of the message is to be sent.
    Content,
    Ending,
    Handshake,
    Handshaking,
    /// For replies.
    Wait,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    options: Options,
    input: Input,
    out: Vec<u8>,
    replies: Replies,
    /// What was sent and not answered yet.
    expected: VecDeque<Expect>,
    /// Since when the present reply is waited for.
    since: Option<Instant>,
    state: State,
    peer: Capabilities,
    secured: Option<Secured>,
    exchange: Option<Box<Exchange>>,
    /// What was too long for the AUTH line.
    initial: Option<Secret>,
    open: Option<Box<Open>>,
    /// Transactions so far.
    mails: u32,
    /// The last one has left something behind.
    dirty: bool,
    failed: Option<Failed>,
    ended: bool,
    stopping: bool,
}

impl Session {
    /// A session that has yet to be greeted. With [`Tls::Implicit`], [`Machine::secured`] has to be
    /// called before the first step.
    #[must_use]
    pub fn new(options: Options, now: Instant) -> Self {
        Self {
            options,
            input: Input::default(),
            out: vec![],
            replies: Replies::default(),
            expected: VecDeque::from([Expect::Greeting]),
            since: Some(now),
            state: State::Wait,
            peer: Capabilities::default(),
            secured: None,
            exchange: None,
            initial: None,
            open: None,
            mails: 0,
            dirty: false,
            failed: None,
            ended: false,
            stopping: false,
        }
    }

    /// Why the connection ended, where it did not end as it should: before the first
    /// [`Question::Next`], between two transactions, or within one, whose outcomes say so as well. A
    /// handshake that failed is the driver's to tell.
    #[must_use]
    pub fn failed(&self) -> Option<&Failed> {
        self.failed.as_ref()
    }

    /// What became of the open transaction where the driver gave up before [`Question::Done`].
    pub fn lost(&mut self) -> Option<Report> {
        if let State::Ask(question) = replace(&mut self.state, State::Ending)
            && let Question::Done(report) = *question
        {
            return Some(report);
        }
        let (at, text) = (self.stage(), self.broken_off("lost connection"));
        let open = self.open.take()?;
        Some(open.report(&self.peer, |_| Outcome::Lost {
            at,
            text: text.clone(),
        }))
    }

    /// One command line. What could end it is replaced.
    fn say(&mut self, line: &str, expect: Expect) {
        self.say_octets(line.as_bytes());
        self.expected.push_back(expect);
    }

    fn say_octets(&mut self, line: &[u8]) {
        let clean = |octet: &u8| {
            if octet.is_ascii_control() {
                b'?'
            } else {
                *octet
            }
        };
        self.out.extend(line.iter().map(clean));
        self.out.extend_from_slice(b"\r\n");
    }

    /// Where the conversation is.
    fn stage(&self) -> Stage {
        let ends = |expect: &&Expect| matches!(expect, Expect::End(_));
        let front = self.expected.iter().find(ends).or(self.expected.front());
        match (front, &self.open) {
            (Some(expect), _) => expect.stage(),
            (None, Some(open)) if open.sends() => Stage::Data,
            (None, _) => Stage::Mail,
        }
    }

    fn broken_off(&self, how: &str) -> String {
        format!(
            "{how} with {} while {}",
            self.options.peer,
            self.stage().doing()
        )
    }

    /// What a peer says no with, in Postfix's words.
    fn refusal(&self, at: Stage, reply: &Reply) -> String {
        let peer = &self.options.peer;
        match at {
            Stage::Greeting | Stage::Hello => {
                format!("host {peer} refused to talk to me: {reply}")
            }
            Stage::StartTls => format!("host {peer} refused to start TLS: {reply}"),
            Stage::Auth => format!("SASL authentication failed; server {peer} said: {reply}"),
            _ => {
                let command = at.command();
                format!("host {peer} said: {reply} (in reply to {command} command)")
            }
        }
    }

    /// The peer wants nothing to do with us.
    fn refused(&mut self, at: Stage, reply: Reply) {
        let text = self.refusal(at, &reply);
        self.part(at, Some(reply), text);
    }

    /// Nothing more comes, or nothing that makes sense.
    fn lose(&mut self, text: &str) {
        let at = self.stage();
        if self.expected.front() != Some(&Expect::Quit) {
            self.fail(at, None, text.to_owned());
        }
        self.break_off(|_| Outcome::Lost {
            at,
            text: text.to_owned(),
        });
    }

    /// The peer goes (421).
    fn dismissed(&mut self, reply: &Reply) {
        let at = self.stage();
        let text = self.refusal(at, reply);
        self.fail(at, Some(reply.clone()), text);
        self.break_off(|_| Outcome::Refused {
            at,
            reply: reply.clone(),
        });
    }

    /// Ends the connection, with an outcome for those who have none.
    fn break_off(&mut self, outcome: impl Fn(usize) -> Outcome) {
        self.expected.clear();
        self.input.clear();
        self.out.clear();
        self.state = State::Ending;
        if let Some(open) = self.open.take() {
            let report = open.report(&self.peer, outcome);
            self.state = State::Ask(Box::new(Question::Done(report)));
        }
    }

    /// Notes why the connection ends; the first reason counts.
    fn fail(&mut self, at: Stage, reply: Option<Reply>, text: String) {
        self.failed.get_or_insert(Failed { at, reply, text });
    }

    /// The same, and says goodbye.
    fn part(&mut self, at: Stage, reply: Option<Reply>, text: String) {
        self.fail(at, reply, text);
        self.quit();
    }

    fn quit(&mut self) {
        self.say("QUIT", Expect::Quit);
        self.state = State::Wait;
    }

    /// Goes as politely as possible without waiting for a reply to something else.
    fn leave(&mut self) {
        match self.expected.front() {
            Some(Expect::Quit) => {}
            None => self.quit(),
            Some(_) => {
                self.expected.clear();
                self.out.clear();
                self.state = State::Ending;
            }
        }
    }

    /// Waits for a reply and acts on it. `None`: something else is to be done now.
    fn wait(&mut self, now: Instant) -> Option<Step> {
        let Some(&expect) = self.expected.front() else {
            self.proceed();
            return None;
        };
        let whole = matches!(expect, Expect::Auth | Expect::Ehlo);
        match self.replies.next(&mut self.input, whole) {
            Err(line) => {
                let peer = &self.options.peer;
                self.lose(&format!("host {peer} sent an invalid reply: {line}"));
            }
            Ok(Some(reply)) => {
                self.since = None;
                self.reply(expect, reply);
            }
            Ok(None) if self.ended => self.lose(&self.broken_off("lost connection")),
            Ok(None) => {
                let since = *self.since.get_or_insert(now);
                let until = since.plus_seconds(expect.seconds());
                if now < until {
                    return Some(Step::Read { until });
                }
                let peer = &self.options.peer;
                let doing = self.stage().doing();
                self.lose(&format!("conversation with {peer} timed out while {doing}"));
            }
        }
        None
    }

    fn reply(&mut self, expect: Expect, reply: Reply) {
        if reply.ends() && expect != Expect::Quit {
            return self.dismissed(&reply);
        }
        self.expected.pop_front();
        match expect {
            Expect::Greeting => self.greeted(reply),
            Expect::Ehlo | Expect::Helo => self.hello_answered(expect, reply),
            Expect::StartTls => self.starttls_answered(reply),
            Expect::Auth => self.auth_answered(reply),
            Expect::Quit => self.state = State::Ending,
            _ => self.transaction_answered(expect, reply),
        }
    }

    /// Everything that was sent is answered.
    fn proceed(&mut self) {
        match &self.open {
            Some(_) => self.go_on(),
            None => self.ready(),
        }
    }

    /// Between two transactions.
    fn ready(&mut self) {
        if !self.input.is_empty() || self.ended {
            // 421 is what may come unasked.
            match self.replies.next(&mut self.input, false) {
                Ok(Some(reply)) if reply.ends() => self.dismissed(&reply),
                _ => self.lose(&self.broken_off("lost connection")),
            }
        } else if self.stopping || self.peer.is_last(self.mails) {
            self.quit();
        } else {
            let offer = self.peer.offer(self.secured.as_ref());
            self.state = State::Ask(Box::new(Question::Next(offer)));
        }
    }
}

impl Machine for Session {
    type Question = Question;
    type Answer = Answer;
    type Range = ();

    const CLIENT: bool = true;

    fn input(&mut self, octets: &[u8]) -> usize {
        match self.state {
            State::Ending => octets.len(),
            _ => self.input.take(octets, INPUT_MAX),
        }
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn step(&mut self, now: Instant) -> Step {
        loop {
            if self.stopping && self.open.is_none() && matches!(self.state, State::Wait) {
                self.leave();
            }
            if !self.out.is_empty() {
                self.since = None;
                return Step::Write(take(&mut self.out));
            }
            match replace(&mut self.state, State::Asked) {
                State::Ask(question) => return Step::Ask(*question),
                State::Asked | State::Ending => {
                    self.state = State::Ending;
                    return Step::Close;
                }
                State::Content => self.content(),
                State::Handshake if self.input.is_empty() && !self.ended => {
                    self.state = State::Handshaking;
                    return Step::StartTls;
                }
                // From somebody in between (RFC 3207 section 6).
                State::Handshake | State::Handshaking => {
                    let peer = &self.options.peer;
                    let text = format!("host {peer} went on in clear after STARTTLS");
                    self.fail(Stage::StartTls, None, text);
                    self.state = State::Ending;
                }
                State::Wait => {
                    self.state = State::Wait;
                    if let Some(step) = self.wait(now) {
                        return step;
                    }
                }
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Content(octets) => self.send(octets),
            Answer::Noted if self.failed.is_some() => self.state = State::Ending,
            Answer::Noted => self.ready(),
            Answer::Proved(proved) => self.proved(&proved),
            Answer::Quit => self.quit(),
            Answer::Transaction(transaction) => self.begin(*transaction),
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
    }

    fn stranger(&self) -> bool {
        false
    }

    /// All that was said before the handshake is forgotten (RFC 3207 section 4.2).
    fn secured(&mut self, secured: Secured) {
        self.secured = Some(secured);
        if matches!(self.state, State::Handshaking) {
            self.hello();
        }
    }
}
