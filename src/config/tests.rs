use std::fmt::Write as _;

use super::*;

fn load(file: &str) -> Result<Config, Vec<Mistake>> {
    Config::load(&Sources {
        file: Some(file),
        ..Sources::default()
    })
}

fn lines(file: &str) -> Vec<String> {
    match load(file) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(|m| m.line("f")).collect(),
    }
}

#[test]
fn defaults_have_the_right_form_in_every_profile() {
    for memory in [0, 64 << 20, 256 << 20, 1 << 30] {
        let config = Config::load(&Sources {
            machine: Machine {
                hostname: "Box".to_owned(),
                memory,
            },
            ..Sources::default()
        })
        .unwrap();
        assert_eq!(config.text(&schema::HOSTNAME), "box");
        assert_eq!(config.values.len(), KEYS.len());
    }
}

#[test]
fn profiles_by_memory() {
    for (memory, profile) in [
        (0, Profile::Small),
        (96 << 20, Profile::Tiny),
        ((96 << 20) + 1, Profile::Small),
        (384 << 20, Profile::Small),
        ((384 << 20) + 1, Profile::Normal),
    ] {
        assert_eq!(Profile::of(memory), profile, "{memory}");
    }
    let config = load("profile = \"tiny\"").unwrap();
    assert_eq!(config.number(&schema::LIMIT_MESSAGE_SIZE), 15 << 20);
    assert_eq!(config.profile(), Profile::Tiny);
}

#[test]
fn every_mistake_with_line_and_column() {
    let file = "\
hostname = \"a b\"
lisen.mx = \"off\"

[listen]
imaps = [\"[::]:993\", \"993\"]
mxx = \"off\"
imap = true

[limit]
message_size = \"1MB\"
folders = -1
";
    assert_eq!(
        lines(file),
        [
            r#"f:1:12: hostname: "a b" is no host name"#,
            r#"f:2:7: unknown key "lisen.mx"; did you mean "listen.mx"?"#,
            r#"f:5:22: listen.imaps: "993" is no listener; write addr:port, like 127.0.0.1:143 or [::]:993, or off"#,
            r#"f:6:1: unknown key "listen.mxx"; did you mean "listen.mx"?"#,
            "f:7:8: listen.imap: a boolean does not fit here",
            r#"f:10:16: limit.message_size: "1MB" is no size; write it like 512KiB, 35MiB or 1GiB"#,
            r#"f:11:11: limit.folders: "-1" is no number from 0 to 1000000"#,
        ]
    );
}

#[test]
fn bad_syntax_hides_no_other_mistake() {
    let found = lines("data = \n\u{e4} = 1\nhostnam = \"x\"\n");
    assert!(found.iter().any(|l| l.starts_with("f:1:")), "{found:?}");
    assert!(
        found
            .iter()
            .any(|l| l.starts_with("f:3:1: unknown key \"hostnam\"")),
        "{found:?}"
    );
}

#[test]
fn what_no_key_can_tell_alone() {
    assert_eq!(
        lines("tls.certificate = \"/c\""),
        ["f:1:19: tls.certificate: needs tls.key too"]
    );
    assert_eq!(
        lines("listen.imap = \"0.0.0.0:143\""),
        [
            "f:1:15: listen.imap: 0.0.0.0:143 is not loopback, and IMAP has no STARTTLS in this version"
        ]
    );
    assert_eq!(
        lines("[listen]\nmx = \"127.0.0.1:1143\"\nimap = \"127.0.0.1:1143\""),
        ["f:3:8: listen.imap: 127.0.0.1:1143 is taken by listen.mx"]
    );
    assert!(lines("listen.mx = \"127.0.0.1:0\"\nlisten.imap = \"127.0.0.1:0\"").is_empty());
}

#[test]
fn the_stronger_source_counts() {
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let mut sources = Sources {
        store: pair("hostname", "of.store"),
        ..Sources::default()
    };
    let place = |sources: &Sources<'_>| {
        let config = Config::load(sources).unwrap();
        let (value, place) = config.value(&schema::HOSTNAME).cloned().unwrap();
        (value.text(), place)
    };
    assert_eq!(place(&sources), ("of.store".to_owned(), Place::Store));
    sources.file = Some("hostname = \"of.file\"");
    let file = Place::File {
        line: 1,
        column: 12,
    };
    assert_eq!(place(&sources), ("of.file".to_owned(), file));
    sources.environment = pair("PILLARBOX_HOSTNAME", "of.environment");
    let environment = Place::Environment("PILLARBOX_HOSTNAME".to_owned());
    assert_eq!(place(&sources), ("of.environment".to_owned(), environment));
    sources.options = pair("hostname", "of.option");
    assert_eq!(place(&sources), ("of.option".to_owned(), Place::Option));
}

#[test]
fn environment_of_others() {
    let sources = Sources {
        environment: vec![
            ("PATH".to_owned(), "/bin".to_owned()),
            ("PILLARBOX_PORT".to_owned(), "tcp://10.0.0.1:25".to_owned()),
            ("PILLARBOX_LISTEN_MX".to_owned(), "x".to_owned()),
        ],
        ..Sources::default()
    };
    let mistakes = Config::load(&sources).unwrap_err();
    let lines: Vec<_> = mistakes.iter().map(|m| m.line("f")).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("PILLARBOX_LISTEN_MX: listen.mx: \"x\" is no listener"));
}

#[test]
fn the_control_socket_lies_in_a_data_folder_that_was_given() {
    assert_eq!(
        load("data = \"/srv/x\"").unwrap().control(),
        "/run/pillarbox/control"
    );
    let sources = Sources {
        options: vec![("data".to_owned(), "/srv/x/".to_owned())],
        ..Sources::default()
    };
    assert_eq!(Config::load(&sources).unwrap().control(), "/srv/x/control");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let config = load("").unwrap();
    let mut text = String::new();
    for key in KEYS {
        let value = config.value(key).unwrap().0.toml();
        writeln!(text, "{} = {value}", key.name).unwrap();
    }
    let again = load(&text).unwrap();
    for key in KEYS {
        assert_eq!(config.value(key).unwrap().0, again.value(key).unwrap().0);
    }
}

#[test]
fn the_reference_names_every_key() {
    let page = reference::page();
    for key in KEYS {
        assert!(
            page.contains(&format!("| `{}`<br>", key.name)),
            "{}",
            key.name
        );
    }
}

#[test]
fn a_reload_takes_live_keys_and_has_the_others_wait() {
    let old = load("hostname = \"a.test\"\n[log]\nlevel = \"info\"").unwrap();
    let new = load("hostname = \"b.test\"\n[log]\nlevel = \"debug\"").unwrap();
    let renewed = old.renewed(new.clone());
    assert_eq!(renewed.text(&schema::LOG_LEVEL), "debug");
    assert_eq!(renewed.text(&schema::HOSTNAME), "a.test");
    let (waiting, place) = renewed.waiting(&schema::HOSTNAME).unwrap();
    assert_eq!(waiting.toml(), "\"b.test\"");
    assert!(place.to_string().starts_with("file, line 1"));
    assert!(renewed.waiting(&schema::LOG_LEVEL).is_none());
    // Put back, nothing waits any more.
    let back = renewed.renewed(old);
    assert!(back.waiting(&schema::HOSTNAME).is_none());
    assert_eq!(back.text(&schema::HOSTNAME), "a.test");
    assert_eq!(back.text(&schema::LOG_LEVEL), "info");
}

/// `docs/config.md` is what [`reference::page`] says; `PILLARBOX_WRITE=1` writes it.
#[test]
fn the_page_in_docs_is_the_reference() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    if std::env::var_os("PILLARBOX_WRITE").is_some() {
        std::fs::write(&file, reference::page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written == reference::page(),
        "docs/config.md is old: pillarbox config reference > docs/config.md"
    );
}
