//! How much a message may bring along, whoever sends it.

/// A message that passed more hosts than this is in a loop (RFC 5321 section 6.3, SR-28).
pub const HOPS_MAX: usize = 50;

/// Longest header block in octets: it is held in memory until it ends (`spec/ux.md` 3.12).
pub const HEADER_MAX: usize = 256 * 1024;
