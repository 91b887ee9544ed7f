//! `status`.

use crate::{
    cli::{Global, Read, Stop, Terminal, look},
    service::operate::Request,
};

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, read: Read) -> Result<u8, Stop> {
    if !global.quiet {
        return look(terminal, global, read, Request::Status);
    }
    // The exit code is the answer.
    let mut nothing = std::io::sink();
    let mut silent = Terminal::new(&mut nothing, terminal.err, terminal.input);
    silent.environment = std::mem::take(&mut terminal.environment);
    look(&mut silent, global, read, Request::Status)
}
