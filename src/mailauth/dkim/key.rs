//! Private keys, and the records that publish the public ones.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::{
    RsaPrivateKey,
    pkcs8::EncodePrivateKey as _,
    rand_core::{self, CryptoRng, RngCore},
};

/// RFC 8301 section 3.2 asks for so many; more do not fit one string of DNS, and some providers refuse
/// them.
const RSA_BITS: usize = 2048;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RFC 8463.
    Ed25519,
    Rsa,
}

impl Algorithm {
    /// As `a=` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519-sha256",
            Self::Rsa => "rsa-sha256",
        }
    }
}

/// A private key that is ready to sign.
#[derive(Debug)]
pub enum Key {
    Ed25519(Box<Ed25519KeyPair>),
    Rsa(Box<RsaKeyPair>),
}

/// The octets are no such key, or none could be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a usable DKIM key")
    }
}

impl std::error::Error for BadKey {}

/// A new private key in PKCS#8 (DER). RSA has 2048 bits and takes seconds on a small machine: make it on the
/// blocking pool.
///
/// # Errors
///
/// The machine gives no randomness.
pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, BadKey> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Ed25519 => {
            let key = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| BadKey)?;
            Ok(key.as_ref().to_vec())
        }
        Algorithm::Rsa => {
            // A test first: the source below cannot say no.
            random.fill(&mut [0; 32]).map_err(|_| BadKey)?;
            let key = RsaPrivateKey::new(&mut Source(random), RSA_BITS).map_err(|_| BadKey)?;
            Ok(key.to_pkcs8_der().map_err(|_| BadKey)?.as_bytes().to_vec())
        }
    }
}

/// The machine's random source for a crate that has its own name for it.
struct Source(SystemRandom);

impl RngCore for Source {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, octets: &mut [u8]) {
        // It does not fail once it has worked; numbers that repeat would make no key at all.
        while self.0.fill(octets).is_err() {}
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(octets);
        Ok(())
    }
}

impl CryptoRng for Source {}

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

    /// The public key as `p=` has it, before base64: RSA a `SubjectPublicKeyInfo` in DER (RFC 6376 section
    /// 3.6.1, erratum 3017), Ed25519 its 32 octets (RFC 8463 section 3).
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Self::Rsa(pair) => public_key_info(pair.public_key().as_ref()),
        }
    }

    /// The signature of `data`; `None` if the machine gives no randomness (for RSA's blinding).
    pub(super) fn sign(&self, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Ed25519(pair) => {
                // Of the hash, not of what was hashed (RFC 8463 section 3).
                let hash = ring::digest::digest(&ring::digest::SHA256, data);
                Some(pair.sign(hash.as_ref()).as_ref().to_vec())
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    data,
                    &mut signature,
                )
                .ok()?;
                Some(signature)
            }
        }
    }
}

/// The text of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 section 3.6.1); `public` as
/// [`Key::public`] has it.
#[must_use]
pub fn record(algorithm: Algorithm, public: &[u8]) -> String {
    let kind = match algorithm {
        Algorithm::Ed25519 => "ed25519",
        Algorithm::Rsa => "rsa",
    };
    ["v=DKIM1; k=", kind, "; p=", &BASE64_STANDARD.encode(public)].concat()
}

/// RFC 5280 section 4.1 around an `RSAPublicKey`: the algorithm's identifier, then the key as a bit string.
fn public_key_info(key: &[u8]) -> Vec<u8> {
    /// `rsaEncryption` and NULL (RFC 3279 section 2.3.1).
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    const BIT_STRING: u8 = 0x03;
    const SEQUENCE: u8 = 0x30;
    let bits = [&[0], key].concat();
    der(
        SEQUENCE,
        &[&ALGORITHM, der(BIT_STRING, &bits).as_slice()].concat(),
    )
}

/// A value with its tag and length; the values here have less than 64 KiB.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let [.., high, low] = value.len().to_be_bytes();
    let mut out = vec![tag];
    match (high, low) {
        (0, 0..0x80) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(value);
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// RFC 8463 appendix A.2.
    pub const ED25519_SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    pub const ED25519_PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    pub fn ed25519() -> Key {
        // RFC 8410 section 7: PKCS#8 around the 32 octets.
        let start = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        let seed = BASE64_STANDARD.decode(ED25519_SEED).unwrap();
        Key::parse(Algorithm::Ed25519, &[&start[..], &seed].concat()).unwrap()
    }

    #[test]
    fn records() {
        let key = ed25519();
        assert_eq!(
            record(key.algorithm(), &key.public()),
            format!("v=DKIM1; k=ed25519; p={ED25519_PUBLIC}")
        );
    }

    #[test]
    fn made_keys_are_read() {
        for algorithm in [Algorithm::Ed25519, Algorithm::Rsa] {
            let der = generate(algorithm).unwrap();
            let key = Key::parse(algorithm, &der).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert!(Key::parse(algorithm, &der[1..]).is_err());
            let record = record(algorithm, &key.public());
            match algorithm {
                Algorithm::Ed25519 => assert_eq!(record.len(), 20 + 44 + 2),
                // SubjectPublicKeyInfo of 2048 bits always begins so.
                Algorithm::Rsa => assert!(
                    record.starts_with(
                        "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"
                    ) && record.ends_with("IDAQAB"),
                    "{record}"
                ),
            }
        }
    }

    #[test]
    fn lengths_of_der() {
        for (length, start) in [
            (0, &[4, 0][..]),
            (0x7f, &[4, 0x7f]),
            (0x80, &[4, 0x81, 0x80]),
            (0x100, &[4, 0x82, 1, 0]),
        ] {
            let got = der(4, &vec![0; length]);
            assert!(got.starts_with(start) && got.len() == start.len() + length);
        }
    }
}
