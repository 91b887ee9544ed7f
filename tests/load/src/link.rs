//! A connection, plain or TLS, with a buffer for lines. Any certificate will do: this measures.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme,
    StreamOwned,
};

use crate::Failure;

/// Nothing that is measured takes longer between two octets.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Link {
    stream: Stream,
    buffer: Vec<u8>,
    at: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    pub fn open(addr: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Self, Failure> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream = match tls {
            Some(config) => {
                let name = ServerName::try_from("home.test")?;
                let session = ClientConnection::new(Arc::clone(config), name)?;
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
            None => Stream::Plain(stream),
        };
        Ok(Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        })
    }

    /// In the clear, over a connection that is there.
    pub fn plain(stream: TcpStream) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: Stream::Plain(stream),
            buffer: Vec::new(),
            at: 0,
        })
    }

    pub fn send(&mut self, octets: &[u8]) -> Result<(), Failure> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(octets)?,
            Stream::Tls(stream) => {
                stream.write_all(octets)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    /// New or resumed; `None` without TLS.
    pub fn kind(&self) -> Option<HandshakeKind> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.conn.handshake_kind(),
        }
    }

    /// A line without its CRLF.
    pub fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.buffer[self.at..]
                .iter()
                .position(|octet| *octet == b'\n')
            {
                let line = &self.buffer[self.at..self.at + end];
                let text = String::from_utf8_lossy(line)
                    .trim_end_matches('\r')
                    .to_owned();
                self.at += end + 1;
                return Ok(text);
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            let mut piece = [0; 4096];
            let read = self.read(&mut piece)?;
            self.buffer.extend_from_slice(&piece[..read]);
        }
    }

    /// Octets as they come, those in the line buffer first; an error when the peer has closed.
    pub fn read(&mut self, piece: &mut [u8]) -> Result<usize, Failure> {
        if self.at < self.buffer.len() {
            let length = piece.len().min(self.buffer.len() - self.at);
            piece[..length].copy_from_slice(&self.buffer[self.at..self.at + length]);
            self.at += length;
            return Ok(length);
        }
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(piece)?,
            Stream::Tls(stream) => stream.read(piece)?,
        };
        match read {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => Ok(read),
        }
    }
}

pub fn any_certificate() -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
