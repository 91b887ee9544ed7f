use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::poll_fn,
    io,
    task::Poll,
};

use super::{
    message::{Query, Wrong, read},
    *,
};
use crate::{
    base::{random::Random, time::Time},
    net::world::{Datagrams, Local, RealWorld},
};

#[path = "../../../tests/common/dns.rs"]
mod dns;
#[path = "../../../tests/common/name_server.rs"]
mod name_server;

use dns::Zone;
use name_server::Server as Stub;

/// A network of name servers in which time passes only while everybody waits.
#[derive(Debug)]
struct Net(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Cell<u64>,
    seed: Cell<u64>,
    zone: RefCell<Zone>,
    /// Servers that are silent.
    dead: RefCell<Vec<SocketAddr>>,
    /// When messages come.
    arrivals: RefCell<BTreeSet<u64>>,
    /// Questions, with the server's last octet.
    asked: RefCell<Vec<(u8, dns::Asked)>>,
}

#[derive(Debug)]
struct Wire {
    net: Rc<Inner>,
    server: SocketAddr,
    coming: RefCell<Vec<(u64, Vec<u8>)>>,
}

impl World for Net {
    fn now(&self) -> Instant {
        Instant(self.0.clock.get())
    }

    fn time(&self) -> Time {
        Time(0)
    }

    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        let net = self.0.clone();
        Box::pin(poll_fn(move |context| {
            let now = net.clock.get();
            if now >= until.0 {
                return Poll::Ready(());
            }
            let first = net.arrivals.borrow().range(now + 1..).next().copied();
            net.clock.set(first.map_or(until.0, |at| at.min(until.0)));
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn datagrams(&self, server: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(Wire {
            net: self.0.clone(),
            server,
            coming: RefCell::default(),
        }))
    }
}

impl Random for Net {
    fn fill(&self, octets: &mut [u8]) {
        for octet in octets {
            let x = self.0.seed.get().wrapping_mul(6_364_136_223_846_793_005);
            self.0.seed.set(x.wrapping_add(1_442_695_040_888_963_407));
            *octet = x.to_be_bytes()[0];
        }
    }
}

impl Datagrams for Wire {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>> {
        let IpAddr::V4(ip) = self.server.ip() else {
            panic!("IPv4 only");
        };
        let net = &self.net;
        let asked = (ip.octets()[3], dns::asked(octets).unwrap());
        net.asked.borrow_mut().push(asked);
        let dead = net.dead.borrow().contains(&self.server);
        let sent = net.zone.borrow().respond(octets, false);
        let at = net.clock.get() + sent.after;
        for message in sent.messages.into_iter().filter(|_| !dead) {
            net.arrivals.borrow_mut().insert(at);
            self.coming.borrow_mut().push((at, message));
        }
        Box::pin(async { Ok(()) })
    }

    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>> {
        Box::pin(poll_fn(|_| {
            let mut coming = self.coming.borrow_mut();
            let now = self.net.clock.get();
            match coming.iter().position(|(at, _)| *at <= now) {
                Some(at) => Poll::Ready(Ok(coming.remove(at).1)),
                None => Poll::Pending,
            }
        }))
    }
}

fn server(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 53).into()
}

fn net(zone: &str) -> (Rc<Inner>, Rc<Resolver>) {
    let inner = Rc::new(Inner {
        clock: Cell::new(1),
        seed: Cell::new(1),
        zone: RefCell::new(Zone::parse(zone)),
        dead: RefCell::default(),
        arrivals: RefCell::default(),
        asked: RefCell::default(),
    });
    let world = Rc::new(Net(inner.clone()));
    (inner, Rc::new(Resolver::new(world, vec![server(1)])))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    smol::block_on(future)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers")]
fn found<T>(records: T) -> Answer<T> {
    Ok(Found {
        records,
        authentic: false,
        alias: false,
    })
}

fn is_try_again<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Err(Unfound::TryAgain(_)))
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

#[test]
fn all_kinds() {
    let zone = "home.test MX 20 b.home.test\nhome.test MX 10 A.Home.test\n\
        a.home.test A 192.0.2.7\na.home.test AAAA 2001:db8::7\n\
        home.test TXT v=spf1|-all\nhome.test TXT two\n_25._tcp.a.home.test TLSA 3 1 1 abcdef\n\
        7.2.0.192.in-addr.arpa PTR A.home.test\nempty.test EMPTY\n\
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.test";
    let (_, names) = net(zone);
    let mx = |preference, host: &str| Mx {
        preference,
        host: host.to_owned(),
    };
    let both = vec![mx(10, "a.home.test"), mx(20, "b.home.test")];
    assert_eq!(wait(names.mx("Home.TEST.")), found(both));
    let both = ips(&["2001:db8::7", "192.0.2.7"]);
    assert_eq!(wait(names.addresses("a.home.test")), found(both));
    let texts = vec![b"v=spf1-all".to_vec(), b"two".to_vec()];
    assert_eq!(wait(names.txt("home.test")), found(texts));
    let tlsa = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![0xab, 0xcd, 0xef],
    };
    assert_eq!(wait(names.tlsa("_25._tcp.a.home.test")), found(vec![tlsa]));
    let name = vec!["a.home.test".to_owned()];
    assert_eq!(wait(names.names([192, 0, 2, 7].into())), found(name));
    let name = vec!["six.test".to_owned()];
    let six = "2001:db8::1".parse().unwrap();
    assert_eq!(wait(names.names(six)), found(name));
    assert_eq!(wait(names.mx("empty.test")), found(vec![]));
    assert_eq!(wait(names.addresses("empty.test")), found(vec![]));
    assert_eq!(wait(names.mx("none.test")), Err(Unfound::NoSuchName));
    assert_eq!(wait(names.addresses("none.test")), Err(Unfound::NoSuchName));
    assert!(names.heard().is_some());
}

#[test]
fn null_mx_and_equal_ones() {
    let zone = "null.test MX 0 .\nodd.test MX 0 .\nodd.test MX 5 a.test\n\
        same.test MX 5 a.test\nsame.test MX 5 b.test\nsame.test MX 5 c.test";
    let (_, names) = net(zone);
    let null = wait(names.mx("null.test")).unwrap().records;
    assert_eq!((null.len(), null[0].host.as_str()), (1, ""));
    let odd = wait(names.mx("odd.test")).unwrap().records;
    assert_eq!((odd.len(), odd[0].host.as_str()), (1, "a.test"));
    let orders: BTreeSet<_> = (0..50)
        .map(|_| wait(names.mx("same.test")).unwrap().records)
        .collect();
    assert_eq!(orders.len(), 6);
}

#[test]
fn what_nobody_asks_for() {
    let (inner, names) = net("");
    let loopback = ips(&["::1", "127.0.0.1"]);
    let long = format!("{}.test", "a.".repeat(130));
    let label = format!("{}.test", "a".repeat(64));
    for (name, want) in [
        ("localhost", found(loopback.clone())),
        ("a.LOCALHOST.", found(loopback)),
        ("192.0.2.1", found(ips(&["192.0.2.1"]))),
        ("[192.0.2.1]", found(ips(&["192.0.2.1"]))),
        ("[IPv6:2001:db8::1]", found(ips(&["2001:db8::1"]))),
        ("2001:db8::1", found(ips(&["2001:db8::1"]))),
        ("a.invalid", Err(Unfound::NoSuchName)),
        ("a.onion", Err(Unfound::NoSuchName)),
        ("", Err(Unfound::NoSuchName)),
        (".", Err(Unfound::NoSuchName)),
        ("a..test", Err(Unfound::NoSuchName)),
        ("a b.test", Err(Unfound::NoSuchName)),
        ("müller.test", Err(Unfound::NoSuchName)),
        (&long, Err(Unfound::NoSuchName)),
        (&label, Err(Unfound::NoSuchName)),
    ] {
        assert_eq!(wait(names.addresses(name)), want, "{name}");
    }
    let local = wait(names.addresses("printer.local"));
    assert!(matches!(local, Err(Unfound::NotHere(_))));
    assert_eq!(inner.asked.borrow().len(), 0);
}

#[test]
fn what_servers_say() {
    let zone = "fail.test SERVFAIL\nrefused.test REFUSED\nnot.test NOTIMP\ngarbage.test GARBAGE\n\
        drop.test DROP\nlame.test LAME\nold.test NOEDNS\nold.test A 192.0.2.1";
    let (inner, names) = net(zone);
    let asked = |name: &str| wait(names.mx(name));
    assert!(is_try_again(&asked("fail.test")));
    assert!(is_try_again(&asked("garbage.test")));
    for name in ["refused.test", "not.test", "lame.test"] {
        assert!(matches!(asked(name), Err(Unfound::NotHere(_))), "{name}");
    }
    assert_eq!(names.heard(), None);
    let before = inner.clock.get();
    let text = "name server 192.0.2.1: does not answer".to_owned();
    assert_eq!(asked("drop.test"), Err(Unfound::TryAgain(text)));
    assert_eq!(inner.clock.get() - before, 6_000);
    assert_eq!(
        wait(names.addresses("old.test")),
        found(ips(&["192.0.2.1"]))
    );
    names.set_servers(vec![]);
    assert!(matches!(asked("a.test"), Err(Unfound::NotHere(_))));
}

#[test]
fn forged_answers_are_passed_over() {
    let (inner, names) =
        net("a.test FORGED\na.test A 192.0.2.1\nb.test WRONG-ID\nb.test A 192.0.2.1");
    assert_eq!(wait(names.addresses("a.test")), found(ips(&["192.0.2.1"])));
    assert!(is_try_again(&wait(names.addresses("b.test"))));
    let asked = inner.asked.borrow();
    assert!(asked.iter().all(|(_, asked)| asked.edns && asked.dnssec));
}

#[test]
fn several_servers() {
    let (inner, names) =
        net("a.test A 192.0.2.9\nb.test A 192.0.2.9\nslow.test DELAY 1500\nslow.test MX 1 x.test");
    names.set_servers(vec![server(1), server(2)]);
    inner.dead.borrow_mut().push(server(1));
    assert!(wait(names.mx("a.test")).is_ok());
    assert_eq!(inner.clock.get(), 2_001);
    // The dead one is not asked first again.
    assert!(wait(names.mx("b.test")).is_ok());
    assert_eq!(inner.clock.get(), 2_001);
    let order: Vec<_> = inner.asked.borrow().iter().map(|(last, _)| *last).collect();
    assert_eq!(order, [1, 2, 2]);
    assert!(wait(names.mx("slow.test")).is_ok());
    assert_eq!(inner.clock.get(), 3_501);
    inner.dead.borrow_mut().push(server(2));
    let before = inner.clock.get();
    assert!(is_try_again(&wait(names.mx("c.test"))));
    assert_eq!(inner.clock.get() - before, 10_000);
}

#[test]
fn aliases() {
    let mut zone = "a.test CNAME b.test\nb.test CNAME c.test\nc.test A 192.0.2.1\n\
        round.test CNAME trip.test\ntrip.test CNAME round.test\nself.test CNAME self.test\n\
        gone.test CNAME nowhere.test\nempty.test CNAME c.test\n\
        half.test CNAME c.test\nhalf.test PARTIAL\nlost.test CNAME nowhere.test\nlost.test PARTIAL\n"
        .to_owned();
    for number in 0..12 {
        let line = format!("l{number}.test CNAME l{}.test\n", number + 1);
        zone.push_str(&line);
    }
    zone.push_str("l12.test A 192.0.2.2");
    let (_, names) = net(&zone);
    let aliased = |list: &[&str]| {
        Ok(Found {
            records: ips(list),
            authentic: false,
            alias: true,
        })
    };
    for name in ["a.test", "half.test"] {
        assert_eq!(
            wait(names.addresses(name)),
            aliased(&["192.0.2.1"]),
            "{name}"
        );
    }
    for name in ["round.test", "self.test", "l0.test"] {
        assert!(is_try_again(&wait(names.addresses(name))), "{name}");
    }
    assert_eq!(wait(names.addresses("l4.test")), aliased(&["192.0.2.2"]));
    for name in ["gone.test", "lost.test"] {
        assert_eq!(
            wait(names.addresses(name)),
            Err(Unfound::NoSuchName),
            "{name}"
        );
    }
    assert!(wait(names.mx("empty.test")).unwrap().records.is_empty());
}

#[test]
fn what_is_remembered_and_for_how_long() {
    let zone = "a.test 60 MX 1 a.test\nz.test 0 MX 1 a.test\nlong.test 99999999 MX 1 a.test\n\
        fail.test SERVFAIL\nx SOA 120\nodd.test 4294967295 MX 1 a.test";
    let (inner, names) = net(zone);
    let count = || inner.asked.borrow_mut().drain(..).count();
    let pass = |seconds: u64| inner.clock.set(inner.clock.get() + seconds * 1000);
    for (name, seconds) in [
        ("a.test", 60),
        ("none.test", 120),
        ("long.test", 86_400),
        ("fail.test", 5),
    ] {
        let first = wait(names.mx(name));
        assert_eq!(count(), 1, "{name}");
        pass(seconds - 1);
        assert_eq!(wait(names.mx(name)), first);
        assert_eq!(count(), 0, "{name}");
        pass(1);
        assert_eq!(wait(names.mx(name)), first);
        assert_eq!(count(), 1, "{name}");
    }
    for name in ["z.test", "odd.test"] {
        let _ = (wait(names.mx(name)), wait(names.mx(name)));
        assert_eq!(count(), 2, "{name}");
    }
    names.set_entries(0);
    let _ = (wait(names.mx("a.test")), wait(names.mx("a.test")));
    assert_eq!(count(), 2);
    assert!(wait(names.probe("a.test")));
    names.set_servers(vec![]);
    assert!(!wait(names.probe("a.test")));
}

#[test]
fn one_question_at_a_time() {
    let (inner, names) = net("a.test 0 MX 1 b.test\na.test DELAY 500");
    let ask = || names.mx("a.test");
    let ((one, two), three) = wait(zip(zip(ask(), ask()), ask()));
    assert!(one.is_ok() && one == two && two == three);
    assert_eq!(inner.asked.borrow().len(), 1);
    // The one who asks goes: the next one asks.
    let executor = smol::LocalExecutor::new();
    wait(executor.run(async {
        let (first, second) = (names.clone(), names.clone());
        let first = executor.spawn(async move { first.mx("a.test").await });
        let second = executor.spawn(async move { second.mx("a.test").await });
        smol::future::yield_now().await;
        drop(first);
        assert!(second.await.is_ok());
    }));
    assert_eq!(names.open.borrow().len(), 0);
}

#[test]
fn authentic_only_where_the_server_counts() {
    let (inner, names) = net("a.test AD\na.test MX 1 b.test\nc.test CNAME a.test");
    assert!(wait(names.mx("a.test")).unwrap().authentic);
    // An alias without it spoils what it leads to.
    assert!(!wait(names.mx("c.test")).unwrap().authentic);
    for (at, authentic) in [(server(1), false), (([127, 0, 0, 1], 53).into(), true)] {
        inner.asked.borrow_mut().clear();
        names.set_source(Source::System(Rc::new(move || vec![at])));
        assert_eq!(
            wait(names.mx("a.test")).unwrap().authentic,
            authentic,
            "{at}"
        );
        assert_eq!(inner.asked.borrow()[0].1.dnssec, authentic);
    }
}

#[test]
fn the_machine_may_change_its_mind() {
    let (inner, names) = net("a.test 9999 MX 1 b.test");
    let list = Rc::new(RefCell::new(vec![server(1)]));
    let source = list.clone();
    names.set_source(Source::System(Rc::new(move || source.borrow().clone())));
    assert!(wait(names.mx("a.test")).is_ok());
    *list.borrow_mut() = vec![server(2)];
    assert!(wait(names.mx("a.test")).is_ok());
    assert_eq!(inner.asked.borrow().len(), 1);
    inner.clock.set(31_000);
    assert!(wait(names.mx("a.test")).is_ok());
    assert_eq!(inner.asked.borrow()[1].0, 2);
}

/// Over real sockets, where datagrams do not do.
#[test]
fn tcp() {
    let many: Vec<_> = (0..200)
        .map(|n| format!("big.test TXT number {n}"))
        .collect();
    let many = many.join("\n");
    let zone = format!(
        "{many}\nbig.test TC\nlow.test LOWERCASE\nlow.test MX 1 a.test\nplain.test MX 1 a.test\n\
        garbage.test TC\ngarbage.test GARBAGE"
    );
    let stub = Stub::new(Zone::parse(&zone));
    let names = Resolver::new(Rc::new(RealWorld::new()), vec![stub.address]);
    assert_eq!(wait(names.txt("big.test")).unwrap().records.len(), 200);
    for name in ["plain.test", "low.test"] {
        assert_eq!(wait(names.mx(name)).unwrap().records.len(), 1, "{name}");
    }
    assert!(is_try_again(&wait(names.mx("garbage.test"))));
}

#[test]
fn a_port_where_nobody_listens() {
    let address = Stub::new(Zone::default()).address;
    let names = Resolver::new(Rc::new(RealWorld::new()), vec![address]);
    assert!(is_try_again(&wait(names.mx("a.test"))));
    let nowhere = Net(net("").0);
    assert!(wait(nowhere.connect(&crate::net::world::Endpoint::Tcp(address))).is_err());
}

/// Against a parser that we did not write.
#[test]
fn messages_as_others_read_them() {
    use domain::base::{Message, Rtype, ToName};
    let query = Query {
        id: 0x1234,
        name: "_25._tcp.A.test".to_owned(),
        kind: Kind::Tlsa,
        authentic: true,
        edns: true,
    };
    let octets = query.encode();
    let message = Message::from_octets(&octets[..]).unwrap();
    assert!(message.header().rd() && message.header().ad() && !message.header().qr());
    assert_eq!(message.header().id(), 0x1234);
    let question = message.sole_question().unwrap();
    assert_eq!(question.qtype(), Rtype::TLSA);
    assert_eq!(question.qname().to_vec().to_string(), "_25._tcp.A.test");
    let opt = message.opt().unwrap();
    assert_eq!((opt.udp_payload_size(), opt.dnssec_ok()), (1232, true));
    let zone = Zone::parse("_25._tcp.a.test AD\n_25._tcp.a.test TLSA 3 1 1 ab");
    let answer = zone.answer(&octets);
    let other = Message::from_octets(&answer[..]).unwrap();
    assert_eq!(other.answer().unwrap().count(), 1);
    let response = read(&query, &answer).unwrap();
    assert!(response.authentic && response.records.len() == 1 && response.ttl == 300);
    for cut in 0..answer.len() {
        assert!(read(&query, &answer[..cut]).is_err(), "{cut}");
    }
    let folded = Query {
        name: "_25._tcp.a.test".to_owned(),
        ..query.clone()
    };
    assert_eq!(read(&folded, &answer), Err(Wrong::Case));
    assert_eq!(read(&query, &octets), Err(Wrong::Foreign));
}
