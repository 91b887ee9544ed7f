//! Programs that send mail for people, over STARTTLS and over TLS from the first octet: each logs in,
//! writes to somebody here and to somebody elsewhere, and the second is in the queue then.

use std::fs;
use std::path::{Path, PathBuf};

use crate::house::{ANNA, BEN, House, PASSWORD, PATIENCE, Program, until};
use crate::programs::only_message;
use crate::talk::Smtp;

/// Somebody whom this box does not know.
const FAR: &str = "far@elsewhere.test";

/// The certificate that the box made for itself.
fn certificate(house: &House) -> PathBuf {
    let file = house.path("trusted.pem");
    if !file.exists() {
        let said = Program::new("openssl")
            .args(["s_client", "-connect"])
            .args([format!("127.0.0.1:{}", house.submissions)])
            .run();
        let start = said.find("-----BEGIN CERTIFICATE").unwrap();
        let end = said.find("-----END CERTIFICATE-----").unwrap();
        fs::write(
            &file,
            format!("{}-----END CERTIFICATE-----\n", &said[start..end]),
        )
        .unwrap();
    }
    file
}

/// A box that keeps what is for the outside.
fn quiet(house: House) -> House {
    house.operate(&["queue", "pause"], "");
    house
}

/// What waits for the outside.
fn queue(house: &House) -> String {
    house.operate(&["queue", "list", "--json"], "")
}

/// One message for Ben and for somebody far away came through, with Anna's name on it.
fn arrived(house: &House, subject: &str) {
    let text = only_message(house, BEN);
    assert!(text.contains(&format!("Subject: {subject}")), "{text}");
    assert!(
        text.starts_with(&format!("Return-Path: <{ANNA}>\r\n")),
        "{text}"
    );
    let header = text.split("\r\n\r\n").next().unwrap();
    for field in ["\r\nDate: ", "\r\nMessage-ID: "] {
        let found = header.to_lowercase().contains(&field.to_lowercase());
        assert!(found, "no {field:?} in {header}");
    }
    let waiting = queue(house);
    assert!(waiting.contains(FAR) && waiting.contains(ANNA), "{waiting}");
    assert_eq!(waiting.lines().count(), 1, "{waiting}");
}

fn swaks(port: u16, how: &[&str]) -> Program {
    Program::new("swaks")
        .args(["--server", &format!("127.0.0.1:{port}"), "--helo", "laptop"])
        .args(["--from", ANNA, "--to", &format!("{BEN},{FAR}")])
        .args(["--auth-user", ANNA, "--auth-password", PASSWORD])
        .args(["--h-Subject", "Swaks"])
        .args(how)
}

#[test]
fn swaks_logs_in_over_starttls_and_tls() {
    for (tls, mechanism) in [
        (false, "PLAIN"),
        (false, "LOGIN"),
        (true, "PLAIN"),
        (true, "LOGIN"),
    ] {
        let house = quiet(House::new());
        let (port, flag) = if tls {
            (house.submissions, "--tlsc")
        } else {
            (house.submission, "--tls")
        };
        let said = swaks(port, &[flag, "--auth", mechanism]).run();
        assert!(
            said.contains("235 2.7.0 Authentication successful"),
            "{said}"
        );
        assert!(said.contains("250 2.0.0 Ok: queued as "), "{said}");
        arrived(&house, "Swaks");
    }
}

#[test]
fn swaks_hears_why_not() {
    let house = quiet(House::with("tls.plaintext_auth = \"off\""));
    // SU-1: nothing in the clear.
    let (success, said) = swaks(house.submission, &[]).outcome();
    assert!(!success);
    assert!(!said.contains("AUTH"), "{said}");
    let (_, said) = Program::new("swaks")
        .args(["--server", &format!("127.0.0.1:{}", house.submission)])
        .args(["--from", ANNA, "--to", BEN])
        .outcome();
    assert!(
        said.contains("530 5.7.0 Must issue a STARTTLS command first"),
        "{said}"
    );
    // SU-4.
    let (success, said) = Program::new("swaks")
        .args([
            "--server",
            &format!("127.0.0.1:{}", house.submissions),
            "--tlsc",
        ])
        .args(["--from", ANNA, "--to", BEN, "--auth", "PLAIN"])
        .args(["--auth-user", ANNA, "--auth-password", "wrong"])
        .outcome();
    assert!(!success);
    assert!(
        said.contains("535 5.7.8 Error: authentication failed"),
        "{said}"
    );
    // SU-10.
    let (success, said) = Program::new("swaks")
        .args([
            "--server",
            &format!("127.0.0.1:{}", house.submissions),
            "--tlsc",
        ])
        .args(["--from", BEN, "--to", BEN, "--auth", "PLAIN"])
        .args(["--auth-user", ANNA, "--auth-password", PASSWORD])
        .outcome();
    assert!(!success);
    let want = format!("553 5.7.1 <{BEN}>: Sender address rejected: not owned by user {ANNA}");
    assert!(said.contains(&want), "{said}");
    assert!(queue(&house).trim().is_empty());
}

#[test]
fn curl_sends_over_both() {
    for tls in [false, true] {
        let house = quiet(House::new());
        let url = if tls {
            format!("smtps://127.0.0.1:{}/laptop", house.submissions)
        } else {
            format!("smtp://127.0.0.1:{}/laptop", house.submission)
        };
        let message = format!(
            "From: {ANNA}\r\nTo: {BEN}\r\nBcc: {FAR}\r\nSubject: Curl\r\n\r\nOne.\r\n.\r\nTwo.\r\n"
        );
        Program::new("curl")
            .args(["-sS", "-k", "-m", "30", "--ssl-reqd", &url])
            .args(["-u", &format!("{ANNA}:{PASSWORD}")])
            .args(["--mail-from", ANNA, "--mail-rcpt", BEN, "--mail-rcpt", FAR])
            .args(["-T", "-"])
            .input(message)
            .run();
        arrived(&house, "Curl");
        // SU-15.
        assert!(!only_message(&house, BEN).contains("Bcc"));
    }
}

#[test]
fn msmtp_with_every_mechanism() {
    for (mechanism, tls) in [
        ("plain", true),
        ("login", false),
        ("scram-sha-256", true),
        ("scram-sha-256", false),
    ] {
        let house = quiet(House::new());
        let (port, starttls) = if tls {
            (house.submissions, "off")
        } else {
            (house.submission, "on")
        };
        let rc = format!(
            "account default\nhost localhost\nport {port}\ntls on\ntls_starttls {starttls}\n\
             tls_trust_file {}\nauth {mechanism}\nuser {ANNA}\npassword {PASSWORD}\nfrom {ANNA}\n",
            certificate(&house).display()
        );
        private(&house.path("msmtprc"), &rc);
        Program::new("msmtp")
            .args(["-C", &house.path("msmtprc").display().to_string(), "-t"])
            .input(letter("Msmtp"))
            .run();
        arrived(&house, "Msmtp");
        let log = house.log();
        assert!(log.contains("sasl_username="), "{log}");
    }
}

#[test]
fn smtplib_sends() {
    let house = quiet(House::with("tls.plaintext_auth = \"off\""));
    let said = Program::python("submit.py")
        .env("SUBMISSION", house.submission.to_string())
        .env("SUBMISSIONS", house.submissions.to_string())
        .env("ANNA", ANNA)
        .env("BEN", BEN)
        .env("FAR", FAR)
        .env("PASSWORD", PASSWORD)
        .run();
    assert!(said.trim_end().ends_with("done"), "{said}");
}

/// Mutt 2.2 with GNU SASL chooses SCRAM-SHA-256-PLUS where it is offered, and cannot do it over TLS
/// 1.3: it has to be told what to use.
#[test]
fn mutt_sends() {
    let house = quiet(House::new());
    let rc = format!(
        "set smtp_url=\"smtps://anna%40home.test@localhost:{}/\"\nset smtp_pass=\"{PASSWORD}\"\n\
         set from=\"{ANNA}\"\nset use_from=yes\nset envelope_from_address=\"{ANNA}\"\nset use_envelope_from=yes\n\
         set ssl_ca_certificates_file=\"{}\"\nset certificate_file=\"{}\"\nset copy=no\nset record=\"\"\n\
         set user_agent=no\nset smtp_authenticators=\"scram-sha-256\"\n",
        house.submissions,
        certificate(&house).display(),
        certificate(&house).display(),
    );
    private(&house.path("muttrc"), &rc);
    Program::new("mutt")
        .args(["-n", "-F", &house.path("muttrc").display().to_string()])
        .args(["-s", "Mutt", BEN, FAR])
        .env("HOME", house.folder.path())
        .input("Hello\n")
        .run();
    arrived(&house, "Mutt");
}

#[test]
fn s_nail_sends() {
    for tls in [true, false] {
        let house = quiet(House::new());
        let (scheme, port) = if tls {
            ("smtps", house.submissions)
        } else {
            ("submission", house.submission)
        };
        let mut program = Program::new("s-nail")
            .args(["-:/", "-S", "v15-compat", "-S", "sendcharsets=utf-8"])
            .args([
                "-S",
                &format!("mta={scheme}://anna%40home.test:{PASSWORD}@localhost:{port}"),
            ])
            .args(["-S", "smtp-auth=plain", "-S", &format!("from={ANNA}")])
            .args([
                "-S",
                &format!("tls-ca-file={}", certificate(&house).display()),
            ])
            .env("HOME", house.folder.path());
        if !tls {
            program = program.args(["-S", "smtp-use-starttls"]);
        }
        program
            .args(["-s", "Snail", BEN, FAR])
            .input("Hello\n")
            .run();
        arrived(&house, "Snail");
    }
}

#[test]
fn nodemailer_sends() {
    for (port, secure) in [(0, "true"), (1, "false")] {
        let house = quiet(House::new());
        let port = [house.submissions, house.submission][port];
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/submit.js");
        let said = Program::new("node")
            .args([script])
            .env("NODE_PATH", node_modules())
            .env("PORT", port.to_string())
            .env("SECURE", secure)
            .env("CERTIFICATE", certificate(&house))
            .env("ANNA", ANNA)
            .env("BEN", BEN)
            .env("FAR", FAR)
            .env("PASSWORD", PASSWORD)
            .run();
        assert!(said.contains("250 2.0.0 Ok: queued as "), "{said}");
        arrived(&house, "Nodemailer");
    }
}

#[test]
fn lettre_sends() {
    for starttls in [false, true] {
        let house = quiet(House::new());
        let port = if starttls {
            house.submission
        } else {
            house.submissions
        };
        let program = built("lettre/release/lettre-send");
        Program::new(&program.display().to_string())
            .args([port.to_string(), starttls.to_string()])
            .args([certificate(&house).display().to_string()])
            .args([ANNA, PASSWORD, BEN, FAR])
            .run();
        arrived(&house, "Lettre");
    }
}

/// SU-13: the lines that people find in every howto.
#[test]
fn openssl_recipes() {
    let house = quiet(House::new());
    // `-crlf` makes line ends of them.
    let hello = "EHLO laptop\nQUIT\n";
    for arguments in [vec!["-starttls", "smtp", "-connect"], vec!["-connect"]] {
        let port = if arguments.len() > 1 {
            house.submission
        } else {
            house.submissions
        };
        for version in ["-tls1_2", "-tls1_3"] {
            let said = Program::new("openssl")
                .args(["s_client", "-crlf", "-ign_eof", version])
                .args(&arguments)
                .args([format!("localhost:{port}")])
                .input(hello)
                .run();
            let list = "AUTH PLAIN LOGIN SCRAM-SHA-256";
            assert!(said.contains(list), "{said}");
            assert!(said.contains("221 2.0.0 Bye"), "{said}");
            assert!(!said.contains("STARTTLS\r\n"), "{said}");
        }
        for version in ["-tls1", "-tls1_1"] {
            let (_, said) = Program::new("openssl")
                .args(["s_client", "-cipher", "ALL:@SECLEVEL=0", version])
                .args(&arguments)
                .args([format!("localhost:{port}")])
                .input(hello)
                .outcome();
            assert!(!said.contains("250-"), "{said}");
        }
    }
    // On the MX too, and there without AUTH (SR-2).
    let said = Program::new("openssl")
        .args(["s_client", "-crlf", "-ign_eof", "-starttls", "smtp"])
        .args(["-connect", &format!("localhost:{}", house.mx)])
        .input(hello)
        .run();
    assert!(
        said.contains("250-REQUIRETLS") || said.contains("250 REQUIRETLS"),
        "{said}"
    );
    assert!(!said.contains("AUTH"), "{said}");
}

/// SR-23: what was sent in the clear behind STARTTLS is never carried out.
#[test]
fn nothing_is_carried_over_the_handshake() {
    let house = quiet(House::new());
    for port in [house.mx, house.submission] {
        let mut smtp = Smtp::to(port).unwrap();
        smtp.0
            .send("STARTTLS\r\nMAIL FROM:<a@away.test>\r\n")
            .unwrap();
        let rest = smtp.0.rest().unwrap();
        assert!(!rest.contains("2.1.0"), "{rest}");
        // The connection is over, not only the command.
        assert!(
            smtp.0
                .send("NOOP\r\n")
                .and_then(|()| smtp.0.line())
                .is_err()
        );
    }
}

/// A Postfix of somebody who sends everything through this box.
#[test]
fn postfix_uses_us_as_its_relay() {
    let house = quiet(House::new());
    let postfix = Postfix::start(&house);
    Program::new("sendmail")
        .env("MAIL_CONFIG", postfix.folder())
        .args(["-f", ANNA, "-i", "-t"])
        .input(letter("Postfix"))
        .run();
    until(PATIENCE, "both left Postfix", || {
        let log = fs::read_to_string(postfix.log()).unwrap_or_default();
        (log.matches("status=sent (250 2.0.0 Ok: queued as ").count() >= 2).then_some(())
    });
    arrived(&house, "Postfix");
}

#[test]
fn testssl_finds_nothing_above_low() {
    let house = quiet(House::new());
    let found = house.path("testssl.json");
    for (port, more) in [
        (house.submissions, &["--quiet"][..]),
        (house.submission, &["--starttls", "smtp"]),
    ] {
        let _ = fs::remove_file(&found);
        let (_, said) = Program::new("testssl")
            .args([
                "--color",
                "0",
                "--warnings",
                "off",
                "--connect-timeout",
                "20",
            ])
            .args(["--openssl-timeout", "20", "--ip", "one", "--nodns", "min"])
            .args(["--protocols", "--server-preference", "--std", "--fs"])
            .args(["--server-defaults", "--vulnerable"])
            .args(["--jsonfile", &found.display().to_string()])
            .args(more)
            .args([format!("localhost:{port}")])
            .patient(PATIENCE * 6)
            .outcome();
        let text = fs::read_to_string(&found).unwrap_or_else(|_| panic!("no report:\n{said}"));
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows = report.as_array().unwrap();
        assert!(rows.len() > 40, "{text}");
        let bad: Vec<_> = rows
            .iter()
            .filter(|row| {
                let severity = row["severity"].as_str().unwrap();
                let id = row["id"].as_str().unwrap();
                // A certificate that the box made itself has nobody's trust; that is told elsewhere.
                let own = [
                    "cert_chain_of_trust",
                    "cert_trust",
                    "cert_revocation",
                    "cert_crlDistributionPoints",
                ];
                matches!(severity, "MEDIUM" | "HIGH" | "CRITICAL" | "FATAL")
                    && !own.iter().any(|own| id.starts_with(own))
            })
            .collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }
}

fn letter(subject: &str) -> String {
    format!("From: {ANNA}\nTo: {BEN}\nCc: {FAR}\nSubject: {subject}\n\nHello\n")
}

/// A file that nobody else may read, as programs want it where a password is in it.
fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// What `scripts/check` puts below the target folder.
fn built(name: &str) -> PathBuf {
    let target = crate::house::target().join(name);
    assert!(
        target.exists(),
        "{} is missing: scripts/check makes it",
        target.display()
    );
    target
}

fn node_modules() -> PathBuf {
    built("node/node_modules")
}

/// A Postfix of its own: its files, its log, its end.
struct Postfix {
    folder: tempfile::TempDir,
}

impl Postfix {
    fn start(house: &House) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = Program::new("bash")
            .args([Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/postfix.sh")])
            .args([folder.path()])
            .env("PORT", house.submission.to_string())
            .env("CERTIFICATE", certificate(house))
            .env("ANNA", ANNA)
            .env("PASSWORD", PASSWORD)
            .outcome();
        let postfix = Self { folder };
        assert!(said.0, "Postfix does not start:\n{}", said.1);
        postfix
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = Program::new("postfix")
            .args(["-c".into(), self.folder(), "stop".into()])
            .outcome();
    }
}
