//! What routing looks up. `service::lookup` answers from the store, a map answers in tests.

use crate::{base::id::UserId, routing::class::Class};

/// Rows about addresses. A row that is switched off is as if it did not exist (AC-7).
///
/// Every question can fail: nobody can tell now, and the sender may try again later (SR-9).
/// `key` is `mail::address::Address::key`.
pub trait Directory {
    /// The alias with this source: a key, or `@domain` for a catch-all.
    fn alias(&self, source: &str) -> Result<Option<Forward>, LookupFailed>;

    /// Whether there is any transport at all. One cheap look saves one for each pattern.
    fn any_transport(&self) -> Result<bool, LookupFailed>;

    /// The route that takes what no transport matches and nobody here hosts.
    fn default_route(&self) -> Result<Option<String>, LookupFailed>;

    /// What a domain is to us; `None` if it is not ours. `name` in ASCII, lower case.
    fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed>;

    /// Whether a domain is there, but switched off: it is nobody's then, not even the box's own (AC-7).
    fn is_off(&self, domain: &str) -> Result<bool, LookupFailed>;

    /// Whether only the recipients of its list are known in a relay or backup domain (AC-5).
    fn listed(&self, domain: &str) -> Result<bool, LookupFailed>;

    /// The person whose mailbox has this address.
    fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed>;

    /// The person at whom the standard names end (SR-26, AC-12); `None` while there is nobody.
    fn postmaster(&self) -> Result<Option<UserId>, LookupFailed>;

    /// Whether an address is in the list of its relay or backup domain.
    fn recipient(&self, key: &str) -> Result<bool, LookupFailed>;

    /// Whether there is a route of this name.
    fn route(&self, name: &str) -> Result<bool, LookupFailed>;

    /// The target of the transport with this pattern, as [`crate::routing::transport::Pattern`] shows
    /// itself.
    fn transport(&self, pattern: &str) -> Result<Option<String>, LookupFailed>;
}

/// What an alias says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forward {
    /// Addresses as written, or `@domain`: the same local part there.
    pub targets: Vec<String>,
    /// Whether the envelope sender is rewritten for targets elsewhere (FW-11); `None` = it is.
    pub srs: Option<bool>,
}

/// The directory cannot be read now. Whoever was asked has logged why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LookupFailed;
