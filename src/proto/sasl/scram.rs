//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: the messages of RFC 5802 section 7, with the hash of RFC 7677
//! and the channel binding of RFC 9266.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::plain::{authorize, name};
use super::{Answer, Failure, Question, Turn};

/// The only channel binding there is for TLS 1.3 (RFC 9266 section 2).
pub const BINDING: &str = "tls-exporter";
/// Longest client's part of the nonce, in octets.
const NONCE_MAX: usize = 256;

/// What the client says of channel bindings (RFC 5802 section 6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flag<'a> {
    /// `n`: it knows none.
    None,
    /// `p=`: it uses this one.
    Used(&'a str),
    /// `y`: it would, but thinks that we cannot.
    Wished,
}

#[derive(Debug)]
pub struct Scram {
    plus: bool,
    exporter: Option<Box<[u8; 32]>>,
    state: State,
}

#[derive(Debug)]
enum State {
    First,
    /// The keys are asked for.
    Keys(Box<First>),
    /// For the client's last message.
    Last(Box<Keyed>),
    /// The proof is asked about.
    Proof {
        name: String,
    },
    /// The client has to read our signature; it has nothing more to say.
    Signed {
        name: String,
    },
}

/// What the client's first message said.
#[derive(Debug)]
struct First {
    name: String,
    /// With its last comma.
    header: String,
    bare: String,
    nonce: String,
}

#[derive(Debug)]
struct Keyed {
    name: String,
    /// What `c=` has to be.
    binding: String,
    /// Both parts.
    nonce: String,
    /// The AuthMessage up to the client's last message.
    messages: String,
}

impl Scram {
    pub fn new(plus: bool, exporter: Option<&[u8; 32]>) -> Self {
        Self {
            plus,
            exporter: exporter.map(|octets| Box::new(*octets)),
            state: State::First,
        }
    }

    pub fn read(mut self, message: &str) -> Result<(Self, Turn), Failure> {
        let turn = match self.state {
            State::First => {
                let first = first(message, |flag| {
                    allowed(self.plus, self.exporter.is_some(), flag)
                })?;
                let name = first.name.clone();
                self.state = State::Keys(Box::new(first));
                Turn::Ask(Question::Keys { name })
            }
            State::Last(keyed) => {
                let question = last(&keyed, message)?;
                self.state = State::Proof { name: keyed.name };
                Turn::Ask(question)
            }
            State::Signed { name } if message.is_empty() => {
                self.state = State::First;
                return Ok((self, Turn::Done { name }));
            }
            State::Keys(_) | State::Proof { .. } | State::Signed { .. } => {
                return Err(Failure::Malformed);
            }
        };
        Ok((self, turn))
    }

    pub fn answer(mut self, answer: Answer) -> Result<(Self, Turn), Failure> {
        let challenge = match (self.state, answer) {
            (State::Keys(first), Answer::Keys { salt, count, nonce }) => {
                let nonce = format!("{}{nonce}", first.nonce);
                let challenge = format!("r={nonce},s={},i={count}", STANDARD.encode(salt));
                let mut binding = first.header.into_bytes();
                if self.plus {
                    binding.extend(self.exporter.iter().flat_map(|octets| octets.iter()));
                }
                self.state = State::Last(Box::new(Keyed {
                    name: first.name,
                    binding: STANDARD.encode(binding),
                    nonce,
                    messages: format!("{},{challenge}", first.bare),
                }));
                challenge
            }
            (State::Proof { name }, Answer::Signature(signature)) => {
                self.state = State::Signed { name };
                format!("v={}", STANDARD.encode(signature))
            }
            _ => return Err(Failure::TryAgain),
        };
        Ok((self, Turn::Challenge(challenge.into_bytes())))
    }
}

/// Whether a client that uses this mechanism may say this. One that thinks we bind no channels,
/// though we said that we do, was told otherwise by somebody in between (RFC 5802 section 6).
fn allowed(plus: bool, offered: bool, flag: Flag<'_>) -> bool {
    match flag {
        Flag::None => !plus,
        Flag::Used(kind) => plus && offered && kind == BINDING,
        Flag::Wished => !plus && !offered,
    }
}

/// `gs2-header [reserved-mext ","] username "," nonce ["," extensions]`.
fn first(message: &str, allowed: impl Fn(Flag<'_>) -> bool) -> Result<First, Failure> {
    let (flag, rest) = message.split_once(',').ok_or(Failure::Malformed)?;
    let flag = match flag {
        "n" => Flag::None,
        "y" => Flag::Wished,
        used => Flag::Used(used.strip_prefix("p=").ok_or(Failure::Malformed)?),
    };
    let (authorization, bare) = rest.split_once(',').ok_or(Failure::Malformed)?;
    let header = message.get(..message.len().saturating_sub(bare.len()));
    let mut attributes = bare.split(',');
    // A `m=` here says that what follows must be understood: that is malformed for us too.
    let user = saslname(value(attributes.next(), "n=")?)?;
    let nonce = value(attributes.next(), "r=")?;
    if nonce.is_empty() || nonce.len() > NONCE_MAX || !nonce.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(Failure::Malformed);
    }
    attributes.try_for_each(extension)?;
    if !authorization.is_empty() {
        let authorization = saslname(value(Some(authorization), "a=")?)?;
        authorize(&authorization, &user)?;
    }
    if !allowed(flag) {
        return Err(Failure::Refused);
    }
    Ok(First {
        name: user,
        header: header.unwrap_or_default().to_owned(),
        bare: bare.to_owned(),
        nonce: nonce.to_owned(),
    })
}

/// `channel-binding "," nonce ["," extensions] "," proof`.
fn last(keyed: &Keyed, message: &str) -> Result<Question, Failure> {
    let (unproved, proof) = message.rsplit_once(',').ok_or(Failure::Malformed)?;
    let proof = STANDARD.decode(value(Some(proof), "p=")?);
    let proof = proof.ok().and_then(|octets| octets.try_into().ok());
    let proof = proof.ok_or(Failure::Malformed)?;
    let mut attributes = unproved.split(',');
    let binding = value(attributes.next(), "c=")?;
    let nonce = value(attributes.next(), "r=")?;
    attributes.try_for_each(extension)?;
    if binding != keyed.binding || nonce != keyed.nonce {
        return Err(Failure::Refused);
    }
    Ok(Question::Proof {
        name: keyed.name.clone(),
        auth_message: format!("{},{unproved}", keyed.messages).into_bytes(),
        proof,
    })
}

fn value<'a>(attribute: Option<&'a str>, key: &str) -> Result<&'a str, Failure> {
    attribute
        .and_then(|text| text.strip_prefix(key))
        .ok_or(Failure::Malformed)
}

/// An attribute that nobody knows does no harm (RFC 5802 section 5.1), unless it is one of those that
/// have their place elsewhere.
fn extension(text: &str) -> Result<(), Failure> {
    let (key, value) = text.split_once('=').ok_or(Failure::Malformed)?;
    let unknown = matches!(key.as_bytes(), [letter] if letter.is_ascii_alphabetic())
        && !"acemnprsvi".contains(key);
    if unknown && !value.is_empty() && !value.contains('\0') {
        Ok(())
    } else {
        Err(Failure::Malformed)
    }
}

/// Undoes `=2C` and `=3D`; nothing else may follow a `=` (RFC 5802 section 5.1).
fn saslname(text: &str) -> Result<String, Failure> {
    let mut parts = text.split('=');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::Malformed),
        };
        out.push(character);
        out.push_str(rest);
    }
    name(&out)
}
