//! What a server says to our client, SMTP or LMTP. The first octet chooses how it is spoken, the rest is
//! what the server sends.

use pillarbox::base::machine::{Machine, Secured};
use pillarbox::base::secret::Secret;
use pillarbox::base::time::Instant;
use pillarbox::proto::sasl::client::Proved;
use pillarbox::proto::smtp::client::{
    Answer, Body, Login, Options, Outcome, Question, Recipient, Report, Session, Step, Tls,
    Transaction,
};

use super::source::{contains, cuts};

pub const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "220 mx.test\r\n",
    "220-mx\r\n",
    "250 2.0.0 Ok\r\n",
    "250 Ok\r\n250 Ok\r\n250 Ok\r\n354 go\r\n",
    "250-mx\r\n",
    "250-PIPELINING\r\n",
    "250-CHUNKING\r\n",
    "250-8BITMIME\r\n",
    "250-SMTPUTF8\r\n",
    "250-DSN\r\n",
    "250-SIZE 10\r\n",
    "250-SIZE 18446744073709551616\r\n",
    "250-LIMITS MAILMAX=1 RCPTMAX=4294967296\r\n",
    "250-STARTTLS\r\n",
    "250-REQUIRETLS\r\n",
    "250-AUTH=PLAIN LOGIN\r\n",
    "250 AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n",
    "334 \r\n",
    "334 cj1hYmNkLHM9QUFBQSxpPTQwOTY=\r\n",
    "334 dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9\r\n",
    "235 in\r\n",
    "354 go\r\n",
    "421 4.3.2 bye\r\n",
    "450 4.2.0 later\r\n",
    "500 5.5.2 what\r\n",
    "550 5.1.1 no\r\n",
    "552 5.2.2 full\r\n",
    "199 ",
    "600 ",
    "\0",
    "\u{85}",
];

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.\r\n..a\n.\r.\r\nno end";
const RECIPIENTS: usize = 3;

pub fn run(data: &[u8]) {
    let Some((&choice, said)) = data.split_first() else {
        return;
    };
    play(choice, [said]);
    play(choice, said.chunks(1));
    play(choice, cuts(said));
    restless(choice, said);
}

fn play<'a>(choice: u8, pieces: impl IntoIterator<Item = &'a [u8]>) {
    let mut talk = Talk::new(choice);
    for piece in pieces {
        talk.feed(piece);
    }
    talk.session.end();
    talk.run();
    talk.over();
}

/// Time passes and the house closes.
fn restless(choice: u8, said: &[u8]) {
    let mut talk = Talk::new(choice);
    for piece in cuts(said) {
        match piece {
            [b'5', ..] => talk.session.stop(),
            [b'4', ..] => talk.session.end(),
            [first, ..] => talk.now = talk.now.plus_seconds(u64::from(first % 32) * 3),
            [] => {}
        }
        talk.session.wake();
        talk.feed(piece);
    }
    for _ in 0..200 {
        talk.now = talk.now.plus_seconds(700);
        talk.run();
    }
    talk.over();
}

struct Talk {
    session: Session,
    choice: u8,
    now: Instant,
    begun: usize,
    reports: Vec<Report>,
    out: Vec<u8>,
    closed: bool,
}

impl Talk {
    fn new(choice: u8) -> Self {
        let on = |bit: u8| choice >> bit & 1 == 1;
        let tls = match (on(0), on(1)) {
            (false, false) => Tls::Never,
            (false, true) => Tls::Offered,
            (true, false) => Tls::Required,
            (true, true) => Tls::Implicit,
        };
        let options = Options {
            lmtp: on(2),
            hello: "home.test".to_owned(),
            peer: "mx.test[192.0.2.1]".to_owned(),
            tls,
            login: on(3).then(|| Login {
                user: "user".to_owned(),
                password: Secret::new(vec![b'x'; if on(4) { 500 } else { 5 }]),
                nonce: "abc".to_owned(),
            }),
            in_clear: on(5),
        };
        let mut session = Session::new(options, Instant(0));
        if tls == Tls::Implicit {
            session.secured(secured());
        }
        Self {
            session,
            choice,
            now: Instant(0),
            begun: 0,
            reports: vec![],
            out: vec![],
            closed: false,
        }
    }

    fn feed(&mut self, mut octets: &[u8]) {
        self.run();
        while !self.closed && !octets.is_empty() {
            let taken = self.session.input(octets);
            octets = &octets[taken..];
            let steps = self.run();
            assert!(taken > 0 || steps > 1, "takes nothing and wants to read");
        }
    }

    fn run(&mut self) -> usize {
        for steps in 1..100_000 {
            if self.closed {
                return steps;
            }
            match self.session.step(self.now) {
                Step::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.answer(answer);
                }
                Step::Close => self.closed = true,
                Step::Read { until } => {
                    assert!(until > self.now);
                    return steps;
                }
                Step::StartTls => self.session.secured(secured()),
                Step::Write(octets) => {
                    assert!(!octets.is_empty());
                    self.out.extend(octets);
                }
                Step::Compress(_) | Step::Content(_) | Step::Send(()) => panic!("nothing of this"),
            }
        }
        panic!("steps without end");
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Next(_) if self.begun >= 3 => Answer::Quit,
            Question::Next(offer) => {
                assert!(offer.recipients_max > 0);
                self.begun += 1;
                Answer::Transaction(Box::new(self.transaction()))
            }
            Question::Prove(asked) => {
                assert!((4096..=1_000_000).contains(&asked.count));
                Answer::Proved(Box::new(Proved {
                    proof: [1; 32],
                    signature: [0; 32],
                }))
            }
            Question::Content { from } => {
                let rest = &MESSAGE[usize::try_from(from).unwrap()..];
                assert!(!rest.is_empty());
                let piece = if self.choice & 64 == 0 { 100 } else { 5 };
                Answer::Content(Some(rest[..rest.len().min(piece)].to_vec()))
            }
            Question::Done(report) => {
                self.reports.push(report);
                Answer::Noted
            }
        }
    }

    fn transaction(&self) -> Transaction {
        let odd = self.choice & 128 != 0;
        let recipient = |index| Recipient {
            address: format!("r{index}@away.test"),
            notify: odd.then(|| "NEVER".to_owned()),
            orcpt: None,
        };
        Transaction {
            reverse: String::new(),
            recipients: (0..RECIPIENTS).map(recipient).collect(),
            size: MESSAGE.len() as u64,
            body: if odd {
                Body::EightBitMime
            } else {
                Body::SevenBit
            },
            smtputf8: odd,
            requiretls: false,
            envid: odd.then(|| "x".to_owned()),
            ret: odd.then_some("FULL"),
        }
    }

    /// Every recipient has an outcome, what was delivered was sent, and what was sent is whole lines.
    fn over(mut self) {
        assert!(self.closed, "still open: {:?}", self.session);
        assert_eq!(self.reports.len(), self.begun);
        assert!(self.session.lost().is_none());
        for outcome in self.reports.iter().flat_map(|report| {
            assert_eq!(report.outcomes.len(), RECIPIENTS);
            &report.outcomes
        }) {
            let text = match outcome {
                Outcome::Delivered(reply) => {
                    assert_eq!(reply.code / 100, 2);
                    assert!(
                        contains(&self.out, " LAST\r\n") || contains(&self.out, "end\r\n.\r\n")
                    );
                    reply.to_string()
                }
                Outcome::Refused { reply, .. } => {
                    assert!(!reply.is_positive());
                    reply.to_string()
                }
                Outcome::Lost { text, .. } | Outcome::Unfit { text, .. } => text.clone(),
            };
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(text.len() < 8192);
        }
        if let Some(failed) = self.session.failed() {
            assert!(!failed.text.contains(char::is_control), "{failed:?}");
        }
        assert!(self.out.is_empty() || self.out.ends_with(b"\r\n") || !self.reports.is_empty());
        // Who did not agree to the end of a message never sees two.
        assert!(!contains(&self.out, "\r\n.\r\n.\r\n"));
    }
}

fn secured() -> Secured {
    Secured {
        exporter: Some([7; 32]),
        ..Secured::default()
    }
}
