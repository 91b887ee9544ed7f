//! The greeting, and STARTTLS (RFC 3501 section 6.2.1).

use super::output::Output;
use super::{Completion, Phase, Session, Work};
use crate::base::machine::Step;

impl Session {
    pub(super) fn greet(&mut self) -> Work {
        let text = ["* OK [", &self.capabilities(), "] Pillarbox ready."].concat();
        self.out.line(&text);
        self.phase = Phase::Command;
        Work::Again
    }

    /// Whether passwords may be sent on this connection.
    pub(super) fn may_log_in(&self) -> bool {
        self.secured || self.options.login
    }

    pub(super) fn may_secure(&self) -> bool {
        self.options.starttls && !self.secured
    }

    pub(super) fn start_tls(&mut self) {
        if self.secured {
            return self.complete(&Completion::bad("The connection is encrypted already"));
        }
        if !self.may_secure() {
            return self.complete(&Completion::bad("STARTTLS is not available"));
        }
        // The first octet of a handshake can only come after the reply: what is in hand is from
        // somebody in between, and so would be the replies to it.
        if !self.input.is_empty() || self.signals.ended {
            self.out = Output::default();
            self.phase = Phase::Bye;
            return;
        }
        self.complete(&Completion::ok("Begin TLS negotiation now."));
        if matches!(self.phase, Phase::Command) {
            self.phase = Phase::Secure;
        }
    }

    pub(super) fn handshake(&mut self) -> Work {
        if !self.out.is_empty() {
            self.out.flush();
            return Work::Again;
        }
        self.phase = Phase::Handshaking;
        Work::Step(Step::StartTls)
    }
}
