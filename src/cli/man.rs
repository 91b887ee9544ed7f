//! `man`: the manual as a man page. Commands and options are clap's table, keys are the schema's; the
//! rest is written here.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::{
    cli::{Terminal, table},
    config::{
        reference,
        schema::{Effect, KEYS, Key},
    },
};

pub(super) const HELP: &str = "Read it:     pillarbox man | man -l -
Install it:  pillarbox man > /usr/local/share/man/man1/pillarbox.1";

const DESCRIPTION: &str = include_str!("man/description.roff");
const FILES: &str = include_str!("man/files.roff");
const EXAMPLES: &str = include_str!("man/examples.roff");

pub(super) fn run(terminal: &mut Terminal<'_>) {
    terminal.line(page().trim_end());
}

fn page() -> String {
    let table = table();
    let mut page = format!(
        ".TH PILLARBOX 1 \"\" \"pillarbox {}\" \"Pillarbox\"\n\
         .SH NAME\npillarbox \\- a mail appliance in one program and one data folder\n\
         .SH SYNOPSIS\n.B pillarbox\n[\\fIoptions\\fR] \\fInoun\\fR \\fIverb\\fR [\\fIarguments\\fR]\n\
         .br\n.B pillarbox serve\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(DESCRIPTION);
    page.push_str(".SH OPTIONS\nThese may stand with every command.\n");
    for argument in options(&table) {
        option(&mut page, argument);
    }
    page.push_str(
        "Verbs that change something also take \\fB\\-n\\fR, \\fB\\-\\-dry\\-run\\fR: say what would \
         happen, and do nothing. Verbs that take something away ask first where somebody can be asked; \
         \\fB\\-y\\fR, \\fB\\-\\-yes\\fR: do not ask. Verbs that only look also take \
         \\fB\\-\\-json\\fR: one JSON object a line, for programs.\n.SH COMMANDS\n",
    );
    for noun in table.get_subcommands() {
        commands(&mut page, noun, "");
    }
    page.push_str(
        ".SH CONFIGURATION\n\
         The file is /etc/pillarbox/pillarbox.toml; every key may be left out, and so may the file. A \
         key is written like\n.B listen.mx = \\(dq[::]:25\\(dq\nor given in the environment \
         (PILLARBOX_LISTEN_MX) or with\n.BR \"pillarbox config set\" .\n\
         An option counts before the environment, the environment before the file, the file before\n\
         .BR \"config set\" .\n.B pillarbox config check\nnames each mistake.\n",
    );
    for key in KEYS {
        entry(&mut page, key);
    }
    page.push_str(FILES);
    page.push_str(EXAMPLES);
    page
}

/// A noun without verbs, or each verb of a noun.
fn commands(page: &mut String, command: &Command, before: &str) {
    let path = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        let about = text(command.get_about());
        let _ = writeln!(page, ".SS \"{}\"\n{}.", roff(path.trim()), roff(&about));
        for verb in command.get_subcommands() {
            commands(page, verb, &path);
        }
        return;
    }
    let mut line = format!("pillarbox{path}");
    for argument in command.get_positionals() {
        let name = value(argument);
        let _ = if argument.is_required_set() {
            write!(line, " {name}")
        } else {
            write!(line, " [{name}]")
        };
    }
    if before.is_empty() {
        let _ = writeln!(page, ".SS \"{}\"", roff(path.trim()));
    }
    let about = text(command.get_about());
    let _ = writeln!(page, ".TP\n.B {}\n{}.", roff(&line), roff(&about));
    page.push_str(".RS\n");
    for argument in command.get_positionals() {
        let help = helped(argument);
        if !help.is_empty() {
            let _ = writeln!(page, ".TP\n.I {}\n{}", roff(&value(argument)), roff(&help));
        }
    }
    for argument in options(command) {
        let global = argument.is_global_set();
        if !global && !["json", "dry_run", "yes"].contains(&argument.get_id().as_str()) {
            option(page, argument);
        }
    }
    page.push_str(".RE\n");
    if let Some(more) = command.get_after_help() {
        verbatim(page, &more.to_string());
    }
}

/// Options that are ours: help is known to everybody.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_positional() && argument.get_long() != Some("help"))
}

fn option(page: &mut String, argument: &Arg) {
    let mut names = String::new();
    if let Some(short) = argument.get_short() {
        let _ = write!(names, "\\fB\\-{short}\\fR, ");
    }
    let long = roff(argument.get_long().unwrap_or_default());
    let _ = write!(names, "\\fB\\-\\-{long}\\fR");
    if argument.get_action().takes_values() {
        let _ = write!(names, " \\fI{}\\fR", roff(&value(argument)));
    }
    let _ = writeln!(page, ".TP\n{names}\n{}", roff(&helped(argument)));
}

/// What an argument is, with the words it takes and its default.
fn helped(argument: &Arg) -> String {
    let mut help = text(argument.get_help());
    let possible = argument.get_possible_values();
    if argument.get_action().takes_values() && !possible.is_empty() {
        let words: Vec<_> = possible
            .iter()
            .map(|word| match word.get_help() {
                Some(about) => format!("{} ({})", word.get_name(), lower(&about.to_string())),
                None => word.get_name().to_owned(),
            })
            .collect();
        let _ = write!(help, ": {}", words.join("; "));
    }
    let default = argument.get_default_values().first();
    if argument.get_action().takes_values()
        && let Some(default) = default.and_then(|default| default.to_str())
    {
        let _ = write!(help, " [default: {default}]");
    }
    help
}

/// What stands for a value.
fn value(argument: &Arg) -> String {
    match argument.get_value_names() {
        Some([name, ..]) => name.to_string(),
        _ => argument.get_id().as_str().to_uppercase(),
    }
}

fn entry(page: &mut String, key: &Key) {
    let kind = reference::kind(key).replace('`', "");
    let default = reference::default(key).replace('`', "");
    // Such a key can be written, but nothing comes of it.
    let lacks = match (key.needs, key.effect) {
        (Some(_), _) => " Not in this version.",
        (None, Effect::Later) => " Not in this version; kept for a later one.",
        _ => "",
    };
    let _ = writeln!(
        page,
        ".TP\n.B {}\n{}\n.br\nValue: {}. Default: {}.{lacks}",
        roff(key.name),
        roff(key.help),
        roff(&kind),
        roff(&default)
    );
}

/// Lines as they are.
fn verbatim(page: &mut String, text: &str) {
    page.push_str(".PP\n.nf\n");
    for line in text.lines() {
        let _ = writeln!(page, "{}", roff(line));
    }
    page.push_str(".fi\n");
}

fn text(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default()
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// Text in which roff sees nothing of its own.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.chars().next() {
        Some('.' | '\'') => format!("\\&{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command as Program, Stdio},
    };

    use super::*;

    fn leaves(command: &Command, path: &str, out: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if !command.has_subcommands() {
            out.push(path);
            return;
        }
        for sub in command.get_subcommands() {
            leaves(sub, &path, out);
        }
    }

    /// Every verb with its own options, every key, and no name that exists nowhere.
    #[test]
    fn the_page_has_everything() {
        let page = page().replace("\\-", "-");
        let mut verbs = Vec::new();
        leaves(&table(), "", &mut verbs);
        assert!(verbs.len() > 30);
        for verb in &verbs {
            assert!(page.contains(&format!(".B {}", verb.trim())), "{verb}");
        }
        for word in [
            "--recipients-stdin",
            "--password-hash-stdin",
            "--from-rewrite",
            "--srs",
        ] {
            assert!(page.contains(&format!("\\fB{word}\\fR")), "{word}");
        }
        for key in KEYS {
            assert!(page.contains(&format!(".B {}\n", key.name)), "{}", key.name);
        }
        let entry = |name: &str| page.split(&format!(".B {name}\n")).nth(1).unwrap();
        for (name, lacks) in [
            ("listen.sieve", true),
            ("queue.give_up", true),
            ("listen.mx", false),
        ] {
            let entry = entry(name).split(".TP").next().unwrap();
            assert_eq!(entry.contains("Not in this version"), lacks, "{name}");
        }
        for section in [
            "DESCRIPTION",
            "COMMANDS",
            "CONFIGURATION",
            "FILES",
            "EXIT STATUS",
            "EXAMPLES",
        ] {
            assert!(
                page.contains(&format!("\n.SH {section}\n"))
                    || page.contains(&format!("\n.SH \"{section}\"\n")),
                "{section}"
            );
        }
    }

    /// What the written parts tell people to type is a command that exists.
    #[test]
    fn commands_in_the_text_exist() {
        let mut seen = 0;
        for line in [DESCRIPTION, FILES, EXAMPLES]
            .join("\n")
            .replace("\\-", "-")
            .lines()
        {
            let Some((_, command)) = line.split_once("pillarbox ") else {
                continue;
            };
            let mut at = table();
            for word in command.trim_end_matches('"').split_whitespace() {
                match at.find_subcommand(word) {
                    Some(sub) => at = sub.clone(),
                    None => break,
                }
            }
            if line.starts_with("  pillarbox") {
                seen += 1;
                assert!(!at.has_subcommands(), "{line}");
            }
            for word in command
                .split_whitespace()
                .filter(|word| word.starts_with("--"))
            {
                let word = word.trim_start_matches('-');
                assert!(
                    at.get_arguments().any(|a| a.get_long() == Some(word)),
                    "{line}"
                );
            }
        }
        assert!(seen > 20, "{seen}");
    }

    /// groff has nothing to complain about.
    #[test]
    fn groff_reads_it() {
        let child = Program::new("groff")
            .args(["-man", "-Tascii", "-ww", "-z"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            return;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(page().as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "");
        assert!(done.status.success());
    }
}
