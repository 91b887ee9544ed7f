//! A command line against the table: which command it is and what was given with it, or what is wrong.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::cli::{
    Global, TABLE, help,
    table::{Argument, Command, Count, Opt, Run, Then, Value, nearly},
};

/// What was given with a verb. It fits the table: a name that is not in the verb's row is not there.
#[derive(Debug, Default)]
pub struct Line {
    arguments: Vec<OsString>,
    /// By the long name; switches have no value.
    options: Vec<(&'static Opt, OsString)>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Order {
    /// Somebody wants to know.
    Print(String),
    Run(Run, Global, Line),
    /// It cannot be done: what is wrong, and how it would be right.
    Wrong(String),
}

impl Line {
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(option, _)| option.long == long)
    }

    /// All values of an option, in their order.
    pub fn values(&self, long: &str) -> impl Iterator<Item = &str> {
        self.options
            .iter()
            .filter(move |(option, _)| option.long == long)
            .filter_map(|(_, value)| value.to_str())
    }

    pub fn value(&self, long: &str) -> Option<&str> {
        self.values(long).next()
    }

    pub fn owned(&self, long: &str) -> Option<String> {
        self.value(long).map(ToOwned::to_owned)
    }

    /// The argument at a place, from 0; empty if it may be left out and was.
    pub fn text(&self, at: usize) -> String {
        self.maybe(at).unwrap_or_default()
    }

    pub fn maybe(&self, at: usize) -> Option<String> {
        Some(self.arguments.get(at)?.to_str()?.to_owned())
    }

    pub fn path(&self, at: usize) -> Option<PathBuf> {
        self.arguments.get(at).map(PathBuf::from)
    }

    /// An option's value that is the name of a file.
    pub fn path_of(&self, long: &str) -> Option<PathBuf> {
        let mut given = self.options.iter();
        let (_, value) = given.find(|(option, _)| option.long == long)?;
        Some(PathBuf::from(value))
    }

    /// All arguments from a place on.
    pub fn rest(&self, from: usize) -> Vec<&str> {
        let rest = self.arguments.iter().skip(from);
        rest.filter_map(|argument| argument.to_str()).collect()
    }

    pub fn json(&self) -> bool {
        self.has("json")
    }

    pub fn dry_run(&self) -> bool {
        self.has("dry-run")
    }

    fn global(&self) -> Global {
        Global {
            config: self.path_of("config"),
            data: self.path_of("data"),
            quiet: self.has("quiet"),
        }
    }
}

/// Reads a command line, the program's name first.
pub fn order(words: impl IntoIterator<Item = OsString>) -> Order {
    let mut reading = Reading {
        command: &TABLE,
        path: TABLE.name.to_owned(),
        line: Line::default(),
    };
    let mut words = words.into_iter().skip(1);
    match reading.all(&mut words) {
        Ok(()) => {}
        Err(Halt::Print(text)) => return Order::Print(text),
        Err(Halt::Wrong(text)) => return Order::Wrong(reading.wrong(&text)),
    }
    if !reading.command.words().is_empty() {
        return Order::Wrong(help::page(reading.command, &reading.path));
    }
    if let Some(text) = reading.complete() {
        return Order::Wrong(reading.wrong(&text));
    }
    let line = reading.line;
    match reading.command.then {
        Then::Print(text) => Order::Print(text(&line)),
        Then::Run(run) => Order::Run(run, line.global(), line),
        Then::Words(_) => Order::Wrong(help::usage(reading.command, &reading.path)),
    }
}

/// Why the line is not read further.
enum Halt {
    Print(String),
    Wrong(String),
}

struct Reading {
    command: &'static Command,
    /// The words so far: `pillarbox alias`.
    path: String,
    line: Line,
}

type Words<'a> = &'a mut dyn Iterator<Item = OsString>;

impl Reading {
    fn all(&mut self, words: Words<'_>) -> Result<(), Halt> {
        let mut plain = false;
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let dashed = !plain && text.len() > 1 && text.starts_with('-');
            if dashed && text == "--" {
                plain = true;
            } else if dashed && self.is_option(&text)? {
                self.option(&word, words)?;
            } else {
                self.word(word)?;
            }
        }
        Ok(())
    }

    /// What an argument of this place is.
    fn next(&self) -> Option<&'static Argument> {
        let (at, all) = (self.line.arguments.len(), self.command.arguments);
        let last = all.last().filter(|last| last.count == Count::Many);
        all.get(at).or(last)
    }

    fn find(&self, name: &str) -> Option<&'static Opt> {
        self.command
            .all_options()
            .find(|option| option.long == name)
    }

    /// Whether a word with a dash is an option; `--help` and `--version` are answered.
    fn is_option(&self, text: &str) -> Result<bool, Halt> {
        let first = std::ptr::eq(self.command, &raw const TABLE);
        match text {
            "--help" | "-h" => return Err(Halt::Print(help::page(self.command, &self.path))),
            "--version" | "-V" if first => return Err(Halt::Print(help::version())),
            _ => {}
        }
        let may_be_text =
            matches!(self.next(), Some(next) if matches!(next.value, Value::TextWithDash));
        let name = text.split('=').next().unwrap_or_default();
        let known = name
            .strip_prefix("--")
            .is_some_and(|name| self.find(name).is_some());
        Ok(known || !may_be_text)
    }

    fn option(&mut self, word: &OsStr, words: Words<'_>) -> Result<(), Halt> {
        let text = word.to_string_lossy();
        let Some(long) = text.strip_prefix("--") else {
            return self.shorts(&text);
        };
        let name = long.split('=').next().unwrap_or_default();
        let Some(option) = self.find(name) else {
            let names = self.command.all_options().map(|option| option.long);
            let tip = nearly(name, names).map(|name| format!("--{name}"));
            return Err(unknown("option", &format!("--{name}"), tip));
        };
        let given = after(word, name.len().saturating_add(3));
        let value = match (option.value, given) {
            (None, None) => OsString::new(),
            (None, Some(_)) => return Err(wrong(&[&option.shown(), " takes no value"])),
            (Some((_, kind)), given) => {
                let next = || words.next().filter(|next| !is_dashed(next));
                let Some(value) = given.or_else(next).filter(|value| !value.is_empty()) else {
                    let one_of = one_of(kind);
                    return Err(wrong(&[&option.shown(), " needs a value", &one_of]));
                };
                check(kind, &value, &option.shown())?;
                value
            }
        };
        self.give(option, value)
    }

    /// `-yn`: switches of one letter.
    fn shorts(&mut self, text: &str) -> Result<(), Halt> {
        for letter in text.chars().skip(1) {
            let mut options = self.command.all_options();
            match options.find(|option| option.short == Some(letter)) {
                Some(option) => self.give(option, OsString::new())?,
                None => return Err(unknown("option", &format!("-{letter}"), None)),
            }
        }
        Ok(())
    }

    fn give(&mut self, option: &'static Opt, value: OsString) -> Result<(), Halt> {
        if !option.many && self.line.has(option.long) {
            return Err(wrong(&[&option.shown(), " is there twice"]));
        }
        self.line.options.push((option, value));
        Ok(())
    }

    fn word(&mut self, word: OsString) -> Result<(), Halt> {
        let text = word.to_string_lossy();
        if let Then::Words(words) = self.command.then {
            let Some(next) = self.command.find(&text) else {
                let tip = nearly(&text, words.iter().map(|word| word.name));
                return Err(unknown("command", &text, tip.map(ToOwned::to_owned)));
            };
            self.command = next;
            self.path = [&self.path, next.name].join(" ");
            return Ok(());
        }
        let Some(argument) = self.next() else {
            return Err(wrong(&["nothing is known to do with ", &quoted(&text)]));
        };
        check(argument.value, &word, &argument.shown())?;
        self.line.arguments.push(word);
        Ok(())
    }

    /// What is missing, or should not be there, in a line that was read to its end.
    fn complete(&mut self) -> Option<String> {
        let given = self.line.arguments.len();
        let needed = self.command.arguments.iter().skip(given);
        let lacking: Vec<_> = needed
            .filter(|argument| argument.count == Count::One)
            .map(Argument::shown)
            .collect();
        if !lacking.is_empty() {
            return Some(format!("still needed: {}", lacking.join(" ")));
        }
        for option in self.command.options {
            if !option.default.is_empty() && !self.line.has(option.long) {
                self.line.options.push((option, option.default.into()));
            }
        }
        None
    }

    fn wrong(&self, text: &str) -> String {
        format!(
            "pillarbox: {text}\n\nUsage: {}\n\nFor more: {} --help",
            help::usage(self.command, &self.path),
            self.path
        )
    }
}

fn wrong(parts: &[&str]) -> Halt {
    Halt::Wrong(parts.concat())
}

fn unknown(what: &str, word: &str, tip: Option<String>) -> Halt {
    let tip = tip
        .map(|tip| format!("; did you mean {}?", quoted(&tip)))
        .unwrap_or_default();
    wrong(&["unknown ", what, " ", &quoted(word), &tip])
}

/// A word of somebody's, short enough to be shown.
fn quoted(word: &str) -> String {
    format!("{:?}", word.chars().take(80).collect::<String>())
}

fn is_dashed(word: &OsStr) -> bool {
    word.len() > 1 && word.as_encoded_bytes().starts_with(b"-")
}

/// The part of an option's word after so many octets: what stands behind the `=`.
fn after(word: &OsStr, octets: usize) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt as _;
    word.as_bytes()
        .get(octets..)
        .map(|rest| OsStr::from_bytes(rest).to_owned())
}

/// Whether a value is one that may be there.
fn check(kind: Value, value: &OsStr, shown: &str) -> Result<(), Halt> {
    let fits = match (kind, value.to_str()) {
        (Value::Path, _) => !value.is_empty(),
        (_, None) => false,
        (Value::OneOf(words), Some(value)) => words.iter().any(|word| word.0 == value),
        (Value::Key | Value::Text | Value::TextWithDash, Some(_)) => true,
    };
    if fits {
        return Ok(());
    }
    let value = quoted(&value.to_string_lossy());
    Err(wrong(&[shown, " cannot be ", &value, &one_of(kind)]))
}

fn one_of(kind: Value) -> String {
    let words: Vec<_> = kind.words().iter().map(|word| word.0).collect();
    match words.as_slice() {
        [] => String::new(),
        words => format!("; it is one of: {}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Order {
        let words = ["pillarbox"].iter().chain(line).copied();
        order(words.map(OsString::from))
    }

    fn fits(line: &[&str]) -> (Global, Line) {
        match read(line) {
            Order::Run(_, global, line) => (global, line),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    fn wrong(line: &[&str]) -> String {
        match read(line) {
            Order::Wrong(text) => text.lines().next().unwrap_or_default().to_owned(),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn options_stand_anywhere_and_in_every_form() {
        for line in [
            &[
                "--config",
                "/c",
                "--data=/d",
                "-q",
                "user",
                "remove",
                "a",
                "-yn",
            ][..],
            &[
                "user",
                "--data",
                "/d",
                "remove",
                "-n",
                "--config=/c",
                "a",
                "--quiet",
                "-y",
            ],
            &[
                "user",
                "remove",
                "--yes",
                "--dry-run",
                "-q",
                "--config",
                "/c",
                "--data",
                "/d",
                "--",
                "a",
            ],
        ] {
            let (global, read) = fits(line);
            assert_eq!(global.config, Some("/c".into()), "{line:?}");
            assert_eq!(global.data, Some("/d".into()), "{line:?}");
            assert!(
                global.quiet && read.has("yes") && read.dry_run(),
                "{line:?}"
            );
            assert_eq!(read.text(0), "a", "{line:?}");
        }
    }

    #[test]
    fn defaults_values_and_dashes() {
        let class = |line: &[&str]| fits(line).1.owned("class");
        assert_eq!(class(&["domain", "add", "x"]).as_deref(), Some("mailbox"));
        assert_eq!(
            class(&["domain", "add", "x", "--class=relay"]).as_deref(),
            Some("relay")
        );
        let (_, hosts) = fits(&[
            "route", "add", "x", "--host", "a,b", "--host=c", "--port", "25", "--tls", "none",
        ]);
        assert_eq!(hosts.values("host").collect::<Vec<_>>(), ["a,b", "c"]);
        assert_eq!(
            fits(&["alias", "add", "-", "--", "-x"]).1.rest(0),
            ["-", "-x"]
        );
        // A value of a key may be anything; the options that there are stay options.
        for value in ["-", "-5", "--", "-n", "--perhaps"] {
            let line = ["config", "set", "address.delimiter", value, "x"];
            let line = line
                .get(..if value == "--" { 5 } else { 4 })
                .unwrap_or_default();
            let expected = if value == "--" { "x" } else { value };
            assert_eq!(fits(line).1.text(1), expected);
        }
        assert!(fits(&["config", "set", "k", "--dry-run", "v"]).1.dry_run());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, text) in [
            (
                &["users", "list"][..],
                "unknown command \"users\"; did you mean \"user\"?",
            ),
            (&["zzzzzzz"], "unknown command \"zzzzzzz\""),
            (
                &["alias", "ad"],
                "unknown command \"ad\"; did you mean \"add\"?",
            ),
            (
                &["alias", "add", "--sr", "on"],
                "unknown option \"--sr\"; did you mean \"--srs\"?",
            ),
            (&["alias", "list", "-x"], "unknown option \"-x\""),
            (&["user", "quota", "a"], "still needed: <SIZE>"),
            (&["route", "add", "--port=25"], "still needed: <NAME>"),
            (&["status", "x"], "nothing is known to do with \"x\""),
            (&["status", "--json", "--json"], "--json is there twice"),
            (&["status", "--json=yes"], "--json takes no value"),
            (&["status", "--data"], "--data <DIR> needs a value"),
            (&["status", "--data="], "--data <DIR> needs a value"),
            (
                &["--data", "--json", "status"],
                "--data <DIR> needs a value",
            ),
            (
                &["alias", "add", "x", "y", "--srs", "so"],
                "--srs <SRS> cannot be \"so\"; it is one of: off, on",
            ),
            (
                &["access", "add", "::1", "maybe"],
                "<ok|reject> cannot be \"maybe\"; it is one of: ok, reject",
            ),
        ] {
            assert_eq!(wrong(line), format!("pillarbox: {text}"), "{line:?}");
        }
        // Without a verb all of them are shown.
        assert!(wrong(&["alias"]).starts_with("Addresses that stand"));
    }

    #[test]
    fn octets_that_are_no_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let octets = || OsString::from_vec(b"/\xff".to_vec());
        let words = |before: &[&str]| {
            let mut words: Vec<_> = before.iter().map(OsString::from).collect();
            words.push(octets());
            order(words)
        };
        match words(&["pillarbox", "config", "check"]) {
            Order::Run(_, _, line) => assert_eq!(line.path(0), Some(octets().into())),
            other => panic!("{other:?}"),
        }
        for line in [&["pillarbox", "user", "disable"][..], &["pillarbox"]] {
            assert!(matches!(words(line), Order::Wrong(_)), "{line:?}");
        }
    }
}
