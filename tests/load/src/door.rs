//! What stands at the door: recipients that are looked up, sessions that are held open, passwords
//! that are guessed.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::link::{Link, any_certificate};
use crate::watch::Watch;
use crate::{Failure, Options, quantile};

/// Recipients of one transaction.
const EACH: usize = 100;

/// Opens SMTP sessions, greets in each, says `ready` and holds them until standard input ends.
pub fn hold(options: &Options) -> Result<(), Failure> {
    let tls = options.has("tls").then(any_certificate).transpose()?;
    let mut links = Vec::new();
    for _ in 0..options.number("sessions", 100)? {
        let mut link = Link::open(options.text("addr")?, tls.as_ref())?;
        reply(&mut link)?;
        say(&mut link, "EHLO away.test")?;
        links.push(link);
    }
    println!("ready sessions={}", links.len());
    io::copy(&mut io::stdin(), &mut io::sink())?;
    for link in &mut links {
        say(link, "QUIT")?;
    }
    Ok(())
}

/// Names recipients `NAME0@DOMAIN0`, `NAME1@DOMAIN1`, … by the hundred, and drops each transaction.
/// `--to` is `name%n@domain%d.test`, `%n` and `%d` counting to `--names` and `--domains`.
pub fn rcpt(options: &Options) -> Result<(), Failure> {
    let pattern = options.text("to")?;
    let (names, domains): (usize, usize) = (
        options.number("names", 10_000)?,
        options.number("domains", 1000)?,
    );
    let count: usize = options.number("messages", 20_000)?;
    let open = || -> Result<Link, Failure> {
        let mut link = Link::open(options.text("addr")?, None)?;
        reply(&mut link)?;
        say(&mut link, "EHLO away.test")?;
        Ok(link)
    };
    let start = Instant::now();
    let (mut link, mut taken) = (open()?, 0);
    for first in (0..count).step_by(EACH) {
        // Who only ever drops transactions is sent away.
        if first > 0 && first % (50 * EACH) == 0 {
            link = open()?;
        }
        let mut lines = "MAIL FROM:<you@away.test>\r\n".to_owned();
        for n in first..first + EACH {
            // Steps that share no divisor with the counts: no two look-ups lie side by side.
            let name = (n * 7919) % names;
            let to = pattern
                .replace("%n", &name.to_string())
                .replace("%d", &(name % domains).to_string());
            lines.push_str(&format!("RCPT TO:<{to}>\r\n"));
        }
        lines.push_str("RSET\r\n");
        link.send(lines.as_bytes())?;
        for _ in 0..EACH + 2 {
            taken += usize::from(reply(&mut link)?.starts_with("250 2.1.5"));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "recipients={count} taken={taken} rate={:.1}",
        count as f64 / seconds
    );
    Ok(())
}

/// Guesses passwords from `--from`, `--rate` times a second for `--seconds`, each over a connection of
/// its own; every five seconds somebody else logs in rightly from `--other`, and is timed.
pub fn guess(options: &Options) -> Result<(), Failure> {
    let addr: SocketAddr = options.text("addr")?.parse()?;
    let (from, other): (IpAddr, IpAddr) = (
        options.text("from")?.parse()?,
        options.text("other")?.parse()?,
    );
    let spread: u64 = options.number("spread", 1)?;
    let user = options.text("user")?.to_owned();
    let password = std::fs::read_to_string(options.text("password-file")?)?;
    let right = plain(&user, password.trim_end());
    let rate: u64 = options.number("rate", 50)?;
    let seconds: u64 = options.number("seconds", 60)?;
    let watch = options
        .has("watch")
        .then(|| options.number("watch", 0))
        .transpose()?
        .map(Watch::start);
    let answered = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut times = Vec::new();
    let mut failed = 0;
    let asking = {
        let (user, answered) = (user.clone(), Arc::clone(&answered));
        thread::spawn(move || {
            for n in 0..rate * seconds {
                let due = start + Duration::from_millis(n * 1000 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let wrong = plain(&user, &format!("wrong{n}"));
                let answered = Arc::clone(&answered);
                let from = away(from, n % spread);
                let wrong_try = move || {
                    if log_in(addr, from, &wrong).is_ok_and(|reply| reply.starts_with("535")) {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                };
                // Nobody waits for them: they end with the process.
                let _ = thread::Builder::new()
                    .stack_size(64 * 1024)
                    .spawn(wrong_try);
            }
        })
    };
    while start.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(Duration::from_secs(5));
        let begun = Instant::now();
        match log_in(addr, other, &right) {
            Ok(reply) if reply.starts_with("235") => times.push(begun.elapsed()),
            Ok(reply) => {
                eprintln!("{reply}");
                failed += 1;
            }
            Err(failure) => {
                eprintln!("{failure}");
                failed += 1;
            }
        }
    }
    asking.join().map_err(|_| "a thread failed")?;
    times.sort_unstable();
    print!(
        "tries={} answered={} right={} failed={failed} p50_ms={:.1} max_ms={:.1}",
        rate * seconds,
        answered.load(Ordering::Relaxed),
        times.len(),
        quantile(&times, 0.5),
        quantile(&times, 1.0),
    );
    println!(
        "{}",
        watch.map_or(String::new(), |watch| format!(" {}", watch.end()))
    );
    Ok(())
}

/// The `nth` address after this one.
fn away(from: IpAddr, nth: u64) -> IpAddr {
    match from {
        IpAddr::V4(v4) => {
            IpAddr::from((u32::from(v4) + u32::try_from(nth).unwrap_or(0)).to_be_bytes())
        }
        v6 @ IpAddr::V6(_) => v6,
    }
}

/// AUTH PLAIN over a connection from this address; the reply to it.
fn log_in(addr: SocketAddr, from: IpAddr, response: &str) -> Result<String, Failure> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect(&addr.into())?;
    let mut link = Link::plain(TcpStream::from(socket))?;
    reply(&mut link)?;
    say(&mut link, "EHLO away.test")?;
    let said = say(&mut link, &format!("AUTH PLAIN {response}"))?;
    let _gone = link.send(b"QUIT\r\n");
    Ok(said)
}

/// RFC 4616, in base64.
fn plain(user: &str, password: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let octets = format!("\0{user}\0{password}").into_bytes();
    let mut out = String::new();
    for three in octets.chunks(3) {
        let number = three
            .iter()
            .fold(0_u32, |all, octet| all << 8 | u32::from(*octet));
        let number = number << (8 * (3 - three.len()));
        for place in 0..4 {
            out.push(match place <= three.len() {
                true => char::from(LETTERS[(number >> (18 - 6 * place) & 63) as usize]),
                false => '=',
            });
        }
    }
    out
}

fn say(link: &mut Link, line: &str) -> Result<String, Failure> {
    link.send(format!("{line}\r\n").as_bytes())?;
    reply(link)
}

/// The last line of a reply.
fn reply(link: &mut Link) -> Result<String, Failure> {
    loop {
        let line = link.line()?;
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}
