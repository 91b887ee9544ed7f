//! A driver and a service in one: a directory of mailboxes and what was settled.

use std::collections::VecDeque;
use std::mem::take;

use super::super::{Answer, Note, Noted, Options, Question, Session, Step};
use crate::base::machine::{Machine, Secured};
use crate::base::time::Instant;
use crate::proto::sasl::tests::Example;
use crate::proto::smtp::reply::Reply;

pub struct Driver {
    pub session: Session,
    pub now: Instant,
    /// Whole replies, their lines joined by LF.
    pub replies: VecDeque<String>,
    pub settled: VecDeque<Vec<u8>>,
    pub writes: usize,
    pub senders: usize,
    pub forgets: usize,
    pub longest_piece: usize,
    /// How long the service takes for a piece of content, in seconds.
    pub slow_s: u64,
    /// The service cannot tell how messages end.
    pub hang: bool,
    pub closed: bool,
    /// A handshake is waited for.
    pub handshaken: bool,
    /// `MECHANISM name`.
    pub authenticated: Option<String>,
    /// Of the last MAIL or RCPT.
    pub parameters: String,
    pub accounts: Example,
    pub until: Instant,
    mailboxes: Vec<String>,
    out: Vec<u8>,
    content: Vec<u8>,
}

impl Driver {
    pub fn new(options: Options, mailboxes: &[&str]) -> Self {
        Self::secured(options, mailboxes, None)
    }

    /// With implicit TLS, if there was a handshake.
    pub fn secured(options: Options, mailboxes: &[&str], secured: Option<Secured>) -> Self {
        let now = Instant(0);
        let mut driver = Self {
            session: Session::new(options, now),
            now,
            replies: VecDeque::new(),
            settled: VecDeque::new(),
            writes: 0,
            senders: 0,
            forgets: 0,
            longest_piece: 0,
            slow_s: 0,
            hang: false,
            closed: false,
            handshaken: false,
            authenticated: None,
            parameters: String::new(),
            accounts: Example::default(),
            until: now,
            mailboxes: mailboxes.iter().map(|name| (*name).to_owned()).collect(),
            out: vec![],
            content: vec![],
        };
        if let Some(secured) = secured {
            driver.session.secured(secured);
        }
        driver.run();
        driver
    }

    /// The handshake that STARTTLS waits for.
    pub fn secure(&mut self, secured: Secured) {
        assert!(self.handshaken, "no handshake is waited for");
        self.handshaken = false;
        self.authenticated = None;
        self.session.secured(secured);
        self.run();
    }

    /// Gives the session these octets as one piece, as far as it takes them, and runs it.
    pub fn feed(&mut self, mut octets: &[u8]) {
        self.run();
        while !self.closed && !octets.is_empty() {
            let taken = self.session.input(octets);
            octets = &octets[taken..];
            self.run();
        }
    }

    pub fn half_close(&mut self) {
        self.session.end();
        self.run();
    }

    pub fn wait(&mut self, seconds: u64) {
        let end = self.now.plus_seconds(seconds);
        while !self.closed && self.until <= end {
            assert!(self.until >= self.now);
            self.now = self.until;
            self.run();
        }
        self.now = end;
        self.run();
    }

    fn run(&mut self) {
        while !self.closed {
            match self.session.step(self.now) {
                Step::Ask(question) => {
                    let hang = self.hang && matches!(question, Question::End { .. });
                    let answer = match question {
                        Question::Auth(question) => Answer::Auth(self.accounts.answer(&question)),
                        question => Answer::Reply(self.decide(question)),
                    };
                    self.session
                        .answer(if hang { Answer::Hang } else { answer });
                }
                Step::Close => {
                    self.closed = true;
                    assert!(matches!(self.session.step(self.now), Step::Close));
                }
                Step::Content(piece) => {
                    assert!(!piece.is_empty());
                    self.longest_piece = self.longest_piece.max(piece.len());
                    self.content.extend(piece);
                    self.now = self.now.plus_seconds(self.slow_s);
                }
                Step::Read { until } => {
                    assert!(until > self.now);
                    self.until = until;
                    return;
                }
                Step::Compress(_) | Step::Send(()) => panic!("nothing of this"),
                Step::StartTls => {
                    self.handshaken = true;
                    return;
                }
                Step::Write(octets) => {
                    self.writes += 1;
                    self.out.extend(octets);
                    self.sort_replies();
                }
            }
        }
    }

    fn sort_replies(&mut self) {
        let text = String::from_utf8(take(&mut self.out)).unwrap();
        let mut reply = String::new();
        for line in text.split_inclusive("\r\n") {
            assert!(line.len() <= 512, "{line}");
            reply.push_str(line.strip_suffix("\r\n").unwrap());
            if line.as_bytes()[3] == b' ' {
                self.replies.push_back(take(&mut reply));
            } else {
                reply.push('\n');
            }
        }
        assert_eq!(reply, "");
    }

    fn decide(&mut self, question: Question) -> Reply {
        match question {
            Question::Auth(_) => panic!("{question:?}"),
            Question::Note(Note {
                what: Noted::Authenticated { mechanism, name },
                ..
            }) => {
                self.authenticated = Some(format!("{} {name}", mechanism.name()));
                Reply::new(421, "4.0.0 Never said")
            }
            Question::Begin => {
                assert!(self.content.is_empty());
                Reply::new(250, "2.0.0 Ok")
            }
            Question::End { size } => {
                assert_eq!(size, self.content.len() as u64);
                self.settled.push_back(take(&mut self.content));
                let id = self.settled.len();
                Reply::new(250, format!("2.0.0 Ok: queued as {id}"))
            }
            Question::Forget { .. } => {
                self.forgets += 1;
                self.content.clear();
                Reply::new(250, "2.0.0 Ok")
            }
            Question::Hello { name, .. } => {
                assert!(!name.is_empty());
                Reply::new(250, "2.0.0 Ok")
            }
            // Not looked at.
            Question::Note(_) => Reply::new(421, "4.0.0 Never said"),
            Question::QueueRun { .. } => Reply::new(458, "4.7.1 Unable to queue messages"),
            Question::Recipient { path, parameters } => {
                self.parameters = format!("{parameters:?}");
                self.recipient(&path)
            }
            Question::Sender { parameters, .. } => {
                self.senders += 1;
                self.parameters = format!("{parameters:?}");
                Reply::new(250, "2.1.0 Ok")
            }
        }
    }

    fn recipient(&self, path: &str) -> Reply {
        let address = path.trim_matches(['<', '>']);
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let hosted = |name: &String| name.rsplit_once('@').is_some_and(|(_, d)| d == domain);
        if local.eq_ignore_ascii_case("postmaster") || self.mailboxes.iter().any(|m| m == address) {
            Reply::new(250, "2.1.5 Ok")
        } else if self.mailboxes.iter().any(hosted) {
            let why =
                "Recipient address rejected: User unknown in virtual mailbox table".to_owned();
            Reply::new(550, format!("5.1.1 {path}: {why}"))
        } else {
            Reply::new(554, format!("5.7.1 {path}: Relay access denied"))
        }
    }
}
