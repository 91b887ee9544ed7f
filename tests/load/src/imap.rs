//! IMAP: many idle sessions, the time of one command, messages appended.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use crate::corpus::Corpus;
use crate::link::{Link, any_certificate};
use crate::watch::Watch;
use crate::{Failure, Options, quantile};

/// Opens sessions, selects a folder in each, goes into IDLE, says `ready` and holds them until
/// standard input ends.
pub fn idle(options: &Options) -> Result<(), Failure> {
    let sessions: usize = options.number("sessions", 1000)?;
    let folder = options.text_or("folder", "INBOX");
    let tls = tls(options)?;
    let mut links = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let mut link = log_in(options, tls.as_ref())?;
        command(&mut link, &format!("SELECT {folder}"))?;
        link.send(b"i IDLE\r\n")?;
        while !link.line()?.starts_with('+') {}
        links.push(link);
    }
    println!("ready sessions={sessions}");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    for link in &mut links {
        link.send(b"DONE\r\n")?;
    }
    for link in &mut links {
        while !link.line()?.starts_with("i OK") {}
    }
    Ok(())
}

/// Selects a folder (`--command SELECT` times that itself), then runs one command several times.
pub fn time(options: &Options) -> Result<(), Failure> {
    let folder = options.text_or("folder", "INBOX");
    let text = match options.text("command")? {
        "SELECT" => format!("SELECT {folder}"),
        other => other.to_owned(),
    };
    let mut link = log_in(options, tls(options)?.as_ref())?;
    command(&mut link, &format!("SELECT {folder}"))?;
    let watch = options
        .has("watch")
        .then(|| options.number("watch", 0))
        .transpose()?
        .map(Watch::start);
    let (mut times, mut octets) = (Vec::new(), 0);
    for _ in 0..options.number("repeat", 5)? {
        let start = Instant::now();
        octets = command(&mut link, &text)?;
        times.push(start.elapsed());
    }
    let first = times
        .first()
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    times.sort_unstable();
    print!(
        "repeat={} octets={octets} first_ms={first:.2} min_ms={:.2} p50_ms={:.2} max_ms={:.2}",
        times.len(),
        quantile(&times, 0.0),
        quantile(&times, 0.5),
        quantile(&times, 1.0),
    );
    println!(
        "{}",
        watch.map_or(String::new(), |watch| format!(" {}", watch.end()))
    );
    Ok(())
}

/// Appends messages one by one, each with a literal that needs no waiting (RFC 7888).
pub fn append(options: &Options) -> Result<(), Failure> {
    let count: usize = options.number("messages", 300)?;
    let folder = options.text_or("folder", "INBOX");
    let corpus = Corpus::named(options)?;
    let messages: Vec<Vec<u8>> = (0..count)
        .map(|number| {
            let message = corpus.message(number);
            let start = format!("a APPEND {folder} {{{}+}}\r\n", message.len());
            [start.as_bytes(), &message, b"\r\n"].concat()
        })
        .collect();
    let mut link = log_in(options, tls(options)?.as_ref())?;
    let start = Instant::now();
    let mut times = Vec::with_capacity(count);
    for message in &messages {
        let start = Instant::now();
        link.send(message)?;
        finish(&mut link, "a")?;
        times.push(start.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    times.sort_unstable();
    println!(
        "messages={count} octets={} seconds={seconds:.3} rate={:.1} p50_ms={:.2} p99_ms={:.2}",
        messages.iter().map(Vec::len).sum::<usize>(),
        f64::from(u32::try_from(count)?) / seconds,
        quantile(&times, 0.5),
        quantile(&times, 0.99),
    );
    Ok(())
}

fn tls(options: &Options) -> Result<Option<Arc<ClientConfig>>, Failure> {
    options.has("tls").then(any_certificate).transpose()
}

fn log_in(options: &Options, tls: Option<&Arc<ClientConfig>>) -> Result<Link, Failure> {
    let mut link = Link::open(options.text("addr")?, tls)?;
    let greeting = link.line()?;
    if !greeting.starts_with("* OK") {
        return Err(format!("greeting: {greeting}").into());
    }
    let (user, password) = (options.text("user")?, options.password()?);
    command(&mut link, &format!("LOGIN \"{user}\" \"{password}\""))?;
    Ok(link)
}

/// Runs one command and throws its response away; returns how many octets that was.
fn command(link: &mut Link, text: &str) -> Result<usize, Failure> {
    link.send(format!("c {text}\r\n").as_bytes())?;
    finish(link, "c")
}

/// Reads up to the tagged response, which is what the last line of a read begins with when nothing
/// follows it: looking at the end of each piece is enough, and costs nothing.
fn finish(link: &mut Link, tag: &str) -> Result<usize, Failure> {
    let mut piece = vec![0; 256 << 10];
    let (mut octets, mut tail) = (0, b"\r\n".to_vec());
    loop {
        let read = link.read(&mut piece)?;
        octets += read;
        tail.extend_from_slice(&piece[read.saturating_sub(1024)..read]);
        let keep = tail.len().saturating_sub(1024);
        tail.drain(..keep);
        if !tail.ends_with(b"\r\n") {
            continue;
        }
        let lines = &tail[..tail.len() - 2];
        let start = lines
            .windows(2)
            .rposition(|pair| pair == b"\r\n")
            .map_or(0, |at| at + 2);
        let last = String::from_utf8_lossy(&lines[start..]);
        if let Some(outcome) = last
            .strip_prefix(tag)
            .and_then(|rest| rest.strip_prefix(' '))
        {
            if outcome.starts_with("OK") {
                return Ok(octets);
            }
            return Err(last.into_owned().into());
        }
    }
}
