//! Whether a mailbox has room for what is announced (ST-7, ST-8), and whose mail is taken always.

use crate::mail::path::ForwardPath;

/// Names that have to take mail from everybody (RFC 5321 section 4.5.1, SR-26).
const ROLES: [&str; 2] = ["abuse", "postmaster"];

/// A mailbox' quota and what it holds, both in octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// 0 = no limit.
    pub quota: u64,
    pub used: u64,
}

impl Room {
    /// Nothing fits any more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.quota > 0 && self.used >= self.quota
    }
}

/// The mailbox is full, or the announced size does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

/// Judges a recipient before any content came, by the mailboxes where it ends. One that has room is
/// enough, and so are `others`: places elsewhere that the mail goes to as well. `announced` is SIZE of
/// MAIL, in octets.
///
/// # Errors
///
/// [`Full`]: refused for good.
pub fn judge(rooms: &[Room], others: bool, announced: Option<u64>) -> Result<(), Full> {
    let fits = |room: &Room| {
        let free = room.quota.saturating_sub(room.used);
        room.quota == 0 || (free > 0 && announced.unwrap_or(0) <= free)
    };
    if others || rooms.is_empty() || rooms.iter().any(fits) {
        Ok(())
    } else {
        Err(Full)
    }
}

/// Whether it is `<postmaster>`, or one of [`ROLES`] in whatever domain: how full the mailbox is, and
/// who the sender claims to be, then does not matter.
#[must_use]
pub fn is_role(path: &ForwardPath) -> bool {
    match path {
        ForwardPath::Address(address) => ROLES
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&address.local)),
        ForwardPath::Bare(_) => path.is_postmaster(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::path::parse_forward;

    #[test]
    fn roles() {
        for (path, want) in [
            ("<PostMaster>", true),
            ("<postmaster@home.test>", true),
            ("<Abuse@home.test>", true),
            ("<postmaster+x@home.test>", false),
            ("<alice@home.test>", false),
        ] {
            assert_eq!(is_role(&parse_forward(path).unwrap()), want, "{path}");
        }
    }

    #[test]
    fn room() {
        for (quota, used, announced, want) in [
            (0, u64::MAX, Some(u64::MAX), Ok(())),
            (1000, 0, None, Ok(())),
            (1000, 999, None, Ok(())),
            (1000, 999, Some(1), Ok(())),
            (1000, 999, Some(2), Err(Full)),
            (1000, 1000, None, Err(Full)),
            (1000, 1000, Some(0), Err(Full)),
            (1000, 5000, None, Err(Full)),
        ] {
            let room = Room { quota, used };
            assert_eq!(judge(&[room], false, announced), want);
            let full = Room { quota: 1, used: 1 };
            assert_eq!(judge(&[full, room], false, announced), want);
            assert_eq!(judge(&[full, room], true, announced), Ok(()));
        }
        assert_eq!(judge(&[], false, Some(1)), Ok(()));
    }
}
