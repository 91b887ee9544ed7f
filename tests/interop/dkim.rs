//! Our signatures, verified by dkimpy and by OpenDKIM: keys that we made, records as `domain dns` prints
//! them, messages of all kinds that leave here (OQ-10).

use std::{fmt::Write as _, fs, path::Path};

use pillarbox::{
    base::time::Time,
    mail::{
        report::{Action, Original, Recipient, Report, compose},
        rewrite::{self, Mode, Rewrite},
    },
    mailauth::dkim::{Algorithm, BodyHash, Key, Signer, generate, record},
};

use crate::house::{Program, target};

const DOMAIN: &str = "home.test";

/// Two keys, and the records in which they are published, a line each.
fn signer() -> (Signer, String) {
    let mut zone = String::new();
    let mut key = |selector: &str, algorithm| {
        let key = Key::parse(algorithm, &generate(algorithm).unwrap()).unwrap();
        let text = record(algorithm, &key.public());
        writeln!(zone, "{selector}._domainkey.{DOMAIN}\t{text}").unwrap();
        (selector.to_owned(), key)
    };
    let keys = vec![
        key("r202611", Algorithm::Rsa),
        key("e202611", Algorithm::Ed25519),
    ];
    let domain = DOMAIN.to_owned();
    (Signer { domain, keys }, zone)
}

fn signed(signer: &Signer, message: &[u8]) -> Vec<u8> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let (header, body) = message.split_at(end.map_or(message.len(), |at| at + 4));
    let mut hash = BodyHash::new();
    // In pieces, as it comes from the store.
    body.chunks(7).for_each(|piece| hash.push(piece));
    // Some look whether a signature is of the future.
    let now = Time(1_700_000_000);
    [&signer.sign(header, &hash.finish(), now), message].concat()
}

const PLAIN: &str = "Received: from a by b;\r\n\tSat, 21 Nov 2026 14:53:35 +0000\r\n\
    From: Alice <alice@home.test>\r\nTo: bob@away.test\r\nSubject: hi\r\n\
    Date: Sat, 21 Nov 2026 14:53:35 +0000\r\nMessage-ID: <1@home.test>\r\n\r\nHello\r\n";

/// What may go wrong: folding, white space, fields that are there twice, no body, 8 bits.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let many = (0..40).fold(String::new(), |many, number| {
        many + &format!("person{number}@away.test,\r\n   \t")
    });
    let folded = format!(
        "From:  Alice \t Long\r\n Name\r\n\t<alice@home.test>  \r\nTo: {many}last@away.test\r\n\
         SUBJECT:   a\t\tb  \r\n\r\n  text \t with   space  \r\n\t\r\n\r\nmore \r\n\r\n\r\n \r\n"
    );
    let twice = "From: alice@home.test\r\nResent-To: a@away.test\r\nResent-To: b@away.test\r\nCc:\r\n\
        Subject: one\r\nList-Unsubscribe: <mailto:x@y>\r\nReferences: <a@b>\r\n <c@d>\r\n\r\nhi";
    let utf8 = "From: Jürgen <jürgen@home.test>\r\nSubject: Grüße\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n";
    let long = format!("{PLAIN}{}", "0123456789 abcdef \r\n".repeat(20_000));
    let all: Vec<(_, Vec<u8>)> = vec![
        ("plain", PLAIN.into()),
        ("folded", folded.into()),
        ("twice", twice.into()),
        ("utf8", utf8.into()),
        (
            "nobody",
            "From: alice@home.test\r\nSubject: x\r\n\r\n".into(),
        ),
        ("empty", "From: alice@home.test\r\n\r\n\r\n\r\n \r\n".into()),
        ("long", long.into()),
        ("forwarded", forwarded()),
        ("report", report()),
    ];
    // OpenDKIM reads no message without a date.
    let dated = |message: Vec<u8>| {
        if message.windows(6).any(|six| six == b"\nDate:") {
            return message;
        }
        [&b"Date: Sat, 21 Nov 2026 14:53:35 +0000\r\n"[..], &message].concat()
    };
    all.into_iter()
        .map(|(name, message)| (name, dated(message)))
        .collect()
}

/// Somebody else's, signed there, passed on under our name (UX-10).
fn forwarded() -> Vec<u8> {
    let message = "DKIM-Signature: v=1; a=rsa-sha256; d=away.test; s=x; h=from; bh=eA==;\r\n\tb=eA==\r\n\
        From: Bob <bob@away.test>\r\nSender: bob@away.test\r\nSubject: passed on\r\n\r\nHi\r\n";
    let rewrite = Rewrite {
        mode: Mode::Local,
        address: "family@home.test".parse().unwrap(),
        hostname: "mx.home.test".to_owned(),
        forwarded: true,
    };
    rewrite::from(message.as_bytes(), &rewrite)
}

fn report() -> Vec<u8> {
    let recipients = [Recipient {
        address: "bob@home.test".to_owned(),
        action: Action::Failed,
        status: "5.1.1".to_owned(),
        remote: Some("mx.home.test".to_owned()),
        text: "550 5.1.1 No such user".to_owned(),
        ..Recipient::default()
    }];
    let report = Report {
        hostname: DOMAIN,
        to: "alice@away.test",
        id: "4Wx1",
        envid: None,
        arrived: Time(0),
        now: Time(1_795_272_815),
        message_id: "dsn@home.test",
        smtputf8: false,
        recipients: &recipients,
    };
    compose(&report, Original::Whole(PLAIN.as_bytes()))
}

/// Files `NAME.eml`, and `zone`.
fn lay_out(folder: &Path) {
    let (signer, zone) = signer();
    fs::write(folder.join("zone"), zone).unwrap();
    for (name, message) in messages() {
        fs::write(
            folder.join(name).with_extension("eml"),
            signed(&signer, &message),
        )
        .unwrap();
    }
}

#[test]
fn oq_10_dkimpy_verifies() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let said = Program::python("dkim_verify.py")
        .args([folder.path()])
        .env("PACKAGES", target().join("dkimpy"))
        .run();
    let count = messages().len();
    // Each signature of each message, then the same with a word changed.
    assert!(
        said.trim_end()
            .ends_with(&format!("{} verified", 2 * count)),
        "{said}"
    );
}

/// In a network of its own, where the only name server is ours, on port 53.
#[test]
fn oq_10_opendkim_verifies() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/opendkim.sh");
    let said = Program::new("unshare")
        .args(["--net", "--mount", "sh"])
        .args([script.as_path(), folder.path()])
        .run();
    let count = messages().len();
    assert!(
        said.trim_end().ends_with(&format!("{count} verified")),
        "{said}"
    );
}
