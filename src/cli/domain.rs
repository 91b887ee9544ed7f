//! `domain`: add, remove, list.

use clap::{Subcommand, ValueEnum};

use crate::{
    cli::{Change, Global, Read, Stop, Terminal, change, look},
    service::operate::{Request, domain},
    store::directory::DomainClass,
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a domain; it is in effect at once
    Add {
        /// As people write it; IDNA names in either form
        name: String,
        /// What the domain is to us
        #[arg(long, value_enum, default_value_t = Class::Mailbox)]
        class: Class,
        #[command(flatten)]
        change: Change,
    },
    /// All domains
    List {
        #[command(flatten)]
        read: Read,
    },
    /// Remove a domain at which nobody has an address any more
    Remove {
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        change: Change,
    },
}

/// Classes that exist so far.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Class {
    /// Mailboxes are here
    Mailbox,
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Add {
            name,
            class: Class::Mailbox,
            change: how,
        } => {
            let class = DomainClass::Mailbox;
            let request = Request::Domain(domain::Request::Add { name, class });
            change(terminal, global, how, request)
        }
        Verb::List { read } => {
            let request = Request::Domain(domain::Request::List);
            look(terminal, global, read, request)
        }
        Verb::Remove {
            name,
            yes,
            change: how,
        } => {
            if !yes && !how.dry_run {
                terminal.confirm(&format!("Remove domain {}?", name.escape_debug()))?;
            }
            let request = Request::Domain(domain::Request::Remove { name });
            change(terminal, global, how, request)
        }
    }
}
