//! The Sender Rewriting Scheme: a reverse-path under a domain of ours, from which the old one can be read
//! when a bounce comes back. The forms are those of libsrs2 and postsrsd: `SRS0=hash=day=domain=local`,
//! and `SRS1=hash=host==…` for what somebody else has rewritten.

use crate::base::time::Time;

/// Writes and reads rewritten reverse-paths.
#[derive(Clone, Debug)]
pub struct Srs {
    secret: [u8; 32],
}

/// Why a local part leads nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unreadable {
    /// It was not made here, or was changed.
    Forged,
    /// Nobody bounces that late.
    Old,
    /// It has not the form.
    Syntax,
}

impl Srs {
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The reverse-path for a message of `sender` (without brackets) that leaves under `domain`. `None` where
    /// there is none that is short enough, and for what is no address.
    #[must_use]
    pub fn forward(&self, sender: &str, domain: &str, now: Time) -> Option<String> {
        let _ = (sender, domain, now, &self.secret);
        None
    }

    /// The path to which a bounce to this (unquoted) local part goes on.
    ///
    /// # Errors
    ///
    /// It goes nowhere: see [`Unreadable`].
    pub fn reverse(&self, local: &str, now: Time) -> Result<String, Unreadable> {
        let _ = (local, now);
        Err(Unreadable::Syntax)
    }
}

/// Whether a local part claims to be a rewritten one.
#[must_use]
pub fn is_rewritten(local: &str) -> bool {
    let start = local.get(..4).unwrap_or_default();
    let sign = local.as_bytes().get(4);
    (start.eq_ignore_ascii_case("SRS0") || start.eq_ignore_ascii_case("SRS1"))
        && matches!(sign, Some(b'=' | b'+' | b'-'))
}
