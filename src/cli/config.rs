//! `config`: check, show, default (OP-1, OP-2).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        load,
        load::Found,
        look, print, reach,
        table::{Argument, CHANGE, Command, JSON, Opt, READ, Value},
    },
    config::{Config, Mistake, Place, Sources, reference, schema},
    service::operate::{Kind, Problem, Reply, Request, config, device},
};

pub(super) const NOUN: Command = Command::noun(
    "config",
    "Check and show the configuration",
    &[
        Command::verb(
            "check",
            "Name every mistake with line and column; silent when there is none",
            check,
        )
        .takes(&[
            Argument::one("FILE", "Another file than the one that is used")
                .maybe()
                .of(Value::Path),
        ])
        .with(READ),
        Command::verb("default", "The default of a key, or of all", default)
            .takes(&[KEY.maybe()])
            .with(READ),
        Command::text("reference", "Print docs/config.md", |_| reference::page()).hidden(),
        Command::verb(
            "set",
            "Keep a value in the store; many keys take effect at once",
            set,
        )
        .takes(&[
            KEY,
            Argument::one(
                "VALUE",
                "As in the file, but without quotes; several with commas between them",
            )
            .of(Value::TextWithDash),
        ])
        .with(CHANGE),
        Command::verb(
            "show",
            "The values in effect and where they come from",
            show,
        )
        .with(&[Opt::flag("changed", "Only what is not a default"), JSON]),
        Command::verb("unset", "Forget what the store keeps for a key", unset)
            .takes(&[KEY])
            .with(CHANGE),
    ],
);

const KEY: Argument = Argument::one("KEY", "").of(Value::Key);

fn check(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let found = Found::new(terminal, global, line.path(0).as_deref())?;
    // Without the store: its settings are no help where even that is wrong.
    let alone = found.load(Vec::new());
    let kept = match &alone {
        Ok(config) => reach::settings(terminal, config),
        Err(_) => Vec::new(),
    };
    for name in alone.iter().flat_map(Config::unknown) {
        terminal.complain(&format!("pillarbox: {name} in the environment is no key"));
    }
    // Whoever comes from there is refused all the same.
    let trusted = alone
        .iter()
        .find_map(|config| device::forbidden(config.networks(&schema::SMTP_TRUSTED_NETWORKS)));
    if let Some(text) = trusted {
        terminal.complain(&format!("pillarbox: smtp.trusted_networks: {text}"));
    }
    let mistakes = found.check(kept);
    if line.json() {
        return Ok(check_json(terminal, &found, mistakes));
    }
    let lines: Vec<_> = mistakes.iter().map(|m| m.line(&found.file)).collect();
    match lines.as_slice() {
        [] => Ok(0),
        _ => Err(Stop::Mistakes(lines)),
    }
}

fn set(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = config::Request::Set {
        key: line.text(0),
        value: line.text(1),
    };
    change(terminal, global, line, Request::Config(request))
}

fn unset(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let key = line.text(0);
    let request = config::Request::Unset { key };
    change(terminal, global, line, Request::Config(request))
}

fn show(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let changed = line.has("changed");
    let request = config::Request::Show { changed };
    look(terminal, global, line, Request::Config(request))
}

fn default(terminal: &mut Terminal<'_>, _: &Global, line: &Line) -> Result<u8, Stop> {
    let key = line.maybe(0);
    if let Some(name) = key.as_deref().filter(|name| schema::find(name).is_none()) {
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
    rows.retain(|row| key.as_ref().is_none_or(|key| row.key == *key));
    Ok(print(terminal, line.json(), &Reply::Settings(rows)))
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
