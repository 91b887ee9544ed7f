//! Anything may come, cut anywhere.

use proptest::prelude::*;

use super::*;
use crate::proto::imap::command::Command;

/// What a client was told and the service was asked, with octets cut into pieces of `cut`.
fn talk(octets: &[u8], cut: usize, authenticated: bool) -> (Vec<u8>, Vec<String>) {
    let mut session = Session::new(Options::default());
    let (mut told, mut asked) = (vec![], vec![]);
    let log_in: &[u8] = if authenticated {
        b"l LOGIN a b\r\n"
    } else {
        b""
    };
    for mut piece in [log_in].into_iter().chain(octets.chunks(cut)) {
        loop {
            let n = session.input(piece);
            piece = &piece[n..];
            if !turn(&mut session, &mut told, &mut asked) {
                return (told, asked);
            }
            if piece.is_empty() {
                break;
            }
        }
    }
    session.end();
    turn(&mut session, &mut told, &mut asked);
    (told, asked)
}

/// Runs until more octets are wanted; false at the end.
fn turn(session: &mut Session, told: &mut Vec<u8>, asked: &mut Vec<String>) -> bool {
    loop {
        match session.step(Instant::default()) {
            Step::Ask(question) => {
                let answer = match &question {
                    Question::AppendBegin(..) => Answer::Accept,
                    Question::Command(command, _) if matches!(**command, Command::Select(_)) => {
                        done("OK x > selected")
                    }
                    _ => done("OK x"),
                };
                // Whether it is asked depends on how soon DONE comes.
                if !matches!(question, Question::Poll(_)) {
                    asked.push(format!("{question:?}"));
                }
                session.answer(answer);
            }
            Step::Close => return false,
            Step::Compress(octets) => assert_eq!(session.input(&octets), octets.len()),
            Step::Content(octets) => assert!(!octets.is_empty()),
            Step::Read { .. } => return true,
            Step::Write(octets) => told.extend(octets),
            Step::Send(_) | Step::StartTls => panic!("nobody wanted that"),
        }
    }
}

fn words() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "a ",
            "b ",
            "LOGIN x y",
            "SELECT inbox",
            "NOOP",
            "IDLE",
            "DONE",
            "\r\n",
            "\r\n",
            "\r\n",
            "\n",
            "{3}\r\n",
            "{3+}\r\n",
            "abc",
            "APPEND x {3+}",
            "APPEND x {5}",
            "FETCH 1 ALL",
            "UID FETCH 1:* (FLAGS)",
            "AUTHENTICATE PLAIN",
            "AGEAYg==",
            "LOGOUT",
            " ",
            "(",
            "\"",
            "{99999999999+}\r\n",
            "\0",
            "CAPABILITY",
            "STARTTLS",
            "{70000+}\r\n",
            "*",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
        (1000usize..30_000).prop_map(|n| vec![b'x'; n]),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn the_cut_does_not_matter(octets in words(), authenticated: bool) {
        let whole = talk(&octets, 4096, authenticated);
        prop_assert_eq!(&whole, &talk(&octets, 7, authenticated));
        prop_assert_eq!(&whole, &talk(&octets, 1, authenticated));
    }

    #[test]
    fn any_octets(octets: Vec<u8>, authenticated: bool) {
        prop_assert_eq!(talk(&octets, 4096, authenticated), talk(&octets, 1, authenticated));
    }
}
