//! The command line: one file per noun, each makes a request of `service::operate` and prints its
//! reply. Names and exit codes are an interface (design section 6, `spec/ux.md` section 3.13).

mod access;
mod alias;
mod app_password;
mod completion;
mod config;
mod device;
mod dkim;
mod doctor;
mod domain;
mod help;
mod line;
mod load;
mod mail;
mod man;
mod queue;
mod reach;
mod route;
mod sendmail;
mod serve;
mod status;
mod store;
mod table;
mod terminal;
mod tls;
mod transport;
mod user;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, path::PathBuf};

use crate::service::operate::{Call, Problem, Reply, Request};

use line::{Line, Order};
use table::{Command, READ};

pub use reach::options;
pub use terminal::Terminal;

/// What may stand anywhere on the line.
#[derive(Clone, Debug)]
struct Global {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
    quiet: bool,
}

/// Everything that may be typed.
static TABLE: Command = Command::noun(
    "pillarbox",
    "A mail appliance in one process and one data folder",
    &[
        access::NOUN,
        alias::NOUN,
        app_password::NOUN,
        completion::NOUN,
        config::NOUN,
        device::NOUN,
        dkim::NOUN,
        doctor::NOUN,
        domain::NOUN,
        mail::NOUN,
        man::NOUN,
        queue::NOUN,
        route::NOUN,
        serve::NOUN,
        status::NOUN,
        store::NOUN,
        tls::NOUN,
        transport::NOUN,
        user::NOUN,
        Command::text("version", "The version", version).with(READ),
    ],
);

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
    let words: Vec<OsString> = arguments.into_iter().collect();
    if let Some((name, rest)) = sendmail::called(&words) {
        let exit = sendmail::run(terminal, name, rest);
        return terminal.end(exit);
    }
    let result = match line::order(words) {
        Order::Print(text) => {
            terminal.line(text.trim_end());
            Ok(0)
        }
        Order::Run(run, global, line) => run(terminal, &global, &line),
        Order::Wrong(text) => {
            terminal.complain(text.trim_end());
            return 64;
        }
    };
    let exit = result.unwrap_or_else(|stop| failed(terminal, stop));
    terminal.end(exit)
}

/// Says why a command ended early; returns the exit code.
fn failed(terminal: &mut Terminal<'_>, stop: Stop) -> u8 {
    match stop {
        Stop::Declined => {
            terminal.complain("pillarbox: nothing was done");
            1
        }
        Stop::Mistakes(lines) => {
            for line in lines {
                terminal.complain(&line);
            }
            78
        }
        Stop::Problem(problem) => {
            terminal.complain(&format!("pillarbox: {}", problem.text));
            problem.kind.exit()
        }
    }
}

fn version(line: &Line) -> String {
    if line.json() {
        let version = env!("CARGO_PKG_VERSION");
        return serde_json::json!({ "version": version }).to_string();
    }
    help::version()
}

/// A verb that only looks: asks and prints.
fn look(
    terminal: &mut Terminal<'_>,
    global: &Global,
    line: &Line,
    request: Request,
) -> Result<u8, Stop> {
    let call = Call {
        request,
        dry_run: false,
    };
    let reply = reach::carry_out(terminal, global, &call)?;
    Ok(print(terminal, line.json(), &reply))
}

fn print(terminal: &mut Terminal<'_>, json: bool, reply: &Reply) -> u8 {
    let lines = if json { reply.json() } else { reply.text() };
    for line in lines {
        terminal.line(&line);
    }
    reply.exit()
}

/// A verb that takes something away: asks first, where somebody can be asked.
fn remove(
    terminal: &mut Terminal<'_>,
    global: &Global,
    line: &Line,
    question: &str,
    request: Request,
) -> Result<u8, Stop> {
    if !line.has("yes") && !line.dry_run() {
        terminal.confirm(question)?;
    }
    change(terminal, global, line, request)
}

/// A verb that changes something: has it done and says so, if anybody wants to hear it.
fn change(
    terminal: &mut Terminal<'_>,
    global: &Global,
    line: &Line,
    request: Request,
) -> Result<u8, Stop> {
    let call = Call {
        request,
        dry_run: line.dry_run(),
    };
    let reply = reach::carry_out(terminal, global, &call)?;
    if !global.quiet || call.dry_run {
        return Ok(print(terminal, false, &reply));
    }
    Ok(reply.exit())
}

/// A word of somebody's, as a question shows it.
fn shown(word: &str) -> String {
    word.escape_debug().to_string()
}
