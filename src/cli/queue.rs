//! `queue`: mail that waits to leave.

use std::path::Path;

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        load::Found,
        look, print, reach, remove, shown,
        table::{Argument, CHANGE, Command, DRY_RUN, JSON, Opt, READ, Value, YES},
    },
    config::value::parse_duration,
    service::{
        operate::{
            Call, Kind, Problem, Reply, Request,
            queue::{self, Filter, Mailq, Which},
        },
        spool,
    },
};

pub(super) const NOUN: Command = Command::noun(
    "queue",
    "Mail that waits to leave",
    &[
        Command::verb(
            "bounce",
            "Return messages to their senders now, as if they could not be sent",
            bounce,
        )
        .takes(IDS)
        .with(TAKEN),
        Command::verb("flush", "Try everything at once that is not held", flush).with(CHANGE),
        Command::verb(
            "hold",
            "Keep messages; nothing is tried until release",
            hold,
        )
        .takes(IDS)
        .with(SOME),
        Command::verb("list", "What waits and why, the oldest first", list)
            .with(LISTED)
            .more(EXAMPLES),
        Command::verb(
            "pause",
            "Stop sending: mail is taken and kept until resume",
            pause,
        )
        .with(CHANGE),
        Command::verb(
            "release",
            "Undo hold; the messages are tried at once",
            release,
        )
        .takes(IDS)
        .with(SOME),
        Command::verb(
            "remove",
            "Take messages out of the queue; they are not sent, and their senders are not told",
            take_out,
        )
        .takes(IDS)
        .with(TAKEN),
        Command::verb("resume", "Undo pause", resume).with(CHANGE),
        Command::verb("retry", "Try messages at once", retry)
            .takes(IDS)
            .with(SOME),
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
const IDS: &[Argument] = &[Argument::one(
    "ID",
    "As they are listed, or the word all; with options: all that they let through",
)
.many()];

const TO: Opt = Opt::value(
    "to",
    "ADDRESS|DOMAIN",
    Value::Text,
    "Only messages for this address, or for anybody at this domain",
);
const FROM: Opt = Opt::value(
    "from",
    "ADDRESS|DOMAIN",
    Value::Text,
    "Only messages with this sender; <> = reports without one",
);
const LANE: Opt = Opt::value(
    "lane",
    "LANE",
    Value::Text,
    "Only messages that leave this way: a domain, or a transport like relay:NAME",
);
const HELD: Opt = Opt::flag("held", "Only messages that are held");
const OLDER: Opt = Opt::value(
    "older",
    "AGE",
    Value::Text,
    "Only messages that arrived so long ago: 30m, 4h, 2d",
);

const SOME: &[Opt] = &[TO, FROM, LANE, HELD, OLDER, DRY_RUN];
const TAKEN: &[Opt] = &[TO, FROM, LANE, HELD, OLDER, YES, DRY_RUN];
const LISTED: &[Opt] = &[TO, FROM, LANE, HELD, OLDER, JSON];

const EXAMPLES: &str = "Examples:
  pillarbox queue list --to example.org
  pillarbox queue list --older 4h --json
  pillarbox queue retry all
  pillarbox queue remove --from cron@example.net --dry-run

Each message: its state (waiting, sending, late = its sender was told so, held), and for whom it
waits: when it is tried next, and what the other side said.";

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let (json, mut any) = (line.json(), false);
    let exit = pages(terminal, global, &filter(line)?, &mut |terminal, reply| {
        any |= !matches!(reply, Reply::Queue(page) if page.rows.is_empty());
        print(terminal, json, reply)
    })?;
    if !any && !json {
        terminal.line("nothing waits");
    }
    if !json && let Some(text) = spooled(terminal, global) {
        terminal.line(&text);
    }
    Ok(exit)
}

/// What `mailq` prints.
pub(super) fn mailq(terminal: &mut Terminal<'_>, global: &Global) -> Result<u8, Stop> {
    let mut mailq = Mailq::default();
    let exit = pages(
        terminal,
        global,
        &Filter::default(),
        &mut |terminal, reply| {
            if let Reply::Queue(page) = reply {
                mailq
                    .page(&page.rows)
                    .iter()
                    .for_each(|line| terminal.line(line));
            }
            0
        },
    )?;
    mailq.end().iter().for_each(|line| terminal.line(line));
    if let Some(text) = spooled(terminal, global) {
        terminal.line(&["-- ", &text, "."].concat());
    }
    Ok(exit)
}

/// What `sendmail` left in its folder, where it can be looked at.
fn spooled(terminal: &mut Terminal<'_>, global: &Global) -> Option<String> {
    let config = Found::new(terminal, global, None).ok()?;
    let config = config.config(Vec::new()).ok()?;
    queue::spooled(&spool::lies(Path::new(&config.spool())))
}

type Each<'a> = &'a mut dyn FnMut(&mut Terminal<'_>, &Reply) -> u8;

/// Asks for a list part by part: neither end has all of it in memory.
fn pages(
    terminal: &mut Terminal<'_>,
    global: &Global,
    filter: &Filter,
    each: Each<'_>,
) -> Result<u8, Stop> {
    let part = |after| Call {
        request: Request::Queue(queue::Request::List {
            filter: filter.clone(),
            after,
        }),
        dry_run: false,
    };
    reach::converse(
        terminal,
        global,
        &part(None),
        &mut |terminal, reply, ask| {
            let mut reply = reply;
            loop {
                let exit = each(terminal, &reply);
                match reply {
                    Reply::Queue(queue::Page {
                        next: Some(after), ..
                    }) if !terminal.is_gone() => {
                        reply = ask(&part(Some(after)))?;
                    }
                    _ => return Ok(exit),
                }
            }
        },
    )
}

fn bounce(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let which = which(line)?;
    let question = ["Return ", &named(&which), " to the sender?"].concat();
    let request = Request::Queue(queue::Request::Bounce(which));
    remove(terminal, global, line, &question, request)
}

fn flush(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    change(
        terminal,
        global,
        line,
        Request::Queue(queue::Request::Flush),
    )
}

fn hold(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = queue::Request::Hold(which(line)?);
    change(terminal, global, line, Request::Queue(request))
}

fn pause(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    change(
        terminal,
        global,
        line,
        Request::Queue(queue::Request::Pause),
    )
}

fn release(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = queue::Request::Release(which(line)?);
    change(terminal, global, line, Request::Queue(request))
}

fn take_out(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let which = which(line)?;
    let question = ["Remove ", &named(&which), " without sending?"].concat();
    let request = Request::Queue(queue::Request::Remove(which));
    remove(terminal, global, line, &question, request)
}

fn resume(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    change(
        terminal,
        global,
        line,
        Request::Queue(queue::Request::Resume),
    )
}

fn retry(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = queue::Request::Retry(which(line)?);
    change(terminal, global, line, Request::Queue(request))
}

fn show(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let id = line.text(0);
    let request = queue::Request::Show { id };
    look(terminal, global, line, Request::Queue(request))
}

/// What a question names.
fn named(which: &Which) -> String {
    match which.ids.as_slice() {
        [] if which.filter == Filter::default() => "everything that waits".to_owned(),
        [] => "all these messages (--dry-run says which)".to_owned(),
        [one] => shown(one),
        ids => format!("{} messages", ids.len()),
    }
}

fn which(line: &Line) -> Result<Which, Stop> {
    let filter = filter(line)?;
    let ids: Vec<_> = line.rest(0).into_iter().map(ToOwned::to_owned).collect();
    match (ids.as_slice(), filter == Filter::default()) {
        ([], true) => Err(usage(
            "say which: one ID or several, all, or options (pillarbox queue list)",
        )),
        ([], false) => Ok(Which {
            ids,
            all: true,
            filter,
        }),
        ([word], _) if word == "all" => Ok(Which {
            ids: Vec::new(),
            all: true,
            filter,
        }),
        (_, false) => Err(usage("give IDs or options, not both")),
        (_, true) => Ok(Which {
            ids,
            all: false,
            filter,
        }),
    }
}

fn filter(line: &Line) -> Result<Filter, Stop> {
    let older = match line.value("older") {
        None => None,
        Some(text) => Some(
            parse_duration(text)
                .ok_or_else(|| usage("--older takes a number and s, m, h or d: 30m, 4h, 2d"))?,
        ),
    };
    Ok(Filter {
        to: line.owned("to"),
        from: line.owned("from"),
        lane: line.owned("lane"),
        held: line.has("held"),
        older,
    })
}

fn usage(text: &str) -> Stop {
    Problem::new(Kind::Usage, text).into()
}
