//! Holds the house together: which room may use which (the map is in `src/lib.rs`), how long a file
//! may be, that no room is empty, that every RFC the code cites is in `docs/rfc.md`, and that nothing
//! announced is for later there.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where a file cannot be read"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "rooms/tokens.rs"]
mod tokens;

use tokens::{is_name, tokens};

/// A room, the floor it lies on (the two halves of floor 2 are both 2), and what it may use.
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("base", 0, &[]),
    ("mail", 0, &["base"]),
    ("config", 0, &["base", "mail"]),
    ("proto", 1, &["base", "mail"]),
    ("routing", 2, &["base", "mail"]),
    ("policy", 2, &["base", "mail"]),
    ("sieve", 2, &["base", "mail"]),
    ("schedule", 2, &["base", "mail"]),
    ("mailauth", 2, &["base", "mail"]),
    ("spam", 2, &["base", "mail", "mailauth"]),
    ("store", 2, &["base", "mail"]),
    ("net", 3, &["base", "mail"]),
    ("service", 4, UP_TO_3),
    ("web", 4, &with_service()),
    ("appliance", 5, &up_to_4()),
    ("cli", 5, &with_appliance()),
];

const UP_TO_3: &[&str] = &[
    "base", "mail", "config", "proto", "routing", "policy", "sieve", "schedule", "mailauth",
    "spam", "store", "net",
];

const fn with_service() -> [&'static str; 13] {
    more(UP_TO_3, ["service"])
}

const fn up_to_4() -> [&'static str; 14] {
    more(UP_TO_3, ["service", "web"])
}

const fn with_appliance() -> [&'static str; 15] {
    more(UP_TO_3, ["service", "web", "appliance"])
}

const fn more<const N: usize, const M: usize>(
    lower: &[&'static str],
    own: [&'static str; M],
) -> [&'static str; N] {
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < lower.len() {
            lower[at]
        } else {
            own[at - lower.len()]
        };
        at += 1;
    }
    all
}

/// Crates and modules that reach outside, and the rooms that may name them.
const OUTSIDE: &[(&[&str], &[&str])] = &[
    (&["async_executor"], FROM_3),
    (&["async_io"], FROM_3),
    (&["blocking"], FROM_3),
    (&["futures_rustls"], FROM_3),
    (&["smol"], FROM_3),
    (&["std", "net", "TcpListener"], FROM_3),
    (&["std", "net", "TcpStream"], FROM_3),
    (&["std", "net", "UdpSocket"], FROM_3),
    (&["redb"], &["store"]),
];

/// What of these is no way outside after all: the store answers through channels.
const INSIDE: &[(&[&str], &str)] = &[(&["smol", "channel"], "store")];

const FROM_3: &[&str] = &["net", "service", "web", "appliance", "cli"];

/// Lines of a file: above the first it is named, above the second the test fails.
const LONG: usize = 600;
const TOO_LONG: usize = 900;

#[test]
fn paths_point_down() {
    let mut broken = Vec::new();
    for (file, text) in sources("src") {
        let module = module_of(&file);
        let Some(room) = module.first() else { continue };
        assert!(
            ROOMS.iter().any(|(name, _, _)| name == room),
            "{}: the room {room} is not in the table",
            file.display()
        );
        for (line, problem) in edges(room, &module, &text) {
            broken.push(format!("{}:{line}: {problem}", file.display()));
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn the_table_has_floors() {
    let floor = |name: &str| ROOMS.iter().find(|(room, _, _)| *room == name).unwrap().1;
    for (room, at, uses) in ROOMS {
        for used in *uses {
            assert!(
                floor(used) <= *at,
                "{room} on floor {at} uses {used} above it"
            );
        }
    }
    let reads_config: Vec<_> = ROOMS
        .iter()
        .filter(|(_, _, uses)| uses.contains(&"config"))
        .map(|(room, _, _)| *room)
        .collect();
    assert_eq!(reads_config, ["service", "web", "appliance", "cli"]);
}

#[test]
fn lib_is_a_map_and_nothing_else() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (number, line) in (1..).zip(text.lines()) {
        let item = line.trim();
        let allowed = item.is_empty()
            || item.starts_with("//!")
            || item
                .strip_prefix("pub mod ")
                .and_then(|rest| rest.strip_suffix(';'))
                .is_some_and(|room| ROOMS.iter().any(|(name, _, _)| *name == room));
        assert!(
            allowed,
            "src/lib.rs:{number}: only the map and `pub mod` lines of rooms: {item}"
        );
    }
}

#[test]
fn no_room_is_empty() {
    let mut code: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (file, text) in sources("src") {
        let own = meaningful(&text);
        for folder in file
            .ancestors()
            .skip(1)
            .filter(|folder| *folder != Path::new("src"))
        {
            if folder.starts_with("src") {
                *code.entry(folder.to_owned()).or_default() += own;
            }
        }
    }
    let empty: Vec<_> = code
        .iter()
        .filter(|(_, tokens)| **tokens == 0)
        .map(|(dir, _)| dir)
        .collect();
    assert!(
        empty.is_empty(),
        "rooms appear when they are needed; empty: {empty:?}"
    );
}

#[test]
fn files_have_one_subject() {
    let mut too_long = Vec::new();
    for (file, text) in sources("src").into_iter().chain(sources("tests")) {
        let lines = text.lines().count();
        if lines > TOO_LONG {
            too_long.push(format!("{}: {lines} lines", file.display()));
        } else if lines > LONG {
            eprintln!("long: {}: {lines} lines", file.display());
        }
    }
    assert!(
        too_long.is_empty(),
        "over {TOO_LONG} lines:\n{}",
        too_long.join("\n")
    );
}

#[test]
fn every_rfc_the_code_cites_is_in_the_table() {
    let table = fs::read_to_string(root().join("docs/rfc.md")).unwrap();
    let listed: BTreeSet<String> = table
        .lines()
        .filter_map(|row| row.strip_prefix("| RFC ")?.split_once(' '))
        .map(|(number, _)| number.to_owned())
        .collect();
    assert!(!listed.is_empty(), "docs/rfc.md has no rows");
    let mut missing = Vec::new();
    for (file, text) in sources("src") {
        for (number, line) in (1..).zip(text.lines()) {
            for rfc in citations(line) {
                if !listed.contains(&rfc) {
                    missing.push(format!("{}:{number}: RFC {rfc}", file.display()));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "cited and not in docs/rfc.md:\n{}",
        missing.join("\n")
    );
}

/// What IMAP and POP3 announce, with the RFC whose row says so.
const ANNOUNCED: &[(&str, &str)] = &[
    ("APPENDLIMIT", "7889"),
    ("AUTH-RESP-CODE", "3206"),
    ("BINARY", "3516"),
    ("CHILDREN", "3348"),
    ("COMPRESS=DEFLATE", "4978"),
    ("CONDSTORE", "7162"),
    ("CREATE-SPECIAL-USE", "6154"),
    ("ENABLE", "5161"),
    ("ESEARCH", "4731"),
    ("EXPIRE NEVER", "2449"),
    ("ID", "2971"),
    ("IDLE", "2177"),
    ("IMAP4rev1", "3501"),
    ("IMPLEMENTATION Pillarbox", "2449"),
    ("LIST-EXTENDED", "5258"),
    ("LIST-STATUS", "5819"),
    ("LITERAL+", "7888"),
    ("LOGINDISABLED", "3501"),
    ("MOVE", "6851"),
    ("MULTIAPPEND", "3502"),
    ("NAMESPACE", "2342"),
    ("PIPELINING", "2449"),
    ("QRESYNC", "7162"),
    ("QUOTA", "9208"),
    ("QUOTA=RES-MESSAGE", "9208"),
    ("QUOTA=RES-STORAGE", "9208"),
    ("RESP-CODES", "2449"),
    ("SASL-IR", "4959"),
    ("SEARCHRES", "5182"),
    ("SORT", "5256"),
    ("SPECIAL-USE", "6154"),
    ("STARTTLS", "3501"),
    ("STATUS=SIZE", "8438"),
    ("STLS", "2595"),
    ("THREAD=ORDEREDSUBJECT", "5256"),
    ("THREAD=REFERENCES", "5256"),
    ("TOP", "1939"),
    ("UIDL", "1939"),
    ("UIDPLUS", "4315"),
    ("UNSELECT", "3691"),
    ("USER", "1939"),
    ("UTF8 USER", "6856"),
    ("UTF8=ACCEPT", "6855"),
    ("WITHIN", "5032"),
];

/// The names in a file's `const TABLE`: the text in front of each `When::`.
fn table_names(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, table) = text.split_once("const TABLE").unwrap();
    let (table, _) = table.split_once("];").unwrap();
    let rows = table.lines().filter(|line| line.contains(", When::"));
    let names = rows.map(|line| match line.split('"').nth(1) {
        Some(name) => name.to_owned(),
        // The one that has its number behind it.
        None => "APPENDLIMIT".to_owned(),
    });
    names.collect()
}

#[test]
fn what_is_announced_is_not_for_later() {
    let table = fs::read_to_string(root().join("docs/rfc.md")).unwrap();
    let mut wrong = Vec::new();
    for file in [
        "src/proto/imap/capability.rs",
        "src/proto/pop3/capability.rs",
    ] {
        let names = table_names(file);
        assert!(names.len() > 5, "{file} has no table");
        for name in names {
            let rfc = ANNOUNCED.iter().find(|(announced, _)| *announced == name);
            let row = rfc.and_then(|(_, rfc)| {
                let start = format!("| RFC {rfc} |");
                table.lines().find(|row| row.starts_with(&start))
            });
            if !row.is_some_and(|row| row.contains("| yes |") || row.contains("| part")) {
                wrong.push(format!("{name}: {}", row.unwrap_or("no row")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "announced, and docs/rfc.md says:\n{}",
        wrong.join("\n")
    );
}

/// The rules above see what they are for: each of these lines must be found, or must pass.
#[test]
fn the_rules_find_what_they_are_for() {
    let found = |room: &str, module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|&part| part.to_owned()).collect();
        edges(room, &module, text)
            .into_iter()
            .map(|(_, problem)| problem)
            .collect::<Vec<_>>()
    };
    for (room, module, text) in [
        ("store", &["store", "writer"][..], "use crate::net::drive;"),
        ("store", &["store"], "use crate::{base::id, proto};"),
        ("store", &["store"], "use {crate::config::Value, std::fmt};"),
        ("store", &["store", "a"], "use super::super::service::mx;"),
        (
            "store",
            &["store"],
            "fn f() { crate :: service :: mx :: run(); }",
        ),
        (
            "store",
            &["store"],
            "#[cfg(test)]\nmod tests {\n  use super::super::net;\n}",
        ),
        ("proto", &["proto", "smtp"], "log::warn!(\"x\");"),
        ("proto", &["proto", "smtp"], "use log::warn;"),
        (
            "proto",
            &["proto", "smtp"],
            "use std::net::{IpAddr, TcpStream};",
        ),
        ("policy", &["policy"], "smol::block_on(async {})"),
        ("store", &["store"], "use smol::{channel, Timer};"),
        ("service", &["service"], "use redb::Database;"),
        ("net", &["net"], "use crate::config;"),
        ("service", &["service"], "use crate::appliance::start;"),
        ("base", &["base"], "let c = '\"'; use crate::mail::x; // \""),
    ] {
        assert_eq!(found(room, module, text).len(), 1, "{room}: {text}");
    }
    for (room, module, text) in [
        (
            "store",
            &["store", "writer"][..],
            "use crate::store::log::segment;",
        ),
        (
            "store",
            &["store", "writer"],
            "use super::log; fn f() { log::segment::open(); }",
        ),
        ("store", &["store"], "mod log;\nuse log::segment;"),
        (
            "store",
            &["store"],
            "// use crate::net::drive;\n/* crate::net /* x */ crate::cli */",
        ),
        (
            "store",
            &["store"],
            "let text = \"crate::net\"; let raw = r#\"crate::\"net\"#;",
        ),
        ("store", &["store"], "pub(crate) fn f<'a>(x: &'a str) {}"),
        ("store", &["store"], "mod tests { use super::*; }"),
        (
            "net",
            &["net"],
            "use smol::net; use std::net::TcpStream; log::info!(\"x\");",
        ),
        (
            "proto",
            &["proto"],
            "use std::net::IpAddr; use crate::{base::id, mail};",
        ),
        ("cli", &["cli"], "use crate::{appliance, service, web};"),
    ] {
        assert_eq!(found(room, module, text), [""; 0], "{room}: {text}");
    }
    assert_eq!(
        citations("RFC 5321 section 4, (RFC 3207)."),
        ["5321", "3207"]
    );
    assert_eq!(
        meaningful("//! text\n#![expect(x)]\npub mod a;\nmod b;\n"),
        0
    );
    assert!(meaningful("pub fn f() {}") > 0);
}

/// What is wrong in one file, with line numbers.
fn edges(room: &str, module: &[String], text: &str) -> Vec<(usize, String)> {
    let tokens = tokens(text);
    let (_, floor, may_use) = ROOMS.iter().find(|(name, _, _)| *name == room).unwrap();
    let own_log = tokens
        .windows(3)
        .any(|w| w[0].1 == "mod" && w[1].1 == "log" || w[0].1 == "super" && w[2].1 == "log")
        || text.contains("::log;");
    let mut wrong = Vec::new();
    for (line, path) in paths(&tokens, module) {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["crate", used, ..] => {
                let known = ROOMS.iter().any(|(name, _, _)| name == used);
                if known && *used != room && !may_use.contains(used) {
                    wrong.push((
                        line,
                        format!("{room} may not use {used} ({})", path.join("::")),
                    ));
                }
            }
            ["log"] if *floor < 3 && !own_log => {
                wrong.push((line, format!("{room} may not log")));
            }
            ["log", name, ..] if *floor < 3 => {
                let makes_a_line = ["trace", "debug", "info", "warn", "error", "log", "Level"];
                if makes_a_line.contains(name) && !own_log {
                    wrong.push((line, format!("{room} may not log ({})", path.join("::"))));
                }
            }
            _ if INSIDE
                .iter()
                .any(|(path, by)| *by == room && parts.starts_with(path)) => {}
            _ => {
                for (outside, rooms) in OUTSIDE {
                    if parts.starts_with(outside) && !rooms.contains(&room) {
                        wrong.push((line, format!("{room} may not use {}", outside.join("::"))));
                    }
                }
            }
        }
    }
    wrong
}

/// Every path of the text, groups taken apart and `super` resolved: `use a::{b, c::d}` gives `a::b`
/// and `a::c::d`. A path that begins with `super` or `self` becomes one that begins with `crate`.
fn paths(tokens: &[(usize, String)], module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut inline: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while let Some((_, token)) = tokens.get(at) {
        let before = at
            .checked_sub(1)
            .and_then(|i| tokens.get(i))
            .map_or("", |t| t.1.as_str());
        match token.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last().is_some_and(|(_, outer)| *outer == depth) {
                    inline.pop();
                }
            }
            name if before == "mod" => {
                let has_body = tokens.get(at + 1).is_some_and(|next| next.1 == "{");
                inline.extend(has_body.then(|| (name.to_owned(), depth)));
            }
            name if is_name(name) && before != "." => {
                let here: Vec<String> = module
                    .iter()
                    .cloned()
                    .chain(inline.iter().map(|i| i.0.clone()))
                    .collect();
                let group_of_use = before == "use";
                at = path(tokens, at, &[], &here, group_of_use, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// One path from `at` on, behind `prefix`; returns the place after it.
fn path(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &[String],
    here: &[String],
    of_use: bool,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut parts = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.0);
    while let Some((_, token)) = tokens.get(at) {
        if token == "{" {
            at = group(tokens, at, &parts, here, of_use, found);
            return at;
        }
        if !is_name(token) && token != "*" {
            break;
        }
        parts.push(token.clone());
        at += 1;
        if tokens.get(at).is_some_and(|next| next.1 == "::") {
            at += 1;
        } else {
            break;
        }
    }
    let parts = resolve(parts, here);
    // A lone name is a path only after `use`.
    if parts.len() > 1 || of_use {
        found.push((line, parts));
    }
    at
}

/// The inside of `{…}` in a `use`, each item as a path behind `prefix`.
fn group(
    tokens: &[(usize, String)],
    mut at: usize,
    prefix: &[String],
    here: &[String],
    of_use: bool,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    at += 1;
    while let Some((_, token)) = tokens.get(at) {
        match token.as_str() {
            "}" => return at + 1,
            "{" => at = group(tokens, at, prefix, here, of_use, found),
            name if is_name(name) || name == "*" => {
                at = path(tokens, at, prefix, here, of_use, found);
            }
            _ => at += 1,
        }
    }
    at
}

fn resolve(parts: Vec<String>, here: &[String]) -> Vec<String> {
    let up = parts.iter().take_while(|part| *part == "super").count();
    match parts.first().map(String::as_str) {
        Some("super") => ["crate".to_owned()]
            .into_iter()
            .chain(here.iter().take(here.len().saturating_sub(up)).cloned())
            .chain(parts.into_iter().skip(up))
            .collect(),
        Some("pillarbox") => ["crate".to_owned()]
            .into_iter()
            .chain(parts.into_iter().skip(1))
            .collect(),
        _ => parts,
    }
}

/// Code tokens of a file beside its `mod` lines and attributes: 0 for a room that only announces itself.
fn meaningful(text: &str) -> usize {
    let tokens = tokens(text);
    let (mut count, mut at) = (0, 0);
    while let Some((_, token)) = tokens.get(at) {
        let text_at = |offset: usize| tokens.get(at + offset).map_or("", |t| t.1.as_str());
        match token.as_str() {
            "#" => {
                while at < tokens.len() && tokens[at].1 != "]" {
                    at += 1;
                }
            }
            "pub" if text_at(1) == "mod" && text_at(3) == ";" => at += 3,
            "mod" if text_at(2) == ";" => at += 2,
            _ => count += 1,
        }
        at += 1;
    }
    count
}

/// The numbers of `RFC nnnn` in a line.
fn citations(line: &str) -> Vec<String> {
    line.match_indices("RFC ")
        .map(|(at, sign)| &line[at + sign.len()..])
        .map(|rest| {
            rest.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        })
        .filter(|number| !number.is_empty())
        .collect()
}

/// `src/store/log/mod.rs` is `store::log`; `src/lib.rs` and `src/main.rs` are the root.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .components()
        .skip(1)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || last == "lib" || last == "main")
    {
        parts.pop();
    }
    parts
}

/// All Rust files below a folder with their text; paths as seen from the root of the tree.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if entry.file_name() != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(root().join(&path)).unwrap();
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
