//! Where a command reads and writes. A reader who has gone away (`| head`) is no failure.

use std::io::{self, BufRead, IsTerminal, Read as _, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

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

/// While it lives, what is typed is not shown.
struct Quiet(Option<Termios>);

impl Quiet {
    fn new() -> Self {
        let stdin = io::stdin();
        let Ok(before) = tcgetattr(&stdin) else {
            return Self(None);
        };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let set = tcsetattr(&stdin, OptionalActions::Flush, &quiet);
        Self(set.is_ok().then_some(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
