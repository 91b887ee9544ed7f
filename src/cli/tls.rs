//! `tls`: show, import.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use crate::{
    base::secret::Secret,
    cli::{
        Global, Stop, Terminal, change,
        line::Line,
        look,
        table::{Argument, CHANGE, Command, READ, Value},
    },
    net::certificate::PEM_MAX,
    service::operate::{Kind, Problem, Request, tls},
};

pub(super) const NOUN: Command = Command::noun(
    "tls",
    "Certificates, with which connections are encrypted",
    &[
        Command::verb(
            "import",
            "Copy a certificate and its key into the data folder; in effect at once for the names in it",
            import,
        )
        .takes(&[
            Argument::one("CERTIFICATE", "PEM: the certificate, then its chain").of(Value::Path),
            Argument::one("KEY", "PEM: the certificate's private key, not encrypted")
                .of(Value::Path),
        ])
        .with(CHANGE),
        Command::verb(
            "show",
            "Each certificate: its names, who signed it, until when, where it comes from",
            show,
        )
        .with(READ),
    ],
);

fn import(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    // By us: the server may not be allowed to.
    let request = tls::Request::Import {
        certificate: contents(&line.path(0).unwrap_or_default())?,
        key: contents(&line.path(1).unwrap_or_default())?,
    };
    change(terminal, global, line, Request::Tls(request))
}

fn show(terminal: &mut Terminal<'_>, global: &Global, line: &Line) -> Result<u8, Stop> {
    look(terminal, global, line, Request::Tls(tls::Request::Show))
}

/// One octet more than is allowed shows that there is too much.
fn contents(path: &Path) -> Result<Secret, Problem> {
    let limit = u64::try_from(PEM_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut octets));
    let octets = Secret::new(octets);
    match read {
        Ok(_) => Ok(octets),
        Err(error) => {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied => Kind::NotAllowed,
                io::ErrorKind::NotFound => Kind::NoSuch,
                _ => Kind::BadData,
            };
            Err(Problem::new(kind, format!("{}: {error}", path.display())))
        }
    }
}
