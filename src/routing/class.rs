//! What a domain is to us (`spec/mail.md` section 3).

use std::fmt;

use crate::{
    mail::domain::Domain,
    routing::{
        directory::{Directory, LookupFailed},
        options::Options,
    },
};

/// The class of a domain that we know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Forwardings only (AC-3).
    Alias,
    /// Kept for a primary, never delivered here (AC-6).
    Backup,
    /// The machine's own names (AC-4).
    Local,
    /// Mailboxes and forwardings (AC-2).
    Mailbox,
    /// Accepted and passed on (AC-5).
    Relay,
}

impl Class {
    /// Whether its addresses end here or are forwarded from here; else they are passed on.
    #[must_use]
    pub fn is_hosted(self) -> bool {
        match self {
            Self::Alias | Self::Local | Self::Mailbox => true,
            Self::Backup | Self::Relay => false,
        }
    }

    /// Whether it can have mailboxes.
    #[must_use]
    pub fn has_mailboxes(self) -> bool {
        match self {
            Self::Local | Self::Mailbox => true,
            Self::Alias | Self::Backup | Self::Relay => false,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "alias",
            Self::Backup => "backup",
            Self::Local => "local",
            Self::Mailbox => "mailbox",
            Self::Relay => "relay",
        })
    }
}

/// What a domain is to us; `None` = foreign. An address literal is nobody's: no mail is taken for
/// `u@[192.0.2.1]`. Without a row of their own `localhost`, the hostname and the listed names are local
/// (AC-4); with one that is switched off they are foreign (AC-7).
pub fn class(
    directory: &dyn Directory,
    options: &Options,
    domain: &Domain,
) -> Result<Option<Class>, LookupFailed> {
    if domain.is_literal() {
        return Ok(None);
    }
    let own = || {
        domain.as_str() == "localhost"
            || options.hostname.as_ref() == Some(domain)
            || options.local.contains(domain)
    };
    Ok(match directory.domain(domain.as_str())? {
        None if own() && !directory.is_off(domain.as_str())? => Some(Class::Local),
        class => class,
    })
}
