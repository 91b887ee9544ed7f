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
    service::operate::{Kind, Problem, Reply, Request, route},
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
        .with(&[
            PRESET, REGION, HOST, PORT, TLS, USER, PASSWORD, REWRITE, FROM, DRY_RUN,
        ])
        .more(
            "Examples:
  pillarbox route add google --preset gmail --user me@example.org --password-stdin < file
  pillarbox route add provider --host smtp.example.net --port 587 --tls starttls \\
      --user me@example.net --password-stdin < file-with-password
  pillarbox route test provider        connects, logs in, and shows what the provider says
  pillarbox route default provider     all mail to others leaves through it",
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
        Command::text(
            "presets",
            "Providers whose host, port and TLS are known (route add NAME --preset)",
            presets,
        )
        .with(READ),
        Command::verb(
            "remove",
            "Remove a route that nothing uses any more",
            take_away,
        )
        .takes(&[NAME])
        .with(REMOVAL),
        Command::verb("set", "Change a route; what is not named stays", set)
            .takes(&[NAME])
            .with(&[HOST, PORT, TLS, USER, PASSWORD, REWRITE, FROM, DRY_RUN])
            .more(
                "Example:
  pillarbox route set provider --password-stdin < file-with-the-new-password",
            ),
        Command::verb(
            "test",
            "Connect as mail would, log in, and show what the provider says",
            test,
        )
        .takes(&[NAME])
        .with(&[SEND, JSON])
        .more("Exit code 2 where mail would not leave; then one next step is named."),
    ],
);

const NAME: Argument = Argument::one("NAME", "");

const PRESET: Opt = Opt::value(
    "preset",
    "PROVIDER",
    Value::Text,
    "Fills in host, port and TLS: gmail, ses, mailgun and so on (pillarbox route presets)",
);
const REGION: Opt = Opt::value(
    "region",
    "REGION",
    Value::Text,
    "Where the provider has your account, with a preset that asks for it",
);
const HOST: Opt = Opt::value(
    "host",
    "H[,H...]",
    Value::Text,
    "Host names or IP addresses, tried in this order",
)
.many();
const PORT: Opt = Opt::value(
    "port",
    "P",
    Value::Text,
    "Mostly 587 with starttls, 465 with implicit",
);
const TLS: Opt = Opt::value(
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
);
const USER: Opt = Opt::value(
    "user",
    "U",
    Value::Text,
    "The name to log in with; without it nobody logs in",
);
const PASSWORD: Opt = Opt::flag(
    "password-stdin",
    "Read the password from standard input, one line",
);
const REWRITE: Opt = Opt::value(
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
    "Which mail gets a From of ours, for providers that insist on it; local where there is an address \
     for it",
);
const FROM: Opt = Opt::value(
    "from",
    "ADDRESS",
    Value::Text,
    "The address that From becomes then; without it, the user's name where that is an address",
);
const SEND: Opt = Opt::value(
    "to",
    "ADDRESS",
    Value::Text,
    "Send a message there as well, the way that mail to it leaves, and wait for what becomes of it",
);

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let filled = match line.value("preset") {
        Some(preset) => Some(route::fill(preset, line.value("region"))?),
        None if line.has("region") => return Err(usage("--region needs --preset")),
        None => None,
    };
    let lacking = |option| {
        let text = ["still needed: ", option, ", or --preset PROVIDER"].concat();
        usage(&text)
    };
    let preset = filled.as_ref();
    let hosts = hosts(line).or_else(|| Some(vec![preset?.host.clone()]));
    let port = port(line)?.or_else(|| Some(preset?.port));
    let tls = tls(line).or_else(|| Some(preset?.tls));
    let hosts = hosts.ok_or_else(|| lacking("--host <H[,H...]>"))?;
    let port = port.ok_or_else(|| lacking("--port <P>"))?;
    let tls = tls.ok_or_else(|| lacking("--tls <TLS>"))?;
    let (user, from_stdin) = (line.owned("user"), line.has("password-stdin"));
    let password = match (&user, preset) {
        (Some(_), _) => terminal::secret(terminal, from_stdin, "--password-stdin")?,
        (None, Some(preset)) => {
            return Err(usage(&format!(
                "still needed: --user <U>: {}",
                preset.login
            )));
        }
        (None, None) if from_stdin => return Err(usage("--password-stdin needs --user")),
        (None, None) => Secret::default(),
    };
    let request = route::Request::Add(route::Account {
        name: line.text(0),
        hosts,
        port,
        tls,
        user,
        password,
        from_rewrite: rewrite(line),
        from: line.owned("from"),
    });
    change(terminal, global, line, Request::Route(request))
}

fn set(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let from_stdin = line.has("password-stdin");
    let change_ = route::Change {
        name: line.text(0),
        hosts: hosts(line),
        port: port(line)?,
        tls: tls(line),
        user: line.owned("user"),
        password: if from_stdin {
            Some(terminal::secret(terminal, true, "--password-stdin")?)
        } else {
            None
        },
        from_rewrite: rewrite(line),
        from: line.owned("from"),
    };
    let any = [
        "host",
        "port",
        "tls",
        "user",
        "password-stdin",
        "from-rewrite",
        "from",
    ];
    if !any.iter().any(|option| line.has(option)) {
        return Err(usage(
            "say what shall be different (pillarbox route set --help)",
        ));
    }
    let request = Request::Route(route::Request::Set(change_));
    change(terminal, global, line, request)
}

fn hosts(line: &Line) -> Option<Vec<String>> {
    let hosts = line.values("host").flat_map(|hosts| hosts.split(','));
    let hosts: Vec<_> = hosts.map(ToOwned::to_owned).collect();
    (!hosts.is_empty()).then_some(hosts)
}

fn port(line: &Line) -> Result<Option<u16>, Stop> {
    let Some(port) = line.value("port") else {
        return Ok(None);
    };
    match port.parse::<u16>().ok().filter(|port| *port > 0) {
        Some(port) => Ok(Some(port)),
        None => Err(usage("--port is a number from 1 to 65535")),
    }
}

fn tls(line: &Line) -> Option<RouteTls> {
    Some(match line.value("tls")? {
        "none" => RouteTls::None,
        "starttls" => RouteTls::StartTls,
        _ => RouteTls::Implicit,
    })
}

fn rewrite(line: &Line) -> Option<FromRewrite> {
    Some(match line.value("from-rewrite")? {
        "off" => FromRewrite::Off,
        "always" => FromRewrite::Always,
        _ => FromRewrite::Local,
    })
}

fn presets(line: &Line) -> String {
    let presets = Reply::Presets(route::all());
    let lines = if line.json() {
        presets.json()
    } else {
        presets.text()
    };
    lines.join("\n")
}

fn test(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let (name, to) = (line.text(0), line.owned("to"));
    let request = route::Request::Test { name, to };
    look(terminal, global, line, Request::Route(request))
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
