//! DKIM signatures (RFC 6376, RFC 8463).

pub mod body;
pub mod key;
pub mod sign;

pub use body::BodyHash;
pub use key::{Algorithm, BadKey, Key, generate, record};
pub use sign::Signer;
