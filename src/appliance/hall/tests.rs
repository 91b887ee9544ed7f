//! A hall with sessions that say hello: limits, implicit TLS, reload and the way to the end.

use std::{
    cell::Cell,
    io::{Read, Write},
    thread,
};

use smol::channel::{Sender, unbounded};

use futures_rustls::{
    pki_types::{CertificateDer, ServerName, UnixTime},
    rustls::{
        self,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
};

use super::*;
use crate::base::memory::Memory;
use crate::{
    appliance::control,
    base::{machine::Machine, machine::Step, time::Instant, time::Time},
    net::{certificate, world::RealWorld},
    proto::smtp,
};

/// Says hello, then nothing; goes when it is told, unless it is a stubborn one.
struct Hello {
    steps: Vec<Step<(), ()>>,
    stubborn: bool,
}

impl Machine for Hello {
    type Question = ();
    type Answer = ();
    type Range = ();

    fn input(&mut self, octets: &[u8]) -> usize {
        assert_ne!(octets, b"panic");
        octets.len()
    }

    fn end(&mut self) {
        self.steps.push(Step::Close);
    }

    fn step(&mut self, _: Instant) -> Step<(), ()> {
        let until = Instant::NEVER;
        self.steps.pop().unwrap_or(Step::Read { until })
    }

    fn answer(&mut self, (): ()) {}

    fn stop(&mut self) {
        if !self.stubborn {
            self.steps = vec![Step::Close, Step::Write(b"bye".to_vec())];
        }
    }
}

struct Nobody;

impl drive::Service for Nobody {
    type Machine = Hello;

    async fn ask(&mut self, (): ()) {}

    async fn content(&mut self, _: Vec<u8>) {}

    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

fn hello(caller: Caller) -> Local<'static, End> {
    let greeting = match &caller.secured {
        Some(secured) => secured.version.clone().into_bytes(),
        None => b"hello".to_vec(),
    };
    let machine = Hello {
        steps: vec![Step::Write(greeting)],
        stubborn: caller.kind == Kind::Imap,
    };
    let mut parts = Box::new((machine, Nobody));
    Box::pin(async move {
        let (machine, service) = &mut *parts;
        drive::drive(&caller.ground, caller.stream, machine, service).await
    })
}

/// Runs a hall on this thread; `client` gets its addresses and its orders on another.
fn with(
    smtp: Limits,
    client: impl FnOnce([SocketAddr; 3], Sender<Order>) + Send + 'static,
) -> Hall {
    let sessions: Sessions = Rc::new(hello);
    with_sessions(smtp, &sessions, client)
}

fn with_sessions(
    smtp: Limits,
    sessions: &Sessions,
    client: impl FnOnce([SocketAddr; 3], Sender<Order>) + Send + 'static,
) -> Hall {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate::self_signed(folder.path(), "localhost", Time(0)).unwrap();
    let hall = Hall {
        executor: Executor::new(),
        world: Rc::new(RealWorld::new()),
        tls: Tls::new(certificate, false).unwrap(),
        houses: Houses::new(smtp, Limits::default(), &Memory::new(u64::MAX)),
        hostname: "mx.test".to_owned(),
        at_stop: || (),
    };
    let mut listeners = vec![];
    for kind in [Kind::Mx, Kind::Imaps, Kind::Imap] {
        let any = "0.0.0.0:0".parse().unwrap();
        listeners.push((kind, listen::bind(&[any]).unwrap().remove(0)));
    }
    let address = |n: usize| {
        let port = listeners[n].1.local_addr().unwrap().port();
        SocketAddr::from(([127, 0, 0, 1], port))
    };
    let addresses = [address(0), address(1), address(2)];
    let sockets = Sockets {
        listeners,
        control: control::bind(&folder.path().join("control")).unwrap(),
        submit: None,
    };
    let (orders, received) = unbounded();
    let client = thread::spawn(move || client(addresses, orders));
    let reloads = Cell::new(0);
    let reload = || reloads.set(reloads.get() + 1);
    let operate: Operate = Rc::new(|request| Box::pin(async move { request }));
    let serving = hall.serve(sockets, sessions, operate, &received, &reload);
    async_io::block_on(hall.executor.run(serving)).unwrap();
    client.join().unwrap();
    assert_eq!(reloads.get(), 1);
    hall
}

/// Says yes to everything.
struct Yes;

impl drive::Service for Yes {
    type Machine = smtp::server::Session;

    async fn ask(&mut self, _: smtp::server::Question) -> smtp::server::Answer {
        smtp::server::Answer::Reply(smtp::reply::Reply::new(250, "yes"))
    }

    async fn content(&mut self, _: Vec<u8>) {}

    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

fn mail(caller: Caller) -> Local<'static, End> {
    let options = smtp::server::Options {
        tls: smtp::server::Tls::Offered,
        ..smtp::server::Options::new("mx.test")
    };
    let now = caller.ground.world.now();
    let mut machine = smtp::server::Session::new(std::sync::Arc::new(options), now);
    Box::pin(
        async move { drive::drive(&caller.ground, caller.stream, &mut machine, &mut Yes).await },
    )
}

fn read(stream: &mut TcpStream, length: usize) -> String {
    let mut octets = vec![0; length];
    stream.read_exact(&mut octets).unwrap();
    String::from_utf8(octets).unwrap()
}

fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _reset = stream.read_to_string(&mut text);
    text
}

/// A reply's lines.
fn reply(stream: &mut impl Read) -> String {
    let mut text = String::new();
    loop {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        text.push(char::from(octet[0]));
        let last = text.trim_end().lines().next_back().unwrap_or_default();
        if text.ends_with("\r\n") && last.as_bytes().get(3) == Some(&b' ') {
            return text;
        }
    }
}

/// SR-23: on real sockets. What comes in clear behind STARTTLS is never carried out, in the same
/// segment or in another one; after a handshake everything begins anew.
#[test]
fn sr_23_starttls() {
    let sessions: Sessions = Rc::new(mail);
    with_sessions(Limits::default(), &sessions, |[mx, _, _], orders| {
        let begin = || {
            let mut stream = TcpStream::connect(mx).unwrap();
            reply(&mut stream);
            stream.write_all(b"EHLO a.test\r\n").unwrap();
            assert!(reply(&mut stream).contains("250-STARTTLS\r\n"));
            stream
        };
        let mut injected = begin();
        injected.write_all(b"STARTTLS\r\nNOOP\r\n").unwrap();
        let said = rest(injected);
        assert!(!said.contains("250"), "{said}");
        let mut late = begin();
        late.write_all(b"STARTTLS\r\n").unwrap();
        assert_eq!(&reply(&mut late)[..4], "220 ");
        late.write_all(b"NOOP\r\n").unwrap();
        let said = rest(late);
        assert!(!said.contains("250"), "{said}");

        let mut stream = begin();
        stream.write_all(b"STARTTLS\r\n").unwrap();
        assert_eq!(&reply(&mut stream)[..4], "220 ");
        let mut stream = secure(stream);
        stream.write_all(b"MAIL FROM:<a@a.test>\r\n").unwrap();
        assert_eq!(&reply(&mut stream)[..3], "503");
        stream.write_all(b"EHLO a.test\r\n").unwrap();
        assert!(!reply(&mut stream).contains("STARTTLS"));
        stream.write_all(b"STARTTLS\r\n").unwrap();
        assert_eq!(&reply(&mut stream)[..1], "5");
        orders.try_send(Order::Reload).unwrap();
        orders.try_send(Order::Stop).unwrap();
    });
}

/// Any certificate will do.
fn secure(stream: TcpStream) -> impl Read + Write {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(Any(schemes)))
        .with_no_client_auth();
    let name = "mx.test".try_into().unwrap();
    let client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(client, stream)
}

#[derive(Debug)]
struct Any(Vec<rustls::SignatureScheme>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.clone()
    }
}

#[test]
fn sessions_outlive_a_reload_and_end_with_a_word() {
    let hall = with(Limits::default(), |[mx, imaps, imap], orders| {
        let mut first = TcpStream::connect(mx).unwrap();
        assert_eq!(read(&mut first, 5), "hello");
        orders.try_send(Order::Reload).unwrap();
        let mut second = TcpStream::connect(mx).unwrap();
        assert_eq!(read(&mut second, 5), "hello");
        let mut panics = TcpStream::connect(mx).unwrap();
        panics.write_all(b"panic").unwrap();
        assert_eq!(rest(panics), "hello");
        let mut nonsense = TcpStream::connect(imaps).unwrap();
        nonsense.write_all(b"a1 CAPABILITY\r\n").unwrap();
        assert!(!rest(nonsense).contains("hello"));
        let mut stubborn = TcpStream::connect(imap).unwrap();
        assert_eq!(read(&mut stubborn, 5), "hello");
        orders.try_send(Order::Stop).unwrap();
        assert_eq!(rest(first), "bye");
        assert_eq!(rest(second), "bye");
        assert!(TcpStream::connect(mx).is_err(), "no new sessions");
        // Who does not go by itself goes with the second signal.
        orders.try_send(Order::Stop).unwrap();
    });
    assert_eq!(hall.executor.panics(), 1);
}

#[test]
fn a_client_beside_ten_times_as_many_slow_ones_is_served() {
    let limits = Limits {
        total: 50,
        per_address: 0,
    };
    with(limits, |[mx, _, _], orders| {
        let slow: Vec<_> = (0..500).map(|_| TcpStream::connect(mx).unwrap()).collect();
        thread::sleep(std::time::Duration::from_millis(300));
        let mut client = TcpStream::connect(mx).unwrap();
        let brief = std::time::Duration::from_secs(1);
        client.set_read_timeout(Some(brief)).unwrap();
        assert_eq!(read(&mut client, 5), "hello");
        orders.try_send(Order::Reload).unwrap();
        orders.try_send(Order::Stop).unwrap();
        assert_eq!(rest(client), "bye");
        let last = rest(slow.into_iter().last().unwrap());
        assert_eq!(last, "421 4.7.0 mx.test Error: too many connections\r\n");
    });
}

/// An address of this machine that is not loopback: to that one limits per address apply.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback()).then_some(ip)
}

#[test]
fn one_address_gets_its_share_and_no_more() {
    let Some(own) = own_address() else {
        return;
    };
    let limits = Limits {
        total: 0,
        per_address: 3,
    };
    with(limits, move |[mx, _, _], orders| {
        let there = SocketAddr::new(own, mx.port());
        let mut inside: Vec<_> = (0..3).map(|_| TcpStream::connect(there).unwrap()).collect();
        for client in &mut inside {
            assert_eq!(read(client, 5), "hello");
        }
        let refused = TcpStream::connect(there).unwrap();
        let text = "421 4.7.0 mx.test Error: too many connections\r\n";
        assert_eq!(rest(refused), text);
        // Loopback is exempt.
        let mut local = TcpStream::connect(mx).unwrap();
        assert_eq!(read(&mut local, 5), "hello");
        // Who goes gives his place back.
        drop(inside.pop());
        let served = (0..100).any(|_| {
            thread::sleep(std::time::Duration::from_millis(20));
            let mut again = TcpStream::connect(there).unwrap();
            read(&mut again, 5) == "hello"
        });
        assert!(served);
        orders.try_send(Order::Reload).unwrap();
        orders.try_send(Order::Stop).unwrap();
    });
}
