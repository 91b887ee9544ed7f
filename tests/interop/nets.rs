//! A box in a network namespace of its own, between others: its LAN, its gateway, a tunnel. Needs root.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::house::{House, Program};

/// A namespace beside the box: its name, our address there, theirs.
pub type Link = (&'static str, &'static str, &'static str);

pub const LAN: Link = ("lan", "192.168.7.1/24", "192.168.7.20/24");
/// The box's gateway.
pub const GATE: Link = ("gate", "192.168.8.1/24", "192.168.8.254/24");

/// Namespaces that go at the end; the box's own is `box`.
pub struct Nets {
    prefix: String,
    links: Vec<Link>,
}

impl Nets {
    /// With these links, and the gateway.
    pub fn new(links: &[Link]) -> Self {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let nets = Self {
            prefix: format!("pb{}-{count}", std::process::id()),
            links: [links, &[GATE]].concat(),
        };
        nets.add("box");
        for (name, ours, theirs) in &nets.links {
            nets.add(name);
            let (near, far) = (nets.name("box"), nets.name(name));
            // Named inside, so that two runs beside each other do not meet.
            ip(&[
                "-n", &near, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns",
                &far,
            ]);
            for (net, device, address) in [(&near, *name, ours), (&far, "eth0", theirs)] {
                ip(&["-n", net, "address", "add", address, "dev", device, "nodad"]);
                ip(&["-n", net, "link", "set", device, "up"]);
            }
        }
        let near = nets.name("box");
        ip(&[
            "-n",
            &near,
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

    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The box in its namespace, with more settings.
    pub fn serve(&self, house: &House, settings: &[(&str, &str)]) -> Child {
        let log = File::options()
            .append(true)
            .open(house.path("log"))
            .unwrap();
        let pillarbox = house.pillarbox(&["serve"]);
        Command::new("ip")
            .args(["netns", "exec", &self.name("box")])
            .arg(pillarbox.get_program())
            .args(pillarbox.get_args())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }
}

impl Drop for Nets {
    fn drop(&mut self) {
        for (name, ..) in self.links.iter().chain([&("box", "", "")]) {
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
