//! `store`: check and rebuild.

use clap::Subcommand;

use crate::{
    cli::{Change, Global, Read, Stop, Terminal, change, look},
    service::operate::{Request, store},
};

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum Verb {
    /// Read everything and name what is damaged; exit code 2 if there is damage
    Check {
        #[command(flatten)]
        read: Read,
    },
    /// Make the index anew from the log: same mail, flags and UIDs
    Rebuild {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        change: Change,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Check { read } => {
            let request = Request::Store(store::Request::Check);
            look(terminal, global, read, request)
        }
        Verb::Rebuild { yes, change: how } => {
            if !yes && !how.dry_run {
                terminal.confirm("Make the index anew? This may take minutes.")?;
            }
            let request = Request::Store(store::Request::Rebuild);
            change(terminal, global, how, request)
        }
    }
}
