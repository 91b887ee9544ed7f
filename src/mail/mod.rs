//! What mail is made of: addresses, paths, header fields, envelopes, MIME structure, trace lines.

pub mod address;
pub mod date;
pub mod domain;
pub mod envelope;
pub mod filter;
pub mod fixup;
pub mod flag;
pub mod fold;
pub mod header;
pub mod kept;
pub mod octets;
pub mod path;
pub mod report;
pub mod rewrite;
pub mod srs;
pub mod structure;
pub mod subject;
pub mod summary;
pub mod thread;
pub mod trace;

mod list;
mod parameter;
mod word;
