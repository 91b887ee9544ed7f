//! A box for one test, and programs that talk to it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const ANNA: &str = "anna@home.test";
pub const BEN: &str = "ben@home.test";
pub const PASSWORD: &str = "Correct-horse-7";

/// How long a start, a stop or one run of a program may take on a slow, busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running Pillarbox with `home.test`, anna and ben. Ends with the value.
pub struct House {
    pub folder: TempDir,
    pub mx: u16,
    pub imap: u16,
    pub imaps: u16,
    /// 587's part: STARTTLS.
    pub submission: u16,
    /// 465's part: TLS from the first octet.
    pub submissions: u16,
    data: PathBuf,
    server: Option<Child>,
}

impl House {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With further lines of configuration; `hostname` and `tls.plaintext_auth` may be among them.
    pub fn with(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        Self::at(folder, data, settings)
    }

    /// With the data folder somewhere else (on a small disk).
    pub fn at(folder: TempDir, data: PathBuf, settings: &str) -> Self {
        let [mx, imap, imaps, submission, submissions] = [(); 5].map(|()| free_port());
        fs::create_dir(&data).unwrap();
        let hostname = if settings.contains("hostname =") {
            ""
        } else {
            "hostname = \"mx.home.test\"\n"
        };
        let plaintext = if settings.contains("tls.plaintext_auth") {
            ""
        } else {
            "tls.plaintext_auth = \"loopback\"\n"
        };
        let local = if settings.contains("listen.local") {
            ""
        } else {
            "listen.local = \"off\"\n"
        };
        // Senders' domains are made up, and nobody is to be asked about them.
        let check = if settings.contains("smtp.check_sender") {
            ""
        } else {
            "smtp.check_sender = false\n"
        };
        let configuration = format!(
            "{hostname}{plaintext}{local}{check}\
             listen.mx = [\"127.0.0.1:{mx}\"]\n\
             listen.imap = [\"127.0.0.1:{imap}\"]\n\
             listen.imaps = [\"127.0.0.1:{imaps}\"]\n\
             listen.submission = [\"127.0.0.1:{submission}\"]\n\
             listen.submissions = [\"127.0.0.1:{submissions}\"]\n\
             {settings}\n"
        );
        fs::write(folder.path().join("pillarbox.toml"), configuration).unwrap();
        fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let mut house = Self {
            folder,
            mx,
            imap,
            imaps,
            submission,
            submissions,
            data,
            server: None,
        };
        house.operate(&["domain", "add", "home.test"], "");
        for user in [ANNA, BEN] {
            house.operate(
                &["user", "add", user, "--password-stdin"],
                &format!("{PASSWORD}\n"),
            );
        }
        house.start();
        house
    }

    /// Starts the server and waits for both greetings; returns how long that took.
    pub fn start(&mut self) -> Duration {
        assert!(self.server.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let begun = Instant::now();
        let mut command = self.pillarbox(&["serve"]);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.server = Some(command.spawn().unwrap());
        for port in [
            self.mx,
            self.imap,
            self.imaps,
            self.submission,
            self.submissions,
        ] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                let ended = self.server.as_mut().unwrap().try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "the server ended: {ended:?}\n{}",
                    self.log()
                );
                assert!(
                    begun.elapsed() < PATIENCE,
                    "no answer at port {port}\n{}",
                    self.log()
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
        begun.elapsed()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Asks it to end (SIGTERM), and waits; it must end with exit code 0.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        terminate(&server);
        let status = wait(&mut server, PATIENCE).expect("it ends when it is asked to");
        assert!(status.success(), "it ended with {status}\n{}", self.log());
    }

    /// True while the process that was started still runs: nothing made it fall and come back.
    pub fn runs(&mut self) -> bool {
        self.server
            .as_mut()
            .is_some_and(|server| server.try_wait().unwrap().is_none())
    }

    /// Runs a verb of the command line to its end.
    pub fn operate(&self, arguments: &[&str], input: &str) -> String {
        let program = self.pillarbox(arguments);
        Program {
            command: program,
            name: format!("pillarbox {}", arguments.join(" ")),
            patience: PATIENCE,
        }
        .input(input)
        .run()
    }

    pub fn pillarbox(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.path("pillarbox.toml"));
        command.arg("--data").arg(&self.data).args(arguments);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Proportional set size in KiB.
    pub fn memory(&self) -> u64 {
        let id = self.server.as_ref().expect("it runs").id();
        let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            terminate(&server);
            if wait(&mut server, Duration::from_secs(20)).is_none() {
                let _ = server.kill();
                let _ = server.wait();
            }
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let end = lines.len().saturating_sub(40);
            eprintln!("the end of the server's log:\n{}", lines[end..].join("\n"));
        }
    }
}

pub fn binary() -> PathBuf {
    std::env::var_os("PILLARBOX_BINARY").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_pillarbox")),
        PathBuf::from,
    )
}

/// Where the build puts things.
pub fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_pillarbox"));
    let folder = binary.parent().and_then(Path::parent);
    folder.expect("target/debug/pillarbox").to_owned()
}

/// A program with its arguments and input, run to its end within [`PATIENCE`].
pub struct Program {
    command: Command,
    name: String,
    patience: Duration,
}

impl Program {
    pub fn new(name: &str) -> Self {
        Self {
            command: Command::new(find(name)),
            name: name.to_owned(),
            patience: PATIENCE,
        }
    }

    /// One of the scripts beside this file, with the interpreter.
    pub fn python(script: &str) -> Self {
        let mut program = Self::new("python3");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        program
            .command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(folder.join(script));
        script.clone_into(&mut program.name);
        program
    }

    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// For a program that is known to take longer than [`PATIENCE`].
    pub fn patient(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    pub fn input(mut self, text: impl AsRef<[u8]>) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_ref()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        self.command.stdin(file);
        self
    }

    /// What it printed on both its outputs; it must end with exit code 0.
    pub fn run(self) -> String {
        let name = self.name.clone();
        let (success, text) = self.outcome();
        assert!(success, "{name} failed:\n{text}");
        text
    }

    /// Whether it ended with exit code 0, and what it printed.
    pub fn outcome(mut self) -> (bool, String) {
        let output = tempfile::NamedTempFile::new().unwrap();
        // Both outputs go to one file: each writes at its end.
        let file = File::options().append(true).open(output.path()).unwrap();
        self.command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut child = self.command.spawn().unwrap();
        let status = wait(&mut child, self.patience);
        let text = || String::from_utf8_lossy(&fs::read(output.path()).unwrap()).into_owned();
        let Some(status) = status else {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{} did not end within {:?}:\n{}",
                self.name,
                self.patience,
                text()
            );
        };
        (status.success(), text())
    }
}

/// Where a program is; some lie where only root's PATH looks.
fn find(name: &str) -> PathBuf {
    if name.contains('/') {
        return name.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: scripts/check installs it"))
}

pub fn terminate(child: &Child) {
    let id = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::kill_process(id.expect("a process id"), rustix::process::Signal::TERM);
}

pub fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Ports below those that the kernel gives to clients, so that nobody takes one before the server.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Asks again until the answer is there, at most for `limit`.
pub fn until<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
