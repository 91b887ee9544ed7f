//! POP3 (RFC 1939), the server's side: octets in, questions out, replies in, octets out.
//!
//! [`session`] is the machine; [`command`] says what a client can ask for, [`lines`] writes answers
//! of several lines, [`capability`] is what CAPA tells.

pub mod capability;
pub mod command;
pub mod lines;
pub mod session;
