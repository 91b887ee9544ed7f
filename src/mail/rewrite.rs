//! Whom a message is from when it leaves by a route that takes only senders it knows (LM-9, UX-09, UX-10).

use crate::mail::address::Address;

/// How `From:` becomes the route's own address.
#[derive(Clone, Debug)]
pub struct Rewrite {
    pub mode: Mode,
    /// The route's own.
    pub address: Address,
    /// Our own name: an address there is one of the machine's.
    pub hostname: String,
    /// The message is passed on for somebody else (FW-11): the name says so.
    pub forwarded: bool,
}

/// Whose `From:` is rewritten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Always,
    /// Addresses of the machine itself: at `localhost`, the hostname, or without a domain.
    Local,
    Off,
}

impl Rewrite {
    /// Whether an address is changed (without brackets).
    #[must_use]
    pub fn concerns(&self, address: &str) -> bool {
        let _ = address;
        false
    }

    /// The reverse-path with which it leaves (without brackets); the null one stays.
    #[must_use]
    pub fn reverse(&self, sender: &str) -> String {
        sender.to_owned()
    }
}

/// The header block as it leaves. Where there is nothing to change, it is as it was.
#[must_use]
pub fn from(block: &[u8], rewrite: &Rewrite) -> Vec<u8> {
    let _ = rewrite;
    block.to_vec()
}
