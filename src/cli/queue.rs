//! `queue`: mail that waits to leave (OQ-8; what changes its way comes with sending).

use clap::Subcommand;

use crate::{
    cli::{Global, Read, Removal, Stop, Terminal, look, remove},
    service::operate::{Request, queue},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// What waits, the oldest first
    #[command(
        after_help = "This version keeps mail for others in the queue and does not send it yet."
    )]
    List {
        #[command(flatten)]
        read: Read,
    },
    /// Take a message out of the queue; it is not sent, and its sender is not told
    Remove {
        /// As it is listed; the log says "queued as ID"
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
    /// One message: its sender, who it is for, and why it waits
    Show {
        /// As it is listed; the log says "queued as ID"
        id: String,
        #[command(flatten)]
        read: Read,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::List { read } => {
            let request = Request::Queue(queue::Request::List);
            look(terminal, global, read, request)
        }
        Verb::Remove { id, removal } => {
            let question = format!("Remove {} without sending it?", id.escape_debug());
            let request = Request::Queue(queue::Request::Remove { id });
            remove(terminal, global, removal, &question, request)
        }
        Verb::Show { id, read } => {
            let request = Request::Queue(queue::Request::Show { id });
            look(terminal, global, read, request)
        }
    }
}
