//! From the greeting to the first transaction.

use super::{Expect, Offer, Session, Stage, State, Tls};
use crate::base::machine::Secured;
use crate::proto::sasl::Mechanism;
use crate::proto::smtp::reply::Reply;

/// Recipients that a peer takes at least (RFC 5321 section 4.5.3.1.8).
const RECIPIENTS: u32 = 100;

/// What the answer to EHLO says.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a keyword that is there or not"
)]
pub struct Capabilities {
    /// Indexes of [`Mechanism::ALL`].
    mechanisms: [bool; Mechanism::ALL.len()],
    pub auth: bool,
    pub chunking: bool,
    pub dsn: bool,
    pub eight_bit: bool,
    pub pipelining: bool,
    pub requiretls: bool,
    pub size: bool,
    /// 0: none is given.
    pub size_max: u64,
    pub smtputf8: bool,
    starttls: bool,
    /// RFC 9422; 0: none is given.
    mails_max: u32,
    recipients_max: u32,
}

impl Capabilities {
    fn parse(reply: &Reply) -> Self {
        let mut found = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Some announce `AUTH=`, for clients older than RFC 4954.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "8BITMIME" => found.eight_bit = true,
                "AUTH" => {
                    found.auth = true;
                    for known in words.filter_map(Mechanism::parse) {
                        for (index, mechanism) in Mechanism::ALL.into_iter().enumerate() {
                            if let Some(flag) = found.mechanisms.get_mut(index)
                                && mechanism == known
                            {
                                *flag = true;
                            }
                        }
                    }
                }
                "CHUNKING" => found.chunking = true,
                "DSN" => found.dsn = true,
                "LIMITS" => found.limits(&line),
                "PIPELINING" => found.pipelining = true,
                "REQUIRETLS" => found.requiretls = true,
                "SIZE" => {
                    found.size = true;
                    found.size_max = number(words.next());
                }
                "SMTPUTF8" => found.smtputf8 = true,
                "STARTTLS" => found.starttls = true,
                _ => {}
            }
        }
        found
    }

    fn limits(&mut self, line: &str) {
        for word in line.split(' ') {
            match word.split_once('=') {
                Some(("MAILMAX", count)) => self.mails_max = number(Some(count)),
                Some(("RCPTMAX", count)) => self.recipients_max = number(Some(count)),
                _ => {}
            }
        }
    }

    pub fn offers(&self, mechanism: Mechanism) -> bool {
        let mut all = Mechanism::ALL.into_iter().zip(self.mechanisms);
        all.any(|(known, offered)| known == mechanism && offered)
    }

    /// Other mechanisms are used from now on.
    pub fn forget_scram(&mut self) {
        for (known, offered) in Mechanism::ALL.into_iter().zip(&mut self.mechanisms) {
            *offered &= !known.is_scram();
        }
    }

    /// Whether no transaction may follow this many.
    pub fn is_last(&self, mails: u32) -> bool {
        self.mails_max > 0 && mails >= self.mails_max
    }

    pub fn offer(&self, secured: Option<&Secured>) -> Offer {
        Offer {
            recipients_max: match self.recipients_max {
                0 => RECIPIENTS,
                max => max,
            },
            size_max: self.size_max,
            dsn: self.dsn,
            eight_bit: self.eight_bit,
            requiretls: self.requiretls && secured.is_some(),
            smtputf8: self.smtputf8,
            secured: secured.cloned(),
        }
    }
}

/// 0 if that is none.
fn number<T: std::str::FromStr + Default>(text: Option<&str>) -> T {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Session {
    pub(super) fn greeted(&mut self, reply: Reply) {
        if reply.code == 220 {
            self.hello();
        } else {
            self.refused(Stage::Greeting, reply);
        }
    }

    pub(super) fn hello(&mut self) {
        let verb = if self.options.lmtp { "LHLO" } else { "EHLO" };
        self.say(&format!("{verb} {}", self.options.hello), Expect::Ehlo);
        self.state = State::Wait;
    }

    pub(super) fn hello_answered(&mut self, expect: Expect, reply: Reply) {
        if reply.code / 100 != 2 {
            // RFC 5321 section 4.1.4.
            if reply.is_permanent() && expect == Expect::Ehlo && !self.options.lmtp {
                return self.say(&format!("HELO {}", self.options.hello), Expect::Helo);
            }
            return self.refused(Stage::Hello, reply);
        }
        self.peer = match expect {
            Expect::Ehlo => Capabilities::parse(&reply),
            _ => Capabilities::default(),
        };
        match self.options.tls {
            Tls::Offered | Tls::Required if self.secured.is_some() => self.log_in(),
            Tls::Offered | Tls::Required if self.peer.starttls => {
                self.say("STARTTLS", Expect::StartTls);
            }
            Tls::Required => {
                let peer = &self.options.peer;
                let text = format!("TLS is required, but was not offered by host {peer}");
                self.part(Stage::StartTls, None, text);
            }
            Tls::Implicit | Tls::Never | Tls::Offered => self.log_in(),
        }
    }

    pub(super) fn starttls_answered(&mut self, reply: Reply) {
        if reply.code == 220 {
            self.state = State::Handshake;
        } else if self.options.tls == Tls::Required {
            self.refused(Stage::StartTls, reply);
        } else {
            self.log_in();
        }
    }
}
