//! Puts load on a mail server and measures it from the outside. Costs as little CPU as it can, since
//! it runs on the machine that is measured: messages are made before the clock starts, one thread a
//! session, blocking sockets.
//!
//! ```text
//! load corpus --size 4096 [--kind text|attachment|mixed] [--messages 1] [--seed 1]   messages on standard output
//! load smtp   --addr 127.0.0.1:25 --to a@home.test[,b@home.test] [--from x@away.test] [--sessions 1]
//!             [--messages 1000] [--size 4096] [--kind text|attachment] [--seed 1] [--watch PID]
//!             [--user U --password-file F] [--sink 127.0.0.1:2525]   with a sink, counts until the last message came there
//! load sink   --addr 127.0.0.1:2525                  takes messages until standard input ends
//! load idle   --addr 127.0.0.1:143 [--tls] --user U --password-file F [--sessions 1000] [--folder INBOX]
//! load time   --addr … --user U --password-file F [--folder INBOX] [--repeat 5] [--watch PID] [--device loop0]
//!             [--before 'STORE 1 -FLAGS (\Seen)'] --command 'FETCH 1:* (FLAGS)'
//! load qresync --addr … --user U --password-file F [--folder INBOX] [--repeat 5]   changes 100 messages first
//! load append --addr … --user U --password-file F [--folder INBOX] [--messages 300] [--size 4096] [--multi 1]
//! load maildir --folder PATH [--messages 1000] [--size 4096] [--kind mixed] [--seed 1]   files, no server
//! load handshakes --addr 127.0.0.1:993 [--sessions 8] [--rounds 5] [--milliseconds 2000] [--watch PID]
//!             TLS 1.3, new and resumed by turns
//! load start  --addr 127.0.0.1:25 [--wait 30] --log FILE -- COMMAND ARGUMENTS   starts a server and leaves it
//!             running; prints its process id and the seconds until its first greeting
//! load rcpt   --addr 127.0.0.1:25 --to 'a%n@d%d.test' [--names 10000] [--domains 1000] [--messages 20000]
//! load hold   --addr 127.0.0.1:25 [--tls] [--sessions 100]                open SMTP sessions
//! load guess  --addr 127.0.0.1:587 --user U --password-file F --from 127.0.0.3 [--spread 1] --other 127.0.0.2
//!             [--rate 50] [--seconds 60] [--watch PID]            wrong passwords, and right ones beside them
//! load watch  --watch PID                            memory peaks until standard input ends
//! ```
//!
//! Results are one line of `name=value` pairs on standard output.

mod corpus;
mod door;
mod handshakes;
mod imap;
mod link;
mod sink;
mod smtp;
mod watch;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let outcome = Options::read(arguments).and_then(|options| run(&verb, &options));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load {verb}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &str, options: &Options) -> Result<(), Failure> {
    match verb {
        "append" => imap::append(options),
        "corpus" => print_corpus(options),
        "guess" => door::guess(options),
        "hold" => door::hold(options),
        "handshakes" => handshakes::run(options),
        "idle" => imap::idle(options),
        "maildir" => imap::maildir(options),
        "qresync" => imap::qresync(options),
        "rcpt" => door::rcpt(options),
        "sink" => sink::run(options),
        "smtp" => smtp::run(options),
        "start" => start(options),
        "time" => imap::time(options),
        "watch" => {
            let watch = watch::Watch::start(options.number("watch", 0)?);
            io::copy(&mut io::stdin(), &mut io::sink())?;
            println!("{}", watch.end());
            Ok(())
        }
        _ => {
            Err("verbs: append corpus guess handshakes hold idle maildir qresync rcpt sink smtp start time watch".into())
        }
    }
}

fn print_corpus(options: &Options) -> Result<(), Failure> {
    let corpus = corpus::Corpus::named(options)?;
    let mut out = io::stdout().lock();
    for number in 0..options.number("messages", 1)? {
        out.write_all(&corpus.message(number))?;
    }
    Ok(())
}

/// Starts a server and connects again and again until its greeting comes.
fn start(options: &Options) -> Result<(), Failure> {
    let log = fs::File::create(options.text("log")?)?;
    let [program, arguments @ ..] = options.command.as_slice() else {
        return Err("-- COMMAND is missing".into());
    };
    let wait = Duration::from_secs(options.number("wait", 30)?);
    if TcpStream::connect(options.text("addr")?).is_ok() {
        return Err("somebody listens there already".into());
    }
    let start = Instant::now();
    let mut server = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    while start.elapsed() < wait {
        if let Some(status) = server.try_wait()? {
            return Err(format!("the server ended with {status}").into());
        }
        if let Ok(mut stream) = TcpStream::connect(options.text("addr")?) {
            stream.set_read_timeout(Some(wait))?;
            if stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {
                println!(
                    "pid={} seconds={:.4}",
                    server.id(),
                    start.elapsed().as_secs_f64()
                );
                return Ok(());
            }
        }
        thread::sleep(Duration::from_micros(500));
    }
    server.kill()?;
    Err("no greeting".into())
}

/// `--name value` pairs; a name followed by another name is a switch. What follows `--` is a command.
pub struct Options {
    named: HashMap<String, String>,
    command: Vec<String>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = HashMap::new();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next_if(|next| next != "--") {
            let name = argument
                .strip_prefix("--")
                .ok_or(format!("no option: {argument}"))?;
            let value = arguments
                .next_if(|next| !next.starts_with("--"))
                .unwrap_or_default();
            options.insert(name.to_owned(), value);
        }
        Ok(Self {
            named: options,
            command: arguments.skip(1).collect(),
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        self.named
            .get(name)
            .map(String::as_str)
            .ok_or(format!("--{name} is missing").into())
    }

    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.named.get(name).map_or(default, String::as_str)
    }

    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, Failure> {
        let Some(text) = self.named.get(name) else {
            return Ok(default);
        };
        text.parse()
            .map_err(|_| format!("--{name} is no number: {text}").into())
    }

    pub fn password(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.text("password-file")?)?
            .trim()
            .to_owned())
    }
}

/// A sorted list's value at a share of its length, in milliseconds.
pub fn quantile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of measurements"
    )]
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted
        .get(at)
        .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
}
