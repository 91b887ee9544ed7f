//! The keys under which an address is looked up, most specific first.

use crate::{mail::address::Address, routing::options::Options};

#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `user+tag@d`, or `user@d` where there is no tag.
    pub full: String,
    /// `user@d` of an address with a tag (AC-11).
    pub untagged: Option<String>,
    /// Where the `@` before the domain is in `full`.
    at: usize,
}

impl Keys {
    pub fn of(options: &Options, address: &Address) -> Self {
        let full = address.key();
        // A local part may hold an `@`, a domain never does.
        let at = full.rfind('@').unwrap_or(full.len());
        let (local, rest) = full.split_at_checked(at).unwrap_or((&full, ""));
        let untagged = options
            .delimiter
            .and_then(|delimiter| local.split_once(delimiter))
            // `+tag@d` is nobody's tag.
            .filter(|(user, _)| !user.is_empty())
            .map(|(user, _)| format!("{user}{rest}"));
        Self { full, untagged, at }
    }

    /// `user+tag@d`, `user@d`.
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.full.as_str()).chain(self.untagged.as_deref())
    }

    /// `@d`.
    pub fn wide(&self) -> &str {
        self.full.get(self.at..).unwrap_or_default()
    }

    /// `d`.
    pub fn domain(&self) -> &str {
        self.wide().strip_prefix('@').unwrap_or_default()
    }

    /// The whole local part, in lower case.
    pub fn local(&self) -> &str {
        self.full.get(..self.at).unwrap_or_default()
    }

    /// `user`, in lower case.
    pub fn user(&self) -> &str {
        let key = self.untagged.as_ref().unwrap_or(&self.full);
        key.rsplit_once('@').map_or(key, |(local, _)| local)
    }

    /// Whether the local part could be taken for a route of its own somewhere else (SR-10).
    pub fn is_odd(&self) -> bool {
        self.local().contains(['%', '!', '@'])
    }
}
