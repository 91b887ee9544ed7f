//! One table: each key with type, default, unit and help text (`spec/ux.md` sections 3.10 and 3.12).
//! What reads, checks, prints or documents a key looks here.

use crate::config::{
    ENVIRONMENT, Machine,
    value::{Kind, Value},
};

const MIB: u64 = 1024 * 1024;
/// Nothing here needs more, and sums of a few stay far from where numbers end.
const SIZE_MAX: u64 = 1 << 40;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// With dots: `listen.mx`.
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    pub effect: Effect,
    /// What this version lacks, so that only the default is right.
    pub needs: Option<&'static str>,
    /// What a number counts; empty for the others.
    pub unit: &'static str,
    pub help: &'static str,
}

/// When another value counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// When what it is for is built: the value is kept until then.
    Later,
    /// At once (OP-6).
    Live,
    /// At the next start.
    Restart,
}

impl Key {
    /// Whether a running appliance takes another value at once (OP-6); else it needs a restart.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.effect != Effect::Restart
    }

    /// Why the store does not keep it, if it does not.
    #[must_use]
    pub fn outside(&self) -> Option<&'static str> {
        match self.name {
            "data" => Some("it says where the store is; use the file, the environment or --data"),
            "role" => Some("use the file or the environment"),
            _ => None,
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// What is wrong, for people, the key's name first.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let value = self.kind.parse(text);
        let value = value.map_err(|wrong| format!("{}: {wrong}", self.name))?;
        if self.name == "role" && Role::named(&value.text()).is_none() {
            return Err(format!(
                "role: {} is not in this version; it can be mailbox or relay",
                value.text()
            ));
        }
        match (self.needs, &self.default) {
            (Some(what), Default::Fixed(default)) if value.text() != *default => Err(format!(
                "{}: {what} not in this version; leave it {default}",
                self.name
            )),
            _ => Ok(value),
        }
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
    /// In role `mailbox`, in role `relay`.
    ByRole(&'static str, &'static str),
    /// For tiny, small and normal machines.
    ByProfile(&'static str, &'static str, &'static str),
    Fixed(&'static str),
    /// The system's name.
    Hostname,
}

impl Default {
    #[must_use]
    pub fn text(&self, role: Role, profile: Profile, machine: &Machine) -> String {
        match (self, profile) {
            (Self::ByRole(mailbox, relay), _) => match role {
                Role::Mailbox => (*mailbox).to_owned(),
                Role::Relay => (*relay).to_owned(),
            },
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

/// What a box is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    Mailbox,
    /// Sends what this machine and the devices of the house have to say, through a smart host.
    Relay,
}

impl Role {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "mailbox" => Some(Self::Mailbox),
            "relay" => Some(Self::Relay),
            _ => None,
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

    /// What the hash of a password takes, in octets.
    #[must_use]
    pub fn hash(self) -> u64 {
        match self {
            Self::Tiny => 7 * MIB,
            Self::Small => 12 * MIB,
            Self::Normal => 19 * MIB,
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
    ($($id:ident = $name:literal, $kind:expr, $default:expr, $effect:ident $(lacks $needs:literal)?,
        $unit:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $id: Key = Key {
                name: $name,
                kind: $kind,
                default: $default,
                effect: Effect::$effect,
                needs: keys!(@ $($needs)?),
                unit: $unit,
                help: $help,
            };
        )*

        /// All keys, in the order in which they are shown.
        pub static KEYS: &[&Key] = &[$(&$id),*];
    };
    (@) => { None };
    (@ $needs:literal) => { Some($needs) };
}

const COUNT: Kind = Kind::Count {
    least: 1,
    most: 1_000_000,
};

keys! {
    ROLE = "role", Kind::Choice(&["mailbox", "relay", "archive", "edge"]),
        Default::Fixed("mailbox"), Restart, "",
        "What this box is: mailbox = mail for its people is kept and read here; relay = mail of this machine and its devices goes to a smart host, and nothing else is open.";
    DATA = "data", Kind::Path, Default::Fixed("/var/lib/pillarbox"), Restart, "",
        "The data folder. Not kept in the store: it says where the store is.";
    HOSTNAME = "hostname", Kind::Host, Default::Hostname, Restart, "",
        "The name in greetings and in the certificate; else the system's name.";
    PROFILE = "profile", Kind::Choice(&["auto", "tiny", "small", "normal"]),
        Default::Fixed("auto"), Restart, "",
        "Which limits are the defaults; auto = by memory (96 MiB, 384 MiB, more).";

    LISTEN_MX = "listen.mx", Kind::Listeners, Default::ByRole("[::]:25", "off"), Restart, "",
        "Mail from the internet (SMTP); never relays.";
    LISTEN_SUBMISSION = "listen.submission", Kind::Listeners,
        Default::ByRole("[::]:587", "off"), Restart, "",
        "Mail that people send (SMTP with STARTTLS and log-in).";
    LISTEN_SUBMISSIONS = "listen.submissions", Kind::Listeners,
        Default::ByRole("[::]:465", "off"), Restart, "",
        "Mail that people send (SMTP in TLS, with log-in).";
    LISTEN_IMAP = "listen.imap", Kind::Listeners, Default::Fixed("off"), Restart, "",
        "Mail programs (IMAP with STARTTLS).";
    LISTEN_IMAPS = "listen.imaps", Kind::Listeners, Default::ByRole("[::]:993", "off"),
        Restart, "",
        "Mail programs (IMAP in TLS).";
    LISTEN_POP3 = "listen.pop3", Kind::Listeners, Default::Fixed("off"), Restart, "",
        "Old mail programs and fetchers (POP3 with STLS).";
    LISTEN_POP3S = "listen.pop3s", Kind::Listeners, Default::Fixed("off"), Restart, "",
        "Old mail programs and fetchers (POP3 in TLS).";
    LISTEN_SIEVE = "listen.sieve", Kind::Listeners, Default::Fixed("off"),
        Restart lacks "ManageSieve is", "",
        "Filters of people (ManageSieve).";
    LISTEN_LMTP = "listen.lmtp", Kind::Listeners, Default::Fixed("off"),
        Restart lacks "LMTP is", "",
        "Mail from another mail server of the house (LMTP).";
    LISTEN_LOCAL = "listen.local", Kind::Listeners,
        Default::ByRole("127.0.0.1:2526,[::1]:2526", "127.0.0.1:25,[::1]:25"), Restart, "",
        "Mail from programs on this machine (SMTP without log-in), on loopback alone.";
    LISTEN_DEVICES = "listen.devices", Kind::Listeners, Default::Fixed("off"), Restart, "",
        "Mail from printers and cameras in the house (SMTP without log-in), from listed addresses alone.";
    LISTEN_WEB = "listen.web", Kind::Listeners, Default::Fixed("off"),
        Restart lacks "the web page is", "",
        "The page for set-up and administration.";
    LISTEN_PROXY = "listen.proxy", Kind::Listeners, Default::Fixed("off"),
        Restart lacks "the PROXY protocol is", "",
        "Connections that an edge passes on (PROXY v2).";
    PROXY_FROM = "proxy.from", Kind::Networks, Default::Fixed(""), Later, "",
        "Edges that may speak on listen.proxy.";

    TLS_CERTIFICATE = "tls.certificate", Kind::OptionalPath, Default::Fixed(""), Live, "",
        "A certificate chain in PEM; empty = a self-signed one is made.";
    TLS_KEY = "tls.key", Kind::OptionalPath, Default::Fixed(""), Live, "",
        "The certificate's private key in PEM; with config set, before tls.certificate.";
    TLS_MIN = "tls.min", Kind::Choice(&["1.2", "1.3"]), Default::Fixed("1.2"), Restart, "",
        "The oldest TLS version that is spoken.";
    TLS_PLAINTEXT_AUTH = "tls.plaintext_auth", Kind::Choice(&["off", "loopback"]),
        Default::Fixed("off"), Live, "",
        "Whether clients on loopback may log in without TLS.";

    ADDRESS_DELIMITER = "address.delimiter", Kind::Delimiter, Default::Fixed("+"), Live, "",
        "What parts a name from a tag: user+tag@home.test reaches user; empty = no tags.";
    ADDRESS_ORIGIN = "address.origin", Kind::OptionalDomain, Default::Fixed(""), Live, "",
        "The domain of local senders that have none; empty = hostname.";
    ADDRESS_LOCAL = "address.local", Kind::Domains, Default::Fixed(""), Live, "",
        "More names of this machine itself, beside localhost and hostname.";
    ADDRESS_POSTMASTER = "address.postmaster", Kind::OptionalAddress, Default::Fixed(""), Live, "",
        "Who reads the mail of postmaster, abuse, root and the like; empty = the first person.";

    SMTP_SOFT_BOUNCE = "smtp.soft_bounce", Kind::YesNo, Default::Fixed("false"), Live, "",
        "Refuse for now (4xx) what would be refused for good (5xx): for trying things out.";
    SMTP_OLD_OUTLOOK = "smtp.old_outlook", Kind::YesNo, Default::Fixed("false"), Live, "",
        "Also announce log-in as very old programs look for it (AUTH=LOGIN PLAIN).";
    SMTP_CHECK_SENDER = "smtp.check_sender", Kind::YesNo, Default::Fixed("true"), Live, "",
        "Refuse strangers' mail whose sender's domain is not in DNS: nobody could answer it.";
    SMTP_CHECK_HELO = "smtp.check_helo", Kind::YesNo, Default::Fixed("false"), Live, "",
        "Put off strangers whose name for themselves (HELO) is not in DNS; many honest ones' is not.";
    SMTP_TRUSTED_NETWORKS = "smtp.trusted_networks", Kind::Networks, Default::Fixed(""), Live, "",
        "Networks that may send without log-in, at listen.local and listen.devices only; a router never may.";
    SUBMISSION_HIDE_CLIENT = "submission.hide_client", Kind::YesNo,
        Default::Fixed("true"), Live, "",
        "Keep the sender's own address and name of machine out of what leaves.";
    SUBMISSION_STRIP_USER_AGENT = "submission.strip_user_agent", Kind::YesNo,
        Default::Fixed("false"), Live, "",
        "Take out the line that names the sender's mail program.";

    LOCAL_ALLOW_UIDS = "local.allow_uids", Kind::Uids, Default::Fixed("all"), Live, "",
        "System users who may send at listen.local and by sendmail, by number.";
    LOCAL_RATE = "local.rate", Kind::Rate, Default::Fixed("200/h"), Live, "messages",
        "Messages from this machine; the rest waits.";
    LOCAL_REJECT_TEXT = "local.reject_text", Kind::Text,
        Default::Fixed("Local delivery only!"), Live, "",
        "What is said when mail may not leave this machine.";
    LOCAL_ALIASES = "local.aliases", Kind::PathOrOff,
        Default::ByRole("off", "/etc/aliases"), Live, "",
        "A file of aliases for names of this machine, as /etc/aliases is one; it counts behind the aliases here.";

    QUEUE_FIRST_RETRY = "queue.first_retry", Kind::Duration { least: 1, most: DAY },
        Default::Fixed("5m"), Live, "time",
        "The pause before the second try; it doubles each time.";
    QUEUE_MAX_RETRY = "queue.max_retry", Kind::Duration { least: 1, most: 7 * DAY },
        Default::Fixed("4h"), Live, "time",
        "The longest pause between tries.";
    QUEUE_WARN_AFTER = "queue.warn_after", Kind::Duration { least: 0, most: 30 * DAY },
        Default::Fixed("4h"), Live, "time",
        "When the sender is told that mail is late; 0 = never.";
    QUEUE_GIVE_UP = "queue.give_up", Kind::Duration { least: HOUR, most: 30 * DAY },
        Default::Fixed("5d"), Live, "time",
        "When mail that could not be sent goes back.";

    MEMORY_LIMIT = "memory.limit", Kind::Size { least: 16 * MIB, most: SIZE_MAX },
        Default::ByProfile("24MiB", "64MiB", "192MiB"), Live, "octets",
        "The most memory that is used; new work waits or is put off, nothing is killed.";
    LIMIT_STORE_CACHE = "limit.store_cache", Kind::Size { least: MIB / 4, most: SIZE_MAX },
        Default::ByProfile("1MiB", "1MiB", "4MiB"), Restart, "octets",
        "Memory for the store's index.";
    LIMIT_SMTP_SESSIONS = "limit.smtp_sessions", COUNT,
        Default::ByProfile("10", "40", "100"), Live, "sessions",
        "SMTP sessions at once.";
    LIMIT_SMTP_SESSIONS_PER_ADDRESS = "limit.smtp_sessions_per_address", COUNT,
        Default::ByProfile("3", "8", "15"), Live, "sessions",
        "SMTP sessions at once from one address; loopback is exempt.";
    LIMIT_IMAP_SESSIONS = "limit.imap_sessions", COUNT,
        Default::ByProfile("40", "150", "500"), Live, "sessions",
        "IMAP and POP3 sessions at once.";
    LIMIT_IMAP_SESSIONS_PER_PERSON = "limit.imap_sessions_per_person", COUNT,
        Default::ByProfile("10", "20", "30"), Live, "sessions",
        "IMAP sessions at once of one person.";
    LIMIT_COMPRESSED_SESSIONS = "limit.compressed_sessions", COUNT,
        Default::ByProfile("4", "32", "32"), Live, "sessions",
        "IMAP sessions at once that may be compressed (COMPRESS=DEFLATE), 400 KiB each.";
    LIMIT_MESSAGE_SIZE = "limit.message_size",
        Kind::Size { least: 0, most: 4 * 1024 * MIB },
        Default::ByProfile("15MiB", "35MiB", "35MiB"), Live, "octets",
        "The largest message; 0 = no limit.";
    LIMIT_DELIVERIES = "limit.deliveries", COUNT,
        Default::ByProfile("2", "5", "10"), Live, "deliveries",
        "Messages that are sent to other servers at once.";
    LIMIT_QUEUE = "limit.queue", Kind::Count { least: 1, most: 100_000_000 },
        Default::ByProfile("1000", "20000", "200000"), Live, "messages",
        "Messages that wait to be sent; more are put off (tiny: also at 5 % of the disk).";
    LIMIT_FOLDERS = "limit.folders", Kind::Count { least: 0, most: 1_000_000 },
        Default::Fixed("1000"), Restart, "folders",
        "Folders of one person; 0 = no limit.";
    LIMIT_MAILBOXES = "limit.mailboxes", Kind::Count { least: 0, most: 1_000_000 },
        Default::Fixed("0"), Live, "people",
        "People with a mailbox; 0 = no limit.";
    LIMIT_KEYWORDS = "limit.keywords", Kind::Count { least: 1, most: 10_000 },
        Default::Fixed("1000"), Restart, "keywords",
        "Keywords (labels) in one folder.";
    LIMIT_LOG_RING = "limit.log_ring", Kind::Size { least: 64 * 1024, most: SIZE_MAX },
        Default::ByProfile("1MiB", "4MiB", "16MiB"), Restart, "octets",
        "Log lines that are kept in memory.";

    LOG_LEVEL = "log.level", Kind::Choice(&["error", "warn", "info", "debug"]),
        Default::Fixed("info"), Live, "",
        "How much is logged.";
    LOG_FILE = "log.file", Kind::PathOrOff, Default::Fixed("off"),
        Restart lacks "a log file of its own is", "",
        "Where the log goes beside standard error.";
    DNS_SERVERS = "dns.servers", Kind::Servers, Default::Fixed("system"), Live, "",
        "Who is asked for names: IP addresses (with a port: 192.0.2.1:53), or system = as the machine does.";
    ALERT_URL = "alert.url", Kind::OptionalUrl, Default::Fixed(""), Later, "",
        "Where an alarm is sent (ntfy, webhook, dead-man switch).";
    WEB_NAMES = "web.names", Kind::Domains, Default::Fixed(""), Later, "",
        "More names under which the page may be called.";
    WEB_REMOTE = "web.remote", Kind::YesNo, Default::Fixed("false"), Later, "",
        "Whether the page may be called from outside the house.";
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
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
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
