//! IMAP4rev1 (RFC 3501), the server's side: octets in, commands out, responses in, octets out.
//!
//! [`session`] is the machine; [`command`] says what a client can ask for, [`response`] writes what
//! it is told, [`view`] is what one client knows of its selected folder.

pub mod capability;
pub mod command;
pub mod flag;
pub mod folder_name;
pub mod lexer;
pub mod literal;
pub mod pattern;
pub mod response;
pub mod seqset;
pub mod session;
pub mod view;
