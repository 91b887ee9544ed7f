//! SASL (RFC 4422): one authentication exchange as a machine, for every protocol that carries one.
//!
//! Decoded messages and answers go in, turns come out. Nothing here hashes or draws random numbers:
//! what needs that is asked.

pub mod client;
mod plain;
mod scram;
#[cfg(test)]
pub mod tests;

use crate::base::secret::Secret;

/// Longest name in octets: an address (RFC 5321 section 4.5.3.1) in UTF-8.
const NAME_MAX: usize = 320;
/// Longest password in octets.
const PASSWORD_MAX: usize = 1024;
/// Longest message of a client in octets.
const MESSAGE_MAX: usize = 4096;

/// In the order in which they are announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Never a standard, but what old clients speak.
    Login,
    /// RFC 7677.
    ScramSha256,
    /// With the channel binding of RFC 9266.
    ScramSha256Plus,
}

impl Mechanism {
    pub const ALL: [Self; 4] = [
        Self::Plain,
        Self::Login,
        Self::ScramSha256,
        Self::ScramSha256Plus,
    ];

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// Protocols give names in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let named = |mechanism: &Self| mechanism.name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(named)
    }

    #[must_use]
    pub fn is_scram(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha256Plus)
    }

    /// Whether it can be used on a channel with (`bound`) or without a channel binding.
    #[must_use]
    pub fn fits(self, bound: bool) -> bool {
        self != Self::ScramSha256Plus || bound
    }
}

/// What an exchange asks. `name` is what the client said it is, at most 320 octets, without control
/// characters; whether there is such an account must not be seen from the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// How this account's password was hashed. Answered with [`Answer::Keys`], for accounts that are
    /// not there too.
    Keys { name: String },
    /// Is it the password? Answered with [`Answer::Right`].
    Password { name: String, password: Secret },
    /// RFC 5802 section 3: does the proof fit this message under the account's StoredKey? Answered
    /// with [`Answer::Signature`].
    Proof {
        name: String,
        auth_message: Vec<u8>,
        proof: [u8; 32],
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    Keys {
        salt: Vec<u8>,
        /// Iterations.
        count: u32,
        /// The server's part of the nonce: fresh, printable, without commas.
        nonce: String,
    },
    /// No such account, or not its password.
    Refused,
    Right,
    /// The ServerSignature.
    Signature([u8; 32]),
    /// Nobody can tell now.
    TryAgain,
}

/// What an exchange wants next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Settle this, then call [`Exchange::answer`].
    Ask(Question),
    /// Send this, then call [`Exchange::response`] with what comes back.
    Challenge(Vec<u8>),
    /// The client is who it says. Nothing is left to send.
    Done {
        name: String,
    },
    Failed(Failure),
}

/// Why an exchange is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The client asks to act for somebody else.
    Authorization,
    /// No message of this mechanism.
    Malformed,
    /// Not the password, or somebody stands in between.
    Refused,
    TryAgain,
}

/// One exchange. After [`Turn::Done`] and [`Turn::Failed`] it is used up.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    /// For the client's first message.
    First,
    /// LOGIN has its name.
    Login {
        name: String,
    },
    Over,
    /// The question about a password is with the driver.
    Password {
        name: String,
    },
    Scram(scram::Scram),
}

impl Exchange {
    /// `exporter` is the channel's `tls-exporter` binding (RFC 9266); where it is there,
    /// SCRAM-SHA-256-PLUS has to be announced.
    #[must_use]
    pub fn new(mechanism: Mechanism, exporter: Option<&[u8; 32]>) -> Self {
        let state = match mechanism {
            Mechanism::Login | Mechanism::Plain => State::First,
            Mechanism::ScramSha256 => State::Scram(scram::Scram::new(false, exporter)),
            Mechanism::ScramSha256Plus => State::Scram(scram::Scram::new(true, exporter)),
        };
        Self { mechanism, state }
    }

    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The first turn: with the initial response if there was one.
    pub fn begin(&mut self, initial: Option<&Secret>) -> Turn {
        match (initial, self.mechanism) {
            (Some(message), _) => self.response(message),
            (None, Mechanism::Login) => Turn::Challenge(plain::USER_NAME.to_vec()),
            (None, _) => Turn::Challenge(vec![]),
        }
    }

    /// A message of the client.
    pub fn response(&mut self, message: &Secret) -> Turn {
        let state = std::mem::replace(&mut self.state, State::Over);
        let message = message.reveal();
        let next = match str::from_utf8(message) {
            Ok(message) if message.len() <= MESSAGE_MAX => self.read(state, message),
            _ => Err(Failure::Malformed),
        };
        self.turn(next)
    }

    /// The answer to the last [`Turn::Ask`].
    pub fn answer(&mut self, answer: Answer) -> Turn {
        let next = match (std::mem::replace(&mut self.state, State::Over), answer) {
            (_, Answer::Refused) => Err(Failure::Refused),
            (State::Password { name }, Answer::Right) => Ok((State::Over, Turn::Done { name })),
            (State::Scram(scram), answer) => scram.answer(answer).map(scrammed),
            _ => Err(Failure::TryAgain),
        };
        self.turn(next)
    }

    fn turn(&mut self, next: Result<(State, Turn), Failure>) -> Turn {
        match next {
            Ok((state, turn)) => {
                self.state = state;
                turn
            }
            Err(failure) => Turn::Failed(failure),
        }
    }

    fn read(&self, state: State, message: &str) -> Result<(State, Turn), Failure> {
        match (state, self.mechanism) {
            (State::First, Mechanism::Login) => {
                let name = plain::name(message)?;
                Ok((
                    State::Login { name },
                    Turn::Challenge(plain::PASSWORD.to_vec()),
                ))
            }
            (State::First, _) => {
                plain::parse(message).map(|(name, password)| check(name, password))
            }
            (State::Login { name }, _) => {
                plain::password(message).map(|password| check(name, password))
            }
            (State::Scram(scram), _) => scram.read(message).map(scrammed),
            (State::Over | State::Password { .. }, _) => Err(Failure::Malformed),
        }
    }
}

fn scrammed((scram, turn): (scram::Scram, Turn)) -> (State, Turn) {
    (State::Scram(scram), turn)
}

fn check(name: String, password: Secret) -> (State, Turn) {
    let question = Question::Password {
        name: name.clone(),
        password,
    };
    (State::Password { name }, Turn::Ask(question))
}
