//! `access`: whose mail is taken on the MX (SR-18).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, CHANGE, Command, READ, REMOVAL, Value, Word},
    },
    service::operate::{Request, access},
};

pub(super) const NOUN: Command = Command::noun(
    "access",
    "Other servers whose mail is taken or refused",
    &[
        Command::verb(
            "add",
            "Take mail from other servers or turn it away (port 25); the narrowest range that fits decides",
            add,
        )
        .takes(&[
            Argument::one(
                "CIDR",
                "An IP address, or a range like 192.0.2.0/24 or 2001:db8::/32",
            ),
            Argument::one("ok|reject", "Take their mail or turn it away").of(VERDICT),
        ])
        .with(CHANGE)
        .more(
            "People who log in, and mail programs, are not asked: this is about listen.mx alone.

Examples:
  pillarbox access add 203.0.113.0/24 reject   mail from these addresses is refused
  pillarbox access add 203.0.113.7 ok          but not from this one of them",
        ),
        Command::verb("list", "All ranges", list).with(READ),
        Command::verb("remove", "Forget a range", forget)
            .takes(&[Argument::one("CIDR", "As it is listed")])
            .with(REMOVAL),
    ],
);

const VERDICT: Value = Value::OneOf(&[
    Word("ok", "Their mail is taken"),
    Word("reject", "They are told \"Client host rejected\""),
]);

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = access::Request::Add {
        range: line.text(0),
        allow: line.text(1) == "ok",
    };
    change(terminal, global, line, Request::Access(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(
        terminal,
        global,
        line,
        Request::Access(access::Request::List),
    )
}

fn forget(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let range = line.text(0);
    let question = ["Remove ", &shown(&range), "?"].concat();
    let request = access::Request::Remove { range };
    remove(terminal, global, line, &question, Request::Access(request))
}
