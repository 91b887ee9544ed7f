//! Libraries that programs are made with: imapflow (Node), and the Rust crates imap and async-imap; and
//! himalaya, a program for the command line.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::house::{ANNA, House, PASSWORD, Program, target};
use crate::talk::Imap;

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

/// Folders with odd names, a big one, reading, flags, search, moving, deleting.
#[test]
fn himalaya_does_a_days_work() {
    let house = House::new();
    let program = target().join("himalaya/bin/himalaya");
    assert!(program.exists(), "scripts/check installs himalaya");
    let program = program.display().to_string();
    let settings = format!(
        "[accounts.anna]\ndefault = true\nimap.server = \"imap://127.0.0.1:{}\"\n\
         imap.sasl.plain.username = \"{ANNA}\"\nimap.sasl.plain.password.raw = \"{PASSWORD}\"\n\
         mailbox.alias.trash = \"Trash\"\n",
        house.imap
    );
    let file = house.path("himalaya.toml");
    fs::write(&file, settings).unwrap();
    let run = |arguments: &[&str]| {
        Program::new(&program)
            .args(["--config"])
            .args([&file])
            .args(arguments)
            .run()
    };
    let folders = [
        "Work",
        "Work/2026",
        "Entwürfe & mehr",
        "say \"hi\" \\ (x)",
        "日本語 📬",
    ];
    for folder in folders {
        run(&["imap", "create", folder]);
    }
    let said = run(&["mailbox", "list"]);
    for folder in folders {
        assert!(said.contains(folder), "{folder}:\n{said}");
    }
    let message = |number: u32| {
        format!(
            "From: Anna <anna@home.test>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= {number}\r\n\
             Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nText {number}\r\n"
        )
    };
    let mut imap = Imap::to(house.imap, ANNA).unwrap();
    for number in 1..=500 {
        assert!(
            imap.append("Work", &message(number))
                .unwrap()
                .starts_with("OK")
        );
    }
    fs::write(house.path("message"), message(501)).unwrap();
    let path = house.path("message").display().to_string();
    for folder in folders {
        run(&["message", "add", "-m", folder, "--", &path]);
    }
    let said = run(&["envelope", "list", "-m", "Work", "-s", "600"]);
    assert!(
        said.contains("Grüße 1 ") && said.contains("Grüße 501"),
        "{said}"
    );
    let said = run(&["message", "read", "-m", "Work", "333"]);
    assert!(said.contains("Text 333"), "{said}");
    run(&[
        "flag", "add", "-m", "Work", "--flag", "flagged", "--", "1", "2",
    ]);
    let said = run(&["envelope", "search", "-m", "Work", "flag", "flagged"]);
    assert!(
        said.contains("Grüße 2") && !said.contains("Grüße 3"),
        "{said}"
    );
    run(&[
        "message", "move", "--from", "Work", "--to", folders[3], "--", "1",
    ]);
    run(&["message", "delete", "-m", "Work", "--", "2"]);
    run(&["imap", "sort", "-m", "Work"]);
    run(&["imap", "thread", "-m", "Work"]);
    for (folder, count) in [
        ("Work", 499),
        ("Trash", 1),
        ("\"say \\\"hi\\\" \\\\ (x)\"", 2),
    ] {
        let said = imap.ok(&format!("STATUS {folder} (MESSAGES)")).unwrap();
        let text = &said.first().unwrap().text;
        assert!(text.ends_with(&format!("(MESSAGES {count})")), "{text}");
    }
    run(&["imap", "delete", "Work/2026"]);
}
