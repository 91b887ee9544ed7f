//! Judges a server's certificate: by authorities and names (RFC 5280, RFC 6125), by TLSA records
//! (RFC 6698, RFC 7671, RFC 7672), or not at all.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use futures_rustls::{
    pki_types::{CertificateDer, ServerName, UnixTime},
    rustls::{
        self, CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
        client::{
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
            verify_server_cert_signed_by_trust_anchor, verify_server_name,
        },
        crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
        server::ParsedCertificate,
    },
};
use ring::digest;

use crate::{
    base::time::Time,
    net::{resolve::Tlsa, x509::About},
};

/// Names of a certificate that a text shows.
const SHOWN: usize = 3;

/// [`super::Verify`] with all that it needs.
pub(super) enum Proof {
    Dane {
        /// Usable ones.
        records: Vec<Tlsa>,
        names: Vec<ServerName<'static>>,
    },
    Names {
        names: Vec<ServerName<'static>>,
        roots: Arc<RootCertStore>,
    },
    Nothing,
}

pub(super) struct Verifier {
    pub proof: Proof,
    /// For texts.
    pub host: String,
    pub provider: Arc<CryptoProvider>,
    /// `None`: the calendar is not trusted, no date is judged.
    pub time: Option<Time>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// Why a certificate is not believed, for people.
#[derive(Debug)]
struct Flaw(String);

impl Error for Flaw {}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = match &self.proof {
            Proof::Dane { records, names } => self.dane(leaf, chain, records, names),
            Proof::Names { names, roots } => self.signed(leaf, chain, roots, names),
            Proof::Nothing => Ok(()),
        };
        match judged {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(text) => {
                let flaw = OtherError(Arc::new(Flaw(text)));
                Err(CertificateError::Other(flaw).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl Verifier {
    fn dane(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        records: &[Tlsa],
        names: &[ServerName<'static>],
    ) -> Result<(), String> {
        let of = |usage: u8| records.iter().filter(move |record| record.usage == usage);
        // DANE-EE: neither names nor dates count (RFC 7672 section 3.1.1).
        if of(3).any(|record| matches(record, leaf)) {
            return Ok(());
        }
        let mut anchors = RootCertStore::empty();
        for record in of(2) {
            for certificate in chain.iter().filter(|der| matches(record, der)) {
                // One that cannot be read is no anchor.
                let _ = anchors.add(certificate.clone());
            }
            // A whole certificate need not be sent.
            if (record.selector, record.matching) == (0, 0) {
                let _ = anchors.add(CertificateDer::from(record.data.as_slice()));
            }
        }
        if anchors.is_empty() {
            return Err(format!(
                "the certificate of {} fits none of the TLSA records (DANE) that its domain publishes",
                self.host
            ));
        }
        self.signed(leaf, chain, &anchors, names)
    }

    /// Whether one of the roots stands behind the certificate, and it is for one of the names.
    fn signed(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        roots: &RootCertStore,
        names: &[ServerName<'static>],
    ) -> Result<(), String> {
        let host = &self.host;
        let read = (ParsedCertificate::try_from(leaf), About::read(leaf));
        let (Ok(parsed), Some(about)) = read else {
            return Err(format!("the certificate of {host} cannot be read"));
        };
        if !names
            .iter()
            .any(|name| verify_server_name(&parsed, name).is_ok())
        {
            return Err(wrong_name(&about, host));
        }
        // Without a calendar it is as late as it may be for this certificate to be good.
        let time = self.time.unwrap_or(about.from);
        if time > about.until {
            let day = day(about.until);
            return Err(format!("the certificate of {host} has expired: on {day}"));
        }
        if time < about.from {
            return Err(format!(
                "the certificate of {host} is not valid before {}; is the clock here right?",
                day(about.from)
            ));
        }
        let seconds = u64::try_from(time.0).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, chain, now, algorithms)
            .map_err(|error| untrusted(&about, host, &error))
    }
}

/// RFC 6698 section 2.1: what the record says of this certificate holds.
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let selected = match record.selector {
        0 => certificate.to_vec(),
        1 => match ParsedCertificate::try_from(certificate) {
            Ok(parsed) => parsed.subject_public_key_info().to_vec(),
            Err(_) => return false,
        },
        _ => return false,
    };
    match record.matching {
        0 => selected == record.data,
        1 => digest::digest(&digest::SHA256, &selected).as_ref() == record.data,
        2 => digest::digest(&digest::SHA512, &selected).as_ref() == record.data,
        _ => false,
    }
}

fn wrong_name(about: &About, host: &str) -> String {
    let shown: Vec<_> = about.names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if about.names.len() > SHOWN {
        " and others"
    } else {
        ""
    };
    match shown.as_slice() {
        [] => format!("the certificate of {host} is for no host name at all"),
        names => format!(
            "the certificate is for {}{more}, not for {host}",
            names.join(", ")
        ),
    }
}

fn untrusted(about: &About, host: &str, error: &rustls::Error) -> String {
    match error {
        _ if about.self_signed => {
            format!("the certificate of {host} is signed by nobody but itself")
        }
        // Who signed it has the name of one that is trusted, but not its key, or not even the name.
        rustls::Error::InvalidCertificate(
            CertificateError::BadSignature | CertificateError::UnknownIssuer,
        ) => {
            let issuer = match about.issuer.as_str() {
                "" => "somebody",
                issuer => issuer,
            };
            format!("the certificate of {host} is signed by {issuer}, which is not trusted here")
        }
        // The certificate itself is in time: one between it and the root is not.
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => format!(
            "the certificate of {host} is signed by one that has expired or is not valid yet: {}",
            about.issuer
        ),
        other => format!("the certificate of {host} is not good: {other}"),
    }
}

/// `2026-11-21`.
fn day(time: Time) -> String {
    let mut text = time.rfc3339();
    text.truncate(10);
    text
}
