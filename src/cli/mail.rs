//! `mail`: copies of people's mail, and what became of a message.

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look,
        table::{Argument, Command, JSON, Opt, READ, Value},
    },
    service::operate::{Kind, Problem, Request, trace},
};

pub(super) const NOUN: Command = Command::noun(
    "mail",
    "Copies of people's mail, and what became of a message",
    &[
        Command::verb(
            "export",
            "Write a person's mail, or one folder of it, to files that other programs read",
            export,
        )
        .takes(&[Argument::one(
            "ADDRESS[/FOLDER]",
            "Whose mail; with a folder, only what is in that one",
        )])
        .with(&[MAILDIR, MBOX, JSON])
        .more(
            "Examples:
  pillarbox mail export anna@example.org --maildir ./anna
  pillarbox mail export anna@example.org/Sent --mbox sent.mbox

Nothing that is there already is written over. Maildir keeps the flags in the names, folders as in
Maildir++ (.Sent); mbox is of the kind mboxrd, with flags in Status, X-Status and X-Keywords.",
        ),
        Command::verb(
            "trace",
            "What became of a message: of all to or from an address, or of the one with this ID",
            trace,
        )
        .takes(&[Argument::one(
            "ADDRESS|ID",
            "An address, or the name of a message (\"queued as ID\")",
        )])
        .with(READ)
        .more(
            "It looks through the log that the box keeps in memory (limit.log_ring) and through the queue.
Exit code 1 if there is nothing.",
        ),
    ],
);

const MAILDIR: Opt = Opt::value("maildir", "DIR", Value::Path, "A new folder, as a Maildir");
const MBOX: Opt = Opt::value("mbox", "FILE", Value::Path, "A new file, as an mbox");

fn export(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let _ = (terminal, global, line);
    Err(Problem::new(Kind::NotRunning, "not in this version").into())
}

fn trace(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let what = line.text(0);
    let request = trace::Request { what };
    look(terminal, global, line, Request::Trace(request))
}
