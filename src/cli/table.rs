//! What a table of commands is made of. One table ([`super::TABLE`], its parts in the nouns' files)
//! says what may be typed; parsing, help, completion and the manual read it.

use crate::cli::{Global, Stop, Terminal, line::Line};

/// The program, a noun or a verb.
#[derive(Debug)]
pub struct Command {
    pub name: &'static str,
    /// What it is for: one line, no full stop.
    pub about: &'static str,
    /// Examples and the like, below the help; may be empty.
    pub more: &'static str,
    /// Not shown in lists.
    pub hidden: bool,
    pub arguments: &'static [Argument],
    /// Its own; [`COMMON`] may stand anywhere.
    pub options: &'static [Opt],
    pub then: Then,
}

/// What comes of a command.
#[derive(Debug)]
pub enum Then {
    /// This text is printed, and nothing else done.
    Print(fn(&Line) -> String),
    Run(Run),
    /// One of these has to follow.
    Words(&'static [Command]),
}

/// Carries a verb out; returns the exit code.
pub type Run = fn(&mut Terminal<'_>, &Global, &Line) -> Result<u8, Stop>;

/// Something without a dash, known by where it stands.
#[derive(Debug)]
pub struct Argument {
    /// What stands for it: `ADDRESS`.
    pub name: &'static str,
    pub help: &'static str,
    pub count: Count,
    pub value: Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    /// Any number, the last of a command's.
    Many,
    /// It may be left out.
    Maybe,
    One,
}

/// Something with dashes. (`Option` is another thing here.)
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Without the dashes.
    pub long: &'static str,
    pub short: Option<char>,
    pub help: &'static str,
    /// What stands for its value, and what that may be.
    pub value: Option<(&'static str, Value)>,
    /// What is taken where it is not given; empty: nothing.
    pub default: &'static str,
    /// It may be given more than once.
    pub many: bool,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// The name of a configuration key.
    Key,
    OneOf(&'static [Word]),
    /// The name of a file; not always UTF-8.
    Path,
    Text,
    /// A text that may begin with a dash.
    TextWithDash,
}

/// A word that is known, and what it means (may be empty).
#[derive(Debug)]
pub struct Word(pub &'static str, pub &'static str);

impl Command {
    const fn new(name: &'static str, about: &'static str, then: Then) -> Self {
        Self {
            name,
            about,
            more: "",
            hidden: false,
            arguments: &[],
            options: &[],
            then,
        }
    }

    /// One that does something.
    pub const fn verb(name: &'static str, about: &'static str, run: Run) -> Self {
        Self::new(name, about, Then::Run(run))
    }

    /// One that prints a text.
    pub const fn text(name: &'static str, about: &'static str, text: fn(&Line) -> String) -> Self {
        Self::new(name, about, Then::Print(text))
    }

    /// One with verbs.
    pub const fn noun(name: &'static str, about: &'static str, verbs: &'static [Self]) -> Self {
        Self::new(name, about, Then::Words(verbs))
    }

    pub const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    pub const fn takes(self, arguments: &'static [Argument]) -> Self {
        Self { arguments, ..self }
    }

    pub const fn with(self, options: &'static [Opt]) -> Self {
        Self { options, ..self }
    }

    pub const fn hidden(self) -> Self {
        Self {
            hidden: true,
            ..self
        }
    }

    /// The nouns or verbs that may follow.
    pub fn words(&self) -> &'static [Self] {
        match self.then {
            Then::Print(_) | Then::Run(_) => &[],
            Then::Words(words) => words,
        }
    }

    pub fn find(&self, name: &str) -> Option<&'static Self> {
        self.words().iter().find(|word| word.name == name)
    }

    /// Its own options, then those that may stand anywhere.
    pub fn all_options(&self) -> impl Iterator<Item = &'static Opt> {
        self.options.iter().chain(COMMON)
    }
}

impl Argument {
    /// One that has to be there.
    pub const fn one(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            count: Count::One,
            value: Value::Text,
        }
    }

    pub const fn maybe(self) -> Self {
        Self {
            count: Count::Maybe,
            ..self
        }
    }

    pub const fn many(self) -> Self {
        Self {
            count: Count::Many,
            ..self
        }
    }

    pub const fn of(self, value: Value) -> Self {
        Self { value, ..self }
    }

    /// As usage shows it: `<NAME>`, `[NAME]`, `[NAME]...`.
    pub fn shown(&self) -> String {
        match self.count {
            Count::Many => format!("[{}]...", self.name),
            Count::Maybe => format!("[{}]", self.name),
            Count::One => format!("<{}>", self.name),
        }
    }
}

impl Opt {
    /// A switch.
    pub const fn flag(long: &'static str, help: &'static str) -> Self {
        Self {
            long,
            short: None,
            help,
            value: None,
            default: "",
            many: false,
        }
    }

    /// One with a value, and what stands for that.
    pub const fn value(
        long: &'static str,
        name: &'static str,
        value: Value,
        help: &'static str,
    ) -> Self {
        Self {
            value: Some((name, value)),
            ..Self::flag(long, help)
        }
    }

    const fn short(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    pub const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    pub const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    /// As usage shows it: `--name <VALUE>`.
    pub fn shown(&self) -> String {
        match self.value {
            Some((name, _)) => format!("--{} <{name}>", self.long),
            None => format!("--{}", self.long),
        }
    }
}

impl Value {
    /// The words it may be, where they are known.
    pub const fn words(&self) -> &'static [Word] {
        match self {
            Self::OneOf(words) => words,
            _ => &[],
        }
    }
}

/// What may stand anywhere on the line.
pub const COMMON: &[Opt] = &[
    Opt::value(
        "config",
        "FILE",
        Value::Path,
        "The configuration file [default: /etc/pillarbox/pillarbox.toml]",
    ),
    Opt::value(
        "data",
        "DIR",
        Value::Path,
        "The data folder; the control socket is then in it, too",
    ),
    Opt::flag("quiet", "Say nothing about what went well").short('q'),
];

/// Answered wherever they stand; the second only in front of the first noun.
pub const HELP: Opt = Opt::flag("help", "Print help").short('h');
pub const VERSION: Opt = Opt::flag("version", "Print version").short('V');

/// Of verbs that only look.
pub const JSON: Opt = Opt::flag("json", "One JSON object a line");
pub const READ: &[Opt] = &[JSON];

/// Of verbs that change something.
pub const DRY_RUN: Opt = Opt::flag("dry-run", "Say what would happen, and do nothing").short('n');
pub const CHANGE: &[Opt] = &[DRY_RUN];

/// Of verbs that take something away.
pub const YES: Opt = Opt::flag("yes", "Do not ask").short('y');
pub const REMOVAL: &[Opt] = &[YES, DRY_RUN];

/// Every command from the program down, each with the words that lead to it: `pillarbox alias add`.
pub fn each(command: &'static Command, path: &str, show: &mut dyn FnMut(&'static Command, &str)) {
    let path: String = [path, command.name].join(" ").trim_start().to_owned();
    show(command, &path);
    for word in command.words() {
        each(word, &path, show);
    }
}

/// The first of `names` that a wrong word is nearly.
pub fn nearly<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(64).collect();
    let far = |name: &str| crate::config::schema::distance(&wrong, name);
    let (name, distance) = names
        .map(|name| (name, far(name)))
        .min_by_key(|near| near.1)?;
    // Half of it may be wrong, or the rest of it not typed.
    let close =
        distance.saturating_mul(2) <= name.len() || !wrong.is_empty() && name.starts_with(&wrong);
    close.then_some(name)
}
