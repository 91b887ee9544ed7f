//! Plays the scripted sessions of `tests/transcripts/` against real services and a real store, with
//! the input cut to 1, 7 and 4,096 octets. `common::script` lists their words.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod common;
#[path = "transcripts/folders.rs"]
mod folders;
#[path = "transcripts/model/mod.rs"]
mod model;
#[path = "transcripts/odd.rs"]
mod odd;
#[path = "transcripts/relay.rs"]
mod relay;
#[path = "transcripts/rows.rs"]
mod rows;
#[path = "transcripts/search.rs"]
mod search;
#[path = "transcripts/sessions.rs"]
mod sessions;
#[path = "transcripts/storm.rs"]
mod storm;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use common::house::Protocol;
use common::script::play;

const CUTS: [usize; 3] = [1, 7, 4096];

/// The protocol by itself, but for scripts about accounts and questions that only
/// `proto::smtp::server`'s own tests have.
#[test]
fn smtp() {
    play_all("smtp", Protocol::Smtp, 48);
}

/// What only the service behind submission knows.
#[test]
fn submission() {
    play_all("submission", Protocol::Submission, 10);
}

/// What only the listeners for programs and devices know.
#[test]
fn local() {
    play_all("local", Protocol::Local, 6);
}

/// What only the MX listener's service knows.
#[test]
fn mx() {
    play_all("mx", Protocol::Smtp, 10);
}

/// IMAP: session, service and store.
#[test]
fn imap() {
    play_all("imap", Protocol::Imap, 20);
}

/// POP3, beside IMAP where that matters.
#[test]
fn pop3() {
    play_all("pop3", Protocol::Pop3, 20);
}

fn is_of_the_machine(script: &str) -> bool {
    let words = ["auth", "authenticated", "bare", "kept"];
    let word = |line: &str| line.split(' ').next().is_some_and(|w| words.contains(&w));
    script.lines().any(word)
}

/// Plays all scripts of a folder, of which there are at least so many.
fn play_all(folder: &str, protocol: Protocol, least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = fs::read_dir(root.join(folder)).expect(folder);
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let count = paths.len();
    assert!(count >= least, "{folder} holds only {count} scripts");
    let mut failed = vec![];
    for path in paths {
        let script = fs::read_to_string(&path).unwrap();
        if folder == "smtp" && is_of_the_machine(&script) {
            continue;
        }
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let played = catch_unwind(|| {
            for cut in CUTS {
                play(&name, &script, protocol, cut);
            }
        });
        if played.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}
