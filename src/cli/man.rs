//! `man`: the manual as a man page. Commands and options are the table's, keys are the schema's; the
//! rest is written here.

use std::fmt::Write as _;

use crate::{
    cli::{
        TABLE,
        table::{COMMON, Command, Count, Opt, Then, VERSION, Value},
    },
    config::{
        reference,
        schema::{Effect, KEYS, Key},
    },
};

pub(super) const NOUN: Command = Command::text("man", "The manual, as a man page", |_| page())
    .more(
        "Read it:     pillarbox man | man -l -
Install it:  pillarbox man > /usr/local/share/man/man1/pillarbox.1",
    );

const DESCRIPTION: &str = include_str!("man/description.roff");
const FILES: &str = include_str!("man/files.roff");
const EXAMPLES: &str = include_str!("man/examples.roff");

fn page() -> String {
    let mut page = format!(
        ".TH PILLARBOX 1 \"\" \"pillarbox {}\" \"Pillarbox\"\n\
         .SH NAME\npillarbox \\- a mail appliance in one program and one data folder\n\
         .SH SYNOPSIS\n.B pillarbox\n[\\fIoptions\\fR] \\fInoun\\fR \\fIverb\\fR [\\fIarguments\\fR]\n\
         .br\n.B pillarbox serve\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(DESCRIPTION);
    page.push_str(".SH OPTIONS\nThese may stand with every command.\n");
    for common in COMMON.iter().chain([&VERSION]) {
        option(&mut page, common);
    }
    page.push_str(
        ".PP\nVerbs that change something also take \\fB\\-n\\fR, \\fB\\-\\-dry\\-run\\fR: say what would \
         happen, and do nothing. Verbs that take something away ask first where somebody can be asked; \
         \\fB\\-y\\fR, \\fB\\-\\-yes\\fR: do not ask. Verbs that only look also take \
         \\fB\\-\\-json\\fR: one JSON object a line, for programs.\n.SH COMMANDS\n",
    );
    for noun in TABLE.words() {
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
    let path = format!("{before} {}", command.name);
    if let Then::Words(verbs) = command.then {
        let _ = writeln!(
            page,
            ".SS \"{}\"\n{}.",
            roff(path.trim()),
            roff(command.about)
        );
        for verb in verbs {
            commands(page, verb, &path);
        }
        return;
    }
    let mut line = format!("pillarbox{path}");
    for argument in command.arguments {
        let name = argument.name;
        let _ = if argument.count == Count::One {
            write!(line, " {name}")
        } else {
            write!(line, " [{name}]")
        };
    }
    if before.is_empty() {
        let _ = writeln!(page, ".SS \"{}\"", roff(path.trim()));
    }
    let _ = writeln!(page, ".TP\n.B {}\n{}.", roff(&line), roff(command.about));
    page.push_str(".RS\n");
    for argument in command.arguments {
        let help = helped(argument.help, argument.value, "");
        if !help.is_empty() {
            let _ = writeln!(page, ".TP\n.I {}\n{}", roff(argument.name), roff(&help));
        }
    }
    for own in command.options {
        if !["json", "dry-run", "yes"].contains(&own.long) {
            option(page, own);
        }
    }
    page.push_str(".RE\n");
    if !command.more.is_empty() {
        verbatim(page, command.more);
    }
}

fn option(page: &mut String, option: &Opt) {
    let mut names = String::new();
    if let Some(short) = option.short {
        let _ = write!(names, "\\fB\\-{short}\\fR, ");
    }
    let _ = write!(names, "\\fB\\-\\-{}\\fR", roff(option.long));
    let mut value = Value::Text;
    if let Some((name, kind)) = option.value {
        let _ = write!(names, " \\fI{}\\fR", roff(name));
        value = kind;
    }
    let help = helped(option.help, value, option.default);
    let _ = writeln!(page, ".TP\n{names}\n{}", roff(&help));
}

/// What it is, with the words it takes and its default.
fn helped(help: &str, value: Value, default: &str) -> String {
    let mut help = help.to_owned();
    for (at, word) in value.words().iter().enumerate() {
        help.push_str(if at == 0 { ": " } else { "; " });
        help.push_str(word.0);
        if !word.1.is_empty() {
            let _ = write!(help, " ({})", lower(word.1));
        }
    }
    if !default.is_empty() {
        let _ = write!(help, " [default: {default}]");
    }
    help
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
    use crate::cli::table::each;

    /// Every verb with its own options, every key, and no name that exists nowhere.
    #[test]
    fn the_page_has_everything() {
        let page = page().replace("\\-", "-");
        let mut verbs = Vec::new();
        each(&TABLE, "", &mut |command, path| {
            if command.words().is_empty() {
                verbs.push(path.to_owned());
            }
        });
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
            ("queue.give_up", false),
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
            let mut at = &TABLE;
            for word in command.trim_end_matches('"').split_whitespace() {
                match at.find(word) {
                    Some(sub) => at = sub,
                    None => break,
                }
            }
            if line.starts_with("  pillarbox") {
                seen += 1;
                assert!(at.words().is_empty(), "{line}");
            }
            for word in command
                .split_whitespace()
                .filter(|word| word.starts_with("--"))
            {
                let word = word.trim_start_matches('-');
                assert!(
                    word == "help" || at.all_options().any(|option| option.long == word),
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
