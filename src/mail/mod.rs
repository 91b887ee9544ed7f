//! What mail is made of: addresses, paths, header fields, envelopes, MIME structure, trace lines.

pub mod flag;
