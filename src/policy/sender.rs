//! Whether a sender can be who it says it is: on the MX (SR-13, SR-14), and for an authenticated user
//! (SU-10).

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
    /// Its domain takes no mail, answers included (RFC 7505 section 4.2). Refused for good.
    DomainDeaf,
    /// Its domain is nobody's. Refused for good.
    DomainUnknown,
    /// Nobody can tell now whose its domain is; the peer may try again later.
    DomainUnsure,
    /// Nobody can tell now; the peer may try again later.
    LookupFailed,
    /// Not the authenticated user's. Refused for good.
    NotOwned,
    /// An address of ours that nobody has: forged. Refused for good.
    Unknown,
}

/// Judges a stranger's reverse-path. The null sender is always fine: bounces have it.
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

/// What DNS says of a sender's domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// It has mail servers or an address.
    Known,
    /// It certainly has neither.
    Nobody,
    /// It says that it takes no mail (RFC 7505).
    NullMx,
    /// There is nobody here to ask.
    Unasked,
    /// Nobody can tell now.
    Unsure,
}

/// Judges the domain of a stranger's reverse-path.
///
/// # Errors
///
/// [`Refusal`], to be told at the recipients (SR-11).
pub fn judge_origin(origin: Origin) -> Result<(), Refusal> {
    match origin {
        Origin::Known | Origin::Unasked => Ok(()),
        Origin::Nobody => Err(Refusal::DomainUnknown),
        Origin::NullMx => Err(Refusal::DomainDeaf),
        Origin::Unsure => Err(Refusal::DomainUnsure),
    }
}

/// Judges an authenticated user's reverse-path. The null sender is everybody's: answers that a program
/// gives by itself have it (RFC 8098 section 3, RFC 3834 section 3.3). `owns` says `None` while nobody
/// can tell.
///
/// # Errors
///
/// [`Refusal`].
pub fn judge_own(
    path: &ReversePath,
    owns: impl FnOnce(&Address) -> Option<bool>,
) -> Result<(), Refusal> {
    match path {
        ReversePath::Null => Ok(()),
        ReversePath::Bare(_) => Err(Refusal::Bare),
        ReversePath::Address(address) => match owns(address) {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::NotOwned),
            None => Err(Refusal::LookupFailed),
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

    #[test]
    fn nobody_sends_as_somebody_else() {
        for (path, owns, want) in [
            ("<>", Some(false), Ok(())),
            ("<alice>", Some(true), Err(Refusal::Bare)),
            ("<alice@home.test>", Some(true), Ok(())),
            ("<bob@home.test>", Some(false), Err(Refusal::NotOwned)),
            ("<alice@home.test>", None, Err(Refusal::LookupFailed)),
        ] {
            let path = parse_reverse(path).unwrap();
            assert_eq!(judge_own(&path, |_| owns), want, "{path}");
        }
    }
}
