//! What transcripts cannot show: pieces of long answers, waits, crowds, wrong answers.

use super::*;

fn session() -> Session {
    let mut session = Session::new(Options {
        in_clear: true,
        ..Options::default()
    });
    assert_eq!(written(&mut session), "+OK Pillarbox ready.\r\n");
    session
}

/// What a machine writes until it wants something else.
fn written(session: &mut Session) -> String {
    match session.step(Instant(0)) {
        Step::Write(octets) => String::from_utf8(octets).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn asked(session: &mut Session) -> Question {
    match session.step(Instant(0)) {
        Step::Ask(question) => question,
        other => panic!("{other:?}"),
    }
}

fn say(session: &mut Session, line: &str) {
    let line = format!("{line}\r\n");
    assert_eq!(session.input(line.as_bytes()), line.len());
}

fn until(session: &mut Session) -> u64 {
    match session.step(Instant(0)) {
        Step::Read { until } => until.0 / 1000,
        other => panic!("{other:?}"),
    }
}

fn opened() -> Session {
    let mut session = session();
    say(&mut session, "AUTH PLAIN AGEAYg==");
    let question = asked(&mut session);
    assert!(matches!(question, Question::Auth(_)));
    assert!(Session::not_now(&question).is_some() && session.stranger());
    session.answer(Answer::Auth(sasl::Answer::Right));
    assert_eq!(asked(&mut session), Question::Open);
    session.answer(Answer::Ok("1 messages".to_owned()));
    assert_eq!(written(&mut session), "+OK 1 messages\r\n");
    assert!(!session.stranger());
    session
}

#[test]
fn long_answers_leave_in_pieces() {
    let mut session = opened();
    say(&mut session, "RETR 1");
    say(&mut session, "NOOP");
    assert_eq!(asked(&mut session), Question::Maildrop(Maildrop::Retr(1)));
    session.answer(Answer::Lines {
        text: "9 octets".to_owned(),
        octets: b"one\r\n.".to_vec(),
        more: true,
    });
    assert_eq!(written(&mut session), "+OK 9 octets\r\none\r\n..");
    assert_eq!(asked(&mut session), Question::More);
    session.answer(Answer::More {
        octets: b".x".to_vec(),
        more: false,
    });
    // With the answer to what was sent ahead.
    assert_eq!(asked(&mut session), Question::Maildrop(Maildrop::Noop));
    session.answer(Answer::Ok("Nothing".to_owned()));
    assert_eq!(written(&mut session), ".x\r\n.\r\n+OK Nothing\r\n");
}

#[test]
fn no_more_is_asked_for_than_top_wants() {
    let mut session = opened();
    say(&mut session, "TOP 1 1");
    asked(&mut session);
    session.answer(Answer::Lines {
        text: "x".to_owned(),
        octets: b"A: b\r\n\r\n1\r\n2\r\n".to_vec(),
        more: true,
    });
    assert_eq!(written(&mut session), "+OK x\r\nA: b\r\n\r\n1\r\n.\r\n");
    assert_eq!(until(&mut session), 600);
}

#[test]
fn strangers_wait_shorter_in_a_crowd() {
    let mut session = session();
    assert_eq!(until(&mut session), 60);
    session.crowded(true);
    assert_eq!(until(&mut session), 10);
    session.crowded(false);
    assert_eq!(until(&mut session), 60);
    let mut session = opened();
    session.crowded(true);
    assert_eq!(until(&mut session), 600);
}

#[test]
fn a_stop_waits_for_the_running_command() {
    let mut session = opened();
    say(&mut session, "STAT");
    asked(&mut session);
    session.stop();
    session.answer(Answer::Ok("0 0".to_owned()));
    assert_eq!(written(&mut session), "+OK 0 0\r\n");
    assert_eq!(
        written(&mut session),
        "-ERR [SYS/TEMP] Server shutting down\r\n"
    );
    assert!(matches!(session.step(Instant(0)), Step::Close));
    assert!(matches!(session.step(Instant(0)), Step::Close));
}

#[test]
fn an_answer_to_another_question_ends_the_session() {
    for answer in [
        Answer::Auth(sasl::Answer::Right),
        Answer::More {
            octets: vec![],
            more: false,
        },
    ] {
        let mut session = opened();
        say(&mut session, "STAT");
        asked(&mut session);
        session.answer(answer);
        assert!(matches!(session.step(Instant(0)), Step::Close));
    }
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    let mut session = opened();
    until(&mut session);
    assert_eq!(session.out.capacity(), 0);
}
