//! A configuration file; lines `PILLARBOX_…=…` in it are the environment too.

use pillarbox::config::schema::{KEYS, Profile};
use pillarbox::config::{Config, Machine, Place, Sources};

pub const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    " = ",
    "\"",
    "[",
    "]",
    "listen",
    "listen.mx",
    "listen.imap",
    "limit.",
    "tls.certificate",
    "tls.key",
    "profile",
    "hostname",
    "data",
    "\"0.0.0.0:25\"",
    "\"[::1]:25\"",
    "\"off\"",
    "35MiB",
    "proxy.from",
    "smtp.trusted_networks",
    "local.rate",
    "local.reject_text",
    "dns.servers",
    "queue.give_up",
    "web.remote",
    "address.",
    "alert.url",
    "listen.pop3",
    "role",
    "5m",
    "200/h",
    "\"192.0.2.0/24\"",
    "\"::ffff:0:0/95\"",
    "\"system\"",
    "\"all\"",
    "\"+\"",
    "\"https://a/\"",
    "99999999999999999999",
    "0x10",
    "1e5",
    "true",
    "1979-05-27",
    "'''",
    "\"\"\"",
    "#",
    "PILLARBOX_PROFILE=tiny\n",
    "PILLARBOX_NO=1\n",
    "é",
    "\0",
    "{",
    "}",
    ",",
    ".",
];

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    let all: Vec<_> = pairs.take(20).collect();
    load(&Sources {
        file: Some(&text),
        ..Sources::default()
    });
    load(&Sources {
        environment: all.clone(),
        store: all.clone(),
        options: all,
        machine: Machine {
            hostname: text.lines().next().unwrap_or_default().to_owned(),
            memory: data.len() as u64 * 1_000_000,
            ..Machine::default()
        },
        ..Sources::default()
    });
}

fn load(sources: &Sources<'_>) {
    match Config::load(sources) {
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            let text = sources.file.unwrap_or_default();
            for mistake in mistakes {
                assert!(!mistake.text.is_empty());
                let shown = mistake.line("pillarbox.toml");
                if let Place::File { line, column } = mistake.place {
                    let lines = text.matches('\n').count() + 1;
                    assert!((1..=lines).contains(&line), "{shown}");
                    let width = text
                        .split('\n')
                        .nth(line - 1)
                        .map_or(0, |l| l.chars().count());
                    assert!((1..=width + 1).contains(&column), "{shown}");
                }
            }
        }
        Ok(config) => whole(&config),
    }
}

/// Every key has a value, and the file that says it is read as the same.
fn whole(config: &Config) {
    let mut file = String::new();
    for key in KEYS {
        let (value, _) = config.value(key).expect("every key has a value");
        assert_eq!(key.kind.parse(&value.text()).as_ref(), Ok(value));
        file.extend([key.name, " = ", &value.toml(), "\n"]);
        let _ = (config.number(key), config.text(key), config.listeners(key));
        let _ = (config.seconds(key), config.is_on(key), config.networks(key));
        let _ = (config.list(key), config.rate(key), config.held(key));
        // What is in effect already is no reason against itself.
        assert!(
            config.objections(key, Some(value)).is_empty(),
            "{}",
            key.name
        );
        let _ = config.objections(key, None);
    }
    let sources = Sources {
        file: Some(&file),
        ..Sources::default()
    };
    let again = Config::load(&sources).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{file}"));
    for key in KEYS {
        let value = |config: &Config| config.value(key).map(|(value, _)| value.clone());
        assert_eq!(value(config), value(&again), "{}", key.name);
    }
    assert_eq!(
        Profile::named(config.profile().name()),
        Some(config.profile())
    );
    let _ = (config.control(), config.origin(), config.delimiter());
}
