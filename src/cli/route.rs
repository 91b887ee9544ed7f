//! `route`: accounts at other mail servers. Passwords come from standard input or a prompt (HD-2).

use clap::{Subcommand, ValueEnum};

use crate::{
    base::secret::Secret,
    cli::{Change, Global, Read, Removal, Stop, Terminal, change, look, remove, terminal},
    service::operate::{Request, route},
    store::directory::{FromRewrite, RouteTls},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add an account at a mail server that sends for us
    #[command(after_help = "Examples:
  pillarbox route add provider --host smtp.example.net --port 587 --tls starttls \\
      --user me@example.net --password-stdin < file-with-password
  pillarbox route default provider     all mail to others leaves through it

This version keeps mail for others in the queue and does not send it yet.")]
    Add(Box<Add>),
    /// Choose the account that all mail to others leaves through; without NAME, say which it is
    #[command(after_help = "Without a default, mail to others goes straight to their servers.")]
    Default {
        /// A route; it takes what no transport matches and nobody here hosts
        name: Option<String>,
        /// No default any more
        #[arg(long, conflicts_with = "name")]
        unset: bool,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        read: Read,
    },
    /// All routes, without passwords
    List {
        #[command(flatten)]
        read: Read,
    },
    /// Remove a route that nothing uses any more
    Remove {
        name: String,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// A word of your choice
    name: String,
    /// Host names or IP addresses, tried in this order
    #[arg(
        long = "host",
        value_name = "H[,H...]",
        value_delimiter = ',',
        required = true
    )]
    hosts: Vec<String>,
    /// Mostly 587 with starttls, 465 with implicit
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// How the connection is encrypted
    #[arg(long, value_enum)]
    tls: Tls,
    /// The name to log in with; without it nobody logs in
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Read the password from standard input, one line
    #[arg(long, requires = "user")]
    password_stdin: bool,
    /// Which mail gets a From of ours, for providers that insist on it
    #[arg(long, value_enum, default_value_t = Rewrite::Local)]
    from_rewrite: Rewrite,
    #[command(flatten)]
    change: Change,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Tls {
    /// In clear: only inside your own network
    None,
    /// In clear first, then encrypted; nothing is sent if that fails
    Starttls,
    /// Encrypted from the first octet
    Implicit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Rewrite {
    /// None
    Off,
    /// That of this machine's own programs (root@localhost and the like)
    Local,
    /// All
    Always,
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Add(add) => {
            let password = match add.user {
                Some(_) => terminal::secret(terminal, add.password_stdin, "--password-stdin")?,
                None => Secret::default(),
            };
            let request = route::Request::Add(route::Account {
                name: add.name,
                hosts: add.hosts,
                port: add.port,
                tls: match add.tls {
                    Tls::None => RouteTls::None,
                    Tls::Starttls => RouteTls::StartTls,
                    Tls::Implicit => RouteTls::Implicit,
                },
                user: add.user,
                password,
                from_rewrite: match add.from_rewrite {
                    Rewrite::Off => FromRewrite::Off,
                    Rewrite::Local => FromRewrite::Local,
                    Rewrite::Always => FromRewrite::Always,
                },
            });
            change(terminal, global, add.change, Request::Route(request))
        }
        Verb::Default {
            name: None,
            unset: false,
            read,
            ..
        } => {
            let request = Request::Route(route::Request::Default);
            look(terminal, global, read, request)
        }
        Verb::Default {
            name, change: how, ..
        } => {
            let request = Request::Route(route::Request::SetDefault { name });
            change(terminal, global, how, request)
        }
        Verb::List { read } => {
            let request = Request::Route(route::Request::List);
            look(terminal, global, read, request)
        }
        Verb::Remove { name, removal } => {
            let question = format!("Remove route {}?", name.escape_debug());
            let request = Request::Route(route::Request::Remove { name });
            remove(terminal, global, removal, &question, request)
        }
    }
}
