//! `transport`: where mail goes next (`spec/mail.md` section 5).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, Command, DRY_RUN, JSON, Opt, READ, REMOVAL, Value, Word},
    },
    service::operate::{Request, transport},
    store::directory::TransportTls,
};

pub(super) const NOUN: Command = Command::noun(
    "transport",
    "Where mail for an address or a domain goes next",
    &[
        Command::verb("add", "Say where mail for a pattern goes", add)
            .takes(&[Argument::one("PATTERN", ""), Argument::one("TARGET", "")])
            .with(&[TLS, DRY_RUN])
            .more(FORMS),
        Command::verb(
            "list",
            "All transports, the most specific pattern first",
            list,
        )
        .with(READ),
        Command::verb("remove", "Forget a transport", forget)
            .takes(&[Argument::one("PATTERN", "As it is listed")])
            .with(REMOVAL),
        Command::verb(
            "test",
            "Which transport would mail for an address take? Exit code 1 if none matches",
            test,
        )
        .takes(&[Argument::one("ADDRESS", "")])
        .with(&[FROM, JSON]),
    ],
);

const TLS: Opt = Opt::value(
    "tls",
    "TLS",
    Value::OneOf(&[
        Word("none", "In clear: only inside your own network"),
        Word("may", "Where it is offered, whoever it is"),
        Word("encrypt", "Always, whoever it is"),
        Word("verify", "Always, with a certificate for the host's name"),
    ]),
    "How the way is secured, whatever DANE and MTA-STS say (smtp: and lmtp:[host] only)",
);

const FROM: Opt = Opt::value(
    "from",
    "SENDER",
    Value::Text,
    "The mail's sender, for the patterns from:",
);

const FORMS: &str = "PATTERN, the most specific wins:
  joe+tag@example.com  this address
  joe@example.com      this address, also joe+anything@example.com
  example.com          the domain
  .example.com         every name below the domain, not the domain itself
  from:joe@example.com, from:example.com   all mail to others from this sender, or from this domain
  *                    all mail, also for domains here

TARGET:
  smtp:example.net            to the mail servers (MX) of example.net
  smtp:[mail.example.net]     to that host itself; also [192.0.2.1] or [2001:db8::1]
  smtp:[mail.example.net]:26  at another port
  relay:NAME                  through the account that \"route add NAME\" made
  lmtp:unix:/path, lmtp:[host]:port   to a mailbox server, over LMTP
  error:5.1.2 some text       refused, with this status and text
  discard:                    taken and dropped
  :                           as if no pattern matched";

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = transport::Request::Add {
        pattern: line.text(0),
        target: line.text(1),
        tls: match line.value("tls") {
            Some("none") => Some(TransportTls::None),
            Some("may") => Some(TransportTls::May),
            Some("encrypt") => Some(TransportTls::Encrypt),
            Some("verify") => Some(TransportTls::Verify),
            _ => None,
        },
    };
    change(terminal, global, line, Request::Transport(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = Request::Transport(transport::Request::List);
    look(terminal, global, line, request)
}

fn forget(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let pattern = line.text(0);
    let question = ["Remove transport ", &shown(&pattern), "?"].concat();
    let request = Request::Transport(transport::Request::Remove { pattern });
    remove(terminal, global, line, &question, request)
}

fn test(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let address = line.text(0);
    let from = line.value("from").map(ToOwned::to_owned);
    let request = Request::Transport(transport::Request::Test { address, from });
    look(terminal, global, line, request)
}
