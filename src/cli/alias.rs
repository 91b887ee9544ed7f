//! `alias`: addresses that stand for others (FW-13).

use clap::Subcommand;

use crate::{
    cli::{Change, Global, Read, Removal, Stop, Switch, Terminal, change, look, remove},
    service::operate::{Kind, Problem, Request, alias},
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Forward mail for an address; further targets are added to those that are there
    #[command(after_help = "Examples:
  pillarbox alias add info@example.org anna@example.org
  pillarbox alias add family@example.org anna@example.org,ben@example.org
  pillarbox alias add anna@example.org anna@example.org,anna@example.net
                            keep a copy here and send one elsewhere
  pillarbox alias add @example.org anna@example.org
                            catch-all: whatever nobody else has goes to anna
  pillarbox alias add @example.net @example.org
                            the same names at another domain
  pillarbox alias add - < file
                            many at once, a line each: SOURCE TARGET[,TARGET...]
                            empty lines and lines that begin with # do not count;
                            if one line is wrong, nothing is added")]
    Add {
        /// An address or @domain; - reads lines from standard input
        source: String,
        /// Addresses it stands for, with commas between them; @domain if SOURCE is one
        #[arg(value_name = "TARGET[,TARGET...]")]
        targets: Vec<String>,
        /// Whether forwarded mail that leaves gets a sender address of ours (SRS), so that other
        /// servers accept it
        #[arg(long, value_enum)]
        srs: Option<Switch>,
        #[command(flatten)]
        change: Change,
    },
    /// As if it were not there
    Disable {
        source: String,
        #[command(flatten)]
        change: Change,
    },
    /// Undo disable
    Enable {
        source: String,
        #[command(flatten)]
        change: Change,
    },
    /// All aliases, or those of one domain
    List {
        domain: Option<String>,
        #[command(flatten)]
        read: Read,
    },
    /// Remove one target, or the alias with all of them
    Remove {
        source: String,
        target: Option<String>,
        #[command(flatten)]
        removal: Removal,
    },
    /// Where would mail for an address go? Each step and the end; exit code 1 if it is refused
    Test {
        address: String,
        #[command(flatten)]
        read: Read,
    },
}

pub(super) fn run(terminal: &mut Terminal<'_>, global: &Global, verb: Verb) -> Result<u8, Stop> {
    let (how, request) = match verb {
        Verb::Add {
            source,
            targets,
            srs,
            change,
        } => {
            let srs = srs.map(|srs| matches!(srs, Switch::On));
            (change, add(terminal, source, &targets, srs)?)
        }
        Verb::Disable { source, change } => (change, alias::Request::Disable { source }),
        Verb::Enable { source, change } => (change, alias::Request::Enable { source }),
        Verb::List { domain, read } => {
            let request = Request::Alias(alias::Request::List { domain });
            return look(terminal, global, read, request);
        }
        Verb::Remove {
            source,
            target,
            removal,
        } => {
            let shown = source.escape_debug();
            let question = match &target {
                Some(target) => format!("Remove {} from {shown}?", target.escape_debug()),
                None => format!("Remove {shown} with all its targets?"),
            };
            let request = Request::Alias(alias::Request::Remove { source, target });
            return remove(terminal, global, removal, &question, request);
        }
        Verb::Test { address, read } => {
            let request = Request::Alias(alias::Request::Test { address });
            return look(terminal, global, read, request);
        }
    };
    change(terminal, global, how, Request::Alias(request))
}

fn add(
    terminal: &mut Terminal<'_>,
    source: String,
    targets: &[String],
    srs: Option<bool>,
) -> Result<alias::Request, Stop> {
    match (source.as_str(), targets) {
        ("-", []) => {
            let text = terminal.text("aliases")?;
            Ok(alias::Request::AddMany { text, srs })
        }
        ("-", _) => {
            let text = "after - there is nothing: the lines come from standard input";
            Err(Problem::new(Kind::Usage, text).into())
        }
        (_, []) => {
            let text = "say where the mail goes: pillarbox alias add SOURCE TARGET";
            Err(Problem::new(Kind::Usage, text).into())
        }
        _ => Ok(alias::Request::Add {
            source,
            targets: targets.join(" "),
            srs,
        }),
    }
}
