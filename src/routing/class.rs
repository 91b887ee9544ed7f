//! What a domain is to us (`spec/mail.md` section 3).

use crate::{
    mail::domain::Domain,
    routing::directory::{Directory, LookupFailed},
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

/// Whose a domain is, as far as it decides who may write to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Not ours, or passed on to somebody else.
    Foreign,
    /// Its addresses end here or are forwarded from here.
    Hosted,
}

/// Whose a domain is. An address literal is nobody's: no mail is taken for `u@[192.0.2.1]`.
///
/// # Errors
///
/// The directory cannot be read.
pub fn place(directory: &dyn Directory, domain: &Domain) -> Result<Place, LookupFailed> {
    if domain.is_literal() {
        return Ok(Place::Foreign);
    }
    Ok(match directory.domain(domain.as_str())? {
        Some(Class::Alias | Class::Local | Class::Mailbox) => Place::Hosted,
        // What is only passed on needs a queue to wait in.
        Some(Class::Backup | Class::Relay) | None => Place::Foreign,
    })
}
