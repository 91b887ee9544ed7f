//! `app-password`: a password for each device, made here, shown once.

use clap::Subcommand;

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Terminal, look, print, reach, remove},
    service::operate::{Call, Reply, Request, app_password},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a password for a device; it is shown once
    #[command(after_help = "Example:
  pillarbox app-password add anna@example.org \"Anna's phone\"

The log-in name stays the full address. The person's own password keeps working.")]
    Add {
        /// Whose mailbox: the full address
        user: String,
        /// What the device is called, so that you find it again
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// The app passwords of a person, without the passwords themselves
    List {
        /// The full address
        user: String,
        #[command(flatten)]
        read: Read,
    },
    /// Lock a device out
    Remove {
        /// The full address
        user: String,
        /// Number or name, as they are listed
        #[arg(value_name = "ID|NAME")]
        which: String,
        #[command(flatten)]
        removal: Removal,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Add { user, name, change } => {
            let call = Call {
                request: Request::AppPassword(app_password::Request::Add { user, name }),
                dry_run: change.dry_run,
            };
            let reply = reach::carry_out(terminal, global, &call)?;
            match &reply {
                // It is what was asked for, and nobody can ask again.
                Reply::AppPassword(made) if global.quiet => {
                    terminal.line(&made.password());
                    Ok(0)
                }
                reply => Ok(print(terminal, Read { json: false }, reply)),
            }
        }
        Verb::List { user, read } => {
            let request = Request::AppPassword(app_password::Request::List { user });
            look(terminal, global, read, request)
        }
        Verb::Remove {
            user,
            which,
            removal,
        } => {
            let shown = which.escape_debug();
            let question = format!("Remove app password {shown} of {}?", user.escape_debug());
            let request = Request::AppPassword(app_password::Request::Remove { user, which });
            remove(terminal, global, removal, &question, request)
        }
    }
}
