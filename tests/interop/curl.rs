//! curl's IMAP addresses (RFC 5092): folders with odd names, sections, searches, what is appended.

use std::fs;

use crate::day;
use crate::house::{ANNA, House, PASSWORD, Program};
use crate::talk::Imap;

struct Curl {
    base: String,
}

impl Curl {
    fn to(house: &House) -> Self {
        Self {
            base: format!("imaps://127.0.0.1:{}", house.imaps),
        }
    }

    /// What comes from an address; the path is written as it has to be.
    fn get(&self, path: &str) -> String {
        self.with(path, &[])
    }

    fn with(&self, path: &str, more: &[&str]) -> String {
        let (success, said) = self.outcome(path, more);
        assert!(success, "{path}: {said}");
        said
    }

    fn outcome(&self, path: &str, more: &[&str]) -> (bool, String) {
        Program::new("curl")
            .args([
                "-sS",
                "-k",
                "-m",
                "30",
                "-u",
                &format!("{ANNA}:{PASSWORD}"),
                &format!("{}/{path}", self.base),
            ])
            .args(more)
            .outcome()
    }
}

#[test]
fn curl_reads_sections_searches_and_appends() {
    let house = House::new();
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for number in 0..24 {
        day::append(&mut imap, "INBOX", number, "");
    }
    let curl = Curl::to(&house);
    for number in 1..=24 {
        assert_eq!(
            curl.get(&format!("INBOX;MAILINDEX={number}")),
            day::message(number - 1),
            "{number}"
        );
        assert_eq!(
            curl.get(&format!("INBOX;UID={number}")),
            day::message(number - 1),
            "UID {number}"
        );
    }
    assert_eq!(curl.get("INBOX;UID=2;SECTION=1"), "See there");
    assert_eq!(curl.get("INBOX;UID=2;SECTION=2"), "JVBERi0=");
    assert!(
        curl.get("INBOX;UID=2;SECTION=2.MIME")
            .starts_with("Content-Type: application/pdf")
    );
    assert_eq!(
        curl.get("INBOX;UID=10;SECTION=1.HEADER"),
        "From: x@y.test\r\nSubject: inner\r\n\r\n"
    );
    assert_eq!(curl.get("INBOX;UID=10;SECTION=1.TEXT"), "Inner text\r\n");
    assert_eq!(curl.get("INBOX;UID=3;SECTION=TEXT"), "Grüße aus 日本\r\n");
    assert_eq!(
        curl.get("INBOX;UID=3;SECTION=HEADER.FIELDS%20(Subject%20X-Day)"),
        "X-Day: 2\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?5pel5pys?=\r\n\r\n"
    );
    let validity = curl.with("", &["-X", "STATUS INBOX (UIDVALIDITY)"]);
    let validity: String = validity.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(
        curl.get(&format!("INBOX;UIDVALIDITY={validity};UID=1")),
        day::message(0)
    );
    assert!(
        !curl.outcome("INBOX;UIDVALIDITY=1;UID=1", &[]).0,
        "another UIDVALIDITY"
    );
    assert!(!curl.outcome("Nothing;UID=1", &[]).0);

    // Searches, and commands of one's own.
    assert_eq!(curl.get("INBOX?SUBJECT%20folded").trim(), "* SEARCH 5 17");
    assert_eq!(
        curl.get("INBOX?UID%204:6%20NOT%20FLAGGED%20SUBJECT%20dots")
            .trim(),
        "* SEARCH 6"
    );
    assert_eq!(curl.get("INBOX?TEXT%20Inner").trim(), "* SEARCH 10 22");
    assert!(
        curl.with("INBOX", &["-X", "UID FETCH 1:3 (FLAGS)"])
            .contains("* 3 FETCH")
    );
    curl.with("INBOX", &["-X", "STORE 1 +FLAGS (\\Deleted)"]);
    curl.with("INBOX", &["-X", "EXPUNGE"]);
    assert_eq!(curl.get("INBOX?1").trim(), "* SEARCH 1");
    let sorted = curl.with(
        "INBOX",
        &["-X", "SORT (REVERSE ARRIVAL) UTF-8 SUBJECT dots"],
    );
    assert_eq!(
        sorted
            .split_whitespace()
            .filter(|word| word.parse::<u32>().is_ok())
            .count(),
        2,
        "{sorted}"
    );
}

/// They are made, filled and read, before and after the server starts anew.
#[test]
fn curl_uses_folders_with_odd_names() {
    let mut house = House::new();
    let curl = Curl::to(&house);
    let names = [
        ("Gr%26APwA3w-e", "Gr&APwA3w-e"),
        ("With%20space", "With space"),
        ("A/B/C", "A/B/C"),
        ("it's%20%22quoted%22", "it's \"quoted\""),
        ("%28paren%29%20%5Bx%5D", "(paren) [x]"),
        ("back%5Cslash", "back\\slash"),
    ];
    for (path, name) in names {
        curl.with("", &["-X", &format!("CREATE {}", day::quoted(name))]);
        for number in [1, 3, 7, 10, 11] {
            let file = house.path("letter");
            fs::write(&file, day::message(number)).unwrap();
            curl.with(path, &["-T", file.to_str().unwrap()]);
        }
    }
    house.stop();
    house.start();
    for (path, name) in names {
        for (number, index) in [1, 3, 7, 10, 11].into_iter().zip(1..) {
            assert_eq!(
                curl.get(&format!("{path};MAILINDEX={index}")),
                day::message(number),
                "{name} {number}"
            );
        }
        assert_eq!(
            curl.get(&format!("{path}?ALL")).trim(),
            "* SEARCH 1 2 3 4 5",
            "{name}"
        );
    }
}
