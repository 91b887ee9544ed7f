//! The command line: one file per noun, each makes a request of `service::operate` and prints its
//! reply. Names and exit codes are an interface (design section 6, `spec/ux.md` section 3.13).

mod access;
mod alias;
mod app_password;
mod completion;
mod config;
mod domain;
mod load;
mod man;
mod queue;
mod reach;
mod route;
mod serve;
mod status;
mod store;
mod terminal;
mod tls;
mod transport;
mod user;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Command, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::service::operate::{Call, Problem, Reply, Request};

pub use reach::options;
pub use terminal::Terminal;

/// A mail appliance in one process and one data folder.
#[derive(Debug, Parser)]
#[command(
    name = "pillarbox",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    noun: Noun,
}

/// What may stand anywhere on the line.
#[derive(Args, Clone, Debug)]
struct Global {
    /// The configuration file [default: /etc/pillarbox/pillarbox.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; the control socket is then in it, too
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Say nothing about what went well
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Other servers whose mail is taken or refused
    #[command(subcommand)]
    Access(access::Verb),
    /// Addresses that stand for others: forwardings, catch-alls, lists
    #[command(subcommand)]
    Alias(alias::Verb),
    /// Extra passwords, one for each phone or program
    #[command(subcommand)]
    AppPassword(app_password::Verb),
    /// Make a shell complete these commands at the Tab key
    #[command(after_help = completion::HELP)]
    Completion {
        /// Which shell
        shell: completion::Shell,
    },
    /// Check and show the configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// Domains that are ours
    #[command(subcommand)]
    Domain(domain::Verb),
    /// The manual, as a man page
    #[command(after_help = man::HELP)]
    Man,
    /// Mail that waits to leave
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Accounts at other mail servers through which mail leaves (smart hosts)
    #[command(subcommand)]
    Route(route::Verb),
    /// Run the appliance
    Serve,
    /// Is it well? Exit code 0 = ok, 1 = warning, 2 = failing
    Status(Read),
    /// The store itself
    #[command(subcommand)]
    Store(store::Verb),
    /// Certificates, with which connections are encrypted
    #[command(subcommand)]
    Tls(tls::Verb),
    /// Where mail for an address or a domain goes next
    #[command(subcommand)]
    Transport(transport::Verb),
    /// People with a mailbox
    #[command(subcommand)]
    User(user::Verb),
    /// The version
    Version(Read),
}

/// Options of verbs that only look.
#[derive(Args, Clone, Copy, Debug)]
struct Read {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Options of verbs that change something.
#[derive(Args, Clone, Copy, Debug)]
struct Change {
    /// Say what would happen, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Options of verbs that take something away.
#[derive(Args, Clone, Copy, Debug)]
struct Removal {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    change: Change,
}

/// A switch as a word.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    Off,
    On,
}

/// Why a command ends early.
#[derive(Debug)]
enum Stop {
    /// Somebody said no.
    Declined,
    /// Mistakes in the configuration, as lines.
    Mistakes(Vec<String>),
    Problem(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Carries out a command line, the program's name first; returns the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    Terminal::with_real(|terminal| run_in(terminal, arguments))
}

/// The same with streams and environment given.
pub fn run_in(terminal: &mut Terminal<'_>, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render().to_string();
            if error.use_stderr() {
                terminal.complain(text.trim_end());
                return 64;
            }
            terminal.line(text.trim_end());
            return terminal.end(0);
        }
    };
    let global = &arguments.global;
    let result = match arguments.noun {
        Noun::Access(verb) => access::run(terminal, global, verb),
        Noun::Alias(verb) => alias::run(terminal, global, verb),
        Noun::AppPassword(verb) => app_password::run(terminal, global, verb),
        Noun::Completion { shell } => {
            completion::run(terminal, shell);
            Ok(0)
        }
        Noun::Config(verb) => config::run(terminal, global, verb),
        Noun::Domain(verb) => domain::run(terminal, global, verb),
        Noun::Man => {
            man::run(terminal);
            Ok(0)
        }
        Noun::Queue(verb) => queue::run(terminal, global, verb),
        Noun::Route(verb) => route::run(terminal, global, verb),
        Noun::Serve => serve::run(terminal, global),
        Noun::Status(read) => status::run(terminal, global, read),
        Noun::Store(verb) => store::run(terminal, global, verb),
        Noun::Tls(verb) => tls::run(terminal, global, verb),
        Noun::Transport(verb) => transport::run(terminal, global, verb),
        Noun::User(verb) => user::run(terminal, global, verb),
        Noun::Version(read) => Ok(version(terminal, read)),
    };
    let exit = match result {
        Ok(exit) => exit,
        Err(Stop::Declined) => {
            terminal.complain("pillarbox: nothing was done");
            1
        }
        Err(Stop::Mistakes(lines)) => {
            for line in lines {
                terminal.complain(&line);
            }
            78
        }
        Err(Stop::Problem(problem)) => {
            terminal.complain(&format!("pillarbox: {}", problem.text));
            problem.kind.exit()
        }
    };
    terminal.end(exit)
}

fn version(terminal: &mut Terminal<'_>, read: Read) -> u8 {
    let version = env!("CARGO_PKG_VERSION");
    if read.json {
        terminal.line(&serde_json::json!({ "version": version }).to_string());
    } else {
        terminal.line(&format!("pillarbox {version}"));
    }
    0
}

/// The table of all nouns, verbs and options, with what is common to all in each of them.
fn table() -> Command {
    let mut table = Arguments::command();
    table.build();
    table
}

/// A verb that only looks: asks and prints.
fn look(
    terminal: &mut Terminal<'_>,
    global: &Global,
    read: Read,
    request: Request,
) -> Result<u8, Stop> {
    let call = Call {
        request,
        dry_run: false,
    };
    let reply = reach::carry_out(terminal, global, &call)?;
    Ok(print(terminal, read, &reply))
}

fn print(terminal: &mut Terminal<'_>, read: Read, reply: &Reply) -> u8 {
    let lines = if read.json {
        reply.json()
    } else {
        reply.text()
    };
    for line in lines {
        terminal.line(&line);
    }
    reply.exit()
}

/// A verb that takes something away: asks first, where somebody can be asked.
fn remove(
    terminal: &mut Terminal<'_>,
    global: &Global,
    how: Removal,
    question: &str,
    request: Request,
) -> Result<u8, Stop> {
    if !how.yes && !how.change.dry_run {
        terminal.confirm(question)?;
    }
    change(terminal, global, how.change, request)
}

/// A verb that changes something: has it done and says so, if anybody wants to hear it.
fn change(
    terminal: &mut Terminal<'_>,
    global: &Global,
    change: Change,
    request: Request,
) -> Result<u8, Stop> {
    let call = Call {
        request,
        dry_run: change.dry_run,
    };
    let reply = reach::carry_out(terminal, global, &call)?;
    if !global.quiet || change.dry_run {
        return Ok(print(terminal, Read { json: false }, &reply));
    }
    Ok(reply.exit())
}
