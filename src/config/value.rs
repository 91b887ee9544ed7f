//! Values as text: how each type is read and printed. One form for file, environment, option, store.

use std::{fmt::Write as _, net::SocketAddr};

/// The type of a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    Count {
        least: u64,
        most: u64,
    },
    /// A host name in ASCII.
    Host,
    /// `addr:port`, several of them, or `off`.
    Listeners,
    /// As [`Kind::Path`], or empty.
    OptionalPath,
    /// An absolute path.
    Path,
    /// Octets: `512KiB`, `35MiB`, `1GiB`, or plain octets.
    Size {
        least: u64,
        most: u64,
    },
}

/// A value that has the right form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    Count(u64),
    /// None = off.
    Listeners(Vec<SocketAddr>),
    /// In octets.
    Size(u64),
    /// A choice, name or path.
    Text(String),
}

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl Kind {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// What is wrong, for people.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match *self {
            Self::Choice(words) => choice(text, words),
            Self::Count { least, most } => match text.parse() {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Count(number)),
                _ => Err(format!(
                    "{:?} is no number from {least} to {most}",
                    short(text)
                )),
            },
            Self::Host => host(text),
            Self::Listeners => listeners(text),
            Self::OptionalPath if text.is_empty() => Ok(Value::Text(String::new())),
            Self::OptionalPath | Self::Path => path(text),
            Self::Size { least, most } => match parse_size(text) {
                Some(octets) if (least..=most).contains(&octets) => Ok(Value::Size(octets)),
                Some(_) => Err(format!(
                    "{:?} is not between {} and {}",
                    short(text),
                    print_size(least),
                    print_size(most)
                )),
                None => Err(format!(
                    "{:?} is no size; write it like 512KiB, 35MiB or 1GiB",
                    short(text)
                )),
            },
        }
    }
}

impl Value {
    /// As it would stand in the file.
    #[must_use]
    pub fn toml(&self) -> String {
        match self {
            Self::Count(number) => number.to_string(),
            Self::Listeners(sockets) => match sockets.as_slice() {
                [] => quoted("off"),
                [one] => quoted(&one.to_string()),
                several => {
                    let texts: Vec<_> = several.iter().map(|s| quoted(&s.to_string())).collect();
                    format!("[{}]", texts.join(", "))
                }
            },
            Self::Size(octets) => quoted(&print_size(*octets)),
            Self::Text(text) => quoted(text),
        }
    }

    /// As one word or line: what the environment takes.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Count(number) => number.to_string(),
            Self::Listeners(sockets) if sockets.is_empty() => "off".to_owned(),
            Self::Listeners(sockets) => {
                let texts: Vec<_> = sockets.iter().map(ToString::to_string).collect();
                texts.join(",")
            }
            Self::Size(octets) => print_size(*octets),
            Self::Text(text) => text.clone(),
        }
    }
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
    let mut sockets = Vec::new();
    for word in text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
    {
        match word.parse() {
            Ok(socket) => sockets.push(socket),
            Err(_) => {
                return Err(format!(
                    "{:?} is no listener; write addr:port, like 127.0.0.1:143 or [::]:993, or off",
                    short(word)
                ));
            }
        }
    }
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
mod tests {
    use super::*;

    #[test]
    fn sizes_in_both_directions() {
        for (text, octets, printed) in [
            ("0", Some(0), "0"),
            ("1023", Some(1023), "1023"),
            ("1024", Some(1024), "1KiB"),
            ("35MiB", Some(36_700_160), "35MiB"),
            ("35 mib", Some(36_700_160), "35MiB"),
            ("1536KiB", Some(1_572_864), "1536KiB"),
            ("1GiB", Some(1 << 30), "1GiB"),
            ("35MB", None, ""),
            ("-1", None, ""),
            ("", None, ""),
            ("MiB", None, ""),
            ("99999999999999999999GiB", None, ""),
            ("18446744073709551615GiB", None, ""),
        ] {
            assert_eq!(parse_size(text), octets, "{text}");
            if let Some(octets) = octets {
                assert_eq!(print_size(octets), printed);
            }
        }
    }

    #[test]
    fn listeners_in_both_directions() {
        let value = Kind::Listeners.parse("127.0.0.1:143, [::1]:143").unwrap();
        assert_eq!(value.toml(), r#"["127.0.0.1:143", "[::1]:143"]"#);
        assert_eq!(value.text(), "127.0.0.1:143,[::1]:143");
        assert_eq!(Kind::Listeners.parse(&value.text()), Ok(value));
        assert_eq!(
            Kind::Listeners.parse("off").unwrap().toml(),
            r#""off""#.to_owned()
        );
        for wrong in [
            "",
            "143",
            ":143",
            "localhost:143",
            "off,127.0.0.1:1",
            "127.0.0.1:70000",
        ] {
            assert!(Kind::Listeners.parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_and_paths() {
        assert_eq!(
            Kind::Host.parse("Mail.Home.Test."),
            Ok(Value::Text("mail.home.test".to_owned()))
        );
        for wrong in ["", ".", "a..b", "-a.b", "a b", "h\u{f6}st"] {
            assert!(Kind::Host.parse(wrong).is_err(), "{wrong}");
        }
        assert!(Kind::Path.parse("data").is_err());
        assert!(Kind::Path.parse("").is_err());
        assert!(Kind::OptionalPath.parse("").is_ok());
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\u000A""#);
    }
}
