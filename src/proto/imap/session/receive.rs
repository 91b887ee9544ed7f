//! A command comes in: lines, and literals between them.

use std::mem;

use super::super::command::{self, Command};
use super::super::lexer::SyntaxError;
use super::super::literal::{Announcement, announced};
use super::append::Skip;
use super::run::{allowed, explain, words};
use super::{Completion, Phase, SWALLOW_MAX, Session, Wait, Work};
use crate::base::machine::Machine as _;

impl Session {
    /// The next line of a command; the command runs if it is the last.
    pub(super) fn receive(&mut self) -> Work {
        let room = self
            .line_max()
            .saturating_sub(self.command.len().saturating_sub(self.literals));
        let Some(n) = self.input.line().filter(|n| *n <= room) else {
            if self.input.len() >= room {
                return self.too_long();
            }
            return Work::Wait(if self.stranger() {
                Wait::Login
            } else if self.command.is_empty() && self.input.is_empty() {
                Wait::Idle
            } else {
                Wait::Command
            });
        };
        let line = self.input.rest().get(..n).unwrap_or_default();
        let announced = announced(line);
        let mut octets = mem::take(&mut self.command);
        octets.extend_from_slice(line);
        self.input.advance(n);
        if let Some(announced) = announced {
            return self.announced(octets, announced);
        }
        self.literals = 0;
        self.run(&octets)
    }

    /// Octets of a literal; the line goes on after them.
    pub(super) fn literal(&mut self, left: usize) -> Work {
        let n = left.min(self.input.len());
        let octets = self.input.rest().get(..n).unwrap_or_default();
        let nul = octets.contains(&0);
        self.command.extend_from_slice(octets);
        self.input.advance(n);
        let left = left - n;
        if nul {
            self.name();
            self.skip_rest(Skip::new(left, words(SyntaxError::Argument)));
            return Work::Again;
        }
        if left == 0 {
            self.phase = Phase::Command;
            return Work::Again;
        }
        self.phase = Phase::Literal { left };
        Work::Wait(if self.stranger() {
            Wait::Login
        } else {
            Wait::Command
        })
    }

    /// `octets` end with the head of a literal.
    fn announced(&mut self, octets: Vec<u8>, literal: Announcement) -> Work {
        match self.message(&octets) {
            Ok(Some(message)) => {
                self.name_by(&octets);
                return self.append(message, literal.waits);
            }
            Ok(None) => {}
            Err(completion) => {
                self.name_by(&octets);
                self.refuse(completion, literal.size, literal.waits);
                return Work::Again;
            }
        }
        let room = self.line_max().saturating_sub(self.literals);
        let size = usize::try_from(literal.size).ok();
        let Some(size) = size.filter(|size| *size <= room) else {
            self.name_by(&octets);
            let completion = Completion::no("Literal too big").with_code("TOOBIG");
            self.refuse(completion, literal.size, literal.waits);
            return Work::Again;
        };
        self.command = octets;
        self.literals += size;
        self.phase = Phase::Literal { left: size };
        if literal.waits {
            self.out.line("+ Ready");
            self.out.flush();
        }
        Work::Again
    }

    /// The message of an APPEND, if it is that what is announced; or why it cannot be taken.
    fn message(&self, octets: &[u8]) -> Result<Option<Box<command::AppendMessage>>, Completion> {
        let Ok(mut opened) = command::open(octets, self.enabled.utf8) else {
            return Ok(None);
        };
        match opened.entry {
            Ok(entry) if entry.name == "APPEND" => allowed(entry.needs, self.state)?,
            _ => return Ok(None),
        }
        match opened.parse() {
            Ok(Command::Append(message)) => Ok(Some(message)),
            Ok(_) | Err(SyntaxError::Incomplete) => Ok(None),
            Err(error) => Err(explain(&opened, error)),
        }
    }

    /// Refuses a command at the head of a literal that may come nevertheless (RFC 7888 section 4).
    pub(super) fn refuse(&mut self, completion: Completion, size: u64, waits: bool) {
        self.literals = 0;
        let begun = self.begun();
        if waits && begun {
            self.phase = Phase::Abort(Box::new(completion));
        } else if waits {
            self.complete(&completion);
        } else if self.stranger() || size > SWALLOW_MAX {
            self.complete(&completion);
            self.bye("Literal too big");
        } else {
            self.skip_rest(Skip::new(size, completion).aborting(begun));
        }
    }

    fn too_long(&mut self) -> Work {
        if self.stranger() {
            self.bye("Line too long");
        } else {
            let rest = self.input.rest();
            let begun = rest.get(..rest.len().min(256)).unwrap_or_default();
            if self.command.is_empty() {
                self.command.extend_from_slice(begun);
            }
            self.name();
            self.skip_rest(Skip::new(0, Completion::bad("Line too long")));
        }
        Work::Again
    }

    /// The command that is coming in will be refused: remembers its tag, drops the rest.
    fn name(&mut self) {
        let octets = mem::take(&mut self.command);
        self.literals = 0;
        self.name_by(&octets);
    }

    /// The command that is `octets` or begins with them runs: its tag counts.
    pub(super) fn name_by(&mut self, octets: &[u8]) {
        self.tag = command::open(octets, false)
            .map_or("*", |opened| opened.tag)
            .into();
    }
}
