//! `docs/config.md`, made from the table of keys.

use std::fmt::Write as _;

use crate::config::schema::{Default, Effect, KEYS, Key};
use crate::config::value::{Kind, print_duration, print_size};

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Made from `src/config/schema.rs`. The file is `/etc/pillarbox/pillarbox.toml`; every key may be\n\
         left out. An option counts before the environment, the environment before the file, the file\n\
         before the store. `pillarbox config check` names each mistake with line and column.\n\n\
         The last column says when another value counts: at once in a server that runs (`pillarbox config\n\
         set`, or SIGHUP after the file was changed), or at a restart. What belongs to a part that this\n\
         version does not have yet is either kept for it, or has to be left at its default.\n\n\
         | key | value | default | what | counts |\n|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let _ = writeln!(
            out,
            "| `{}`<br>`{}` | {} | {} | {} | {} |",
            key.name,
            key.environment(),
            kind(key),
            default(key),
            key.help,
            effect(key)
        );
    }
    out
}

/// What a key takes, in words.
#[must_use]
pub fn kind(key: &Key) -> String {
    let range = |least: &str, most: &str| format!("{} from {least} to {most}", key.unit);
    let words = match key.kind {
        Kind::Choice(words) => return words.join(", "),
        Kind::Count { least, most } => return range(&least.to_string(), &most.to_string()),
        Kind::Duration { least, most } => {
            return range(&print_duration(least), &print_duration(most));
        }
        Kind::Size { least, most } => return range(&print_size(least), &print_size(most)),
        Kind::Delimiter => "one character or empty",
        Kind::Domains => "domains, a list of them",
        Kind::Host => "host name",
        Kind::Listeners => "`addr:port`, a list of them, or `off`",
        Kind::Networks => "networks (`192.0.2.0/24`), a list of them",
        Kind::OptionalAddress => "address or empty",
        Kind::OptionalDomain => "domain or empty",
        Kind::OptionalPath => "path or empty",
        Kind::OptionalUrl => "URL or empty",
        Kind::Path => "path",
        Kind::PathOrOff => "path or `off`",
        Kind::Rate => "messages in a time: `200/h`",
        Kind::Servers => "IP addresses, a list of them, or `system`",
        Kind::Text => "text in ASCII",
        Kind::Uids => "numbers, a list of them, or `all`",
        Kind::YesNo => "true, false",
    };
    words.to_owned()
}

/// When another value counts, in words.
#[must_use]
pub fn effect(key: &Key) -> String {
    match (key.needs, key.effect) {
        (Some(_), _) => format!("only {} in this version", default(key)),
        (None, Effect::Later) => "kept for a later version".to_owned(),
        (None, Effect::Live) => "at once".to_owned(),
        (None, Effect::Restart) => "at a restart".to_owned(),
    }
}

/// A key's default, in words.
#[must_use]
pub fn default(key: &Key) -> String {
    match key.default {
        Default::ByRole(mailbox, relay) => {
            format!("`{mailbox}` (mailbox), `{relay}` (relay)")
        }
        Default::ByProfile(tiny, small, normal) => {
            format!("{tiny} (tiny), {small} (small), {normal} (normal)")
        }
        Default::Fixed("") => "empty".to_owned(),
        Default::Fixed(text) => format!("`{text}`"),
        Default::Hostname => "the system's name".to_owned(),
    }
}
