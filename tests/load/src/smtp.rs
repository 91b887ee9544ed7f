//! Messages over SMTP from many sessions at once, as a sender with PIPELINING does it: envelope and
//! DATA in one piece, content and dot in one piece, then wait for the 250.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::link::Link;
use crate::sink::Sink;
use crate::watch::Watch;
use crate::{Failure, Options, quantile};

/// Octets of messages made before the clock starts; a longer run uses them again, by turns.
const MADE_BEFORE: usize = 512 << 20;
/// The sink waits so long for one more message.
const PATIENCE: Duration = Duration::from_secs(60);
const LINGER: Duration = Duration::from_millis(2500);

struct Job {
    addr: String,
    from: String,
    to: Vec<String>,
    count: usize,
    messages: Vec<Vec<u8>>,
    next: AtomicUsize,
    start: Barrier,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let sessions: usize = options.number("sessions", 1)?;
    let count: usize = options.number("messages", 1000)?;
    let size: usize = options.number("size", 4096)?;
    let corpus = Corpus::named(options)?;
    let made = count.min(MADE_BEFORE / size.max(1)).max(1);
    let job = Arc::new(Job {
        addr: options.text("addr")?.to_owned(),
        from: options.text_or("from", "sender@away.test").to_owned(),
        to: options.text("to")?.split(',').map(str::to_owned).collect(),
        count,
        messages: (0..made)
            .map(|number| {
                let message = corpus.message(number);
                let message = match options.has("user") {
                    true => written_by(&message, options.text_or("from", "")),
                    false => message,
                };
                [message, b".\r\n".to_vec()].concat()
            })
            .collect(),
        next: AtomicUsize::new(0),
        start: Barrier::new(sessions + 1),
    });
    // One after the other: nobody's limit on new connections is what this measures.
    let login = options.has("user").then(|| plain(options)).transpose()?;
    let links: Vec<Link> = (0..sessions)
        .map(|_| connect(&job.addr, login.as_deref()))
        .collect::<Result<_, _>>()?;
    let sink = options
        .has("sink")
        .then(|| Sink::start(options.text("sink")?))
        .transpose()?;
    let watch = options
        .has("watch")
        .then(|| options.number("watch", 0))
        .transpose()?
        .map(Watch::start);
    let threads: Vec<_> = links
        .into_iter()
        .map(|link| {
            let job = Arc::clone(&job);
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || session(&job, link))
        })
        .collect::<Result<_, _>>()?;
    job.start.wait();
    let start = Instant::now();
    let mut latencies = Vec::with_capacity(count);
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| "a session panicked")??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let through = match sink {
        Some(sink) => {
            let seconds = (sink.wait(count, PATIENCE)? - start).as_secs_f64();
            let rate = f64::from(u32::try_from(count)?) / seconds;
            let connections = sink.connections();
            // The last replies are read, and the connections given up, before the sink goes.
            thread::sleep(LINGER);
            format!(" through_seconds={seconds:.3} through={rate:.1} connections={connections}")
        }
        None => String::new(),
    };
    latencies.sort_unstable();
    print!(
        "corpus=words-1 sessions={sessions} messages={count} size={size} octets={} seconds={seconds:.3} rate={:.1} \
         p50_ms={:.2} p95_ms={:.2} p99_ms={:.2} max_ms={:.2}",
        (0..count)
            .map(|at| job.messages[at % made].len() - 3)
            .sum::<usize>(),
        f64::from(u32::try_from(count)?) / seconds,
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.95),
        quantile(&latencies, 0.99),
        quantile(&latencies, 1.0),
    );
    println!(
        "{through}{}",
        watch.map_or(String::new(), |watch| format!(" {}", watch.end()))
    );
    Ok(())
}

/// With this author: who logs in writes in no other name.
fn written_by(message: &[u8], author: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + author.len());
    let mut in_header = true;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        in_header &= line != b"\r\n";
        if in_header && line.starts_with(b"From:") {
            out.extend_from_slice(format!("From: <{author}>\r\n").as_bytes());
        } else {
            out.extend_from_slice(line);
        }
    }
    out
}

/// The command that logs in (RFC 4616).
fn plain(options: &Options) -> Result<String, Failure> {
    let secret = format!("\0{}\0{}", options.text("user")?, options.password()?);
    Ok(format!("AUTH PLAIN {}\r\n", base64(secret.as_bytes())))
}

fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in octets.chunks(3) {
        let number = three
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0, |number, octet| number << 8 | usize::from(*octet));
        for place in 0..4 {
            out.push(if place > three.len() {
                '='
            } else {
                char::from(LETTERS[number >> (18 - 6 * place) & 63])
            });
        }
    }
    out
}

fn connect(addr: &str, login: Option<&str>) -> Result<Link, Failure> {
    let mut link = Link::open(addr, None)?;
    expect(&mut link, "220")?;
    link.send(b"EHLO load.away.test\r\n")?;
    expect(&mut link, "250")?;
    if let Some(login) = login {
        link.send(login.as_bytes())?;
        expect(&mut link, "235")?;
    }
    Ok(link)
}

/// Sends messages until none is left; returns the time from MAIL to the last 250 of each.
fn session(job: &Job, mut link: Link) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    job.start.wait();
    loop {
        let number = job.next.fetch_add(1, Ordering::Relaxed);
        if number >= job.count {
            break;
        }
        let start = Instant::now();
        let to = &job.to[number % job.to.len()];
        link.send(format!("MAIL FROM:<{}>\r\nRCPT TO:<{to}>\r\nDATA\r\n", job.from).as_bytes())?;
        expect(&mut link, "250")?;
        expect(&mut link, "250")?;
        expect(&mut link, "354")?;
        link.send(&job.messages[number % job.messages.len()])?;
        expect(&mut link, "250")?;
        latencies.push(start.elapsed());
    }
    link.send(b"QUIT\r\n")?;
    expect(&mut link, "221")?;
    Ok(latencies)
}

fn expect(link: &mut Link, code: &str) -> Result<(), Failure> {
    loop {
        let line = link.line()?;
        if !line.starts_with(code) {
            return Err(format!("{code} expected, got: {line}").into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
