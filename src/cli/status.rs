//! `status`.

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look,
        table::{Command, READ},
    },
    service::operate::Request,
};

pub(super) const NOUN: Command = Command::verb(
    "status",
    "Is it well? Exit code 0 = ok, 1 = warning, 2 = failing",
    run,
)
.with(READ);

fn run(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    if !global.quiet {
        return look(terminal, global, line, Request::Status);
    }
    // The exit code is the answer.
    let mut nothing = std::io::sink();
    let mut silent = Terminal::new(&mut nothing, terminal.err, terminal.input);
    silent.environment = std::mem::take(&mut terminal.environment);
    look(&mut silent, global, line, Request::Status)
}
