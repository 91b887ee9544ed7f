//! At whom an address ends, and who may write from it.

use std::fmt;

use crate::{
    base::id::UserId,
    mail::{address::Address, domain::Domain, path::ForwardPath},
    routing::{
        class::class,
        directory::{Directory, LookupFailed},
        keys::Keys,
        options::Options,
        step::Step,
        walk::Walk,
    },
};

/// Names that every hosted domain answers for, whatever its rows say (SR-26, RFC 5321 section 4.5.1).
const ALWAYS: [&str; 2] = ["abuse", "postmaster"];

/// What whoever sends may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rights {
    /// Only what is hosted, forwarded or passed on here: the MX, whoever the client is (SR-10).
    Stranger,
    /// Any address: somebody who has logged in.
    User,
}

/// Where mail for an address goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// Accepted and dropped (TR-12).
    Discard { address: String },
    /// Into this person's mailbox. `address` is the one that led there, tag and all.
    Mailbox { user: UserId, address: String },
    /// Elsewhere, through the queue.
    Queue {
        address: String,
        /// The envelope sender is rewritten where it is not ours (FW-11).
        srs: bool,
        /// `smtp:[host]:25`, `relay:NAME`, `lmtp:…`; `None` = the domain's MX.
        transport: Option<String>,
    },
}

/// Why an address leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Aliases lead in a circle (FW-8). For now: until the rows are mended.
    AliasLoop,
    /// Not ours, and whoever sends has no right to relay (SR-10). For good.
    Foreign,
    /// The directory cannot be read, or a row names what is gone (SR-9). For now.
    LookupFailed,
    /// A standard name, but there is nobody yet to read its mail (SR-26). For now.
    Nobody,
    /// More than 1,000 results (FW-8). For now: until the rows are mended.
    TooMany,
    /// An `error:` transport (TR-9). For now if `code` is 450, else for good.
    Transport {
        code: u16,
        /// RFC 3463.
        status: String,
        text: String,
    },
    /// In a domain of ours, but nobody there (SR-8, FW-9). For good.
    Unknown,
}

impl Refusal {
    /// Whether the sender may try again later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::AliasLoop | Self::LookupFailed | Self::Nobody | Self::TooMany => true,
            Self::Transport { code, .. } => *code < 500,
            Self::Foreign | Self::Unknown => false,
        }
    }
}

impl From<LookupFailed> for Refusal {
    fn from(LookupFailed: LookupFailed) -> Self {
        Self::LookupFailed
    }
}

impl fmt::Display for Refusal {
    /// In plain words, for `alias test`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AliasLoop => f.write_str("the aliases lead in a circle"),
            Self::Foreign => f.write_str("not to be passed on from here"),
            Self::LookupFailed => f.write_str("nobody can tell now"),
            Self::Nobody => f.write_str("nobody is set up to read this yet"),
            Self::TooMany => f.write_str("the aliases lead to too many addresses"),
            Self::Transport { status, text, .. } => write!(f, "refused: {status} {text}"),
            Self::Unknown => f.write_str("nobody has this address"),
        }
    }
}

/// What came of an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Routed {
    /// Never empty, nobody twice (FW-12).
    pub outcome: Result<Vec<Destination>, Refusal>,
    /// All that was looked at, in its order, for `alias test`; [`Step::Dead`] is to be logged (FW-9).
    pub steps: Vec<Step>,
}

/// Finds out where an address leads.
///
/// What can be told to be undeliverable is refused; of several targets the living get it (FW-9). As
/// long as one of them cannot be judged, or is refused for now, the whole is refused for now:
/// otherwise that one's copy would be lost.
#[must_use]
pub fn route(
    directory: &dyn Directory,
    options: &Options,
    rights: Rights,
    recipient: &ForwardPath,
) -> Routed {
    let whole;
    let address = match recipient {
        ForwardPath::Address(address) => address,
        ForwardPath::Bare(local) => match qualified(directory, options, recipient, local) {
            Some(address) => {
                whole = address;
                &whole
            }
            None => return refused(local),
        },
    };
    let mut walk = Walk::new(directory, options, rights);
    let mut outcome = walk.run(address);
    if matches!(&outcome, Err(refusal) if is_dead_end(refusal))
        && ALWAYS.contains(&Keys::of(options, address).user())
    {
        outcome = last_resort(directory, options, address, &mut walk).unwrap_or(outcome);
    }
    Routed {
        outcome,
        steps: walk.steps,
    }
}

/// A bare local part with the origin behind it (AC-8). `<postmaster>` is ours in any case.
fn qualified(
    directory: &dyn Directory,
    options: &Options,
    recipient: &ForwardPath,
    local: &str,
) -> Option<Address> {
    let ours = || {
        let is_on = |name: &Domain| directory.is_off(name.as_str()) != Ok(true);
        let hostname = options.hostname.clone().filter(is_on);
        hostname.or_else(|| Domain::parse("localhost"))
    };
    let domain = if recipient.is_postmaster() {
        ours()
    } else {
        options.origin.clone()
    };
    Address::new(local.to_owned(), domain?)
}

fn refused(local: &str) -> Routed {
    Routed {
        outcome: Err(Refusal::Unknown),
        steps: vec![Step::Dead {
            address: local.to_owned(),
            refusal: Refusal::Unknown,
        }],
    }
}

/// Whether it is the rows' doing that nobody gets the mail.
fn is_dead_end(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::AliasLoop | Refusal::TooMany | Refusal::Transport { .. } | Refusal::Unknown => {
            true
        }
        Refusal::Foreign | Refusal::LookupFailed | Refusal::Nobody => false,
    }
}

/// The person at whom standard names end (AC-12): who was chosen, while that person is there.
pub fn postmaster(
    directory: &dyn Directory,
    options: &Options,
) -> Result<Option<UserId>, LookupFailed> {
    if let Some(key) = &options.postmaster
        && let Some(user) = directory.mailbox(key)?
    {
        return Ok(Some(user));
    }
    directory.postmaster()
}

/// Rows that lead nowhere do not keep mail for the postmaster from a human (SR-26).
fn last_resort(
    directory: &dyn Directory,
    options: &Options,
    address: &Address,
    walk: &mut Walk<'_>,
) -> Option<Result<Vec<Destination>, Refusal>> {
    match class(directory, options, &address.domain) {
        Ok(Some(class)) if class.is_hosted() => {}
        _ => return None,
    }
    let address = address.to_string();
    walk.steps.push(Step::Standard {
        address: address.clone(),
        heir: None,
    });
    Some(match postmaster(directory, options) {
        Ok(Some(user)) => {
            let destination = Destination::Mailbox { user, address };
            walk.steps.push(Step::Winner(destination.clone()));
            Ok(vec![destination])
        }
        Ok(None) => Err(Refusal::Nobody),
        Err(LookupFailed) => Err(Refusal::LookupFailed),
    })
}

/// Whether somebody may write from an address (SU-10): it is the address of that person's mailbox,
/// or mail for it reaches that mailbox, whether or not a transport takes it elsewhere then.
pub fn owns(
    directory: &dyn Directory,
    options: &Options,
    user: UserId,
    address: &Address,
) -> Result<bool, LookupFailed> {
    match class(directory, options, &address.domain)? {
        Some(class) if class.has_mailboxes() => {
            let keys = Keys::of(options, address);
            for key in keys.exact() {
                if directory.mailbox(key)? == Some(user) {
                    return Ok(true);
                }
            }
        }
        Some(_) => {}
        None => return Ok(false),
    }
    let mut walk = Walk::new(directory, options, Rights::Stranger).without_transports();
    match walk.run(address) {
        Ok(found) => Ok(found.iter().any(|destination| {
            matches!(destination, Destination::Mailbox { user: other, .. } if *other == user)
        })),
        Err(Refusal::LookupFailed) => Err(LookupFailed),
        Err(_) => Ok(false),
    }
}
