//! `serve`: the appliance itself.

use crate::{
    cli::{Global, Stop, Terminal, load::Found},
    config::Config,
    service::operate::{Kind, Problem},
};

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global) -> Result<u8, Stop> {
    let found = Found::new(terminal, global, None)?;
    let config = found.config(Vec::new())?;
    for name in config.unknown() {
        terminal.complain(&format!("pillarbox: {name} in the environment is no key"));
    }
    start(&config).map_err(Stop::Problem)
}

/// Hands the configuration to the appliance; ends when it does.
fn start(_config: &Config) -> Result<u8, Problem> {
    let text = "this version has no server yet";
    Err(Problem::new(Kind::NotRunning, text))
}
