//! Programs that fetch mail by POP3: curl, Python's poplib, getmail and fetchmail (which fetch by IMAP
//! too).

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::house::{ANNA, BEN, House, PASSWORD, PATIENCE, Program, free_port, target, until};
use crate::talk::{Imap, Smtp, Talk};

/// A box with POP3.
struct Pop3 {
    house: House,
    /// 110's part: STLS.
    stls: u16,
    /// 995's part: TLS from the first octet.
    tls: u16,
}

impl Pop3 {
    fn new() -> Self {
        let [stls, tls] = [(); 2].map(|()| free_port());
        let house = House::with(&format!(
            "listen.pop3 = [\"127.0.0.1:{stls}\"]\nlisten.pop3s = [\"127.0.0.1:{tls}\"]"
        ));
        for port in [stls, tls] {
            until(PATIENCE, "POP3 answers", || {
                TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        Self { house, stls, tls }
    }

    fn deliver(&self, content: &str) {
        let mut smtp = Smtp::to(self.house.mx).unwrap();
        let reply = smtp.message(BEN, content).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }

    /// So many small messages.
    fn fill(&self, count: usize) {
        let mut imap = Imap::to(self.house.imap, BEN).unwrap();
        for number in 1..=count {
            let reply = imap.append("INBOX", &format!("Subject: {number}\r\n\r\n.{number}\r\n"));
            assert!(reply.unwrap().starts_with("OK"));
        }
    }

    /// How many messages Ben has left.
    fn left(&self) -> usize {
        let mut imap = Imap::to(self.house.imap, BEN).unwrap();
        imap.ok("EXAMINE INBOX").unwrap();
        imap.search("UID SEARCH ALL").unwrap().len()
    }
}

fn curl(arguments: &[&str]) -> Program {
    Program::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--max-time", "30"])
        .args(["--user", &format!("{BEN}:{PASSWORD}")])
        .args(arguments)
}

#[test]
fn curl_fetches() {
    let pop = Pop3::new();
    pop.deliver("Subject: curl\r\n\r\n.dot\r\n..\r\n");
    let clear = format!("pop3://127.0.0.1:{}", pop.stls);
    let tls = format!("pop3s://127.0.0.1:{}", pop.tls);
    for (url, how) in [
        (&clear, &["--ssl-reqd"][..]),
        (&clear, &[]),
        (&tls, &[]),
        (&tls, &["--login-options", "AUTH=PLAIN", "--sasl-ir"]),
        (&tls, &["--login-options", "AUTH=PLAIN"]),
        (&tls, &["--login-options", "AUTH=LOGIN"]),
    ] {
        let list = curl(how).args([format!("{url}/")]).run();
        let size: usize = list.trim().strip_prefix("1 ").unwrap().parse().unwrap();
        let text = curl(how).args([format!("{url}/1")]).run();
        assert_eq!(text.len(), size, "{how:?}");
        assert!(
            text.starts_with("Return-Path: <you@away.test>\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\n.dot\r\n..\r\n"), "{text}");
        let names = curl(how).args(["-X", "UIDL", url]).run();
        assert!(
            names.starts_with("1 ") && names.contains(".1\r\n"),
            "{names}"
        );
        let top = curl(how).args(["-X", "TOP 1 0", url]).run();
        assert!(top.ends_with("Subject: curl\r\n\r\n"), "{top}");
    }
    // Without a body to wait for.
    curl(&["--head", "-X", "DELE 1", &tls]).run();
    assert_eq!(pop.left(), 0);
    let (success, said) = curl(&["--user", &format!("{BEN}:wrong"), &tls]).outcome();
    assert!(!success, "{said}");
}

#[test]
fn openssl_talks() {
    let pop = Pop3::new();
    let said = Program::new("openssl")
        .args(["s_client", "-quiet", "-starttls", "pop3", "-connect"])
        .args([format!("127.0.0.1:{}", pop.stls)])
        .input("CAPA\r\nQUIT\r\n")
        .run();
    assert!(said.contains("SCRAM-SHA-256-PLUS"), "{said}");
    assert!(!said.contains("STLS"), "{said}");
    assert!(said.trim_end().ends_with("+OK Bye"), "{said}");
}

#[test]
fn poplib_does_a_days_work() {
    let pop = Pop3::new();
    pop.fill(500);
    pop.deliver(&format!(
        "Subject: long\r\n\r\n{}",
        ".0123456789abcdef\r\n".repeat(20_000)
    ));
    let said = Program::python("poplib_work.py")
        .args([pop.stls.to_string(), pop.tls.to_string()])
        .args([BEN, PASSWORD])
        .run();
    assert!(said.trim_end().ends_with("done"), "{said}");
    // The script has deleted all but every tenth of the 500.
    assert_eq!(pop.left(), 50);
}

/// SIGTERM: who idles is told; what was deleted stays.
#[test]
fn a_stop_is_told() {
    let mut pop = Pop3::new();
    pop.fill(1);
    let mut talk = Talk::to(pop.stls).unwrap();
    talk.line().unwrap();
    talk.send(format!("USER {BEN}\r\nPASS {PASSWORD}\r\nDELE 1\r\n"))
        .unwrap();
    for _ in 0..3 {
        let line = talk.line().unwrap();
        assert!(line.starts_with("+OK"), "{line}");
    }
    let status = pop.house.operate(&["status"], "");
    assert!(status.contains(" 1 IMAP and POP3 sessions"), "{status}");
    pop.house.stop();
    let rest = talk.rest().unwrap();
    assert!(rest.starts_with("-ERR [SYS/TEMP]"), "{rest}");
    pop.house.start();
    assert_eq!(pop.left(), 1);
}

#[test]
fn getmail_fetches() {
    for (retriever, port, how) in [
        ("SimplePOP3SSLRetriever", "pop3s", ""),
        ("SimplePOP3Retriever", "pop3", ""),
        (
            "SimpleIMAPSSLRetriever",
            "imaps",
            "mailboxes = (\"INBOX\",)\n",
        ),
    ] {
        let pop = Pop3::new();
        let port = match port {
            "pop3s" => pop.tls,
            "pop3" => pop.stls,
            _ => pop.house.imaps,
        };
        pop.deliver("Subject: one\r\n\r\n.first\r\n");
        pop.deliver("Subject: two\r\n\r\nsecond\r\n");
        fs::create_dir(pop.house.path("state")).unwrap();
        let mails = pop.house.path("mails");
        let configure = |delete: bool| {
            let text = format!(
                "[retriever]\ntype = {retriever}\nserver = 127.0.0.1\nport = {port}\n\
                 username = {BEN}\npassword = {PASSWORD}\n{how}\
                 [destination]\ntype = MDA_external\npath = /usr/bin/tee\n\
                 arguments = (\"-a\", \"{}\")\nallow_root_commands = true\n\
                 [options]\nread_all = false\ndelete = {delete}\n",
                mails.display()
            );
            fs::write(pop.house.path("state/getmailrc"), text).unwrap();
        };
        let getmail = || {
            let program = target().join("getmail/bin/getmail");
            Program::new(&program.display().to_string())
                .env("PYTHONPATH", target().join("getmail"))
                .args(["--getmaildir"])
                .args([pop.house.path("state")])
                .run()
        };
        let got = || {
            let text = fs::read_to_string(&mails).unwrap();
            (text.matches("Subject: ").count(), text)
        };
        configure(false);
        let said = getmail();
        let (count, text) = got();
        assert_eq!(count, 2, "{retriever}: {said}\n{text}");
        assert!(text.contains("\n\n.first\n"), "{text}");
        // By UIDL it knows what it has.
        let said = getmail();
        assert_eq!(got().0, 2, "{retriever}: {said}");
        assert_eq!(pop.left(), 2);
        pop.deliver("Subject: three\r\n\r\nthird\r\n");
        configure(true);
        let said = getmail();
        assert_eq!(got().0, 3, "{retriever}: {said}");
        assert_eq!(pop.left(), 0, "{retriever}: {said}");
    }
}

#[test]
fn fetchmail_fetches() {
    for (protocol, tls) in [
        ("pop3", "ssl"),
        ("pop3", "sslproto tls1.2+"),
        ("imap", "ssl"),
    ] {
        let pop = Pop3::new();
        let port = match (protocol, tls) {
            ("imap", _) => pop.house.imaps,
            (_, "ssl") => pop.tls,
            _ => pop.stls,
        };
        pop.deliver("Subject: one\r\n\r\n.first\r\n");
        pop.fill(30);
        let home = pop.house.path("home");
        fs::create_dir(&home).unwrap();
        let mails = pop.house.path("mails");
        let configure = |keep: &str| {
            let text = format!(
                "poll 127.0.0.1 protocol {protocol} port {port} uidl\n\
                 user \"{BEN}\" password \"{PASSWORD}\" {tls} no sslcertck {keep}\n\
                 mda \"cat >> {}\"\n",
                mails.display()
            )
            .replace(" uidl", if protocol == "pop3" { " uidl" } else { "" });
            let file = pop.house.path("fetchmailrc");
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let fetchmail = || {
            Program::new("fetchmail")
                .args(["--nodetach", "--nosyslog", "-v", "-f"])
                .args([pop.house.path("fetchmailrc")])
                .env("HOME", &home)
                .env("FETCHMAILHOME", &home)
                .patient(Duration::from_mins(2))
                .outcome()
        };
        configure("keep");
        let (success, said) = fetchmail();
        assert!(success, "{protocol} {tls}:\n{said}");
        let text = fs::read_to_string(&mails).unwrap();
        assert_eq!(text.matches("\nSubject: ").count(), 31, "{text}");
        assert!(text.contains("\n\n.first\n"), "{text}");
        assert_eq!(pop.left(), 31);
        // Exit code 1: no new mail.
        let (_, said) = fetchmail();
        let text = fs::read_to_string(&mails).unwrap();
        assert_eq!(text.matches("\nSubject: ").count(), 31, "{said}");
        configure("no keep fetchall");
        let (success, said) = fetchmail();
        assert!(success, "{said}");
        assert_eq!(pop.left(), 0, "{said}");
    }
}

/// ANNA's mail is nobody else's.
#[test]
fn each_has_an_own_maildrop() {
    let pop = Pop3::new();
    pop.fill(2);
    let list = Program::new("curl")
        .args(["--silent", "--insecure", "--max-time", "30"])
        .args(["--user", &format!("{ANNA}:{PASSWORD}")])
        .args([format!("pop3s://127.0.0.1:{}/", pop.tls)])
        .run();
    assert_eq!(list.trim(), "");
}
