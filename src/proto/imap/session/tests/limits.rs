//! What a session does not take: too much, too long, too often.

use super::*;

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 300, "{}", size_of::<Session>());
    let mut session = Session::new(Options::default());
    session.input(b"a LOGIN {5+}\r\nalice hush\r\nb IDLE\r\n");
    loop {
        match session.step(Instant::default()) {
            Step::Ask(_) => session.answer(answer("* 1 EXISTS\\r\\n || OK x")),
            Step::Write(_) => {}
            _ => break,
        }
    }
    assert!(matches!(session.phase, Phase::Idle));
    assert_eq!(session.command.capacity() + session.out.capacity(), 0);
    assert!(session.input.is_empty());
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
         Q: Command(Noop, 
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
         Q: Command(Noop, 
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
         Q: Command(Noop, 
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
        "{LOGIN}{}C: b NOOP\nQ: Command(Noop, \nA: OK x\nS: b OK\n{}S: * BYE Too many\nclosed",
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
         Q: Command(Noop, 
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
         Q: Command(Noop, 
         A: NO Disabled > bye
         S: * BYE Disabled
         closed"
    ));
}
