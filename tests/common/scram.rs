//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), written from the standard.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

pub struct Client {
    password: String,
    /// With a channel binding of 32 times 7.
    plus: bool,
    bare: String,
    signature: Option<Vec<u8>>,
}

impl Client {
    pub fn new(name: &str, password: &str, plus: bool) -> Self {
        Self {
            password: password.to_owned(),
            plus,
            bare: format!("n={name},r={NONCE}"),
            signature: None,
        }
    }

    fn header(&self) -> &'static str {
        if self.plus { "p=tls-exporter,," } else { "n,," }
    }

    /// The initial response.
    pub fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.header(), self.bare))
    }

    /// What follows the server's first message.
    pub fn last(&mut self, challenge: &str) -> String {
        let server = text(challenge);
        let part = |name: &str| {
            server
                .split(',')
                .find_map(|p| p.strip_prefix(name))
                .unwrap()
        };
        let (nonce, salt, count) = (part("r="), part("s="), part("i="));
        assert!(nonce.starts_with(NONCE) && nonce.len() > NONCE.len());
        let mut salted = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            count.parse::<NonZeroU32>().unwrap(),
            &STANDARD.decode(salt).unwrap(),
            self.password.as_bytes(),
            &mut salted,
        );
        let mut binding = self.header().as_bytes().to_vec();
        if self.plus {
            binding.extend([7; 32]);
        }
        let bare = format!("c={},r={nonce}", STANDARD.encode(binding));
        let message = format!("{},{server},{bare}", self.bare);
        let key = mac(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &key);
        let signature = mac(stored.as_ref(), message.as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(k, s)| k ^ s).collect();
        self.signature = Some(mac(&mac(&salted, b"Server Key"), message.as_bytes()));
        STANDARD.encode(format!("{bare},p={}", STANDARD.encode(proof)))
    }

    /// Whether the server knows the keys too.
    pub fn believes(&self, challenge: &str) -> bool {
        let signature = text(challenge).strip_prefix("v=").map(str::to_owned);
        signature.map(|s| STANDARD.decode(s).unwrap()) == self.signature
    }
}

fn text(challenge: &str) -> String {
    String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}
