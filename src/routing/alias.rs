//! What an alias can say, and whether it may be saved (FW-2, FW-8, LM-4).

use std::{collections::BTreeMap, fmt};

use crate::{
    base::id::UserId,
    mail::{address::Address, domain::Domain},
    routing::{
        class::{Class, class},
        directory::{Directory, Forward, LookupFailed},
        options::Options,
        route::{Refusal, Rights},
        step::Step,
        walk::Walk,
    },
};

/// The local part that stands for all others while a catch-all is checked. No source may have it.
const ANY: &str = "*";
/// Longest list of targets.
const TARGETS_MAX: usize = 1000;

/// What an alias replaces.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    Address(Address),
    /// A catch-all: every local part that nobody has.
    Domain(Domain),
}

impl Source {
    /// The name of the row.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Address(address) => address.key(),
            Self::Domain(domain) => format!("@{domain}"),
        }
    }

    #[must_use]
    pub fn domain(&self) -> &Domain {
        match self {
            Self::Address(address) => &address.domain,
            Self::Domain(domain) => domain,
        }
    }
}

/// What an alias leads to. It shows itself as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    Address(Address),
    /// The same local part there.
    Domain(Domain),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

/// Why an alias is not saved. It shows itself in plain words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AliasProblem {
    /// `*@domain`.
    AnySource {
        domain: String,
    },
    /// `|command`: programs are never run (LM-4).
    Command {
        target: String,
    },
    /// `/file`: files are never written (LM-4).
    File {
        target: String,
    },
    /// `:include:/file` (LM-4).
    Include {
        target: String,
    },
    LookupFailed,
    /// It leads back to itself: each address of the circle, the first again at the end (FW-8).
    Loop {
        chain: Vec<String>,
    },
    /// A name without a domain.
    NoDomain {
        text: String,
    },
    /// Not an address at all.
    NoAddress {
        text: String,
    },
    NoTargets,
    /// The source's domain is not one of ours, or it is switched off.
    NotOurs {
        domain: String,
    },
    /// Too many targets, or they lead to too many addresses.
    TooMany,
    /// A target leads to nobody: from the source to the dead end (FW-9).
    Unknown {
        chain: Vec<String>,
    },
}

impl std::error::Error for AliasProblem {}

impl fmt::Display for AliasProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnySource { domain } => {
                write!(
                    f,
                    "*@{domain} is no address; a catch-all is written @{domain}"
                )
            }
            Self::Command { target } => {
                write!(
                    f,
                    "{target}: mail is never given to a program; name an address"
                )
            }
            Self::File { target } => {
                write!(
                    f,
                    "{target}: mail is never written to a file; name an address"
                )
            }
            Self::Include { target } => {
                write!(
                    f,
                    "{target}: :include: is not supported; list the addresses"
                )
            }
            Self::LookupFailed => f.write_str("the rows cannot be read now"),
            Self::Loop { chain } => write!(f, "a loop: {}", chain.join(" -> ")),
            Self::NoDomain { text } => {
                write!(f, "{text} has no domain; write {text}@ and the domain")
            }
            Self::NoAddress { text } => write!(f, "{text:?} is not an address"),
            Self::NoTargets => f.write_str("an alias needs at least one target"),
            Self::NotOurs { domain } => {
                write!(
                    f,
                    "{domain} is not a domain of this box, or it is switched off"
                )
            }
            Self::TooMany => write!(f, "it leads to more than {TARGETS_MAX} addresses"),
            Self::Unknown { chain } => write!(f, "leads to nobody: {}", chain.join(" -> ")),
        }
    }
}

/// Parses `user@domain` or `@domain`.
///
/// # Errors
///
/// [`AliasProblem`]: it can be no source.
pub fn parse_source(text: &str) -> Result<Source, AliasProblem> {
    match parse_target(text)? {
        Target::Address(address) if address.local == ANY => Err(AliasProblem::AnySource {
            domain: address.domain.to_string(),
        }),
        Target::Address(address) => Ok(Source::Address(address)),
        Target::Domain(domain) => Ok(Source::Domain(domain)),
    }
}

/// Parses one target.
///
/// # Errors
///
/// [`AliasProblem`]: it can be no target.
pub fn parse_target(text: &str) -> Result<Target, AliasProblem> {
    let target = || text.to_owned();
    if text.starts_with('|') || text.starts_with("\"|") {
        return Err(AliasProblem::Command { target: target() });
    }
    if text.starts_with('/') || text.starts_with("\"/") {
        return Err(AliasProblem::File { target: target() });
    }
    if text.starts_with(':') {
        return Err(AliasProblem::Include { target: target() });
    }
    if let Some(domain) = text.strip_prefix('@') {
        return match Domain::parse(domain) {
            Some(domain) if !domain.is_literal() => Ok(Target::Domain(domain)),
            _ => Err(AliasProblem::NoAddress { text: target() }),
        };
    }
    match Address::parse(text) {
        Some(address) => Ok(Target::Address(address)),
        None if !text.is_empty() && !text.contains(|c: char| c == '@' || c.is_whitespace()) => {
            Err(AliasProblem::NoDomain { text: target() })
        }
        None => Err(AliasProblem::NoAddress { text: target() }),
    }
}

/// Parses a comma list, spaces allowed (FW-2).
///
/// # Errors
///
/// [`AliasProblem`] of the first bad target.
pub fn parse_targets(list: &str) -> Result<Vec<Target>, AliasProblem> {
    let (mut targets, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted || at == list.len() => {
                let text = list.get(from..at).unwrap_or_default().trim();
                from = at.saturating_add(1);
                if !text.is_empty() {
                    targets.push(parse_target(text)?);
                }
            }
            _ => {}
        }
    }
    match targets.len() {
        0 => Err(AliasProblem::NoTargets),
        1..=TARGETS_MAX => Ok(targets),
        _ => Err(AliasProblem::TooMany),
    }
}

/// Whether an alias may be saved, in place of what may be there now: its domain is ours, it makes no
/// loop, and each of its targets leads to somebody (FW-8, FW-9). A loop that only some local parts of
/// a catch-all take is found at RCPT. A row that names nothing but itself is fine (FW-5).
///
/// # Errors
///
/// [`AliasProblem`]: why not.
pub fn check_alias(
    directory: &dyn Directory,
    options: &Options,
    source: &Source,
    targets: &[Target],
) -> Result<(), AliasProblem> {
    let rows = BTreeMap::from([(source.key(), texts(targets))]);
    check_one(
        &Planned {
            directory,
            rows: &rows,
        },
        options,
        source,
        targets,
    )
}

/// As [`check_alias`] for many that are saved together; the first bad one is named by its place.
///
/// # Errors
///
/// [`AliasProblem`], and the place of the row in `aliases`.
pub fn check_aliases(
    directory: &dyn Directory,
    options: &Options,
    aliases: &[(Source, Vec<Target>)],
) -> Result<(), (usize, AliasProblem)> {
    let rows = aliases
        .iter()
        .map(|(source, targets)| (source.key(), texts(targets)))
        .collect();
    let planned = Planned {
        directory,
        rows: &rows,
    };
    for (at, (source, targets)) in aliases.iter().enumerate() {
        check_one(&planned, options, source, targets).map_err(|problem| (at, problem))?;
    }
    Ok(())
}

fn texts(targets: &[Target]) -> Vec<String> {
    targets.iter().map(Target::to_string).collect()
}

fn check_one(
    planned: &Planned<'_>,
    options: &Options,
    source: &Source,
    targets: &[Target],
) -> Result<(), AliasProblem> {
    match targets.len() {
        0 => return Err(AliasProblem::NoTargets),
        1..=TARGETS_MAX => {}
        _ => return Err(AliasProblem::TooMany),
    }
    let domain = source.domain();
    if class(planned, options, domain)
        .map_err(|LookupFailed| AliasProblem::LookupFailed)?
        .is_none()
    {
        return Err(AliasProblem::NotOurs {
            domain: domain.to_string(),
        });
    }
    let address = match source {
        Source::Address(address) => Some(address.clone()),
        Source::Domain(domain) => Address::new(ANY.to_owned(), domain.clone()),
    };
    let Some(address) = address else {
        return Ok(());
    };
    let texts = texts(targets);
    for (at, target) in targets.iter().enumerate() {
        let mut walk = Walk::new(planned, options, Rights::Stranger).without_transports();
        let found = walk.run_below(&address, &source.key(), &texts, at);
        match found {
            Err(Refusal::AliasLoop) => return Err(circle(&walk.steps)),
            Err(Refusal::LookupFailed) => return Err(AliasProblem::LookupFailed),
            Err(Refusal::TooMany) => return Err(AliasProblem::TooMany),
            Err(Refusal::Foreign | Refusal::Transport { .. } | Refusal::Unknown)
                if matches!(target, Target::Address(_)) && !comes_back(&walk.steps) =>
            {
                return Err(nobody(source, target, &walk.steps));
            }
            // Who is known in the other domain depends on the local part.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn circle(steps: &[Step]) -> AliasProblem {
    let chain = steps.iter().find_map(|step| match step {
        Step::Loop { chain } => Some(chain.clone()),
        _ => None,
    });
    AliasProblem::Loop {
        chain: chain.unwrap_or_default(),
    }
}

/// Whether a target leads to the source, that keeps a copy.
fn comes_back(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Again { .. }))
}

fn nobody(source: &Source, target: &Target, steps: &[Step]) -> AliasProblem {
    let dead = steps.iter().find_map(|step| match step {
        Step::Dead { address, .. } => Some(address.clone()),
        _ => None,
    });
    let mut chain = vec![source.key(), target.to_string()];
    chain.extend(dead);
    chain.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    AliasProblem::Unknown { chain }
}

/// The directory as it will be.
struct Planned<'a> {
    directory: &'a dyn Directory,
    rows: &'a BTreeMap<String, Vec<String>>,
}

impl Directory for Planned<'_> {
    fn alias(&self, source: &str) -> Result<Option<Forward>, LookupFailed> {
        match self.rows.get(source) {
            Some(targets) => Ok(Some(Forward {
                targets: targets.clone(),
                srs: None,
            })),
            None => self.directory.alias(source),
        }
    }

    fn any_transport(&self) -> Result<bool, LookupFailed> {
        self.directory.any_transport()
    }

    fn default_route(&self) -> Result<Option<String>, LookupFailed> {
        self.directory.default_route()
    }

    fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed> {
        self.directory.domain(name)
    }

    fn is_off(&self, domain: &str) -> Result<bool, LookupFailed> {
        self.directory.is_off(domain)
    }

    fn listed(&self, domain: &str) -> Result<bool, LookupFailed> {
        self.directory.listed(domain)
    }

    fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed> {
        self.directory.mailbox(key)
    }

    fn postmaster(&self) -> Result<Option<UserId>, LookupFailed> {
        self.directory.postmaster()
    }

    fn recipient(&self, key: &str) -> Result<bool, LookupFailed> {
        self.directory.recipient(key)
    }

    fn route(&self, name: &str) -> Result<bool, LookupFailed> {
        self.directory.route(name)
    }

    fn transport(&self, pattern: &str) -> Result<Option<String>, LookupFailed> {
        self.directory.transport(pattern)
    }
}
