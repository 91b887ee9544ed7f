//! `domain`: names that this box answers for.

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, CHANGE, Command, DRY_RUN, Opt, READ, REMOVAL, Value, Word},
    },
    service::operate::{Request, domain},
    store::directory::DomainClass,
};

pub(super) const NOUN: Command = Command::noun(
    "domain",
    "Domains that are ours",
    &[
        Command::verb("add", "Add a domain; it is in effect at once", add)
            .takes(&[Argument::one(
                "NAME",
                "As people write it; IDNA names in either form",
            )])
            .with(&[CLASS, RECIPIENTS, DRY_RUN])
            .more(EXAMPLES),
        Command::verb(
            "check",
            "Ask DNS whether the world knows the domain as it should; exit code 0 = ok, 1 = warning, 2 = failing",
            check,
        )
        .takes(&[NAME])
        .with(READ)
        .more("Each line: what is wrong, what it breaks, and one next step."),
        Command::verb(
            "disable",
            "As if it were not there; mail for it is refused",
            disable,
        )
        .takes(&[NAME])
        .with(CHANGE),
        Command::verb(
            "dns",
            "The DNS records that a domain needs: panel fields, quoted pieces, zone file",
            dns,
        )
        .takes(&[NAME])
        .with(READ)
        .more(
            "A name is relative to the domain (@ is the domain itself), as panels want it; the zone file has
it whole. A panel that takes a long text in one field gets the value, one that wants pieces the
quoted form. What is optional can be left out: mail flows without it.",
        ),
        Command::verb("enable", "Undo disable", enable)
            .takes(&[NAME])
            .with(CHANGE),
        Command::verb("list", "All domains", list).with(READ),
        Command::verb(
            "remove",
            "Remove a domain at which nobody has an address any more",
            take_away,
        )
        .takes(&[NAME])
        .with(REMOVAL),
    ],
);

const NAME: Argument = Argument::one("NAME", "");

const CLASS: Opt = Opt::value(
    "class",
    "CLASS",
    Value::OneOf(&[
        Word("mailbox", "Mailboxes are here, and forwardings"),
        Word("alias", "Forwardings only"),
        Word("local", "Names of this machine itself, like localhost"),
        Word(
            "relay",
            "Mail is taken and passed on to the server that has the mailboxes",
        ),
        Word(
            "backup",
            "Mail is taken and kept while the main server is away",
        ),
    ]),
    "What the domain is to us",
)
.default("mailbox");

const RECIPIENTS: Opt = Opt::flag(
    "recipients-stdin",
    "Take mail for these addresses only, one a line on standard input (relay and backup)",
);

const EXAMPLES: &str = "Examples:
  pillarbox domain add example.org
  pillarbox domain add example.net --class alias
  pillarbox domain add example.com --class relay --recipients-stdin < file
                            a line for each address that is known there; the same command
                            again puts another list in its place

localhost and the box's own name (hostname) are there by themselves, as class local.";

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let class = match line.value("class") {
        Some("alias") => DomainClass::Alias,
        Some("backup") => DomainClass::Backup,
        Some("local") => DomainClass::Local,
        Some("relay") => DomainClass::Relay,
        _ => DomainClass::Mailbox,
    };
    let recipients = if line.has("recipients-stdin") {
        Some(terminal.text("addresses")?)
    } else {
        None
    };
    let request = domain::Request::Add {
        name: line.text(0),
        class,
        recipients,
    };
    change(terminal, global, line, Request::Domain(request))
}

fn check(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let request = domain::Request::Check { name };
    look(terminal, global, line, Request::Domain(request))
}

fn disable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let request = domain::Request::Disable { name };
    change(terminal, global, line, Request::Domain(request))
}

fn dns(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let request = domain::Request::Dns { name };
    look(terminal, global, line, Request::Domain(request))
}

fn enable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let request = domain::Request::Enable { name };
    change(terminal, global, line, Request::Domain(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(
        terminal,
        global,
        line,
        Request::Domain(domain::Request::List),
    )
}

fn take_away(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let question = ["Remove domain ", &shown(&name), "?"].concat();
    let request = domain::Request::Remove { name };
    remove(terminal, global, line, &question, Request::Domain(request))
}
