//! `store`: check and rebuild.

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look, remove,
        table::{Command, READ, REMOVAL},
    },
    service::operate::{Request, store},
};

pub(super) const NOUN: Command = Command::noun(
    "store",
    "The store itself",
    &[
        Command::verb(
            "check",
            "Read everything and name what is damaged; exit code 2 if there is damage",
            check,
        )
        .with(READ),
        Command::verb(
            "rebuild",
            "Make the index anew from the log: same mail, flags and UIDs",
            rebuild,
        )
        .with(REMOVAL),
    ],
);

fn check(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(
        terminal,
        global,
        line,
        Request::Store(store::Request::Check),
    )
}

fn rebuild(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let question = "Make the index anew? This may take minutes.";
    let request = Request::Store(store::Request::Rebuild);
    remove(terminal, global, line, question, request)
}
