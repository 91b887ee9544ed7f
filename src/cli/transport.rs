//! `transport`: where mail goes next (`spec/mail.md` section 5).

use clap::Subcommand;

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Terminal, change, look, remove},
    service::operate::{Request, transport},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Say where mail for a pattern goes
    #[command(after_help = "PATTERN, the most specific wins:
  joe+tag@example.com  this address
  joe@example.com      this address, also joe+anything@example.com
  example.com          the domain
  .example.com         every name below the domain, not the domain itself
  *                    all mail, also for domains here

TARGET:
  smtp:example.net            to the mail servers (MX) of example.net
  smtp:[mail.example.net]     to that host itself; also [192.0.2.1] or [2001:db8::1]
  smtp:[mail.example.net]:26  at another port
  relay:NAME                  through the account that \"route add NAME\" made
  lmtp:unix:/path, lmtp:[host]:port   to a mailbox server, over LMTP
  error:5.1.2 some text       refused, with this status and text
  discard:                    taken and dropped
  :                           as if no pattern matched")]
    Add {
        pattern: String,
        target: String,
        #[command(flatten)]
        change: Change,
    },
    /// All transports, the most specific pattern first
    List {
        #[command(flatten)]
        read: Read,
    },
    /// Forget a transport
    Remove {
        /// As it is listed
        pattern: String,
        #[command(flatten)]
        removal: Removal,
    },
    /// Which transport would mail for an address take? Exit code 1 if none matches
    Test {
        address: String,
        #[command(flatten)]
        read: Read,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    match verb {
        Verb::Add {
            pattern,
            target,
            change: how,
        } => {
            let request = Request::Transport(transport::Request::Add { pattern, target });
            change(terminal, global, how, request)
        }
        Verb::List { read } => {
            let request = Request::Transport(transport::Request::List);
            look(terminal, global, read, request)
        }
        Verb::Remove { pattern, removal } => {
            let question = format!("Remove transport {}?", pattern.escape_debug());
            let request = Request::Transport(transport::Request::Remove { pattern });
            remove(terminal, global, removal, &question, request)
        }
        Verb::Test { address, read } => {
            let request = Request::Transport(transport::Request::Test { address });
            look(terminal, global, read, request)
        }
    }
}
