//! `route`: accounts at other mail servers. Passwords come from standard input or a prompt (HD-2).

use crate::{
    base::secret::Secret,
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, Command, DRY_RUN, JSON, Opt, READ, REMOVAL, Value, Word},
        terminal,
    },
    service::operate::{Kind, Problem, Request, route},
    store::directory::{FromRewrite, RouteTls},
};

pub(super) const NOUN: Command = Command::noun(
    "route",
    "Accounts at other mail servers through which mail leaves (smart hosts)",
    &[
        Command::verb(
            "add",
            "Add an account at a mail server that sends for us",
            add,
        )
        .takes(&[Argument::one("NAME", "A word of your choice")])
        .with(ACCOUNT)
        .more(
            "Examples:
  pillarbox route add provider --host smtp.example.net --port 587 --tls starttls \\
      --user me@example.net --password-stdin < file-with-password
  pillarbox route default provider     all mail to others leaves through it

This version keeps mail for others in the queue and does not send it yet.",
        ),
        Command::verb(
            "default",
            "Choose the account that all mail to others leaves through; without NAME, say which it is",
            default,
        )
        .takes(&[Argument::one(
            "NAME",
            "A route; it takes what no transport matches and nobody here hosts",
        )
        .maybe()])
        .with(&[Opt::flag("unset", "No default any more"), DRY_RUN, JSON])
        .more("Without a default, mail to others goes straight to their servers."),
        Command::verb("list", "All routes, without passwords", list).with(READ),
        Command::verb(
            "remove",
            "Remove a route that nothing uses any more",
            take_away,
        )
        .takes(&[Argument::one("NAME", "")])
        .with(REMOVAL),
    ],
);

const ACCOUNT: &[Opt] = &[
    Opt::value(
        "host",
        "H[,H...]",
        Value::Text,
        "Host names or IP addresses, tried in this order",
    )
    .required()
    .many(),
    Opt::value(
        "port",
        "P",
        Value::Text,
        "Mostly 587 with starttls, 465 with implicit",
    )
    .required(),
    Opt::value(
        "tls",
        "TLS",
        Value::OneOf(&[
            Word("none", "In clear: only inside your own network"),
            Word(
                "starttls",
                "In clear first, then encrypted; nothing is sent if that fails",
            ),
            Word("implicit", "Encrypted from the first octet"),
        ]),
        "How the connection is encrypted",
    )
    .required(),
    Opt::value(
        "user",
        "U",
        Value::Text,
        "The name to log in with; without it nobody logs in",
    ),
    Opt::flag(
        "password-stdin",
        "Read the password from standard input, one line",
    ),
    Opt::value(
        "from-rewrite",
        "FROM_REWRITE",
        Value::OneOf(&[
            Word("off", "None"),
            Word(
                "local",
                "That of this machine's own programs (root@localhost and the like)",
            ),
            Word("always", "All"),
        ]),
        "Which mail gets a From of ours, for providers that insist on it",
    )
    .default("local"),
    DRY_RUN,
];

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let port = line.value("port").unwrap_or_default();
    let Some(port) = port.parse::<u16>().ok().filter(|port| *port > 0) else {
        return Err(usage("--port is a number from 1 to 65535"));
    };
    let (user, from_stdin) = (line.owned("user"), line.has("password-stdin"));
    let password = match &user {
        Some(_) => terminal::secret(terminal, from_stdin, "--password-stdin")?,
        None if from_stdin => return Err(usage("--password-stdin needs --user")),
        None => Secret::default(),
    };
    let hosts = line.values("host").flat_map(|hosts| hosts.split(','));
    let request = route::Request::Add(route::Account {
        name: line.text(0),
        hosts: hosts.map(ToOwned::to_owned).collect(),
        port,
        tls: match line.value("tls") {
            Some("none") => RouteTls::None,
            Some("starttls") => RouteTls::StartTls,
            _ => RouteTls::Implicit,
        },
        user,
        password,
        from_rewrite: match line.value("from-rewrite") {
            Some("off") => FromRewrite::Off,
            Some("always") => FromRewrite::Always,
            _ => FromRewrite::Local,
        },
    });
    change(terminal, global, line, Request::Route(request))
}

fn default(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.maybe(0);
    match (&name, line.has("unset")) {
        (None, false) => {
            let request = Request::Route(route::Request::Default);
            look(terminal, global, line, request)
        }
        (Some(_), true) => Err(usage("NAME cannot be used with --unset")),
        _ => {
            let request = Request::Route(route::Request::SetDefault { name });
            change(terminal, global, line, request)
        }
    }
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(terminal, global, line, Request::Route(route::Request::List))
}

fn take_away(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let question = ["Remove route ", &shown(&name), "?"].concat();
    let request = route::Request::Remove { name };
    remove(terminal, global, line, &question, Request::Route(request))
}

fn usage(text: &str) -> Stop {
    Problem::new(Kind::Usage, text).into()
}
