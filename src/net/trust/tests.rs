//! Handshakes over a pair of sockets: certificates that we made against each way to judge them.

use std::{cell::Cell, os::unix::net::UnixStream};

use async_io::{Async, block_on};
use futures_rustls::{
    TlsAcceptor,
    pki_types::PrivateKeyDer,
    rustls::{ServerConfig, SupportedProtocolVersion},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    PublicKeyData, date_time_ymd,
};
use ring::digest;
use smol::{
    future::zip,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::*;
use crate::{
    base::{random::Random, time::Time},
    net::world::Local,
};

/// 2026-06-01.
const SUMMER: i64 = 1_780_272_000;

#[derive(Debug)]
struct At(Time, Cell<u64>);

impl World for At {
    fn now(&self) -> Instant {
        Instant(self.1.get())
    }

    fn time(&self) -> Time {
        self.0
    }

    fn sleep(&self, _: Instant) -> Local<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random(&self) -> &dyn Random {
        unreachable!("nobody asks")
    }
}

fn at(time: i64) -> Rc<At> {
    Rc::new(At(Time(time), Cell::new(0)))
}

/// An authority, one below it, and what a server sends.
struct Chain {
    root: CertificateDer<'static>,
    middle: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    leaf_spki: Vec<u8>,
    middle_spki: Vec<u8>,
    key: KeyPair,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

fn leaf(names: &[&str], from: i32, until: i32) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

impl Chain {
    fn new(names: &[&str], from: i32, until: i32) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let root = authority("Home Root").self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(authority("Home Root"), root_key);
        let middle_key = KeyPair::generate().unwrap();
        let middle = authority("Home Middle")
            .signed_by(&middle_key, &root_issuer)
            .unwrap();
        let middle_spki = middle_key.subject_public_key_info();
        let middle_issuer = Issuer::new(authority("Home Middle"), middle_key);
        let key = KeyPair::generate().unwrap();
        let leaf = leaf(names, from, until)
            .signed_by(&key, &middle_issuer)
            .unwrap();
        Self {
            root: root.der().clone(),
            middle: middle.der().clone(),
            leaf: leaf.der().clone(),
            leaf_spki: key.subject_public_key_info(),
            middle_spki,
            key,
        }
    }

    fn good() -> Self {
        Self::new(&["mx.a.test", "*.b.test"], 2026, 2027)
    }

    fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        let sent = vec![self.leaf.clone(), self.middle.clone()];
        server(sent, &self.key, versions)
    }
}

fn server(
    sent: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(tls::provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(sent, key)
        .unwrap()
}

fn sockets() -> (Async<UnixStream>, Async<UnixStream>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Async::new(ours).unwrap(), Async::new(theirs).unwrap())
}

/// A handshake, and four octets from the server: what the client has against it.
fn shake(
    trust: &Trust,
    server: ServerConfig,
    server_name: &str,
    verify: Verify,
) -> Result<(), String> {
    let (ours, theirs) = sockets();
    let outgoing = Outgoing {
        trust: trust.clone(),
        server_name: server_name.to_owned(),
        verify,
    };
    let client = async {
        let connected = trust.connect(Socket::Unix(ours), &outgoing).await;
        let mut stream = connected.map_err(|error| error.to_string())?;
        let mut octets = [0; 4];
        stream.read_exact(&mut octets).await.unwrap();
        assert_eq!(&octets, b"220 ");
        Ok(())
    };
    let serve = async {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        if let Ok(mut stream) = acceptor.accept(theirs).await {
            // The client may be gone.
            let _ = stream.write_all(b"220 ").await;
            let _ = stream.flush().await;
        }
    };
    block_on(zip(client, serve)).0
}

fn trust(chain: &Chain, time: i64) -> Trust {
    let roots = vec![chain.root.to_vec(), b"no certificate".to_vec()];
    Trust::with_roots(at(time), roots)
}

fn named(chain: &Chain, name: &str, time: i64) -> Result<(), String> {
    let names = Verify::Names(vec![name.to_owned()]);
    shake(&trust(chain, time), chain.server(&[&TLS13]), name, names)
}

#[test]
fn names_and_authorities() {
    let chain = Chain::good();
    for name in ["mx.a.test", "MX.A.test", "x.b.test"] {
        named(&chain, name, SUMMER).unwrap();
    }
    for name in ["a.test", "b.test", "x.y.b.test", "xmx.a.test"] {
        let said = named(&chain, name, SUMMER).unwrap_err();
        let want = format!("the certificate is for mx.a.test, *.b.test, not for {name}");
        assert_eq!(said, want);
    }
    // One of several names is enough; no names are none.
    let trust = trust(&chain, SUMMER);
    let several = Verify::Names(vec!["a.test".to_owned(), "mx.a.test".to_owned()]);
    shake(&trust, chain.server(&[&TLS12]), "a.test", several).unwrap();
    let none = Verify::Names(vec![]);
    shake(&trust, chain.server(&[&TLS13]), "mx.a.test", none).unwrap_err();
}

/// UX-58: each failure has its own text.
#[test]
fn ux_58_each_failure_is_named() {
    let chain = Chain::good();
    let expired = Chain::new(&["mx.a.test"], 2024, 2026);
    let early = Chain::new(&["mx.a.test"], 2027, 2028);
    let other = Chain::good();
    let mx = "mx.a.test";
    let names = || Verify::Names(vec![mx.to_owned()]);
    assert_eq!(
        named(&expired, mx, SUMMER).unwrap_err(),
        "the certificate of mx.a.test has expired: on 2026-01-01"
    );
    assert_eq!(
        named(&early, mx, SUMMER).unwrap_err(),
        "the certificate of mx.a.test is not valid before 2027-01-01; is the clock here right?"
    );
    let trusting = trust(&other, SUMMER);
    assert_eq!(
        shake(&trusting, chain.server(&[&TLS13]), mx, names()).unwrap_err(),
        "the certificate of mx.a.test is signed by Home Middle, which is not trusted here"
    );
    for params in [leaf(&[mx], 2026, 2027), {
        let mut params = authority(mx);
        params.subject_alt_names = leaf(&[mx], 2026, 2027).subject_alt_names;
        params
    }] {
        let key = KeyPair::generate().unwrap();
        let own = vec![params.self_signed(&key).unwrap().der().clone()];
        assert_eq!(
            shake(&trusting, server(own, &key, &[&TLS13]), mx, names()).unwrap_err(),
            "the certificate of mx.a.test is signed by nobody but itself"
        );
    }
    let bad = shake(&trusting, chain.server(&[&TLS13]), "-", Verify::Nothing);
    assert_eq!(
        bad.unwrap_err(),
        "- is no name that TLS can ask a server for"
    );
}

/// What is no TLS server: one that greets in clear, one that is too old, one that hangs up.
#[test]
fn ux_58_no_tls_there() {
    let trust = Trust::with_roots(at(SUMMER), vec![]);
    let outgoing = Outgoing {
        trust: trust.clone(),
        server_name: "mx.a.test".to_owned(),
        verify: Verify::Nothing,
    };
    let said = |octets: &'static [u8]| {
        let (ours, mut theirs) = sockets();
        let serve = async move {
            theirs.write_all(octets).await.unwrap();
            let mut hello = [0; 5];
            theirs.read_exact(&mut hello).await.unwrap();
        };
        let (connected, ()) = block_on(zip(trust.connect(Socket::Unix(ours), &outgoing), serve));
        connected.unwrap_err().to_string()
    };
    assert_eq!(
        said(b"220 mx.a.test ESMTP ready\r\n"),
        "mx.a.test answers in plain text at this port, not with TLS"
    );
    // A fatal alert: protocol_version, then handshake_failure.
    assert_eq!(
        said(&[21, 3, 1, 0, 2, 2, 70]),
        "mx.a.test speaks only TLS older than 1.2, which nobody should use any more"
    );
    assert_eq!(
        said(&[21, 3, 1, 0, 2, 2, 40]),
        "mx.a.test refused the TLS handshake: HandshakeFailure"
    );
    assert_eq!(
        said(b""),
        "mx.a.test ended the connection in the middle of the TLS handshake"
    );
}

/// UX-37: in 1970 no certificate is too new or too old; whose it is counts all the same.
#[test]
fn ux_37_without_a_calendar_dates_do_not_count() {
    for (from, until) in [(2020, 2021), (2026, 2027), (2038, 2039)] {
        let chain = Chain::new(&["mx.a.test"], from, until);
        named(&chain, "mx.a.test", 100).unwrap();
        named(&chain, "a.test", 100).unwrap_err();
        let stranger = trust(&Chain::good(), 100);
        let names = Verify::Names(vec!["mx.a.test".to_owned()]);
        shake(&stranger, chain.server(&[&TLS13]), "mx.a.test", names).unwrap_err();
    }
}

#[test]
fn opportunistic_takes_any_certificate() {
    let chain = Chain::new(&["other.test"], 2020, 2021);
    let trust = Trust::with_roots(at(SUMMER), vec![]);
    for versions in [&[&TLS12], &[&TLS13]] {
        let server = chain.server(versions);
        shake(&trust, server, "mx.a.test", Verify::Nothing).unwrap();
    }
    shake(
        &trust,
        chain.server(&[&TLS13]),
        "192.0.2.1",
        Verify::Nothing,
    )
    .unwrap();
}

fn record(usage: u8, selector: u8, matching: u8, octets: &[u8]) -> Tlsa {
    let data = match matching {
        1 => digest::digest(&digest::SHA256, octets).as_ref().to_vec(),
        2 => digest::digest(&digest::SHA512, octets).as_ref().to_vec(),
        _ => octets.to_vec(),
    };
    Tlsa {
        usage,
        selector,
        matching,
        data,
    }
}

fn dane(chain: &Chain, records: Vec<Tlsa>, names: &[&str]) -> Result<(), String> {
    // No authority of the machine counts.
    let trust = Trust::with_roots(at(SUMMER), vec![]);
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let verify = Verify::Dane { records, names };
    shake(&trust, chain.server(&[&TLS13]), "mx.a.test", verify)
}

/// RFC 7672 section 3.1.1: the record alone counts.
#[test]
fn dane_ee_ignores_names_and_dates() {
    for chain in [
        Chain::good(),
        Chain::new(&["other.test"], 2020, 2021),
        Chain::new(&[], 2038, 2039),
    ] {
        for matching in 0..=2 {
            let whole = record(3, 0, matching, &chain.leaf);
            let key = record(3, 1, matching, &chain.leaf_spki);
            for record in [whole, key] {
                dane(&chain, vec![record], &["mx.a.test"]).unwrap();
            }
        }
    }
}

/// RFC 7672 section 3.1.2: a chain to the anchor, in time, for one of the names.
#[test]
fn dane_ta_wants_a_chain_and_a_name() {
    let chain = Chain::good();
    for matching in 0..=2 {
        let whole = record(2, 0, matching, &chain.middle);
        let key = record(2, 1, matching, &chain.middle_spki);
        for record in [whole, key] {
            dane(&chain, vec![record.clone()], &["a.test", "mx.a.test"]).unwrap();
            let said = dane(&chain, vec![record], &["a.test"]).unwrap_err();
            assert!(said.contains("not for mx.a.test"), "{said}");
        }
    }
    // The root is not sent: only a record that holds it whole is of use.
    dane(&chain, vec![record(2, 0, 0, &chain.root)], &["mx.a.test"]).unwrap();
    dane(&chain, vec![record(2, 0, 1, &chain.root)], &["mx.a.test"]).unwrap_err();
    let expired = Chain::new(&["mx.a.test"], 2024, 2026);
    let anchor = record(2, 0, 1, &expired.middle);
    let said = dane(&expired, vec![anchor], &["mx.a.test"]).unwrap_err();
    assert!(said.contains("has expired"), "{said}");
}

#[test]
fn dane_records_that_fit_nothing_or_are_of_no_use() {
    let chain = Chain::good();
    let other = Chain::good();
    let strange = record(3, 1, 1, &other.leaf_spki);
    let good = record(3, 1, 1, &chain.leaf_spki);
    assert_eq!(
        dane(&chain, vec![strange.clone()], &["mx.a.test"]).unwrap_err(),
        "the certificate of mx.a.test fits none of the TLSA records (DANE) that its domain publishes"
    );
    // A roll-over: one of them is enough.
    dane(&chain, vec![strange.clone(), good.clone()], &["mx.a.test"]).unwrap();
    // The certificate of an authority, but named as the server's own.
    dane(&chain, vec![record(3, 0, 1, &chain.middle)], &["mx.a.test"]).unwrap_err();
    let useless = [
        record(0, 1, 1, b"x"),
        record(1, 1, 1, &chain.leaf_spki),
        record(3, 2, 1, b"x"),
        record(3, 1, 3, b"x"),
        record(3, 1, 0, b""),
        Tlsa {
            data: vec![1; 31],
            ..good.clone()
        },
        Tlsa {
            matching: 2,
            ..good.clone()
        },
    ];
    for record in &useless {
        assert!(!usable(record), "{record:?}");
        // Beside one that can be used it changes nothing; alone nothing has to be proved.
        dane(&chain, vec![record.clone(), strange.clone()], &[]).unwrap_err();
        dane(&chain, vec![record.clone()], &[]).unwrap();
    }
    assert!(usable(&good));
}

/// The machine's roots are read once, dropped when nobody asks, and read anew in time.
#[test]
fn roots_rest() {
    let world = at(SUMMER);
    let trust = Trust::new(world.clone());
    assert!(!trust.rest());
    // A machine may have none.
    let Ok(first) = block_on(trust.roots()) else {
        return;
    };
    assert!(Arc::ptr_eq(&first, &block_on(trust.roots()).unwrap()));
    assert!(first.len() > 10 && trust.rest());
    world.1.set(IDLE * 1000);
    assert!(!trust.rest());
    let second = block_on(trust.roots()).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    world.1.set((IDLE + STALE) * 1000);
    assert!(!Arc::ptr_eq(&second, &block_on(trust.roots()).unwrap()));
}
