//! Flags as clients name them (RFC 3501 section 2.3.2).

use crate::mail::flag::Flags;

/// Flags of one message or one request: system flags and keywords. Keywords keep the case they came
/// in; they compare without regard to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlagList {
    pub system: Flags,
    pub keywords: Vec<String>,
}
