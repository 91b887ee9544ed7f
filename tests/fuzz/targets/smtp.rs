//! A whole SMTP session. The first octet chooses the listener's options, the rest is what the client
//! sends.

use pillarbox::base::machine::{Machine, Secured};
use pillarbox::base::time::Instant;
use pillarbox::proto::sasl;
use pillarbox::proto::smtp::reply::Reply;
use pillarbox::proto::smtp::server::{
    Answer, Auth, AuthOptions, Options, Question, Session, Step, Tls,
};

use super::smtp_content::only_line_ends;
use super::source::{contains, cuts};

pub const WORDS: &[&str] = &[
    "\r\n",
    "\r\n.\r\n",
    "\n",
    "\r",
    ".",
    "EHLO a.test\r\n",
    "HELO a.test\r\n",
    "MAIL FROM:<a@b.test>",
    "RCPT TO:<c@d.test>\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<later@d.test>\r\n",
    "RCPT TO:<gone@d.test>\r\n",
    "RCPT TO:<bye@d.test>\r\n",
    "DATA\r\n",
    "BDAT 5\r\n",
    "BDAT 7 LAST\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 18446744073709551615\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "STARTTLS\r\n",
    "ETRN a\r\n",
    "VRFY a\r\n",
    " SIZE=500",
    " BODY=8BITMIME",
    " SMTPUTF8",
    " RET=FULL",
    " ENVID=x",
    " NOTIFY=NEVER",
    " ORCPT=rfc822;a@b",
    "é",
    "\0",
    "hang",
    "later",
    "GET / HTTP/1.1\r\n",
    "AUTH PLAIN\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "AUTH SCRAM-SHA-256 biwsbj1hLHI9cg==\r\n",
    "YQ==\r\n",
    "=\r\n",
    "*\r\n",
    " REQUIRETLS",
    " AUTH=<>",
    "HELP\r\n",
];

pub fn run(data: &[u8]) {
    let Some((&choice, talk)) = data.split_first() else {
        return;
    };
    let whole = play(choice, [talk]);
    check_replies(&whole.told);
    let single = play(choice, talk.chunks(1));
    let cut = play(choice, cuts(talk));
    restless(choice, talk);
    // What was sent ahead matters here: SR-15, and RFC 3207 section 6.
    let handshake = contains(&single.told, "Ready to start TLS");
    if !whole.improper && !handshake {
        same(&whole, &single);
        same(&whole, &cut);
    }
}

/// What came of a session.
#[derive(Debug, Default)]
struct Talk {
    told: Vec<u8>,
    asked: Vec<String>,
    /// Commands were sent ahead where that is not allowed: no content is taken.
    improper: bool,
}

fn same(one: &Talk, other: &Talk) {
    assert_eq!(one.asked, other.asked);
    assert_eq!(
        one.told.escape_ascii().to_string(),
        other.told.escape_ascii().to_string()
    );
}

fn options(choice: u8) -> Options {
    let on = |bit: u8| choice >> bit & 1 == 1;
    Options {
        size_limit: if on(0) { 1000 } else { 0 },
        recipients_max: if on(1) { 2 } else { 100 },
        mails_max: if on(2) { 2 } else { 0 },
        bare_local_parts: on(3),
        dsn: on(4),
        tls: match (on(5), on(6)) {
            (false, false) => Tls::Off,
            (false, true) => Tls::Required,
            (true, _) => Tls::Offered,
        },
        auth: if on(7) {
            Auth::Offered(AuthOptions {
                in_clear: on(0),
                old_outlook: on(1),
                required: on(2),
            })
        } else {
            Auth::Off
        },
        ..Options::new("mx.test")
    }
}

fn play<'a>(choice: u8, pieces: impl IntoIterator<Item = &'a [u8]>) -> Talk {
    let mut driver = Driver::new(choice);
    for piece in pieces {
        driver.feed(piece);
        // A single octet is never ahead.
        if piece.len() > 1 && !driver.talk.improper {
            driver.talk.improper = format!("{:?}", driver.session).contains("improper: true");
        }
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
            [b'E', ..] => driver.session.crowded(true),
            [b'N', ..] => driver.session.crowded(false),
            [b'Q', ..] => driver.session.stop(),
            [b'S', ..] => driver.session.end(),
            [first, ..] => driver.now = driver.now.plus_seconds(u64::from(first % 32) * 3),
            [] => {}
        }
        driver.session.wake();
        let _ = driver.session.stranger();
        driver.feed(piece);
    }
    check_replies(&driver.talk.told);
    // It ends by itself.
    for _ in 0..10 {
        driver.now = driver.now.plus_seconds(86_400);
        driver.steps();
    }
    assert!(driver.closed, "never ends: {:?}", driver.session);
}

/// How far the service is with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Message {
    None,
    /// Accepted recipients.
    Envelope(u32),
    Content,
}

struct Driver {
    session: Session,
    now: Instant,
    talk: Talk,
    message: Message,
    content: Vec<u8>,
    closed: bool,
}

impl Driver {
    fn new(choice: u8) -> Self {
        let now = Instant(0);
        Self {
            session: Session::new(options(choice), now),
            now,
            talk: Talk::default(),
            message: Message::None,
            content: vec![],
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
                    let answer = self.answer(&question);
                    self.session.answer(answer);
                }
                Step::Close => self.closed = true,
                Step::Content(piece) => {
                    assert_eq!(self.message, Message::Content);
                    assert!(!piece.is_empty());
                    self.content.extend(piece);
                }
                Step::Read { until } => {
                    assert!(until > self.now);
                    return steps;
                }
                Step::Compress(_) | Step::Send(()) => panic!("nothing of this"),
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
        let asked = format!("{question:?}");
        let code = self.code(question);
        let positive = code == 250;
        match question {
            Question::Auth(question) => {
                assert_eq!(self.message, Message::None);
                self.talk.asked.push(asked);
                return Answer::Auth(judge(question));
            }
            Question::Sender { .. } => {
                assert_eq!(self.message, Message::None);
                if positive {
                    self.message = Message::Envelope(0);
                }
            }
            Question::Recipient { .. } => match &mut self.message {
                Message::Envelope(count) => *count += u32::from(positive),
                other => panic!("a recipient in {other:?}"),
            },
            Question::Begin => {
                assert!(
                    matches!(self.message, Message::Envelope(1..)),
                    "{:?}",
                    self.message
                );
                if positive {
                    self.message = Message::Content;
                }
            }
            Question::End { size } => {
                assert_eq!(self.message, Message::Content);
                assert_eq!(*size, self.content.len() as u64);
                only_line_ends(&self.content);
                self.talk
                    .asked
                    .push(self.content.escape_ascii().to_string());
                self.message = Message::None;
            }
            Question::Forget { .. } => {
                assert_ne!(self.message, Message::None);
                self.message = Message::None;
            }
            Question::Note(_) => {}
            Question::Hello { .. } | Question::QueueRun { .. } => {
                assert_eq!(self.message, Message::None);
            }
        }
        let hang = matches!(question, Question::End { .. }) && contains(&self.content, "hang");
        if self.message == Message::None {
            self.content.clear();
        }
        self.talk.asked.push(asked);
        if hang {
            return Answer::Hang;
        }
        Answer::Reply(Reply::new(code, "2.0.0 so be it"))
    }

    /// What the service says depends on words in what it is asked.
    fn code(&self, question: &Question) -> u16 {
        let text = match question {
            Question::Auth(_) | Question::Begin | Question::Forget { .. } | Question::Note(_) => {
                return 250;
            }
            Question::End { .. } => &self.content,
            Question::Hello { name: text, .. }
            | Question::QueueRun { argument: text }
            | Question::Recipient { path: text, .. }
            | Question::Sender { path: text, .. } => text.as_bytes(),
        };
        let words = [("later", 451), ("gone", 550), ("bye", 421)];
        let word = words.iter().find(|(word, _)| contains(text, word));
        word.map_or(250, |(_, code)| *code)
    }
}

/// A name says how it goes.
pub fn judge(question: &sasl::Question) -> sasl::Answer {
    match question {
        sasl::Question::Keys { name }
        | sasl::Question::Password { name, .. }
        | sasl::Question::Proof { name, .. }
            if name.contains("later") =>
        {
            sasl::Answer::TryAgain
        }
        sasl::Question::Password { name, .. } | sasl::Question::Proof { name, .. }
            if name.contains("gone") =>
        {
            sasl::Answer::Refused
        }
        sasl::Question::Keys { .. } => sasl::Answer::Keys {
            salt: vec![1; 16],
            count: 4096,
            nonce: "ours".to_owned(),
        },
        sasl::Question::Password { .. } => sasl::Answer::Right,
        sasl::Question::Proof { .. } => sasl::Answer::Signature([2; 32]),
    }
}

/// Whole lines of at most 512 octets (RFC 5321 section 4.5.3.1.5), each a code and a text.
fn check_replies(told: &[u8]) {
    let text = str::from_utf8(told).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with("\r\n"));
    for line in text.split_terminator("\r\n") {
        let shown = line.escape_debug();
        assert!(line.len() <= 510, "too long: {shown}");
        assert!(!line.contains(|c: char| c.is_ascii_control()), "{shown}");
        let code: u16 = line.get(..3).expect("a code").parse().expect("a code");
        assert!((200..600).contains(&code), "{shown}");
        assert!(matches!(line.get(3..4), Some(" " | "-")), "{shown}");
    }
}
