//! `access`: whose mail is taken on the MX (SR-18).

use clap::{Subcommand, ValueEnum};

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Terminal, change, look, remove},
    service::operate::{Request, access},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Take mail from other servers or turn it away (port 25); the narrowest range that fits decides
    #[command(
        after_help = "People who log in, and mail programs, are not asked: this is about listen.mx alone.

Examples:
  pillarbox access add 203.0.113.0/24 reject   mail from these addresses is refused
  pillarbox access add 203.0.113.7 ok          but not from this one of them"
    )]
    Add {
        /// An IP address, or a range like 192.0.2.0/24 or 2001:db8::/32
        #[arg(value_name = "CIDR")]
        range: String,
        /// Take their mail or turn it away
        #[arg(value_name = "ok|reject")]
        verdict: Verdict,
        #[command(flatten)]
        change: Change,
    },
    /// All ranges
    List {
        #[command(flatten)]
        read: Read,
    },
    /// Forget a range
    Remove {
        /// As it is listed
        #[arg(value_name = "CIDR")]
        range: String,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Verdict {
    /// Their mail is taken
    Ok,
    /// They are told "Client host rejected"
    Reject,
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Add {
            range,
            verdict,
            change: how,
        } => {
            let allow = matches!(verdict, Verdict::Ok);
            let request = Request::Access(access::Request::Add { range, allow });
            change(terminal, global, how, request)
        }
        Verb::List { read } => {
            let request = Request::Access(access::Request::List);
            look(terminal, global, read, request)
        }
        Verb::Remove { range, removal } => {
            let question = format!("Remove {}?", range.escape_debug());
            let request = Request::Access(access::Request::Remove { range });
            remove(terminal, global, removal, &question, request)
        }
    }
}
