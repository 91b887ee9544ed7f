//! Scripted servers (`tests/transcripts/client/`) and what holds whatever a server does.

mod random;
mod script;

use self::script::play;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/client");

#[test]
fn transcripts() {
    let mut names: Vec<_> = std::fs::read_dir(SCRIPTS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(names.len() > 20);
    for name in names {
        let script = std::fs::read_to_string(&name).unwrap();
        for cut in [1, 7, 4096] {
            play(&name.display().to_string(), &script, cut);
        }
    }
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<super::Session>() <= 640);
}

/// No command comes out of an address, whatever the store holds.
#[test]
fn an_address_is_one_line() {
    let mut session = super::Session::new(script::options(), crate::base::time::Instant(0));
    session.say("MAIL FROM:<a\r\nDATA>", super::Expect::Mail);
    assert_eq!(session.out, b"MAIL FROM:<a??DATA>\r\n");
}
