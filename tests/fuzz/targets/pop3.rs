//! A whole POP3 session. The first octet chooses the listener's options, the rest is what the client
//! sends.

use pillarbox::base::machine::{Machine, Secured};
use pillarbox::base::time::Instant;
use pillarbox::proto::pop3::command::Maildrop;
use pillarbox::proto::pop3::session::{Answer, Options, Question, Session, Step};

use super::smtp::judge;
use super::source::{contains, cuts};

pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "USER a@b.test\r\n",
    "PASS secret\r\n",
    "USER later@b.test\r\n",
    "USER gone@b.test\r\n",
    "AUTH\r\n",
    "AUTH PLAIN\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "AUTH SCRAM-SHA-256 biwsbj1hLHI9cg==\r\n",
    "YQ==\r\n",
    "=\r\n",
    "*\r\n",
    "CAPA\r\n",
    "STLS\r\n",
    "UTF8\r\n",
    "STAT\r\n",
    "LIST\r\n",
    "LIST 1\r\n",
    "UIDL\r\n",
    "UIDL 2\r\n",
    "RETR 1\r\n",
    "RETR 2\r\n",
    "RETR 3\r\n",
    "TOP 1 0\r\n",
    "TOP 2 1\r\n",
    "TOP 1 4294967296\r\n",
    "DELE 1\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "LAST\r\n",
    "APOP a b\r\n",
    "GET / HTTP/1.1\r\n",
    "é",
    "\0",
];

/// Messages by number; the third is not there.
const MESSAGES: [&[u8]; 2] = [b"A: b\r\n\r\n.\r\n..x\r\n", b"\r\nno end"];

pub fn run(data: &[u8]) {
    let Some((&choice, talk)) = data.split_first() else {
        return;
    };
    let whole = play(choice, [talk]);
    check(&whole.told);
    restless(choice, talk);
    let single = play(choice, talk.chunks(1));
    // RFC 2595 section 4: what was sent ahead of a handshake matters.
    if contains(&single.told, "Begin TLS") {
        return;
    }
    for other in [single, play(choice, cuts(talk))] {
        assert_eq!(whole.asked, other.asked);
        assert_eq!(
            whole.told.escape_ascii().to_string(),
            other.told.escape_ascii().to_string()
        );
    }
}

/// What came of a session.
#[derive(Debug, Default)]
struct Talk {
    told: Vec<u8>,
    asked: Vec<String>,
}

struct Driver {
    session: Session,
    now: Instant,
    talk: Talk,
    /// What is left of an answer, and whether somebody has logged in.
    left: Vec<u8>,
    open: bool,
    closed: bool,
}

fn play<'a>(choice: u8, pieces: impl IntoIterator<Item = &'a [u8]>) -> Talk {
    let mut driver = Driver::new(choice);
    for piece in pieces {
        driver.feed(piece);
    }
    driver.session.end();
    driver.steps();
    assert!(driver.closed, "still open: {:?}", driver.session);
    driver.talk
}

/// Time passes, the house fills and closes, the client goes away: only that nothing goes wrong.
fn restless(choice: u8, talk: &[u8]) {
    let mut driver = Driver::new(choice);
    for piece in cuts(talk) {
        match piece {
            [b'A', ..] => driver.session.crowded(true),
            [b'N', ..] => driver.session.crowded(false),
            [b'Q', ..] => driver.session.stop(),
            [b'S', ..] => driver.session.end(),
            [first, ..] => driver.now = driver.now.plus_seconds(u64::from(first % 32) * 3),
            [] => {}
        }
        driver.session.wake();
        assert_eq!(driver.session.stranger(), !driver.open);
        driver.feed(piece);
    }
    for _ in 0..10 {
        driver.now = driver.now.plus_seconds(86_400);
        driver.steps();
    }
    assert!(driver.closed, "never ends: {:?}", driver.session);
}

impl Driver {
    fn new(choice: u8) -> Self {
        Self {
            session: Session::new(Options {
                in_clear: choice & 1 == 0,
                tls: choice & 2 == 0,
                ..Options::default()
            }),
            now: Instant(0),
            talk: Talk::default(),
            left: vec![],
            open: false,
            closed: false,
        }
    }

    fn feed(&mut self, mut octets: &[u8]) {
        self.steps();
        while !self.closed && !octets.is_empty() {
            let taken = self.session.input(octets);
            octets = &octets[taken..];
            let steps = self.steps();
            assert!(taken > 0 || steps > 1, "takes nothing and wants to read");
        }
    }

    /// Steps until it reads; how often.
    fn steps(&mut self) -> usize {
        for steps in 1..100_000 {
            if self.closed {
                assert!(matches!(self.session.step(self.now), Step::Close));
                return steps;
            }
            match self.session.step(self.now) {
                Step::Ask(question) => {
                    self.talk.asked.push(format!("{question:?}"));
                    let answer = self.answer(&question);
                    self.session.answer(answer);
                }
                Step::Close => self.closed = true,
                Step::Read { until } => {
                    assert!(until > self.now);
                    return steps;
                }
                Step::Compress(_) | Step::Content(_) | Step::Send(()) => panic!("none of these"),
                Step::StartTls => self.session.secured(Secured {
                    exporter: Some([7; 32]),
                    ..Secured::default()
                }),
                Step::Write(octets) => {
                    assert!(!octets.is_empty());
                    self.talk.told.extend(octets);
                }
            }
        }
        panic!("steps without end");
    }

    fn answer(&mut self, question: &Question) -> Answer {
        assert_eq!(
            self.open,
            !matches!(question, Question::Auth(_) | Question::Open)
        );
        match question {
            Question::Auth(question) => Answer::Auth(judge(question)),
            Question::Open => {
                self.open = true;
                Answer::Ok("2 messages".to_owned())
            }
            Question::Quit => Answer::Ok("Bye".to_owned()),
            Question::More => {
                let (octets, more) = self.piece();
                Answer::More { octets, more }
            }
            Question::Maildrop(maildrop) => self.maildrop(*maildrop),
        }
    }

    fn maildrop(&mut self, maildrop: Maildrop) -> Answer {
        match maildrop {
            Maildrop::List(None) | Maildrop::Uidl(None) => {
                self.left = b"1 17\r\n2 8\r\n".to_vec();
            }
            Maildrop::Retr(number) | Maildrop::Top(number, _) => {
                let place = usize::try_from(number).unwrap().wrapping_sub(1);
                let Some(message) = MESSAGES.get(place) else {
                    return Answer::Err("No such message");
                };
                self.left = message.to_vec();
            }
            Maildrop::Dele(4) => return Answer::Bye("The account was removed"),
            Maildrop::Dele(_)
            | Maildrop::List(Some(_))
            | Maildrop::Noop
            | Maildrop::Rset
            | Maildrop::Stat
            | Maildrop::Uidl(Some(_)) => return Answer::Ok("so be it".to_owned()),
        }
        let (octets, more) = self.piece();
        Answer::Lines {
            text: "so it is".to_owned(),
            octets,
            more,
        }
    }

    fn piece(&mut self) -> (Vec<u8>, bool) {
        let octets = self.left.drain(..self.left.len().min(5)).collect();
        (octets, !self.left.is_empty())
    }
}

/// Replies are whole lines, each answer of several lines ends with a dot, and no line of a message is
/// taken for that.
fn check(told: &[u8]) {
    let text = str::from_utf8(told).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
    let mut lines = text.split_terminator("\r\n");
    while let Some(line) = lines.next() {
        assert!(line.len() <= 510, "too long: {line:?}");
        assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
        let status = ["+OK ", "-ERR ", "+ "];
        assert!(status.iter().any(|s| line.starts_with(s)), "{line:?}");
        if line == "+OK so it is" || line.ends_with(" follow") || line.ends_with(" follows") {
            assert!(lines.any(|line| line == "."), "an answer without an end");
        }
    }
}
