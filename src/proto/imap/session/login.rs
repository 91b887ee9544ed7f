//! LOGIN and AUTHENTICATE (RFC 3501 section 6.2, RFC 4959): one exchange of [`sasl`], its messages in
//! base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::command::Authenticate;
use super::{
    Asked, Completion, FAILED_MAX, Phase, Question, Session, StateChange, Status, Wait, Work,
};
use crate::base::secret::Secret;
use crate::proto::sasl::{Exchange, Failure, Mechanism, Turn};

impl Session {
    pub(super) fn login(&mut self, user: String, password: Secret) -> Work {
        if self.may_log_in() {
            self.ask(Question::Login { user, password }, Asked::Login)
        } else {
            self.in_clear()
        }
    }

    pub(super) fn authenticate(&mut self, command: &Authenticate) -> Work {
        let bound = self.exporter.is_some();
        let mechanism = Mechanism::parse(&command.mechanism).filter(|m| m.fits(bound));
        let Some(mechanism) = mechanism else {
            self.complete(&Completion::no("This mechanism is not supported"));
            return Work::Again;
        };
        if !self.may_log_in() {
            return self.in_clear();
        }
        let mut exchange = Box::new(Exchange::new(mechanism, self.exporter.as_deref()));
        let turn = Box::new(exchange.begin(command.initial.as_ref()));
        self.phase = Phase::Exchange(exchange, turn);
        Work::Again
    }

    /// What an exchange wants next.
    pub(super) fn turn(&mut self) -> Work {
        let (exchange, turn) = match std::mem::replace(&mut self.phase, Phase::Command) {
            Phase::Exchange(exchange, turn) => (exchange, *turn),
            phase => {
                self.phase = phase;
                return Work::Again;
            }
        };
        let completion = match turn {
            Turn::Ask(question) => {
                return self.ask(Question::Sasl(question), Asked::Sasl(exchange));
            }
            Turn::Challenge(octets) => {
                self.out.line(&["+ ", &STANDARD.encode(octets)].concat());
                self.out.flush();
                self.wait = None;
                self.phase = Phase::Response(exchange);
                return Work::Again;
            }
            Turn::Done { .. } => return self.ask(Question::Enter, Asked::Login),
            Turn::Failed(Failure::Malformed) => {
                let name = exchange.mechanism().name();
                Completion::bad(&["Not a response of ", name].concat())
            }
            Turn::Failed(Failure::Authorization) => {
                Completion::no("You cannot act for somebody else").with_code("AUTHORIZATIONFAILED")
            }
            Turn::Failed(Failure::Refused) => Completion::refused(),
            Turn::Failed(Failure::TryAgain) => Completion::not_now(),
        };
        if completion.status == Status::Bad {
            self.complete(&completion);
        } else {
            self.logged_in(completion);
        }
        Work::Again
    }

    /// The line that answers `+`.
    pub(super) fn response(&mut self) -> Work {
        let Some(n) = self.input.line() else {
            if self.input.len() >= self.line_max() {
                self.bye("Line too long");
                return Work::Again;
            }
            return Work::Wait(Wait::Login);
        };
        let line = self.input.rest().get(..n).unwrap_or_default();
        let line = line.trim_ascii_end();
        let cancelled = line == b"*";
        let response = STANDARD.decode(line).map(Secret::new);
        self.input.advance(n);
        match (response, std::mem::replace(&mut self.phase, Phase::Command)) {
            (Ok(response), Phase::Response(mut exchange)) => {
                let turn = Box::new(exchange.response(&response));
                self.phase = Phase::Exchange(exchange, turn);
            }
            _ => self.complete(&Completion::bad(if cancelled {
                "Authentication cancelled"
            } else {
                "Not in base64"
            })),
        }
        Work::Again
    }

    /// The service has judged.
    pub(super) fn logged_in(&mut self, mut completion: Completion) {
        match completion.status {
            Status::Ok => {
                completion.state.get_or_insert(StateChange::Authenticated);
                self.state = super::State::Authenticated;
                completion.code.get_or_insert_with(|| self.capabilities());
                self.complete(&completion);
            }
            Status::No | Status::Bad => {
                self.failed = self.failed.saturating_add(1);
                self.complete(&completion);
                if self.failed >= FAILED_MAX {
                    self.bye("Too many failed log-ins");
                }
            }
        }
    }

    fn in_clear(&mut self) -> Work {
        let completion = Completion::no("Passwords are taken on encrypted connections only");
        self.complete(&completion.with_code("PRIVACYREQUIRED"));
        Work::Again
    }
}
