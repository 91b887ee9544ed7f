//! Python's `email` as an oracle: fields, addresses and parts of the corpus' messages, and of messages
//! that Python makes up.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox::mail::envelope::Mailbox;
use pillarbox::mail::header::decode_words;
use pillarbox::mail::structure::{Body, Part};
use pillarbox::mail::summary::SummaryBuilder;
use serde_json::{Value, json};

use super::root;

/// Messages that are made up.
const MADE_UP: &str = "150";

/// Corpus messages that the two read differently, what differs, and why.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    (
        "bare-cr",
        &["subject", "bodies"],
        "a CR alone ends a line for Python",
    ),
    (
        "boundary-missing",
        &["parts"],
        "we show as one file what cannot be taken apart",
    ),
    (
        "boundary-open",
        &["parts", "bodies", "encodings", "charsets"],
        "two multiparts with one boundary: ours is the inner one's",
    ),
    ("deep", ALL, "our limit: 100 levels"),
    (
        "eight-bit",
        &["subject", "from"],
        "we read octets that are no UTF-8 as windows-1252",
    ),
    ("many-parts", ALL, "our limit: 1,000 parts"),
    ("messages", ALL, "our limit: 100 levels"),
    (
        "odd-types",
        &["from", "to", "parts", "bodies", "encodings", "charsets"],
        "Python gives up on it",
    ),
    (
        "prefix-boundaries",
        &["parts", "bodies", "encodings", "charsets"],
        "one boundary ends as the other: ours is the inner one's",
    ),
];
const ALL: &[&str] = &["parts", "bodies", "encodings", "charsets"];

#[test]
fn as_python_reads_it() {
    let python = Command::new("python3")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/replay/oracle.py"
        ))
        .arg(root().join("corpus/mime"))
        .arg(MADE_UP)
        .output()
        .expect("python3 is missing: scripts/check installs it");
    let told = String::from_utf8_lossy(&python.stderr);
    assert!(python.status.success(), "{told}");
    let messages: Vec<Value> = serde_json::from_slice(&python.stdout).unwrap();
    assert!(messages.len() > 150);
    let wrong: Vec<_> = messages.iter().flat_map(compare).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What both say of a message and does not agree, and exceptions that are none any more.
fn compare(theirs: &Value) -> Vec<String> {
    let name = theirs["name"].as_str().unwrap();
    let raw = STANDARD.decode(theirs["raw"].as_str().unwrap()).unwrap();
    let ours = ours(&raw);
    let differs = |key: &&str| ours[*key] != theirs[*key];
    let excused = EXCEPTIONS.iter().find(|(message, ..)| *message == name);
    let excused = excused.map_or(&[][..], |(_, keys, _)| keys);
    let keys = [
        "subject",
        "from",
        "to",
        "message_id",
        "date",
        "parts",
        "bodies",
        "encodings",
        "charsets",
    ];
    let wrong = keys
        .iter()
        .filter(|key| differs(key) != excused.contains(key));
    wrong
        .map(|key| {
            format!(
                "{name}: {key}\n  ours   {}\n  theirs {}",
                short(&ours[*key]),
                short(&theirs[*key])
            )
        })
        .collect()
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(500).collect()
}

fn ours(raw: &[u8]) -> Value {
    let mut builder = SummaryBuilder::new();
    builder.push(raw);
    let summary = builder.finish();
    let envelope = summary.envelope();
    let all = |say: &dyn Fn(&Part<'_>) -> Option<String>| -> Vec<_> {
        summary.structure.parts().map(say).collect()
    };
    let kind = |part: &Part<'_>| format!("{}/{}", part.kind.text(), part.subtype.text());
    let leaves = summary
        .structure
        .parts()
        .filter(|part| matches!(part.body, Body::Leaf));
    json!({
        "subject": envelope.subject.as_ref().map(|subject| decode_words(subject)),
        "from": addresses(&envelope.from),
        "to": addresses(&envelope.to),
        "message_id": envelope.message_id.as_ref().map(|id| id.text()),
        "date": summary.sent.map(|sent| sent.time.0),
        "parts": all(&|part| Some(kind(part).to_ascii_lowercase())),
        "bodies": leaves.map(Part::size).collect::<Vec<_>>(),
        "encodings": all(&|part| Some(part.encoding.as_ref().map_or("7bit".into(), |e| e.text().to_lowercase()))),
        "charsets": all(&|part| part.parameter("charset").map(|c| c.text().into_owned())),
    })
}

/// Names and addresses; marks of groups and what has no domain are left out.
fn addresses(list: &[Mailbox<'_>]) -> Vec<(String, String)> {
    let one = |mailbox: &Mailbox<'_>| {
        let (local, host) = (
            mailbox.local.as_ref()?.text(),
            mailbox.host.as_ref()?.text(),
        );
        Some((mailbox.display_name(), format!("{local}@{host}")))
    };
    list.iter().filter_map(one).collect()
}
