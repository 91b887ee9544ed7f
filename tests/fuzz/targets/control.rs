//! What comes over the control socket: octets that are a request or an answer, and the same octets as
//! a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pillarbox::service::operate::wire::{decode, encode};
use pillarbox::service::operate::{Answer, Call};

pub const WORDS: &[&str] = &[
    "\0",
    "\u{1}",
    "\u{2}",
    "\u{3}",
    "\u{4}",
    "\u{5}",
    "\u{6}",
    "\u{7f}",
    "\u{9}home.test",
    "\u{b}a@home.test",
    "ok",
    "warning",
    "failing",
    "\u{2}ok",
    "é",
    "\n",
    "AQ",
    "=",
];

pub fn run(data: &[u8]) {
    for line in [data, STANDARD_NO_PAD.encode(data).as_bytes()] {
        if let Some(call) = decode::<Call>(line) {
            let again: Call = decode(encode(&call).as_bytes()).expect("it was just written");
            assert_eq!(encode(&again), encode(&call));
            // Nobody reads a password in a log.
            let _ = format!("{call:?}");
        }
        if let Some(answer) = decode::<Answer>(line) {
            let again: Answer = decode(encode(&answer).as_bytes()).expect("it was just written");
            assert_eq!(encode(&again), encode(&answer));
            shown(&answer);
        }
    }
}

/// What the command line prints.
fn shown(answer: &Answer) {
    match answer {
        Answer::Problem(problem) => assert!(problem.kind.exit() >= 64),
        Answer::Reply(reply) => {
            let _ = reply.text();
            for line in reply.json() {
                assert!(!line.contains('\n'));
                let read: serde_json::Result<serde_json::Value> = serde_json::from_str(&line);
                assert!(read.is_ok_and(|value| value.is_object()), "{line:?}");
            }
            assert!(reply.exit() <= 2);
        }
    }
}
