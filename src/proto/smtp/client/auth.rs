//! AUTH, RFC 4954.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Expect, Question, Session, Stage, State};
use crate::base::secret::Secret;
use crate::proto::sasl::Mechanism;
use crate::proto::sasl::client::{Exchange, Proved, Turn, choose};
use crate::proto::smtp::reply::Reply;

/// Longest command line with its CRLF (RFC 5321 section 4.5.3.1.4): a longer initial response waits for
/// its challenge (RFC 4954 section 4).
const LINE_MAX: usize = 512;

impl Session {
    /// Logs in where that is wished, and goes on.
    pub(super) fn log_in(&mut self) {
        let Some(login) = &self.options.login else {
            return self.ready();
        };
        let exporter = self.secured.as_ref().and_then(|secured| secured.exporter);
        let mechanism = choose(|mechanism| self.peer.offers(mechanism), exporter.is_some());
        let why = match mechanism {
            _ if self.secured.is_none() && !self.options.in_clear => "no log-in without TLS at",
            None if self.peer.auth => "no mechanism in common with",
            None => "no log-in is offered by",
            Some(mechanism) => {
                let credentials = (login.user.as_str(), &login.password);
                let (exchange, first) =
                    Exchange::new(mechanism, credentials, &login.nonce, exporter.as_ref());
                self.exchange = Some(Box::new(exchange));
                self.initial = first;
                return self.start_exchange(mechanism.name());
            }
        };
        let text = format!(
            "SASL authentication failed: {why} host {}",
            self.options.peer
        );
        self.part(Stage::Auth, None, text);
    }

    fn start_exchange(&mut self, name: &str) {
        let mut line = format!("AUTH {name}");
        if let Some(first) = self.initial.take() {
            let encoded = STANDARD.encode(first.reveal());
            if line.len() + encoded.len() + " \r\n".len() <= LINE_MAX {
                line.push(' ');
                line.push_str(&encoded);
            } else {
                self.initial = Some(first);
            }
        }
        self.say(&line, Expect::Auth);
        self.state = State::Wait;
    }

    pub(super) fn auth_answered(&mut self, reply: Reply) {
        match (reply.code, self.exchange.take()) {
            (334, Some(mut exchange)) => {
                let text = reply.lines.first().map(|line| line.trim_ascii());
                let challenge = text.and_then(|text| STANDARD.decode(text).ok());
                let turn = match (self.initial.take(), challenge) {
                    (Some(first), _) => Turn::Send(first),
                    // LOGIN's prompts are anything.
                    (None, challenge) => exchange.challenge(&challenge.unwrap_or_default()),
                };
                self.exchange = Some(exchange);
                self.turn(turn);
            }
            (235, Some(exchange)) if exchange.believes() => {
                self.ready();
            }
            (235, _) => self.unproved(),
            (504 | 534 | 535, Some(exchange)) if self.may_do_without(&exchange) => {
                self.peer.forget_scram();
                self.log_in();
            }
            _ => self.refused(Stage::Auth, reply),
        }
    }

    /// Whether the password is tried another way, once: there are servers that offer SCRAM and have nothing
    /// to check it with. Only under TLS, where the server has shown whose it is as far as that is wished.
    fn may_do_without(&self, exchange: &Exchange) -> bool {
        let others = [Mechanism::Plain, Mechanism::Login];
        exchange.mechanism().is_scram()
            && self.secured.is_some()
            && others.iter().any(|other| self.peer.offers(*other))
    }

    pub(super) fn proved(&mut self, proved: &Proved) {
        self.state = State::Wait;
        if let Some(exchange) = &mut self.exchange {
            let turn = exchange.proved(proved);
            self.turn(turn);
        }
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Failed => {
                // RFC 4954 section 4.
                self.say_octets(b"*");
                self.unproved();
            }
            Turn::Prove(asked) => self.state = State::Ask(Box::new(Question::Prove(asked))),
            Turn::Send(message) => self.respond(&message),
        }
    }

    fn respond(&mut self, message: &Secret) {
        let line = STANDARD.encode(message.reveal());
        self.say(&line, Expect::Auth);
    }

    /// Whoever that is does not know the password.
    fn unproved(&mut self) {
        let text = format!(
            "SASL authentication failed: {} did not prove that it knows the password",
            self.options.peer
        );
        self.part(Stage::Auth, None, text);
    }
}
