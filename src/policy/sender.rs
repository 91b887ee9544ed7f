//! Whether a sender can be who it says it is (SR-14).

use crate::mail::{address::Address, path::ReversePath};

/// Whose an address is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whose {
    /// Somebody's in a domain that is not ours.
    Foreign,
    /// The directory cannot be read now.
    LookupFailed,
    /// In a domain of ours, but nobody's.
    Nobodys,
    /// Somebody's here.
    Ours,
}

/// Why a sender is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// No domain: nobody could answer. Refused for good.
    Bare,
    /// Nobody can tell now; the peer may try again later.
    LookupFailed,
    /// An address of ours that nobody has: forged. Refused for good.
    Unknown,
}

/// Judges the reverse-path. The null sender is always fine: bounces have it.
///
/// # Errors
///
/// [`Refusal`], to be told at the recipients (SR-11).
pub fn judge(path: &ReversePath, whose: impl FnOnce(&Address) -> Whose) -> Result<(), Refusal> {
    match path {
        ReversePath::Null => Ok(()),
        ReversePath::Bare(_) => Err(Refusal::Bare),
        ReversePath::Address(address) => match whose(address) {
            Whose::Foreign | Whose::Ours => Ok(()),
            Whose::LookupFailed => Err(Refusal::LookupFailed),
            Whose::Nobodys => Err(Refusal::Unknown),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::path::parse_reverse;

    #[test]
    fn only_our_own_addresses_are_looked_at() {
        for (path, whose, want) in [
            ("<>", Whose::LookupFailed, Ok(())),
            ("<ghost>", Whose::Ours, Err(Refusal::Bare)),
            ("<bob@away.test>", Whose::Foreign, Ok(())),
            ("<alice@home.test>", Whose::Ours, Ok(())),
            ("<ghost@home.test>", Whose::Nobodys, Err(Refusal::Unknown)),
            (
                "<ghost@home.test>",
                Whose::LookupFailed,
                Err(Refusal::LookupFailed),
            ),
        ] {
            let path = parse_reverse(path).unwrap();
            assert_eq!(judge(&path, |_| whose), want, "{path}");
        }
    }
}
