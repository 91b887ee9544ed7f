//! TLS for clients: whom we believe to be who they say.

use std::io;

use futures_rustls::client::TlsStream;

use crate::net::{resolve::Tlsa, stream::Socket};

/// What a server has to prove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verify {
    /// One of the records (RFC 7672), for one of the names where the record asks for that.
    Dane {
        records: Vec<Tlsa>,
        names: Vec<String>,
    },
    /// A certificate of an authority that this machine trusts, for one of these names.
    Names(Vec<String>),
    /// Nothing: opportunistic TLS (RFC 7435).
    Nothing,
}

/// A client's side of a handshake.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub trust: Trust,
    /// For SNI.
    pub server_name: String,
    pub verify: Verify,
}

/// Roots and configurations, read when they are first needed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Trust {}

impl Trust {
    /// Has no deadline of its own.
    ///
    /// # Errors
    ///
    /// The peer speaks no TLS, is gone, or does not prove what it has to; the text says which.
    pub async fn connect(
        &self,
        _socket: Socket,
        _outgoing: &Outgoing,
    ) -> io::Result<Box<TlsStream<Socket>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
