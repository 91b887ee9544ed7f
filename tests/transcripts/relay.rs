//! Relay safety (SR-10, UX-06): ten thousand recipients elsewhere, in every form that has ever opened a
//! relay, from every kind of client address. None is taken.

use std::collections::BTreeMap;

use pillarbox::net::world::World;

use super::common::house::{House, Protocol};
use super::common::pump::Connection;

const RECIPIENTS: usize = 10_000;
/// Refusals of a session before it ends (SR-24).
const PER_SESSION: usize = 19;

/// `U` is a local part, `F` a domain elsewhere, `O` one that the house knows.
const FORMS: &[&str] = &[
    "<U@F>",
    "<U%F@O>",
    "<U%F%O@O>",
    "<F!U@O>",
    "<O!F!U@O>",
    "<F!U>",
    "<U%F>",
    "<\"U@F\"@O>",
    "<\"U@F\">",
    "<\"U%F\"@O>",
    "<\"F!U\"@O>",
    "<\"U@F\"@F>",
    "<\"@F:U\"@O>",
    "<@O:U@F>",
    "<@O,@F:U@F>",
    "<@F:U%F@O>",
    "<U@[192.0.2.9]>",
    "<U@[127.0.0.1]>",
    "<U@[IPv6:::1]>",
    "<U@[IPv6:2001:db8::9]>",
    "<U%[192.0.2.9]@O>",
    "<U@O@F>",
    "<U@F@O>",
    "<U@F.>",
    "<U@O.F>",
    "<U@.F>",
    "<U@F%00>",
    "<U@F\0>",
    "<postmaster@F>",
    "<abuse@F>",
    "<postmaster%F@O>",
    "<\"postmaster@F\"@O>",
    "U@F",
    "<U@F",
    "<U+x@F>",
    "<U@F> NOTIFY=NEVER",
    "<\\U@F>",
    "<|U@F>",
    "</U@F>",
    "<U@ F>",
];
const OURS: &[&str] = &[
    "home.test",
    "HOME.TEST",
    "alias.test",
    "relay.test",
    "kept.test",
    "all.test",
    "moved.test",
    "localhost",
    "mx.home.test",
];
const AWAY: &[&str] = &[
    "elsewhere.test",
    "b\u{fc}cher.example",
    "xn--bcher-kva.example",
    "sub.home.test",
    "home.test.elsewhere.test",
    "127.0.0.1",
];
const CLIENTS: &[&str] = &[
    "127.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "192.168.1.1",
    "10.8.0.1",
    "172.17.0.1",
    "fe80::1",
    "fd00::1",
    "198.51.100.7",
];

#[test]
fn nothing_is_relayed() {
    smol::block_on(async {
        let mut house = House::new();
        directory(&mut house).await;
        let (mut connection, mut said) = (None, BTreeMap::<u32, usize>::new());
        for number in 0..RECIPIENTS {
            if number % PER_SESSION == 0 {
                let client = CLIENTS[number / PER_SESSION % CLIENTS.len()];
                house.client(client.parse().unwrap());
                connection = Some(begin(&mut house).await);
            }
            let path = path(number);
            let connection = connection.as_mut().unwrap();
            let reply = say(&house, connection, &format!("RCPT TO:{path}")).await;
            let code: u32 = reply[..3].parse().unwrap();
            assert!((500..600).contains(&code), "{path}: {reply}");
            *said.entry(code).or_default() += 1;
        }
        // Most are refused because they are elsewhere, not because of their spelling.
        assert!(said[&554] > RECIPIENTS / 5, "{said:?}");
        assert!(house.queue().await.is_empty());
    });
}

/// One that has every kind of row that lets mail out.
async fn directory(house: &mut House) {
    house.mailbox("alice@home.test", "secret").await;
    for (name, class) in [
        ("alias.test", "alias"),
        ("all.test", "alias"),
        ("moved.test", "alias"),
        ("relay.test", "relay"),
        ("kept.test", "backup"),
    ] {
        house.domain(name, class).await;
    }
    house.alias("@all.test", "alice@elsewhere.test").await;
    house.alias("@moved.test", "@elsewhere.test").await;
    house.alias("out@home.test", "x@elsewhere.test").await;
    house.route("box", "out.test").await;
    house.transport("*", "relay:box").await;
    house.transport("home.test", ":").await;
    house.option("default_route", "box").await;
    house.option("postmaster", "alice@home.test").await;
}

fn path(number: usize) -> String {
    let form = FORMS[number % FORMS.len()];
    let turn = number / FORMS.len();
    let local = ["x", "alice", "out", "ROOT", "a.b"][turn % 5];
    form.replace('U', local)
        .replace('F', AWAY[turn % AWAY.len()])
        .replace('O', OURS[turn % OURS.len()])
}

async fn begin(house: &mut House) -> Box<dyn Connection> {
    let mut connection = house.connect(Protocol::Smtp, None);
    connection.run(house.world.now()).await;
    for line in ["", "EHLO home.test", "MAIL FROM:<alice@home.test> SMTPUTF8"] {
        let reply = match line {
            "" => replies(&mut connection),
            line => say(house, &mut connection, line).await,
        };
        assert!(reply.starts_with('2'), "{line}: {reply}");
    }
    connection
}

async fn say(house: &House, connection: &mut Box<dyn Connection>, line: &str) -> String {
    let octets = format!("{line}\r\n");
    let now = house.world.now();
    connection.feed(now, octets.as_bytes()).await;
    replies(connection)
}

fn replies(connection: &mut Box<dyn Connection>) -> String {
    let out: Vec<_> = connection.out().drain(..).collect();
    String::from_utf8_lossy(&out).into_owned()
}
