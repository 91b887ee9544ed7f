//! Every verb: help text, exit code for ok, usage, not found and server down, `--json` parses (UX-170);
//! the same while the server runs and while it is stopped (UX-171). The table here is held against the
//! command line's own.

use std::{collections::BTreeSet, fs, sync::Arc};

use crate::{
    base::time::Time,
    mail::summary::SummaryBuilder,
    net::world::RealWorld,
    store::{
        Store,
        disk::local::LocalDisk,
        queue::{Arrival, BodyKind, Queued, QueuedRecipient},
        request::{Deliver, Request as Wish},
    },
};

use super::*;

/// A verb.
struct Verb {
    name: &'static str,
    /// Arguments that are right on the box that [`furnish`] makes.
    right: &'static str,
    input: &'static str,
    how: How,
    /// Arguments that name what is not there, and the exit code; empty where nothing is named.
    missing: (&'static str, u8),
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    /// Works without a store; prints text only.
    Alone,
    /// Does something that only the server can.
    Act,
    /// Changes the store.
    Change,
    /// Writes files; [`super::mail`] has it.
    Export,
    /// Changes the data folder after reading files, which are not right here.
    Files,
    /// Looks at the store.
    Look,
    /// Looks, and needs no store.
    LookAlone,
    /// Only with the server.
    Running,
    /// Is the server.
    Serve,
}

const fn verb(
    name: &'static str,
    right: &'static str,
    how: How,
    missing: (&'static str, u8),
) -> Verb {
    Verb {
        name,
        right,
        input: "",
        how,
        missing,
    }
}

impl Verb {
    const fn with(self, input: &'static str) -> Self {
        Self { input, ..self }
    }

    fn line(&self) -> String {
        format!("{} {}", self.name, self.right)
    }

    fn looks(&self) -> bool {
        matches!(self.how, How::Look | How::LookAlone | How::Running)
    }
}

const NO: (&str, u8) = ("", 0);

const VERBS: &[Verb] = &[
    verb(
        "access add",
        "198.51.100.0/24 ok",
        How::Change,
        ("192.0.2.0/24 ok", 73),
    ),
    verb("access list", "", How::Look, NO),
    verb(
        "access remove",
        "192.0.2.0/24",
        How::Change,
        ("198.51.100.1", 67),
    ),
    verb(
        "device add",
        "camera 192.0.2.9",
        How::Change,
        ("printer 192.0.2.7", 73),
    ),
    verb("device list", "", How::Look, NO),
    verb("device remove", "printer", How::Change, ("none", 67)),
    verb(
        "alias add",
        "new@home.test b@home.test",
        How::Change,
        ("a@away.test b@home.test", 67),
    ),
    verb(
        "alias disable",
        "info@home.test",
        How::Change,
        ("none@home.test", 67),
    ),
    verb(
        "alias enable",
        "info@home.test",
        How::Change,
        ("none@home.test", 67),
    ),
    verb("alias list", "home.test", How::Look, ("away.test", 67)),
    verb(
        "alias remove",
        "info@home.test",
        How::Change,
        ("info@home.test b@home.test", 67),
    ),
    verb(
        "alias test",
        "info@home.test",
        How::Look,
        ("nobody@home.test", 1),
    ),
    verb(
        "app-password add",
        "a@home.test tablet",
        How::Change,
        ("c@home.test phone", 67),
    ),
    verb(
        "app-password list",
        "a@home.test",
        How::Look,
        ("c@home.test", 67),
    ),
    verb(
        "app-password remove",
        "a@home.test phone",
        How::Change,
        ("a@home.test tablet", 67),
    ),
    verb("completion", "bash", How::Alone, NO),
    verb("config check", "", How::LookAlone, NO),
    verb("config default", "", How::LookAlone, ("listen.xm", 65)),
    verb("config reference", "", How::Alone, NO),
    verb(
        "config set",
        "log.level warn",
        How::Change,
        ("log.levle warn", 65),
    ),
    verb("config show", "", How::Look, NO),
    verb("config unset", "log.level", How::Change, ("hostname", 67)),
    verb("dkim rotate", "home.test", How::Change, ("away.test", 67)),
    verb("dkim show", "home.test", How::Look, ("away.test", 67)),
    verb("doctor", "", How::Running, NO),
    verb("domain add", "new.test", How::Change, ("home.test", 73)),
    verb("domain check", "home.test", How::Running, ("away.test", 67)),
    verb(
        "domain disable",
        "home.test",
        How::Change,
        ("away.test", 67),
    ),
    verb("domain dns", "home.test", How::Look, ("away.test", 67)),
    verb("domain enable", "home.test", How::Change, ("away.test", 67)),
    verb("domain list", "", How::Look, NO),
    verb(
        "domain remove",
        "empty.test",
        How::Change,
        ("away.test", 67),
    ),
    verb(
        "mail export",
        "a@home.test --mbox target/none/never",
        How::Export,
        ("c@home.test --mbox target/none/never", 67),
    ),
    verb("mail trace", "a@home.test", How::Running, NO),
    verb("man", "", How::Alone, NO),
    verb("queue bounce", "Q1", How::Act, ("Q2", 67)),
    verb("queue flush", "", How::Change, NO),
    verb("queue hold", "Q1", How::Change, ("Q2", 67)),
    verb("queue list", "--to away.test", How::Look, NO),
    verb("queue pause", "", How::Change, NO),
    verb("queue release", "Q1", How::Change, ("Q2", 67)),
    verb("queue remove", "Q1", How::Change, ("Q2", 67)),
    verb("queue resume", "", How::Change, NO),
    verb("queue retry", "Q1", How::Change, ("Q2", 67)),
    verb("queue show", "Q1", How::Look, ("Q2", 67)),
    verb(
        "route add",
        "new --host a.test,192.0.2.1 --port 587 --tls starttls --user me --password-stdin",
        How::Change,
        ("provider --host a.test --port 25 --tls none", 73),
    )
    .with("hush"),
    verb("route default", "provider", How::Change, ("none", 67)),
    verb("route list", "", How::Look, NO),
    verb("route presets", "", How::LookAlone, NO),
    verb("route remove", "provider", How::Change, ("none", 67)),
    verb(
        "route set",
        "provider --port 2525",
        How::Change,
        ("none --port 25", 67),
    ),
    verb("route test", "provider", How::Running, ("none", 67)),
    verb("serve", "", How::Serve, NO),
    verb("status", "", How::Running, NO),
    verb("store check", "", How::Look, NO),
    verb("store rebuild", "", How::Change, NO),
    verb(
        "tls import",
        "Cargo.toml Cargo.toml",
        How::Files,
        ("no.pem no.pem", 67),
    ),
    verb("tls show", "", How::Look, NO),
    verb(
        "transport add",
        ".new.test smtp:away.test",
        How::Change,
        ("a.test relay:none", 67),
    ),
    verb("transport list", "", How::Look, NO),
    verb(
        "transport remove",
        "away.test",
        How::Change,
        ("none.test", 67),
    ),
    verb(
        "transport test",
        "x@away.test",
        How::Look,
        ("x@none.test", 1),
    ),
    verb(
        "user add",
        "c@home.test --password-stdin",
        How::Change,
        ("c@away.test --password-stdin", 67),
    )
    .with("hush"),
    verb(
        "user disable",
        "a@home.test",
        How::Change,
        ("c@home.test", 67),
    ),
    verb(
        "user enable",
        "a@home.test",
        How::Change,
        ("c@home.test", 67),
    ),
    verb("user list", "", How::Look, NO),
    verb(
        "user passwd",
        "a@home.test --password-stdin",
        How::Change,
        ("c@home.test --password-stdin", 67),
    )
    .with("hush"),
    verb(
        "user quota",
        "a@home.test 1GiB",
        How::Change,
        ("c@home.test 1GiB", 67),
    ),
    verb(
        "user remove",
        "a@home.test",
        How::Change,
        ("c@home.test", 67),
    ),
    verb(
        "user rename",
        "a@home.test c@home.test",
        How::Change,
        ("c@home.test d@home.test", 67),
    ),
    verb("version", "", How::LookAlone, NO),
];

/// A box in which there is one of everything.
fn furnish(data: &Path) {
    for (line, input) in [
        ("domain add home.test", ""),
        ("domain add empty.test", ""),
        (
            "domain add pass.test --class relay --recipients-stdin",
            "x\n",
        ),
        ("user add a@home.test --password-stdin --quota 1GiB", "hush"),
        ("user add b@home.test --password-stdin", "hush"),
        ("app-password add a@home.test phone", ""),
        ("alias add info@home.test a@home.test,x@away.test", ""),
        ("access add 192.0.2.0/24 reject", ""),
        ("device add printer 192.0.2.7 --from @home.test", ""),
        ("transport add away.test smtp:[192.0.2.1]:2525", ""),
        ("config set log.level debug", ""),
        (
            "route add provider --host smtp.away.test --port 25 --tls none",
            "",
        ),
    ] {
        let played = on(data, line, input);
        assert_eq!(played.exit, 0, "{line}: {}", played.err);
    }
    let disk = LocalDisk::new(data).unwrap();
    let found = load::Found::read(&[], &global(data), None).unwrap();
    let options = reach::options(&found.config(Vec::new()).unwrap(), &RealWorld::new());
    let (store, running, _) = Store::open(Arc::new(disk), options).unwrap();
    async_io::block_on(queue_one(&store));
    store.stop();
    running.join().unwrap();
}

fn global(data: &Path) -> Global {
    Global {
        config: None,
        data: Some(data.to_owned()),
        quiet: false,
    }
}

/// A message that waits.
async fn queue_one(store: &Store) {
    let text = b"Subject: x\r\n\r\nx\r\n";
    let mut incoming = store.incoming();
    incoming.write(text).await.unwrap();
    let mut summary = SummaryBuilder::new();
    summary.push(text);
    let queued = Queued {
        id: "Q1".to_owned(),
        sender: "a@home.test".to_owned(),
        submitter: None,
        envid: None,
        ret: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
        requiretls: false,
        arrival: Arrival::Person,
        recipients: vec![QueuedRecipient {
            address: "x@away.test".to_owned(),
            reason: Some("connect to away.test: Connection refused".to_owned()),
            ..QueuedRecipient::default()
        }],
    };
    let wish = Wish::Deliver(Deliver {
        prefix: vec![],
        body: incoming.finish().await.unwrap(),
        summary: summary.finish().encode(),
        received: Time(0),
        to: vec![],
        queue: Some(queued),
        settles: Vec::new(),
        warns: None,
    });
    store.request(wish).await.unwrap();
}

#[test]
fn no_verb_is_forgotten() {
    let mut verbs = BTreeSet::new();
    crate::cli::table::each(&TABLE, "", &mut |command, path| {
        if command.words().is_empty() {
            verbs.insert(path.trim_start_matches("pillarbox ").to_owned());
        }
    });
    let ours: BTreeSet<_> = VERBS.iter().map(|verb| verb.name.to_owned()).collect();
    assert_eq!(ours, verbs);
    assert_eq!(ours.len(), VERBS.len());
}

#[test]
fn every_verb_has_help_and_refuses_what_it_does_not_know() {
    for verb in VERBS {
        let name = verb.name;
        let help = play(&format!("{name} --help"), "");
        assert_eq!((help.exit, help.err.as_str()), (0, ""), "{name}");
        assert!(
            help.out.contains(&format!("Usage: pillarbox {name}")),
            "{}",
            help.out
        );
        let first = help.out.lines().next().unwrap();
        assert!(
            first.len() > 5 && !first.starts_with("Usage"),
            "{name}: {first}"
        );
        let wrong = play(&format!("{name} --no-such-option"), "");
        assert_eq!((wrong.exit, wrong.out.as_str()), (64, ""), "{name}");
        assert!(wrong.err.contains("--no-such-option"), "{}", wrong.err);
    }
}

/// Stopped: what only needs the store works, the rest says 69; what is not there has its code.
#[test]
fn every_verb_on_a_stopped_box() {
    let folder = tempfile::tempdir().unwrap();
    let box_ = folder.path().join("box");
    fs::create_dir(&box_).unwrap();
    furnish(&box_);
    for verb in VERBS {
        let (name, line) = (verb.name, verb.line());
        if verb.how == How::Serve {
            continue;
        }
        if verb.how == How::Files {
            assert_eq!(on(&box_, &line, "").exit, 65, "{line}");
        }
        let down = matches!(verb.how, How::Act | How::Running);
        // No certificate is made before the first start.
        let silent = matches!(name, "config check" | "tls show");
        if !verb.missing.0.is_empty() {
            let wrong = on(&box_, &format!("{name} {}", verb.missing.0), verb.input);
            assert_eq!(
                wrong.exit, verb.missing.1,
                "{name}: {}{}",
                wrong.out, wrong.err
            );
            assert_eq!(
                wrong.err.is_empty(),
                wrong.exit == 1,
                "{name}: {}",
                wrong.err
            );
        }
        if verb.looks() {
            let json = on(&box_, &format!("{line} --json"), verb.input);
            assert_eq!(json.exit, if down { 69 } else { 0 }, "{line}: {}", json.err);
            for object in json.out.lines() {
                let object: serde_json::Value = serde_json::from_str(object).unwrap();
                assert!(object.is_object(), "{line}");
            }
            assert_eq!(json.out.is_empty(), down || silent, "{line}");
        }
        if verb.how == How::Change {
            let copy = folder.path().join("copy");
            copy_all(&box_, &copy);
            let dry = on(&copy, &format!("{line} -n"), verb.input);
            assert_eq!(dry.exit, 0, "{line}: {}", dry.err);
            assert!(dry.out.contains("would"), "{line}: {}", dry.out);
            let quiet = on(&copy, &format!("{line} --quiet"), verb.input);
            assert_eq!(quiet.exit, 0, "{line}: {}", quiet.err);
            let shows = name == "app-password add";
            assert_eq!(quiet.out.is_empty(), !shows, "{line}: {}", quiet.out);
            fs::remove_dir_all(&copy).unwrap();
        } else if !matches!(verb.how, How::Export | How::Files) {
            let right = on(&box_, &line, verb.input);
            assert_eq!(
                right.exit,
                if down { 69 } else { 0 },
                "{line}: {}",
                right.err
            );
            assert_eq!(
                right.out.is_empty(),
                down || name == "config check",
                "{line}"
            );
            assert_eq!(right.err.is_empty(), !down, "{line}: {}", right.err);
        }
    }
}

/// A folder without a store is no empty box; what makes a box makes it.
#[test]
fn every_verb_where_there_is_no_store() {
    for verb in VERBS {
        let (name, line) = (verb.name, verb.line());
        let exit = match (name, verb.how) {
            (_, How::Files | How::Serve) => continue,
            ("config set" | "config show" | "domain add" | "route add", _)
            | (_, How::Alone | How::LookAlone) => 0,
            ("doctor" | "status", _) => 69,
            _ => 67,
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("none");
        let played = on(&data, &line, verb.input);
        assert_eq!(played.exit, exit, "{line}: {}", played.err);
        let made = exit == 0 && verb.how == How::Change;
        assert_eq!(data.exists(), made, "{line}");
    }
}

/// Running: the server is asked, and what it answers is printed.
#[test]
fn every_verb_asks_the_server() {
    let done = wire::encode(&Answer::Reply(Reply::Done("so".into())));
    let refused = wire::encode(&Answer::Problem(Problem::new(Kind::NotAllowed, "no")));
    let (done, refused) = (format!("{done}\n"), format!("{refused}\n"));
    for verb in VERBS {
        if matches!(
            verb.how,
            How::Alone | How::Export | How::LookAlone | How::Serve
        ) {
            continue;
        }
        let line = verb.line();
        let (played, call) = against(&done, &line, verb.input);
        let got = (played.exit, played.out.as_str());
        assert_eq!(got, (0, "so\n"), "{line}: {}", played.err);
        assert!(!call.unwrap().dry_run, "{line}");
        let (played, _) = against(&refused, &line, verb.input);
        let got = (played.exit, played.err.as_str());
        assert_eq!(got, (77, "pillarbox: no\n"), "{line}");
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
