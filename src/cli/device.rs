//! `device`: printers and cameras that send mail (LM-10).

use crate::{
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look, remove, shown,
        table::{Argument, Command, DRY_RUN, Opt, READ, REMOVAL, Value},
    },
    service::operate::{Request, device},
};

pub(super) const NOUN: Command = Command::noun(
    "device",
    "Printers, cameras and the like that send mail without a password",
    &[
        Command::verb(
            "add",
            "Let a machine of the house send (listen.devices)",
            add,
        )
        .takes(&[
            Argument::one("NAME", "What you call it: printer"),
            Argument::one("ADDRESS", "Its IP address, or a range like 192.168.1.0/28"),
        ])
        .with(&[
            Opt::value(
                "from",
                "SENDERS",
                Value::Text,
                "The addresses it may send from, or @domain [default: all]",
            )
            .many(),
            Opt::value(
                "to",
                "RECIPIENTS",
                Value::Text,
                "The addresses it may send to, or @domain [default: all]",
            )
            .many(),
            Opt::value("rate", "RATE", Value::Text, "Messages an hour, like 60/h"),
            DRY_RUN,
        ])
        .more(
            "The device is set up without encryption; any name and password will do.

Examples:
  pillarbox device add printer 192.168.1.7 --from scan@home.test --to @home.test
  pillarbox device add cameras 192.168.1.64/28 --rate 200/h",
        ),
        Command::verb("list", "All devices", list).with(READ),
        Command::verb("remove", "No longer let it send", forget)
            .takes(&[Argument::one("NAME", "As it is listed")])
            .with(REMOVAL),
    ],
);

fn add(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let all = |long| line.values(long).map(ToOwned::to_owned).collect();
    let request = device::Request::Add {
        name: line.text(0),
        addresses: vec![line.text(1)],
        senders: all("from"),
        recipients: all("to"),
        rate: line.owned("rate"),
    };
    change(terminal, global, line, Request::Device(request))
}

fn list(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let request = Request::Device(device::Request::List);
    look(terminal, global, line, request)
}

fn forget(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    let name = line.text(0);
    let question = ["Remove device ", &shown(&name), "?"].concat();
    let request = Request::Device(device::Request::Remove { name });
    remove(terminal, global, line, &question, request)
}
