//! The system flags of a message (RFC 9051 section 2.3.2). Keywords are names and live beside them.

use serde::{Deserialize, Serialize};

/// A set of system flags; `\Recent` is no flag of a message but of a session's view.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Flags(pub u8);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const ANSWERED: Self = Self(1);
    pub const DELETED: Self = Self(2);
    pub const DRAFT: Self = Self(4);
    pub const FLAGGED: Self = Self(8);
    pub const SEEN: Self = Self(16);

    /// Each flag with the name that IMAP gives it.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::DELETED, "\\Deleted"),
        (Self::DRAFT, "\\Draft"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::SEEN, "\\Seen"),
    ];

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// By its IMAP name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, n)| n.eq_ignore_ascii_case(name))
            .map(|(flag, _)| *flag)
    }
}
