//! `user`: people with a mailbox. Passwords come from standard input or a prompt, never from
//! arguments (HD-2).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, CHANGE, Command, DRY_RUN, JSON, Opt, Value, YES},
        terminal,
    },
    config::value::parse_size,
    service::operate::{Kind, Problem, Request, user},
};

pub(super) const NOUN: Command = Command::noun(
    "user",
    "People with a mailbox",
    &[
        Command::verb("add", "Add a person with a mailbox; usable at once", add)
            .takes(&[Argument::one(
                "ADDRESS",
                "The full address, which is the log-in name too",
            )])
            .with(&[
                Opt::value(
                    "quota",
                    "SIZE",
                    Value::Text,
                    "Room for mail, like 500MiB or 2GiB; 0 = no limit",
                )
                .default("0"),
                PASSWORD,
                HASH,
                DRY_RUN,
            ])
            .more(EXAMPLES),
        Command::verb(
            "disable",
            "Nobody can log in; mail is no longer accepted",
            disable,
        )
        .takes(&[ADDRESS])
        .with(CHANGE),
        Command::verb("enable", "Undo disable", enable)
            .takes(&[ADDRESS])
            .with(CHANGE),
        Command::verb("list", "All people", list).with(&[
            Opt::flag(
                "removed",
                "Also those who were removed and whose mail is kept",
            ),
            JSON,
        ]),
        Command::verb("passwd", "Give a new password", passwd)
            .takes(&[ADDRESS])
            .with(&[PASSWORD, HASH, DRY_RUN]),
        Command::verb("quota", "Set the room for mail", quota)
            .takes(&[
                ADDRESS,
                Argument::one("SIZE", "Like 500MiB or 2GiB; 0 = no limit"),
            ])
            .with(CHANGE),
        Command::verb(
            "remove",
            "Remove a person; the mail is kept for 30 days",
            take_away,
        )
        .takes(&[ADDRESS])
        .with(&[Opt::flag("purge", "The mail goes at once"), YES, DRY_RUN])
        .more(
            "There is no command yet that gives kept mail back; to lock somebody out and keep all,
use: pillarbox user disable ADDRESS",
        ),
        Command::verb(
            "rename",
            "Give another address; mail and password stay",
            rename,
        )
        .takes(&[ADDRESS, Argument::one("TO", "The new address")])
        .with(CHANGE),
    ],
);

const ADDRESS: Argument = Argument::one("ADDRESS", "");

const PASSWORD: Opt = Opt::flag(
    "password-stdin",
    "Read the password from standard input, one line",
);

const HASH: Opt = Opt::flag(
    "password-hash-stdin",
    "Read a hash of the password from standard input, one line: SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT \
     or bcrypt, with or without {SCHEME} in front, or {PLAIN}password",
);

const EXAMPLES: &str = "Examples:
  pillarbox user add anna@example.org             asks for the password
  pillarbox user add anna@example.org --quota 2GiB --password-stdin < file-with-password
  pillarbox user add anna@example.org --password-hash-stdin < file-with-hash
                            a hash from another mail server, like {SHA512-CRYPT}$6$...;
                            the old password keeps working";

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let quota = size(line.value("quota").unwrap_or_default())?;
    let request = user::Request::Add {
        address: line.text(0),
        password: secret(terminal, line)?,
        quota,
    };
    change(terminal, global, line, Request::User(request))
}

fn disable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let address = line.text(0);
    let request = user::Request::Disable { address };
    change(terminal, global, line, Request::User(request))
}

fn enable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let address = line.text(0);
    let request = user::Request::Enable { address };
    change(terminal, global, line, Request::User(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let removed = line.has("removed");
    let request = user::Request::List { removed };
    look(terminal, global, line, Request::User(request))
}

fn passwd(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = user::Request::Passwd {
        address: line.text(0),
        password: secret(terminal, line)?,
    };
    change(terminal, global, line, Request::User(request))
}

fn quota(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = user::Request::Quota {
        address: line.text(0),
        quota: size(&line.text(1))?,
    };
    change(terminal, global, line, Request::User(request))
}

fn take_away(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let (address, purge) = (line.text(0), line.has("purge"));
    let asks = !line.has("yes") && !line.dry_run();
    if purge && asks && !terminal.can_ask() {
        return Err(usage(
            "--purge deletes all mail: where nobody can be asked it needs --yes",
        ));
    }
    let mail = if purge {
        "? All mail is deleted."
    } else {
        "? The mail is kept for 30 days."
    };
    let question = ["Remove ", &shown(&address), mail].concat();
    let request = user::Request::Remove { address, purge };
    remove(terminal, global, line, &question, Request::User(request))
}

fn rename(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = user::Request::Rename {
        address: line.text(0),
        to: line.text(1),
    };
    change(terminal, global, line, Request::User(request))
}

fn secret(terminal: &mut Terminal<'_>, line: &Line) -> Result<user::Password, Stop> {
    let (clear, hash) = (line.has("password-stdin"), line.has("password-hash-stdin"));
    match (clear, hash) {
        (true, true) => Err(usage(
            "--password-hash-stdin cannot be used with --password-stdin",
        )),
        (_, true) => {
            let hash = terminal::secret(terminal, true, "")?;
            Ok(user::Password::Hash(hash))
        }
        (given, false) => {
            let clear = terminal::secret(terminal, given, "--password-stdin")?;
            Ok(user::Password::Clear(clear))
        }
    }
}

fn size(text: &str) -> Result<u64, Stop> {
    parse_size(text).ok_or_else(|| {
        let shown = shown(text);
        usage(
            &[
                "SIZE cannot be ",
                &shown,
                "; write it like 500MiB or 2GiB; 0 = no limit",
            ]
            .concat(),
        )
    })
}

fn usage(text: &str) -> Stop {
    Problem::new(Kind::Usage, text).into()
}
