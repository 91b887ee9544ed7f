//! Plays a transcript. Its words:
//!
//! | word | what |
//! |---|---|
//! | `#` | a comment |
//! | `lmtp` | LMTP is spoken |
//! | `tls offered`, `required`, `implicit` | how TLS is wished; `never` without this line |
//! | `login`, `login in_clear` | the example of RFC 7677 section 3 logs in |
//! | `password N` | its password is N letters long |
//! | `S: text` | the server sends this line, cut into pieces |
//! | `raw text` | octets without a line end; `\r \n \t \0 \\ \xNN` stand for octets |
//! | `fill N text` | the text N times over |
//! | `C: text` | the client has sent this line next |
//! | `out text` | the client has sent these octets next |
//! | `nothing` | the client has sent nothing more |
//! | `next text` | it asks what is sent next; `{:?}` of the offer has this in it |
//! | `message text` | the message of the next transactions, with `raw`'s escapes |
//! | `piece N` | it is handed over in pieces of so many octets |
//! | `unreadable` | its content cannot be read |
//! | `send FROM TO,TO WORD…` | the answer to `next`; words: `8bit smtputf8 requiretls ret envid notify orcpt` |
//! | `quit` | the answer to `next` |
//! | `outcome N text` | that recipient's outcome begins so |
//! | `dsn yes`, `dsn no` | whether the peer reports itself |
//! | `handshake`, `handshake bound` | it asked for a handshake, which is done; with a channel binding |
//! | `wait N` | seconds pass |
//! | `hang up` | the server closes the connection |
//! | `stop` | the house stops |
//! | `closed` | the session has ended the connection |
//! | `failed STAGE text` | why |

use crate::base::machine::{Machine, Secured};
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::proto::sasl::client::tests::prove;
use crate::proto::smtp::client::{
    Answer, Body, Login, Options, Outcome, Question, Recipient, Report, Session, Step, Tls,
    Transaction,
};
use crate::proto::smtp::server::tests::script::octets;

/// Plays one script. `cut` is the size of the pieces in which the session gets its input.
pub fn play(name: &str, script: &str, cut: usize) {
    let mut player = Player {
        cut,
        ..Player::default()
    };
    for (number, line) in (1..).zip(script.lines()) {
        let context = format!("{name}:{number}, cut {cut}: {line}");
        player.line(line, &context);
    }
    let left = player.out.escape_ascii();
    assert!(player.out.is_empty(), "{name}: not in the script: {left}");
    assert!(player.reports.is_empty(), "{name}: {:?}", player.reports);
}

pub fn options() -> Options {
    Options {
        lmtp: false,
        hello: "home.test".to_owned(),
        peer: "mx.away.test[192.0.2.1]".to_owned(),
        tls: Tls::Never,
        login: None,
        in_clear: false,
    }
}

#[derive(Debug, Default)]
struct Player {
    cut: usize,
    options: Option<Options>,
    session: Option<Session>,
    now: Instant,
    message: Vec<u8>,
    piece: usize,
    unreadable: bool,
    out: Vec<u8>,
    offer: Option<String>,
    reports: Vec<Report>,
    report: Option<Report>,
    shaking: bool,
    closed: bool,
}

impl Player {
    fn line(&mut self, line: &str, context: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "#" | "" => {}
            "lmtp" => self.options().lmtp = true,
            "login" => {
                self.options().login = Some(Login {
                    user: "user".to_owned(),
                    password: Secret::new(b"pencil".to_vec()),
                    nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
                });
                self.options().in_clear = rest == "in_clear";
            }
            "message" => self.message = octets(rest),
            "password" => {
                let length = rest.parse().expect(context);
                let login = self.options().login.as_mut().expect(context);
                login.password = Secret::new(vec![b'x'; length]);
            }
            "piece" => self.piece = rest.parse().expect(context),
            "tls" => {
                self.options().tls = match rest {
                    "implicit" => Tls::Implicit,
                    "offered" => Tls::Offered,
                    "required" => Tls::Required,
                    _ => panic!("{context}"),
                }
            }
            "unreadable" => self.unreadable = true,
            _ => self.act(word, rest, context),
        }
    }

    fn act(&mut self, word: &str, rest: &str, context: &str) {
        self.run();
        match word {
            "C:" => {
                let expected = format!("{rest}\r\n");
                self.sent(expected.as_bytes(), context);
            }
            "S:" => self.feed(format!("{rest}\r\n").as_bytes()),
            "closed" => assert!(self.closed, "{context}"),
            "dsn" => {
                let report = self.report.as_ref().expect(context);
                assert_eq!(report.dsn, rest == "yes", "{context}");
            }
            "failed" => {
                let failed = self.session().failed().expect(context);
                let told = format!("{:?} {}", failed.at, failed.text);
                assert!(told.starts_with(rest), "{context}\ngot {told}");
            }
            "fill" => {
                let (times, text) = rest.split_once(' ').expect(context);
                self.feed(&octets(text).repeat(times.parse().expect(context)));
            }
            "handshake" => {
                assert!(std::mem::take(&mut self.shaking), "{context}");
                let exporter = (rest == "bound").then_some([7; 32]);
                self.session().secured(Secured {
                    exporter,
                    ..Secured::default()
                });
            }
            "hang" => self.session().end(),
            "next" => {
                let offer = self.offer.clone().expect(context);
                assert!(offer.contains(rest), "{context}\ngot {offer}");
            }
            "nothing" => assert!(
                self.out.is_empty(),
                "{context}: {}",
                self.out.escape_ascii()
            ),
            "out" => self.sent(&octets(rest), context),
            "outcome" => self.outcome(rest, context),
            "quit" => {
                self.offer.take().expect(context);
                self.session().answer(Answer::Quit);
            }
            "raw" => self.feed(&octets(rest)),
            "send" => {
                self.offer.take().expect(context);
                let transaction = transaction(rest, &self.message);
                let answer = Answer::Transaction(Box::new(transaction));
                self.session().answer(answer);
            }
            "stop" => self.session().stop(),
            "wait" => self.now = self.now.plus_seconds(rest.parse().expect(context)),
            _ => panic!("no such word: {context}"),
        }
        self.run();
    }

    fn sent(&mut self, expected: &[u8], context: &str) {
        let out = self.out.escape_ascii();
        assert!(self.out.starts_with(expected), "{context}\ngot {out}");
        self.out.drain(..expected.len());
    }

    fn outcome(&mut self, rest: &str, context: &str) {
        let (index, expected) = rest.split_once(' ').expect(context);
        if index == "0" {
            assert!(!self.reports.is_empty(), "{context}: no report");
            self.report = Some(self.reports.remove(0));
        }
        let report = self.report.as_ref().expect(context);
        let index: usize = index.parse().expect(context);
        let told = match &report.outcomes[index] {
            Outcome::Delivered(reply) => format!("delivered {reply}"),
            Outcome::Refused { at, reply } => format!("refused {at:?} {reply}"),
            Outcome::Lost { at, text } => format!("lost {at:?} {text}"),
            Outcome::Unfit { status, text } => format!("unfit {status} {text}"),
        };
        assert!(told.starts_with(expected), "{context}\ngot {told}");
    }

    fn options(&mut self) -> &mut Options {
        assert!(self.session.is_none(), "too late");
        self.options.get_or_insert_with(options)
    }

    fn session(&mut self) -> &mut Session {
        let options = self.options.clone().unwrap_or_else(options);
        self.session.get_or_insert_with(|| {
            let implicit = options.tls == Tls::Implicit;
            let mut session = Session::new(options, Instant(0));
            if implicit {
                session.secured(Secured::default());
            }
            session
        })
    }

    fn feed(&mut self, octets: &[u8]) {
        let cut = self.cut;
        for mut piece in octets.chunks(cut) {
            while !piece.is_empty() && !self.closed {
                let taken = self.session().input(piece);
                piece = &piece[taken..];
                // A driver reads when it is told to.
                if !self.shaking && self.offer.is_none() {
                    self.run();
                }
            }
        }
    }

    /// Steps until the session reads or the script has to answer.
    fn run(&mut self) {
        while !self.closed && !self.shaking && self.offer.is_none() {
            let now = self.now;
            match self.session().step(now) {
                Step::Ask(question) => self.answer(question),
                Step::Close => self.closed = true,
                Step::Read { until } => {
                    assert!(until > now);
                    return;
                }
                Step::StartTls => self.shaking = true,
                Step::Write(octets) => {
                    assert!(!octets.is_empty());
                    self.out.extend(octets);
                }
                Step::Compress(_) | Step::Content(_) | Step::Send(()) => panic!("nothing of this"),
            }
        }
    }

    fn answer(&mut self, question: Question) {
        let answer = match question {
            Question::Next(offer) => {
                self.offer = Some(format!("{offer:?}"));
                return;
            }
            Question::Prove(asked) => Answer::Proved(Box::new(prove(&asked))),
            Question::Content { .. } if self.unreadable => Answer::Content(None),
            Question::Content { from } => {
                let rest = &self.message[usize::try_from(from).unwrap()..];
                let piece = if self.piece == 0 { 65_536 } else { self.piece };
                Answer::Content(Some(rest[..piece.min(rest.len())].to_vec()))
            }
            Question::Done(report) => {
                self.reports.push(report);
                Answer::Noted
            }
        };
        self.session().answer(answer);
    }
}

fn transaction(words: &str, message: &[u8]) -> Transaction {
    let mut words = words.split(' ');
    let reverse = words.next().unwrap().trim_matches(['<', '>']).to_owned();
    let to = words.next().unwrap();
    let words: Vec<_> = words.collect();
    let on = |word| words.contains(&word);
    let recipients = to.split(',').map(|address| Recipient {
        address: address.to_owned(),
        notify: on("notify").then(|| "SUCCESS,FAILURE".to_owned()),
        orcpt: on("orcpt").then(|| format!("rfc822;{address}")),
    });
    Transaction {
        reverse,
        recipients: recipients.collect(),
        size: message.len() as u64,
        body: if on("8bit") {
            Body::EightBitMime
        } else {
            Body::SevenBit
        },
        smtputf8: on("smtputf8"),
        requiretls: on("requiretls"),
        envid: on("envid").then(|| "E+2B1".to_owned()),
        ret: on("ret").then_some("HDRS"),
    }
}
