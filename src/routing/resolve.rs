//! At whom an address ends. The order is that of `spec/mail.md` section 4: `user+tag@d`, `user@d`,
//! the standard names.

use crate::{
    base::id::UserId,
    mail::address::Address,
    routing::{
        class::{Place, place},
        directory::{Directory, LookupFailed},
    },
};

/// Names that every hosted domain has (SR-26, RFC 5321 section 4.5.1).
const STANDARD: [&str; 2] = ["abuse", "postmaster"];

/// What the admin chose about addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// Between `user` and `tag` (`address.delimiter`, AC-11); `None` = addresses have no tags.
    pub delimiter: Option<char>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: Some('+'),
        }
    }
}

/// At whom an address ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// In a domain that is not ours.
    Foreign,
    /// The directory cannot be read now.
    LookupFailed,
    /// In this person's mailbox.
    Mailbox(UserId),
    /// A standard name, but there is nobody yet to read its mail (SR-26).
    Nobody,
    /// In a domain of ours, but nobody there.
    Unknown,
}

/// Finds out at whom an address ends.
#[must_use]
pub fn resolve(directory: &dyn Directory, options: &Options, address: &Address) -> Resolution {
    find(directory, options, address).unwrap_or(Resolution::LookupFailed)
}

/// At whom `<postmaster>` without a domain ends.
#[must_use]
pub fn resolve_postmaster(directory: &dyn Directory) -> Resolution {
    standard(directory).unwrap_or(Resolution::LookupFailed)
}

fn find(
    directory: &dyn Directory,
    options: &Options,
    address: &Address,
) -> Result<Resolution, LookupFailed> {
    match place(directory, &address.domain)? {
        Place::Foreign => return Ok(Resolution::Foreign),
        Place::Hosted => {}
    }
    if let Some(user) = directory.mailbox(&address.key())? {
        return Ok(Resolution::Mailbox(user));
    }
    let untagged = untagged(options, address);
    if let Some(address) = &untagged
        && let Some(user) = directory.mailbox(&address.key())?
    {
        return Ok(Resolution::Mailbox(user));
    }
    let local = &untagged.as_ref().unwrap_or(address).local;
    if STANDARD.iter().any(|name| name.eq_ignore_ascii_case(local)) {
        return standard(directory);
    }
    Ok(Resolution::Unknown)
}

fn standard(directory: &dyn Directory) -> Result<Resolution, LookupFailed> {
    Ok(directory
        .postmaster()?
        .map_or(Resolution::Nobody, Resolution::Mailbox))
}

/// `user@d` of `user+tag@d`; `None` without a tag, or where the tag is all there is.
fn untagged(options: &Options, address: &Address) -> Option<Address> {
    let (user, _) = address.local.split_once(options.delimiter?)?;
    Address::new(user.to_owned(), address.domain.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::routing::class::Class;

    #[derive(Default)]
    struct Rows {
        mailboxes: BTreeMap<&'static str, u32>,
        postmaster: Option<UserId>,
        broken: bool,
    }

    impl Directory for Rows {
        fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed> {
            match (self.broken, name) {
                (true, _) => Err(LookupFailed),
                (_, "home.test") => Ok(Some(Class::Mailbox)),
                (_, "later.test") => Ok(Some(Class::Relay)),
                _ => Ok(None),
            }
        }

        fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed> {
            Ok(self.mailboxes.get(key).copied().map(UserId))
        }

        fn postmaster(&self) -> Result<Option<UserId>, LookupFailed> {
            Ok(self.postmaster)
        }
    }

    #[test]
    fn the_first_row_wins() {
        let rows = Rows {
            mailboxes: [
                ("alice@home.test", 1),
                ("alice+shop@home.test", 2),
                ("abuse@home.test", 3),
            ]
            .into(),
            postmaster: Some(UserId(9)),
            broken: false,
        };
        for (text, want) in [
            ("alice@home.test", Resolution::Mailbox(UserId(1))),
            ("ALICE@HOME.test", Resolution::Mailbox(UserId(1))),
            ("Alice+Shop@home.test", Resolution::Mailbox(UserId(2))),
            ("alice+other@home.test", Resolution::Mailbox(UserId(1))),
            ("alice+shop+x@home.test", Resolution::Mailbox(UserId(1))),
            ("+shop@home.test", Resolution::Unknown),
            ("bob@home.test", Resolution::Unknown),
            ("alice@away.test", Resolution::Foreign),
            ("alice@later.test", Resolution::Foreign),
            ("alice@[192.0.2.1]", Resolution::Foreign),
            ("alice%away.test@home.test", Resolution::Unknown),
            ("away.test!alice@home.test", Resolution::Unknown),
            (r#""alice@away.test"@home.test"#, Resolution::Unknown),
            (r#""alice@home.test"@away.test"#, Resolution::Foreign),
            ("PostMaster@home.test", Resolution::Mailbox(UserId(9))),
            ("postmaster+x@home.test", Resolution::Mailbox(UserId(9))),
            ("abuse@home.test", Resolution::Mailbox(UserId(3))),
            ("abuse@away.test", Resolution::Foreign),
        ] {
            let address = Address::parse(text).unwrap();
            let got = resolve(&rows, &Options::default(), &address);
            assert_eq!(got, want, "{text}");
        }
        assert_eq!(resolve_postmaster(&rows), Resolution::Mailbox(UserId(9)));
        let alice = Address::parse("alice+other@home.test").unwrap();
        let plain = Options { delimiter: None };
        assert_eq!(resolve(&rows, &plain, &alice), Resolution::Unknown);
    }

    #[test]
    fn nobody_yet_and_nobody_can_tell() {
        let address = Address::parse("postmaster@home.test").unwrap();
        let options = Options::default();
        let mut rows = Rows::default();
        assert_eq!(resolve(&rows, &options, &address), Resolution::Nobody);
        assert_eq!(resolve_postmaster(&rows), Resolution::Nobody);
        rows.broken = true;
        assert_eq!(resolve(&rows, &options, &address), Resolution::LookupFailed);
    }
}
