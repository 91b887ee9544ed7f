//! What an admin says about addresses, and what is refused, on a stopped box.

use super::*;

/// Two domains, two people; then aliases in every form (FW, AC-4, LM-4).
const ALIASES: &[(&str, &str, u8, &str)] = &[
    ("config set hostname mx.home.test", "", 0, "hostname"),
    ("domain add home.test", "", 0, "added"),
    ("domain add other.test --class alias", "", 0, "added"),
    ("domain add home.test --class alias", "", 73, ""),
    ("domain add localhost --class mailbox", "", 73, ""),
    // The box's own name is local until somebody says otherwise.
    ("domain add mx.home.test --class local", "", 73, ""),
    ("domain add mx.home.test", "", 0, "added"),
    ("domain remove mx.home.test", "", 0, "removed"),
    (
        "config set address.local nas.home.test",
        "",
        0,
        "address.local",
    ),
    ("domain add nas.home.test", "", 73, ""),
    ("domain remove localhost", "", 67, ""),
    ("user add a@home.test --password-stdin", "hush", 0, "added"),
    ("user add b@home.test --password-stdin", "hush", 0, "added"),
    ("user add c@other.test --password-stdin", "hush", 77, ""),
    // FW-1, FW-2, FW-13.
    (
        "alias add Info@home.test A@home.test",
        "",
        0,
        "added alias info@home.test -> A@home.test\n",
    ),
    ("alias add info@home.test a@home.test", "", 73, ""),
    (
        "alias add info@home.test 'b@home.test, a@home.test'",
        "",
        0,
        "added to alias info@home.test: b@home.test\n",
    ),
    (
        "alias add info@home.test a@home.test --srs off",
        "",
        0,
        "info@home.test: srs off\n",
    ),
    (
        "alias list",
        "",
        0,
        "info@home.test -> A@home.test, b@home.test  srs off\n",
    ),
    (
        "alias list home.test --json",
        "",
        0,
        "{\"source\":\"info@home.test\",\"targets\":[\"A@home.test\",\"b@home.test\"],\
         \"enabled\":true,\"srs\":false}\n",
    ),
    ("alias list other.test", "", 0, ""),
    ("alias list localhost", "", 0, ""),
    // Names alone get the origin (AC-8); it is local by itself (AC-4).
    (
        "alias add root a@home.test",
        "",
        0,
        "added alias root@mx.home.test -> a@home.test\n",
    ),
    (
        "alias add root@localhost root",
        "",
        0,
        "added alias root@localhost -> root@mx.home.test\n",
    ),
    // FW-3, FW-4, FW-5, FW-6.
    (
        "alias add b@home.test b@home.test,b@away.test",
        "",
        0,
        "added alias b@home.test -> b@home.test, b@away.test\nnote: outside: b@away.test;",
    ),
    (
        "alias add a@home.test a@home.test",
        "",
        0,
        "added alias a@home.test -> a@home.test\n",
    ),
    (
        "alias add @home.test a@home.test",
        "",
        0,
        "added alias @home.test -> a@home.test\n",
    ),
    (
        "alias add @other.test @home.test",
        "",
        0,
        "added alias @other.test -> @home.test\n",
    ),
    ("alias add x@home.test @other.test", "", 65, ""),
    // FW-8, FW-9, LM-4.
    ("alias add one@home.test two@nowhere.test", "", 0, "added"),
    ("alias add two@other.test three@other.test", "", 0, "added"),
    ("alias add dead@home.test none@mx.home.test", "", 67, ""),
    ("alias add l1@mx.home.test l1@localhost", "", 67, ""),
    ("alias add x@home.test |/bin/sh", "", 65, ""),
    ("alias add x@home.test '\"|sh -c x\"'", "", 65, ""),
    ("alias add x@home.test /var/mail/x", "", 65, ""),
    ("alias add x@home.test :include:/etc/list", "", 65, ""),
    ("alias add x@home.test a@b@c", "", 65, ""),
    ("alias add x@foreign.test a@home.test", "", 67, ""),
    ("alias test info@home.test", "", 0, "  info@home.test"),
    ("alias test x@foreign.test", "", 1, "  x@foreign.test"),
    (
        "alias disable info@home.test",
        "",
        0,
        "info@home.test: disabled",
    ),
    (
        "alias enable info@home.test",
        "",
        0,
        "info@home.test: enabled",
    ),
    // What points into a domain keeps it.
    ("domain remove home.test", "", 77, ""),
    ("domain remove other.test", "", 77, ""),
    // What named somebody who goes is told.
    (
        "user rename b@home.test c@home.test",
        "",
        0,
        "b@home.test: now c@home.test\nnote: aliases still lead to b@home.test: b@home.test and",
    ),
    (
        "alias remove info@home.test b@home.test",
        "",
        0,
        "alias info@home.test -> A@home.test\n",
    ),
    ("alias remove info@home.test b@home.test", "", 67, ""),
    (
        "alias remove info@home.test a@home.test",
        "",
        0,
        "removed alias info@home.test -> A@home.test",
    ),
    ("alias remove info@home.test", "", 67, ""),
];

#[test]
fn aliases() {
    let mut life = ALIASES.to_vec();
    // The order of a list is by domain; its start is all that a row shows.
    for row in &mut life {
        if row.0.starts_with("user rename") {
            row.3 = "b@home.test: now c@home.test\nnote: aliases still lead to b@home.test: ";
        }
    }
    live(&life);
}

const OTHERS: &[(&str, &str, u8, &str)] = &[
    ("domain add home.test", "", 0, "added domain home.test\n"),
    // AC-5, AC-6.
    (
        "domain add pass.test --class relay",
        "",
        0,
        "added domain pass.test (class relay)\nnote: ",
    ),
    (
        "domain add pass.test --class relay --recipients-stdin",
        "# known\na\n\nB@Pass.test\n",
        0,
        "added domain pass.test (class relay), 2 recipients\n",
    ),
    (
        "domain add pass.test --class relay --recipients-stdin",
        "c@home.test\n",
        65,
        "",
    ),
    (
        "domain add pass.test --class relay --recipients-stdin",
        "\n",
        65,
        "",
    ),
    ("domain add x.test --recipients-stdin", "a\n", 64, ""),
    (
        "domain list",
        "",
        0,
        "home.test  mailbox\npass.test  relay    2 recipients\n",
    ),
    ("alias test a@pass.test", "", 0, "  a@pass.test"),
    ("alias test c@pass.test", "", 1, "  c@pass.test"),
    (
        "domain add pass.test --class relay --recipients-stdin",
        "c\n",
        0,
        "added domain pass.test (class relay), 1 recipient\n",
    ),
    ("alias test a@pass.test", "", 1, "  a@pass.test"),
    ("domain disable pass.test", "", 0, "pass.test: disabled"),
    (
        "domain list",
        "",
        0,
        "home.test  mailbox\npass.test  relay    1 recipient, disabled\n",
    ),
    ("domain enable pass.test", "", 0, "pass.test: enabled"),
    ("domain remove pass.test", "", 0, "removed"),
    // SR-18.
    (
        "access add 192.0.2.1/24 reject",
        "",
        0,
        "added 192.0.2.0/24: reject",
    ),
    ("access add 192.0.2.0/24 ok", "", 73, ""),
    (
        "access add ::ffff:192.0.2.7 ok",
        "",
        0,
        "added 192.0.2.7: ok",
    ),
    (
        "access add 2001:DB8::/32 reject",
        "",
        0,
        "added 2001:db8::/32: reject",
    ),
    ("access add example.com reject", "", 65, ""),
    (
        "access list --json",
        "",
        0,
        "{\"cidr\":\"192.0.2.0/24\",\"verdict\":\"reject\"}\n",
    ),
    ("access remove 192.0.2.7/32", "", 0, "removed 192.0.2.7"),
    // TR-8 orders the list; TR-12 needs its route.
    ("transport add * relay:provider", "", 67, ""),
    (
        "route add provider --host [192.0.2.1],smtp.away.test --port 25 --tls none",
        "",
        0,
        "added route",
    ),
    (
        "transport add * relay:provider",
        "",
        0,
        "added transport * -> relay:provider",
    ),
    ("transport add .away.test smtp:away.test", "", 0, "added"),
    ("transport add away.test :", "", 0, "added"),
    (
        "transport add Joe@away.test 'error:5.1.2 gone away'",
        "",
        0,
        "added transport joe@away.test -> ",
    ),
    ("transport add joe@away.test discard:", "", 73, ""),
    ("transport add b.test smtp:1.2.3.4", "", 65, ""),
    ("transport add b.test uucp:x", "", 65, ""),
    // OQ-9: what the admin says of TLS.
    ("transport add b.test discard: --tls verify", "", 65, ""),
    (
        "transport add b.test relay:provider --tls verify",
        "",
        65,
        "",
    ),
    ("transport add b.test smtp:b.test --tls always", "", 64, ""),
    (
        "transport add b.test smtp:b.test --tls verify",
        "",
        0,
        "added transport b.test -> smtp:b.test, TLS verify\n",
    ),
    (
        "transport test x@b.test",
        "",
        0,
        "  no transport for x@b.test\n  transport b.test -> smtp:b.test, TLS verify\n=> smtp:b.test\n",
    ),
    (
        "transport add from:joe@home.test smtp:[192.0.2.1]",
        "",
        0,
        "added",
    ),
    (
        "transport test x@c.test --from joe@home.test",
        "",
        0,
        "  no transport for x@c.test\n  no transport for c.test\n  no transport for .test\n\
         \x20 transport from:joe@home.test -> smtp:[192.0.2.1]\n=> smtp:[192.0.2.1]\n",
    ),
    ("transport add a@ smtp:x.test", "", 65, ""),
    (
        "transport list",
        "",
        0,
        "joe@away.test       error:5.1.2 gone away\n\
         away.test           :\n\
         b.test              smtp:b.test            TLS verify\n\
         .away.test          smtp:away.test\n\
         from:joe@home.test  smtp:[192.0.2.1]\n\
         *                   relay:provider\n",
    ),
    (
        "transport test joe+x@away.test",
        "",
        0,
        "  no transport for joe+x@away.test\n  transport joe@away.test -> error:5.1.2 gone away\n\
         => error:5.1.2 gone away\n",
    ),
    (
        "transport test u@away.test",
        "",
        0,
        "  no transport for u@away.test\n  transport away.test -> :\n=> no transport: the mail servers (MX)",
    ),
    // A route that something names stays.
    (
        "route default provider",
        "",
        0,
        "mail to others leaves through provider",
    ),
    ("route default", "", 0, "provider\n"),
    ("route default --json", "", 0, "{\"route\":\"provider\"}\n"),
    ("route remove provider", "", 77, ""),
    ("route default --unset", "", 0, "no default route"),
    ("route default", "", 0, "no default"),
    ("route remove provider", "", 77, ""),
    (
        "transport remove *",
        "",
        0,
        "removed transport * -> relay:provider",
    ),
    ("route remove provider", "", 0, "removed route provider"),
    (
        "route add p --host a.test --port 465 --tls implicit --user me --password-stdin",
        "",
        65,
        "",
    ),
    (
        "route add p --host a.test --port 465 --tls implicit --user me --password-stdin",
        "hush",
        0,
        "added route p: a.test port 465, TLS implicit\n",
    ),
    (
        "route list",
        "",
        0,
        "p  a.test port 465  TLS implicit  user me  From rewritten: off\n",
    ),
    (
        "route list --json",
        "",
        0,
        "{\"route\":\"p\",\"hosts\":[\"a.test\"],\"port\":465,\"tls\":\"implicit\",\"user\":\"me\",\
         \"from_rewrite\":\"off\",\"from\":null,\"default\":false}\n",
    ),
    ("queue list", "", 0, "nothing waits\n"),
    // ST-6: hashes of other servers.
    (
        "user add h@home.test --password-hash-stdin",
        "{MD5-CRYPT}$1$deadbeef$0Huu6KHrKLVWfqa4WljDE0\n",
        0,
        "added h@home.test\n",
    ),
    (
        "user passwd h@home.test --password-hash-stdin",
        "$1$deadbeef$0Huu6KHrKLVWfqa4WljDE0\n",
        0,
        "h@home.test: new password\n",
    ),
    (
        "user add i@home.test --password-hash-stdin",
        "{NOSUCH}x\n",
        65,
        "",
    ),
    ("user add i@home.test --password-hash-stdin", "", 65, ""),
    (
        "user add i@home.test --password-hash-stdin",
        "{PLAIN}hush\n",
        0,
        "added",
    ),
];

#[test]
fn domains_access_transports_routes() {
    live(OTHERS);
}

/// App passwords are shown once, and their device is told by number or name.
#[test]
fn app_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "hush");
    run("domain add home.test");
    run("user add a@home.test --password-stdin");
    let made = run("app-password add a@home.test 'my phone' --quiet");
    let password = made.out.trim();
    assert!(password.len() > 10 && !password.contains(' '), "{password}");
    assert_eq!(run("app-password add a@home.test 'my phone'").exit, 73);
    assert_eq!(run("app-password add a@home.test ' '").exit, 65);
    let second = run("app-password add a@home.test tablet");
    assert!(
        second
            .out
            .starts_with("app password for a@home.test, \"tablet\""),
        "{}",
        second.out
    );
    let list = run("app-password list a@home.test");
    assert_eq!(list.out.lines().count(), 2);
    assert!(
        list.out.contains("my phone") && list.out.contains("never used"),
        "{}",
        list.out
    );
    let json = run("app-password list a@home.test --json");
    assert!(!(list.out + &json.out).contains(password));
    let first: serde_json::Value = serde_json::from_str(json.out.lines().next().unwrap()).unwrap();
    let removed = run(&format!("app-password remove a@home.test {}", first["id"]));
    assert_eq!(removed.exit, 0, "{}", removed.err);
    assert_eq!(run("app-password remove a@home.test tablet").exit, 0);
    assert_eq!(run("app-password list a@home.test").out, "");
}

/// What is wrong is told with the chain, the classes, the line.
#[test]
fn texts_that_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| on(folder.path(), line, input);
    for line in [
        "domain add home.test",
        "domain add other.test --class alias",
    ] {
        assert_eq!(run(line, "").exit, 0);
    }
    assert_eq!(
        run("user add anna@home.test --password-stdin", "hush").exit,
        0
    );
    assert_eq!(run("alias add a@home.test b@home.test", "").exit, 67);
    let three = "a@home.test anna@home.test\nb@home.test a@home.test\n";
    assert_eq!(run("alias add -", three).exit, 0);
    for (line, input, words) in [
        // AC-4.
        (
            "domain add other.test",
            "",
            &["class alias", "class mailbox", "domain remove"][..],
        ),
        (
            "domain add localhost",
            "",
            &["class local", "class mailbox"],
        ),
        // FW-8.
        (
            "alias add a@home.test b@home.test",
            "",
            &["loop", "a@home.test -> b@home.test -> a@home.test"],
        ),
        (
            "alias add x@home.test nobody@home.test",
            "",
            &["nobody@home.test", "user add"],
        ),
        (
            "alias add x@away.test anna@home.test",
            "",
            &["away.test", "domain add away.test"],
        ),
        (
            "domain remove home.test",
            "",
            &["anna@home.test", "a@home.test, b@home.test"],
        ),
        (
            "alias add -",
            "x@home.test anna@home.test\n\n# y\ny@home.test\n",
            &["line 4: ", "nothing was added"],
        ),
        (
            "alias add -",
            "x@home.test anna@home.test\ny@home.test none@home.test",
            &["line 2: "],
        ),
        (
            "alias add -",
            "x@home.test y@home.test\ny@home.test x@home.test",
            &["line 1: ", "loop"],
        ),
        ("alias add -", "#\n", &["no line"]),
        (
            "user add x@other.test --password-stdin",
            "hush",
            &["class alias", "alias add x@other.test"],
        ),
    ] {
        let played = run(line, input);
        assert!(
            played.exit >= 64 && played.out.is_empty(),
            "{line}: {}",
            played.out
        );
        for word in words {
            assert!(played.err.contains(word), "{line}: {}", played.err);
        }
        assert_eq!(played.err.lines().count(), 1, "{line}: {}", played.err);
    }
    // Nothing of what was refused is there.
    assert_eq!(run("alias list", "").out.lines().count(), 2);
}

/// FW-8: no way of changing a row leaves a loop.
#[test]
fn no_loop_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| on(folder.path(), line, input);
    run("domain add home.test", "");
    for person in ["m", "n", "o"] {
        let line = format!("user add {person}@home.test --password-stdin");
        assert_eq!(run(&line, "hush").exit, 0);
    }
    for (line, exit) in [
        ("alias add m@home.test n@home.test", 0),
        ("alias disable m@home.test", 0),
        ("alias add n@home.test m@home.test", 0),
        ("alias enable m@home.test", 65),
        ("alias test n@home.test", 0),
        ("alias remove m@home.test", 0),
        ("alias remove n@home.test", 0),
        // Two people who forward to each other and keep copies may not keep none.
        ("alias add m@home.test m@home.test,n@home.test", 0),
        ("alias add n@home.test n@home.test,m@home.test", 0),
        ("alias remove m@home.test m@home.test", 65),
        ("alias test n@home.test", 0),
        // Who leads to nobody by now can still lose a target.
        ("alias add x@home.test o@home.test,n@home.test", 0),
        ("user remove o@home.test", 0),
        ("alias disable x@home.test", 0),
        ("alias enable x@home.test", 0),
        ("alias remove x@home.test n@home.test", 0),
    ] {
        let played = run(line, "");
        assert_eq!(played.exit, exit, "{line}: {}{}", played.out, played.err);
        if exit == 65 {
            assert!(played.err.contains("loop: "), "{line}: {}", played.err);
        }
    }
}

/// AC-12, SR-26: the admin chooses at whom standard names end, and is told who that is.
#[test]
fn the_postmaster_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "hush");
    run("domain add home.test");
    run("user add anna@home.test --password-stdin");
    run("user add ben@home.test --password-stdin");
    let reads = |address: &str| run(&format!("alias test {address}")).out;
    let to = |person: &str| format!("delivered to the mailbox of {person}@home.test\n");
    assert!(reads("abuse@home.test").ends_with(&to("anna")));
    assert_eq!(run("config set address.postmaster none@home.test").exit, 67);
    assert_eq!(run("config set address.postmaster ben").exit, 65);
    let set = run("config set address.postmaster Ben@home.test");
    assert_eq!(set.exit, 0, "{}", set.err);
    assert!(reads("abuse@home.test").ends_with(&to("ben")));
    assert!(reads("root@localhost").ends_with(&to("ben")));
    let renamed = run("user rename ben@home.test benny@home.test");
    assert!(
        renamed.out.contains("address.postmaster"),
        "{}",
        renamed.out
    );
    assert!(reads("postmaster@home.test").ends_with(&to("anna")));
    assert_eq!(run("config unset address.postmaster").exit, 0);
}

/// ST-10: so many people and no more; who is removed counts no longer.
#[test]
fn mailboxes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "hush");
    run("domain add home.test");
    assert_eq!(run("config set limit.mailboxes 1").exit, 0);
    assert_eq!(run("user add a@home.test --password-stdin").exit, 0);
    for line in [
        "user add b@home.test --password-stdin",
        "user add b@home.test --password-stdin -n",
    ] {
        let second = run(line);
        assert_eq!(second.exit, 77, "{}", second.out);
        assert!(second.err.contains("limit.mailboxes"), "{}", second.err);
    }
    assert_eq!(run("user remove a@home.test").exit, 0);
    assert_eq!(run("user add b@home.test --password-stdin").exit, 0);
}

/// AC-4, from the configuration's side.
#[test]
fn a_domain_of_another_class_is_no_local_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "");
    run("domain add home.test");
    for line in [
        "config set address.local nas.test,home.test",
        "config set address.local home.test -n",
    ] {
        let refused = run(line);
        assert_eq!(refused.exit, 73, "{}", refused.out);
        for word in ["home.test", "class mailbox", "class local"] {
            assert!(refused.err.contains(word), "{}", refused.err);
        }
    }
    assert_eq!(run("config set address.local nas.test").exit, 0);
}

/// Hints lead somewhere, and `transport test` says what routing does.
#[test]
fn hints_lead_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "hush");
    run("domain add home.test");
    run("domain add pass.test --class relay");
    run("user add anna@home.test --password-stdin");
    run("route add p --host a.test --port 25 --tls none");
    run("transport add pass.test :");
    for (line, exit, words) in [
        (
            "alias add home.test anna@home.test",
            65,
            &["@home.test"][..],
        ),
        (
            "alias add tips anna@home.test",
            0,
            &["note: a name without a domain gets @"],
        ),
        (
            "user add b@localhost --password-stdin",
            77,
            &["this machine itself", "alias add b@localhost"],
        ),
        (
            "user add b@[127.0.0.1] --password-stdin",
            65,
            &["no domain"],
        ),
        (
            "transport add *@home.test discard:",
            65,
            &["write home.test"],
        ),
        ("transport test root@localhost", 1, &["class local"]),
        ("transport test x@pass.test", 0, &["(MX) of pass.test"]),
        ("route default p", 0, &["p"]),
        ("transport test x@pass.test", 0, &["relay:p"]),
        ("transport test x@home.test", 1, &["class mailbox"]),
        ("alias test x@away.test", 1, &["logged in may send"]),
        (
            "domain remove pass.test",
            0,
            &["note: transports still name it: pass.test"],
        ),
    ] {
        let played = run(line);
        assert_eq!(played.exit, exit, "{line}: {}{}", played.out, played.err);
        for word in words {
            let said = format!("{}{}", played.out, played.err);
            assert!(said.contains(word), "{line}: {said}");
        }
    }
}

/// What hardly anybody means is done, and told.
#[test]
fn notes_on_what_is_hardly_meant() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| on(folder.path(), line, "hush");
    run("domain add home.test");
    run("user add anna@home.test --password-stdin");
    for (line, note) in [
        ("user quota anna@home.test 500", Some("quota 500 octets")),
        ("user quota anna@home.test 2GiB", Some("quota 2GiB")),
        ("config set limit.message_size 10", Some("note: hardly any")),
        ("config set limit.message_size 30MiB", None),
        ("config set limit.message_size 0", None),
        (
            "config set tls.key /nowhere/k",
            Some("now set tls.certificate"),
        ),
    ] {
        let played = run(line);
        assert_eq!(played.exit, 0, "{line}: {}", played.err);
        match note {
            Some(note) => assert!(played.out.contains(note), "{line}: {}", played.out),
            None => assert!(!played.out.contains("note"), "{line}: {}", played.out),
        }
    }
}

/// A name in the environment that is no key is told, and does no harm.
#[test]
fn names_in_the_environment_that_are_no_keys() {
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), &b""[..]);
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::new(&mut out, &mut err, &mut input);
    terminal.environment = vec![("PILLARBOX_LISTEN_XM".to_owned(), "off".to_owned())];
    let data = folder.path().display().to_string();
    let words = ["pillarbox", "--data", &data, "config", "check"];
    let exit = run_in(&mut terminal, words.into_iter().map(OsString::from));
    assert_eq!((exit, out.as_slice()), (0, &b""[..]));
    let err = String::from_utf8(err).unwrap();
    assert!(err.contains("PILLARBOX_LISTEN_XM"), "{err}");
}

/// Ten thousand at once, as quickly as a person waits; then again, which changes nothing.
#[test]
fn ten_thousand_aliases_at_once() {
    use std::fmt::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| on(folder.path(), line, input);
    run("domain add home.test", "");
    run("user add anna@home.test --password-stdin", "hush");
    let mut lines = String::from("# family\n\n");
    for n in 0..10_000 {
        let target = match n % 3 {
            0 => "anna@home.test".to_owned(),
            1 => format!("n{}@home.test, x{n}@away.test", n - 1),
            _ => format!("anna@home.test,n{}@home.test", n - 1),
        };
        writeln!(lines, "n{n}@home.test\t{target}").unwrap();
    }
    let dry = run("alias add - -n", &lines);
    assert!(
        dry.out.starts_with("would add or change 10000 aliases"),
        "{}{}",
        dry.out,
        dry.err
    );
    let done = run("alias add -", &lines);
    assert!(
        done.out
            .starts_with("added or changed 10000 aliases from 10000 lines\nnote: outside: "),
        "{}",
        done.out
    );
    assert!(
        done.out
            .contains("x1@away.test, x1000@away.test, x10000@away.test")
            || done.out.contains(" more;"),
        "{}",
        done.out
    );
    let again = run("alias add -", &lines);
    assert_eq!(
        (again.exit, again.out.lines().next()),
        (0, Some("10000 lines: all of it is there already"))
    );
    let list = run("alias list --json", "");
    assert_eq!(list.out.lines().count(), 10_000);
    let bad = format!("{lines}n1@home.test n2@home.test\n");
    let bad = run("alias add -", &bad);
    assert_eq!(bad.exit, 65);
    assert!(bad.err.contains("loop: n1@home.test"), "{}", bad.err);
}

#[test]
fn a_list_that_is_too_long_or_no_text() {
    let long = "x".repeat(usize::try_from(terminal::TEXT_MAX).unwrap() + 1);
    let played = play("alias add -", &long);
    assert_eq!(played.exit, 65);
    assert!(played.err.contains("8 MiB"), "{}", played.err);
}
