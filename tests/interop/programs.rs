//! Programs that people use: swaks, curl, telnet, netcat, openssl, mbsync, mutt.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::house::{ANNA, BEN, House, PASSWORD, PATIENCE, Program, wait};
use crate::talk::{Imap, Smtp};

fn swaks(house: &House) -> Program {
    Program::new("swaks").args([
        "--server",
        &format!("127.0.0.1:{}", house.mx),
        "--helo",
        "away.test",
        "--from",
        "you@away.test",
    ])
}

#[test]
fn swaks_delivers_to_two() {
    let house = House::new();
    let said = swaks(&house)
        .args([
            "--to",
            &format!("{ANNA},{BEN}"),
            "--h-Subject",
            "Swaks",
            "--body",
            "Line\\n.dot\\n",
        ])
        .run();
    assert!(said.contains("250 2.0.0 Ok: queued as "), "{said}");
    assert!(said.contains("221 2.0.0 Bye"), "{said}");
    for user in [ANNA, BEN] {
        let text = only_message(&house, user);
        assert!(
            text.starts_with("Return-Path: <you@away.test>\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nSubject: Swaks\r\n"), "{text}");
        assert!(text.contains("\r\n.dot\r\n"), "{text}");
        assert_eq!(text.matches("by mx.home.test").count(), 1, "{text}");
    }
}

#[test]
fn swaks_pipelined() {
    let house = House::new();
    let said = swaks(&house).args(["--to", ANNA, "--pipeline"]).run();
    assert!(said.contains("250 2.0.0 Ok"), "{said}");
    only_message(&house, ANNA);
}

#[test]
fn swaks_is_told_of_an_unknown_user_and_of_relaying() {
    let house = House::new();
    let (success, said) = swaks(&house).args(["--to", "nobody@home.test"]).outcome();
    assert!(!success);
    assert!(
        said.contains("550 5.1.1 <nobody@home.test>: Recipient address rejected"),
        "{said}"
    );
    let (success, said) = swaks(&house).args(["--to", "x@elsewhere.test"]).outcome();
    assert!(!success);
    assert!(
        said.contains("554 5.7.1 <x@elsewhere.test>: Relay access denied"),
        "{said}"
    );
    assert!(
        house.log().contains("nobody@home.test"),
        "the log names who was refused"
    );
}

#[test]
fn swaks_sends_twenty_megabytes() {
    let house = House::new();
    let line = format!("{}\n", "x".repeat(75));
    let body = line.repeat(20 * 1024 * 1024 / line.len());
    fs::write(house.path("body"), &body).unwrap();
    let said = swaks(&house)
        .args([
            "--to",
            ANNA,
            "--suppress-data",
            "--body",
            &format!("@{}", house.path("body").display()),
        ])
        .run();
    assert!(said.contains("250 2.0.0 Ok"), "{said}");
    let text = only_message(&house, ANNA);
    let (_, received) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(received.trim_end().replace("\r\n", "\n"), body.trim_end());
}

#[test]
fn curl_sends_and_reads() {
    let house = House::new();
    let smtp = format!("smtp://127.0.0.1:{}/away.test", house.mx);
    let imaps = format!("imaps://127.0.0.1:{}", house.imaps);
    let secret = format!("{ANNA}:{PASSWORD}");
    let curl = |arguments: &[&str], input: &str| {
        Program::new("curl")
            .args(["-sS", "-k", "-m", "30"])
            .args(arguments)
            .input(input)
            .run()
    };
    let message =
        "From: you@away.test\r\nTo: anna@home.test\r\nSubject: Curl\r\n\r\nOne.\r\n.\r\nTwo.\r\n";
    curl(
        &[
            &smtp,
            "--mail-from",
            "you@away.test",
            "--mail-rcpt",
            ANNA,
            "-T",
            "-",
        ],
        message,
    );
    let folders = curl(&["-u", &secret, &format!("{imaps}/")], "");
    assert!(
        folders.contains("INBOX") && folders.contains("\\Sent"),
        "{folders}"
    );
    let read = curl(&["-u", &secret, &format!("{imaps}/INBOX;MAILINDEX=1")], "");
    assert!(read.ends_with(message), "{read}");
    let header = curl(
        &[
            "-u",
            &secret,
            &format!("{imaps}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(Subject)"),
        ],
        "",
    );
    assert!(header.contains("Subject: Curl"), "{header}");
    let found = curl(
        &["-u", &secret, &format!("{imaps}/INBOX?SUBJECT%20curl")],
        "",
    );
    assert!(found.contains("* SEARCH 1"), "{found}");
    // A literal needs its length first, so curl wants a file here.
    let file = house.path("draft");
    fs::write(&file, message).unwrap();
    let file = file.to_str().unwrap();
    curl(&["-u", &secret, &format!("{imaps}/Drafts"), "-T", file], "");
    let draft = curl(&["-u", &secret, &format!("{imaps}/Drafts;MAILINDEX=1")], "");
    assert_eq!(draft, message);
    let (success, said) = Program::new("curl")
        .args([
            "-sS",
            "-k",
            "-m",
            "30",
            "-u",
            "anna@home.test:wrong",
            &format!("{imaps}/INBOX"),
        ])
        .outcome();
    assert!(!success && said.contains("denied"), "{said}");
}

#[test]
fn telnet_by_hand() {
    let house = House::new();
    let port = house.mx.to_string();
    // telnet's own way to end a line depends on its terminal, so it gets one.
    by_hand(
        "script",
        &["-qec", &format!("telnet 127.0.0.1 {port}"), "/dev/null"],
    );
    let text = only_message(&house, ANNA);
    assert!(
        text.ends_with("Subject: By hand\r\n\r\nHello Anna\r\n"),
        "{text}"
    );
}

#[test]
fn netcat_by_hand() {
    let house = House::new();
    by_hand("nc", &["-C", "127.0.0.1", &house.mx.to_string()]);
    let text = only_message(&house, ANNA);
    assert!(
        text.ends_with("Subject: By hand\r\n\r\nHello Anna\r\n"),
        "{text}"
    );
}

/// Types an SMTP dialogue line by line, waiting for each reply.
fn by_hand(program: &str, arguments: &[&str]) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; scripts/check installs it"));
    let mut input = child.stdin.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (lines, said) = mpsc::channel();
    let reader = thread::spawn(move || {
        output
            .lines()
            .map_while(Result::ok)
            .all(|line| lines.send(line).is_ok())
    });
    for (line, reply) in [
        ("", "220 mx.home.test ESMTP Pillarbox"),
        ("EHLO away.test", "250 "),
        ("MAIL FROM:<you@away.test>", "250 2.1.0 Ok"),
        ("RCPT TO:<anna@home.test>", "250 2.1.5 Ok"),
        ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
        (
            "Subject: By hand\n\nHello Anna\n.",
            "250 2.0.0 Ok: queued as ",
        ),
        ("QUIT", "221 2.0.0 Bye"),
    ] {
        if !line.is_empty() {
            writeln!(input, "{line}").unwrap();
        }
        loop {
            let said = said
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no {reply:?} to {line:?}"));
            let said = said.trim();
            if said.starts_with(reply) {
                break;
            }
            assert!(!said.starts_with(['4', '5']), "{line:?}: {said}");
        }
    }
    drop(input);
    assert!(
        wait(&mut child, PATIENCE).is_some(),
        "{program} ends after QUIT"
    );
    reader.join().unwrap();
}

#[test]
fn openssl_sees_a_certificate_for_the_host_and_new_versions_only() {
    let house = House::new();
    let certificate = certificate(&house);
    let shown = Program::new("openssl")
        .args(["x509", "-noout", "-text"])
        .input(fs::read(&certificate).unwrap())
        .run();
    assert!(shown.contains("DNS:mx.home.test"), "{shown}");
    assert!(shown.contains("prime256v1"), "{shown}");
    let commands = format!("a LOGIN {ANNA} {PASSWORD}\nb LOGOUT\n");
    let speak = |version: &str| {
        Program::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-crlf",
                "-cipher",
                "ALL:@SECLEVEL=0",
                version,
                "-connect",
            ])
            .args([format!("127.0.0.1:{}", house.imaps)])
            .input(&commands)
            .outcome()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let (success, said) = speak(version);
        assert!(success, "{version}: {said}");
        assert!(
            said.contains("* OK [CAPABILITY IMAP4rev1"),
            "{version}: {said}"
        );
        assert!(said.contains("a OK"), "{version}: {said}");
        assert!(
            said.contains("* BYE") && said.contains("b OK"),
            "{version}: {said}"
        );
    }
    let (success, said) = speak("-tls1_1");
    assert!(!success && !said.contains("* OK"), "{said}");
}

/// The server's certificate as PEM, in a file.
pub fn certificate(house: &House) -> PathBuf {
    let said = Program::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{}", house.imaps),
        ])
        .input("")
        .run();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let start = said.find(begin).expect("a certificate");
    let stop = said.find(end).expect("a certificate") + end.len();
    let file = house.path("certificate.pem");
    fs::write(&file, format!("{}\n", &said[start..stop])).unwrap();
    file
}

#[test]
fn mutt_lists_opens_and_saves() {
    let house = House::new();
    let mut smtp = Smtp::to(house.mx).unwrap();
    for subject in ["First", "Second", "Third"] {
        let text = format!(
            "From: you@away.test\r\nTo: {ANNA}\r\nSubject: {subject}\r\n\r\nThe {subject} text\r\n"
        );
        assert!(smtp.message(ANNA, &text).unwrap().starts_with("250"));
    }
    let home = house.path("home");
    fs::create_dir(&home).unwrap();
    let saved = house.path("saved");
    let certificate = certificate(&house);
    let configuration = format!(
        "set folder = \"imaps://127.0.0.1:{}/\"\nset spoolfile = \"+INBOX\"\nset imap_user = \"{ANNA}\"\n\
         set imap_pass = \"{PASSWORD}\"\nset certificate_file = \"{}\"\nset ssl_verify_host = no\n\
         set ssl_verify_dates = no\nset confirmappend = no\nset mbox_type = mbox\nset delete = yes\nset move = no\n\
         set wait_key = no\nset pager_index_lines = 0\nset header_cache = \"\"\n\
         push \"<limit>~s Second<enter><display-message><exit><copy-message><kill-line>{}<enter>y<flag-message><quit>\"\n",
        house.imaps,
        certificate.display(),
        saved.display(),
    );
    fs::write(house.path("muttrc"), configuration).unwrap();
    let rc = house.path("muttrc");
    Program::new("script")
        .args(["-qec", &format!("mutt -n -F {}", rc.display()), "/dev/null"])
        .env("HOME", &home)
        .env("TERM", "xterm")
        .input("")
        .run();
    let text = fs::read_to_string(&saved).expect("mutt saved the message");
    assert!(
        text.contains("Subject: Second") && text.contains("The Second text"),
        "{text}"
    );
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    assert_eq!(imap.search("SEARCH SEEN").unwrap(), [2]);
    assert_eq!(imap.search("SEARCH FLAGGED").unwrap(), [2]);
}

/// The one message in somebody's INBOX.
pub fn only_message(house: &House, user: &str) -> String {
    let mut imap = Imap::to(house.imap, user).unwrap();
    imap.ok("SELECT INBOX").unwrap();
    let messages = imap.ok("FETCH 1:* (BODY.PEEK[])").unwrap();
    assert_eq!(messages.len(), 1, "{messages:?}");
    String::from_utf8(messages[0].literals[0].clone()).unwrap()
}
