//! TLS for servers: versions 1.2 and 1.3, ring's suites, a certificate that can be swapped (SU-11).

use std::{
    io,
    net::TcpStream,
    sync::{Arc, PoisonError, RwLock},
};

use async_io::Async;
use futures_rustls::{
    TlsAcceptor,
    rustls::{
        self, ProtocolVersion, ServerConfig, ServerConnection,
        crypto::ring,
        server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
        sign::CertifiedKey,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

use crate::base::machine::Secured;

/// Octets a connection may hold that are not sent yet, and that are not read yet.
const BUFFER: usize = 16 * 1024;

/// What every listener with TLS shares; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// # Errors
    ///
    /// The system gives no randomness for the ticket key.
    pub fn new(certificate: Arc<CertifiedKey>, tls13_only: bool) -> Result<Self, rustls::Error> {
        let versions: &[_] = if tls13_only {
            &[&TLS13]
        } else {
            &[&TLS13, &TLS12]
        };
        let certificate = Arc::new(Certificate(RwLock::new(certificate)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        // A ticket lets a phone come back without a full handshake, and costs no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ring::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        config.send_half_rtt_data = false;
        config.max_early_data_size = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
        })
    }

    /// Another certificate from the next handshake on; connections stay.
    pub fn swap(&self, certificate: Arc<CertifiedKey>) {
        let mut current = self
            .certificate
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = certificate;
    }

    /// The server's side of a handshake. Has no deadline of its own.
    ///
    /// # Errors
    ///
    /// The peer speaks no TLS, or none that is allowed here, or is gone.
    pub async fn accept(
        &self,
        tcp: Async<TcpStream>,
    ) -> io::Result<Box<TlsStream<Async<TcpStream>>>> {
        let limit = |connection: &mut ServerConnection| connection.set_buffer_limit(Some(BUFFER));
        self.acceptor.accept_with(tcp, limit).await.map(Box::new)
    }
}

/// What a handshake agreed on.
#[must_use]
pub fn secured(connection: &ServerConnection) -> Secured {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS1.3",
        _ => "TLS",
    };
    // rustls calls the suites of TLS 1.3 `TLS13_…`; IANA does not.
    let cipher = connection
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        .unwrap_or_default()
        .replacen("TLS13_", "TLS_", 1);
    Secured {
        version: version.to_owned(),
        cipher,
        exporter: None,
    }
}

#[derive(Debug)]
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}
