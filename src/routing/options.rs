//! What the admin chose about addresses.

use crate::mail::domain::Domain;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Between `user` and `tag` (`address.delimiter`, AC-11); `None` = addresses have no tags.
    pub delimiter: Option<char>,
    /// Our own name: a local domain without a row of its own, as `localhost` is (AC-4).
    pub hostname: Option<Domain>,
    /// Further names of this machine (`address.local`): local domains too.
    pub local: Vec<Domain>,
    /// What is put behind a bare local part (`address.origin`, AC-8); `None` where a listener takes no
    /// bare local parts. `<postmaster>` is taken everywhere.
    pub origin: Option<Domain>,
    /// Key of the address of the person at whom standard names end (`address.postmaster`, AC-12);
    /// `None` = whom the directory names.
    pub postmaster: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: Some('+'),
            hostname: None,
            local: Vec::new(),
            origin: None,
            postmaster: None,
        }
    }
}
