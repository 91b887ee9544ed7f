//! USER and PASS, and AUTH (RFC 5034): one exchange of [`crate::proto::sasl`] each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{FAILED_MAX, Pending, Question, Session, State, Step};
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::proto::sasl::{Answer, Exchange, Failure, Mechanism, Turn};

const IN_CLEAR: &str = "Passwords are taken on encrypted connections only";

impl Session {
    /// Whoever it is, the answer is the same (RFC 1939 section 13).
    pub(super) fn user(&mut self, name: &[u8]) {
        if self.login() {
            self.user = Some(name.into());
            self.ok("Now the password");
        } else {
            self.wrong(IN_CLEAR);
        }
    }

    /// Names and passwords are subject to what LOGIN says about them.
    pub(super) fn pass(&mut self, password: &[u8]) {
        let Some(name) = self.user.take() else {
            return self.wrong("USER comes first");
        };
        let mut exchange = Box::new(Exchange::new(Mechanism::Login, None));
        let _asks_for_the_password = exchange.response(&Secret::new(name.into_vec()));
        let turn = exchange.response(&Secret::new(password.to_vec()));
        self.turn(exchange, turn);
    }

    pub(super) fn auth(&mut self, argument: &[u8]) {
        if !self.login() {
            return self.wrong(IN_CLEAR);
        }
        let bound = self.exporter.is_some();
        let mut words = argument.split(|octet| *octet == b' ');
        let name = str::from_utf8(words.next().unwrap_or_default()).unwrap_or_default();
        if argument.is_empty() {
            return self.mechanisms(bound);
        }
        let initial = match (words.next(), words.next()) {
            (_, Some(_)) => return self.wrong("Bad arguments"),
            (None, None) => None,
            // RFC 5034 section 4: a response that is there, and empty.
            (Some(b"="), None) => Some(Secret::default()),
            (Some(text), None) => match decode(text) {
                Some(message) => Some(message),
                None => return self.wrong("Not in base64"),
            },
        };
        let Some(mechanism) = Mechanism::parse(name).filter(|known| known.fits(bound)) else {
            return self.wrong("This mechanism is not supported");
        };
        let mut exchange = Box::new(Exchange::new(mechanism, self.exporter.as_deref()));
        let turn = exchange.begin(initial.as_ref());
        self.turn(exchange, turn);
    }

    /// Old clients ask so (RFC 1734 had no answer for them; others list the mechanisms).
    fn mechanisms(&mut self, bound: bool) {
        self.ok("Mechanisms follow");
        for mechanism in Mechanism::ALL.into_iter().filter(|known| known.fits(bound)) {
            self.say(mechanism.name(), "");
        }
        self.say(".", "");
    }

    /// The line that answers a challenge, or the wait for it.
    pub(super) fn response(&mut self, exchange: Box<Exchange>, now: Instant) -> Option<Step> {
        let line = match self.line(now) {
            Ok(line) => line,
            Err(step) => {
                if matches!(self.state, State::Command) {
                    self.state = State::Response(exchange);
                }
                return step;
            }
        };
        let mut exchange = exchange;
        match decode(&line) {
            _ if line == b"*" => self.wrong("Authentication cancelled"),
            Some(message) => {
                let turn = exchange.response(&message);
                self.turn(exchange, turn);
            }
            None => self.wrong("Not in base64"),
        }
        None
    }

    /// The service's word.
    pub(super) fn judged(&mut self, mut exchange: Box<Exchange>, answer: Answer) {
        let turn = exchange.answer(answer);
        self.turn(exchange, turn);
    }

    /// Leaves `Command` as the state when the exchange has failed.
    fn turn(&mut self, exchange: Box<Exchange>, turn: Turn) {
        let failure = match turn {
            Turn::Ask(question) => {
                return self.ask(Question::Auth(question), Pending::Auth(exchange));
            }
            Turn::Challenge(octets) => {
                self.say("+ ", &STANDARD.encode(octets));
                self.state = State::Response(exchange);
                return;
            }
            Turn::Done { .. } => return self.ask(Question::Open, Pending::Open),
            Turn::Failed(failure) => failure,
        };
        self.err(match failure {
            Failure::Authorization => "[AUTH] You cannot act for somebody else",
            Failure::Malformed => "Malformed name, password or response",
            Failure::Refused => "[AUTH] Authentication failed",
            Failure::TryAgain => "[SYS/TEMP] Temporary authentication failure",
        });
        self.failed = self.failed.saturating_add(1);
        if self.failed >= FAILED_MAX {
            self.state = State::Ending;
        }
    }
}

/// Strict: no white space, no missing padding.
fn decode(text: &[u8]) -> Option<Secret> {
    STANDARD.decode(text).ok().map(Secret::new)
}
