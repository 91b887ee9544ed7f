//! The client's side of an exchange. What takes long is asked here, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Mechanism;
use super::scram::BINDING;
use crate::base::secret::Secret;

/// Iterations that a server may ask for: RFC 7677 section 4 has the least, some seconds of a small
/// board the most.
const COUNT: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

/// What SCRAM's arithmetic needs (RFC 5802 section 3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToProve {
    pub password: Secret,
    pub salt: Vec<u8>,
    /// Iterations, at most a million.
    pub count: u32,
    pub auth_message: Vec<u8>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proved {
    /// The ClientProof.
    pub proof: [u8; 32],
    /// The ServerSignature that has to come.
    pub signature: [u8; 32],
}

/// What an exchange wants next.
#[derive(Debug, Eq, PartialEq)]
pub enum Turn {
    /// That was no message of this mechanism, or not one of who knows the password.
    Failed,
    /// Settle this, then call [`Exchange::proved`].
    Prove(Box<ToProve>),
    Send(Secret),
}

/// The best of those that are offered, on a channel with (`bound`) or without a channel binding.
pub fn choose(offered: impl Fn(Mechanism) -> bool, bound: bool) -> Option<Mechanism> {
    [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::Plain,
        Mechanism::Login,
    ]
    .into_iter()
    .find(|mechanism| mechanism.fits(bound) && offered(*mechanism))
}

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    user: String,
    password: Secret,
    state: State,
}

#[derive(Debug)]
enum State {
    /// For LOGIN's second challenge.
    Password,
    /// Everything was said.
    Over,
    /// The proof is with the driver: with what the last message begins.
    Proving(String),
    /// For the server's first message.
    Scram {
        /// With its last comma.
        header: String,
        /// What is bound, behind the header.
        exporter: Option<Box<[u8; 32]>>,
        bare: String,
        nonce: String,
    },
    /// For the server's signature.
    Signature([u8; 32]),
    /// For LOGIN's first challenge.
    User,
}

impl Exchange {
    /// The exchange, and the client's first message where the mechanism begins with one. `nonce` has to
    /// be fresh, printable and without commas; `exporter` is the channel's `tls-exporter` binding
    /// (RFC 9266).
    #[must_use]
    pub fn new(
        mechanism: Mechanism,
        (user, password): (&str, &Secret),
        nonce: &str,
        exporter: Option<&[u8; 32]>,
    ) -> (Self, Option<Secret>) {
        let (state, first) = match mechanism {
            Mechanism::Login => (State::User, None),
            Mechanism::Plain => {
                let secret = password.reveal();
                let message = [b"\0", user.as_bytes(), b"\0", secret].concat();
                (State::Over, Some(message))
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let plus = mechanism == Mechanism::ScramSha256Plus;
                // `y`: we would bind, and the server did not offer it (RFC 5802 section 6).
                let header = match exporter {
                    Some(_) if plus => format!("p={BINDING},,"),
                    Some(_) => "y,,".to_owned(),
                    None => "n,,".to_owned(),
                };
                let name = user.replace('=', "=3D").replace(',', "=2C");
                let bare = format!("n={name},r={nonce}");
                let message = format!("{header}{bare}").into_bytes();
                let state = State::Scram {
                    header,
                    exporter: exporter.filter(|_| plus).map(|octets| Box::new(*octets)),
                    bare,
                    nonce: nonce.to_owned(),
                };
                (state, Some(message))
            }
        };
        let exchange = Self {
            mechanism,
            user: user.to_owned(),
            password: password.clone(),
            state,
        };
        (exchange, first.map(Secret::new))
    }

    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// A challenge, decoded.
    pub fn challenge(&mut self, octets: &[u8]) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::User => {
                self.state = State::Password;
                Turn::Send(Secret::new(self.user.clone().into_bytes()))
            }
            State::Password => Turn::Send(self.password.clone()),
            State::Scram {
                header,
                exporter,
                bare,
                nonce,
            } => {
                let mut binding = header.into_bytes();
                binding.extend(exporter.iter().flat_map(|octets| octets.iter()));
                self.server_first(octets, &binding, &bare, &nonce)
                    .unwrap_or(Turn::Failed)
            }
            // An error (`e=`) fails, too.
            State::Signature(signature) => {
                let expected = format!("v={}", STANDARD.encode(signature));
                let said = octets.split(|octet| *octet == b',').next();
                if said == Some(expected.as_bytes()) {
                    Turn::Send(Secret::default())
                } else {
                    self.state = State::Signature(signature);
                    Turn::Failed
                }
            }
            state @ (State::Over | State::Proving(_)) => {
                self.state = state;
                Turn::Failed
            }
        }
    }

    /// The answer to [`Turn::Prove`].
    pub fn proved(&mut self, proved: &Proved) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Proving(start) => {
                self.state = State::Signature(proved.signature);
                let message = format!("{start},p={}", STANDARD.encode(proved.proof));
                Turn::Send(Secret::new(message.into_bytes()))
            }
            _ => Turn::Failed,
        }
    }

    /// Whether a success that the server tells now may be believed: it has proved that it knows the
    /// password, where the mechanism has that.
    #[must_use]
    pub fn believes(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// `nonce "," salt "," iteration-count ["," extensions]`.
    fn server_first(
        &mut self,
        octets: &[u8],
        binding: &[u8],
        bare: &str,
        nonce: &str,
    ) -> Option<Turn> {
        let text = str::from_utf8(octets).ok()?;
        let mut parts = text.split(',');
        let both = parts.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let count: u32 = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        let added = both.strip_prefix(nonce)?;
        if added.is_empty() || salt.is_empty() || !COUNT.contains(&count) {
            return None;
        }
        let start = format!("c={},r={both}", STANDARD.encode(binding));
        let auth_message = format!("{bare},{text},{start}").into_bytes();
        self.state = State::Proving(start);
        Some(Turn::Prove(Box::new(ToProve {
            password: self.password.clone(),
            salt,
            count,
            auth_message,
        })))
    }
}

#[cfg(test)]
pub mod tests;
