//! `completion`: scripts that make a shell complete nouns, verbs, options and their words, made from
//! the table. They know where on the line somebody is by the words that stand before.

use std::fmt::Write as _;

use crate::{
    cli::{
        TABLE,
        line::Line,
        table::{self, Argument, Command, HELP, Opt, VERSION, Value, each},
    },
    config::schema::KEYS,
};

pub(super) const NOUN: Command = Command::text(
    "completion",
    "Make a shell complete these commands at the Tab key",
    script,
)
.takes(&[Argument::one("SHELL", "Which shell").of(Value::OneOf(&[
    table::Word("bash", ""),
    table::Word("fish", ""),
    table::Word("zsh", ""),
]))])
.more(
    "Examples:
  pillarbox completion bash > /etc/bash_completion.d/pillarbox
  pillarbox completion zsh > /usr/local/share/zsh/site-functions/_pillarbox
  pillarbox completion fish > /etc/fish/completions/pillarbox.fish
New shells know them.",
);

fn script(line: &Line) -> String {
    let places = places();
    match line.text(0).as_str() {
        "bash" => bash(&places),
        "fish" => fish(&places),
        _ => zsh(&places),
    }
}

/// A place on the line: after these nouns and verbs.
struct Place {
    /// `alias add`; empty at the start.
    path: String,
    /// What may stand here, and what it is.
    words: Vec<Word>,
    options: Vec<Choice>,
}

struct Word {
    name: String,
    help: String,
}

/// An option, and what may follow it.
struct Choice {
    long: String,
    short: Option<char>,
    help: String,
    takes: Takes,
}

enum Takes {
    /// A text that nobody can guess, or the name of a file.
    Anything,
    Nothing,
    Words(Vec<Word>),
}

fn places() -> Vec<Place> {
    let mut places = Vec::new();
    each(&TABLE, "", &mut |command, path| {
        let path = path.strip_prefix(TABLE.name).unwrap_or(path).trim_start();
        places.push(place(command, path.to_owned()));
    });
    places
}

fn place(command: &Command, path: String) -> Place {
    let shown = command.words().iter().filter(|word| !word.hidden);
    let mut words: Vec<_> = shown.map(|word| known(word.name, word.about)).collect();
    for argument in command.arguments {
        if let Takes::Words(possible) = takes(argument.value) {
            words.extend(possible);
        }
    }
    let mut options: Vec<_> = command.all_options().map(choice).collect();
    options.push(choice(&HELP));
    if path.is_empty() {
        options.push(choice(&VERSION));
    }
    Place {
        path,
        words,
        options,
    }
}

fn known(name: &str, help: &str) -> Word {
    Word {
        name: name.to_owned(),
        help: help.to_owned(),
    }
}

fn choice(option: &Opt) -> Choice {
    Choice {
        long: option.long.to_owned(),
        short: option.short,
        help: option.help.to_owned(),
        takes: option
            .value
            .map_or(Takes::Nothing, |(_, value)| takes(value)),
    }
}

fn takes(value: Value) -> Takes {
    match value {
        Value::Key => {
            let keys = KEYS.iter().map(|key| known(key.name, first_line(key.help)));
            Takes::Words(keys.collect())
        }
        Value::OneOf(words) => {
            Takes::Words(words.iter().map(|word| known(word.0, word.1)).collect())
        }
        Value::Path | Value::Text | Value::TextWithDash => Takes::Anything,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Text between single quotes, for bash and zsh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Options after which the next word is no noun.
fn with_values(places: &[Place]) -> Vec<String> {
    let global = places.first().map_or(&[][..], |place| &place.options);
    global
        .iter()
        .filter(|option| !matches!(option.takes, Takes::Nothing))
        .map(|option| format!("--{}", option.long))
        .collect()
}

/// Every path but the start, as a pattern for `case`; a word and the path before it are matched.
fn paths(places: &[Place]) -> String {
    let paths = places.iter().filter(|place| !place.path.is_empty());
    let paths: Vec<_> = paths
        .map(|place| {
            let lead = if place.path.contains(' ') { "" } else { " " };
            quoted(&format!("{lead}{}", place.path))
        })
        .collect();
    paths.join("|")
}

fn option_names(place: &Place) -> impl Iterator<Item = String> {
    place
        .options
        .iter()
        .map(|option| format!("--{}", option.long))
}

fn bash(places: &[Place]) -> String {
    let values = with_values(places);
    let mut script = format!(
        "# Completion of pillarbox for bash.
_pillarbox() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} at= words= i=1
    while [ \"$i\" -lt \"$COMP_CWORD\" ]; do
        case ${{COMP_WORDS[i]}} in
        {}) i=$((i + 1)) ;;
        -*) ;;
        *)
            case \"$at ${{COMP_WORDS[i]}}\" in
            {}) at=${{at:+$at }}${{COMP_WORDS[i]}} ;;
            esac ;;
        esac
        i=$((i + 1))
    done
    case \"$at $prev\" in
    {}) ;;
",
        values.join("|"),
        paths(places),
        any(&values),
    );
    each_value(places, &mut |path, option, takes| {
        let words = match takes {
            Some(words) => format!("words={} ", quoted(&names(words).join(" "))),
            None => String::new(),
        };
        let pattern = quoted(&format!("{path} --{option}"));
        let _ = writeln!(script, "    {pattern}) {words};;");
    });
    script.push_str("    *) case $at in\n");
    for place in places {
        let words = names(&place.words).into_iter().chain(option_names(place));
        let words: Vec<_> = words.collect();
        let _ = writeln!(
            script,
            "       {}) words={} ;;",
            quoted(&place.path),
            quoted(&words.join(" "))
        );
    }
    script.push_str(
        "       esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")
}
complete -o default -F _pillarbox pillarbox
",
    );
    script
}

fn zsh(places: &[Place]) -> String {
    let values = with_values(places);
    let mut script = format!(
        "#compdef pillarbox
# Completion of pillarbox for zsh.
_pillarbox() {{
    local at= word i=2
    local -a found
    while (( i < CURRENT )); do
        word=${{words[i]}}
        case $word in
        ({}) (( i++ )) ;;
        (-*) ;;
        (*)
            case \"$at $word\" in
            ({}) at=\"${{at:+$at }}$word\" ;;
            esac ;;
        esac
        (( i++ ))
    done
    case \"$at ${{words[CURRENT-1]}}\" in
    ({}) ;;
",
        values.join("|"),
        paths(places),
        any(&values),
    );
    each_value(places, &mut |path, option, takes| {
        let words = takes.map(described).unwrap_or_default();
        let pattern = quoted(&format!("{path} --{option}"));
        let _ = writeln!(script, "    ({pattern}) found=({words}) ;;");
    });
    script.push_str("    (*) case $at in\n");
    for place in places {
        let options: Vec<_> = place
            .options
            .iter()
            .map(|option| Word {
                name: format!("--{}", option.long),
                help: option.help.clone(),
            })
            .collect();
        let _ = writeln!(
            script,
            "        ({}) found=({} {}) ;;",
            quoted(&place.path),
            described(&place.words),
            described(&options)
        );
    }
    script.push_str(
        "        esac ;;
    esac
    if (( $#found )); then _describe pillarbox found || _files; else _files; fi
}
if [ \"$funcstack[1]\" = _pillarbox ]; then
    _pillarbox \"$@\"
else
    compdef _pillarbox pillarbox
fi
",
    );
    script
}

fn fish(places: &[Place]) -> String {
    let paths = paths(places).replace('|', " ");
    let mut script = format!(
        "# Completion of pillarbox for fish.
function __pillarbox_at
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case {}
                set skip 1
            case '-*'
            case '*'
                switch \"$at $word\"
                    case {paths}
                        set at (string trim -- \"$at $word\")
                end
        end
    end
    test \"$at\" = \"$argv[1]\"
end
complete -c pillarbox -f
",
        with_values(places).join(" "),
    );
    let mut line = |path: &str, what: &str, help: &str| {
        let help = help.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(
            script,
            "complete -c pillarbox -n '__pillarbox_at \"{path}\"' {what} -d '{help}'"
        );
    };
    for place in places {
        for word in &place.words {
            line(&place.path, &format!("-a '{}'", word.name), &word.help);
        }
        for option in &place.options {
            let mut what = format!("-l {}", option.long);
            if let Some(short) = option.short {
                let _ = write!(what, " -s {short}");
            }
            match &option.takes {
                Takes::Anything => what.push_str(" -r -F"),
                Takes::Nothing => {}
                Takes::Words(words) => {
                    let _ = write!(what, " -x -a '{}'", names(words).join(" "));
                }
            }
            line(&place.path, &what, &option.help);
        }
    }
    script
}

/// Is shown a path, an option and the words that may follow it.
type Show<'a> = dyn FnMut(&str, &str, Option<&[Word]>) + 'a;

/// Shows each option that takes a value, but for those that may stand anywhere, and the words that
/// may follow it.
fn each_value(places: &[Place], show: &mut Show<'_>) {
    let global = with_values(places);
    for place in places {
        for option in &place.options {
            let words = match &option.takes {
                Takes::Anything => None,
                Takes::Nothing => continue,
                Takes::Words(words) => Some(words.as_slice()),
            };
            if !global.contains(&format!("--{}", option.long)) {
                show(&place.path, &option.long, words);
            }
        }
    }
}

/// Patterns for "anywhere, right after this option".
fn any(options: &[String]) -> String {
    let patterns: Vec<_> = options.iter().map(|name| format!("*' {name}'")).collect();
    patterns.join("|")
}

fn names(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.name.clone()).collect()
}

/// As zsh's `_describe` takes them: `'word:what it is'`.
fn described(words: &[Word]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| quoted(&format!("{}:{}", word.name.replace(':', "\\:"), word.help)))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::{Command as Program, Stdio};

    use super::*;

    /// What a shell prints for a script; `None` where it is not installed.
    fn shell(name: &str, arguments: &[&str]) -> Option<String> {
        let run = Program::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&run.stderr), "");
        Some(String::from_utf8(run.stdout).unwrap())
    }

    /// Each line as it stands when Tab is pressed, and some of what is offered.
    const TABS: &[(&[&str], &[&str], &[&str])] = &[
        (&[""], &["alias", "user"], &["add"]),
        (&["--c"], &["--config"], &["alias"]),
        (&["al"], &["alias"], &["access"]),
        (&["alias", ""], &["add", "test"], &["alias"]),
        (&["--data", "alias", "user", ""], &["passwd"], &["test"]),
        (
            &["alias", "add", "x@home.test", "--"],
            &["--srs", "--dry-run", "--data"],
            &["add"],
        ),
        (&["alias", "add", "--srs", ""], &["on", "off"], &["--srs"]),
        (&["domain", "add", "--class", "r"], &["relay"], &["alias"]),
        (&["access", "add", "::1", ""], &["ok", "reject"], &[]),
        (
            &["config", "default", "listen.m"],
            &["listen.mx"],
            &["listen.imap"],
        ),
    ];

    #[test]
    fn bash_offers_what_fits() {
        let script = bash(&places());
        for (words, some, never) in TABS {
            let at = words.len();
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            let line = format!(
                "{script}\nCOMP_WORDS=(pillarbox {}); COMP_CWORD={at}; _pillarbox; \
                 printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                words.join(" ")
            );
            let Some(out) = shell("bash", &["--norc", "-c", &line]) else {
                return;
            };
            offered(&words.join(" "), &out, some, never);
        }
    }

    #[test]
    fn fish_offers_what_fits() {
        let script = fish(&places());
        for (words, some, never) in TABS {
            let line = format!("{script}\ncomplete -C 'pillarbox {}'", words.join(" "));
            let Some(out) = shell("fish", &["--no-config", "-c", &line]) else {
                return;
            };
            let out: Vec<_> = out
                .lines()
                .map(|line| line.split('\t').next().unwrap())
                .collect();
            offered(&words.join(" "), &out.join("\n"), some, never);
        }
    }

    /// zsh completes only in a terminal; that it can read the script is what is looked at.
    #[test]
    fn zsh_reads_it() {
        let script = zsh(&places());
        let line = format!("compdef() {{ print $1; }}\n{script}");
        if let Some(out) = shell("zsh", &["-f", "-c", &line]) {
            assert_eq!(out, "_pillarbox\n");
        }
        for (words, some, never) in TABS {
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            let line = format!(
                "compdef() {{ :; }}\n_files() {{ :; }}\n\
                 _describe() {{ print -l -- ${{found%%:*}}; }}\n{script}\n\
                 words=(pillarbox {}); CURRENT=$#words; _pillarbox",
                words.join(" ")
            );
            let Some(out) = shell("zsh", &["-f", "-c", &line]) else {
                return;
            };
            // zsh itself leaves out what does not begin with what was typed.
            let typed = words.last().unwrap().trim_matches('\'');
            let out: Vec<_> = out.lines().filter(|line| line.starts_with(typed)).collect();
            offered(&words.join(" "), &out.join("\n"), some, never);
        }
    }

    fn offered(line: &str, out: &str, some: &[&str], never: &[&str]) {
        let words: Vec<_> = out.lines().collect();
        for word in some {
            assert!(words.contains(word), "{line}: no {word} in {words:?}");
        }
        for word in never {
            assert!(!words.contains(word), "{line}: {word} in {words:?}");
        }
    }
}
