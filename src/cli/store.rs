//! `store`: check and rebuild.

use clap::Subcommand;

use crate::{
    cli::{Global, Read, Removal, Stop, Terminal, look, remove},
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
        #[command(flatten)]
        removal: Removal,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Check { read } => {
            let request = Request::Store(store::Request::Check);
            look(terminal, global, read, request)
        }
        Verb::Rebuild { removal } => {
            let question = "Make the index anew? This may take minutes.";
            let request = Request::Store(store::Request::Rebuild);
            remove(terminal, global, removal, question, request)
        }
    }
}
