//! `alias`: addresses that stand for others (FW-13).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, CHANGE, Command, DRY_RUN, Opt, READ, REMOVAL, Value, Word},
    },
    service::operate::{Kind, Problem, Request, alias},
};

pub(super) const NOUN: Command = Command::noun(
    "alias",
    "Addresses that stand for others: forwardings, catch-alls, lists",
    &[
        Command::verb(
            "add",
            "Forward mail for an address; further targets are added to those that are there",
            add,
        )
        .takes(&[
            Argument::one(
                "SOURCE",
                "An address or @domain; - reads lines from standard input",
            ),
            Argument::one(
                "TARGET[,TARGET...]",
                "Addresses it stands for, with commas between them; @domain if SOURCE is one",
            )
            .many(),
        ])
        .with(&[SRS, DRY_RUN])
        .more(EXAMPLES),
        Command::verb("disable", "As if it were not there", disable)
            .takes(&[SOURCE])
            .with(CHANGE),
        Command::verb("enable", "Undo disable", enable)
            .takes(&[SOURCE])
            .with(CHANGE),
        Command::verb("list", "All aliases, or those of one domain", list)
            .takes(&[Argument::one("DOMAIN", "").maybe()])
            .with(READ),
        Command::verb(
            "remove",
            "Remove one target, or the alias with all of them",
            take_away,
        )
        .takes(&[SOURCE, Argument::one("TARGET", "").maybe()])
        .with(REMOVAL),
        Command::verb(
            "test",
            "Where would mail for an address go? Each step and the end; exit code 1 if it is refused",
            test,
        )
        .takes(&[Argument::one("ADDRESS", "")])
        .with(READ),
    ],
);

const SOURCE: Argument = Argument::one("SOURCE", "");

const SRS: Opt = Opt::value(
    "srs",
    "SRS",
    Value::OneOf(&[Word("off", ""), Word("on", "")]),
    "Whether forwarded mail that leaves gets a sender address of ours (SRS), so that other servers accept it",
);

const EXAMPLES: &str = "Examples:
  pillarbox alias add info@example.org anna@example.org
  pillarbox alias add family@example.org anna@example.org,ben@example.org
  pillarbox alias add anna@example.org anna@example.org,anna@example.net
                            keep a copy here and send one elsewhere
  pillarbox alias add @example.org anna@example.org
                            catch-all: whatever nobody else has goes to anna
  pillarbox alias add @example.net @example.org
                            the same names at another domain
  pillarbox alias add - < file
                            many at once, a line each: SOURCE TARGET[,TARGET...]
                            empty lines and lines that begin with # do not count;
                            if one line is wrong, nothing is added";

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let srs = line.value("srs").map(|srs| srs == "on");
    let (source, targets) = (line.text(0), line.rest(1));
    let request = match (source.as_str(), targets.as_slice()) {
        ("-", []) => {
            let text = terminal.text("aliases")?;
            alias::Request::AddMany { text, srs }
        }
        ("-", _) => {
            let text = "after - there is nothing: the lines come from standard input";
            return Err(Problem::new(Kind::Usage, text).into());
        }
        (_, []) => {
            let text = "say where the mail goes: pillarbox alias add SOURCE TARGET";
            return Err(Problem::new(Kind::Usage, text).into());
        }
        (_, targets) => alias::Request::Add {
            targets: targets.join(" "),
            source,
            srs,
        },
    };
    change(terminal, global, line, Request::Alias(request))
}

fn disable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let source = line.text(0);
    let request = alias::Request::Disable { source };
    change(terminal, global, line, Request::Alias(request))
}

fn enable(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let source = line.text(0);
    let request = alias::Request::Enable { source };
    change(terminal, global, line, Request::Alias(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let domain = line.maybe(0);
    let request = alias::Request::List { domain };
    look(terminal, global, line, Request::Alias(request))
}

fn take_away(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let (source, target) = (line.text(0), line.maybe(1));
    let alias = shown(&source);
    let question = match &target {
        Some(target) => ["Remove ", &shown(target), " from ", &alias, "?"].concat(),
        None => ["Remove ", &alias, " with all its targets?"].concat(),
    };
    let request = alias::Request::Remove { source, target };
    remove(terminal, global, line, &question, Request::Alias(request))
}

fn test(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let address = line.text(0);
    let request = alias::Request::Test { address };
    look(terminal, global, line, Request::Alias(request))
}
