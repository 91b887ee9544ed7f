//! Every row of `spec/mail.md` that belongs to the doors, to reading mail and to sending it is named by a
//! transcript, in its file's name or its first comment, or by a test function's name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Groups, and how many rows they have.
const GROUPS: &[(&str, u32)] = &[
    ("AC", 12),
    ("FW", 13),
    ("IM", 8),
    ("LM", 12),
    ("OQ", 12),
    ("PO", 1),
    ("SR", 30),
    ("ST", 11),
    ("SU", 15),
    ("TR", 12),
];

/// Rows that are not here yet, and what they wait for.
const LATER: &[(&str, &str)] = &[
    ("IM-6", "extensions, second tier"),
    ("IM-7", "extensions, third tier"),
    ("IM-8", "the off-switch"),
];

/// Rows that no name says, and the file whose tests prove them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("SU-12", "src/net/certificate.rs"),
    ("SU-13", "tests/interop/submission.rs"),
];
/// Numbers that no row has.
const NONE: &[&str] = &["OQ-6", "ST-5"];

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
            let elsewhere = ELSEWHERE.iter().any(|(id, _)| *id == row);
            assert!(
                !elsewhere || !named.contains(&row),
                "{row} is named: it needs no line of its own"
            );
            if !later && !none && !elsewhere && !named.contains(&row) {
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

/// What is proven elsewhere is proven there by something that mentions it in a test.
#[test]
fn files_that_prove_rows_mention_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (row, file) in ELSEWHERE {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains("#[test]"), "{file} holds no test");
        let mut found = BTreeSet::new();
        text.lines().for_each(|line| rows(line, &mut found));
        assert!(found.contains(*row), "{file} does not mention {row}");
    }
}

/// Rows in the names and first comments of transcripts, and in the names of test functions.
fn look(folder: &Path, named: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, named);
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let name = path.file_stem().unwrap().to_string_lossy();
        match path.extension().and_then(|e| e.to_str()) {
            Some("txt") if path.iter().any(|part| part == "transcripts") => {
                rows_of_name(&name, named);
                let header = text.lines().take_while(|line| line.starts_with('#'));
                header.for_each(|line| rows(line, named));
            }
            Some("rs") => tests(&text).for_each(|name| rows_of_name(name, named)),
            _ => {}
        }
    }
}

/// The names of functions that are tests.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        let name = line.strip_prefix("async ").unwrap_or(line);
        if let Some(name) = name.strip_prefix("fn ") {
            return std::mem::take(&mut marked).then_some(name);
        }
        marked |= line.starts_with("#[test]");
        None
    })
}

/// `su-04-wrong`, `st_8_members`.
fn rows_of_name(name: &str, named: &mut BTreeSet<String>) {
    let name = name.split('(').next().unwrap_or_default();
    let words: Vec<_> = name.split(['-', '_']).collect();
    for pair in words.windows(2) {
        rows(&pair.join("-").to_uppercase(), named);
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
