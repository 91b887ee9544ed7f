//! Addresses of people: a local part and a domain (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mail::domain::Domain;

/// Longest local part in octets, unquoted. More than RFC 5321 section 4.5.3.1.1 asks for: SRS and
/// VERP senders are longer.
const LOCAL_MAX: usize = 255;
/// Longest path in octets, brackets included (RFC 5321 section 4.5.3.1.3: 256 at least).
pub(super) const PATH_MAX: usize = 512;

/// `local@domain`. The derived order and equality keep the local part's case; what compares
/// addresses as people do uses [`Address::key`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Unquoted, as it was spelled.
    pub local: String,
    pub domain: Domain,
}

impl Address {
    /// Parses an addr-spec without brackets: `a.b@d`, `"a b"@d`, UTF-8 on both sides. Comments, white
    /// space and dots that the standard does not know (`a..b@d`) are refused, as in paths on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 4 * PATH_MAX {
            return None;
        }
        let (local, rest) = local_part(text)?;
        Self::new(local, Domain::parse(rest.strip_prefix('@')?)?)
    }

    /// From an unquoted local part; `None` if it is empty, holds controls, or is too long.
    #[must_use]
    pub fn new(local: String, domain: Domain) -> Option<Self> {
        let address = Self { local, domain };
        (is_local(&address.local) && address.to_string().len() + 2 <= PATH_MAX).then_some(address)
    }

    /// What addresses are compared and looked up by: the local part in lower case, `@`, the domain in
    /// ASCII (AC-10). Never quoted; the last `@` is the one between the two.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }

    /// The same local part elsewhere; `None` if the whole becomes too long.
    #[must_use]
    pub fn at(&self, domain: &Domain) -> Option<Self> {
        Self::new(self.local.clone(), domain.clone())
    }
}

/// Splits off a leading local part; returns it unquoted, and the rest of the text.
pub(super) fn local_part(text: &str) -> Option<(String, &str)> {
    let (local, rest) = if let Some(inner) = text.strip_prefix('"') {
        quoted(inner)?
    } else {
        let end = text.find(|c| !is_atom(c)).unwrap_or(text.len());
        let (local, rest) = text.split_at_checked(end)?;
        has_right_dots(local).then(|| (local.to_owned(), rest))?
    };
    is_local(&local).then_some((local, rest))
}

/// The local part as a path spells it: quoted where it is no plain sequence of atoms.
pub(super) fn write_local(f: &mut fmt::Formatter<'_>, local: &str) -> fmt::Result {
    if has_right_dots(local) && local.chars().all(is_atom) {
        return f.write_str(local);
    }
    f.write_str("\"")?;
    for c in local.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

/// Dots between atoms only (RFC 5321 section 4.1.2, `Dot-string`).
fn has_right_dots(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty())
}

/// What follows an opening quote: the text up to the closing one, and the rest behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((local, text.get(at.checked_add(1)?..)?)),
            '\\' => local.push(chars.next()?.1),
            c => local.push(c),
        }
    }
    None
}

fn is_local(local: &str) -> bool {
    (1..=LOCAL_MAX).contains(&local.len()) && !local.chars().any(char::is_control)
}

/// A character of an atom (RFC 5322 section 3.2.3, RFC 6531 section 3.3), or the dot between two.
fn is_atom(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c)
    } else {
        !c.is_control() && !c.is_whitespace()
    }
}

/// An addr-spec, quoted where it must be; the domain in ASCII.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_local(f, &self.local)?;
        write!(f, "@{}", self.domain)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// The text is no address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoAddress;

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address")
    }
}

impl std::error::Error for NoAddress {}

impl TryFrom<String> for Address {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        Self::parse(&text).ok_or(NoAddress)
    }
}

impl std::str::FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        Self::parse(text).ok_or(NoAddress)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses() {
        let long = format!("{}@a.test", "x".repeat(255));
        let longer = format!("{}@a.test", "x".repeat(256));
        for (text, want, key) in [
            ("Alice@Home.Test", "Alice@home.test", "alice@home.test"),
            ("a.b+tag@d.test", "a.b+tag@d.test", "a.b+tag@d.test"),
            (r#""a b"@d.test"#, r#""a b"@d.test"#, "a b@d.test"),
            (r#""ab"@d.test"#, "ab@d.test", "ab@d.test"),
            (
                r#""a\"\\@b"@d.test"#,
                r#""a\"\\@b"@d.test"#,
                r#"a"\@b@d.test"#,
            ),
            (r#""a..b"@d.test"#, r#""a..b"@d.test"#, "a..b@d.test"),
            (
                "SRS0=x+/y=T=d.test=a@e.test",
                "SRS0=x+/y=T=d.test=a@e.test",
                "srs0=x+/y=t=d.test=a@e.test",
            ),
            (
                "ÉVA@bücher.example",
                "ÉVA@xn--bcher-kva.example",
                "éva@xn--bcher-kva.example",
            ),
            ("x%y@[192.0.2.1]", "x%y@[192.0.2.1]", "x%y@[192.0.2.1]"),
            ("root@localhost", "root@localhost", "root@localhost"),
            (&long, &long, &long),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), want);
            assert_eq!(address.key(), key);
        }
        for text in [
            "",
            "a",
            "@d.test",
            "a@",
            "a@@d.test",
            "a b@d.test",
            "<a@d.test>",
            r#"""@d.test"#,
            r#""a@d.test"#,
            r#""a"b@d.test"#,
            "a\u{0}@d.test",
            "\"a\r\nb\"@d.test",
            "a@d.test ",
            "a@d.test\r\n",
            "a(c)@d.test",
            "a@b@d.test",
            "a..b@d.test",
            ".a@d.test",
            "a.@d.test",
            "../x@d.test",
            ".@d.test",
            &longer,
        ] {
            assert_eq!(Address::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_path_has_its_limit() {
        // Quotes and backslashes count too.
        let local = |n: usize| format!("\"{}\"", "\\\"".repeat(n));
        let domain = format!("{}test", "a12345678.".repeat(24));
        assert!(Address::parse(&format!("{}@{domain}", local(130))).is_some());
        assert!(Address::parse(&format!("{}@{domain}", local(135))).is_none());
    }

    proptest! {
        /// What is shown is read again as the same address.
        #[test]
        fn shown_and_read_again(local in "[\\PC\"\\\\@. ]{1,20}", domain in "[a-zé]{1,9}\\.test") {
            if let Some(domain) = Domain::parse(&domain)
                && let Some(address) = Address::new(local, domain)
            {
                prop_assert_eq!(Address::parse(&address.to_string()), Some(address));
            }
        }

        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            if let Some(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Some(address));
            }
        }
    }
}
