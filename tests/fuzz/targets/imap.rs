//! A whole IMAP session. The first octet chooses its options, the rest is what the client sends.

use pillarbox::base::id::{ContentId, ContentRange};
use pillarbox::base::machine::{Machine, Secured, Step};
use pillarbox::base::memory::Memory;
use pillarbox::base::time::Instant;
use pillarbox::mail::flag::Flags;
use pillarbox::proto::imap::command::{AppendMessage, Command};
use pillarbox::proto::imap::session::{
    Answer, Completion, Options, Piece, Places, Question, Session, StateChange,
};
use pillarbox::proto::sasl;

use super::source::cuts;

pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "a ",
    "LOGIN x y",
    "AUTHENTICATE PLAIN",
    "AGEAYg==",
    "AUTHENTICATE LOGIN",
    "AUTHENTICATE SCRAM-SHA-256 biwsbj1hLHI9bg==",
    "COMPRESS DEFLATE",
    "ENABLE CONDSTORE QRESYNC UTF8=ACCEPT",
    "SELECT a (QRESYNC (1 2 3:4 (1 3)))",
    " (\\Draft) {2+}\r\nab\r\n",
    " ~{2+}\r\na\0\r\n",
    " UTF8 (~{2+}\r\nab)\r\n",
    "SEARCH RETURN (SAVE) $",
    "SORT (DATE) UTF-8 ALL",
    "UID THREAD REFERENCES UTF-8 ALL",
    "GETQUOTAROOT x",
    "*",
    "SELECT inbox",
    "EXAMINE x",
    "NOOP",
    "IDLE",
    "DONE",
    "CAPABILITY",
    "LOGOUT",
    "STARTTLS",
    "{3}\r\n",
    "{3+}\r\n",
    "abc",
    "APPEND x {3+}\r\nabc\r\n",
    "APPEND x (\\Seen) {5}\r\n",
    "APPEND full {4+}\r\n",
    "{99999999999+}\r\n",
    "{70000+}\r\n",
    "{9000}\r\n",
    "FETCH 1:* (FLAGS BODY[])",
    "UID FETCH 1 ALL",
    "STORE 1 FLAGS (a)",
    "SEARCH ALL",
    "LIST \"\" *",
    "CLOSE",
    "EXPUNGE",
    "CREATE a/b",
    "DELETE bye",
    "(",
    ")",
    "\"",
    "\0",
    "é",
    "ID NIL",
    "GET / HTTP/1.1",
];

const CONTENT: ContentId = ContentId(7);

pub fn run(data: &[u8]) {
    let Some((&choice, talk)) = data.split_first() else {
        return;
    };
    let whole = play(choice, [talk]);
    for other in [play(choice, talk.chunks(1)), play(choice, cuts(talk))] {
        // What comes too early for a handshake ends the session: there the cut matters.
        if choice & 8 != 0 {
            continue;
        }
        assert_eq!(whole.asked, other.asked);
        assert_eq!(
            whole.told.escape_ascii().to_string(),
            other.told.escape_ascii().to_string()
        );
    }
    let text = String::from_utf8_lossy(&whole.told);
    assert!(text.ends_with("\r\n"), "{text:?}");
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
    }
    restless(choice, talk);
}

/// What came of a session.
#[derive(Debug, Default)]
struct Talk {
    told: Vec<u8>,
    asked: Vec<String>,
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

/// Time passes, news come, the house fills and closes, the client goes away.
fn restless(choice: u8, talk: &[u8]) {
    let mut driver = Driver::new(choice);
    for piece in cuts(talk) {
        match piece {
            [b'A'..=b'E', ..] => driver.session.wake(),
            [b'F', ..] => driver.session.crowded(true),
            [b'N', ..] => driver.session.crowded(false),
            [b'Q', ..] => driver.session.stop(),
            [b'Z', ..] => driver.session.end(),
            [first, ..] => driver.now = driver.now.plus_seconds(u64::from(first % 32) * 3),
            [] => {}
        }
        driver.feed(piece);
    }
    for _ in 0..10 {
        driver.now = driver.now.plus_seconds(86_400);
        driver.steps();
    }
    assert!(driver.closed, "never ends: {:?}", driver.session);
}

/// How far the service is with a message of APPEND.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Append {
    None,
    /// Octets to come.
    Open(u64),
}

struct Driver {
    session: Session,
    now: Instant,
    talk: Talk,
    append: Append,
    /// Its message may hold NUL.
    binary: bool,
    /// Times that the running command still says that there is more.
    more: u8,
    forgotten: bool,
    closed: bool,
}

impl Driver {
    fn new(choice: u8) -> Self {
        let on = |bit: u8| choice >> bit & 1 == 1;
        let options = Options {
            login: !on(0),
            append_limit: if on(1) { 10 } else { 1000 },
            starttls: on(3),
            ..Options::default()
        };
        let mut driver = Self {
            session: Session::new(options),
            now: Instant(0),
            talk: Talk::default(),
            append: Append::None,
            binary: false,
            more: 0,
            forgotten: false,
            closed: false,
        };
        if on(4) {
            driver.session.compression(Places {
                count: Memory::new(1),
                memory: Memory::new(1 << 20),
            });
        }
        if on(2) {
            driver.feed(b"l LOGIN a b\r\n");
        }
        driver
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
                    assert!(!self.forgotten, "asks after it was forgotten");
                    let answer = self.answer(&question);
                    self.session.answer(answer);
                }
                Step::Close => {
                    assert!(self.forgotten);
                    self.closed = true;
                }
                Step::Compress(octets) => {
                    assert_eq!(self.session.input(&octets), octets.len());
                }
                Step::Content(octets) => {
                    assert!(!octets.is_empty() && (self.binary || !octets.contains(&0)));
                    let Append::Open(left) = &mut self.append else {
                        panic!("content without APPEND");
                    };
                    *left = left.checked_sub(octets.len() as u64).expect("announced");
                }
                Step::Read { until } => {
                    assert!(until > self.now);
                    return steps;
                }
                Step::Send(range) => {
                    assert_eq!((range.content, range.length), (CONTENT, 3));
                    self.talk.told.extend(b"xyz");
                }
                Step::StartTls => self.session.secured(Secured::default()),
                Step::Write(octets) => {
                    assert!(!octets.is_empty());
                    self.talk.told.extend(octets);
                }
            }
        }
        panic!("steps without end");
    }

    fn answer(&mut self, question: &Question) -> Answer {
        // Whether it is asked depends on how soon DONE comes.
        if !matches!(question, Question::Poll(_)) {
            self.talk.asked.push(format!("{question:?}"));
        }
        let ok = || Answer::Done(vec![], Completion::ok("Done"));
        match question {
            Question::AppendAbort => {
                assert!(matches!(self.append, Append::Open(_)));
                self.append = Append::None;
                ok()
            }
            Question::AppendBegin(message, _) => self.append(message),
            Question::AppendEnd => {
                assert_eq!(self.append, Append::Open(0));
                self.append = Append::None;
                ok()
            }
            Question::Command(command, _) => self.command(command),
            Question::Forget => {
                self.forgotten = true;
                ok()
            }
            Question::Login { user, .. } if user == "nobody" => {
                Answer::Done(vec![], Completion::no("No"))
            }
            Question::Enter | Question::Login { .. } => ok(),
            Question::More => self.go_on(),
            Question::Poll(_) => Answer::Done(vec![], Completion::ok("")),
            Question::Sasl(question) => Answer::Sasl(judge(question)),
        }
    }

    fn append(&mut self, message: &AppendMessage) -> Answer {
        assert!(matches!(self.append, Append::None | Append::Open(0)));
        if message.folder.contains("full") || message.flags.system == Flags::DRAFT {
            return Answer::Done(vec![], Completion::no("Full").with_code("OVERQUOTA"));
        }
        self.append = Append::Open(message.size);
        self.binary = message.binary;
        Answer::Accept
    }

    fn command(&mut self, command: &Command) -> Answer {
        let done = |state| Answer::Done(vec![], Completion::ok("Done").with_state(state));
        match command {
            Command::Select(select) if select.folder.contains("gone") => {
                let completion = Completion::no("Gone").with_state(StateChange::Deselected);
                Answer::Done(vec![], completion)
            }
            Command::Select(select) => done(StateChange::Selected {
                read_only: select.read_only,
            }),
            Command::Close | Command::Unselect => done(StateChange::Deselected),
            Command::Delete { folder } if folder.contains("bye") => done(StateChange::Bye),
            Command::Fetch(_) => {
                self.more = 2;
                self.go_on()
            }
            _ => Answer::Done(
                vec![Piece::Octets(b"* OK x\r\n".to_vec())],
                Completion::ok("Done"),
            ),
        }
    }

    fn go_on(&mut self) -> Answer {
        let pieces = vec![
            Piece::Octets(b"* 1 FETCH (BODY[] {3}\r\n".to_vec()),
            Piece::Range(ContentRange {
                content: CONTENT,
                from: 0,
                length: 3,
            }),
            Piece::Octets(b")\r\n".to_vec()),
        ];
        if self.more == 0 {
            return Answer::Done(pieces, Completion::ok("Fetched"));
        }
        self.more -= 1;
        Answer::More(pieces)
    }
}

fn judge(question: &sasl::Question) -> sasl::Answer {
    match question {
        sasl::Question::Keys { .. } => sasl::Answer::Keys {
            salt: vec![1; 16],
            count: 4096,
            nonce: "nonce".to_owned(),
        },
        sasl::Question::Password { name, .. } if name == "nobody" => sasl::Answer::Refused,
        sasl::Question::Password { .. } => sasl::Answer::Right,
        sasl::Question::Proof { .. } => sasl::Answer::Signature([2; 32]),
    }
}
