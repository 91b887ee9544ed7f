//! Where a command reads and writes. A reader who has gone away (`| head`) is no failure.

use std::{
    io::{self, BufRead, IsTerminal, Read as _, Write},
    process,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread,
};

use async_signal::{Signal, Signals};
use rustix::{
    process::{getpid, kill_process},
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use smol::stream::StreamExt;

use crate::{
    base::secret::Secret,
    cli::Stop,
    config::ENVIRONMENT,
    service::operate::{Kind, Problem},
};

/// Longest line that is read as a password, in octets.
const LINE_MAX: u64 = 8192;
/// Longest list on standard input, in octets: in base64 it still fits in a line of the control socket.
pub const TEXT_MAX: u64 = 8 * 1024 * 1024;

/// Streams and environment of a command.
pub struct Terminal<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
    pub input: &'a mut dyn BufRead,
    /// Somebody sits there and can be asked.
    pub interactive: bool,
    /// Of the environment, the names with our prefix.
    pub environment: Vec<(String, String)>,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

impl<'a> Terminal<'a> {
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, input: &'a mut dyn BufRead) -> Self {
        Self {
            out,
            err,
            input,
            interactive: false,
            environment: Vec::new(),
            failed: None,
        }
    }

    /// The process' own streams.
    pub fn with_real<T>(work: impl FnOnce(&mut Terminal<'_>) -> T) -> T {
        let (mut out, mut err) = (io::stdout(), io::stderr());
        let mut input = io::stdin().lock();
        let mut terminal = Terminal::new(&mut out, &mut err, &mut input);
        terminal.interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        terminal.environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                let ours = name.starts_with(ENVIRONMENT);
                ours.then(|| (name, value.to_string_lossy().into_owned()))
            })
            .collect();
        work(&mut terminal)
    }

    /// One line of output.
    pub fn line(&mut self, text: &str) {
        if self.failed.is_none()
            && let Err(error) = writeln!(self.out, "{text}")
        {
            self.failed = Some(error);
        }
    }

    /// Whether nobody reads on.
    pub(super) fn is_gone(&self) -> bool {
        self.failed.is_some()
    }

    /// One line about what went wrong; if even that cannot be written, the exit code has to do.
    pub fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// The exit code, in which output that was lost counts.
    pub fn end(&mut self, exit: u8) -> u8 {
        let flushed = self.out.flush();
        match self.failed.take().or(flushed.err()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.complain(&format!("pillarbox: output: {error}"));
                exit.max(75)
            }
            _ => exit,
        }
    }

    /// Whether somebody is there to be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.interactive
    }

    /// Asks for a yes where somebody can be asked.
    pub(super) fn confirm(&mut self, question: &str) -> Result<(), Stop> {
        if !self.interactive {
            return Ok(());
        }
        self.ask(&format!("{question} [y/N] "));
        let answer = self.read().unwrap_or_default();
        match str::from_utf8(answer.reveal()).map(str::trim) {
            Ok("y" | "Y" | "yes") => Ok(()),
            _ => Err(Stop::Declined),
        }
    }

    /// A line of standard input as a password; `None` at its end.
    pub fn read(&mut self) -> Option<Secret> {
        let mut line = Vec::new();
        let read = (&mut self.input)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line);
        let mut line = Secret::new(line);
        if read.is_err() || line.reveal().is_empty() {
            return None;
        }
        for end in [b'\n', b'\r'] {
            if let Some(rest) = line.reveal().strip_suffix(&[end]) {
                line = Secret::new(rest.to_vec());
            }
        }
        Some(line)
    }

    /// All of standard input as a list of `what`.
    pub(super) fn text(&mut self, what: &str) -> Result<String, Problem> {
        if self.interactive {
            self.complain(&format!("Type {what}, one a line; end with Ctrl-D."));
        }
        let mut octets = Vec::new();
        let limit = TEXT_MAX.saturating_add(1);
        let read = (&mut self.input).take(limit).read_to_end(&mut octets);
        let wrong = match read {
            Err(error) => format!("standard input: {error}"),
            Ok(read) if read as u64 > TEXT_MAX => {
                "standard input is longer than 8 MiB; give it in several parts".to_owned()
            }
            Ok(_) => match String::from_utf8(octets) {
                Ok(text) => return Ok(text),
                Err(_) => "standard input is not UTF-8 text".to_owned(),
            },
        };
        Err(Problem::new(Kind::BadData, wrong))
    }

    /// A password, typed twice and not shown.
    pub fn password(&mut self) -> Option<Secret> {
        let _quiet = Quiet::new();
        self.ask("Password: ");
        let first = self.read();
        self.ask("\nOnce more: ");
        let second = self.read();
        self.complain("");
        if first == second { first } else { None }
    }

    fn ask(&mut self, text: &str) {
        let _ = write!(self.err, "{text}");
        let _ = self.err.flush();
    }
}

/// A password, from the first line of standard input if `stdin`, else from whom sits there. `option`
/// is what to give where nobody does.
pub(super) fn secret(
    terminal: &mut Terminal<'_>,
    stdin: bool,
    option: &str,
) -> Result<Secret, Problem> {
    if stdin {
        let text =
            "nothing came on standard input; put it in a file and end the command with < FILE";
        return terminal
            .read()
            .ok_or_else(|| Problem::new(Kind::BadData, text));
    }
    if terminal.interactive {
        let text = "these were not the same twice; try again";
        return terminal
            .password()
            .ok_or_else(|| Problem::new(Kind::BadData, text));
    }
    let text = format!("give {option} and the password on standard input");
    Err(Problem::new(Kind::Usage, text))
}

/// How the terminal was before a prompt that shows nothing.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// While it lives, what is typed is not shown.
struct Quiet;

impl Quiet {
    fn new() -> Self {
        if let Ok(now) = tcgetattr(io::stdin()) {
            // From here on: a signal that ends or stops the process would leave the terminal silent.
            watch();
            let mut before = before();
            set(&hidden(&now));
            *before = Some(now);
        }
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(shown) = before().take() {
            set(&shown);
        }
    }
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hidden(shown: &Termios) -> Termios {
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden
}

fn set(modes: &Termios) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Flush, modes);
}

/// Carries out signals itself from now on, on a thread of its own: the terminal first. Without it they
/// do what they always do.
fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let signals = [
            Signal::Cont,
            Signal::Hup,
            Signal::Int,
            Signal::Term,
            Signal::Tstp,
        ];
        let Ok(mut signals) = Signals::new(signals) else {
            return;
        };
        let watching = move || {
            while let Some(Ok(signal)) = smol::block_on(signals.next()) {
                let before = before();
                if let Some(shown) = &*before {
                    match signal {
                        Signal::Cont => set(&hidden(shown)),
                        _ => set(shown),
                    }
                }
                match signal {
                    Signal::Cont => {}
                    Signal::Tstp => {
                        let _ = kill_process(getpid(), rustix::process::Signal::STOP);
                    }
                    // What a shell says of a process that a signal ended.
                    signal => process::exit((signal as i32).saturating_add(128)),
                }
            }
        };
        let _ = thread::Builder::new().spawn(watching);
    });
}
