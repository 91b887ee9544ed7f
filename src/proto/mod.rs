//! Protocols as machines without IO: octets, time and answers go in; octets and questions come out.

pub mod imap;
pub mod pop3;
pub mod sasl;
pub mod smtp;
