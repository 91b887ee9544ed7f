//! Handshakes in memory: who gets which certificate, and what is agreed on.

use futures_rustls::{
    pki_types::ServerName,
    rustls::{
        ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore,
        SupportedProtocolVersion,
    },
};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::{
    base::time::Time,
    net::pairs::{self, Import, Place},
};

/// Certificates for these lists of names, imported; and the self-signed one of `mx.home.test`.
struct Host {
    _folder: tempfile::TempDir,
    place: Place,
    tls: Tls,
}

impl Host {
    fn new(names: &[&[&str]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            data: folder.path().to_owned(),
            hostname: "mx.home.test".to_owned(),
            files: None,
        };
        let new = Self {
            _folder: folder,
            tls: Tls::new(gathered(&place), false).unwrap(),
            place,
        };
        for names in names {
            new.import(names);
        }
        new
    }

    fn import(&self, names: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let import = Import::new(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
        import.unwrap().keep(&self.place).unwrap();
        self.tls.swap(gathered(&self.place));
    }

    fn server(&self, tls13_only: bool) -> ServerConfig {
        let resolver = Arc::clone(&self.tls.shelf) as Arc<dyn ResolvesServerCert>;
        config(resolver, tls13_only).unwrap()
    }

    fn trusting(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for (pair, _, _) in self.tls.pairs().used() {
            roots.add(pair.key.cert[0].clone()).unwrap();
        }
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

fn gathered(place: &Place) -> Pairs {
    let (pairs, flaws) = pairs::gather(place.clone(), Time(0), None).unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    pairs
}

/// A whole handshake and what the server says after it.
fn shake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    for _ in 0..10 {
        let mut octets = vec![];
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut octets = vec![];
        while server.wants_write() {
            server.write_tls(&mut octets).unwrap();
        }
        let mut rest = octets.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

/// SU-11: by the name that the client asks for, whatever its case; a mail server asks for none.
#[test]
fn su_11_by_name() {
    let host = Host::new(&[&["mail.a.test", "*.a.test"], &["www.a.test"], &["b.test"]]);
    let client = Arc::new(host.trusting(&[&TLS13]));
    let server = Arc::new(host.server(false));
    for (name, first) in [
        ("mail.a.test", "mail.a.test"),
        ("MAIL.a.test", "mail.a.test"),
        ("www.a.test", "www.a.test"),
        ("imap.a.test", "mail.a.test"),
        ("b.test", "b.test"),
        ("mx.home.test", "mx.home.test"),
        ("mx.local", "mx.home.test"),
    ] {
        let (client, _) = shake(&client, &server, name).unwrap_or_else(|error| {
            panic!("{name}: {error}");
        });
        let got = client.peer_certificates().unwrap()[0].to_vec();
        let pairs = host.tls.pairs();
        assert_eq!(
            got,
            pairs.choose(Some(first)).unwrap().key.cert[0].to_vec(),
            "{name}"
        );
    }
    // These get the default one, which is not for them.
    for name in ["a.test", "x.y.a.test", "127.0.0.1", "c.b.test"] {
        let error = shake(&client, &server, name).err().unwrap();
        assert!(
            matches!(error, rustls::Error::InvalidCertificate(_)),
            "{name}: {error}"
        );
    }
}

/// OP-6: what was agreed before stays, tickets too; the next handshake gets the new certificate.
#[test]
fn op_6_a_swap_and_resumption() {
    let host = Host::new(&[&["a.test"]]);
    let server = Arc::new(host.server(false));
    let client = Arc::new(host.trusting(&[&TLS13]));
    let (first, _) = shake(&client, &server, "a.test").unwrap();
    assert_eq!(first.handshake_kind(), Some(HandshakeKind::Full));
    let old = first.peer_certificates().unwrap()[0].to_vec();
    host.import(&["a.test"]);
    let (second, _) = shake(&client, &server, "a.test").unwrap();
    assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    let (third, _) = shake(&Arc::new(host.trusting(&[&TLS13])), &server, "a.test").unwrap();
    assert_eq!(third.handshake_kind(), Some(HandshakeKind::Full));
    assert_ne!(third.peer_certificates().unwrap()[0].to_vec(), old);
}

/// SU-11, RFC 9266: both ends know the same binding, and no other connection has it.
#[test]
fn versions_suites_and_channel_binding() {
    let host = Host::new(&[]);
    let name = "mx.home.test";
    let server = Arc::new(host.server(false));
    let fast = if has_aes() {
        "AES_128_GCM"
    } else {
        "CHACHA20_POLY1305"
    };
    let mut bindings = vec![];
    for _ in 0..2 {
        let (client, connection) =
            shake(&Arc::new(host.trusting(&[&TLS13])), &server, name).unwrap();
        let secured = secured(&connection);
        assert_eq!(secured.version, "TLS1.3");
        assert_eq!(secured.cipher, format!("TLS_{fast}_SHA256"));
        let expected = client
            .export_keying_material([0; 32], BINDING, None)
            .unwrap();
        assert_eq!(secured.exporter, Some(expected));
        bindings.push(expected);
        let group = connection.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), NamedGroup::X25519);
    }
    assert_ne!(bindings[0], bindings[1]);

    let old = Arc::new(host.trusting(&[&TLS12]));
    let (_, connection) = shake(&old, &server, name).unwrap();
    let secured = secured(&connection);
    assert_eq!(secured.version, "TLS1.2");
    assert_eq!(
        secured.cipher,
        format!("TLS_ECDHE_ECDSA_WITH_{fast}_SHA256")
    );
    assert_eq!(secured.exporter, None);
    let error = shake(&old, &Arc::new(host.server(true)), name)
        .err()
        .unwrap();
    assert!(
        matches!(error, rustls::Error::PeerIncompatible(_)),
        "{error}"
    );
}
