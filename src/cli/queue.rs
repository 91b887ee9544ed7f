//! `queue`: mail that waits to leave (OQ-8; what changes its way comes with sending).

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look, remove, shown,
        table::{Argument, Command, READ, REMOVAL},
    },
    service::operate::{Request, queue},
};

pub(super) const NOUN: Command = Command::noun(
    "queue",
    "Mail that waits to leave",
    &[
        Command::verb("list", "What waits, the oldest first", list)
            .with(READ)
            .more("This version keeps mail for others in the queue and does not send it yet."),
        Command::verb(
            "remove",
            "Take a message out of the queue; it is not sent, and its sender is not told",
            take_out,
        )
        .takes(&[ID])
        .with(REMOVAL),
        Command::verb(
            "show",
            "One message: its sender, who it is for, and why it waits",
            show,
        )
        .takes(&[ID])
        .with(READ),
    ],
);

const ID: Argument = Argument::one("ID", "As it is listed; the log says \"queued as ID\"");

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(terminal, global, line, Request::Queue(queue::Request::List))
}

fn take_out(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let id = line.text(0);
    let question = ["Remove ", &shown(&id), " without sending it?"].concat();
    let request = queue::Request::Remove { id };
    remove(terminal, global, line, &question, Request::Queue(request))
}

fn show(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let id = line.text(0);
    let request = queue::Request::Show { id };
    look(terminal, global, line, Request::Queue(request))
}
