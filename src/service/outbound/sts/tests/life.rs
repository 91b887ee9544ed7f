//! The life of a policy, over DNS and HTTPS: fetched, changed, out of reach, after a restart, at its end.

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    io,
    net::SocketAddr,
    os::unix::net::UnixStream,
    sync::Arc,
    task::Poll,
    thread,
};

use async_io::{Async, block_on};
use futures_rustls::{
    TlsAcceptor,
    pki_types::PrivateKeyDer,
    rustls::{ServerConfig, crypto::ring},
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::super::*;
use crate::{
    base::random::Random,
    net::{
        stream::Socket,
        world::{Datagrams, Endpoint, Local},
    },
    service::lookup::tests::in_folder,
};

#[path = "../../../../../tests/common/dns.rs"]
#[allow(clippy::duplicate_mod, reason = "the resolver's tests use it too")]
mod dns;

/// 2026-06-01.
const SUMMER: i64 = 1_780_272_000;

/// One name server, and one web server that has a certificate for `mta-sts.a.test`.
#[derive(Debug)]
struct Lab {
    clock: Cell<u64>,
    time: Cell<i64>,
    zone: RefCell<dns::Zone>,
    /// What the web server answers; `None`: it is down.
    page: RefCell<Option<String>>,
    /// How often it was asked for.
    asked: Cell<u32>,
    server: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Wire(RefCell<Vec<Vec<u8>>>, dns::Zone);

impl Datagrams for Wire {
    fn send<'a>(&'a self, octets: &'a [u8]) -> Local<'a, io::Result<()>> {
        self.0
            .borrow_mut()
            .extend(self.1.respond(octets, false).messages);
        Box::pin(async { Ok(()) })
    }

    fn receive(&self) -> Local<'_, io::Result<Vec<u8>>> {
        Box::pin(poll_fn(|_| match self.0.borrow_mut().pop() {
            Some(octets) => Poll::Ready(Ok(octets)),
            None => Poll::Pending,
        }))
    }
}

impl World for Lab {
    fn now(&self) -> Instant {
        Instant(self.clock.get())
    }

    fn time(&self) -> Time {
        Time(self.time.get())
    }

    fn sleep(&self, _: Instant) -> Local<'static, ()> {
        Box::pin(pending())
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let zone = self.zone.borrow().clone();
        Ok(Box::new(Wire(RefCell::default(), zone)))
    }

    fn connect(&self, to: &Endpoint) -> Local<'static, io::Result<Socket>> {
        assert_eq!(to, &Endpoint::Tcp(([203, 0, 113, 1], 443).into()));
        self.asked.set(self.asked.get() + 1);
        let Some(page) = self.page.borrow().clone() else {
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        thread::spawn(move || {
            block_on(async {
                let theirs = Async::new(theirs).unwrap();
                let Ok(mut stream) = acceptor.accept(theirs).await else {
                    return;
                };
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") {
                    let mut octet = [0];
                    stream.read_exact(&mut octet).await.unwrap();
                    asked.push(octet[0]);
                }
                let asked = String::from_utf8(asked).unwrap();
                let start = "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.a.test\r\n";
                assert!(asked.starts_with(start), "{asked}");
                stream.write_all(page.as_bytes()).await.unwrap();
                stream.close().await.unwrap();
            });
        });
        Box::pin(async { Ok(Socket::Unix(Async::new(ours)?)) })
    }
}

impl Random for Lab {
    fn fill(&self, octets: &mut [u8]) {
        octets.fill(7);
    }
}

/// The world, its one authority, and a store.
struct Rooms {
    lab: Rc<Lab>,
    root: Vec<u8>,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Rooms {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["mta-sts.a.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2028, 1, 1);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private)
            .unwrap();
        let zone = "_mta-sts.a.test 60 TXT v=STSv1; id=1;\nmta-sts.a.test 60 A 203.0.113.1\n\
                    _mta-sts.b.test 60 TXT v=STSv1; id=1;\nmta-sts.b.test 60 A 203.0.113.1\n\
                    _mta-sts.c.test 60 TXT v=STSv1; id=1;\nmta-sts.c.test 60 A 127.0.0.1";
        let (store, folder) = in_folder();
        Self {
            lab: Rc::new(Lab {
                clock: Cell::new(1),
                time: Cell::new(SUMMER),
                zone: RefCell::new(dns::Zone::parse(zone)),
                page: RefCell::default(),
                asked: Cell::default(),
                server: Arc::new(server),
            }),
            root: certificate.to_vec(),
            store,
            _folder: folder,
        }
    }

    /// As after a start.
    fn sts(&self) -> Sts {
        let world: Rc<dyn World> = self.lab.clone();
        let servers = vec![([192, 0, 2, 53], 53).into()];
        let resolver = Rc::new(Resolver::new(Rc::clone(&world), servers));
        let trust = Trust::with_roots(Rc::clone(&world), vec![self.root.clone()]);
        Sts::new(world, resolver, self.store.clone(), trust)
    }

    fn publish(&self, id: &str, mode: &str, mx: &str) {
        self.say(id);
        let text = format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 864000\r\n");
        let length = text.len();
        *self.lab.page.borrow_mut() = Some(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
        ));
    }

    fn say(&self, id: &str) {
        let mut zone = self.lab.zone.borrow_mut();
        zone.remove("_mta-sts.a.test");
        zone.add(&format!("_mta-sts.a.test 60 TXT v=STSv1; id={id};"));
    }

    fn pass(&self, seconds: u32) {
        let clock = &self.lab.clock;
        clock.set(clock.get() + u64::from(seconds) * 1000);
        let time = &self.lab.time;
        time.set(time.get() + i64::from(seconds));
    }
}

/// Which hosts are allowed, in short; and how often the web server was asked so far.
fn look(rooms: &Rooms, sts: &Sts, domain: &str) -> (Option<String>, u32) {
    let policy = block_on(sts.policy(domain));
    let policy = policy.map(|policy| format!("{} {}", policy.mode.word(), policy.mx.join(",")));
    (policy, rooms.lab.asked.get())
}

#[test]
fn oq_9_the_life_of_a_policy() {
    let rooms = Rooms::new();
    let sts = rooms.sts();
    let enforce = |mx: &str| Some(format!("enforce {mx}"));
    // Nothing known, nothing to be had: no policy; and not asked again at once.
    assert_eq!(look(&rooms, &sts, "a.test"), (None, 1));
    assert_eq!(look(&rooms, &sts, "a.test"), (None, 1));
    rooms.publish("1", "enforce", "mx.a.test");
    rooms.pass(301);
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("mx.a.test"), 2));
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("mx.a.test"), 2));
    // Another id, another policy.
    rooms.publish("2", "enforce", "*.a.test");
    rooms.pass(61);
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("*.a.test"), 3));
    // The record changes, but the server cannot be reached, or sends elsewhere: what was known counts.
    *rooms.lab.page.borrow_mut() = None;
    rooms.say("3");
    rooms.pass(61);
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("*.a.test"), 4));
    *rooms.lab.page.borrow_mut() =
        Some("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned());
    rooms.pass(301);
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("*.a.test"), 5));
    // The record is gone, after a restart.
    rooms.lab.zone.borrow_mut().remove("_mta-sts.a.test");
    let sts = rooms.sts();
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("*.a.test"), 5));
    assert!(
        rooms
            .store
            .read(store::Reader::settings)
            .unwrap()
            .is_empty()
    );
    // Without a clock it does not end; else it does.
    let time = rooms.lab.time.replace(100);
    assert_eq!(look(&rooms, &sts, "a.test"), (enforce("*.a.test"), 5));
    rooms.lab.time.set(time);
    rooms.pass(864_000);
    assert_eq!(look(&rooms, &sts, "a.test"), (None, 5));
    // `none` takes a policy back.
    rooms.publish("4", "none", "mx.a.test");
    rooms.pass(61);
    assert_eq!(look(&rooms, &rooms.sts(), "a.test"), (None, 6));
    assert_eq!(
        rooms
            .store
            .read(|reader| reader.remembered(PREFIX))
            .unwrap()
            .len(),
        1
    );
}

/// Each day it is looked at again, before it ends.
#[test]
fn oq_9_a_policy_is_renewed() {
    let rooms = Rooms::new();
    let sts = rooms.sts();
    rooms.publish("1", "enforce", "mx.a.test");
    assert_eq!(look(&rooms, &sts, "a.test").1, 1);
    rooms.pass(80_000);
    assert_eq!(look(&rooms, &sts, "a.test").1, 1);
    rooms.pass(10_000);
    assert_eq!(look(&rooms, &sts, "a.test").1, 2);
}

/// A certificate for another name proves nothing, and nobody makes us ask ourselves.
#[test]
fn oq_9_who_publishes_has_to_prove_it() {
    let rooms = Rooms::new();
    let sts = rooms.sts();
    rooms.publish("1", "enforce", "mx.a.test");
    assert_eq!(look(&rooms, &sts, "b.test"), (None, 1));
    assert_eq!(look(&rooms, &sts, "c.test"), (None, 1));
}

/// So many and no more: the one that ends first goes.
#[test]
fn oq_9_the_store_remembers_so_many() {
    let rooms = Rooms::new();
    let sts = rooms.sts();
    let kept = |age| Kept {
        id: "1".to_owned(),
        fetched: Time(SUMMER),
        policy: Rc::new(Policy {
            mode: Mode::Enforce,
            mx: vec!["mx.a.test".to_owned()],
            max_age: age,
        }),
    };
    for n in 0..ROWS_MAX + 3 {
        let age = 5_000_u64 - u64::try_from(n).unwrap();
        assert!(block_on(sts.keep(&format!("d{n}.test"), &kept(age))));
    }
    let rows = rooms
        .store
        .read(|reader| reader.remembered(PREFIX))
        .unwrap();
    assert_eq!(rows.len(), ROWS_MAX);
    assert!(sts.stored("d0.test").unwrap().is_some());
    assert!(
        sts.stored(&format!("d{}.test", ROWS_MAX - 1))
            .unwrap()
            .is_none()
    );
}
