//! LOGIN and AUTHENTICATE PLAIN (RFC 3501 section 6.2, RFC 4616, RFC 4959).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::command::Authenticate;
use super::{
    Asked, Completion, FAILED_MAX, Phase, Question, Session, StateChange, Status, Wait, Work,
};
use crate::base::secret::Secret;

impl Session {
    pub(super) fn login(&mut self, user: String, password: Secret) -> Work {
        if self.options.login {
            self.ask(Question::Login { user, password }, Asked::Login)
        } else {
            self.in_clear()
        }
    }

    pub(super) fn authenticate(&mut self, command: &Authenticate) -> Work {
        if command.mechanism != "PLAIN" {
            self.complete(&Completion::no("This mechanism is not supported"));
            return Work::Again;
        }
        if !self.options.login {
            return self.in_clear();
        }
        if let Some(response) = &command.initial {
            return self.plain(response);
        }
        self.out.line("+ ");
        self.out.flush();
        self.phase = Phase::Response;
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
        if let Ok(response) = response {
            return self.plain(&response);
        }
        self.complete(&Completion::bad(if cancelled {
            "Authentication cancelled"
        } else {
            "Not in base64"
        }));
        Work::Again
    }

    /// The service has judged.
    pub(super) fn logged_in(&mut self, mut completion: Completion) {
        match completion.status {
            Status::Ok => {
                completion.state.get_or_insert(StateChange::Authenticated);
                completion
                    .code
                    .get_or_insert_with(|| self.options.capabilities(true));
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

    /// The message of PLAIN: `authorization NUL user NUL password`. Nobody acts for somebody else.
    fn plain(&mut self, response: &Secret) -> Work {
        let mut parts = response.reveal().splitn(3, |c| *c == 0);
        let (authorization, user, password) = (parts.next(), parts.next(), parts.next());
        let user = user.and_then(|user| str::from_utf8(user).ok());
        match (authorization, user, password) {
            (Some(authorization), Some(user), Some(password)) if !password.contains(&0) => {
                if authorization.is_empty() || authorization == user.as_bytes() {
                    return self.login(user.to_owned(), Secret::new(password.to_vec()));
                }
                let completion = Completion::no("You cannot act for somebody else");
                self.complete(&completion.with_code("AUTHORIZATIONFAILED"));
            }
            _ => self.complete(&Completion::bad("Not a response of PLAIN")),
        }
        Work::Again
    }

    fn in_clear(&mut self) -> Work {
        let completion = Completion::no("Passwords are taken on encrypted connections only");
        self.complete(&completion.with_code("PRIVACYREQUIRED"));
        Work::Again
    }
}
