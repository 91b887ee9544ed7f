//! The configuration as values: text in, values out. Every key is one row of [`schema`]; no IO here.
//!
//! Precedence: option, environment, file, store, default (design section 6).

mod file;
pub mod reference;
pub mod schema;
pub mod value;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr},
};

use schema::{KEYS, Key, Profile, Role};
use value::{Rate, Value, name_server, print_size};

use crate::base::network::Network;

/// Prefix of the environment's names: `listen.mx` is `PILLARBOX_LISTEN_MX`.
pub const ENVIRONMENT: &str = "PILLARBOX_";

const MIB: u64 = 1024 * 1024;
/// What the process takes before the first session, in octets, beside the parts that have keys of
/// their own.
pub const MEMORY_FIXED: u64 = 7 * MIB;
/// However little is left, so much is there for sessions: without it nothing works at all.
pub const MEMORY_SESSIONS: u64 = 2 * MIB;

/// Why a network may not send without a log-in.
#[must_use]
pub fn open_to_all(network: Network) -> String {
    format!(
        "{network} reaches into the internet, and everybody there could send through this box; \
         private networks may, and those that this machine has an address in"
    )
}

/// What defaults depend on.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The system's own name.
    pub hostname: String,
    /// Memory in octets: the machine's or its cgroup's, whichever is less; 0 = not known.
    pub memory: u64,
    /// Those of its interfaces.
    pub networks: Vec<Network>,
}

/// Where values come from, each pair a key's name and a text.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    pub file: Option<&'a str>,
    /// What the file is called.
    pub file_name: &'a str,
    /// All of the environment; names without our prefix are passed over.
    pub environment: Vec<(String, String)>,
    pub store: Vec<(String, String)>,
    pub options: Vec<(String, String)>,
    pub machine: Machine,
}

/// Where a value or a mistake stands. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    Default,
    Store,
    File { line: usize, column: usize },
    Environment(String),
    Option,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Store => f.write_str("store"),
            Self::File { line, .. } => write!(f, "file, line {line}"),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Option => f.write_str("option"),
        }
    }
}

/// What is wrong and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    pub place: Place,
    pub text: String,
}

impl Mistake {
    /// As `config check` prints it: `file:line:column: text`.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        match &self.place {
            Place::File { line, column } => format!("{file}:{line}:{column}: {}", self.text),
            Place::Environment(name) => format!("{name}: {}", self.text),
            place @ (Place::Default | Place::Option | Place::Store) => {
                format!("{place}: {}", self.text)
            }
        }
    }
}

/// Values for all keys, each with its place.
#[derive(Clone, Debug)]
pub struct Config {
    file_name: String,
    profile: Profile,
    role: Role,
    values: BTreeMap<&'static str, (Value, Place)>,
    /// What a restart will make of keys, where that is something else.
    waiting: BTreeMap<&'static str, (Value, Place)>,
    unknown: Vec<String>,
    /// Of this machine's interfaces.
    own_networks: Vec<Network>,
}

impl Config {
    /// Puts the sources together.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, in the order of the file, then the others.
    pub fn load(sources: &Sources<'_>) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut values: BTreeMap<&'static str, (Value, Place)> = BTreeMap::new();
        let mut unknown = Vec::new();
        // From the weakest to the strongest: later ones overwrite.
        for (name, text) in &sources.store {
            // The store also holds settings that are no keys of the configuration.
            if let Some(key) = schema::find(name).filter(|key| key.outside().is_none()) {
                take(&mut values, &mut mistakes, key, text, &Place::Store);
            }
        }
        if let Some(text) = sources.file {
            file::read(text, &mut values, &mut mistakes);
        }
        for (name, text) in &sources.environment {
            let Some(short) = name.strip_prefix(ENVIRONMENT) else {
                continue;
            };
            match KEYS.iter().find(|key| key.environment() == *name) {
                Some(key) => {
                    let place = Place::Environment(name.clone());
                    take(&mut values, &mut mistakes, key, text, &place);
                }
                // No mistake: Kubernetes and Docker put names of their own beside ours.
                None => unknown.push(format!("{ENVIRONMENT}{short}")),
            }
        }
        for (name, text) in &sources.options {
            match schema::find(name) {
                Some(key) => take(&mut values, &mut mistakes, key, text, &Place::Option),
                None => mistakes.push(Mistake {
                    place: Place::Option,
                    text: schema::unknown(name),
                }),
            }
        }
        let profile = profile(&values, sources.machine.memory);
        let role = role(&values);
        for key in KEYS {
            if !values.contains_key(key.name) {
                let text = key.default.text(role, profile, &sources.machine);
                take(&mut values, &mut mistakes, key, &text, &Place::Default);
            }
        }
        let config = Self {
            file_name: sources.file_name.to_owned(),
            profile,
            role,
            values,
            waiting: BTreeMap::new(),
            unknown,
            own_networks: sources.machine.networks.clone(),
        };
        config.together(&mut mistakes);
        for mistake in &mut mistakes {
            if let Some(key) = config.kept(mistake) {
                mistake.text = format!("{} (pillarbox config unset {key})", mistake.text);
            }
        }
        if mistakes.is_empty() {
            Ok(config)
        } else {
            mistakes.sort_by_key(|mistake| match mistake.place {
                Place::File { line, column } => (0, line, column),
                _ => (1, 0, 0),
            });
            Err(mistakes)
        }
    }

    /// The key in the store that a mistake is about, alone or beside another.
    fn kept(&self, mistake: &Mistake) -> Option<&'static str> {
        let text = &mistake.text;
        let named = |key: &&&'static Key| match mistake.place {
            Place::Store => text.starts_with(&format!("{}: ", key.name)),
            _ => {
                matches!(self.value(key), Some((_, Place::Store)))
                    && text.ends_with(&format!("is taken by {}", key.name))
            }
        };
        KEYS.iter().find(named).map(|key| key.name)
    }

    /// What is in effect in an appliance that runs with this and has read `new`: live keys have their
    /// new values, the others wait for a restart.
    #[must_use]
    pub fn renewed(&self, new: Self) -> Self {
        let mut renewed = Self {
            profile: self.profile,
            role: self.role,
            ..new
        };
        for key in KEYS.iter().filter(|key| !key.is_live()) {
            let (Some(old), Some(new)) = (self.value(key), renewed.values.get_mut(key.name)) else {
                continue;
            };
            if old.0 != new.0 {
                let new = std::mem::replace(new, old.clone());
                renewed.waiting.insert(key.name, new);
            }
        }
        renewed
    }

    /// A key's value after a restart and where it comes from, if that is another than now.
    pub fn waiting(&self, key: &Key) -> Option<&(Value, Place)> {
        self.waiting.get(key.name)
    }

    /// A key's value at the next start and where it comes from.
    fn next(&self, key: &Key) -> Option<&(Value, Place)> {
        self.waiting(key).or_else(|| self.value(key))
    }

    /// What is stronger than the store and has this key, in words: there it has to be changed.
    pub fn held(&self, key: &Key) -> Option<String> {
        match &self.next(key)?.1 {
            Place::Default | Place::Store => None,
            Place::File { line, .. } => Some(format!("{}, line {line}", self.file_name)),
            Place::Environment(name) => Some(format!("the environment ({name})")),
            Place::Option => Some("the command line".to_owned()),
        }
    }

    /// What would be wrong at the next start if the store held this for a key, or nothing. The value
    /// is right for itself.
    #[must_use]
    pub fn objections(&self, key: &'static Key, value: Option<&Value>) -> Vec<String> {
        let mut next = self.clone();
        for (name, value) in &self.waiting {
            next.values.insert(name, value.clone());
        }
        if self.held(key).is_none() {
            let default = || {
                let text = key
                    .default
                    .text(self.role, self.profile, &Machine::default());
                key.kind.parse(&text).ok()
            };
            if let Some(value) = value.cloned().or_else(default) {
                next.values.insert(key.name, (value, Place::Store));
            }
        }
        let mut mistakes = Vec::new();
        next.together(&mut mistakes);
        mistakes.into_iter().map(|mistake| mistake.text).collect()
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// Names in the environment that begin as ours do and are none: worth a warning.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// A key's value and where it comes from.
    pub fn value(&self, key: &Key) -> Option<&(Value, Place)> {
        self.values.get(key.name)
    }

    /// The sockets of a listener key; none = off.
    pub fn listeners(&self, key: &Key) -> &[SocketAddr] {
        match self.value(key) {
            Some((Value::Listeners(sockets), _)) => sockets,
            _ => &[],
        }
    }

    /// Octets of a size, or a count.
    pub fn number(&self, key: &Key) -> u64 {
        match self.value(key) {
            Some((Value::Count(number) | Value::Size(number), _)) => *number,
            _ => 0,
        }
    }

    /// Seconds of a time.
    pub fn seconds(&self, key: &Key) -> u64 {
        match self.value(key) {
            Some((Value::Duration(seconds), _)) => *seconds,
            _ => 0,
        }
    }

    /// Whether a key is true.
    pub fn is_on(&self, key: &Key) -> bool {
        matches!(self.value(key), Some((Value::YesNo(true), _)))
    }

    pub fn networks(&self, key: &Key) -> &[Network] {
        match self.value(key) {
            Some((Value::Networks(networks), _)) => networks,
            _ => &[],
        }
    }

    /// Names, or the word that stands for them.
    pub fn list(&self, key: &Key) -> &[String] {
        match self.value(key) {
            Some((Value::Texts(texts), _)) => texts,
            _ => &[],
        }
    }

    /// Whom to ask for names; `None` = whom the machine asks.
    pub fn name_servers(&self) -> Option<Vec<SocketAddr>> {
        let list = self.list(&schema::DNS_SERVERS);
        let servers: Option<Vec<_>> = list.iter().map(|text| name_server(text)).collect();
        servers.filter(|list| !list.is_empty())
    }

    pub fn rate(&self, key: &Key) -> Option<Rate> {
        match self.value(key) {
            Some((Value::Rate(rate), _)) => Some(*rate),
            _ => None,
        }
    }

    /// The domain of local senders that have none (AC-8).
    pub fn origin(&self) -> &str {
        match self.text(&schema::ADDRESS_ORIGIN) {
            "" => self.text(&schema::HOSTNAME),
            origin => origin,
        }
    }

    /// The key of the chosen postmaster's address (AC-12).
    pub fn postmaster(&self) -> Option<&str> {
        Some(self.text(&schema::ADDRESS_POSTMASTER)).filter(|key| !key.is_empty())
    }

    /// What parts a name from a tag (AC-11).
    pub fn delimiter(&self) -> Option<char> {
        self.text(&schema::ADDRESS_DELIMITER).chars().next()
    }

    /// A name, path, text or choice; empty = none.
    pub fn text(&self, key: &Key) -> &str {
        match self.value(key) {
            Some((Value::Text(text), _)) => text,
            _ => "",
        }
    }

    /// Where the control socket is: in the data folder if that is another one than the usual, since
    /// several boxes may then run on one machine, and each has to be asked for itself.
    pub fn control(&self) -> String {
        match self.value(&schema::DATA) {
            Some((Value::Text(data), place))
                if matches!(place, Place::Option | Place::Environment(_))
                    || !matches!(schema::DATA.default, schema::Default::Fixed(usual) if usual == data) =>
            {
                format!("{}/control", data.trim_end_matches('/'))
            }
            _ => "/run/pillarbox/control".to_owned(),
        }
    }

    /// Where `sendmail` finds the server: beside the control socket.
    pub fn submit(&self) -> String {
        let control = self.control();
        let folder = control.strip_suffix("control").unwrap_or(&control);
        [folder, "submit"].concat()
    }

    /// Where `sendmail` leaves mail while the server is down.
    pub fn spool(&self) -> String {
        match self.control().strip_suffix("/control") {
            Some("/run/pillarbox") | None => "/var/spool/pillarbox".to_owned(),
            Some(data) => [data, "/spool"].concat(),
        }
    }

    /// The least `memory.limit` that holds what is taken before the first session, in octets, in whole
    /// MiB (HD-4).
    fn memory_least(&self) -> u64 {
        [
            MEMORY_FIXED,
            MEMORY_SESSIONS,
            self.number(&schema::LIMIT_STORE_CACHE),
            self.number(&schema::LIMIT_LOG_RING),
            self.profile.hash(),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
        .div_ceil(MIB)
        .saturating_mul(MIB)
    }

    /// What no key can tell alone.
    fn together(&self, mistakes: &mut Vec<Mistake>) {
        let place = |key: &Key| self.value(key).map_or(Place::Default, |(_, p)| p.clone());
        let mut say = |key: &Key, text: String| {
            mistakes.push(Mistake {
                place: place(key),
                text: format!("{}: {text}", key.name),
            });
        };
        let (certificate, private) = (&schema::TLS_CERTIFICATE, &schema::TLS_KEY);
        let stored = |key: &Key| place(key) == Place::Store;
        for (one, other) in [(certificate, private), (private, certificate)] {
            match (self.text(one), self.text(other)) {
                ("", _) => {}
                // The store gets one after the other: first the key, which does nothing alone.
                (_, "") if one.name == private.name && stored(one) => {}
                (_, "") => say(one, format!("needs {} too", other.name)),
                // What stands outside the store has to be right without it.
                _ if stored(other) && !stored(one) => {
                    say(
                        one,
                        format!("needs {} beside it, not in the store", other.name),
                    );
                }
                _ => {}
            }
        }
        let trusted = &schema::SMTP_TRUSTED_NETWORKS;
        if let Some(wide) = self
            .networks(trusted)
            .iter()
            .find(|network| !network.is_inside(&self.own_networks))
        {
            say(trusted, open_to_all(*wide));
        }
        let least = self.memory_least();
        if self.number(&schema::MEMORY_LIMIT) < least {
            // Whoever reads it looks at what was written, not at a default.
            let parts = [
                &schema::MEMORY_LIMIT,
                &schema::LIMIT_STORE_CACHE,
                &schema::LIMIT_LOG_RING,
            ];
            let written = parts
                .into_iter()
                .find(|key| place(key) != Place::Default)
                .unwrap_or(&schema::PROFILE);
            let text = format!(
                "memory.limit has to be {} or more with a limit.store_cache of {}, a limit.log_ring \
                 of {} and the profile {}",
                print_size(least),
                print_size(self.number(&schema::LIMIT_STORE_CACHE)),
                print_size(self.number(&schema::LIMIT_LOG_RING)),
                self.profile.name(),
            );
            say(written, text);
        }
        let local = &schema::LISTEN_LOCAL;
        for socket in self.listeners(local) {
            if !socket.ip().is_loopback() {
                let text =
                    format!("{socket} is not on loopback; for others there is listen.devices");
                say(local, text);
            }
        }
        let mut taken: Vec<(Claim, &Key)> = Vec::new();
        for key in KEYS {
            let sockets = self.listeners(key);
            for socket in sockets.iter().filter(|socket| socket.port() != 0) {
                let claim = Claim::new(*socket, sockets);
                if let Some((other, first)) = taken.iter().find(|(other, _)| claim.meets(other)) {
                    // Whoever reads it looks at what was written, not at a default.
                    if place(key) == Place::Default {
                        say(first, format!("{} is taken by {}", other.socket, key.name));
                    } else {
                        say(key, format!("{socket} is taken by {}", first.name));
                    }
                }
                taken.push((claim, key));
            }
        }
    }
}

/// What a listener takes: one address, or all of a family or of both, at a port.
struct Claim {
    socket: SocketAddr,
    v4: bool,
    v6: bool,
}

impl Claim {
    /// `[::]` takes IPv4, too, unless the same list has `0.0.0.0` with the same port.
    fn new(socket: SocketAddr, list: &[SocketAddr]) -> Self {
        let all_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, socket.port()));
        let both = socket.is_ipv6() && socket.ip().is_unspecified() && !list.contains(&all_v4);
        Self {
            socket,
            v4: socket.is_ipv4() || both,
            v6: socket.is_ipv6(),
        }
    }

    /// Whether the kernel would refuse the second of two.
    fn meets(&self, other: &Self) -> bool {
        let (a, b) = (self.socket, other.socket);
        let all = a.ip().is_unspecified() || b.ip().is_unspecified();
        let family = (self.v4 && other.v4) || (self.v6 && other.v6);
        a.port() == b.port() && (a.ip() == b.ip() || (all && family))
    }
}

/// Puts one text in its place, or says what is wrong with it.
fn take(
    values: &mut BTreeMap<&'static str, (Value, Place)>,
    mistakes: &mut Vec<Mistake>,
    key: &Key,
    text: &str,
    place: &Place,
) {
    match key.parse(text) {
        Ok(value) => {
            values.insert(key.name, (value, place.clone()));
        }
        Err(text) => mistakes.push(Mistake {
            place: place.clone(),
            text,
        }),
    }
}

fn role(values: &BTreeMap<&'static str, (Value, Place)>) -> Role {
    let name = match values.get(schema::ROLE.name) {
        Some((Value::Text(name), _)) => Role::named(name),
        _ => None,
    };
    name.unwrap_or(Role::Mailbox)
}

fn profile(values: &BTreeMap<&'static str, (Value, Place)>, memory: u64) -> Profile {
    match values.get(schema::PROFILE.name) {
        Some((Value::Text(name), _)) => Profile::named(name),
        _ => None,
    }
    .unwrap_or_else(|| Profile::of(memory))
}
