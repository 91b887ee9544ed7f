//! How mail for an address leaves (`spec/mail.md` section 5): patterns, targets, and which one wins.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{
    cmp::{Ordering, Reverse},
    fmt,
};

use crate::{
    mail::{address::Address, domain::Domain},
    routing::{
        directory::{Directory, LookupFailed},
        keys::Keys,
        options::Options,
    },
};

/// Longest text of an `error:` transport in octets: it has to fit in a reply line (RFC 5321
/// section 4.5.3.1.5) beside an address.
const TEXT_MAX: usize = 200;
/// Longest path of a Unix socket in octets: what Linux can bind, without the final NUL.
const SOCKET_MAX: usize = 107;
/// Longest name of a route in octets.
const NAME_MAX: usize = 63;

/// For whom a transport is. It shows itself as the row is named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// One address (TR-7).
    Address(Address),
    /// Everything (TR-6).
    Any,
    Domain(Domain),
    /// Everything from one sender; `from:ADDRESS`.
    From(Address),
    /// Everything from the senders of one domain; `from:DOMAIN`.
    FromDomain(Domain),
    /// All below a domain, not the domain itself (TR-5).
    Subdomains(Domain),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(&address.key()),
            Self::Any => f.write_str("*"),
            Self::Domain(domain) => domain.fmt(f),
            Self::From(address) => write!(f, "from:{}", address.key()),
            Self::FromDomain(domain) => write!(f, "from:{domain}"),
            Self::Subdomains(domain) => write!(f, ".{domain}"),
        }
    }
}

impl Pattern {
    /// The order of listings (TR-8): the most specific first, equally specific ones by name.
    #[must_use]
    pub fn compare(&self, other: &Self, options: &Options) -> Ordering {
        let rank = |pattern: &Self| match pattern {
            Self::Address(address) if Keys::of(options, address).untagged.is_some() => {
                (0, Reverse(0))
            }
            Self::Address(_) => (1, Reverse(0)),
            Self::Domain(_) => (2, Reverse(0)),
            Self::Subdomains(domain) => (3, Reverse(domain.as_str().len())),
            Self::From(_) => (4, Reverse(0)),
            Self::FromDomain(_) => (5, Reverse(0)),
            Self::Any => (6, Reverse(0)),
        };
        let by_rank = rank(self).cmp(&rank(other));
        by_rank.then_with(|| self.to_string().cmp(&other.to_string()))
    }
}

/// Where a transport leads. It shows itself as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// `discard:`: accepted and dropped.
    Discard,
    /// `error:text`, `error:5.1.2 text`: refused (TR-9).
    Error {
        /// RFC 3463, of class 4 or 5.
        status: Option<String>,
        text: String,
    },
    /// `lmtp:[host]:port` (RFC 2033).
    LmtpHost { host: Host, port: Option<u16> },
    /// `lmtp:unix:/path`.
    LmtpUnix { path: String },
    /// `:`: as if there were no entry (TR-1).
    None,
    /// `relay:NAME`: the route of that name.
    Relay { name: String },
    /// `smtp:[host]:port`: this host, without an MX lookup (TR-4).
    SmtpHost { host: Host, port: Option<u16> },
    /// `smtp:domain:port`: the MX hosts of the domain (TR-2, TR-3).
    SmtpMx { domain: Domain, port: Option<u16> },
}

/// What stands in brackets.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Host {
    Ip(IpAddr),
    Name(Domain),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "[{ip}]"),
            Self::Name(name) => write!(f, "[{name}]"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Self::LmtpHost { port, .. }
            | Self::SmtpHost { port, .. }
            | Self::SmtpMx { port, .. } => port,
            _ => &None,
        };
        match self {
            Self::Discard => f.write_str("discard:"),
            Self::Error { status, text } => match status {
                Some(status) => write!(f, "error:{status} {text}"),
                None => write!(f, "error:{text}"),
            },
            Self::LmtpHost { host, .. } => write!(f, "lmtp:{host}"),
            Self::LmtpUnix { path } => write!(f, "lmtp:unix:{path}"),
            Self::None => f.write_str(":"),
            Self::Relay { name } => write!(f, "relay:{name}"),
            Self::SmtpHost { host, .. } => write!(f, "smtp:{host}"),
            Self::SmtpMx { domain, .. } => write!(f, "smtp:{domain}"),
        }?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Why a text is no pattern or no target. It shows itself in plain words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TransportProblem {
    /// `smtp:192.0.2.1`.
    Brackets {
        text: String,
    },
    /// `error:` with control characters or letters beyond ASCII.
    ErrorText,
    /// `error:` without a text, or with more than fits in a reply.
    ErrorTextLength,
    /// `error:2.0.0 text`.
    ErrorStatus {
        status: String,
    },
    /// `discard:something`.
    Extra {
        text: String,
    },
    Host {
        text: String,
    },
    /// No form that there is.
    Kind {
        text: String,
    },
    Pattern {
        text: String,
    },
    Port {
        text: String,
    },
    /// No name of a route.
    Route {
        text: String,
    },
    /// No absolute path, or too long for a socket.
    Socket {
        text: String,
    },
}

impl std::error::Error for TransportProblem {}

impl fmt::Display for TransportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brackets { text } => {
                write!(f, "{text} is an address: it needs brackets, [{text}]")
            }
            Self::ErrorText => {
                f.write_str("the text of a refusal is plain ASCII, without controls")
            }
            Self::ErrorTextLength => {
                write!(
                    f,
                    "error: needs a text of 1 to {TEXT_MAX} letters that the sender is told"
                )
            }
            Self::ErrorStatus { status } => {
                write!(
                    f,
                    "{status} is no status of a refusal: it begins with 4 or 5, as in 5.1.1"
                )
            }
            Self::Extra { text } => write!(f, "nothing can follow here: {text:?}"),
            Self::Host { text } => write!(f, "{text:?} is not a host"),
            Self::Kind { text } => write!(
                f,
                "{text:?} is no transport; there are smtp:host, smtp:[host]:port, \
                 lmtp:unix:/path, lmtp:[host]:port, relay:NAME, error:text, discard: and :"
            ),
            Self::Pattern { text } => write!(
                f,
                "{text:?} is no pattern; there are user@domain, domain, .domain, from:user@domain, from:domain and *"
            ),
            Self::Port { text } => write!(f, "{text:?} is not a port: 1 to 65535"),
            Self::Route { text } => write!(f, "{text:?} is not the name of a route"),
            Self::Socket { text } => write!(
                f,
                "{text:?} is not the path of a socket: it begins with / and has up to {SOCKET_MAX} letters"
            ),
        }
    }
}

/// Parses the pattern of a transport.
///
/// # Errors
///
/// [`TransportProblem::Pattern`].
pub fn parse_pattern(text: &str) -> Result<Pattern, TransportProblem> {
    let pattern = if text == "*" {
        Some(Pattern::Any)
    } else if let Some(sender) = text.strip_prefix("from:") {
        match Address::parse(sender) {
            Some(address) => Some(Pattern::From(address)),
            None => Domain::parse(sender).map(Pattern::FromDomain),
        }
    } else if let Some(parent) = text.strip_prefix('.') {
        let parent = Domain::parse(parent).filter(|parent| !parent.is_literal());
        parent.map(Pattern::Subdomains)
    } else if text.contains('@') {
        Address::parse(text).map(Pattern::Address)
    } else {
        Domain::parse(text).map(Pattern::Domain)
    };
    pattern.ok_or_else(|| TransportProblem::Pattern {
        text: text.to_owned(),
    })
}

/// Parses the target of a transport.
///
/// # Errors
///
/// [`TransportProblem`]: what is wrong with it.
pub fn parse_target(text: &str) -> Result<Target, TransportProblem> {
    let kind = || TransportProblem::Kind {
        text: text.to_owned(),
    };
    let (name, rest) = text.split_once(':').ok_or_else(kind)?;
    match name {
        "" | "discard" if !rest.is_empty() => Err(TransportProblem::Extra {
            text: rest.to_owned(),
        }),
        "" => Ok(Target::None),
        "discard" => Ok(Target::Discard),
        "error" => error(rest),
        "lmtp" => match rest.strip_prefix("unix:") {
            Some(path) => socket(path),
            None => bracketed(rest).map(|(host, port)| Target::LmtpHost { host, port }),
        },
        "relay" => route_name(rest),
        "smtp" if rest.starts_with('[') => {
            bracketed(rest).map(|(host, port)| Target::SmtpHost { host, port })
        }
        "smtp" => mx(rest),
        _ => Err(kind()),
    }
}

fn error(rest: &str) -> Result<Target, TransportProblem> {
    let rest = rest.trim();
    let (status, text) = match rest.split_once(' ') {
        Some((status, text)) if is_status(status) => (Some(status), text.trim()),
        _ if is_status(rest) => (Some(rest), ""),
        _ => (None, rest),
    };
    if let Some(status) = status.filter(|status| !status.starts_with(['4', '5'])) {
        return Err(TransportProblem::ErrorStatus {
            status: status.to_owned(),
        });
    }
    if !text.bytes().all(|c| matches!(c, b' '..=b'~')) {
        return Err(TransportProblem::ErrorText);
    }
    if !(1..=TEXT_MAX).contains(&text.len()) {
        return Err(TransportProblem::ErrorTextLength);
    }
    Ok(Target::Error {
        status: status.map(str::to_owned),
        text: text.to_owned(),
    })
}

/// `5.1.2`: RFC 3463 section 2.
fn is_status(text: &str) -> bool {
    let mut parts = text.split('.');
    let mut part = |digits: usize| {
        parts.next().is_some_and(|part| {
            (1..=digits).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit())
        })
    };
    part(1) && part(3) && part(3) && parts.next().is_none()
}

fn socket(path: &str) -> Result<Target, TransportProblem> {
    let fine = path.len() > 1
        && path.len() <= SOCKET_MAX
        && path.starts_with('/')
        && !path.chars().any(char::is_control);
    if fine {
        Ok(Target::LmtpUnix {
            path: path.to_owned(),
        })
    } else {
        Err(TransportProblem::Socket {
            text: path.to_owned(),
        })
    }
}

fn route_name(name: &str) -> Result<Target, TransportProblem> {
    let letter = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(letter) {
        Ok(Target::Relay {
            name: name.to_owned(),
        })
    } else {
        Err(TransportProblem::Route {
            text: name.to_owned(),
        })
    }
}

/// `[host]`, `[host]:port`.
fn bracketed(text: &str) -> Result<(Host, Option<u16>), TransportProblem> {
    let bad = || TransportProblem::Host {
        text: text.to_owned(),
    };
    let inner = text.strip_prefix('[');
    let (name, rest) = inner
        .and_then(|rest| rest.split_once(']'))
        .ok_or_else(bad)?;
    let v6 = match name.split_at_checked(5) {
        Some((tag, ip)) if tag.eq_ignore_ascii_case("IPv6:") => ip,
        _ => name,
    };
    let host = if let Ok(ip) = v6.parse::<Ipv6Addr>() {
        Host::Ip(IpAddr::V6(ip))
    } else if let Ok(ip) = name.parse::<Ipv4Addr>() {
        Host::Ip(IpAddr::V4(ip))
    } else {
        Host::Name(
            Domain::parse(name)
                .filter(|name| !name.is_literal())
                .ok_or_else(bad)?,
        )
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(port(digits)?),
        None if rest.is_empty() => None,
        None => return Err(bad()),
    };
    Ok((host, port))
}

/// `domain`, `domain:port`.
fn mx(text: &str) -> Result<Target, TransportProblem> {
    let brackets = |text: &str| TransportProblem::Brackets {
        text: text.to_owned(),
    };
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(brackets(text));
    }
    let (name, digits) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(digits)),
        None => (text, None),
    };
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err(brackets(name));
    }
    let domain = Domain::parse(name).ok_or_else(|| TransportProblem::Host {
        text: name.to_owned(),
    })?;
    Ok(Target::SmtpMx {
        domain,
        port: digits.map(port).transpose()?,
    })
}

fn port(digits: &str) -> Result<u16, TransportProblem> {
    let plain = digits.bytes().all(|c| c.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| plain && *port != 0);
    port.ok_or_else(|| TransportProblem::Port {
        text: digits.to_owned(),
    })
}

/// What the winning transport says about an address.
pub(super) enum Choice {
    Discard,
    /// As if there were no transport.
    None,
    Refuse {
        code: u16,
        status: String,
        text: String,
    },
    Through(String),
}

/// The transport that wins (TR-8): its pattern and its target.
pub(super) fn find(
    directory: &dyn Directory,
    keys: &Keys,
) -> Result<Option<(String, String)>, LookupFailed> {
    for pattern in patterns(keys) {
        if let Some(target) = directory.transport(pattern)? {
            return Ok(Some((pattern.to_owned(), target)));
        }
    }
    Ok(None)
}

/// The patterns that could match, as rows are named, in the order in which they are tried (TR-8).
fn patterns(keys: &Keys) -> impl Iterator<Item = &str> {
    let domain = keys.domain();
    // The longest parent first. The brackets of a literal hold dots of another kind.
    let name = if domain.starts_with('[') { "" } else { domain };
    let parents = name.match_indices('.').filter_map(|(at, _)| name.get(at..));
    keys.exact().chain([domain]).chain(parents).chain(["*"])
}

/// The same for an address, for `transport test`.
#[must_use]
pub fn candidates(options: &Options, address: &Address) -> Vec<String> {
    let keys = Keys::of(options, address);
    patterns(&keys).map(str::to_owned).collect()
}

/// What a stored target means. It was checked when it was saved: one that cannot be read loses no mail,
/// and neither does one whose route is gone.
pub(super) fn choose(directory: &dyn Directory, target: &str) -> Result<Choice, LookupFailed> {
    let parsed = parse_target(target).map_err(|_| LookupFailed)?;
    Ok(match parsed {
        Target::Discard => Choice::Discard,
        Target::Error { status, text } => {
            let status = status.unwrap_or_else(|| "5.1.1".to_owned());
            let code = if status.starts_with('4') { 450 } else { 550 };
            Choice::Refuse { code, status, text }
        }
        Target::None => Choice::None,
        Target::Relay { name } => {
            if !directory.route(&name)? {
                return Err(LookupFailed);
            }
            Choice::Through(target.to_owned())
        }
        Target::LmtpHost { .. }
        | Target::LmtpUnix { .. }
        | Target::SmtpHost { .. }
        | Target::SmtpMx { .. } => Choice::Through(parsed.to_string()),
    })
}
