//! Domains of addresses: DNS names and address literals (RFC 5321 sections 2.3.5 and 4.1.3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

/// Longest name in octets, without a final dot (RFC 1035 section 2.3.4 counts 255 on the wire).
const NAME_MAX: usize = 253;
/// Longest label in octets (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;

/// A domain in its one stored form: A-labels in lower case, or an address literal. Two spellings of
/// one domain are equal (AC-10).
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// From ASCII, from U-labels (RFC 5890), or from a literal: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    /// No final dot, no empty label; a name whose last label is a number is no domain.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return literal(inner.strip_suffix(']')?).map(Self::literal);
        }
        // Four octets of UTF-8 make at most a few of an A-label; nothing longer can become a name.
        if text.len() > 4 * NAME_MAX {
            return None;
        }
        if is_name(text) && !has_a_label(text) {
            return Some(Self(text.to_ascii_lowercase()));
        }
        let name = Uts46::new()
            .to_ascii(
                text.as_bytes(),
                AsciiDenyList::URL,
                Hyphens::Allow,
                DnsLength::Ignore,
            )
            .ok()?;
        is_name(&name).then(|| Self(name.into_owned()))
    }

    /// An address as a domain (RFC 5321 section 4.1.3).
    #[must_use]
    pub fn literal(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        })
    }

    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.0.starts_with('[')
    }

    /// The address of a literal.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        literal(self.0.strip_prefix('[')?.strip_suffix(']')?)
    }

    /// ASCII: A-labels in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For people: U-labels where the name has them and they mean this name.
    #[must_use]
    pub fn unicode(&self) -> String {
        if !has_a_label(&self.0) {
            return self.0.clone();
        }
        let (name, result) = idna::domain_to_unicode(&self.0);
        if result.is_ok() && Self::parse(&name).as_ref() == Some(self) {
            name
        } else {
            self.0.clone()
        }
    }
}

fn literal(inner: &str) -> Option<IpAddr> {
    match inner.split_at_checked(5) {
        Some((tag, ip)) if tag.eq_ignore_ascii_case("IPv6:") => {
            ip.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Underscores are not the standard's, but such hosts exist and send mail.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
    };
    text.len() <= NAME_MAX
        && text.split('.').all(label)
        && !text
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|c| c.is_ascii_digit()))
}

fn has_a_label(text: &str) -> bool {
    text.split('.').any(|label| {
        label
            .split_at_checked(4)
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case("xn--"))
    })
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

/// The text is no domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoDomain;

impl fmt::Display for NoDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a domain")
    }
}

impl std::error::Error for NoDomain {}

impl TryFrom<String> for Domain {
    type Error = NoDomain;

    fn try_from(text: String) -> Result<Self, NoDomain> {
        Self::parse(&text).ok_or(NoDomain)
    }
}

impl std::str::FromStr for Domain {
    type Err = NoDomain;

    fn from_str(text: &str) -> Result<Self, NoDomain> {
        Self::parse(text).ok_or(NoDomain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_each_domain() {
        let long = format!("{}.test", "a".repeat(64));
        let name = format!("{}test", "a123456789.".repeat(24));
        for (text, want) in [
            ("Home.Test", Some("home.test")),
            ("localhost", Some("localhost")),
            ("BÜCHER.example", Some("xn--bcher-kva.example")),
            ("XN--BCHER-KVA.example", Some("xn--bcher-kva.example")),
            ("bu\u{308}cher.example", Some("xn--bcher-kva.example")),
            ("r3---sn-4g5.example", Some("r3---sn-4g5.example")),
            ("under_score.test", Some("under_score.test")),
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("[ipv6:2001:DB8:0::1]", Some("[IPv6:2001:db8::1]")),
            ("192.0.2.1", None),
            ("[192.0.2.1", None),
            ("[2001:db8::1]", None),
            ("[IPv6:192.0.2.1]", None),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a.test.", None),
            (".a.test", None),
            ("-a.test", None),
            ("a-.test", None),
            ("a b.test", None),
            ("a\r\n.test", None),
            ("a@b.test", None),
            ("xn--a\u{fffd}.test", None),
            ("xn--0.test", None),
            (&long, None),
            (&name, None),
        ] {
            let domain = Domain::parse(text);
            assert_eq!(domain.as_ref().map(Domain::as_str), want, "{text:?}");
        }
    }

    #[test]
    fn shown_to_people() {
        let domain = Domain::parse("xn--bcher-kva.example").unwrap();
        assert_eq!(domain.unicode(), "bücher.example");
        assert_eq!(Domain::parse("a.test").unwrap().unicode(), "a.test");
        let literal = Domain::parse("[IPv6:::1]").unwrap();
        assert!(literal.is_literal());
        assert_eq!(literal.ip(), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(Domain::parse("a.test").unwrap().ip(), None);
    }

    #[test]
    fn a_stored_domain_is_checked_again() {
        let stored = postcard::to_stdvec("Home.Test").unwrap();
        assert_eq!(
            postcard::from_bytes::<Domain>(&stored).unwrap().as_str(),
            "home.test"
        );
        let stored = postcard::to_stdvec("a b").unwrap();
        assert!(postcard::from_bytes::<Domain>(&stored).is_err());
    }
}
