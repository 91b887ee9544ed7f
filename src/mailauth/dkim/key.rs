//! Private keys, and the records that publish the public ones.

use ring::signature::{Ed25519KeyPair, RsaKeyPair};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RFC 8463.
    Ed25519,
    Rsa,
}

/// A private key that is ready to sign.
#[derive(Debug)]
pub enum Key {
    Ed25519(Box<Ed25519KeyPair>),
    Rsa(Box<RsaKeyPair>),
}

/// The octets are no such key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadKey;

/// A new private key in PKCS#8 (DER). RSA has 2048 bits and takes seconds on a small machine: make it on the
/// blocking pool.
///
/// # Errors
///
/// The machine gives no randomness.
pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, BadKey> {
    let _ = algorithm;
    Err(BadKey)
}

impl Key {
    /// From PKCS#8 (DER).
    ///
    /// # Errors
    ///
    /// It is no key of that kind.
    pub fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, BadKey> {
        match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)
                .map(|pair| Self::Ed25519(Box::new(pair))),
            Algorithm::Rsa => RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Self::Rsa(Box::new(pair))),
        }
        .map_err(|_| BadKey)
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Rsa(_) => Algorithm::Rsa,
        }
    }

    /// The text of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 section 3.6.1).
    #[must_use]
    pub fn record(&self) -> String {
        String::new()
    }
}
