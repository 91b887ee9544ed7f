//! What routing looks up. `service::lookup` answers from the store, a map answers in tests.

use crate::{base::id::UserId, routing::class::Class};

/// Rows about addresses. A row that is switched off is as if it did not exist (AC-7).
pub trait Directory {
    /// What a domain is to us; `None` if it is not ours. `name` in ASCII, lower case.
    ///
    /// # Errors
    ///
    /// Nobody can tell now; the sender may try again later (SR-9).
    fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed>;

    /// The person whose mailbox has this address (`mail::address::Address::key`).
    ///
    /// # Errors
    ///
    /// As [`Directory::domain`].
    fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed>;

    /// The person at whom postmaster and abuse end (SR-26); `None` while there is nobody.
    ///
    /// # Errors
    ///
    /// As [`Directory::domain`].
    fn postmaster(&self) -> Result<Option<UserId>, LookupFailed>;
}

/// The directory cannot be read now. Whoever was asked has logged why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LookupFailed;
