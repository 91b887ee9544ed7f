//! `app-password`: a password for each device, made here, shown once.

use crate::{
    cli::{
        Global, Stop, Terminal,
        line::Line,
        look, print, reach, remove, shown,
        table::{Argument, CHANGE, Command, READ, REMOVAL},
    },
    service::operate::{Call, Reply, Request, app_password},
};

pub(super) const NOUN: Command = Command::noun(
    "app-password",
    "Extra passwords, one for each phone or program",
    &[
        Command::verb("add", "Make a password for a device; it is shown once", add)
            .takes(&[
                Argument::one("USER", "Whose mailbox: the full address"),
                Argument::one(
                    "NAME",
                    "What the device is called, so that you find it again",
                ),
            ])
            .with(CHANGE)
            .more(
                "Example:
  pillarbox app-password add anna@example.org \"Anna's phone\"

The log-in name stays the full address. The person's own password keeps working.",
            ),
        Command::verb(
            "list",
            "The app passwords of a person, without the passwords themselves",
            list,
        )
        .takes(&[USER])
        .with(READ),
        Command::verb("remove", "Lock a device out", lock_out)
            .takes(&[
                USER,
                Argument::one("ID|NAME", "Number or name, as they are listed"),
            ])
            .with(REMOVAL),
    ],
);

const USER: Argument = Argument::one("USER", "The full address");

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = app_password::Request::Add {
        user: line.text(0),
        name: line.text(1),
    };
    let call = Call {
        request: Request::AppPassword(request),
        dry_run: line.dry_run(),
    };
    let reply = reach::carry_out(terminal, global, &call)?;
    match &reply {
        // It is what was asked for, and nobody can ask again.
        Reply::AppPassword(made) if global.quiet => {
            terminal.line(&made.password());
            Ok(0)
        }
        reply => Ok(print(terminal, false, reply)),
    }
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let user = line.text(0);
    let request = app_password::Request::List { user };
    look(terminal, global, line, Request::AppPassword(request))
}

fn lock_out(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let (user, which) = (line.text(0), line.text(1));
    let parts = [
        "Remove app password ",
        &shown(&which),
        " of ",
        &shown(&user),
        "?",
    ];
    let request = app_password::Request::Remove { user, which };
    let request = Request::AppPassword(request);
    remove(terminal, global, line, &parts.concat(), request)
}
