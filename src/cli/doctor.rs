//! `doctor`.

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
    "doctor",
    "Look for what is wrong: what it breaks, and one next step; exit code 0 = ok, 1 = warning, 2 = failing",
    run,
)
.with(READ)
.more(
    "It asks DNS, connects to a mail server elsewhere, and logs in at the default route; nothing is
sent. It ends within 10 seconds, also without a network.",
);

fn run(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(terminal, global, line, Request::Doctor)
}
