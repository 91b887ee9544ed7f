//! One table: each key with type, default, unit and help text (`spec/ux.md` sections 3.10 and 3.12).
//! What reads, checks, prints or documents a key looks here.

use crate::config::{ENVIRONMENT, Machine, value::Kind};

const MIB: u64 = 1024 * 1024;
/// Nothing here needs more, and sums of a few stay far from where numbers end.
const SIZE_MAX: u64 = 1 << 40;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// With dots: `listen.mx`.
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// What a number counts; empty for the others.
    pub unit: &'static str,
    pub help: &'static str,
}

impl Key {
    /// Whether a running appliance takes another value at once (OP-6); else it needs a restart.
    #[must_use]
    pub fn is_live(&self) -> bool {
        [
            &LIMIT_IMAP_SESSIONS,
            &LIMIT_SMTP_SESSIONS,
            &LIMIT_SMTP_SESSIONS_PER_ADDRESS,
            &LOG_LEVEL,
            &TLS_CERTIFICATE,
            &TLS_KEY,
            &TLS_PLAINTEXT_AUTH,
        ]
        .iter()
        .any(|live| live.name == self.name)
    }

    /// `listen.mx` is `PILLARBOX_LISTEN_MX`.
    #[must_use]
    pub fn environment(&self) -> String {
        let name = self.name.replace('.', "_").to_ascii_uppercase();
        format!("{ENVIRONMENT}{name}")
    }
}

/// What a key has when nobody sets it.
#[derive(Debug)]
pub enum Default {
    /// For tiny, small and normal machines.
    ByProfile(&'static str, &'static str, &'static str),
    Fixed(&'static str),
    /// The system's name.
    Hostname,
}

impl Default {
    #[must_use]
    pub fn text(&self, profile: Profile, machine: &Machine) -> String {
        match (self, profile) {
            (Self::ByProfile(text, _, _), Profile::Tiny)
            | (Self::ByProfile(_, text, _), Profile::Small)
            | (Self::ByProfile(_, _, text), Profile::Normal)
            | (Self::Fixed(text), _) => (*text).to_owned(),
            (Self::Hostname, _) => {
                let name = machine.hostname.trim().to_ascii_lowercase();
                match Kind::Host.parse(&name) {
                    Ok(_) => name,
                    Err(_) => "localhost".to_owned(),
                }
            }
        }
    }
}

/// How much a machine has to give.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Profile {
    Tiny,
    Small,
    Normal,
}

impl Profile {
    /// By memory in octets: up to 96 MiB, up to 384 MiB, more; not known = small.
    #[must_use]
    pub fn of(memory: u64) -> Self {
        match memory {
            1..=100_663_296 => Self::Tiny,
            0 | 100_663_297..=402_653_184 => Self::Small,
            _ => Self::Normal,
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "tiny" => Some(Self::Tiny),
            "small" => Some(Self::Small),
            "normal" => Some(Self::Normal),
            _ => None,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Normal => "normal",
        }
    }
}

macro_rules! keys {
    ($($id:ident = $name:literal, $kind:expr, $default:expr, $unit:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $id: Key = Key {
                name: $name,
                kind: $kind,
                default: $default,
                unit: $unit,
                help: $help,
            };
        )*

        /// All keys, in the order in which they are shown.
        pub static KEYS: &[&Key] = &[$(&$id),*];
    };
}

keys! {
    ROLE = "role", Kind::Choice(&["mailbox"]), Default::Fixed("mailbox"), "",
        "What this box is: mailbox (mail for its people is kept and read here).";
    DATA = "data", Kind::Path, Default::Fixed("/var/lib/pillarbox"), "",
        "The data folder.";
    HOSTNAME = "hostname", Kind::Host, Default::Hostname, "",
        "The name in greetings and in the certificate; else the system's name.";
    LISTEN_MX = "listen.mx", Kind::Listeners, Default::Fixed("[::]:25"), "",
        "Mail from the internet (SMTP); never relays.";
    LISTEN_IMAPS = "listen.imaps", Kind::Listeners, Default::Fixed("[::]:993"), "",
        "Mail programs (IMAP in TLS).";
    LISTEN_IMAP = "listen.imap", Kind::Listeners, Default::Fixed("off"), "",
        "IMAP in the clear, on loopback only; logging in needs tls.plaintext_auth.";
    TLS_CERTIFICATE = "tls.certificate", Kind::OptionalPath, Default::Fixed(""), "",
        "A certificate chain in PEM; empty = a self-signed one is made.";
    TLS_KEY = "tls.key", Kind::OptionalPath, Default::Fixed(""), "",
        "The certificate's private key in PEM.";
    TLS_MIN = "tls.min", Kind::Choice(&["1.2", "1.3"]), Default::Fixed("1.2"), "",
        "The oldest TLS version that is spoken.";
    TLS_PLAINTEXT_AUTH = "tls.plaintext_auth", Kind::Choice(&["off", "loopback"]),
        Default::Fixed("off"), "",
        "Whether clients on loopback may log in without TLS.";
    PROFILE = "profile", Kind::Choice(&["auto", "tiny", "small", "normal"]),
        Default::Fixed("auto"), "",
        "Which limits are the defaults; auto = by memory (96 MiB, 384 MiB, more).";
    LIMIT_STORE_CACHE = "limit.store_cache", Kind::Size { least: MIB / 4, most: SIZE_MAX },
        Default::ByProfile("1MiB", "1MiB", "4MiB"), "octets",
        "Memory for the store's index.";
    LIMIT_SMTP_SESSIONS = "limit.smtp_sessions", Kind::Count { least: 1, most: 1_000_000 },
        Default::ByProfile("10", "40", "100"), "sessions",
        "SMTP sessions at once.";
    LIMIT_SMTP_SESSIONS_PER_ADDRESS = "limit.smtp_sessions_per_address",
        Kind::Count { least: 1, most: 1_000_000 },
        Default::ByProfile("3", "8", "15"), "sessions",
        "SMTP sessions at once from one address; loopback is exempt.";
    LIMIT_IMAP_SESSIONS = "limit.imap_sessions", Kind::Count { least: 1, most: 1_000_000 },
        Default::ByProfile("40", "150", "500"), "sessions",
        "IMAP sessions at once.";
    LIMIT_IMAP_SESSIONS_PER_PERSON = "limit.imap_sessions_per_person",
        Kind::Count { least: 1, most: 1_000_000 },
        Default::ByProfile("10", "20", "30"), "sessions",
        "IMAP sessions at once of one person.";
    LIMIT_MESSAGE_SIZE = "limit.message_size",
        Kind::Size { least: 0, most: 4 * 1024 * MIB },
        Default::ByProfile("15MiB", "35MiB", "35MiB"), "octets",
        "The largest message; 0 = no limit.";
    LIMIT_FOLDERS = "limit.folders", Kind::Count { least: 0, most: 1_000_000 },
        Default::Fixed("1000"), "folders",
        "Folders of one person; 0 = no limit.";
    LIMIT_KEYWORDS = "limit.keywords", Kind::Count { least: 1, most: 10_000 },
        Default::Fixed("1000"), "keywords",
        "Keywords (labels) in one folder.";
    LIMIT_LOG_RING = "limit.log_ring", Kind::Size { least: 64 * 1024, most: SIZE_MAX },
        Default::ByProfile("1MiB", "4MiB", "16MiB"), "octets",
        "Log lines that are kept in memory.";
    LOG_LEVEL = "log.level", Kind::Choice(&["error", "warn", "info", "debug"]),
        Default::Fixed("info"), "",
        "How much is logged.";
}

/// The key of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().copied().find(|key| key.name == name)
}

/// The key whose name is nearest to a wrong one.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Key> {
    let wrong: String = name.chars().take(64).collect::<String>().to_lowercase();
    let wrong = wrong.replace('-', "_");
    KEYS.iter()
        .copied()
        .min_by_key(|key| distance(&wrong, key.name))
}

/// What to say about a name that is no key.
#[must_use]
pub fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(64).collect();
    match nearest(name) {
        Some(key) => format!("unknown key {shown:?}; did you mean {:?}?", key.name),
        None => format!("unknown key {shown:?}"),
    }
}

/// How many letters have to be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i.saturating_add(1)];
        let mut left = i.saturating_add(1);
        for ((y, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let change = above_left.saturating_add(usize::from(x != *y));
            left = change.min(above.min(&left).saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
