//! `domain`: names that this box answers for.

use clap::{Subcommand, ValueEnum};

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Terminal, change, look, remove},
    service::operate::{Request, domain},
    store::directory::DomainClass,
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a domain; it is in effect at once
    #[command(after_help = "Examples:
  pillarbox domain add example.org
  pillarbox domain add example.net --class alias
  pillarbox domain add example.com --class relay --recipients-stdin < file
                            a line for each address that is known there; the same command
                            again puts another list in its place

localhost and the box's own name (hostname) are there by themselves, as class local.")]
    Add {
        /// As people write it; IDNA names in either form
        name: String,
        /// What the domain is to us
        #[arg(long, value_enum, default_value_t = Class::Mailbox)]
        class: Class,
        /// Take mail for these addresses only, one a line on standard input (relay and backup)
        #[arg(long)]
        recipients_stdin: bool,
        #[command(flatten)]
        change: Change,
    },
    /// As if it were not there; mail for it is refused
    Disable {
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// Undo disable
    Enable {
        name: String,
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
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Class {
    /// Mailboxes are here, and forwardings
    Mailbox,
    /// Forwardings only
    Alias,
    /// Names of this machine itself, like localhost
    Local,
    /// Mail is taken and passed on to the server that has the mailboxes
    Relay,
    /// Mail is taken and kept while the main server is away
    Backup,
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    let (how, request) = match verb {
        Verb::Add {
            name,
            class,
            recipients_stdin,
            change,
        } => {
            let class = match class {
                Class::Alias => DomainClass::Alias,
                Class::Backup => DomainClass::Backup,
                Class::Local => DomainClass::Local,
                Class::Mailbox => DomainClass::Mailbox,
                Class::Relay => DomainClass::Relay,
            };
            let recipients = if recipients_stdin {
                Some(terminal.text("addresses")?)
            } else {
                None
            };
            let request = domain::Request::Add {
                name,
                class,
                recipients,
            };
            (change, request)
        }
        Verb::Disable { name, change } => (change, domain::Request::Disable { name }),
        Verb::Enable { name, change } => (change, domain::Request::Enable { name }),
        Verb::List { read } => {
            let request = Request::Domain(domain::Request::List);
            return look(terminal, global, read, request);
        }
        Verb::Remove { name, removal } => {
            let question = format!("Remove domain {}?", name.escape_debug());
            let request = Request::Domain(domain::Request::Remove { name });
            return remove(terminal, global, removal, &question, request);
        }
    };
    change(terminal, global, how, Request::Domain(request))
}
