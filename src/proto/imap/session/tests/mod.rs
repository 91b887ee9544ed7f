//! Scripts: what a client says, what the service is asked and answers, what the client is told.

mod limits;
mod random;
mod scripts;

use std::collections::VecDeque;

use super::*;
use crate::base::id::ContentId;
use crate::base::memory::Memory;

/// Words of a script: `C:` a line from the client (`\0`, `\r`, `\n` are escapes, `\` at its end
/// leaves out the CRLF), `S:` how the next line to the client begins, `Q:` how the next question
/// begins, `A:` the answer to it, `D:` the last octets that went to the service, `wait` seconds, `wake`,
/// `stop`, `end`, `quiet` nothing was said, `closed`.
struct Play {
    session: Session,
    now: Instant,
    told: Vec<u8>,
    asked: VecDeque<String>,
    answers: VecDeque<Answer>,
    open: bool,
    content: Vec<u8>,
    closed: bool,
}

impl Play {
    fn run(&mut self) {
        loop {
            match self.session.step(self.now) {
                Step::Ask(Question::Forget) => self.session.answer(done("OK x")),
                Step::Ask(question) => {
                    self.asked.push_back(format!("{question:?}"));
                    self.open = true;
                }
                Step::Close => {
                    self.closed = true;
                    return;
                }
                Step::Compress(octets) => {
                    self.told.extend(b"compressed\r\n");
                    assert_eq!(self.session.input(&octets), octets.len());
                }
                Step::Content(octets) => self.content.extend(octets),
                Step::Read { .. } => return,
                Step::Send(range) => self.told.extend((0..range.length).map(|_| b'~')),
                Step::Write(octets) => self.told.extend(octets),
                Step::StartTls => {
                    self.told.extend(b"shaking\r\n");
                    let exporter = Some([7; 32]);
                    let secured = Secured {
                        exporter,
                        ..Secured::default()
                    };
                    self.session.secured(secured);
                }
            }
            if self.open {
                let Some(answer) = self.answers.pop_front() else {
                    return;
                };
                self.open = false;
                self.session.answer(answer);
            }
        }
    }

    fn say(&mut self, octets: &[u8], cut: usize) {
        for piece in octets.chunks(cut) {
            let mut rest = piece;
            loop {
                let n = self.session.input(rest);
                rest = &rest[n..];
                if self.open {
                    assert!(rest.is_empty(), "too much while a question is open");
                    break;
                }
                self.run();
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    /// What neither client nor service does; false if there is no such word.
    fn outside(&mut self, word: &str, text: &str) -> bool {
        match word {
            "wait" => self.now = self.now.plus_seconds(text.parse().unwrap()),
            "wake" => self.session.wake(),
            "stop" => self.session.stop(),
            "end" => self.session.end(),
            _ => return false,
        }
        self.run();
        true
    }

    fn line(&mut self) -> String {
        let n = self.told.iter().position(|c| *c == b'\n');
        let rest = self.told.split_off(n.map_or(self.told.len(), |n| n + 1));
        let line = std::mem::replace(&mut self.told, rest);
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }
}

/// `OK text`, `NO [code] text`, with `> state` behind it.
fn done(text: &str) -> Answer {
    let (text, state) = text.split_once(" > ").unwrap_or((text, ""));
    let (status, text) = text.split_once(' ').unwrap();
    let completion = match status {
        "OK" => Completion::ok(text),
        "NO" => Completion::no(text),
        _ => Completion::bad(text),
    };
    Answer::Done(
        vec![],
        Completion {
            state: match state {
                "selected" => Some(StateChange::Selected { read_only: false }),
                "deselected" => Some(StateChange::Deselected),
                "bye" => Some(StateChange::Bye),
                _ => None,
            },
            ..completion
        },
    )
}

/// `accept`; `later`, `refused`, `right` to an exchange; `more a | ~3 | b` with `~3` for a range; anything else is a completion, which may have
/// such pieces in front: `a | ~3 || OK x`.
fn answer(text: &str) -> Answer {
    let pieces = |text: &str| {
        let piece = |piece: &str| match piece.strip_prefix('~') {
            Some(length) => Piece::Range(ContentRange {
                content: ContentId(1),
                from: 0,
                length: length.parse().unwrap(),
            }),
            None => Piece::Octets(unescape(piece)),
        };
        text.split(" | ").map(piece).collect()
    };
    match text {
        "accept" => return Answer::Accept,
        "later" => return Answer::Sasl(sasl::Answer::TryAgain),
        "refused" => return Answer::Sasl(sasl::Answer::Refused),
        "right" => return Answer::Sasl(sasl::Answer::Right),
        _ => {}
    }
    if let Some(text) = text.strip_prefix("more ") {
        return Answer::More(pieces(text));
    }
    match text.split_once(" || ") {
        None => done(text),
        Some((text, completion)) => match done(completion) {
            Answer::Done(_, completion) => Answer::Done(pieces(text), completion),
            other => other,
        },
    }
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
        .into_bytes()
}

fn play(script: &str) {
    for cut in [1, 7, 4096] {
        play_cut(script, cut, Options::default());
    }
}

const LOGIN: &str = "
S: * OK [CAPABILITY IMAP4rev1 
C: l LOGIN alice hush
Q: Login { user: \"alice\", password: *** }
A: OK Logged in
S: l OK [CAPABILITY IMAP4rev1 
";

const SELECT: &str = "
C: s SELECT inbox
Q: Command(Select(Select { folder: \"INBOX\", read_only: false
A: OK [READ-WRITE] Select completed. > selected
S: s OK
";

fn play_cut(script: &str, cut: usize, options: Options) {
    let mut play = Play {
        session: Session::new(options),
        now: Instant::default(),
        told: vec![],
        asked: VecDeque::new(),
        answers: VecDeque::new(),
        open: false,
        content: vec![],
        closed: false,
    };
    play.run();
    for (number, line) in (1..).zip(script.lines()) {
        let line = line.trim_start();
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        let place = || format!("cut {cut}, line {number}: {line}\n{script}");
        match word {
            "#" | "" => {}
            "C:" => match text.strip_suffix('\\') {
                Some(text) => play.say(&unescape(text), cut),
                None => play.say(&unescape(&[text, "\\r\\n"].concat()), cut),
            },
            "S:" => {
                let got = play.line();
                assert!(got.starts_with(text), "{got:?} at {}", place());
            }
            "Q:" => {
                let got = play.asked.pop_front().unwrap_or_default();
                assert!(got.starts_with(text), "{got:?} at {}", place());
            }
            "A:" => {
                assert!(play.open, "nobody asked at {}", place());
                play.open = false;
                play.session.answer(answer(text));
                play.run();
            }
            "D:" => {
                let got = std::mem::take(&mut play.content);
                assert!(got.ends_with(&unescape(text)), "{got:?} at {}", place());
            }
            "quiet" => {
                assert!(play.told.is_empty(), "{:?} at {}", play.line(), place());
                assert!(!play.open, "{:?} at {}", play.asked, place());
            }
            "closed" => assert!(play.closed, "{}", place()),
            _ => assert!(play.outside(word, text), "{}", place()),
        }
    }
    assert!(play.told.is_empty(), "{:?} after\n{script}", play.line());
    assert!(play.asked.is_empty(), "{:?} after\n{script}", play.asked);
}
