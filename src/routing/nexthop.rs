//! Where queued mail goes next: looked up anew at each try, so that a row that is mended counts at once.

use crate::{
    mail::{address::Address, domain::Domain},
    routing::{
        directory::{Directory, LookupFailed},
        keys::Keys,
        options::Options,
        transport::{self, Host, Target, parse_target},
    },
};

/// SMTP's port (RFC 5321 section 4.5.4.2), and that of LMTP where none is named.
const SMTP_PORT: u16 = 25;
const LMTP_PORT: u16 = 24;

/// Who takes the mail.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum NextHop {
    /// Accepted and dropped (TR-12).
    Discard,
    /// Refused (TR-9): for now where the status begins with 4.
    Error {
        status: String,
        text: String,
    },
    /// This host, without an MX lookup (TR-4).
    Host {
        host: Host,
        port: u16,
    },
    /// By LMTP (RFC 2033).
    LmtpHost {
        host: Host,
        port: u16,
    },
    LmtpUnix {
        path: String,
    },
    /// The MX hosts of this domain. A literal is the host itself (RFC 5321 section 5.1), but no admin named
    /// it: it must not be us.
    Mx {
        domain: Domain,
        port: u16,
    },
    /// The smart host of this name.
    Route {
        name: String,
    },
}

/// What the rows say about a recipient of queued mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// As the queue entry keeps it: `smtp:[host]:25`, `relay:NAME`; `None` = the domain's MX.
    pub transport: Option<String>,
    /// The pattern of the transport that won, for its further fields.
    pub pattern: Option<String>,
    pub hop: NextHop,
}

/// Where mail for `recipient` goes: its transport (most specific first), else that of its sender
/// (`from:ADDRESS`, then `from:DOMAIN`), else `*`, else the default route, else its domain's MX.
///
/// # Errors
///
/// The directory cannot be read, or names a route that is gone: the mail waits.
pub fn nexthop(
    directory: &dyn Directory,
    options: &Options,
    sender: Option<&Address>,
    recipient: &Address,
) -> Result<Way, LookupFailed> {
    if directory.any_transport()?
        && let Some((pattern, target)) = found(directory, options, sender, recipient)?
    {
        let target = parse_target(&target).map_err(|_| LookupFailed)?;
        if let Some(hop) = hop(&target) {
            if let NextHop::Route { name } = &hop
                && !directory.route(name)?
            {
                return Err(LookupFailed);
            }
            return Ok(Way {
                transport: Some(target.to_string()),
                pattern: Some(pattern),
                hop,
            });
        }
    }
    let (transport, hop) = match directory.default_route()? {
        Some(name) if directory.route(&name)? => {
            (Some(format!("relay:{name}")), NextHop::Route { name })
        }
        Some(_) => return Err(LookupFailed),
        None => (None, mx(&recipient.domain, None)),
    };
    Ok(Way {
        transport,
        pattern: None,
        hop,
    })
}

/// What the transport of a queued recipient means: to be tried, whatever the rows say by now.
#[must_use]
pub fn stored(transport: &str) -> Option<NextHop> {
    hop(&parse_target(transport).ok()?)
}

/// The transport that wins: its pattern and its target.
fn found(
    directory: &dyn Directory,
    options: &Options,
    sender: Option<&Address>,
    recipient: &Address,
) -> Result<Option<(String, String)>, LookupFailed> {
    let to = transport::find(directory, &Keys::of(options, recipient))?;
    if to.as_ref().is_some_and(|(pattern, _)| pattern != "*") {
        return Ok(to);
    }
    for pattern in sender.iter().flat_map(|sender| from(options, sender)) {
        if let Some(target) = directory.transport(&pattern)? {
            return Ok(Some((pattern, target)));
        }
    }
    Ok(to)
}

/// The patterns that could match, in the order in which they are tried, for `transport test`.
#[must_use]
pub fn candidates(options: &Options, sender: Option<&Address>, recipient: &Address) -> Vec<String> {
    let mut all = transport::candidates(options, recipient);
    // The last is `*`.
    let last = all.len().saturating_sub(1);
    let of_sender = sender.iter().flat_map(|sender| from(options, sender));
    let of_sender: Vec<_> = of_sender.collect();
    all.splice(last..last, of_sender);
    all
}

/// The patterns of a sender, most specific first.
fn from(options: &Options, sender: &Address) -> Vec<String> {
    let keys = Keys::of(options, sender);
    let names = keys.exact().chain([keys.domain()]);
    names.map(|name| format!("from:{name}")).collect()
}

/// `None` = as if there were no transport.
fn hop(target: &Target) -> Option<NextHop> {
    Some(match target {
        Target::Discard => NextHop::Discard,
        Target::Error { status, text } => NextHop::Error {
            status: status.clone().unwrap_or_else(|| "5.1.1".to_owned()),
            text: text.clone(),
        },
        Target::LmtpHost { host, port } => NextHop::LmtpHost {
            host: host.clone(),
            port: port.unwrap_or(LMTP_PORT),
        },
        Target::LmtpUnix { path } => NextHop::LmtpUnix { path: path.clone() },
        Target::None => return None,
        Target::Relay { name } => NextHop::Route { name: name.clone() },
        Target::SmtpHost { host, port } => NextHop::Host {
            host: host.clone(),
            port: port.unwrap_or(SMTP_PORT),
        },
        Target::SmtpMx { domain, port } => mx(domain, *port),
    })
}

fn mx(domain: &Domain, port: Option<u16>) -> NextHop {
    NextHop::Mx {
        domain: domain.clone(),
        port: port.unwrap_or(SMTP_PORT),
    }
}
