//! Every row of `spec/mail.md` that belongs to the doors is named by a transcript or a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Groups, and how many rows they have.
const GROUPS: &[(&str, u32)] = &[
    ("AC", 12),
    ("FW", 13),
    ("SR", 30),
    ("ST", 11),
    ("SU", 15),
    ("TR", 12),
];

/// Rows that are not here yet, and what they wait for.
const LATER: &[(&str, &str)] = &[
    ("SR-12", "DNS"),
    ("SR-13", "DNS"),
    ("SR-19", "the local listeners"),
    ("ST-4", "the trace"),
    ("TR-11", "sending"),
];
/// A number that no row has.
const NONE: &[&str] = &["ST-5"];

#[test]
fn every_row_is_named_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = BTreeSet::new();
    for folder in ["src", "tests"] {
        look(&root.join(folder), &mut named);
    }
    let mut missing = vec![];
    for (group, last) in GROUPS {
        for number in 1..=*last {
            let row = format!("{group}-{number}");
            let later = LATER.iter().any(|(id, _)| *id == row);
            let none = NONE.contains(&row.as_str());
            if !later && !none && !named.contains(&row) {
                missing.push(row);
            } else if later && named.contains(&row) {
                panic!("{row} is named: it is here, and waits for nothing");
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no transcript and no test names {missing:?}"
    );
}

/// Rows in the comments of transcripts, and in test code.
fn look(folder: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, named);
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // This file names them all.
        if path.ends_with("transcripts/rows.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let script = path.extension().is_some_and(|e| e == "txt");
        let mut testing = name == "tests.rs" || path.iter().any(|part| part == "tests");
        for line in text.lines() {
            testing |= line.contains("#[cfg(test)]");
            if (script && line.starts_with('#')) || (!script && testing) {
                rows(line, named);
            }
        }
    }
}

fn rows(line: &str, named: &mut BTreeSet<String>) {
    for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        if let Some((group, number)) = word.split_once('-')
            && GROUPS.iter().any(|(known, _)| *known == group)
            && let Ok(number) = number.parse::<u32>()
        {
            named.insert(format!("{group}-{number}"));
        }
    }
}
