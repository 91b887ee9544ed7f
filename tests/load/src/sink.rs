//! A server that takes every message and forgets it: where mail of the server under test ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Failure, Options};

/// How many messages came, and how many connections they took.
#[derive(Default)]
pub struct Sink {
    count: Mutex<usize>,
    more: Condvar,
    connections: AtomicUsize,
}

impl Sink {
    pub fn start(addr: &str) -> Result<Arc<Self>, Failure> {
        let listener = TcpListener::bind(addr)?;
        let sink = Arc::new(Self::default());
        let counted = Arc::clone(&sink);
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.connections.fetch_add(1, Ordering::Relaxed);
                let sink = Arc::clone(&counted);
                let session = thread::Builder::new().stack_size(128 << 10);
                let _gone = session.spawn(move || sink.session(stream));
            }
        })?;
        Ok(sink)
    }

    /// When the last of so many has come; an error when none comes for `patience`.
    pub fn wait(&self, messages: usize, patience: Duration) -> Result<Instant, Failure> {
        let mut count = self.count.lock().map_err(|_| "a session panicked")?;
        while *count < messages {
            let before = *count;
            let (now, waited) = self
                .more
                .wait_timeout(count, patience)
                .map_err(|_| "a session panicked")?;
            count = now;
            if waited.timed_out() && *count == before {
                return Err(format!("{before} of {messages} messages came").into());
            }
        }
        Ok(Instant::now())
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn session(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone()?);
        let mut out = stream;
        let mut replies = Vec::new();
        let mut line = Vec::new();
        out.write_all(b"220 sink.test ESMTP\r\n")?;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            let reply: &[u8] = match verb.as_slice() {
                b"EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n",
                b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP" => b"250 2.0.0 Ok\r\n",
                b"DATA" => {
                    replies.extend_from_slice(b"354 Go on\r\n");
                    out.write_all(&replies)?;
                    replies.clear();
                    loop {
                        line.clear();
                        if reader.read_until(b'\n', &mut line)? == 0 {
                            return Ok(());
                        }
                        if line == b".\r\n" {
                            break;
                        }
                    }
                    if let Ok(mut count) = self.count.lock() {
                        *count += 1;
                        self.more.notify_all();
                    }
                    b"250 2.0.0 Ok: gone\r\n"
                }
                b"QUIT" => {
                    replies.extend_from_slice(b"221 2.0.0 Bye\r\n");
                    return out.write_all(&replies);
                }
                _ => b"502 5.5.2 What\r\n",
            };
            replies.extend_from_slice(reply);
            // Replies to pipelined commands leave together.
            if !reader.buffer().contains(&b'\n') {
                out.write_all(&replies)?;
                replies.clear();
            }
        }
    }
}

/// Takes messages until standard input ends; says how many.
pub fn run(options: &Options) -> Result<(), Failure> {
    let sink = Sink::start(options.text("addr")?)?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    let count = sink.count.lock().map_err(|_| "a session panicked")?;
    println!("messages={count} connections={}", sink.connections());
    Ok(())
}
