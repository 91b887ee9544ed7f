//! The pump with a machine that echoes lines, over real loopback sockets.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process,
    sync::Arc,
    thread,
    time::Duration,
};

use async_executor::LocalExecutor;
use async_io::block_on;
use futures_rustls::{
    pki_types::ServerName,
    rustls::{self, ClientConfig, ClientConnection, RootCertStore, sign::CertifiedKey},
};
use smol::future::FutureExt;

use super::*;
use crate::{
    base::{line::Input, time::Time},
    net::{
        certificate,
        house::{House, Limits},
        listen,
        world::RealWorld,
    },
};

/// Answers lines: `ask`, `compress`, `login`, `content`, `send`, `tls`, `quit`, `panic`, `wait`; others come back.
struct Echo {
    input: Input,
    steps: Vec<Step<u32, Range>>,
    ended: bool,
    done: bool,
    until: Instant,
}

struct Range(u64);

/// A question that is never settled.
const LOGIN: u32 = 7;

impl Length for Range {
    fn length(&self) -> u64 {
        self.0
    }
}

impl Echo {
    fn new(now: Instant) -> Self {
        Self {
            input: Input::default(),
            steps: vec![Step::Write(b"hello\r\n".to_vec())],
            ended: false,
            done: false,
            until: now.plus_seconds(300),
        }
    }

    fn say(&mut self, text: &str) {
        self.steps
            .push(Step::Write(format!("{text}\r\n").into_bytes()));
    }

    fn line(&mut self, line: &str) {
        match line {
            "ask" => self.steps.push(Step::Ask(20)),
            "login" => self.steps.push(Step::Ask(LOGIN)),
            "content" => self.steps.push(Step::Content(vec![b'x'; 100])),
            "send" => self.steps.push(Step::Send(Range(200_000))),
            "compress" => {
                self.say("go");
                let octets = self.input.rest().to_vec();
                self.input.clear();
                self.steps.push(Step::Compress(octets));
            }
            "tls" => {
                self.say("go");
                self.steps.push(Step::StartTls);
            }
            "quit" => {
                self.say("bye");
                self.steps.push(Step::Close);
            }
            "panic" => panic!("asked to"),
            other => self.say(other),
        }
    }
}

impl Machine for Echo {
    type Question = u32;
    type Answer = u32;
    type Range = Range;

    fn input(&mut self, octets: &[u8]) -> usize {
        self.input.take(octets, 1000)
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn step(&mut self, now: Instant) -> Step<u32, Range> {
        assert!(!self.done, "stepped after Close");
        if self.steps.is_empty()
            && let Some(n) = self.input.line()
        {
            let line = String::from_utf8_lossy(&self.input.rest()[..n]).into_owned();
            self.input.advance(n);
            self.line(line.trim_end());
            self.until = now.plus_seconds(300);
        }
        if !self.steps.is_empty() {
            let step = self.steps.remove(0);
            self.done = matches!(step, Step::Close);
            return step;
        }
        if self.ended {
            self.done = true;
            return Step::Close;
        }
        Step::Read { until: self.until }
    }

    fn answer(&mut self, answer: u32) {
        self.say(&answer.to_string());
    }

    fn not_now(question: &u32) -> Option<u32> {
        (*question == LOGIN).then_some(0)
    }

    fn wake(&mut self) {
        self.say("woken");
    }

    fn stop(&mut self) {
        self.say("stopping");
        self.steps.push(Step::Close);
    }

    fn secured(&mut self, secured: Secured) {
        self.say(&secured.version);
    }
}

struct Host {
    content: usize,
    secured: bool,
}

impl Service for Host {
    type Machine = Echo;

    async fn ask(&mut self, question: u32) -> u32 {
        if question == LOGIN {
            std::future::pending::<()>().await;
        }
        yield_now().await;
        question.saturating_add(if self.secured { 2 } else { 1 })
    }

    fn secured(&mut self, _: &Secured) {
        self.secured = true;
    }

    async fn content(&mut self, octets: Vec<u8>) {
        self.content += octets.len();
    }

    async fn range(&mut self, range: &Range, at: u64) -> Option<Vec<u8>> {
        let left = usize::try_from(range.0 - at).unwrap();
        Some(vec![b'r'; left.min(60_000)])
    }

    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// A server on a thread of its own; ends with its `stop`.
struct Server {
    address: SocketAddr,
    certificate: Arc<CertifiedKey>,
    folder: tempfile::TempDir,
    stop: smol::channel::Sender<()>,
    ends: smol::channel::Receiver<Option<End>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = certificate::self_signed(folder.path(), "localhost", Time(0)).unwrap();
        let listener = listen::bind(&["127.0.0.1:0".parse().unwrap()])
            .unwrap()
            .remove(0);
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = smol::channel::bounded(1);
        let (ended, ends) = smol::channel::unbounded();
        let tls_certificate = Arc::clone(&certificate);
        let serve = move || {
            let world: Rc<dyn World> = Rc::new(RealWorld::new());
            let executor = Rc::new(LocalExecutor::new());
            let house = House::new(limits);
            let tls = Tls::new(tls_certificate, false).unwrap();
            let welcome = {
                let (executor, world) = (Rc::clone(&executor), Rc::clone(&world));
                move |tcp, _, seat| {
                    let (ended, world) = (ended.clone(), Rc::clone(&world));
                    let ground = Ground {
                        world,
                        tls: Some(Shake::Server(tls.clone())),
                        seat,
                    };
                    let session = async move {
                        let mut machine = Echo::new(ground.world.now());
                        let mut host = Host {
                            content: 0,
                            secured: false,
                        };
                        drive(
                            &ground,
                            Stream::Plain(crate::net::stream::Socket::Tcp(tcp)),
                            &mut machine,
                            &mut host,
                        )
                        .await
                    };
                    let caught = std::panic::AssertUnwindSafe(session).catch_unwind();
                    executor
                        .spawn(async move {
                            let _ = ended.try_send(caught.await.ok());
                        })
                        .detach();
                }
            };
            let refusal = b"full\r\n".to_vec();
            let listening = listen::accept(listener, world, house.clone(), refusal, welcome);
            let main = async {
                let _ = stopped.recv().await;
                house.stop();
                house.emptied().await;
                Ok(())
            };
            block_on(executor.run(main.or(listening))).unwrap();
        };
        Self {
            address,
            certificate,
            folder,
            stop,
            ends,
            thread: Some(thread::spawn(serve)),
        }
    }

    fn connect(&self) -> Client<TcpStream> {
        connect(self.address)
    }

    fn end(&self) -> Option<End> {
        self.ends.recv_blocking().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.try_send(());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn connect(address: SocketAddr) -> Client<TcpStream> {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tcp.set_nodelay(true).unwrap();
    Client(tcp)
}

fn trusting(certificate: &CertifiedKey) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.cert[0].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

type Secure = Client<rustls::StreamOwned<ClientConnection, TcpStream>>;

fn secure(config: &Arc<ClientConfig>, tcp: TcpStream) -> Secure {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    Client(rustls::StreamOwned::new(connection, tcp))
}

struct Client<T>(T);

impl<T: Read + Write> Client<T> {
    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = vec![];
        while !line.ends_with(b"\n") {
            let mut octet = [0];
            match self.0.read(&mut octet) {
                Ok(1) => line.push(octet[0]),
                Ok(_) => break,
                Err(error) => panic!("{error}, after {line:?}"),
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }
}

const MANY: Limits = Limits {
    total: 0,
    per_address: 0,
};

#[test]
fn lines_questions_content_and_ranges() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    assert_eq!(client.line(), "hello");
    for octet in "one\r\n".chars() {
        client.say(&octet.to_string());
    }
    assert_eq!(client.line(), "one");
    client.say("ask\r\ncontent\r\nsend\r\ntwo\r\nquit\r\nignored\r\n");
    assert_eq!(client.line(), "21");
    assert_eq!(client.line(), format!("{}two", "r".repeat(200_000)));
    assert_eq!(client.line(), "bye");
    assert_eq!(client.line(), "");
    assert_eq!(server.end(), Some(End::Closed));
}

#[test]
fn more_input_than_the_machine_takes_at_once() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.line();
    let mut lines = String::new();
    for n in 0..5000 {
        write!(lines, "{n}\r\n").unwrap();
    }
    let mut writer = Client(client.0.try_clone().unwrap());
    let writing = thread::spawn(move || writer.say(&lines));
    for n in 0..5000 {
        assert_eq!(client.line(), n.to_string());
    }
    writing.join().unwrap();
}

#[test]
fn a_half_closed_peer_still_gets_its_answers() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.say("one\r\nask\r\ntw");
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.line(), "hello");
    assert_eq!(client.line(), "one");
    assert_eq!(client.line(), "21");
    assert_eq!(client.line(), "");
    assert_eq!(server.end(), Some(End::Closed));
}

#[test]
fn a_slow_reader_holds_up_nobody_else() {
    let server = Server::start(MANY);
    let mut slow = server.connect();
    slow.say(&"send\r\n".repeat(100));
    let mut other = server.connect();
    other.say("one\r\n");
    assert_eq!(other.line(), "hello");
    assert_eq!(other.line(), "one");
    slow.say("quit\r\n");
    let mut all = vec![];
    slow.0.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 7 + 20_000_000 + 5);
}

#[test]
fn a_panic_ends_one_session() {
    let server = Server::start(MANY);
    let mut other = server.connect();
    let mut client = server.connect();
    client.say("panic\r\n");
    client.line();
    assert_eq!(client.line(), "");
    assert_eq!(server.end(), None);
    other.say("one\r\n");
    assert_eq!(other.line(), "hello");
    assert_eq!(other.line(), "one");
}

#[test]
fn starttls_and_what_follows() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.line();
    client.say("tls\r\n");
    assert_eq!(client.line(), "go");
    let mut client = secure(&trusting(&server.certificate), client.0);
    client.say("one\r\nask\r\nsend\r\nquit\r\n");
    assert_eq!(client.line(), "TLS1.3");
    assert_eq!(client.line(), "one");
    // The service knows of the handshake, too.
    assert_eq!(client.line(), "22");
    assert_eq!(client.line(), format!("{}bye", "r".repeat(200_000)));
    // An end without close_notify would be an error here.
    assert_eq!(client.line(), "");
}

#[test]
fn clear_octets_before_a_handshake_end_the_connection() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.line();
    // More than the machine holds, so that the pump has the rest.
    client.say(&format!("tls\r\n{}\r\n", "x".repeat(3000)));
    client.line();
    assert_eq!(server.end(), Some(End::Plaintext));
    let mut client = server.connect();
    client.line();
    client.say("tls\r\n");
    client.line();
    client.say("no TLS at all\r\n");
    assert!(matches!(server.end(), Some(End::Tls(_))));
}

#[test]
fn a_full_house_serves_a_newcomer_at_once() {
    let server = Server::start(Limits {
        total: 20,
        per_address: 0,
    });
    let mut slow: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut slow {
        assert_eq!(client.line(), "hello");
    }
    let mut early = server.connect();
    assert_eq!(early.line(), "full");
    thread::sleep(Duration::from_millis(400));
    let mut client = server.connect();
    assert_eq!(client.line(), "hello");
    client.say("one\r\n");
    assert_eq!(client.line(), "one");
    assert_eq!(slow[0].line(), "stopping");
    assert_eq!(slow[0].line(), "");
}

/// SR-24, SU-14: who waits for an answer to a log-in is a stranger.
#[test]
fn who_waits_in_a_log_in_makes_room() {
    let server = Server::start(Limits {
        total: 4,
        per_address: 0,
    });
    let mut guessers: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut guessers {
        assert_eq!(client.line(), "hello");
        client.say("login\r\n");
    }
    thread::sleep(Duration::from_millis(400));
    let mut client = server.connect();
    assert_eq!(client.line(), "hello");
    // Whose log-in is not settled is told so, and goes.
    assert_eq!(guessers[0].line(), "0");
    assert_eq!(guessers[0].line(), "stopping");
    assert_eq!(guessers[0].line(), "");
    assert_eq!(server.end(), Some(End::Closed));
    server.stop.try_send(()).unwrap();
    for client in &mut guessers[1..] {
        assert_eq!(client.line(), "0", "a stop does not wait for them");
    }
}

/// The place of who hung up is free.
#[test]
fn who_hangs_up_in_a_log_in_is_gone() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.say("login\r\nnext\r\n");
    assert_eq!(client.line(), "hello");
    drop(client);
    let mut other = server.connect();
    other.say("login\r\nnext\r\n");
    assert_eq!(server.end(), Some(End::Peer));
    // What was said during the wait is heard after it.
    assert_eq!(other.line(), "hello");
    server.stop.try_send(()).unwrap();
    assert_eq!(other.line(), "0");
    assert_eq!(other.line(), "stopping");
}

#[test]
fn stop_says_goodbye_to_all() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    client.line();
    server.stop.try_send(()).unwrap();
    assert_eq!(client.line(), "stopping");
    assert_eq!(client.line(), "");
    assert_eq!(server.end(), Some(End::Closed));
}

/// Memory that this process has written to, in octets.
fn memory() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    rollup
        .lines()
        .filter(|line| line.starts_with("Private_Dirty"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
        .sum::<usize>()
        * 1024
}

/// What an idle session costs (design section 4), the smallest machine included: server and clients
/// are processes of their own, so that only sessions count.
#[test]
fn idle_sessions_are_small() {
    for (word, limit) in [("plain", 2 * 1024), ("tls", 12 * 1024)] {
        let measured = process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "net::drive::tests::measured", "--nocapture"])
            .env("PILLARBOX_TEST_SERVER", word)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&measured.stdout);
        let (_, figure) = text.split_once("measured ").expect(&text);
        let figure = figure.split_whitespace().next().unwrap();
        println!("{word}: {figure} octets a session");
        assert!(
            figure.parse::<usize>().unwrap() <= limit,
            "{word}: {figure}"
        );
    }
}

/// The server of [`idle_sessions_are_small`].
#[test]
fn measured() {
    let Ok(word) = std::env::var("PILLARBOX_TEST_SERVER") else {
        return;
    };
    let server = Server::start(MANY);
    let clients = |count: usize| {
        let mut child = process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "net::drive::tests::clients", "--nocapture"])
            .env(
                "PILLARBOX_TEST_CLIENTS",
                format!("{word} {count} {}", server.address),
            )
            .env("PILLARBOX_TEST_CERTIFICATE", server.folder.path())
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::piped())
            .stderr(process::Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("connected") {
            line.clear();
            assert_ne!(told.read_line(&mut line).unwrap(), 0, "the clients failed");
        }
        child
    };
    let mut few = clients(100);
    let before = memory();
    let mut many = clients(1000);
    let each = memory().saturating_sub(before) / 1000;
    for child in [&mut few, &mut many] {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    println!("measured {each}");
}

/// The clients of [`idle_sessions_are_small`], until their standard input ends; else nothing.
#[test]
fn clients() {
    let Ok(text) = std::env::var("PILLARBOX_TEST_CLIENTS") else {
        return;
    };
    let fields: Vec<_> = text.split(' ').collect();
    let address: SocketAddr = fields[2].parse().unwrap();
    let folder = PathBuf::from(std::env::var("PILLARBOX_TEST_CERTIFICATE").unwrap());
    let certificate = certificate::self_signed(&folder, "localhost", Time(0)).unwrap();
    let config = trusting(&certificate);
    let (mut plain, mut tls) = (vec![], vec![]);
    for _ in 0..fields[1].parse().unwrap() {
        let mut client = connect(address);
        assert_eq!(client.line(), "hello");
        if fields[0] == "tls" {
            client.say("tls\r\n");
            assert_eq!(client.line(), "go");
            let mut client = secure(&config, client.0);
            client.say("one\r\n");
            assert_eq!(client.line(), "TLS1.3");
            assert_eq!(client.line(), "one");
            tls.push(client);
        } else {
            client.say("one\r\n");
            assert_eq!(client.line(), "one");
            plain.push(client);
        }
    }
    println!("connected");
    let _end = std::io::stdin().read_line(&mut String::new());
}

/// RFC 4978: what came with the command is packed, and nothing of it is lost.
#[test]
fn compressed() {
    let server = Server::start(MANY);
    let mut client = server.connect();
    assert_eq!(client.line(), "hello");
    let packed = miniz_oxide::deflate::compress_to_vec(b"one\r\ntwo\r\nquit\r\n", 6);
    let said = [b"compress\r\n", &packed[..]].concat();
    client.0.write_all(&said).unwrap();
    assert_eq!(client.line(), "go");
    let mut all = vec![];
    client.0.read_to_end(&mut all).unwrap();
    let failure = miniz_oxide::inflate::decompress_to_vec(&all).unwrap_err();
    let text = String::from_utf8_lossy(&failure.output).into_owned();
    assert!(text.starts_with("one\r\ntwo\r\nbye\r\n"), "{text:?}");
}

#[test]
fn who_takes_nothing_makes_room_too() {
    let server = Server::start(Limits {
        total: 1,
        per_address: 0,
    });
    let mut greedy = server.connect();
    greedy.say(&"send\r\n".repeat(1000));
    thread::sleep(Duration::from_millis(600));
    let mut client = server.connect();
    assert_eq!(client.line(), "hello");
    // Goodbye may still have found room in the kernel's buffer.
    let end = server.end();
    assert!(matches!(end, Some(End::Closed | End::Room)), "{end:?}");
}
