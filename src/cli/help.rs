//! `--help` of each command, and the line that says how it is used.

use crate::cli::table::{Argument, Command, HELP, Opt, VERSION, Value};

/// `pillarbox alias add [OPTIONS] <SOURCE> [TARGET]...`
pub fn usage(command: &Command, path: &str) -> String {
    let mut parts = vec![path.to_owned(), "[OPTIONS]".to_owned()];
    parts.extend(command.arguments.iter().map(Argument::shown));
    if !command.words().is_empty() {
        parts.push("<COMMAND>".to_owned());
    }
    parts.join(" ")
}

/// All that is known of a command.
pub fn page(command: &Command, path: &str) -> String {
    let mut page = format!("{}\n\nUsage: {}\n", command.about, usage(command, path));
    let shown = command.words().iter().filter(|word| !word.hidden);
    let words = shown.map(|word| Row::new(word.name.to_owned(), word.about));
    section(&mut page, "Commands", &words.collect::<Vec<_>>());
    let arguments = command.arguments.iter().map(|argument| Row {
        value: argument.value,
        ..Row::new(argument.shown(), argument.help)
    });
    section(&mut page, "Arguments", &arguments.collect::<Vec<_>>());
    let mut options: Vec<_> = command.all_options().map(option).collect();
    options.push(option(&HELP));
    if path == command.name {
        options.push(option(&VERSION));
    }
    section(&mut page, "Options", &options);
    if !command.more.is_empty() {
        page.push('\n');
        page.push_str(command.more);
    }
    page
}

pub fn version() -> String {
    concat!("pillarbox ", env!("CARGO_PKG_VERSION")).to_owned()
}

struct Row {
    name: String,
    help: String,
    value: Value,
}

impl Row {
    fn new(name: String, help: &str) -> Self {
        Self {
            name,
            help: help.to_owned(),
            value: Value::Text,
        }
    }
}

fn option(option: &Opt) -> Row {
    let name = match option.short {
        Some(short) => format!("-{short}, {}", option.shown()),
        None => format!("    {}", option.shown()),
    };
    let mut row = Row::new(name, option.help);
    if !option.default.is_empty() {
        row.help = [option.help, " [default: ", option.default, "]"].concat();
    }
    if let Some((_, value)) = option.value {
        row.value = value;
    }
    row
}

/// Two columns, each row with the words that it takes below it.
fn section(page: &mut String, title: &str, rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.chars().count()).max();
    let Some(width) = width else {
        return;
    };
    page.push_str(&["\n", title, ":\n"].concat());
    for row in rows {
        let mut line = format!("  {:width$}  {}", row.name, row.help);
        let (plain, told): (Vec<_>, Vec<_>) =
            row.value.words().iter().partition(|word| word.1.is_empty());
        if !plain.is_empty() {
            let words: Vec<_> = plain.iter().map(|word| word.0).collect();
            line.push_str(&[" [", &words.join(", "), "]"].concat());
        }
        page.push_str(line.trim_end());
        page.push('\n');
        for word in told {
            page.push_str(&" ".repeat(width.saturating_add(6)));
            page.push_str(&[word.0, ": ", word.1, "\n"].concat());
        }
    }
}
