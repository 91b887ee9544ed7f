//! Protocols as machines without IO.

pub mod imap;
pub mod smtp;
