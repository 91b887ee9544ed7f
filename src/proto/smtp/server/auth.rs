//! AUTH, RFC 4954: one exchange of [`sasl`], its messages in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::commands::MUST_SECURE;
use super::options::{Auth, AuthOptions, Tls};
use super::state::{Hello, Mail, Pending, State};
use super::{Noted, Question, Session, Step};
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::proto::sasl::{Answer, Exchange, Failure, Mechanism, Turn};

/// Longest line of an exchange in octets with its CRLF (RFC 4954 section 4).
const RESPONSE_MAX: usize = 12_288;

impl Session {
    /// How AUTH is offered here and now.
    pub(super) fn auth_offer(&self) -> Option<AuthOptions> {
        match self.options.auth {
            Auth::Anybody => Some(AuthOptions {
                in_clear: true,
                ..AuthOptions::default()
            }),
            Auth::Offered(offer) if self.peer.secured || offer.in_clear => Some(offer),
            Auth::Off | Auth::Offered(_) => None,
        }
    }

    /// The mechanisms that can be used here and now.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> + use<> {
        let bound = self.peer.exporter.is_some();
        let unchecked = self.options.auth == Auth::Anybody;
        let fits = move |m: &Mechanism| {
            m.fits(bound) && (!unchecked || matches!(m, Mechanism::Login | Mechanism::Plain))
        };
        Mechanism::ALL.into_iter().filter(fits)
    }

    pub(super) fn auth(&mut self, argument: &str) {
        if self.auth_offer().is_none() {
            return match self.options.auth {
                Auth::Offered(_) if self.options.tls != Tls::Off => {
                    self.refuse(530, MUST_SECURE);
                }
                Auth::Anybody | Auth::Off | Auth::Offered(_) => {
                    self.refuse(503, "5.5.1 Error: authentication not enabled");
                }
            };
        }
        match (self.peer.hello, &self.mail) {
            (Hello::Helo | Hello::None, _) => self.refuse(503, "5.5.1 Error: send EHLO first"),
            _ if self.peer.authenticated => {
                self.refuse(503, "5.5.1 Error: already authenticated");
            }
            (Hello::Ehlo, Mail::Failed | Mail::Open(_)) => {
                self.refuse(503, "5.5.1 Error: MAIL transaction in progress");
            }
            (Hello::Ehlo, Mail::None) => self.exchange(argument),
        }
    }

    fn exchange(&mut self, argument: &str) {
        let mut words = argument.split_ascii_whitespace();
        let (Some(name), initial, None) = (words.next(), words.next(), words.next()) else {
            return self.refuse(501, "5.5.4 Syntax: AUTH mechanism");
        };
        let known = Mechanism::parse(name);
        let Some(mechanism) = known.filter(|known| self.mechanisms().any(|m| m == *known)) else {
            return self.refuse(504, "5.5.4 Unrecognized authentication type");
        };
        let initial = match initial {
            None => None,
            // RFC 4954 section 4: a response that is there, and empty.
            Some("=") => Some(Secret::default()),
            Some(text) => match decode(text.as_bytes()) {
                Some(message) => Some(message),
                None => return self.not_base64(),
            },
        };
        let exporter = self.peer.exporter.as_deref();
        let mut exchange = Box::new(Exchange::new(mechanism, exporter));
        let turn = exchange.begin(initial.as_ref());
        self.turn(exchange, turn);
    }

    /// The line that answers a challenge, or the wait for it.
    pub(super) fn response(&mut self, exchange: Box<Exchange>, now: Instant) -> Option<Step> {
        let length = match self.input.line() {
            Some(length) if length <= RESPONSE_MAX => length,
            None if self.input.len() < RESPONSE_MAX => {
                self.state = State::Response(exchange);
                return self.wait(now);
            }
            _ => {
                self.state = State::LongLine {
                    octets: 0,
                    after_cr: false,
                    response: true,
                };
                return None;
            }
        };
        self.since = None;
        let line = self.input.rest().get(..length).unwrap_or_default();
        let text = line.strip_suffix(b"\r\n");
        let message = text.and_then(decode);
        let cancelled = text == Some(b"*");
        let bare = match text {
            Some(text) => memchr::memchr(b'\r', text).map(|_| "CR"),
            None => Some(memchr::memchr(b'\r', line).map_or("LF", |_| "CR")),
        };
        self.input.advance(length);
        match (bare, message) {
            (Some(name), _) => self.bare(name),
            (None, _) if cancelled => self.refuse(501, "5.7.0 Authentication aborted"),
            (None, None) => self.not_base64(),
            (None, Some(message)) => {
                let mut exchange = exchange;
                let turn = exchange.response(&message);
                self.turn(exchange, turn);
            }
        }
        None
    }

    /// The service's word.
    pub(super) fn auth_answered(&mut self, mut exchange: Box<Exchange>, answer: Answer) {
        let turn = exchange.answer(answer);
        self.turn(exchange, turn);
    }

    /// Leaves `Command` as the state when the exchange is over.
    fn turn(&mut self, exchange: Box<Exchange>, turn: Turn) {
        match turn {
            Turn::Ask(_) if self.options.auth == Auth::Anybody => {
                self.auth_answered(exchange, Answer::Right);
            }
            Turn::Ask(question) => self.ask(Question::Auth(question), Pending::Auth(exchange)),
            Turn::Challenge(octets) => {
                self.say_challenge(&octets);
                self.state = State::Response(exchange);
            }
            Turn::Done { name } => {
                let mechanism = exchange.mechanism();
                self.peer.authenticated = true;
                self.errors = 0;
                self.say(235, "2.7.0 Authentication successful");
                self.note(Noted::Authenticated { mechanism, name });
            }
            Turn::Failed(Failure::Malformed) => {
                self.refuse(501, "5.5.2 Error: malformed authentication response");
            }
            Turn::Failed(Failure::Authorization | Failure::Refused) => {
                self.refuse(535, "5.7.8 Error: authentication failed");
            }
            Turn::Failed(Failure::TryAgain) => {
                self.refuse(454, "4.7.0 Temporary authentication failure");
            }
        }
    }

    /// Without a text, `334 ` is whole (RFC 4954 section 4).
    fn say_challenge(&mut self, octets: &[u8]) {
        self.say(334, STANDARD.encode(octets));
    }

    fn not_base64(&mut self) {
        self.refuse(501, "5.5.2 Error: cannot decode response");
    }
}

/// Strict: no white space, no missing padding (RFC 4954 section 4).
fn decode(text: &[u8]) -> Option<Secret> {
    STANDARD.decode(text).ok().map(Secret::new)
}
