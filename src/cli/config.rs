//! `config`: check, show, default (OP-1, OP-2).

use std::path::PathBuf;

use clap::Subcommand;

use crate::{
    cli::{Global, Read, Stop, Terminal, load, load::Found, look, print},
    config::{Config, Place, Sources, schema},
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
    /// The values in effect and where they come from
    Show {
        /// Only what is not a default
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        read: Read,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Check { file, read } => {
            let found = Found::new(terminal, global, file.as_deref())?;
            if read.json {
                Ok(check_json(terminal, &found))
            } else {
                found.config(Vec::new()).map(|_| 0)
            }
        }
        Verb::Default { key, read } => default(terminal, key.as_deref(), read),
        Verb::Show { changed, read } => {
            let request = Request::Config(config::Request::Show { changed });
            look(terminal, global, read, request)
        }
    }
}

fn check_json(terminal: &mut Terminal<'_>, found: &Found) -> u8 {
    let Err(mistakes) = found.load(Vec::new()) else {
        return 0;
    };
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
    78
}

fn default(terminal: &mut Terminal<'_>, key: Option<&str>, read: Read) -> Result<u8, Stop> {
    if let Some(name) = key.filter(|name| schema::find(name).is_none()) {
        return Err(Problem::new(Kind::NoSuch, schema::unknown(name)).into());
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
