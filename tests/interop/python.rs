//! Python's smtplib, imaplib and email: programs whose authors did not know this server. Each script
//! beside this file checks what it sees and ends with an exception where that is wrong.

use crate::house::{ANNA, BEN, House, PASSWORD, Program, target};

fn run(house: &House, script: &str) {
    let said = Program::python(script)
        .env("MX", house.mx.to_string())
        .env("IMAP", house.imap.to_string())
        .env("IMAPS", house.imaps.to_string())
        .env("ANNA", ANNA)
        .env("BEN", BEN)
        .env("PASSWORD", PASSWORD)
        .env("PACKAGES", target().join("python"))
        .run();
    assert!(
        said.trim_end().ends_with("done"),
        "{script} did not come to its end:\n{said}"
    );
}

#[test]
fn smtplib_sends() {
    run(&House::new(), "send.py");
}

#[test]
fn imaplib_makes_and_removes_folders() {
    run(&House::new(), "folders.py");
}

#[test]
fn imaplib_reads_searches_and_changes_messages() {
    run(&House::new(), "messages.py");
}

#[test]
fn imaplib_does_all_it_can() {
    let house = House::new();
    house.operate(&["user", "quota", ANNA, "100MiB"], "");
    run(&house, "everything.py");
}

#[test]
fn imapclient_does_all_it_can() {
    let house = House::new();
    house.operate(&["user", "quota", ANNA, "100MiB"], "");
    run(&house, "client.py");
}

#[test]
fn two_sessions_see_each_other() {
    run(&House::new(), "two.py");
}

#[test]
fn python_reads_odd_messages_as_we_do() {
    run(&House::new(), "oracle.py");
}

/// Not the terminal of whoever runs the tests: one that the script makes.
#[test]
fn a_prompt_gives_the_terminal_back() {
    let house = House::new();
    let command = house.pillarbox(&["user", "passwd", ANNA]);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let said = Program::python("prompt.py").args(words).run();
    assert!(said.trim_end().ends_with("done"), "{said}");
}
