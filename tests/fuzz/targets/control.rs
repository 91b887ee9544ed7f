//! A line of the control socket: a request, and an answer.

use pillarbox::service::operate::{Answer, Call};

pub const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1e999",
    "\\u0000",
    "\\ud800",
    "\"request\"",
    "\"dry_run\"",
    "\"Status\"",
    "\"Domain\"",
    "\"User\"",
    "\"Store\"",
    "\"Config\"",
    "\"Add\"",
    "\"List\"",
    "\"Remove\"",
    "\"name\"",
    "\"address\"",
    "\"password\"",
    "\"Reply\"",
    "\"Problem\"",
    "\"kind\"",
    "\"text\"",
    "é",
    "\0",
];

pub fn run(data: &[u8]) {
    if let Ok(call) = serde_json::from_slice::<Call>(data) {
        // One line, and the same request again.
        let line = serde_json::to_string(&call).expect("it can be written");
        assert!(!line.contains('\n'));
        let again: Call = serde_json::from_str(&line).expect("it was just written");
        assert_eq!(
            serde_json::to_string(&again).expect("it can be written"),
            line
        );
    }
    if let Ok(answer) = serde_json::from_slice::<Answer>(data) {
        let line = serde_json::to_string(&answer).expect("it can be written");
        assert!(!line.contains('\n'));
        match answer {
            Answer::Problem(problem) => assert!(problem.kind.exit() >= 64),
            Answer::Reply(reply) => {
                let _ = reply.text();
                assert!(reply.json().iter().all(|line| !line.contains('\n')));
                assert!(reply.exit() <= 2);
            }
        }
    }
}
