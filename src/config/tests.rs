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
                ..Machine::default()
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
    assert!(lines("listen.imap = \"0.0.0.0:143\"").is_empty());
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
    for (file, socket) in [
        ("", "/run/pillarbox/control"),
        ("data = \"/var/lib/pillarbox\"", "/run/pillarbox/control"),
        // Another box on this machine: neither is taken for the other.
        ("data = \"/srv/x\"", "/srv/x/control"),
    ] {
        assert_eq!(load(file).unwrap().control(), socket, "{file}");
    }
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

#[test]
fn what_this_version_lacks_is_a_mistake() {
    for (key, value, text) in [
        (
            "role",
            "edge",
            "role: edge is not in this version; it can be mailbox or relay",
        ),
        (
            "listen.sieve",
            "[::]:4190",
            "listen.sieve: ManageSieve is not in this version; leave it off",
        ),
        (
            "log.file",
            "/var/log/mail",
            "log.file: a log file of its own is not in this version; leave it off",
        ),
    ] {
        let file = format!("{key} = {value:?}");
        let column = file.find('"').unwrap() + 1;
        assert_eq!(lines(&file), [format!("f:1:{column}: {text}")]);
    }
    for key in KEYS.iter().filter(|key| key.needs.is_some()) {
        let schema::Default::Fixed(default) = key.default else {
            panic!("{}", key.name);
        };
        assert!(lines(&format!("{} = {default:?}", key.name)).is_empty());
        let other = match key.kind {
            value::Kind::Choice(words) => words[1],
            value::Kind::PathOrOff => "/log",
            _ => "127.0.0.1:2000",
        };
        let said = lines(&format!("{} = {other:?}", key.name));
        assert!(said[0].contains("not in this version"), "{said:?}");
    }
}

/// `spec/ux.md` section 3.12, by the letter.
#[test]
fn the_limits_of_each_profile() {
    for (name, texts) in [
        (
            "tiny",
            [
                "24MiB", "1MiB", "10", "3", "40", "10", "15MiB", "2", "1000", "1MiB",
            ],
        ),
        (
            "small",
            [
                "64MiB", "1MiB", "40", "8", "150", "20", "35MiB", "5", "20000", "4MiB",
            ],
        ),
        (
            "normal",
            [
                "192MiB", "4MiB", "100", "15", "500", "30", "35MiB", "10", "200000", "16MiB",
            ],
        ),
    ] {
        let config = load(&format!("profile = {name:?}")).unwrap();
        let keys = [
            "memory.limit",
            "limit.store_cache",
            "limit.smtp_sessions",
            "limit.smtp_sessions_per_address",
            "limit.imap_sessions",
            "limit.imap_sessions_per_person",
            "limit.message_size",
            "limit.deliveries",
            "limit.queue",
            "limit.log_ring",
        ];
        let found = keys.map(|key| config.value(schema::find(key).unwrap()).unwrap().0.text());
        assert_eq!(found, texts.map(str::to_owned), "{name}");
    }
}

/// `spec/ux.md` section 3.10, as far as this version has what a default needs.
#[test]
fn the_defaults_of_the_table() {
    let config = load("hostname = \"box.test\"").unwrap();
    for (key, text) in [
        ("role", "mailbox"),
        ("data", "/var/lib/pillarbox"),
        ("listen.mx", "[::]:25"),
        ("listen.submission", "[::]:587"),
        ("listen.submissions", "[::]:465"),
        ("listen.imap", "off"),
        ("listen.imaps", "[::]:993"),
        ("listen.pop3", "off"),
        ("listen.pop3s", "off"),
        ("listen.sieve", "off"),
        ("listen.lmtp", "off"),
        ("listen.local", "127.0.0.1:2526,[::1]:2526"),
        ("listen.devices", "off"),
        ("listen.proxy", "off"),
        ("local.allow_uids", "all"),
        ("local.rate", "200/h"),
        ("tls.certificate", ""),
        ("tls.key", ""),
        ("tls.plaintext_auth", "off"),
        ("tls.min", "1.2"),
        ("proxy.from", ""),
        ("queue.first_retry", "5m"),
        ("queue.max_retry", "4h"),
        ("queue.warn_after", "4h"),
        ("queue.give_up", "5d"),
        ("web.names", ""),
        ("web.remote", "false"),
        ("profile", "auto"),
        ("log.level", "info"),
        ("log.file", "off"),
        ("dns.servers", "system"),
        ("alert.url", ""),
        ("address.delimiter", "+"),
        ("address.origin", ""),
        ("smtp.soft_bounce", "false"),
        ("smtp.trusted_networks", ""),
        ("local.reject_text", "Local delivery only!"),
    ] {
        let key = schema::find(key).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(config.value(key).unwrap().0.text(), text, "{}", key.name);
    }
    assert_eq!(
        (config.origin(), config.delimiter()),
        ("box.test", Some('+'))
    );
    let config = load("address.origin = \"Home.Test\"\naddress.delimiter = \"\"").unwrap();
    assert_eq!((config.origin(), config.delimiter()), ("home.test", None));
}

/// UX-140: nothing outside loopback in role `relay`.
#[test]
fn the_defaults_of_a_relay() {
    let config = load("role = \"relay\"").unwrap();
    assert_eq!(config.role(), schema::Role::Relay);
    let open: Vec<_> = KEYS
        .iter()
        .flat_map(|key| config.listeners(key).iter().map(|at| (key.name, *at)))
        .collect();
    let at = |text: &str| ("listen.local", text.parse().unwrap());
    assert_eq!(open, [at("127.0.0.1:25"), at("[::1]:25")]);
    assert_eq!(config.text(&schema::LOCAL_ALIASES), "/etc/aliases");
    let said = lines("listen.local = \"192.168.1.2:27\"");
    assert_eq!(
        said,
        [
            "f:1:16: listen.local: 192.168.1.2:27 is not on loopback; for others there is listen.devices"
        ]
    );
}

/// What the internet can reach is not trusted, wherever that is said.
#[test]
fn trusted_networks_are_inside() {
    for (text, fits) in [
        ("0.0.0.0/0", false),
        ("::/0", false),
        ("192.168.0.0/15", false),
        ("192.168.0.0/16", true),
        ("fe80::/10", true),
    ] {
        let file = format!("smtp.trusted_networks = [\"{text}\"]\n");
        let said = load(&file).map_or_else(|_| lines(&file), |_| Vec::new());
        assert_eq!(said.is_empty(), fits, "{text}: {said:?}");
        assert!(
            fits || said[0].contains("reaches into the internet"),
            "{said:?}"
        );
    }
}

#[test]
fn lists_and_truth_in_the_file() {
    let config = load(
        "\
web.remote = true
smtp.trusted_networks = [\"192.168.2.0/24\", \"::1\"]
local.allow_uids = [0, 1000]
dns.servers = \"192.0.2.53\"
address.local = []
queue.give_up = \"2d\"
local.rate = \"10/m\"
",
    )
    .unwrap();
    assert!(config.is_on(&schema::WEB_REMOTE));
    let trusted = config.networks(&schema::SMTP_TRUSTED_NETWORKS);
    assert!(trusted[0].contains("192.168.2.9".parse().unwrap()) && trusted.len() == 2);
    assert_eq!(config.list(&schema::LOCAL_ALLOW_UIDS), ["0", "1000"]);
    assert_eq!(config.list(&schema::DNS_SERVERS), ["192.0.2.53"]);
    assert!(config.list(&schema::ADDRESS_LOCAL).is_empty());
    assert_eq!(config.seconds(&schema::QUEUE_GIVE_UP), 2 * 86_400);
    let rate = config.rate(&schema::LOCAL_RATE).unwrap();
    assert_eq!((rate.count, rate.seconds), (10, 60));
    assert_eq!(
        lines(
            "\
web.remote = 1
smtp.soft_bounce = \"maybe\"
smtp.trusted_networks = [\"192.0.2.0/24\", \"home\"]
local.allow_uids = [\"all\", 0]
dns.servers = [[\"::1\"]]
queue.give_up = 5
hostname = [\"a\"]
"
        ),
        [
            r#"f:1:14: web.remote: "1" is neither true nor false"#,
            r#"f:2:20: smtp.soft_bounce: "maybe" is neither true nor false"#,
            r#"f:3:42: smtp.trusted_networks: "home" is no network; write it like 192.0.2.0/24 or 2001:db8::/32"#,
            "f:4:21: local.allow_uids: all stands alone",
            "f:5:16: dns.servers: a list holds texts only",
            r#"f:6:17: queue.give_up: "5" is no time; write it like 30s, 5m, 4h or 5d"#,
            "f:7:12: hostname: a list does not fit here",
        ]
    );
}

#[test]
fn one_port_for_two() {
    for (one, other, refused) in [
        ("[::]:2500", "0.0.0.0:2500", true),
        ("[::]:2500", "127.0.0.1:2500", true),
        ("0.0.0.0:2500", "127.0.0.1:2500", true),
        ("0.0.0.0:2500", "[::1]:2500", false),
        ("127.0.0.1:2500", "127.0.0.2:2500", false),
        ("[::]:2500", "[::]:2501", false),
        ("[::]:2500,0.0.0.0:2500", "127.0.0.1:2500", true),
        ("[::1]:2500,0.0.0.0:2500", "[::2]:2500", false),
    ] {
        for (mx, imaps) in [(one, other), (other, one)] {
            let mistakes = lines(&format!("[listen]\nmx = {mx:?}\nimaps = {imaps:?}"));
            assert_eq!(!mistakes.is_empty(), refused, "{mx} {imaps}: {mistakes:?}");
        }
    }
    // One list: both families apart, but no address twice.
    assert!(lines("listen.mx = [\"[::]:2500\", \"0.0.0.0:2500\"]").is_empty());
    assert_eq!(
        lines("listen.mx = [\"[::]:2500\", \"127.0.0.1:2500\"]"),
        ["f:1:13: listen.mx: 127.0.0.1:2500 is taken by listen.mx"]
    );
    // What was written is at fault, not a default.
    assert_eq!(
        lines("listen.mx = \"[::]:993\""),
        ["f:1:13: listen.mx: [::]:993 is taken by listen.imaps"]
    );
}

#[test]
fn the_store_holds_a_key_before_its_certificate_and_no_data() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let load = |file: &'static str, store: Vec<(String, String)>| {
        Config::load(&Sources {
            file: Some(file),
            store,
            ..Sources::default()
        })
    };
    let (key, certificate) = (pair("tls.key", "/k"), pair("tls.certificate", "/c"));
    assert!(load("", vec![key.clone()]).is_ok());
    assert!(load("", vec![key.clone(), certificate.clone()]).is_ok());
    assert!(load("", vec![certificate.clone()]).is_err());
    assert!(load("tls.key = \"/k\"", vec![certificate]).is_err());
    // The file has to be right where nobody has opened the store yet.
    let mistakes = load("tls.certificate = \"/c\"", vec![key]).unwrap_err();
    assert_eq!(
        mistakes[0].line("f"),
        "f:1:19: tls.certificate: needs tls.key beside it, not in the store"
    );
    let config = load("", vec![pair("data", "/srv/x"), pair("role", "edge")]).unwrap();
    assert_eq!(config.text(&schema::DATA), "/var/lib/pillarbox");
}

#[test]
fn what_the_store_may_not_have() {
    let config = Config::load(&Sources {
        file: Some("listen.mx = \"[::]:2500\"\nhostname = \"box.test\""),
        file_name: "/etc/p.toml",
        environment: vec![("PILLARBOX_LOG_LEVEL".to_owned(), "warn".to_owned())],
        ..Sources::default()
    })
    .unwrap();
    let held = |key: &Key| config.held(key);
    assert_eq!(
        held(&schema::HOSTNAME).as_deref(),
        Some("/etc/p.toml, line 2")
    );
    assert_eq!(
        held(&schema::LOG_LEVEL).as_deref(),
        Some("the environment (PILLARBOX_LOG_LEVEL)")
    );
    assert_eq!(held(&schema::LISTEN_IMAPS), None);
    let objections = |key: &'static Key, text: &str| {
        let value = key.parse(text).unwrap();
        config.objections(key, Some(&value))
    };
    assert_eq!(
        objections(&schema::LISTEN_IMAPS, "127.0.0.1:2500"),
        ["listen.imaps: 127.0.0.1:2500 is taken by listen.mx"]
    );
    assert!(objections(&schema::LISTEN_IMAPS, "[::]:1993").is_empty());
    assert_eq!(
        objections(&schema::TLS_CERTIFICATE, "/c"),
        ["tls.certificate: needs tls.key too"]
    );
    assert!(objections(&schema::TLS_KEY, "/k").is_empty());
    assert!(config.objections(&schema::TLS_KEY, None).is_empty());
    assert!(schema::DATA.outside().is_some());
}

#[test]
fn names_in_the_environment() {
    let mut names: Vec<_> = KEYS.iter().map(|key| key.environment()).collect();
    assert!(names.contains(&"PILLARBOX_LISTEN_MX".to_owned()));
    assert!(names.contains(&"PILLARBOX_LIMIT_SMTP_SESSIONS_PER_ADDRESS".to_owned()));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
    // Each reaches its key.
    for key in KEYS {
        let sources = Sources {
            environment: vec![(key.environment(), "\u{1}".to_owned())],
            ..Sources::default()
        };
        let mistakes = Config::load(&sources).unwrap_err();
        let start = format!("{}: {}: ", key.environment(), key.name);
        assert!(mistakes[0].line("f").starts_with(&start), "{}", key.name);
    }
}
