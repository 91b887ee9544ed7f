//! `dkim`: the keys with which a domain's mail is signed.

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look,
        table::{Argument, Command, DRY_RUN, Opt, READ},
    },
    service::operate::{Request, dkim},
};

pub(super) const NOUN: Command = Command::noun(
    "dkim",
    "Keys with which mail of a domain is signed",
    &[
        Command::verb("rotate", "Make new keys for a domain", rotate)
            .takes(&[DOMAIN])
            .with(&[
                Opt::flag(
                    "now",
                    "Sign with the new keys at once, whether DNS shows them or not",
                ),
                DRY_RUN,
            ])
            .more(
                "The old keys go on signing until DNS shows the new ones, which the running box looks at every
hour. Leave the old records in DNS for 7 days more: what was signed with them is on its way.",
            ),
        Command::verb(
            "show",
            "The DNS records of a domain's keys: panel fields, quoted pieces, zone file",
            show,
        )
        .takes(&[DOMAIN])
        .with(READ),
    ],
);

const DOMAIN: Argument = Argument::one("DOMAIN", "");

fn rotate(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = dkim::Request::Rotate {
        domain: line.text(0),
        now: line.has("now"),
    };
    change(terminal, global, line, Request::Dkim(request))
}

fn show(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let domain = line.text(0);
    let request = dkim::Request::Show { domain };
    look(terminal, global, line, Request::Dkim(request))
}
