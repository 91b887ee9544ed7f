//! A connection whose octets are deflated both ways (RFC 4978): raw deflate, flushed after each answer.
//!
//! What was inflated is handed on at once, as much as there is room for: however well it was packed,
//! nothing grows. What is in hand while nobody speaks is the two windows.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    deflate::core::{CompressorOxide, create_comp_flags_from_zip_params},
    deflate::stream::deflate,
    inflate::stream::{InflateState, inflate},
};
use smol::io::{AsyncRead, AsyncWrite};

use super::stream::Stream;

/// Good enough for text, and twice as quick as more.
const LEVEL: i32 = 4;
/// Raw: neither a head nor a sum.
const RAW: i32 = -15;
/// Packed octets that are read, and made, at once.
const PACKED: usize = 4096;
/// More packed octets than came before the layer was there, and could not be used up.
const CAME: usize = 256 * 1024;
/// Octets that one write takes, so that what is packed of them stays small.
const TAKEN: usize = 16 * 1024;

/// The windows are in boxes, [`Stream`] is small.
pub struct Deflated {
    below: Stream,
    inflate: Box<InflateState>,
    deflate: Box<CompressorOxide>,
    /// Packed octets that came and wait for room.
    came: Vec<u8>,
    /// Packed octets that wait for the peer.
    going: Vec<u8>,
    /// The compressor holds something that was not flushed.
    held: bool,
    ended: bool,
}

impl std::fmt::Debug for Deflated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflated")
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}

impl Deflated {
    /// `came`: packed octets that were read already.
    #[must_use]
    pub fn new(below: Stream, came: Vec<u8>) -> Self {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        Self {
            below,
            inflate: InflateState::new_boxed(DataFormat::Raw),
            deflate: Box::new(CompressorOxide::new(flags)),
            came,
            going: Vec::new(),
            held: false,
            ended: false,
        }
    }

    pub fn below(&mut self) -> &mut Stream {
        &mut self.below
    }

    /// Inflates what is in hand; 0: more has to come.
    fn unpack(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let done = inflate(&mut self.inflate, &self.came, octets, MZFlush::None);
        self.came.drain(..done.bytes_consumed.min(self.came.len()));
        if self.came.is_empty() {
            self.came = Vec::new();
        }
        match done.status {
            Ok(MZStatus::StreamEnd) => self.ended = true,
            // RFC 1951 has no place for what comes after the end, nor has RFC 4978.
            Ok(MZStatus::Ok) | Err(MZError::Buf) => {}
            Ok(MZStatus::NeedDict) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(done.bytes_written)
    }

    /// Deflates some octets; how many it took.
    fn pack(&mut self, octets: &[u8], flush: MZFlush) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            let mut packed = [0; PACKED];
            let rest = octets.get(taken..).unwrap_or_default();
            let done = deflate(&mut self.deflate, rest, &mut packed, flush);
            if !matches!(done.status, Ok(_) | Err(MZError::Buf)) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            taken = taken.saturating_add(done.bytes_consumed);
            let packed = packed.get(..done.bytes_written).unwrap_or_default();
            self.going.extend_from_slice(packed);
            let full = packed.len() == PACKED;
            if !full && taken >= octets.len() || done.bytes_consumed == 0 && packed.is_empty() {
                return Ok(taken);
            }
        }
    }

    /// Sends what is packed.
    fn poll_going(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.going.is_empty() {
            let sent = ready!(Pin::new(&mut self.below).poll_write(context, &self.going))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.going.drain(..sent.min(self.going.len()));
        }
        self.going = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn poll_packed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.held) {
            self.pack(&[], MZFlush::Sync)?;
        }
        self.poll_going(context)
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.ended || octets.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let written = this.unpack(octets)?;
            if written > 0 {
                return Poll::Ready(Ok(written));
            }
            if this.ended {
                continue;
            }
            // A stream that is well formed is consumed while there is room for what comes of it.
            if this.came.len() > CAME {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let mut packed = [0; PACKED];
            let read = ready!(Pin::new(&mut this.below).poll_read(context, &mut packed))?;
            if read == 0 {
                this.ended = true;
            }
            let packed = packed.get(..read).unwrap_or_default();
            this.came.extend_from_slice(packed);
        }
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_going(context))?;
        let octets = octets.get(..octets.len().min(TAKEN)).unwrap_or_default();
        this.held = true;
        Poll::Ready(this.pack(octets, MZFlush::None))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_packed(context))?;
        Pin::new(&mut this.below).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_packed(context))?;
        Pin::new(&mut this.below).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        thread,
    };

    use async_io::Async;
    use miniz_oxide::deflate::compress_to_vec;
    use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = Async::new(listener.accept().unwrap().0).unwrap();
        (
            Stream::Plain(crate::net::stream::Socket::Tcp(server)),
            client,
        )
    }

    #[test]
    fn both_ways_in_any_pieces() {
        let text: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect();
        let (below, mut client) = pair();
        let packed = compress_to_vec(&text, 6);
        let (early, late) = packed.split_at(1000);
        let late = late.to_vec();
        let sending = thread::spawn(move || {
            for piece in late.chunks(777) {
                client.write_all(piece).unwrap();
            }
            client
        });
        let mut server = Deflated::new(below, early.to_vec());
        async_io::block_on(async {
            let mut got = vec![0; text.len()];
            server.read_exact(&mut got).await.unwrap();
            assert!(got == text);
            assert_eq!(server.read(&mut [0; 9]).await.unwrap(), 0);
        });
        let mut client = sending.join().unwrap();
        let reading = thread::spawn(move || {
            let mut all = vec![];
            client.read_to_end(&mut all).unwrap();
            all
        });
        async_io::block_on(async {
            for piece in text.chunks(50_000) {
                server.write_all(piece).await.unwrap();
                server.flush().await.unwrap();
            }
            assert!(server.came.capacity() == 0 && server.going.capacity() == 0);
        });
        drop(server);
        let all = reading.join().unwrap();
        assert!(all.len() < text.len() / 2);
        // The stream has no end, what was flushed is whole all the same.
        let mut state = InflateState::new_boxed(DataFormat::Raw);
        let (mut got, mut rest): (Vec<u8>, _) = (vec![], &all[..]);
        while got.len() < text.len() {
            let mut octets = [0; 5000];
            let done = inflate(&mut state, rest, &mut octets, MZFlush::None);
            rest = &rest[done.bytes_consumed..];
            got.extend(&octets[..done.bytes_written]);
            assert!(done.bytes_written > 0, "{} of {}", got.len(), text.len());
        }
        assert!(got == text && rest.is_empty());
    }

    /// A flush lets the client read everything that was said.
    #[test]
    fn a_line_arrives_when_it_is_flushed() {
        let (below, mut client) = pair();
        let mut server = Deflated::new(below, vec![]);
        let mut state = InflateState::new_boxed(DataFormat::Raw);
        for line in ["* OK one\r\n", "a OK two\r\n"] {
            async_io::block_on(async {
                server.write_all(line.as_bytes()).await.unwrap();
                server.flush().await.unwrap();
            });
            let mut told: Vec<u8> = vec![];
            while told.len() < line.len() {
                let mut packed = [0; 100];
                let n = client.read(&mut packed).unwrap();
                let mut octets = [0; 100];
                let done = inflate(&mut state, &packed[..n], &mut octets, MZFlush::None);
                told.extend(&octets[..done.bytes_written]);
            }
            assert_eq!(told, line.as_bytes());
        }
    }

    #[test]
    fn a_bomb_takes_no_room_and_garbage_is_an_error() {
        let (below, client) = pair();
        let bomb = compress_to_vec(&vec![0; 50 << 20], 9);
        let most = bomb.capacity();
        let mut server = Deflated::new(below, bomb);
        async_io::block_on(async {
            let mut octets = [0; 1000];
            for _ in 0..1000 {
                assert!(server.read(&mut octets).await.unwrap() > 0);
                assert!(server.came.capacity() <= most);
            }
        });
        drop(client);
        let (below, _client) = pair();
        let mut server = Deflated::new(below, b"\xff\xff\xff\xff".to_vec());
        let read = async_io::block_on(server.read(&mut [0; 10]));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
