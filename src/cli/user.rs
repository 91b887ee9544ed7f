//! `user`: people with a mailbox. Passwords come from standard input or a prompt, never from
//! arguments (HD-2).

use clap::{Args, Subcommand};

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Terminal, change, look, remove, terminal},
    config::value::parse_size,
    service::operate::{Kind, Problem, Request, user},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a person with a mailbox; usable at once
    #[command(after_help = "Examples:
  pillarbox user add anna@example.org             asks for the password
  pillarbox user add anna@example.org --quota 2GiB --password-stdin < file-with-password
  pillarbox user add anna@example.org --password-hash-stdin < file-with-hash
                            a hash from another mail server, like {SHA512-CRYPT}$6$...;
                            the old password keeps working")]
    Add {
        /// The full address, which is the log-in name too
        address: String,
        /// Room for mail, like 500MiB or 2GiB; 0 = no limit
        #[arg(long, value_name = "SIZE", value_parser = size, default_value = "0")]
        quota: u64,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        change: Change,
    },
    /// Nobody can log in; mail is no longer accepted
    Disable {
        address: String,
        #[command(flatten)]
        change: Change,
    },
    /// Undo disable
    Enable {
        address: String,
        #[command(flatten)]
        change: Change,
    },
    /// All people
    List {
        /// Also those who were removed and whose mail is kept
        #[arg(long)]
        removed: bool,
        #[command(flatten)]
        read: Read,
    },
    /// Give a new password
    Passwd {
        address: String,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        change: Change,
    },
    /// Set the room for mail
    Quota {
        address: String,
        /// Like 500MiB or 2GiB; 0 = no limit
        #[arg(value_name = "SIZE", value_parser = size)]
        quota: u64,
        #[command(flatten)]
        change: Change,
    },
    /// Remove a person; the mail is kept for 30 days
    #[command(
        after_help = "There is no command yet that gives kept mail back; to lock somebody out and keep all,
use: pillarbox user disable ADDRESS"
    )]
    Remove {
        address: String,
        /// The mail goes at once
        #[arg(long)]
        purge: bool,
        #[command(flatten)]
        removal: Removal,
    },
    /// Give another address; mail and password stay
    Rename {
        address: String,
        /// The new address
        to: String,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Args, Debug)]
pub(super) struct Password {
    /// Read the password from standard input, one line
    #[arg(long)]
    password_stdin: bool,
    /// Read a hash of the password from standard input, one line: SHA512-CRYPT, SHA256-CRYPT,
    /// MD5-CRYPT or bcrypt, with or without {SCHEME} in front, or {PLAIN}password
    #[arg(long, conflicts_with = "password_stdin")]
    password_hash_stdin: bool,
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    let (how, request) = match verb {
        Verb::Add {
            address,
            quota,
            password,
            change,
        } => {
            let password = secret(terminal, &password)?;
            let request = user::Request::Add {
                address,
                password,
                quota,
            };
            (change, request)
        }
        Verb::Disable { address, change } => (change, user::Request::Disable { address }),
        Verb::Enable { address, change } => (change, user::Request::Enable { address }),
        Verb::List { removed, read } => {
            let request = Request::User(user::Request::List { removed });
            return look(terminal, global, read, request);
        }
        Verb::Passwd {
            address,
            password,
            change,
        } => {
            let password = secret(terminal, &password)?;
            (change, user::Request::Passwd { address, password })
        }
        Verb::Quota {
            address,
            quota,
            change,
        } => (change, user::Request::Quota { address, quota }),
        Verb::Remove {
            address,
            purge,
            removal,
        } => {
            let asks = !removal.yes && !removal.change.dry_run;
            if purge && asks && !terminal.can_ask() {
                let text = "--purge deletes all mail: where nobody can be asked it needs --yes";
                return Err(Problem::new(Kind::Usage, text).into());
            }
            let mail = if purge {
                "All mail is deleted"
            } else {
                "The mail is kept for 30 days"
            };
            let question = format!("Remove {}? {mail}.", address.escape_debug());
            let request = Request::User(user::Request::Remove { address, purge });
            return remove(terminal, global, removal, &question, request);
        }
        Verb::Rename {
            address,
            to,
            change,
        } => (change, user::Request::Rename { address, to }),
    };
    change(terminal, global, how, Request::User(request))
}

fn secret(terminal: &mut Terminal<'_>, from: &Password) -> Result<user::Password, Stop> {
    if from.password_hash_stdin {
        let hash = terminal::secret(terminal, true, "")?;
        return Ok(user::Password::Hash(hash));
    }
    let clear = terminal::secret(terminal, from.password_stdin, "--password-stdin")?;
    Ok(user::Password::Clear(clear))
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "write it like 500MiB or 2GiB; 0 = no limit".to_owned())
}
