//! Commands as they are typed, on a stopped box and against a server. [`table`] has every verb.

mod directory;
mod mail;
mod queue;
mod signed;
mod table;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
};

use super::*;
use crate::service::operate::{Answer, Kind, user as operate_user, wire};

struct Played {
    exit: u8,
    out: String,
    err: String,
}

/// Plays a command line with this on standard input and nobody at the terminal.
fn play(line: &str, input: &str) -> Played {
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), input.as_bytes());
    let mut terminal = Terminal::new(&mut out, &mut err, &mut input);
    // A word in quotes may hold spaces.
    let mut words = vec!["pillarbox"];
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 0 {
            words.extend(part.split_whitespace());
        } else {
            words.push(part);
        }
    }
    let exit = run_in(&mut terminal, words.into_iter().map(OsString::from));
    Played {
        exit,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

/// The same on a data folder.
fn on(data: &Path, line: &str, input: &str) -> Played {
    play(&format!("--data {} {line}", data.display()), input)
}

#[test]
fn a_line_that_is_no_command_is_usage() {
    for line in [
        "",
        "domain",
        "user",
        "config",
        "store",
        "domain fly",
        "users list",
        "user add",
        "user quota a@home.test much",
        "domain add home.test --class bakery",
        "access add ::1 maybe",
        "alias add a@home.test",
        "alias add - a@home.test",
        "alias add a@home.test b@home.test --srs perhaps",
        "completion tcsh",
        "route add x --port 25 --tls none",
        "route add x --host a.test --port 0 --tls none",
        "route add x --host a.test --port 25 --tls none --password-stdin",
        "route default x --unset",
        "route add x --preset gmail",
        "route add x --region eu",
        "route set x",
        "route test",
        "queue hold",
        "queue remove Q1 --held",
        "queue list --older much",
        "mail export a@home.test",
        "mail export a@home.test --mbox a --maildir b",
        "user add a@home.test --password-stdin --password-hash-stdin",
    ] {
        let played = play(line, "");
        assert_eq!((played.exit, played.out.as_str()), (64, ""), "{line}");
        assert_ne!(played.err, "", "{line}");
    }
    assert_eq!(play("--help", "").exit, 0);
    assert_eq!(play("--version", "").exit, 0);
}

#[test]
fn version() {
    assert!(play("version", "").out.starts_with("pillarbox 0."));
    let json = play("version --json", "").out;
    assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["version"].is_string());
}

#[test]
fn config_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let name = file.display().to_string();
    let check = |text: &[u8], line: &str| {
        std::fs::write(&file, text).unwrap();
        play(line, "")
    };
    for line in [
        format!("config check {name}"),
        format!("--config {name} config check"),
        format!("config check --config {name} --json"),
    ] {
        let good = check(b"listen.mx = \"off\"\n", &line);
        assert_eq!(
            (good.exit, good.out + &good.err),
            (0, String::new()),
            "{line}"
        );
    }
    let bad = check(
        b"hostname = 1.5\nlisten.xm = \"off\"\nrole = \"baker\"\n",
        &format!("config check {name}"),
    );
    assert_eq!(bad.exit, 78);
    assert_eq!(
        bad.err,
        format!(
            "{name}:2:8: unknown key \"listen.xm\"; did you mean \"listen.mx\"?\n\
             {name}:3:8: role: \"baker\" is none of: mailbox, relay, archive, edge\n"
        )
    );
    let json = check(
        b"\n role = \"baker\"\n",
        &format!("config check {name} --json"),
    );
    let object: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.exit, &object["line"], &object["column"]),
        (78, &2.into(), &9.into())
    );
    let octets = check(b"# \xc3\xa4\n a\xff", &format!("config check {name}"));
    assert_eq!(
        (octets.exit, octets.err),
        (78, format!("{name}:2:3: this is not UTF-8\n"))
    );
    assert_eq!(play("config check /nowhere/p.toml", "").exit, 78);
    assert_eq!(play("serve --config /nowhere/p.toml", "").exit, 78);
}

#[test]
fn config_default() {
    assert_eq!(
        play("config default listen.mx", "").out,
        "listen.mx = \"[::]:25\"\n"
    );
    let all = play("config default --json", "");
    assert_eq!(all.out.lines().count(), crate::config::schema::KEYS.len());
    for line in all.out.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let wrong = play("config default listen.mxx", "");
    assert_eq!(wrong.exit, 65);
    assert!(
        wrong.err.contains("did you mean \"listen.mx\"?"),
        "{}",
        wrong.err
    );
}

#[test]
fn config_show_where_there_is_no_store_yet() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("none");
    let shown = on(&data, "config show --changed", "");
    assert_eq!(shown.exit, 0, "{}", shown.err);
    assert_eq!(
        shown.out,
        format!("data = \"{}\" # option\n", data.display())
    );
    assert!(!data.exists());
}

#[test]
fn config_set_by_file_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, "\n[listen]\nmx = \"off\"\n").unwrap();
    let data = folder.path().join("data");
    let run = |line: &str| on(&data, &format!("--config {} {line}", file.display()), "");
    let held = run("config set listen.mx [::]:2525");
    assert_eq!(
        (held.exit, held.err),
        (
            77,
            format!(
                "pillarbox: listen.mx stands in {}, line 3; change it there\n",
                file.display()
            )
        )
    );
    // The text is that of `config check`.
    let wrong = run("config set limit.message_size 1MB");
    assert_eq!(wrong.exit, 65);
    std::fs::write(&file, "limit.message_size = \"1MB\"").unwrap();
    let checked = run("config check").err;
    let text = checked.split_once(":1:22: ").unwrap().1;
    assert_eq!(wrong.err, format!("pillarbox: {text}"));
    // What was kept is there for the next one, and in the list.
    std::fs::write(&file, "").unwrap();
    assert_eq!(run("config set listen.mx [::]:2525").exit, 0);
    let shown = run("config show --changed").out;
    assert!(
        shown.contains("listen.mx = \"[::]:2525\" # store\n"),
        "{shown}"
    );
    // What the store keeps and the file makes wrong can be forgotten.
    std::fs::write(&file, "listen.imaps = \"[::]:2525\"").unwrap();
    let wrong = run("config show");
    assert_eq!(wrong.exit, 78, "{}", wrong.out);
    // OP-1: what a start would stumble over, and the way out.
    let checked = run("config check");
    assert_eq!(checked.exit, 78, "{}", checked.out);
    assert_eq!(checked.err, wrong.err);
    assert!(
        checked.err.contains("(pillarbox config unset listen.mx)"),
        "{}",
        checked.err
    );
    let unset = run("config unset listen.mx");
    assert_eq!(unset.exit, 0, "{}", unset.err);
    assert_eq!(run("config show").exit, 0);
}

#[test]
fn config_check_looks_at_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let (file, certificate, key) = (name("p.toml"), name("c.pem"), name("k.pem"));
    let text = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    std::fs::write(&file, text).unwrap();
    let check = || play(&format!("config check {file}"), "");
    let made = rcgen::generate_simple_self_signed(["box.test".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["box.test".to_owned()]).unwrap();
    let missing = check();
    assert_eq!(missing.exit, 78);
    let start = format!("{file}:2:15: tls.certificate: {certificate}: ");
    assert!(missing.err.starts_with(&start), "{}", missing.err);
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    let foreign = check();
    let start = format!("{file}:3:7: tls.key: {key}: ");
    assert!(foreign.err.starts_with(&start), "{}", foreign.err);
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let right = check();
    assert_eq!((right.exit, right.out + &right.err), (0, String::new()));
}

#[test]
fn status_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let status = on(folder.path(), "status --json", "");
    assert_eq!((status.exit, status.out.as_str()), (69, ""));
    assert!(!folder.path().join("lock").exists());
}

#[test]
fn secrets_are_no_arguments() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["add", "passwd"] {
        let asked = on(folder.path(), &format!("user {verb} a@home.test"), "hush\n");
        assert_eq!(asked.exit, 64);
        assert!(asked.err.contains("--password-stdin"), "{}", asked.err);
        let none = on(
            folder.path(),
            &format!("user {verb} a@home.test --password-stdin"),
            "",
        );
        assert_eq!(none.exit, 65);
    }
}

#[test]
fn a_lock_without_a_socket_is_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let _held = crate::appliance::lock::take(folder.path()).unwrap();
    assert_eq!(on(folder.path(), "domain list", "").exit, 75);
}

/// Plays a command line against a server that gives `answer`; also returns what it was asked.
fn against(answer: &str, line: &str, input: &str) -> (Played, Option<Call>) {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("control")).unwrap();
    let answer = answer.to_owned();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&socket).read_line(&mut asked).unwrap();
        socket.write_all(answer.as_bytes()).unwrap();
        wire::decode(asked.as_bytes())
    });
    let played = on(folder.path(), line, input);
    (played, server.join().unwrap())
}

#[test]
fn arguments_arrive() {
    let done = wire::encode(&Answer::Reply(Reply::Done("so".into())));
    let done = format!("{done}\n");
    let (_, call) = against(&done, "user remove a@home.test --purge -n", "");
    let call = call.unwrap();
    assert!(call.dry_run);
    match call.request {
        Request::User(operate_user::Request::Remove { address, purge }) => {
            assert_eq!((address.as_str(), purge), ("a@home.test", true));
        }
        other => panic!("{other:?}"),
    }
    let (played, call) = against(
        &done,
        "user add a@home.test --quota 2GiB --password-stdin --quiet",
        "hu sh\r\nx",
    );
    assert_eq!(played.out, "");
    match call.unwrap().request {
        Request::User(operate_user::Request::Add {
            password, quota, ..
        }) => {
            match password {
                operate_user::Password::Clear(clear) => assert_eq!(clear.reveal(), b"hu sh"),
                operate_user::Password::Hash(_) => panic!("no hash was given"),
            }
            assert_eq!(quota, 2 << 30);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn problems_of_the_server_are_exit_codes() {
    let problem = Answer::Problem(Problem::new(Kind::NoSuch, "no such user: a@home.test"));
    let problem = format!("{}\n", wire::encode(&problem));
    let (played, _) = against(&problem, "user disable a@home.test", "");
    assert_eq!(played.exit, 67);
    assert_eq!(played.err, "pillarbox: no such user: a@home.test\n");
    for lost in ["", "{\"Reply\":", "nonsense\n"] {
        assert_eq!(against(lost, "domain list", "").0.exit, 75, "{lost}");
    }
}

/// The life of a box without a server: each row is a command, its input, the exit code and what the
/// output begins with.
const LIFE: &[(&str, &str, u8, &str)] = &[
    ("domain list", "", 67, ""),
    ("user add a@home.test --password-stdin", "hush", 67, ""),
    ("domain remove home.test", "", 67, ""),
    (
        "domain add home.test -n",
        "",
        0,
        "would add domain home.test",
    ),
    ("domain add Home.Test", "", 0, "added domain home.test"),
    ("domain add home.test", "", 73, ""),
    ("domain add ho..me", "", 65, ""),
    ("domain list", "", 0, "home.test  mailbox"),
    (
        "domain list --json",
        "",
        0,
        "{\"domain\":\"home.test\",\"class\":\"mailbox\",\"enabled\":true,\"recipients\":null}",
    ),
    ("user add a --password-stdin", "hush", 65, ""),
    ("user add a@home.test --password-stdin", "\n", 65, ""),
    (
        "user add a@home.test --password-stdin -n",
        "hush",
        0,
        "would add a@home.test",
    ),
    (
        "user add A@home.test --password-stdin",
        "hush",
        0,
        "added a@home.test",
    ),
    ("user add a@home.test --password-stdin", "hush", 73, ""),
    ("user list", "", 0, "a@home.test  0 messages  0 of no limit"),
    (
        "user quota a@home.test 1GiB",
        "",
        0,
        "a@home.test: quota 1GiB",
    ),
    (
        "user list --json",
        "",
        0,
        "{\"address\":\"a@home.test\",\"quota\":1073741824,",
    ),
    ("user disable a@home.test", "", 0, "a@home.test: disabled"),
    (
        "user list",
        "",
        0,
        "a@home.test  0 messages  0 of 1GiB  0%  disabled",
    ),
    ("user enable a@home.test", "", 0, "a@home.test: enabled"),
    (
        "user passwd a@home.test --password-stdin",
        "hash",
        0,
        "a@home.test: new password",
    ),
    ("user passwd b@home.test --password-stdin", "hash", 67, ""),
    ("user rename a@home.test c@away.test", "", 67, ""),
    (
        "user rename a@home.test b@home.test",
        "",
        0,
        "a@home.test: now b@home.test",
    ),
    ("domain remove home.test", "", 77, ""),
    ("user remove a@home.test", "", 67, ""),
    (
        "user remove b@home.test -n",
        "",
        0,
        "b@home.test: would be: removed",
    ),
    (
        "user remove b@home.test",
        "",
        0,
        "b@home.test: removed; the mail is kept",
    ),
    ("user list", "", 0, ""),
    (
        "user list --removed",
        "",
        0,
        "b@home.test  0 messages  0 of 1GiB  0%  removed ",
    ),
    ("user remove b@home.test", "", 67, ""),
    ("user remove b@home.test --purge", "", 64, ""),
    (
        "user remove b@home.test --purge --yes",
        "",
        0,
        "b@home.test: removed with all mail",
    ),
    ("domain remove home.test --quiet", "", 0, ""),
    ("domain list", "", 0, ""),
    ("config show --json", "", 0, "{\"key\":\"role\""),
    (
        "config set limit.message_size 20MiB -n",
        "",
        0,
        "would set limit.message_size = \"20MiB\"",
    ),
    ("config unset limit.message_size", "", 67, ""),
    (
        "config set limit.message_size 20480KiB",
        "",
        0,
        "limit.message_size = \"20MiB\"; in effect from the next start on",
    ),
    (
        "config set web.remote true",
        "",
        0,
        "web.remote = true; kept for a later version",
    ),
    (
        "config set address.delimiter -",
        "",
        0,
        "address.delimiter = \"-\"; in effect",
    ),
    ("config set limit.message_size 20MB", "", 65, ""),
    ("config set limit.mesage_size 20MiB", "", 65, ""),
    ("config set listen.sieve [::]:4190", "", 65, ""),
    ("config set listen.mx [::]:993", "", 65, ""),
    ("config set tls.certificate /c", "", 65, ""),
    ("config set role mailbox", "", 77, ""),
    ("config set data /srv", "", 77, ""),
    ("config unset limit.mesage_size", "", 65, ""),
    (
        "config unset address.delimiter --dry-run",
        "",
        0,
        "would unset address.delimiter",
    ),
    (
        "config unset address.delimiter",
        "",
        0,
        "address.delimiter is unset; in effect",
    ),
    ("config set log.level warn --quiet", "", 0, ""),
    ("status", "", 69, ""),
];

#[test]
fn the_life_of_a_box() {
    live(LIFE);
}

/// Plays a life on a fresh folder.
fn live(life: &[(&str, &str, u8, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for &(line, input, exit, start) in life {
        let played = on(folder.path(), line, input);
        assert_eq!(played.exit, exit, "{line}: {}{}", played.out, played.err);
        assert!(played.out.starts_with(start), "{line}: {}", played.out);
        assert_eq!(
            start.is_empty(),
            played.out.is_empty(),
            "{line}: {}",
            played.out
        );
        assert_eq!(exit <= 1, played.err.is_empty(), "{line}: {}", played.err);
    }
}

/// HD-4: what is taken in any case has to fit; the least value is told, and is right.
#[test]
fn memory_has_a_least_value() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "");
    assert_eq!(run("config set profile normal").exit, 0);
    let small = run("config set memory.limit 16MiB");
    assert_eq!(small.exit, 65, "{}", small.out);
    assert!(small.err.contains("48MiB or more"), "{}", small.err);
    assert_eq!(run("config set memory.limit 47MiB").exit, 65);
    assert_eq!(run("config set memory.limit 48MiB").exit, 0);
    let cache = run("config set limit.store_cache 1GiB");
    assert_eq!(cache.exit, 65, "{}", cache.out);
    assert_eq!(run("config set limit.log_ring 1MiB").exit, 0);
}

/// What the configuration reckons with is what a hash takes.
#[test]
fn a_hash_takes_what_the_profile_says() {
    use crate::{config::schema::Profile, service::password::Cost};
    for profile in [Profile::Tiny, Profile::Small, Profile::Normal] {
        assert_eq!(
            u64::from(Cost::of(profile).memory) * 1024,
            profile.hash(),
            "{profile:?}"
        );
    }
}
