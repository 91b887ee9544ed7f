//! Relay safety (SR-10, UX-06): from wherever somebody comes, the MX takes nothing for others. The box
//! stands in a network namespace of its own, between a LAN, a gateway and a tunnel that are namespaces,
//! too; whose addresses look trustworthy is the point. Needs root, like the full disk.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::house::{ANNA, House, PATIENCE, Program, terminate, until, wait};

/// Namespaces of this test, removed at its end.
struct Nets {
    prefix: String,
}

/// Name, our address there, theirs; the last is the box's gateway.
const LINKS: [(&str, &str, &str); 4] = [
    ("lan", "192.168.7.1/24", "192.168.7.20/24"),
    ("ula", "fd00:7::1/64", "fd00:7::20/64"),
    ("tun", "10.8.0.2/24", "10.8.0.1/24"),
    ("gate", "192.168.8.1/24", "192.168.8.254/24"),
];

impl Nets {
    fn new() -> Self {
        let nets = Self {
            prefix: format!("pb{}", std::process::id()),
        };
        nets.add("box");
        for (name, ours, theirs) in LINKS {
            nets.add(name);
            let (near, far) = (nets.name("box"), nets.name(name));
            // Named inside, so that two runs beside each other do not meet.
            ip(&[
                "-n", &near, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns",
                &far,
            ]);
            for (net, device, address) in [(&near, name, ours), (&far, "eth0", theirs)] {
                ip(&["-n", net, "address", "add", address, "dev", device, "nodad"]);
                ip(&["-n", net, "link", "set", device, "up"]);
            }
        }
        ip(&[
            "-n",
            &nets.name("box"),
            "route",
            "add",
            "default",
            "via",
            "192.168.8.254",
        ]);
        nets
    }

    fn add(&self, name: &str) {
        let name = self.name(name);
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
    }

    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Nets {
    fn drop(&mut self) {
        for name in ["box"].into_iter().chain(LINKS.map(|(name, ..)| name)) {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.name(name)])
                .status();
        }
    }
}

fn ip(arguments: &[&str]) {
    // IPv4 addresses know no `nodad`.
    let v4 = arguments.iter().any(|word| word.contains('.'));
    let arguments = arguments.iter().filter(|word| !v4 || **word != "nodad");
    Program::new("ip").args(arguments).run();
}

/// A box on port 25 of every address in its namespace.
fn serve(house: &House, nets: &Nets) -> Child {
    let log = File::options()
        .append(true)
        .open(house.path("log"))
        .unwrap();
    let pillarbox = house.pillarbox(&["serve"]);
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", &nets.name("box")])
        .arg(pillarbox.get_program())
        .args(pillarbox.get_args())
        .env("PILLARBOX_LISTEN_MX", "[::]:25")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    command.spawn().unwrap()
}

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
    let nets = Nets::new();
    let mut server = serve(&house, &nets);
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
