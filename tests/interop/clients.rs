//! Libraries that programs are made with: imapflow (Node), and the Rust crates imap and async-imap.

use std::path::Path;
use std::time::Duration;

use crate::house::{ANNA, House, PASSWORD, Program, target};

/// How long a day's work may take on a slow, busy machine.
const DAY: Duration = Duration::from_mins(5);

fn rust(program: &str) {
    let mut house = House::new();
    let clients = target().join("clients/release/imap-clients");
    assert!(
        clients.exists(),
        "scripts/check builds {}",
        clients.display()
    );
    let said = Program::new(&clients.display().to_string())
        .args([program, &house.imap.to_string(), ANNA, PASSWORD])
        .patient(DAY)
        .run();
    assert!(said.trim_end().ends_with("done"), "{said}");
    assert!(house.runs());
}

#[test]
fn the_crate_imap_does_a_days_work() {
    rust("imap");
}

#[test]
fn the_crate_async_imap_does_a_days_work() {
    rust("async-imap");
}

#[test]
fn imapflow_does_a_days_work() {
    let mut house = House::new();
    let modules = target().join("node/node_modules");
    assert!(
        modules.join("imapflow").exists(),
        "scripts/check installs imapflow"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/imapflow.js");
    let said = Program::new("node")
        .args([script])
        .env("NODE_PATH", modules)
        .env("PORT", house.imap.to_string())
        .env("TLS_PORT", house.imaps.to_string())
        .env("ANNA", ANNA)
        .env("PASSWORD", PASSWORD)
        .patient(DAY)
        .run();
    assert!(said.trim_end().ends_with("done"), "{said}");
    assert!(house.runs());
}
