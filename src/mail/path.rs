//! The paths of `MAIL FROM` and `RCPT TO` (RFC 5321 section 4.1.2), with their brackets.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mail::address::{Address, PATH_MAX, local_part, write_local};
use crate::mail::domain::Domain;

/// Longest path that is looked at, source route included; the path without it has its own limit.
const ROUTED_MAX: usize = 1024;

/// Who gets the bounces.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ReversePath {
    Address(Address),
    /// An unquoted local part alone; the origin is added later (AC-8).
    Bare(String),
    /// `<>`: nobody; bounces say so (RFC 5321 section 4.5.5).
    Null,
}

/// Whom the message is for.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ForwardPath {
    Address(Address),
    /// An unquoted local part alone: `<postmaster>` (RFC 5321 section 4.5.1) and local names.
    Bare(String),
}

/// Why a text is no path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathError {
    Syntax,
    /// Longer than 256 octets (RFC 5321 section 4.5.3.1.3).
    TooLong,
}

impl ReversePath {
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Bare(_) | Self::Null => None,
        }
    }
}

impl ForwardPath {
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Bare(_) => None,
        }
    }

    /// `<postmaster>` without a domain, in any case.
    #[must_use]
    pub fn is_postmaster(&self) -> bool {
        matches!(self, Self::Bare(local) if local.eq_ignore_ascii_case("postmaster"))
    }
}

/// Parses `<…>`; without brackets it is an error (SR-6). A source route is dropped.
///
/// # Errors
///
/// [`PathError`]: the text is no path.
pub fn parse_reverse(text: &str) -> Result<ReversePath, PathError> {
    if text == "<>" {
        return Ok(ReversePath::Null);
    }
    Ok(match path(text)? {
        ForwardPath::Address(address) => ReversePath::Address(address),
        ForwardPath::Bare(local) => ReversePath::Bare(local),
    })
}

/// Parses `<…>`; without brackets it is an error (SR-6), and so is `<>`. A source route is dropped.
///
/// # Errors
///
/// [`PathError`]: the text is no path.
pub fn parse_forward(text: &str) -> Result<ForwardPath, PathError> {
    path(text)
}

fn path(text: &str) -> Result<ForwardPath, PathError> {
    if text.len() > ROUTED_MAX {
        return Err(PathError::TooLong);
    }
    let inner = text
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .ok_or(PathError::Syntax)?;
    let inner = without_route(inner).ok_or(PathError::Syntax)?;
    if let Some(address) = Address::parse(inner) {
        return Ok(ForwardPath::Address(address));
    }
    match local_part(inner) {
        Some((local, "")) => Ok(ForwardPath::Bare(local)),
        _ if inner.len() + 2 > PATH_MAX => Err(PathError::TooLong),
        _ => Err(PathError::Syntax),
    }
}

/// `@a,@b:u@d` is read and ignored (RFC 5321 appendix C).
fn without_route(inner: &str) -> Option<&str> {
    if !inner.starts_with('@') {
        return Some(inner);
    }
    // An IPv6 literal in a route holds colons of its own; a colon ends the route outside of brackets.
    let mut in_literal = false;
    let colon = inner.find(|c| {
        match c {
            '[' => in_literal = true,
            ']' => in_literal = false,
            _ => {}
        }
        c == ':' && !in_literal
    })?;
    let (route, rest) = inner.split_at_checked(colon)?;
    let hop = |hop: &str| hop.strip_prefix('@').and_then(Domain::parse).is_some();
    route.split(',').all(hop).then_some(())?;
    rest.strip_prefix(':')
}

impl fmt::Display for ReversePath {
    /// With brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "<{address}>"),
            Self::Bare(local) => bare(f, local),
            Self::Null => f.write_str("<>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    /// With brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "<{address}>"),
            Self::Bare(local) => bare(f, local),
        }
    }
}

fn bare(f: &mut fmt::Formatter<'_>, local: &str) -> fmt::Result {
    f.write_str("<")?;
    write_local(f, local)?;
    f.write_str(">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let long = format!("<{}@{}test>", "b".repeat(250), "a12345678.".repeat(26));
        let huge = format!("<{}>", "@a,".repeat(1000));
        for (text, want) in [
            ("<a@b.test>", Ok("<a@b.test>")),
            ("<Postmaster>", Ok("<Postmaster>")),
            (r#"<"a b">"#, Ok(r#"<"a b">"#)),
            (r#"<"x@y.test"@d.test>"#, Ok(r#"<"x@y.test"@d.test>"#)),
            ("<@a.test,@b.test:u@d.test>", Ok("<u@d.test>")),
            ("<@[IPv6:::1]:u@d.test>", Ok("<u@d.test>")),
            ("<@a.test:u>", Ok("<u>")),
            ("<@a.test:>", Err(PathError::Syntax)),
            ("<@a.test u@d.test>", Err(PathError::Syntax)),
            ("<@:u@d.test>", Err(PathError::Syntax)),
            ("a@b.test", Err(PathError::Syntax)),
            ("<a@b.test", Err(PathError::Syntax)),
            ("a@b.test>", Err(PathError::Syntax)),
            ("< a@b.test>", Err(PathError::Syntax)),
            ("<a@b.test >", Err(PathError::Syntax)),
            ("<<a@b.test>>", Err(PathError::Syntax)),
            ("<a@b..test>", Err(PathError::Syntax)),
            ("<a@>", Err(PathError::Syntax)),
            ("<a b>", Err(PathError::Syntax)),
            ("", Err(PathError::Syntax)),
            ("<", Err(PathError::Syntax)),
            ("<>", Err(PathError::Syntax)),
            (&long, Err(PathError::TooLong)),
            (&huge, Err(PathError::TooLong)),
        ] {
            let got = parse_forward(text).map(|path| path.to_string());
            assert_eq!(got, want.map(str::to_owned), "{text:?}");
            if text != "<>" {
                let got = parse_reverse(text).map(|path| path.to_string());
                assert_eq!(got, want.map(str::to_owned), "{text:?}");
            }
        }
        assert_eq!(parse_reverse("<>"), Ok(ReversePath::Null));
        assert!(parse_forward("<PostMaster>").is_ok_and(|path| path.is_postmaster()));
    }
}
