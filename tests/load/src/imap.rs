//! IMAP: many idle sessions, the time of one command, messages appended.

use std::fs;
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
    // The first SELECT of a server that just started is one to time.
    if !text.starts_with("SELECT") {
        command(&mut link, &format!("SELECT {folder}"))?;
    }
    let watch = options
        .has("watch")
        .then(|| options.number("watch", 0))
        .transpose()?
        .map(Watch::start);
    let before = options.text_or("before", "");
    let device = Device::named(options);
    let (mut times, mut octets, mut flushes) = (Vec::new(), 0, 0);
    for _ in 0..options.number("repeat", 5)? {
        if !before.is_empty() {
            command(&mut link, before)?;
        }
        let flushed = device.flushes()?;
        let start = Instant::now();
        octets = command(&mut link, &text)?;
        times.push(start.elapsed());
        flushes += device.flushes()? - flushed;
    }
    let first = times
        .first()
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    times.sort_unstable();
    print!(
        "repeat={} octets={octets} flushes={:.2} first_ms={first:.2} min_ms={:.2} p50_ms={:.2} max_ms={:.2}",
        times.len(),
        f64::from(u32::try_from(flushes)?) / f64::from(u32::try_from(times.len())?),
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

/// Appends messages, each with a literal that needs no waiting (RFC 7888): one by one, or so many in
/// one command (RFC 3502).
pub fn append(options: &Options) -> Result<(), Failure> {
    let count: usize = options.number("messages", 300)?;
    let each: usize = options.number("multi", 1)?;
    let folder = options.text_or("folder", "INBOX");
    let corpus = Corpus::named(options)?;
    let messages: Vec<Vec<u8>> = (0..count).map(|number| corpus.message(number)).collect();
    let commands: Vec<Vec<u8>> = messages
        .chunks(each)
        .map(|messages| {
            let mut command = format!("a APPEND {folder}").into_bytes();
            for message in messages {
                command.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
                command.extend_from_slice(message);
            }
            command.extend_from_slice(b"\r\n");
            command
        })
        .collect();
    let mut link = log_in(options, tls(options)?.as_ref())?;
    let start = Instant::now();
    let mut times = Vec::with_capacity(commands.len());
    for command in &commands {
        let start = Instant::now();
        link.send(command)?;
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

/// A client that was away while 100 messages changed (the flags of 80; 20 went): the time of its SELECT
/// with QRESYNC (RFC 7162 section 3.2.5).
pub fn qresync(options: &Options) -> Result<(), Failure> {
    const CHANGED: usize = 80;
    const GONE: usize = 20;
    let folder = options.text_or("folder", "INBOX");
    let mut link = log_in(options, tls(options)?.as_ref())?;
    let said = lines(&mut link, &format!("SELECT {folder} (CONDSTORE)"))?;
    let code = |name: &str| {
        said.iter()
            .find_map(|line| {
                let (_, rest) = line.split_once(&format!("[{name} "))?;
                rest.split_once(']')?.0.parse::<u64>().ok()
            })
            .ok_or(format!("SELECT says no {name}"))
    };
    let (validity, modseq) = (code("UIDVALIDITY")?, code("HIGHESTMODSEQ")?);
    let there: usize = said
        .iter()
        .find_map(|line| {
            line.strip_prefix("* ")?
                .strip_suffix(" EXISTS")?
                .parse()
                .ok()
        })
        .ok_or("SELECT says no EXISTS")?;
    let step = (there / (CHANGED + GONE)).max(1);
    for n in 0..CHANGED + GONE {
        let flag = if n % 5 == 0 {
            "\\Deleted"
        } else {
            "\\Answered"
        };
        let store = format!("STORE {} +FLAGS.SILENT ({flag})", 1 + n * step);
        command(&mut link, &store)?;
    }
    command(&mut link, "EXPUNGE")?;
    let mut link = log_in(options, tls(options)?.as_ref())?;
    command(&mut link, "ENABLE QRESYNC")?;
    let select = format!("SELECT {folder} (QRESYNC ({validity} {modseq}))");
    let (mut times, mut octets) = (Vec::new(), 0);
    for _ in 0..options.number("repeat", 5)? {
        let start = Instant::now();
        octets = command(&mut link, &select)?;
        times.push(start.elapsed());
    }
    let first = times
        .first()
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    times.sort_unstable();
    println!(
        "octets={octets} first_ms={first:.2} p50_ms={:.2} max_ms={:.2}",
        quantile(&times, 0.5),
        quantile(&times, 1.0),
    );
    Ok(())
}

/// Messages as a Maildir holds them that Dovecot's LMTP has filled: LF, sizes in the names.
pub fn maildir(options: &Options) -> Result<(), Failure> {
    let folder = options.text("folder")?;
    let corpus = Corpus::named(options)?;
    for sub in ["cur", "new", "tmp"] {
        fs::create_dir_all(format!("{folder}/{sub}"))?;
    }
    for number in 0..options.number("messages", 1000)? {
        let message = corpus.message(number);
        let lines: Vec<u8> = message.iter().copied().filter(|c| *c != b'\r').collect();
        let (size, sent) = (lines.len(), message.len());
        let name = format!("{folder}/cur/1795000000.M{number:07}P1.load,S={size},W={sent}:2,");
        fs::write(name, lines)?;
    }
    Ok(())
}

/// A block device whose flushes the kernel counts.
struct Device<'a>(&'a str);

impl<'a> Device<'a> {
    fn named(options: &'a Options) -> Self {
        Self(options.text_or("device", ""))
    }

    /// Of all time; 0 without a device.
    fn flushes(&self) -> Result<u64, Failure> {
        if self.0.is_empty() {
            return Ok(0);
        }
        let stat = fs::read_to_string(format!("/sys/block/{}/stat", self.0))?;
        let flushes = stat.split_whitespace().nth(15);
        Ok(flushes.ok_or("no flushes in the device's stat")?.parse()?)
    }
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

/// Runs one command; its response's lines (there must be no literals).
fn lines(link: &mut Link, text: &str) -> Result<Vec<String>, Failure> {
    link.send(format!("c {text}\r\n").as_bytes())?;
    let mut lines = Vec::new();
    loop {
        let line = link.line()?;
        if let Some(outcome) = line.strip_prefix("c ") {
            if outcome.starts_with("OK") {
                return Ok(lines);
            }
            return Err(line.into());
        }
        lines.push(line);
    }
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
