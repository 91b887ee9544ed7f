//! Mail leaves the box for real programs: Postfix' smtp-sink in its moods, Postfix itself with TLS and
//! accounts, Dovecot over LMTP.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::house::{ANNA, House, PASSWORD, PATIENCE, Program, free_port, terminate, until, wait};
use crate::talk::Smtp;

/// A line that begins with a dot, an eight-bit letter, and no empty line at the end.
const TEXT: &str = ".dot\r\nf\u{fc}r\r\n..\r\nlast\r\n";

/// anna sends a message; its subject finds it again.
fn send(house: &House, to: &[&str], subject: &str) {
    send_text(house, to, subject, TEXT);
}

fn send_text(house: &House, to: &[&str], subject: &str, text: &str) {
    let mut smtp = Smtp::to(house.submission).unwrap();
    let login = STANDARD.encode(format!("\0{ANNA}\0{PASSWORD}"));
    smtp.command(&format!("AUTH PLAIN {login}"), "235").unwrap();
    smtp.command(&format!("MAIL FROM:<{ANNA}> BODY=8BITMIME"), "250")
        .unwrap();
    for to in to {
        smtp.command(&format!("RCPT TO:<{to}>"), "250").unwrap();
    }
    smtp.command("DATA", "354").unwrap();
    let content = format!("From: {ANNA}\r\nSubject: {subject}\r\n\r\n{text}");
    let content = content.replace("\r\n.", "\r\n..") + ".\r\n";
    smtp.0.send(content).unwrap();
    smtp.expect("250").unwrap();
}

fn log_says(house: &House, text: &str) {
    until(PATIENCE, &format!("the log says {text:?}"), || {
        house.log().contains(text).then_some(())
    });
}

fn queue_is_empty(house: &House) {
    until(PATIENCE, "the queue is empty", || {
        let listed = house.operate(&["queue", "list", "--json"], "");
        (!listed.contains("\"id\"")).then_some(())
    });
}

/// All files below a folder, as text.
fn texts(folder: &Path) -> String {
    let Ok(entries) = fs::read_dir(folder) else {
        return String::new();
    };
    let text = |path: PathBuf| match path.is_dir() {
        true => texts(&path),
        false => String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned(),
    };
    entries.map(|entry| text(entry.unwrap().path())).collect()
}

/// Postfix' smtp-sink on a port of its own; what it gets lies in a folder.
struct Sink {
    port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl Sink {
    fn start(port: u16, mood: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Program::new("chmod")
            .args(["777", &folder.path().display().to_string()])
            .run();
        let child = Command::new("/usr/sbin/smtp-sink")
            .args(["-u", "nobody", "-d", "%s."])
            .args(mood)
            .args([&format!("127.0.0.1:{port}"), "10"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until(PATIENCE, "smtp-sink listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            port,
            folder,
            child,
        }
    }

    /// Waits for a message with this subject.
    fn got(&self, subject: &str) -> String {
        until(PATIENCE, &format!("smtp-sink has {subject}"), || {
            let text = texts(self.folder.path());
            let whole = text.contains(subject) && text.contains("last");
            whole.then_some(text)
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        terminate(&self.child);
        if wait(&mut self.child, PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn leads(house: &House, domain: &str, target: &str) {
    house.operate(&["transport", "add", domain, target], "");
}

/// OQ-12, TR-4: what a peer offers is used, and what it does not offer is not.
#[test]
fn oq_12_smtp_sink_in_its_moods() {
    let house = House::new();
    for (mood, flags, scheme) in [
        ("plain", &[][..], "smtp"),
        ("silent", &["-p", "-E"], "smtp"),
        ("lmtp", &["-L"], "lmtp"),
    ] {
        let sink = Sink::start(free_port(), flags);
        let domain = format!("{mood}.test");
        leads(
            &house,
            &domain,
            &format!("{scheme}:[127.0.0.1]:{}", sink.port),
        );
        let (you, her) = (format!("you@{domain}"), format!("her@{domain}"));
        send(&house, &[&you, &her], mood);
        let text = sink.got(mood);
        for part in [".dot", "f\u{fc}r", "last", &you, &her] {
            assert!(text.contains(part), "{mood}: no {part} in\n{text}");
        }
        log_says(
            &house,
            &format!("to=<{you}>, relay=127.0.0.1[127.0.0.1]:{}", sink.port),
        );
    }
    queue_is_empty(&house);
}

/// OQ-3, TR-11: a peer that greylists, one that is not there, one that dies before the 250; each has
/// its reason in the log, and gets the message when it is well again.
#[test]
fn oq_3_peers_that_are_unwell() {
    let house = House::new();
    for (name, mood, reason) in [
        ("grey", Some(["-r", "RCPT"]), "said: 450 "),
        (
            "dying",
            Some(["-q", "."]),
            "while sending end of data -- message may be sent more than once",
        ),
        ("gone", None, "Connection refused"),
    ] {
        let (port, domain) = (free_port(), format!("{name}.test"));
        leads(&house, &domain, &format!("smtp:[127.0.0.1]:{port}"));
        let unwell = mood.map(|mood| Sink::start(port, &mood));
        send(&house, &[&format!("you@{domain}")], name);
        log_says(&house, &format!("to=<you@{domain}>, relay="));
        log_says(&house, reason);
        drop(unwell);
        let sink = Sink::start(port, &[]);
        house.operate(&["queue", "flush"], "");
        sink.got(name);
    }
    queue_is_empty(&house);
    assert_eq!(house.log().matches("status=deferred").count(), 3);
}

/// OQ-12: a peer that has enough in the middle of a message and goes: what it said is what counts.
#[test]
fn oq_12_a_peer_that_refuses_in_between() {
    let house = House::new();
    let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let port = listener.local_addr().unwrap().port();
    leads(&house, "full.test", &format!("smtp:[127.0.0.1]:{port}"));
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        stream.write_all(b"220 full.test\r\n").unwrap();
        for reply in [
            "250-full.test\r\n250 8BITMIME",
            "250 Ok",
            "250 Ok",
            "354 go",
        ] {
            lines.next().unwrap().unwrap();
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
        }
        lines.next().unwrap().unwrap();
        stream.write_all(b"552 5.3.4 Enough of this\r\n").unwrap();
    });
    let text = "0123456789abcdef\r\n".repeat(500_000);
    send_text(&house, &["you@full.test"], "much", &text);
    log_says(
        &house,
        "said: 552 5.3.4 Enough of this (in reply to end of DATA command)",
    );
    log_says(&house, "status=bounced");
    peer.join().unwrap();
    queue_is_empty(&house);
}

/// OQ-2: another box binds the log-in to the channel.
#[test]
fn oq_2_an_account_at_another_box() {
    let (house, provider) = (House::new(), House::new());
    leads(&provider, "far.test", "discard:");
    for (name, port, tls) in [
        ("implicit", provider.submissions, "implicit"),
        ("starttls", provider.submission, "starttls"),
    ] {
        let port = port.to_string();
        let account = ["route", "add", name, "--host", "localhost", "--port", &port];
        let more = ["--tls", tls, "--user", ANNA, "--password-stdin"];
        house.operate(&[&account[..], &more].concat(), &format!("{PASSWORD}\n"));
        house.operate(&["route", "default", name], "");
        let to = format!("{name}@far.test");
        send(&house, &[&to], name);
        log_says(&provider, &format!("to=<{to}>"));
    }
    queue_is_empty(&house);
    let log = provider.log();
    let bound = "sasl_method=SCRAM-SHA-256-PLUS, sasl_username=anna@home.test";
    assert_eq!(log.matches(bound).count(), 2, "{log}");
}

/// Postfix and Dovecot, ended with the value.
struct Peer {
    folder: tempfile::TempDir,
    mx: u16,
    scram: u16,
    plain: u16,
    login: u16,
    lmtp: u16,
}

impl Peer {
    fn start() -> Self {
        let [mx, scram, plain, login, lmtp] = [(); 5].map(|()| free_port());
        let peer = Self {
            folder: tempfile::tempdir().unwrap(),
            mx,
            scram,
            plain,
            login,
            lmtp,
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/peer.sh");
        let mut program = Program::new("bash")
            .args([script])
            .args([peer.folder.path()])
            .env("ANNA", "anna@provider.test")
            .env("PASSWORD", PASSWORD);
        for (name, port) in [
            ("MX", mx),
            ("SCRAM", scram),
            ("PLAIN", plain),
            ("LOGIN", login),
            ("LMTP", lmtp),
        ] {
            program = program.env(name, port.to_string());
        }
        let (started, said) = program.outcome();
        assert!(started, "the peer does not start:\n{said}");
        peer
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn got(&self, subject: &str) -> String {
        until(PATIENCE, &format!("the peer has {subject}"), || {
            let text = texts(&self.folder.path().join("mail"));
            text.contains(&format!("Subject: {subject}"))
                .then_some(text)
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if thread::panicking() {
            let dovecot = fs::read_to_string(self.path("dovecot.log")).unwrap_or_default();
            eprintln!("Postfix:\n{}\nDovecot:\n{dovecot}", self.log());
        }
        let dovecot = [
            "-c".to_owned(),
            self.path("etc/dovecot.conf"),
            "stop".to_owned(),
        ];
        let _ = Program::new("doveadm").args(dovecot).outcome();
        let postfix = ["-c".to_owned(), self.path("etc"), "stop".to_owned()];
        let _ = Program::new("postfix").args(postfix).outcome();
    }
}

/// OQ-2, OQ-9, TR-12: accounts at a Postfix, over STARTTLS and TLS from the first octet on, with each
/// mechanism; its MX with TLS that nobody asked for.
#[test]
fn oq_2_accounts_at_a_postfix() {
    let (house, peer) = (House::new(), Peer::start());
    for (name, port, tls, mechanism) in [
        ("scram", peer.scram, "starttls", "SCRAM-SHA-256"),
        ("plain", peer.plain, "starttls", "PLAIN"),
        ("login", peer.login, "implicit", "LOGIN"),
    ] {
        let port = port.to_string();
        let account = ["route", "add", name, "--host", "localhost", "--port", &port];
        let more = [
            "--tls",
            tls,
            "--user",
            "anna@provider.test",
            "--password-stdin",
        ];
        house.operate(&[&account[..], &more].concat(), &format!("{PASSWORD}\n"));
        house.operate(&["route", "default", name], "");
        send(&house, &["you@far.test"], name);
        let text = peer.got(name);
        assert!(text.contains("f\u{fc}r\n..\nlast\n"), "{text}");
        let used = format!("sasl_method={mechanism}, sasl_username=anna@provider.test");
        until(PATIENCE, &used, || peer.log().contains(&used).then_some(()));
    }
    leads(
        &house,
        "away.test",
        &format!("smtp:[127.0.0.1]:{}", peer.mx),
    );
    send(
        &house,
        &["you@away.test", "nobody@away.test"],
        "opportunistic",
    );
    let text = peer.got("opportunistic");
    assert!(text.contains("with ESMTPS"), "{text}");
    log_says(&house, "(in reply to RCPT TO command)");
    queue_is_empty(&house);
}

/// TR-12: Dovecot takes mail over LMTP; who is unknown there is told so.
#[test]
fn tr_12_dovecot_over_lmtp() {
    let (house, peer) = (House::new(), Peer::start());
    leads(
        &house,
        "lmtp.test",
        &format!("lmtp:unix:{}", peer.path("run/lmtp")),
    );
    leads(
        &house,
        "tcp.test",
        &format!("lmtp:[127.0.0.1]:{}", peer.lmtp),
    );
    send(
        &house,
        &["carl@lmtp.test", "nobody@lmtp.test", "dora@lmtp.test"],
        "unix",
    );
    send(&house, &["carl@tcp.test"], "tcp");
    for subject in ["unix", "tcp"] {
        let text = peer.got(subject);
        assert!(text.contains("f\u{fc}r"), "{text}");
    }
    for to in ["carl@lmtp.test", "dora@lmtp.test", "carl@tcp.test"] {
        until(PATIENCE, "delivered", || {
            let sent =
                |line: &str| line.contains(&format!("to=<{to}>")) && line.contains("status=sent");
            house.log().lines().any(sent).then_some(())
        });
    }
    log_says(&house, "said: 550 5.1.1 <nobody@lmtp.test>");
    queue_is_empty(&house);
}
