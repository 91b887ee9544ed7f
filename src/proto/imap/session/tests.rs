//! Scripts: what a client says, what the service is asked and answers, what the client is told.

use std::collections::VecDeque;

use super::*;
use crate::base::id::ContentId;

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
                Step::Content(octets) => self.content.extend(octets),
                Step::Read { .. } => return,
                Step::Send(range) => self.told.extend(vec![b'~'; range.length as usize]),
                Step::Write(octets) => self.told.extend(octets),
                Step::StartTls => panic!("no STARTTLS"),
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

/// `accept`; `more a | ~3 | b` with `~3` for a range; anything else is a completion, which may have
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
    if text == "accept" {
        return Answer::Accept;
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
            "wait" => {
                play.now = play.now.plus_seconds(text.parse().unwrap());
                play.run();
            }
            "wake" => {
                play.session.wake();
                play.run();
            }
            "stop" => {
                play.session.stop();
                play.run();
            }
            "end" => {
                play.session.end();
                play.run();
            }
            "quiet" => {
                assert!(play.told.is_empty(), "{:?} at {}", play.line(), place());
                assert!(!play.open, "{:?} at {}", play.asked, place());
            }
            "closed" => assert!(play.closed, "{}", place()),
            _ => panic!("{}", place()),
        }
    }
    assert!(play.told.is_empty(), "{:?} after\n{script}", play.line());
    assert!(play.asked.is_empty(), "{:?} after\n{script}", play.asked);
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 300, "{}", size_of::<Session>());
}

/// RFC 3501 section 3.
#[test]
fn states() {
    play(&format!(
        "S: * OK [CAPABILITY IMAP4rev1 
         C: a SELECT INBOX
         S: a BAD Log in first
         C: a2 NOOP
         S: a2 OK
         C: a3 STARTTLS
         S: a3 BAD STARTTLS is not available
         C: b LOGIN alice wrong
         Q: Login
         A: NO Authentication failed.
         S: b NO Authentication failed.
         {}
         C: c LOGIN alice hush
         S: c BAD Already logged in
         C: d FETCH 1 FLAGS
         S: d BAD Select a folder first
         {SELECT}
         C: e fetch 1 flags
         Q: Command(Fetch(
         A: * 1 FETCH (FLAGS ())\\r\\n || OK Fetch completed.
         S: * 1 FETCH (FLAGS ())
         S: e OK Fetch completed.
         C: f CLOSE
         Q: Command(Close)
         A: OK Close completed. > deselected
         S: f OK
         C: g CHECK
         S: g BAD Select a folder first
         C: h LOGOUT
         S: * BYE Logging out
         S: h OK Logout completed.
         closed",
        LOGIN.replace("S: * OK [CAPABILITY IMAP4rev1 \n", "")
    ));
}

#[test]
fn capability_and_log_in_in_clear() {
    let options = Options {
        login: false,
        ..Options::default()
    };
    play_cut(
        "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE SPECIAL-USE CREATE-SPECIAL-USE UIDPLUS MOVE UNSELECT CHILDREN LOGINDISABLED] Pillarbox ready.
         C: a CAPABILITY
         S: * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR
         S: a OK
         C: b LOGIN alice hush
         S: b NO [PRIVACYREQUIRED]
         C: c AUTHENTICATE PLAIN
         S: c NO [PRIVACYREQUIRED]",
        4096,
        options,
    );
}

/// RFC 4616, RFC 4959.
#[test]
fn authenticate_plain() {
    play(
        "S: * OK
         C: a AUTHENTICATE PLAIN
         S: +
         C: *
         S: a BAD Authentication cancelled
         C: b AUTHENTICATE PLAIN
         S: +
         C: ???
         S: b BAD Not in base64
         C: c AUTHENTICATE PLAIN =
         S: c BAD Not a response of PLAIN
         C: d AUTHENTICATE PLAIN Ym9iAGFsaWNlAGh1c2g=
         S: d NO [AUTHORIZATIONFAILED]
         C: e AUTHENTICATE GSSAPI
         S: e NO This mechanism
         C: f authenticate plain AGFsaWNlAGh1c2g=
         Q: Login { user: \"alice\", password: *** }
         A: NO Authentication failed.
         S: f NO
         C: g AUTHENTICATE PLAIN
         S: +
         C: AGFsaWNlAGh1c2g=
         Q: Login { user: \"alice\", password: *** }
         A: OK Logged in
         S: g OK [CAPABILITY IMAP4rev1",
    );
}

#[test]
fn pipelined_commands_are_worked_off_in_order() {
    let mut session = Session::new(Options::default());
    session.input(b"a LOGIN x y\r\nb NOOP\r\nc CAPABILITY\r\nd NOOP\r\n");
    let now = Instant::default();
    let mut told = vec![];
    loop {
        match session.step(now) {
            Step::Ask(_) => session.answer(done("OK done")),
            Step::Write(octets) => told.push(String::from_utf8(octets).unwrap()),
            _ => break,
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let tags: Vec<_> = told[0].lines().map(|line| &line[..1]).collect();
    assert_eq!(tags, ["*", "a", "b", "*", "c", "d"]);
}

#[test]
fn literals() {
    play(
        "S: * OK
         C: a LOGIN {5}
         S: + Ready
         C: alice {4}
         S: + Ready
         C: hush
         Q: Login { user: \"alice\"
         A: OK Logged in
         S: a OK
         C: b SELECT {5+}
         C: inbox
         Q: Command(Select(Select { folder: \"INBOX\"
         A: OK Done > selected
         S: b OK
         # Literals hold what lines cannot.
         C: c SUBSCRIBE {4}
         S: + Ready
         C: a\\r\\nb
         S: c NO [CANNOT]
         # RFC 3501 section 9: but no NUL.
         C: d SELECT {3+}
         C: a\\0b
         S: d BAD
         C: e NOOP
         Q: Command(Noop)
         A: OK Done
         S: e OK",
    );
}

/// RFC 7888 section 4: what does not wait is read, up to a point.
#[test]
fn literals_that_are_too_big() {
    play(&format!(
        "{LOGIN}
         C: a SELECT {{65537}}
         S: a NO [TOOBIG]
         C: b SELECT {{100000+}}
         C: {}
         S: b NO [TOOBIG]
         C: c NOOP
         Q: Command(Noop)
         A: OK Done
         S: c OK
         C: d SELECT {{4294967296+}}
         S: d NO [TOOBIG] Literal too big
         S: * BYE
         closed",
        "x".repeat(100_000)
    ));
    play(
        "S: * OK
         C: a LOGIN {8193}
         S: a NO [TOOBIG]
         C: b LOGIN {99999999999999999999999+}
         S: b NO [TOOBIG]
         S: * BYE
         closed",
    );
}

#[test]
fn lines_that_are_too_long() {
    play(&format!(
        "{LOGIN}
         C: a SEARCH {}
         S: a BAD Line too long
         C: b NOOP
         Q: Command(Noop)
         A: OK Done
         S: b OK",
        "x".repeat(70_000)
    ));
    // A literal at the end of it is no command.
    play(&format!(
        "{LOGIN}
         C: a SEARCH {} {{8+}}
         C: x LOGOUT
         S: a BAD Line too long
         C: b LOGOUT
         S: * BYE
         S: b OK
         closed",
        "x".repeat(70_000)
    ));
    play(&format!(
        "S: * OK
         C: {}
         S: * BYE Line too long
         closed",
        "x".repeat(9000)
    ));
}

#[test]
fn append() {
    play(&format!(
        "{LOGIN}
         C: a APPEND sent (\\Seen) {{15}}
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         S: + Ready
         C: From: a\\r\\n\\r\\nxyz\\
         quiet
         D: From: a\\r\\n\\r\\nxyz
         C:
         Q: AppendEnd
         A: OK Append completed.
         S: a OK"
    ));
    play(&format!(
        "{LOGIN}
         C: a APPEND {{4}}
         S: + Ready
         C: sent {{5+}}
         Q: AppendBegin(AppendMessage {{ folder: \"sent\"
         A: accept
         C: hello\\
         quiet
         D: hello
         C: 
         Q: AppendEnd
         A: OK [APPENDUID 1 2] Done
         S: a OK
         # Refused before it comes.
         C: b APPEND gone {{5}}
         Q: AppendBegin
         A: NO No such folder
         S: b NO No such folder
         # Refused, and coming nevertheless.
         C: c APPEND gone {{5+}}
         Q: AppendBegin
         A: NO No such folder
         quiet
         C: x NOO
         S: c NO No such folder
         C: d APPEND sent {{36700161}}
         S: d NO [TOOBIG]
         C: e APPEND sent (\\Foo) {{5}}
         S: e BAD No such flag
         C: f APPEND sent (\\Foo) {{5+}}
         C: hello
         S: f BAD No such flag
         C: g APPEND sent {{99999999+}}
         S: g NO [TOOBIG]
         S: * BYE
         closed"
    ));
}

#[test]
fn an_append_that_goes_wrong_is_forgotten() {
    play(&format!(
        "{LOGIN}
         C: a APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: he\\0lo
         Q: AppendAbort
         A: OK x
         S: a BAD
         D:
         C: b APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: hello {{10+}}
         D: hello
         C: x LOGOUT\\r\\n
         Q: AppendAbort
         A: OK x
         S: b BAD
         C: c APPEND sent {{5+}}
         Q: AppendBegin
         A: accept
         C: he\\
         wait 179
         C: l\\
         wait 179
         wait 1
         D: hel
         S: * BYE Idle for too long
         closed"
    ));
}

/// RFC 2177.
#[test]
fn idle() {
    play(&format!(
        "{LOGIN}{SELECT}
         wake
         quiet
         C: a IDLE
         Q: Poll
         A: * 3 EXISTS\\r\\n || OK x
         S: + idling
         S: * 3 EXISTS
         quiet
         wake
         Q: Poll
         A: more * 4 EXISTS\\r\\n
         Q: More
         A: * 1 EXPUNGE\\r\\n || OK x
         S: * 4 EXISTS
         S: * 1 EXPUNGE
         wake
         Q: Poll
         wake
         A: OK x
         Q: Poll
         A: OK x
         quiet
         C: done
         S: a OK Idle completed.
         wake
         quiet
         C: b IDLE
         Q: Poll
         A: OK x
         S: + idling
         C: c NOOP
         S: b BAD Expected DONE
         C: d IDLE
         Q: Poll
         A: OK x
         S: + idling
         stop
         S: * BYE Server shutting down
         closed"
    ));
}

#[test]
fn content_is_sent_as_ranges() {
    play(&format!(
        "{LOGIN}{SELECT}
         C: a FETCH 1:2 BODY[]
         Q: Command(Fetch
         A: more * 1 FETCH (BODY[] {{3}}\\r\\n | ~3 | )\\r\\n
         S: * 1 FETCH (BODY[] {{3}}
         S: ~~~)
         Q: More
         A: * 2 FETCH (BODY[] {{4}}\\r\\n | ~4 | )\\r\\n || OK Fetch completed.
         S: * 2 FETCH (BODY[] {{4}}
         S: ~~~~)
         S: a OK"
    ));
}

#[test]
fn waits() {
    play(
        "S: * OK
         wait 59
         quiet
         C: a NO\\
         wait 1
         S: * BYE Idle for too long
         closed",
    );
    play(&format!(
        "{LOGIN}
         wait 1799
         C: a NOO\\
         wait 299
         C: P
         Q: Command(Noop)
         A: OK x
         S: a OK
         wait 1799
         quiet
         C: b NOO\\
         wait 300
         S: * BYE Idle for too long
         closed"
    ));
    play(&format!(
        "{LOGIN}
         C: a IDLE
         Q: Poll
         A: OK x
         S: + idling
         wait 1799
         quiet
         wait 1
         S: * BYE Idle for too long
         closed"
    ));
}

#[test]
fn strangers_who_speak_something_else() {
    for line in [
        "GET / HTTP/1.1",
        "\\0\\0\\0",
        "OPTIONS * HTTP/1.1",
        "Host: a.test",
    ] {
        play(&format!(
            "S: * OK
             C: {line}
             S: * BYE This is an IMAP server
             closed"
        ));
    }
}

#[test]
fn patience_ends() {
    let bad = |n| "C: a FOO\nS: a BAD\n".repeat(n);
    play(&format!(
        "S: * OK\n{}S: * BYE Too many bad commands\nclosed",
        bad(11)
    ));
    play(&format!(
        "{LOGIN}{}C: b NOOP\nQ: Command(Noop)\nA: OK x\nS: b OK\n{}S: * BYE Too many\nclosed",
        bad(20),
        bad(21)
    ));
    let failed = "C: a LOGIN a b\nQ: Login\nA: NO [AUTHENTICATIONFAILED] Authentication failed.\nS: a NO [AUTHENTICATIONFAILED]\n";
    play(&format!(
        "S: * OK\n{}S: * BYE Too many failed\nclosed",
        failed.repeat(10)
    ));
}

#[test]
fn ends() {
    play(&format!(
        "{LOGIN}stop\nS: * BYE Server shutting down\nclosed"
    ));
    // What runs is finished first.
    play(&format!(
        "{LOGIN}
         C: a NOOP
         Q: Command(Noop)
         stop
         A: OK x
         S: a OK
         S: * BYE Server shutting down
         closed"
    ));
    play(&format!("{LOGIN}end\nclosed"));
    play(&format!(
        "{LOGIN}
         C: a NOOP
         Q: Command(Noop)
         A: NO Disabled > bye
         S: * BYE Disabled
         closed"
    ));
}
