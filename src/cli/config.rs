//! `config`: check, show, default (OP-1, OP-2).

use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    cli::{Change, Global, Read, Stop, Terminal, change, load, load::Found, look, print, reach},
    config::{Config, Mistake, Place, Sources, reference, schema},
    service::operate::{Kind, Problem, Reply, Request, config},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Name every mistake with line and column; silent when there is none
    Check {
        /// Another file than the one that is used
        file: Option<PathBuf>,
        #[command(flatten)]
        read: Read,
    },
    /// The default of a key, or of all
    Default {
        key: Option<String>,
        #[command(flatten)]
        read: Read,
    },
    /// Print docs/config.md
    #[command(hide = true)]
    Reference,
    /// Keep a value in the store; many keys take effect at once
    Set {
        key: String,
        /// As in the file, but without quotes; several with commas between them
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        change: Change,
    },
    /// The values in effect and where they come from
    Show {
        /// Only what is not a default
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        read: Read,
    },
    /// Forget what the store keeps for a key
    Unset {
        key: String,
        #[command(flatten)]
        change: Change,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Check { file, read } => {
            let found = Found::new(terminal, global, file.as_deref())?;
            // Without the store: its settings are no help where even that is wrong.
            let alone = found.load(Vec::new());
            let kept = match &alone {
                Ok(config) => reach::settings(terminal, config),
                Err(_) => Vec::new(),
            };
            for name in alone.iter().flat_map(Config::unknown) {
                terminal.complain(&format!("pillarbox: {name} in the environment is no key"));
            }
            let mistakes = found.check(kept);
            if read.json {
                return Ok(check_json(terminal, &found, mistakes));
            }
            let lines: Vec<_> = mistakes.iter().map(|m| m.line(&found.file)).collect();
            match lines.as_slice() {
                [] => Ok(0),
                _ => Err(Stop::Mistakes(lines)),
            }
        }
        Verb::Default { key, read } => default(terminal, key.as_deref(), read),
        Verb::Reference => {
            terminal.line(reference::page().trim_end());
            Ok(0)
        }
        Verb::Set {
            key,
            value,
            change: how,
        } => {
            let request = Request::Config(config::Request::Set { key, value });
            change(terminal, global, how, request)
        }
        Verb::Unset { key, change: how } => {
            let request = Request::Config(config::Request::Unset { key });
            change(terminal, global, how, request)
        }
        Verb::Show { changed, read } => {
            let request = Request::Config(config::Request::Show { changed });
            look(terminal, global, read, request)
        }
    }
}

fn check_json(terminal: &mut Terminal<'_>, found: &Found, mistakes: Vec<Mistake>) -> u8 {
    let exit = if mistakes.is_empty() { 0 } else { 78 };
    for mistake in mistakes {
        let (line, column) = match mistake.place {
            Place::File { line, column } => (Some(line), Some(column)),
            _ => (None, None),
        };
        let object = serde_json::json!({
            "file": line.map(|_| &found.file),
            "line": line,
            "column": column,
            "text": mistake.text,
        });
        terminal.line(&object.to_string());
    }
    exit
}

fn default(terminal: &mut Terminal<'_>, key: Option<&str>, read: Read) -> Result<u8, Stop> {
    if let Some(name) = key.filter(|name| schema::find(name).is_none()) {
        return Err(Problem::new(Kind::BadData, schema::unknown(name)).into());
    }
    let sources = Sources {
        machine: load::machine(),
        ..Sources::default()
    };
    let config = Config::load(&sources).map_err(|mistakes| {
        Stop::Mistakes(mistakes.iter().map(|mistake| mistake.line("")).collect())
    })?;
    let Reply::Settings(mut rows) = config::show(&config, false) else {
        return Ok(0);
    };
    rows.retain(|row| key.is_none_or(|key| row.key == key));
    Ok(print(terminal, read, &Reply::Settings(rows)))
}
