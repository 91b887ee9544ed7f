//! The client's side of an exchange.

use crate::base::secret::Secret;

/// What SCRAM's arithmetic needs (RFC 5802 section 3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ToProve {
    pub password: Secret,
    pub salt: Vec<u8>,
    /// Iterations, at most a million.
    pub count: u32,
    pub auth_message: Vec<u8>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proved {
    /// The ClientProof.
    pub proof: [u8; 32],
    /// The ServerSignature that has to come.
    pub signature: [u8; 32],
}
