//! The messages of an APPEND stream through; and what is refused is read to its end.

use super::super::command::{self, AppendMessage};
use super::super::literal::announced;
use super::{Asked, Completion, Phase, Question, SWALLOW_MAX, Session, Wait, Work};
use crate::base::machine::Step;

/// Octets kept of a line that is too long: it may end with the head of a literal.
const HEAD_MAX: usize = 64;

/// What an APPEND has to remember of a message while its octets come.
#[derive(Debug)]
pub(super) struct Appending {
    folder: String,
    binary: bool,
    /// A parenthesis is open.
    utf8: bool,
    /// The service holds this message or one before.
    begun: bool,
}

/// The rest of a command that is refused: octets of a literal, the line after them, and so on.
#[derive(Debug)]
pub(super) struct Skip {
    left: u64,
    /// Octets forgotten so far.
    done: u64,
    /// The service holds a message that was begun.
    abort: bool,
    completion: Completion,
}

impl Skip {
    /// `left` octets of a literal come first.
    pub fn new(left: impl TryInto<u64>, completion: Completion) -> Self {
        Self {
            left: left.try_into().unwrap_or(u64::MAX),
            done: 0,
            abort: false,
            completion,
        }
    }

    pub fn aborting(self, abort: bool) -> Self {
        Self { abort, ..self }
    }
}

impl Session {
    /// An APPEND whose message is announced.
    pub(super) fn append(&mut self, message: Box<AppendMessage>, waits: bool) -> Work {
        self.literals = 0;
        let size = message.size;
        let begun = self.begun();
        self.append = Some(Box::new(Appending {
            folder: message.folder.clone(),
            binary: message.binary,
            utf8: message.utf8,
            begun,
        }));
        // RFC 3502: nobody means to add an empty message, it takes the others back.
        if begun && size == 0 {
            self.refuse(Completion::no("Append cancelled"), size, waits);
            return Work::Again;
        }
        let limit = self.options.append_limit;
        if limit > 0 && size > limit {
            let completion = Completion::no("Message too big").with_code("TOOBIG");
            self.refuse(completion, size, waits);
            return Work::Again;
        }
        self.ask(
            Question::AppendBegin(message, self.enabled),
            Asked::AppendBegin { size, waits },
        )
    }

    /// The service takes the message.
    pub(super) fn accepted(&mut self, size: u64, waits: bool) {
        self.wait = None;
        if let Some(append) = &mut self.append {
            append.begun = true;
        }
        self.phase = Phase::Append { left: size };
        if waits {
            self.out.line("+ Ready");
            self.out.flush();
        }
    }

    /// A piece of the message.
    pub(super) fn append_octets(&mut self, left: u64) -> Work {
        if left == 0 {
            self.phase = Phase::AppendTail;
            return Work::Again;
        }
        let held = self.input.rest();
        let n = usize::try_from(left).map_or(held.len(), |left| left.min(held.len()));
        if n == 0 {
            return Work::Wait(Wait::Octets);
        }
        let octets = held.get(..n).unwrap_or_default().to_vec();
        self.input.advance(n);
        self.wait = None;
        let left = left.saturating_sub(u64::try_from(n).unwrap_or(u64::MAX));
        // RFC 3501 section 9: CHAR8 is any octet but NUL; RFC 3516 section 4.4 lets it pass as a literal8.
        let text = self.append.as_ref().is_none_or(|append| !append.binary);
        if text && memchr::memchr(0, &octets).is_some() {
            let completion = Completion::no("A message with NUL has to be sent as a literal8");
            self.skip_rest(Skip::new(left, completion).aborting(true));
            return Work::Again;
        }
        self.phase = Phase::Append { left };
        Work::Step(Step::Content(octets))
    }

    /// What follows the message.
    pub(super) fn append_tail(&mut self) -> Work {
        let Some(n) = self.input.line() else {
            if self.input.len() < self.line_max() {
                return Work::Wait(Wait::Octets);
            }
            return self.append_broken();
        };
        let line = self.input.rest().get(..n).unwrap_or_default();
        let Some(append) = &self.append else {
            return self.append_broken();
        };
        let rest = match line.strip_prefix(b")") {
            Some(rest) if append.utf8 => rest,
            None if !append.utf8 => line,
            _ => return self.append_broken(),
        };
        // IMAPClient puts two spaces between messages.
        let spaces = rest.iter().take_while(|octet| **octet == b' ').count();
        let rest = rest.get(spaces.saturating_sub(1)..).unwrap_or_default();
        let Ok(next) = command::append_more(rest, &append.folder) else {
            return self.append_broken();
        };
        let waits = announced(rest).is_some_and(|literal| literal.waits);
        self.input.advance(n);
        match next {
            Some(message) => self.append(message, waits),
            None => self.ask(Question::AppendEnd, Asked::Command),
        }
    }

    fn append_broken(&mut self) -> Work {
        let completion = Completion::bad("Expected another message or the end of the line");
        self.skip_rest(Skip::new(0u64, completion).aborting(true));
        Work::Again
    }

    /// Whether the service holds a message of the APPEND that runs.
    pub(super) fn begun(&self) -> bool {
        self.append.as_ref().is_some_and(|append| append.begun)
    }

    /// Has the service forget what it holds; then the refusal is told.
    pub(super) fn abort(&mut self) -> Work {
        match std::mem::replace(&mut self.phase, Phase::Command) {
            Phase::Abort(completion) => self.ask(Question::AppendAbort, Asked::Abort(completion)),
            _ => Work::Again,
        }
    }

    pub(super) fn skip_rest(&mut self, skip: Skip) {
        self.phase = Phase::Skip(Box::new(skip));
    }

    /// Forgets what is in hand of the refused command; its reply comes at the end.
    pub(super) fn skip(&mut self) -> Work {
        let Phase::Skip(skip) = &mut self.phase else {
            return Work::Again;
        };
        let held = self.input.len();
        let (forget, wait, over) = if skip.left > 0 {
            let n = usize::try_from(skip.left).map_or(held, |left| left.min(held));
            skip.left = skip.left.saturating_sub(u64::try_from(n).unwrap_or(0));
            (n, (n == 0).then_some(Wait::Octets), false)
        } else if let Some(n) = self.input.line() {
            let line = self.input.rest().get(..n).unwrap_or_default();
            let next = announced(line).filter(|literal| !literal.waits);
            skip.left = next.map_or(0, |literal| literal.size);
            (n, None, next.is_none())
        } else {
            (held.saturating_sub(HEAD_MAX), Some(Wait::Command), false)
        };
        self.input.advance(forget);
        if forget > 0 && skip.left > 0 {
            self.wait = None;
        }
        skip.done = skip
            .done
            .saturating_add(u64::try_from(forget).unwrap_or(u64::MAX));
        if over {
            return self.skipped();
        }
        if skip.done.saturating_add(skip.left) > SWALLOW_MAX + (1 << 20) {
            let completion = skip.completion.clone();
            self.complete(&completion);
            self.bye("Literal too big");
            return Work::Again;
        }
        wait.map_or(Work::Again, Work::Wait)
    }

    fn skipped(&mut self) -> Work {
        let Phase::Skip(skip) = std::mem::replace(&mut self.phase, Phase::Command) else {
            return Work::Again;
        };
        if skip.abort {
            return self.ask(
                Question::AppendAbort,
                Asked::Abort(Box::new(skip.completion)),
            );
        }
        self.complete(&skip.completion);
        Work::Again
    }
}
