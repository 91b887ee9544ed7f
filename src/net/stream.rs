//! A connection, in clear or under TLS.

use std::{
    io,
    net::TcpStream,
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use futures_rustls::{client, server};
use smol::io::{AsyncRead, AsyncWrite};

use super::deflated::Deflated;

/// What lies below TLS.
#[derive(Debug)]
pub enum Socket {
    Tcp(Async<TcpStream>),
    Unix(Async<UnixStream>),
}

/// A connection, in clear or under TLS; the latter is boxed because it is fifty times as big.
#[derive(Debug)]
pub enum Stream {
    Deflated(Box<Deflated>),
    /// Lost in a failed handshake: nothing to read, nobody to write to.
    Gone,
    Plain(Socket),
    /// We are the server.
    Tls(Box<server::TlsStream<Socket>>),
    /// We are the client.
    TlsOut(Box<client::TlsStream<Socket>>),
}

impl Stream {
    /// Reads what lies below TLS: for throwing it away after the end.
    pub fn poll_below(
        &mut self,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Deflated(deflated) => deflated.below().poll_below(context, octets),
            Self::Gone => Poll::Ready(Ok(0)),
            Self::Plain(socket) => Pin::new(socket).poll_read(context, octets),
            Self::Tls(tls) => Pin::new(tls.get_mut().0).poll_read(context, octets),
            Self::TlsOut(tls) => Pin::new(tls.get_mut().0).poll_read(context, octets),
        }
    }
}

/// Hands a call on to what a variant holds; the last arm is for one that holds nothing.
macro_rules! each {
    ($stream:expr, $inner:ident => $call:expr, $gone:expr) => {
        match $stream {
            Stream::Deflated(inner) => {
                let $inner = Pin::new(&mut **inner);
                $call
            }
            Stream::Gone => Poll::Ready(Ok($gone)),
            Stream::Plain(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            Stream::Tls(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            Stream::TlsOut(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), inner => inner.poll_read(context, octets), 0)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), inner => inner.poll_write(context, octets), 0)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), inner => inner.poll_flush(context), ())
    }

    /// Tells the peer that nothing more comes: `close_notify`, then FIN.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), inner => inner.poll_close(context), ())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(context, octets),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, octets),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(context, octets),
            Self::Unix(unix) => Pin::new(unix).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Unix(unix) => Pin::new(unix).poll_flush(context),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_close(context),
            Self::Unix(unix) => Pin::new(unix).poll_close(context),
        }
    }
}
