//! Servers that say anything: nothing panics, every connection ends, every recipient has an outcome.

use proptest::prelude::*;

use super::script::options;
use crate::base::machine::{Machine, Secured};
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::proto::sasl::client::Proved;
use crate::proto::smtp::client::{
    Answer, Body, Login, Options, Outcome, Question, Recipient, Report, Session, Step, Tls,
    Transaction,
};

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.\r\n..a\r\nno end";

#[derive(Clone, Debug)]
struct Peer {
    lmtp: bool,
    tls: u8,
    login: bool,
    recipients: usize,
    piece: usize,
    transactions: usize,
}

fn peer() -> impl Strategy<Value = Peer> {
    (
        any::<bool>(),
        0..4_u8,
        any::<bool>(),
        1..5_usize,
        1..40_usize,
        0..4_usize,
    )
        .prop_map(|(lmtp, tls, login, recipients, piece, transactions)| Peer {
            lmtp,
            tls,
            login,
            recipients,
            piece,
            transactions,
        })
}

struct Talk {
    peer: Peer,
    session: Session,
    begun: usize,
    reports: Vec<Report>,
    out: Vec<u8>,
    closed: bool,
}

impl Talk {
    fn new(peer: &Peer) -> Self {
        let login = peer.login.then(|| Login {
            user: "user".to_owned(),
            password: Secret::new(b"pencil".to_vec()),
            nonce: "abc".to_owned(),
        });
        let tls = [Tls::Never, Tls::Offered, Tls::Required, Tls::Implicit];
        let options = Options {
            lmtp: peer.lmtp,
            tls: tls[usize::from(peer.tls)],
            login,
            in_clear: true,
            ..options()
        };
        let mut session = Session::new(options, Instant(0));
        if peer.tls == 3 {
            session.secured(Secured::default());
        }
        Self {
            peer: peer.clone(),
            session,
            begun: 0,
            reports: vec![],
            out: vec![],
            closed: false,
        }
    }

    fn feed(&mut self, mut octets: &[u8]) {
        self.run(Instant(0));
        while !octets.is_empty() && !self.closed {
            let taken = self.session.input(octets);
            octets = &octets[taken..];
            let steps = self.run(Instant(0));
            assert!(taken > 0 || steps > 1, "takes nothing and wants to read");
        }
    }

    fn run(&mut self, now: Instant) -> usize {
        for steps in 1..10_000 {
            if self.closed {
                return steps;
            }
            match self.session.step(now) {
                Step::Ask(question) => {
                    let answer = self.answer(question);
                    self.session.answer(answer);
                }
                Step::Close => self.closed = true,
                Step::Read { until } => {
                    assert!(until > now);
                    return steps;
                }
                Step::StartTls => self.session.secured(Secured {
                    exporter: Some([7; 32]),
                    ..Secured::default()
                }),
                Step::Write(octets) => self.out.extend(octets),
                _ => panic!("nothing of this"),
            }
        }
        panic!("steps without end");
    }

    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Next(_) if self.begun >= self.peer.transactions => Answer::Quit,
            Question::Next(_) => {
                self.begun += 1;
                let recipients = (0..self.peer.recipients).map(|n| Recipient {
                    address: format!("r{n}@a.test"),
                    ..Recipient::default()
                });
                Answer::Transaction(Box::new(Transaction {
                    reverse: String::new(),
                    recipients: recipients.collect(),
                    size: MESSAGE.len() as u64,
                    body: Body::SevenBit,
                    smtputf8: false,
                    requiretls: false,
                    envid: None,
                    ret: None,
                }))
            }
            Question::Prove(_) => Answer::Proved(Box::new(Proved {
                proof: [0; 32],
                signature: [0; 32],
            })),
            Question::Content { from } => {
                let rest = &MESSAGE[usize::try_from(from).unwrap()..];
                Answer::Content(Some(rest[..self.peer.piece.min(rest.len())].to_vec()))
            }
            Question::Done(report) => {
                assert_eq!(report.outcomes.len(), self.peer.recipients);
                self.reports.push(report);
                Answer::Noted
            }
        }
    }

    /// The server is gone; what came of it.
    fn end(mut self) -> (Vec<u8>, Vec<Vec<Outcome>>, String) {
        self.session.end();
        self.run(Instant(0));
        assert!(self.closed, "still open: {:?}", self.session);
        assert_eq!(self.reports.len(), self.begun);
        assert!(self.session.lost().is_none());
        let outcomes = self.reports.into_iter().map(|report| report.outcomes);
        let failed = format!("{:?}", self.session.failed());
        (self.out, outcomes.collect(), failed)
    }
}

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"220 mx.test\r\n"[..],
        b"250 2.0.0 Ok\r\n",
        b"250 2.0.0 Ok\r\n250 Ok\r\n250 Ok\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
        b"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH=PLAIN\r\n",
        b"250-mx\r\n250-CHUNKING\r\n250-LIMITS MAILMAX=1\r\n250 AUTH SCRAM-SHA-256\r\n",
        b"250-mx\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n",
        b"354 go\r\n",
        b"235 2.7.0 in\r\n",
        b"334 \r\n",
        b"334 cj1hYmNkLHM9QUFBQSxpPTQwOTY=\r\n",
        b"334 dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9\r\n",
        b"421 4.3.2 bye\r\n",
        b"450 4.2.0 later\r\n",
        b"503 5.5.1 no\r\n",
        b"550 5.1.1 no\r\n",
        b"552 5.3.4 no\r\n",
        b"250-",
        b"\r\n",
        b"\n",
    ]);
    prop_oneof![
        20 => known.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..5000_usize).prop_map(|length| vec![b'2'; length]),
    ]
}

/// Most talks begin well, or few would get anywhere.
fn talk() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        &b""[..],
        b"220 mx\r\n250 mx\r\n",
        b"220 mx\r\n250-mx\r\n250 PIPELINING\r\n",
        b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
    ]);
    (start, prop::collection::vec(fragment(), 0..30))
        .prop_map(|(start, rest)| [start.to_vec(), rest.concat()].concat())
}

proptest! {
    #[test]
    fn whatever_comes_every_recipient_has_an_outcome(peer in peer(), octets in talk()) {
        for cut in [1, 7, 4096] {
            let mut talk = Talk::new(&peer);
            for piece in octets.chunks(cut) {
                talk.feed(piece);
            }
            talk.end();
        }
    }

    /// Who says nothing any more is given up, and 2xx alone delivers.
    #[test]
    fn silence_ends(peer in peer(), octets in talk()) {
        let mut talk = Talk::new(&peer);
        talk.feed(&octets);
        let mut now = Instant(0);
        for _ in 0..40 {
            now = now.plus_seconds(700);
            talk.run(now);
        }
        prop_assert!(talk.closed);
        prop_assert_eq!(talk.reports.len(), talk.begun);
        for outcome in talk.reports.iter().flat_map(|report| &report.outcomes) {
            if let Outcome::Delivered(reply) = outcome {
                prop_assert_eq!(reply.code / 100, 2);
                prop_assert!(octets.windows(6).any(|part| part == b"354 go") || octets.windows(8).any(|part| part == b"CHUNKING"));
            }
        }
    }
}
