//! A directory that is written down as lines, and outcomes as lines.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    base::id::UserId,
    mail::{
        domain::Domain,
        path::{ForwardPath, parse_forward},
    },
    routing::{
        Class, Destination, Directory, Forward, LookupFailed, Options, Refusal, Rights, Routed,
        route,
    },
};

/// Rows that are switched off are not in here (AC-7).
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub aliases: BTreeMap<String, Forward>,
    pub domains: BTreeMap<String, Class>,
    pub listed: BTreeSet<String>,
    pub mailboxes: BTreeMap<String, UserId>,
    pub recipients: BTreeSet<String>,
    pub transports: BTreeMap<String, String>,
    pub routes: BTreeSet<String>,
    pub default_route: Option<String>,
    pub postmaster: Option<UserId>,
    /// Nothing can be read.
    pub broken: bool,
    /// How often something was looked up.
    pub asked: Cell<usize>,
}

impl Rows {
    /// One row a line: `domain NAME CLASS [listed]`, `mailbox KEY NUMBER`, `alias SOURCE -> A, B [srs=…]`,
    /// `recipient KEY`, `transport PATTERN -> TARGET`, `route NAME`, `default NAME`,
    /// `postmaster NUMBER`. In front of it `off` makes it a row that is switched off, `#` none.
    pub fn new(text: &str) -> Self {
        let mut rows = Self::default();
        for line in text.lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') && !line.starts_with("off ") {
                rows.add(line);
            }
        }
        rows
    }

    pub fn add(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap();
        let words: Vec<_> = rest.split_whitespace().collect();
        match kind {
            "alias" => {
                let (source, targets) = rest.split_once(" -> ").unwrap();
                let (targets, srs) = match targets.split_once(" srs=") {
                    Some((targets, srs)) => (targets, Some(srs == "on")),
                    None => (targets, None),
                };
                let targets = targets.split(", ").map(str::to_owned).collect();
                self.aliases
                    .insert(source.to_owned(), Forward { targets, srs });
            }
            "default" => self.default_route = Some(rest.to_owned()),
            "domain" => {
                self.domains.insert(words[0].to_owned(), class(words[1]));
                if words.get(2) == Some(&"listed") {
                    self.listed.insert(words[0].to_owned());
                }
            }
            "mailbox" => {
                let (key, number) = rest.rsplit_once(' ').unwrap();
                let user = UserId(number.parse().unwrap());
                self.mailboxes.insert(key.to_owned(), user);
            }
            "postmaster" => self.postmaster = Some(UserId(rest.parse().unwrap())),
            "recipient" => drop(self.recipients.insert(rest.to_owned())),
            "route" => drop(self.routes.insert(rest.to_owned())),
            "transport" => {
                let (pattern, target) = rest.split_once(" -> ").unwrap();
                self.transports
                    .insert(pattern.to_owned(), target.to_owned());
            }
            _ => panic!("{line}"),
        }
    }

    fn look<T>(&self, found: T) -> Result<T, LookupFailed> {
        self.asked.set(self.asked.get() + 1);
        if self.broken {
            return Err(LookupFailed);
        }
        Ok(found)
    }
}

fn class(name: &str) -> Class {
    match name {
        "alias" => Class::Alias,
        "backup" => Class::Backup,
        "local" => Class::Local,
        "mailbox" => Class::Mailbox,
        "relay" => Class::Relay,
        _ => panic!("{name}"),
    }
}

impl Directory for Rows {
    fn alias(&self, source: &str) -> Result<Option<Forward>, LookupFailed> {
        self.look(self.aliases.get(source).cloned())
    }

    fn any_transport(&self) -> Result<bool, LookupFailed> {
        self.look(!self.transports.is_empty())
    }

    fn default_route(&self) -> Result<Option<String>, LookupFailed> {
        self.look(self.default_route.clone())
    }

    fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed> {
        self.look(self.domains.get(name).copied())
    }

    fn is_off(&self, _: &str) -> Result<bool, LookupFailed> {
        Ok(false)
    }

    fn listed(&self, domain: &str) -> Result<bool, LookupFailed> {
        self.look(self.listed.contains(domain))
    }

    fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed> {
        self.look(self.mailboxes.get(key).copied())
    }

    fn postmaster(&self) -> Result<Option<UserId>, LookupFailed> {
        self.look(self.postmaster)
    }

    fn recipient(&self, key: &str) -> Result<bool, LookupFailed> {
        self.look(self.recipients.contains(key))
    }

    fn route(&self, name: &str) -> Result<bool, LookupFailed> {
        self.look(self.routes.contains(name))
    }

    fn transport(&self, pattern: &str) -> Result<Option<String>, LookupFailed> {
        self.look(self.transports.get(pattern).cloned())
    }
}

/// The hostname `mx.home.test`, the further local name `box.lan`, the origin `localhost`.
pub fn options() -> Options {
    Options {
        hostname: Domain::parse("mx.home.test"),
        local: Domain::parse("box.lan").into_iter().collect(),
        origin: Domain::parse("localhost"),
        ..Options::default()
    }
}

/// `recipient` as in RCPT, without brackets: a source route may stand in front.
pub fn path(recipient: &str) -> ForwardPath {
    parse_forward(&format!("<{recipient}>")).unwrap_or_else(|_| panic!("{recipient}"))
}

pub fn routed(rows: &Rows, rights: Rights, recipient: &str) -> Routed {
    route(rows, &options(), rights, &path(recipient))
}

/// What a stranger's recipient leads to, as [`show`] writes it.
pub fn led(rows: &Rows, recipient: &str) -> String {
    show(&routed(rows, Rights::Stranger, recipient).outcome)
}

/// Mailboxes as `#number`, others as `address [via transport] [srs]`, `drop address`; a refusal by its
/// name.
pub fn show(outcome: &Result<Vec<Destination>, Refusal>) -> String {
    match outcome {
        Ok(found) => {
            let each: Vec<_> = found.iter().map(destination).collect();
            each.join(", ")
        }
        Err(Refusal::Transport { code, status, text }) => format!("{code} {status} {text}"),
        Err(refusal) => format!("{refusal:?}"),
    }
}

fn destination(destination: &Destination) -> String {
    match destination {
        Destination::Discard { address } => format!("drop {address}"),
        Destination::Mailbox { user, .. } => format!("#{}", user.0),
        Destination::Queue {
            address,
            srs,
            transport,
        } => {
            let via = transport.as_ref().map(|by| format!(" via {by}"));
            let srs = if *srs { " srs" } else { "" };
            format!("{address}{}{srs}", via.unwrap_or_default())
        }
    }
}
