//! `docs/config.md`, made from the table of keys.

use std::fmt::Write as _;

use crate::config::schema::{Default, KEYS, Key};
use crate::config::value::{Kind, print_size};

/// The whole page.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Made from `src/config/schema.rs`. The file is `/etc/pillarbox/pillarbox.toml`; every key may be\n\
         left out. An option counts before the environment, the environment before the file, the file\n\
         before the store. `pillarbox config check` names each mistake with line and column.\n\n\
         | key | value | default | what |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let _ = writeln!(
            out,
            "| `{}`<br>`{}` | {} | {} | {} |",
            key.name,
            key.environment(),
            kind(key),
            default(key),
            key.help
        );
    }
    out
}

/// What a key takes, in words.
#[must_use]
pub fn kind(key: &Key) -> String {
    match key.kind {
        Kind::Choice(words) => words.join(", "),
        Kind::Count { least, most } => format!("{} from {least} to {most}", key.unit),
        Kind::Host => "host name".to_owned(),
        Kind::Listeners => "`addr:port`, a list of them, or `off`".to_owned(),
        Kind::OptionalPath => "path or empty".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Size { least, most } => {
            format!(
                "{} from {} to {}",
                key.unit,
                print_size(least),
                print_size(most)
            )
        }
    }
}

/// A key's default, in words.
#[must_use]
pub fn default(key: &Key) -> String {
    match key.default {
        Default::ByProfile(tiny, small, normal) => {
            format!("{tiny} (tiny), {small} (small), {normal} (normal)")
        }
        Default::Fixed("") => "empty".to_owned(),
        Default::Fixed(text) => format!("`{text}`"),
        Default::Hostname => "the system's name".to_owned(),
    }
}
