//! Relay safety (SR-10, UX-06): from wherever somebody comes, the MX takes nothing for others. The box
//! stands in a network namespace of its own, between a LAN, a gateway and a tunnel that are namespaces,
//! too; whose addresses look trustworthy is the point. Needs root, like the full disk.

use crate::house::{ANNA, House, PATIENCE, Program, terminate, until, wait};
use crate::nets::{LAN, Link, Nets};

const LINKS: [Link; 3] = [
    LAN,
    ("ula", "fd00:7::1/64", "fd00:7::20/64"),
    ("tun", "10.8.0.2/24", "10.8.0.1/24"),
];

/// Tries `count` recipients; says how many were refused and how many were taken.
fn tries(nets: &Nets, from: &str, address: &str, count: u32) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/relay.py");
    Program::new("ip")
        .args([
            "netns",
            "exec",
            &nets.name(from),
            "python3",
            script,
            address,
        ])
        .args([count.to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .patient(PATIENCE * 3)
        .run()
}

#[test]
fn the_mx_relays_for_nobody() {
    if std::env::var_os("PILLARBOX_NO_MOUNT").is_some() {
        return;
    }
    let mut house = House::new();
    house.operate(&["domain", "add", "old.home.test"], "");
    house.operate(&["alias", "add", "@old.home.test", "@elsewhere.test"], "");
    house.stop();
    let nets = Nets::new(&LINKS);
    let mut server = nets.serve(&house, &[("PILLARBOX_LISTEN_MX", "[::]:25")]);
    let ready = || {
        let (ready, _) = Program::new("ip")
            .args([
                "netns",
                "exec",
                &nets.name("box"),
                "nc",
                "-z",
                "127.0.0.1",
                "25",
            ])
            .outcome();
        ready.then_some(())
    };
    until(PATIENCE, "port 25", ready);
    for (from, address, count) in [
        ("box", "127.0.0.1", 10_000),
        ("box", "::1", 1_000),
        ("lan", "192.168.7.1", 2_000),
        ("ula", "fd00:7::1", 2_000),
        ("tun", "10.8.0.2", 2_000),
        ("gate", "192.168.8.1", 2_000),
    ] {
        let said = tries(&nets, from, address, count);
        let want = format!("{count} refused, 0 taken");
        assert!(said.trim_end().ends_with(&want), "{from}: {said}");
    }
    // The door is not just shut: what is ours still comes in.
    let said = Program::new("ip")
        .args([
            "netns",
            "exec",
            &nets.name("gate"),
            "swaks",
            "--server",
            "192.168.8.1",
        ])
        .args(["--from", "you@away.test", "--to", ANNA])
        .run();
    assert!(said.contains("250 2.0.0 Ok"), "{said}");
    terminate(&server);
    assert!(wait(&mut server, PATIENCE).is_some(), "it does not end");
}
