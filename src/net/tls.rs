//! TLS for servers: versions 1.2 and 1.3, ring's suites, certificates that can be swapped (SU-11).

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
};

use futures_rustls::{
    TlsAcceptor,
    rustls::{
        self, CipherSuite, ConnectionCommon, ProtocolVersion, ServerConfig, ServerConnection,
        SupportedCipherSuite,
        crypto::{CryptoProvider, ring},
        server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
        sign::CertifiedKey,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

use crate::{
    base::machine::Secured,
    net::{pairs::Pairs, stream::Socket},
};

/// Octets a connection may hold that are not sent yet, and that are not read yet.
pub(super) const BUFFER: usize = 16 * 1024;
/// What a channel binding is exported under (RFC 9266 section 4).
const BINDING: &[u8] = b"EXPORTER-Channel-Binding";

/// What every listener with TLS shares; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shelf: Arc<Shelf>,
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
    pub fn new(pairs: impl Into<Pairs>, tls13_only: bool) -> Result<Self, rustls::Error> {
        let shelf = Arc::new(Shelf(RwLock::new(Arc::new(pairs.into()))));
        let resolver = Arc::clone(&shelf) as Arc<dyn ResolvesServerCert>;
        let config = Arc::new(config(resolver, tls13_only)?);
        Ok(Self {
            acceptor: TlsAcceptor::from(config),
            shelf,
        })
    }

    /// Other certificates from the next handshake on; connections stay (OP-6).
    pub fn swap(&self, pairs: Pairs) {
        let mut current = self.shelf.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(pairs);
    }

    /// The certificates that are used now.
    #[must_use]
    pub fn pairs(&self) -> Arc<Pairs> {
        let current = self.shelf.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// The server's side of a handshake. Has no deadline of its own.
    ///
    /// # Errors
    ///
    /// The peer speaks no TLS, or none that is allowed here, or is gone.
    pub async fn accept(&self, socket: Socket) -> io::Result<Box<TlsStream<Socket>>> {
        let limit = |connection: &mut ServerConnection| connection.set_buffer_limit(Some(BUFFER));
        self.acceptor.accept_with(socket, limit).await.map(Box::new)
    }
}

fn config(
    resolver: Arc<dyn ResolvesServerCert>,
    tls13_only: bool,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[_] = if tls13_only {
        &[&TLS13]
    } else {
        &[&TLS13, &TLS12]
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // Else the client decides, and most ask for AES-256 with SHA-384 first.
    config.ignore_client_order = true;
    // A ticket lets a phone come back without a full handshake, and costs no memory here.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.send_half_rtt_data = false;
    config.max_early_data_size = 0;
    Ok(config)
}

/// ring's suites, all with forward secrecy and AEAD, the quickest first: SHA-384 has no instructions of
/// its own and takes a tenth of a handshake; without instructions for AES, as on small ARM boards,
/// ChaCha20 is quicker.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let rank = |suite: &SupportedCipherSuite| match suite.suite() {
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => u8::from(has_aes()),
        CipherSuite::TLS13_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => 2,
        _ => u8::from(!has_aes()),
    };
    provider.cipher_suites.sort_by_key(rank);
    provider
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes() -> bool {
    is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// What a handshake agreed on.
#[must_use]
pub fn secured<T>(connection: &ConnectionCommon<T>) -> Secured {
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
        exporter: exporter(connection),
    }
}

/// The `tls-exporter` channel binding (RFC 9266). TLS 1.2 gives one only with an extended master secret
/// (RFC 9266 section 4.2), and rustls does not say whether there is one.
fn exporter<T>(connection: &ConnectionCommon<T>) -> Option<[u8; 32]> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let exported = connection.export_keying_material([0; 32], BINDING, None);
    exported.ok()
}

/// Chooses by the name that the client asks for (RFC 6066 section 3).
#[derive(Debug)]
struct Shelf(RwLock<Arc<Pairs>>);

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let pair = pairs.choose(hello.server_name())?;
        Some(Arc::clone(&pair.key))
    }
}

#[cfg(test)]
mod tests;
