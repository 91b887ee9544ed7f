//! Calls the fuzz targets of `tests/fuzz/` with their corpora, and with octets near them: always the
//! same ones. `FUZZ_ROUNDS=100 FUZZ_SEED=7 cargo test --test replay` tries a hundred times as many and
//! others. What fails is written to `target/tmp/fuzz/`; the fix takes it into the corpus.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "replay/email.rs"]
mod email;
#[path = "replay/mutate.rs"]
mod mutate;
#[path = "replay/seeds.rs"]
mod seeds;
#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use mutate::Mutator;
use targets::{TARGETS, Target};

/// Inputs near the corpus, for each target.
const NEAR: u64 = 400;
/// Nothing takes so long, even on a busy machine.
const SLOW: Duration = Duration::from_secs(20);

macro_rules! replay {
    ($($name:ident),*) => {
        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*
    };
}

replay!(
    address,
    config,
    control,
    dns,
    dsn,
    header,
    imap,
    imap_command,
    index_rows,
    log_records,
    mime,
    pop3,
    sasl,
    smtp,
    smtp_content,
    smtp_replies,
    x509
);

/// Each folder is a target's, each target has its file for cargo-fuzz and its test.
#[test]
fn complete() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let folders = listed(&root().join("corpus"));
    let stems = |paths: Vec<PathBuf>| -> Vec<_> {
        let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        paths.into_iter().map(stem).collect()
    };
    assert_eq!(stems(folders), names);
    assert_eq!(stems(listed(&root().join("fuzz_targets"))), names);
    assert_eq!(REPLAYED, names);
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus: Vec<_> = corpus(name).into_iter().map(|(_, octets)| octets).collect();
    assert!(corpus.len() >= 4, "{name} has few seeds");
    for octets in &corpus {
        call(target, octets);
    }
    let number = |key: &str| env::var(key).map_or(1, |text| text.parse().expect(key));
    let mut mutator = Mutator::new(number("FUZZ_SEED"), target.words, corpus);
    for _ in 0..NEAR * number("FUZZ_ROUNDS") {
        call(target, &mutator.near());
    }
}

/// The files of a corpus with their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let paths = listed(&root().join("corpus").join(name)).into_iter();
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is tested")]
fn call(target: &Target, octets: &[u8]) {
    let began = Instant::now();
    let called = catch_unwind(|| (target.run)(octets));
    if called.is_err() || began.elapsed() > SLOW {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{}-{:08x}", target.name, mutate::sum(octets)));
        fs::write(&path, octets).unwrap();
        panic!("{} fails or is slow: {}", target.name, path.display());
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz"))
}
