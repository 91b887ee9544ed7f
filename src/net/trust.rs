//! TLS for clients: whom we believe to be who they say.

mod verifier;

use std::{cell::RefCell, fmt, io, rc::Rc, sync::Arc};

use futures_rustls::{
    TlsConnector,
    client::TlsStream,
    pki_types::{CertificateDer, ServerName},
    rustls::{
        self, AlertDescription, CertificateError, ClientConfig, ClientConnection, InvalidMessage,
        PeerIncompatible, RootCertStore,
        client::Resumption,
        crypto::CryptoProvider,
        version::{TLS12, TLS13},
    },
};

use crate::{
    base::time::{BUILT, Instant},
    net::{
        resolve::Tlsa,
        stream::Socket,
        tls::{self, BUFFER},
        world::{RealWorld, World},
    },
};

use verifier::{Proof, Verifier};

/// Roots that nobody asked for are dropped after so many seconds …
const IDLE: u64 = 600;
/// … and read anew after so many: the machine's package may have been updated.
const STALE: u64 = 86_400;

/// What a server has to prove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verify {
    /// One of the records (RFC 7672), for one of the names where the record asks for that. Records that
    /// are not [`usable`] prove nothing; without any other nothing has to be proved.
    Dane {
        records: Vec<Tlsa>,
        names: Vec<String>,
    },
    /// A certificate of an authority that this machine trusts, for one of these names (or IP addresses).
    Names(Vec<String>),
    /// Nothing: opportunistic TLS (RFC 7435). That it holds the key of its certificate it has to prove
    /// all the same.
    Nothing,
}

/// A client's side of a handshake.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub trust: Trust,
    /// For SNI; an IP address where there is no name.
    pub server_name: String,
    pub verify: Verify,
}

/// Whether a record can prove anything about a mail server: DANE-TA and DANE-EE alone
/// (RFC 7672 section 3.1.3), of a form that we know.
#[must_use]
pub fn usable(record: &Tlsa) -> bool {
    let length = match record.matching {
        0 => !record.data.is_empty(),
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        _ => false,
    };
    length && matches!(record.usage, 2 | 3) && record.selector <= 1
}

/// Roots and configurations, read when they are first needed. Cheap to clone.
#[derive(Clone)]
pub struct Trust(Rc<Shelf>);

struct Shelf {
    world: Rc<dyn World>,
    provider: Arc<CryptoProvider>,
    /// `None`: this machine's.
    given: Option<Arc<RootCertStore>>,
    roots: RefCell<Option<Roots>>,
}

/// This machine's roots: about 100 KB.
struct Roots {
    store: Arc<RootCertStore>,
    read: Instant,
    used: Instant,
}

impl Default for Trust {
    fn default() -> Self {
        Self::new(Rc::new(RealWorld::new()))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// Trusts the authorities that the machine trusts.
    #[must_use]
    pub fn new(world: Rc<dyn World>) -> Self {
        Self::make(world, None)
    }

    /// Trusts these authorities and nobody else: certificates in DER, those that cannot be read left out.
    #[must_use]
    pub fn with_roots(world: Rc<dyn World>, roots: Vec<Vec<u8>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.into_iter().map(CertificateDer::from));
        Self::make(world, Some(Arc::new(store)))
    }

    fn make(world: Rc<dyn World>, given: Option<Arc<RootCertStore>>) -> Self {
        Self(Rc::new(Shelf {
            world,
            provider: Arc::new(tls::provider()),
            given,
            roots: RefCell::default(),
        }))
    }

    /// Drops what was not used for long; says whether anything is left that wants another call later.
    pub fn rest(&self) -> bool {
        let now = self.0.world.now();
        let mut roots = self.0.roots.borrow_mut();
        if roots
            .as_ref()
            .is_some_and(|roots| now.since(roots.used).as_secs() >= IDLE)
        {
            *roots = None;
        }
        roots.is_some()
    }

    /// Has no deadline of its own.
    ///
    /// # Errors
    ///
    /// The peer speaks no TLS, is gone, or does not prove what it has to; the text says which.
    pub async fn connect(
        &self,
        socket: Socket,
        outgoing: &Outgoing,
    ) -> io::Result<Box<TlsStream<Socket>>> {
        let host = outgoing.server_name.as_str();
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            return Err(failed(format!(
                "{host} is no name that TLS can ask a server for"
            )));
        };
        let config = self.config(outgoing).await?;
        let limit = |connection: &mut ClientConnection| connection.set_buffer_limit(Some(BUFFER));
        let connector = TlsConnector::from(Arc::new(config));
        let connected = connector.connect_with(name, socket, limit).await;
        connected
            .map(Box::new)
            .map_err(|error| failed(words(host, &error)))
    }

    async fn config(&self, outgoing: &Outgoing) -> io::Result<ClientConfig> {
        let time = self.0.world.time();
        let verifier = Verifier {
            proof: self.proof(&outgoing.verify).await?,
            host: outgoing.server_name.clone(),
            provider: Arc::clone(&self.0.provider),
            // Without a clock a date says nothing (UX-37).
            time: (time.0 >= BUILT).then_some(time),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.0.provider));
        let builder = builder
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| failed(error.to_string()))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // A session that is resumed is one whose certificate is not looked at again, and memory.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    async fn proof(&self, verify: &Verify) -> io::Result<Proof> {
        Ok(match verify {
            Verify::Dane { records, names } => {
                let records: Vec<_> = records.iter().filter(|r| usable(r)).cloned().collect();
                if records.is_empty() {
                    Proof::Nothing
                } else {
                    Proof::Dane {
                        records,
                        names: server_names(names),
                    }
                }
            }
            Verify::Names(names) => Proof::Names {
                names: server_names(names),
                roots: self.roots().await?,
            },
            Verify::Nothing => Proof::Nothing,
        })
    }

    async fn roots(&self) -> io::Result<Arc<RootCertStore>> {
        if let Some(given) = &self.0.given {
            return Ok(Arc::clone(given));
        }
        let now = self.0.world.now();
        if let Some(roots) = self.0.roots.borrow_mut().as_mut()
            && now.since(roots.read).as_secs() < STALE
        {
            roots.used = now;
            return Ok(Arc::clone(&roots.store));
        }
        let store = Arc::new(blocking::unblock(native).await?);
        *self.0.roots.borrow_mut() = Some(Roots {
            store: Arc::clone(&store),
            read: now,
            used: now,
        });
        Ok(store)
    }
}

/// This machine's roots; reads files.
fn native() -> io::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    store.roots.shrink_to_fit();
    if store.is_empty() {
        for error in found.errors.iter().take(3) {
            log::warn!(target: "net", "certificates of authorities: {error}");
        }
        return Err(failed(
            "this machine has no certificates of authorities, so no name can be verified; install its \
             package ca-certificates"
                .to_owned(),
        ));
    }
    Ok(store)
}

/// What is no name is the name of no certificate.
fn server_names(names: &[String]) -> Vec<ServerName<'static>> {
    let parse = |name: &String| ServerName::try_from(name.clone()).ok();
    names.iter().filter_map(parse).collect()
}

fn failed(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Why a handshake failed, for people (UX-58).
fn words(host: &str, error: &io::Error) -> String {
    let inner = error.get_ref();
    let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                format!("{host} ended the connection in the middle of the TLS handshake")
            }
            _ => format!("TLS handshake with {host}: {error}"),
        };
    };
    match inner {
        rustls::Error::InvalidCertificate(CertificateError::Other(said)) => said.0.to_string(),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{host} answers in plain text at this port, not with TLS")
        }
        rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            format!("{host} speaks only TLS older than 1.2, which nobody should use any more")
        }
        rustls::Error::AlertReceived(alert) => {
            format!("{host} refused the TLS handshake: {alert:?}")
        }
        other => format!("TLS handshake with {host}: {other}"),
    }
}

#[cfg(test)]
mod tests;
