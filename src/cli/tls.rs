//! `tls`: show, import.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;

use crate::{
    base::secret::Secret,
    cli::{Change, Global, Read, Stop, Terminal, change, look},
    net::certificate::PEM_MAX,
    service::operate::{Kind, Problem, Request, tls},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Copy a certificate and its key into the data folder; in effect at once for the names in it
    Import {
        /// PEM: the certificate, then its chain
        certificate: PathBuf,
        /// PEM: the certificate's private key, not encrypted
        key: PathBuf,
        #[command(flatten)]
        change: Change,
    },
    /// Each certificate: its names, who signed it, until when, where it comes from
    Show {
        #[command(flatten)]
        read: Read,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Import {
            certificate,
            key,
            change: how,
        } => {
            // By us: the server may not be allowed to.
            let request = tls::Request::Import {
                certificate: contents(&certificate)?,
                key: contents(&key)?,
            };
            change(terminal, global, how, Request::Tls(request))
        }
        Verb::Show { read } => look(terminal, global, read, Request::Tls(tls::Request::Show)),
    }
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
