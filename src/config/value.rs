//! Values as text: how each type is read and printed. One form for file, environment, option, store.

use std::{fmt::Write as _, net::SocketAddr};

use crate::{
    base::network::Network,
    mail::{address::Address, domain::Domain},
};

/// The type of a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    Count {
        least: u64,
        most: u64,
    },
    /// What stands between a person's name and a tag: one character, or empty.
    Delimiter,
    /// Domains, of any number.
    Domains,
    /// In seconds: `30s`, `5m`, `4h`, `5d`.
    Duration {
        least: u64,
        most: u64,
    },
    /// A host name in ASCII.
    Host,
    /// `addr:port`, several of them, or `off`.
    Listeners,
    /// Networks, of any number.
    Networks,
    /// A full address, or empty.
    OptionalAddress,
    /// A domain, or empty.
    OptionalDomain,
    /// As [`Kind::Path`], or empty.
    OptionalPath,
    /// `http://…`, `https://…`, or empty.
    OptionalUrl,
    /// An absolute path.
    Path,
    /// As [`Kind::Path`], or `off`.
    PathOrOff,
    /// So many in a time: `200/h`.
    Rate,
    /// Addresses of DNS servers, or `system`.
    Servers,
    /// Octets: `512KiB`, `35MiB`, `1GiB`, or plain octets.
    Size {
        least: u64,
        most: u64,
    },
    /// Printable ASCII: it goes into a reply.
    Text,
    /// System users by number, or `all`.
    Uids,
    YesNo,
}

/// A value that has the right form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    Count(u64),
    /// In seconds.
    Duration(u64),
    /// None = off.
    Listeners(Vec<SocketAddr>),
    Networks(Vec<Network>),
    Rate(Rate),
    /// In octets.
    Size(u64),
    /// A choice, name, path or text.
    Text(String),
    /// Several of those.
    Texts(Vec<String>),
    YesNo(bool),
}

/// So many in so many seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    pub count: u64,
    /// Of one second, minute, hour or day.
    pub seconds: u64,
}

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
/// Seconds of each unit of time.
const TIMES: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Where name servers listen (RFC 1035 section 4.2).
const NAME_PORT: u16 = 53;

/// A name server: an IP address, with a port where it has one of its own.
#[must_use]
pub fn name_server(text: &str) -> Option<SocketAddr> {
    let alone = || Some(SocketAddr::new(text.parse().ok()?, NAME_PORT));
    text.parse().ok().or_else(alone)
}

impl Kind {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// What is wrong, for people.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let wrong = |what: &str| Err(format!("{:?} is no {what}", short(text)));
        match *self {
            Self::Choice(words) => choice(text, words),
            Self::Count { least, most } => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Count(number)),
                _ => wrong(&format!("number from {least} to {most}")),
            },
            Self::Delimiter if is_delimiter(text) => Ok(Value::Text(text.to_owned())),
            Self::Delimiter => wrong("delimiter; write one character like + or -, or nothing"),
            Self::Domains => each(text, |word| match name(word) {
                Some(name) => Ok(name),
                None => Err(format!("{:?} is no domain", short(word))),
            })
            .map(Value::Texts),
            Self::Duration { least, most } => match parse_duration(text) {
                Some(seconds) if (least..=most).contains(&seconds) => Ok(Value::Duration(seconds)),
                Some(_) => Err(between(text, &print_duration(least), &print_duration(most))),
                None => wrong("time; write it like 30s, 5m, 4h or 5d"),
            },
            Self::Host => host(text),
            Self::Listeners => listeners(text),
            Self::Networks => each(text, |word| {
                let what = "is no network; write it like 192.0.2.0/24 or 2001:db8::/32";
                Network::parse(word).ok_or_else(|| format!("{:?} {what}", short(word)))
            })
            .map(Value::Networks),
            Self::OptionalAddress
            | Self::OptionalDomain
            | Self::OptionalPath
            | Self::OptionalUrl
                if text.is_empty() =>
            {
                Ok(Value::Text(String::new()))
            }
            Self::OptionalAddress => match Address::parse(text) {
                Some(address) => Ok(Value::Text(address.key())),
                None => wrong("address; write name@domain"),
            },
            Self::OptionalDomain => match name(text) {
                Some(name) => Ok(Value::Text(name)),
                None => wrong("domain"),
            },
            Self::OptionalUrl if is_url(text) => Ok(Value::Text(text.to_owned())),
            Self::OptionalUrl => wrong("URL; write it like https://host/path"),
            Self::PathOrOff if text == "off" => Ok(Value::Text(text.to_owned())),
            Self::OptionalPath | Self::Path | Self::PathOrOff => path(text),
            Self::Rate => match parse_rate(text) {
                Some(rate) => Ok(Value::Rate(rate)),
                None => wrong("rate; write it like 200/h (s, m, h or d)"),
            },
            Self::Servers => word_or_each(text, "system", |word| match name_server(word) {
                Some(address) if address.port() == NAME_PORT => Ok(address.ip().to_string()),
                Some(address) => Ok(address.to_string()),
                None => Err(format!("{:?} is no IP address", short(word))),
            }),
            Self::Size { least, most } => match parse_size(text) {
                Some(octets) if (least..=most).contains(&octets) => Ok(Value::Size(octets)),
                Some(_) => Err(between(text, &print_size(least), &print_size(most))),
                None => wrong("size; write it like 512KiB, 35MiB or 1GiB"),
            },
            Self::Text if is_printable(text) => Ok(Value::Text(text.to_owned())),
            Self::Text => wrong(&format!(
                "text that can be sent; write 1 to {TEXT_MAX} ASCII characters"
            )),
            Self::Uids => word_or_each(text, "all", |word| match word.parse::<u32>() {
                Ok(uid) => Ok(uid.to_string()),
                Err(_) => Err(format!("{:?} is no user number", short(word))),
            }),
            Self::YesNo => match text {
                "true" | "yes" | "on" => Ok(Value::YesNo(true)),
                "false" | "no" | "off" => Ok(Value::YesNo(false)),
                _ => Err(format!("{:?} is neither true nor false", short(text))),
            },
        }
    }

    /// Whether a value may be a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Domains | Self::Listeners | Self::Networks | Self::Servers | Self::Uids
        )
    }

    /// The word that stands for a list, and alone.
    #[must_use]
    pub fn alone(&self) -> Option<&'static str> {
        match self {
            Self::Listeners => Some("off"),
            Self::Servers => Some("system"),
            Self::Uids => Some("all"),
            _ => None,
        }
    }
}

impl Value {
    /// As it would stand in the file.
    #[must_use]
    pub fn toml(&self) -> String {
        match self {
            Self::Count(_) | Self::YesNo(_) => self.text(),
            Self::Duration(_) | Self::Rate(_) | Self::Size(_) | Self::Text(_) => {
                quoted(&self.text())
            }
            Self::Listeners(_) | Self::Networks(_) | Self::Texts(_) => {
                let text = self.text();
                let mut words = text.split(',').filter(|word| !word.is_empty()).map(quoted);
                match (words.next(), words.next()) {
                    (None, _) => "[]".to_owned(),
                    (Some(one), None) => one,
                    (Some(one), Some(two)) => {
                        let words: Vec<_> = [one, two].into_iter().chain(words).collect();
                        format!("[{}]", words.join(", "))
                    }
                }
            }
        }
    }

    /// As one word or line: what the environment takes.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Count(number) => number.to_string(),
            Self::Duration(seconds) => print_duration(*seconds),
            Self::Listeners(sockets) if sockets.is_empty() => "off".to_owned(),
            Self::Listeners(sockets) => joined(sockets),
            Self::Networks(networks) => joined(networks),
            Self::Rate(rate) => {
                let (unit, _) = unit(rate.seconds);
                format!("{}/{unit}", rate.count)
            }
            Self::Size(octets) => print_size(*octets),
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join(","),
            Self::YesNo(yes) => yes.to_string(),
        }
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    let texts: Vec<_> = items.iter().map(ToString::to_string).collect();
    texts.join(",")
}

/// Reads octets: `512KiB`, `35MiB`, `1GiB`, or a plain number.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    for (unit, octets) in UNITS {
        let Some((number, tail)) = text
            .len()
            .checked_sub(unit.len())
            .and_then(|at| text.split_at_checked(at))
        else {
            continue;
        };
        if tail.eq_ignore_ascii_case(unit) {
            return number
                .trim_end()
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(octets));
        }
    }
    text.parse().ok()
}

/// Prints octets in the largest unit that divides them.
#[must_use]
pub fn print_size(octets: u64) -> String {
    UNITS
        .iter()
        .filter(|_| octets > 0)
        .find_map(|(unit, size)| {
            let whole = octets.checked_div(*size)?;
            (whole.checked_mul(*size) == Some(octets)).then(|| format!("{whole}{unit}"))
        })
        .unwrap_or_else(|| octets.to_string())
}

/// The longest span that is worth waiting for: a hundred years, in seconds.
const DURATION_MAX: u64 = 36_500 * 86_400;

/// Reads a time in seconds: `30s`, `5m`, `4h`, `5d`; 0 wants no unit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let (unit, seconds) = TIMES.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = digits(text.strip_suffix(unit)?)?;
    let whole = number.checked_mul(*seconds)?;
    (whole <= DURATION_MAX).then_some(whole)
}

/// Prints seconds in the largest unit that divides them.
#[must_use]
pub fn print_duration(seconds: u64) -> String {
    if seconds == 0 {
        return "0".to_owned();
    }
    let (unit, size) = TIMES
        .into_iter()
        .find(|(_, size)| seconds.is_multiple_of(*size))
        .unwrap_or(("s", 1));
    format!("{}{unit}", seconds.checked_div(size).unwrap_or(seconds))
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let (_, seconds) = TIMES.iter().find(|(name, _)| *name == unit.trim())?;
    let count = digits(count.trim()).filter(|count| (1..=1_000_000_000).contains(count))?;
    Some(Rate {
        count,
        seconds: *seconds,
    })
}

/// A number without a sign.
fn digits(text: &str) -> Option<u64> {
    let all = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

fn between(text: &str, least: &str, most: &str) -> String {
    format!("{:?} is not between {least} and {most}", short(text))
}

/// Words with commas or blanks between them, each read.
fn each<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    words(text).map(read).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
}

/// The word that stands alone, or at least one other.
fn word_or_each(
    text: &str,
    alone: &str,
    read: fn(&str) -> Result<String, String>,
) -> Result<Value, String> {
    if text == alone {
        return Ok(Value::Texts(vec![alone.to_owned()]));
    }
    let texts = each(text, read)?;
    if texts.is_empty() {
        return Err(format!("is empty; {alone} stands for what is usual"));
    }
    Ok(Value::Texts(texts))
}

/// A domain in its one form; address literals are none here.
fn name(text: &str) -> Option<String> {
    let domain = Domain::parse(text.strip_suffix('.').unwrap_or(text))?;
    (!domain.is_literal()).then(|| domain.as_str().to_owned())
}

/// What may stand in a local part without quotes (RFC 5321 section 4.1.2), is no letter or digit, and
/// means nothing else there.
fn is_delimiter(text: &str) -> bool {
    text.is_empty() || (text.len() == 1 && "#$&*+-/=^_|~".contains(text))
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && rest.bytes().all(|octet| octet.is_ascii_graphic())
    })
}

/// Longest text in octets: a reply line holds 512 (RFC 5321 section 4.5.3.1.5).
const TEXT_MAX: usize = 200;

fn is_printable(text: &str) -> bool {
    (1..=TEXT_MAX).contains(&text.len()) && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

fn choice(text: &str, words: &[&str]) -> Result<Value, String> {
    if words.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let words = words.join(", ");
    Err(format!("{:?} is none of: {words}", short(text)))
}

/// RFC 1123 section 2.1: labels of letters, digits and hyphens.
fn host(text: &str) -> Result<Value, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(Value::Text(name))
    } else {
        Err(format!("{:?} is no host name", short(text)))
    }
}

fn listeners(text: &str) -> Result<Value, String> {
    if text == "off" {
        return Ok(Value::Listeners(Vec::new()));
    }
    let what = "is no listener; write addr:port, like 127.0.0.1:143 or [::]:993, or off";
    let sockets = each(text, |word| {
        word.parse()
            .map_err(|_| format!("{:?} {what}", short(word)))
    })?;
    if sockets.is_empty() {
        return Err("is empty; write addr:port, or off".to_owned());
    }
    Ok(Value::Listeners(sockets))
}

fn path(text: &str) -> Result<Value, String> {
    if text.starts_with('/') && !text.contains('\0') {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err(format!("{:?} is no path from / on", short(text)))
    }
}

/// The unit of time that has so many seconds.
fn unit(seconds: u64) -> (&'static str, u64) {
    TIMES
        .into_iter()
        .find(|(_, size)| *size == seconds)
        .unwrap_or(("s", 1))
}

/// What of a wrong text is shown.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
