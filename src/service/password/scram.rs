//! SCRAM-SHA-256 (RFC 5802, RFC 7677): keys of a password, and whether a proof fits them.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

use super::same;
use crate::{
    base::secret::Secret,
    proto::sasl::client::{Proved, ToProve},
    store::directory::ScramKeys,
};

/// Iterations of new accounts, and of those that are not there: the most that clients with Cyrus SASL
/// take, Postfix among them. They give up on more ("iteration-count is too big").
pub const COUNT: u32 = 65_536;
/// What a row may ask for: it may come from a restored folder.
const COUNT_MAX: u32 = 10_000_000;

/// RFC 5802 section 3. `None`: no such number of iterations.
pub fn keys(password: &Secret, salt: &[u8], count: u32) -> Option<ScramKeys> {
    let count = NonZeroU32::new(count).filter(|count| count.get() <= COUNT_MAX)?;
    let mut salted = salted(password, salt, count);
    let keys = ScramKeys {
        stored: sha256(&hmac(&salted, b"Client Key")),
        server: hmac(&salted, b"Server Key"),
    };
    salted.fill(0);
    Some(keys)
}

/// The SaltedPassword.
fn salted(password: &Secret, salt: &[u8], count: NonZeroU32) -> [u8; 32] {
    let mut salted = [0; 32];
    let password = prepare(password);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        count,
        salt,
        password.reveal(),
        &mut salted,
    );
    salted
}

/// Whether who made this proof has the password; takes as long if not.
pub fn proves(keys: &ScramKeys, message: &[u8], proof: &[u8; 32]) -> bool {
    let mut client = hmac(&keys.stored, message);
    for (octet, proof) in client.iter_mut().zip(proof) {
        *octet ^= proof;
    }
    same(&sha256(&client), &keys.stored)
}

/// The client's side, for a peer of ours; takes as long as [`keys`].
#[must_use]
pub fn prove(asked: &ToProve) -> Proved {
    let count = asked.count.min(COUNT_MAX);
    let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    let mut salted = salted(&asked.password, &asked.salt, count);
    let client = hmac(&salted, b"Client Key");
    let server = hmac(&salted, b"Server Key");
    salted.fill(0);
    let mut proof = hmac(&sha256(&client), &asked.auth_message);
    for (octet, key) in proof.iter_mut().zip(client) {
        *octet ^= key;
    }
    Proved {
        proof,
        signature: hmac(&server, &asked.auth_message),
    }
}

/// The ServerSignature.
pub fn sign(keys: &ScramKeys, message: &[u8]) -> [u8; 32] {
    hmac(&keys.server, message)
}

/// The form of a password that is hashed: what SASLprep (RFC 4013) maps, without its Unicode
/// normalisation (`docs/deviations.md`). The clients that prepare passwords at all do the same; to
/// ASCII it does nothing.
pub fn prepare(password: &Secret) -> Secret {
    let octets = password.reveal();
    match str::from_utf8(octets) {
        Ok(text) if !text.is_ascii() => {
            let prepared: String = text.chars().filter_map(prepared).collect();
            Secret::new(prepared.into_bytes())
        }
        _ => password.clone(),
    }
}

/// RFC 3454 tables C.1.2 (a space) and B.1 (nothing).
fn prepared(letter: char) -> Option<char> {
    match letter {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Some(' ')
        }
        '\u{ad}'
        | '\u{34f}'
        | '\u{1806}'
        | '\u{180b}'..='\u{180d}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        other => Some(other),
    }
}

pub fn sha256(octets: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, octets).as_ref())
}

pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    fixed(hmac::sign(&key, message).as_ref())
}

pub fn fixed(octets: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(octets) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn decode(text: &str) -> [u8; 32] {
        fixed(&STANDARD.decode(text).unwrap())
    }

    /// RFC 7677 section 3.
    #[test]
    fn the_example_of_the_standard() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = keys(&secret("pencil"), &salt, 4096).unwrap();
        let message = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let mut proof = decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert!(proves(&keys, message, &proof));
        let signature = decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(sign(&keys, message), signature);
        let asked = ToProve {
            password: secret("pencil"),
            salt,
            count: 4096,
            auth_message: message.to_vec(),
        };
        assert_eq!(prove(&asked), Proved { proof, signature });
        assert!(!proves(&keys, b"n=user", &proof));
        proof[31] ^= 1;
        assert!(!proves(&keys, message, &proof));
    }

    /// Dovecot 2.3: `doveadm pw -s SCRAM-SHA-256 -p 'hush hush'`.
    #[test]
    fn keys_of_another_program() {
        let salt = STANDARD.decode("AzVmfmvYaUIcMPowRTgrHg==").unwrap();
        let keys = keys(&secret("hush hush"), &salt, 4096).unwrap();
        let stored = decode("h78PxigSMj8lWpXmegiwTicWTvYSeM3A2spM44fHmx4=");
        let server = decode("KaFoLcUoEe6iNbcPZ9q4/qGi5+TYl3i1FMeNXLx/wDE=");
        assert_eq!(keys, ScramKeys { stored, server });
    }

    #[test]
    fn numbers_of_iterations_that_are_none() {
        assert!(keys(&secret("x"), b"salt", 0).is_none());
        assert!(keys(&secret("x"), b"salt", COUNT_MAX + 1).is_none());
    }

    /// RFC 4013 section 3, examples 1 to 3.
    #[test]
    fn saslprep_maps() {
        for (typed, hashed) in [
            ("I\u{ad}X", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("a\u{a0}b\u{3000}c", "a b c"),
            ("p\u{e4}ss\u{200b}", "p\u{e4}ss"),
        ] {
            assert_eq!(prepare(&secret(typed)), secret(hashed));
        }
        let latin = Secret::new(b"p\xe4ss".to_vec());
        assert_eq!(prepare(&latin), latin);
    }
}
