//! A connection, in clear or under TLS.

use std::{
    io,
    net::TcpStream,
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use futures_rustls::server::TlsStream;
use smol::io::{AsyncRead, AsyncWrite};

use super::deflated::Deflated;

/// A connection, in clear or under TLS; the latter is boxed because it is fifty times as big.
#[derive(Debug)]
pub enum Stream {
    Deflated(Box<Deflated>),
    /// Lost in a failed handshake: nothing to read, nobody to write to.
    Gone,
    Plain(Async<TcpStream>),
    Tls(Box<TlsStream<Async<TcpStream>>>),
    Unix(Async<UnixStream>),
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
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, octets),
            Self::Tls(tls) => Pin::new(tls.get_mut().0).poll_read(context, octets),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, octets),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Deflated(deflated) => Pin::new(&mut **deflated).poll_read(context, octets),
            Self::Gone => Poll::Ready(Ok(0)),
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, octets),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, octets),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, octets),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Deflated(deflated) => Pin::new(&mut **deflated).poll_write(context, octets),
            Self::Gone => Poll::Ready(Ok(0)),
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, octets),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, octets),
            Self::Unix(unix) => Pin::new(unix).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Deflated(deflated) => Pin::new(&mut **deflated).poll_flush(context),
            Self::Gone => Poll::Ready(Ok(())),
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            Self::Unix(unix) => Pin::new(unix).poll_flush(context),
        }
    }

    /// Tells the peer that nothing more comes: `close_notify`, then FIN.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Deflated(deflated) => Pin::new(&mut **deflated).poll_close(context),
            Self::Gone => Poll::Ready(Ok(())),
            Self::Plain(tcp) => Pin::new(tcp).poll_close(context),
            Self::Tls(tls) => Pin::new(tls).poll_close(context),
            Self::Unix(unix) => Pin::new(unix).poll_close(context),
        }
    }
}
