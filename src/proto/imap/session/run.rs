//! A command that is whole is carried out, refused, or passed on.

use super::super::command::table::{Entry, Needs};
use super::super::command::{self, Command, Opened};
use super::super::lexer::{Lexer, SyntaxError};
use super::append::Skip;
use super::enable;
use super::{Asked, Completion, Phase, Question, Session, State, Wait, Work};
use crate::base::machine::Machine as _;

/// Of what was not understood, so much is told, in octets.
const WORD_MAX: usize = 40;

/// Longest line while the client idles, in octets: it can only be `DONE`.
const DONE_MAX: usize = 1024;

impl Session {
    pub(super) fn run(&mut self, octets: &[u8]) -> Work {
        self.wait = None;
        let mut opened = match command::open(octets, self.enabled.utf8) {
            Ok(opened) => opened,
            Err(_) if self.stranger() && !octets.trim_ascii().is_empty() => {
                self.bye("This is an IMAP server");
                return Work::Again;
            }
            Err(error) => {
                self.tag = "*".into();
                self.complete(&words(error));
                return Work::Again;
            }
        };
        self.tag = opened.tag.into();
        let command = match opened.entry {
            Ok(entry) => allowed(entry.needs, self.state)
                .and_then(|()| opened.parse().map_err(|error| explain(&opened, error))),
            // A browser, or somebody who uses one against us.
            Err(_) if self.stranger() && !is_command(octets) => {
                self.bye("This is an IMAP server");
                return Work::Again;
            }
            Err(error) => Err(words(error)),
        };
        match command {
            Ok(command) => self.carry_out(command),
            Err(completion) => {
                self.complete(&completion);
                Work::Again
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Work {
        match command {
            // It ends with a literal, and never comes here.
            Command::Append(_) => self.complete(&words(SyntaxError::Argument)),
            Command::Authenticate(command) => return self.authenticate(&command),
            Command::Capability => {
                let list = self.capabilities();
                self.out.line(&format!("* {list}"));
                self.complete(&Completion::ok("Capability completed."));
            }
            Command::Idle => {
                self.out.line("+ idling");
                self.phase = Phase::Idle;
                self.signals.woken = true;
            }
            Command::Login { user, password } => return self.login(user, password),
            Command::Logout => {
                self.out.line("* BYE Logging out");
                self.complete(&Completion::ok("Logout completed."));
                self.phase = Phase::Bye;
            }
            Command::Noop if self.stranger() => self.complete(&Completion::ok("Noop completed.")),
            Command::StartTls => self.start_tls(),
            Command::Compress => self.compress(),
            Command::Enable(names) => self.enable(&names),
            command => {
                if let Err(completion) = enable::needed(&command, self.enabled) {
                    self.complete(&completion);
                    return Work::Again;
                }
                self.enabled.condstore |= enable::implied(&command);
                let question = Question::Command(Box::new(command), self.enabled);
                return self.ask(question, Asked::Command);
            }
        }
        Work::Again
    }

    /// The client idles (RFC 2177) until it says `DONE`.
    pub(super) fn idle(&mut self) -> Work {
        // A longer line is skipped even if it is in hand as a whole: the cut does not matter.
        if let Some(n) = self.input.line().filter(|n| *n <= DONE_MAX) {
            let line = self.input.rest().get(..n).unwrap_or_default();
            let done = line.trim_ascii_end().eq_ignore_ascii_case(b"DONE");
            self.input.advance(n);
            self.signals.woken = false;
            self.complete(&if done {
                Completion::ok("Idle completed.")
            } else {
                Completion::bad("Expected DONE")
            });
            return Work::Again;
        }
        if self.input.len() > DONE_MAX {
            self.skip_rest(Skip::new(0u64, Completion::bad("Expected DONE")));
            return Work::Again;
        }
        if std::mem::take(&mut self.signals.woken) {
            return self.ask(Question::Poll(self.enabled), Asked::Poll);
        }
        Work::Wait(Wait::Idle)
    }
}

/// Whether a command may run now.
pub(super) fn allowed(needs: Needs, state: State) -> Result<(), Completion> {
    let why = match (needs, state) {
        (Needs::Any, _)
        | (Needs::NotAuthenticated, State::NotAuthenticated)
        | (Needs::Authenticated, State::Authenticated | State::Selected)
        | (Needs::Selected, State::Selected) => return Ok(()),
        (Needs::NotAuthenticated, _) => "Already logged in",
        (_, State::NotAuthenticated) => "Log in first",
        (Needs::Selected, State::Authenticated) => "Select a folder first",
    };
    Err(Completion::bad(why))
}

/// As [`words`], with what was not understood; up to a brace, so that nobody takes it for a literal.
pub(super) fn explain(opened: &Opened<'_>, error: SyntaxError) -> Completion {
    let secret = |entry: &Entry| entry.needs == Needs::NotAuthenticated;
    let Ok(entry) = opened.entry else {
        return words(error);
    };
    if error != SyntaxError::Argument || secret(entry) {
        return words(error);
    }
    let mut text = ["Bad arguments of ", entry.name].concat();
    let word = opened.word().trim_ascii_start();
    let n = word
        .iter()
        .take(WORD_MAX)
        .take_while(|c| matches!(**c, b' '..=b'z'));
    match str::from_utf8(word.get(..n.count()).unwrap_or_default()) {
        Ok(word) if !word.is_empty() => {
            text.push_str(", at: ");
            text.push_str(word);
        }
        _ if word.is_empty() => text.push_str(": something is missing"),
        _ => {}
    }
    Completion::bad(&text)
}

/// How the client is told what it did wrong.
pub(super) fn words(error: SyntaxError) -> Completion {
    match error {
        SyntaxError::Argument | SyntaxError::Incomplete => Completion::bad("Bad arguments"),
        // RFC 5530 and RFC 3501 section 7.1 name the codes.
        SyntaxError::Charset => Completion::bad_charset(),
        SyntaxError::Command => Completion::bad("Unknown command"),
        SyntaxError::Flag => Completion::bad("No such flag"),
        SyntaxError::FolderName => {
            Completion::no("A folder cannot have this name").with_code("CANNOT")
        }
        SyntaxError::Tag => Completion::bad("Expected a tag and a command"),
        SyntaxError::TooMuch => Completion::bad("Too much in one command"),
        SyntaxError::UseAttribute => {
            Completion::no("There is no such special use").with_code("USEATTR")
        }
    }
}

/// Whether a line has a name behind its tag, or nothing: `GET / HTTP/1.1` has neither.
fn is_command(octets: &[u8]) -> bool {
    let mut lexer = Lexer::new(octets);
    if lexer.tag().is_err() || lexer.peek().is_none() {
        return lexer.peek().is_none();
    }
    let name = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    lexer.skip(b' ') && lexer.run(name).is_ok() && matches!(lexer.peek(), None | Some(b' '))
}
