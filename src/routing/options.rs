//! What the admin chose about addresses.

use std::sync::Arc;

use crate::{mail::domain::Domain, routing::names::Names};

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
    /// What a file says of names of this machine (`local.aliases`, LM-2), behind the rows.
    pub names: Arc<Names>,
    /// Names of this machine that nobody here has go to the default route (role `relay`, LM-6, LM-7).
    pub null_client: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: Some('+'),
            hostname: None,
            local: Vec::new(),
            origin: None,
            postmaster: None,
            names: Arc::default(),
            null_client: false,
        }
    }
}
