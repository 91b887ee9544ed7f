//! Has a call carried out: by the server over its control socket, or, when nobody listens there, in
//! this process on the store itself. Only one process has the store: the one with the lock.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
        net::UnixStream,
    },
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Gid, Uid},
};

use crate::{
    base::random::Random,
    cli::{Global, Stop, Terminal, load::Found},
    config::{
        Config,
        schema::{self, Profile},
    },
    net::world::{RealWorld, World as _},
    service::{
        operate::{self, Answer, Call, Context, Kind, Problem, Reply, Request},
        password::{Cost, Passwords},
    },
    store::{self, Store, disk::local::LocalDisk},
};

/// Longest answer, in octets.
const ANSWER_MAX: u64 = 256 * 1024 * 1024;
/// A server that starts or stops has the lock and no socket: how often it is tried again.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// Has it done, wherever the store is open.
pub fn carry_out(terminal: &mut Terminal<'_>, global: &Global, call: &Call) -> Result<Reply, Stop> {
    let found = Found::new(terminal, global, None)?;
    let config = found.config(Vec::new())?;
    for attempt in 1.. {
        if let Some(reply) = ask(&config, call)? {
            return Ok(reply);
        }
        let data = config.text(&schema::DATA);
        match &call.request {
            Request::Status => {
                let text = operate::status::NOT_RUNNING;
                return Err(Problem::new(Kind::NotRunning, text).into());
            }
            Request::Config(operate::config::Request::Show { changed })
                if !Path::new(data).exists() =>
            {
                return Ok(operate::config::show(&config, *changed));
            }
            _ => {}
        }
        if attempt == 1 {
            become_owner(Path::new(data))?;
        }
        match lock(Path::new(data)) {
            Ok(Some(_lock)) => return here(&found, &config, call),
            Ok(None) if attempt < TRIES => thread::sleep(PAUSE),
            Ok(None) => break,
            Err(error) => return Err(on_disk(data, &error).into()),
        }
    }
    let text = "another process has the store open and does not answer; try again";
    Err(Problem::new(Kind::TryAgain, text).into())
}

/// Asks the server; `None` if there is none.
fn ask(config: &Config, call: &Call) -> Result<Option<Reply>, Problem> {
    let path = config.control();
    let mut socket = match UnixStream::connect(&path) {
        Ok(socket) => socket,
        Err(error) => {
            return match error.kind() {
                // A path that is too long for a socket is one where nobody listens.
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::NotFound => Ok(None),
                _ => Err(on_disk(&path, &error)),
            };
        }
    };
    let lost = |error: &dyn std::fmt::Display| {
        let text = format!("the server ended the connection; look whether it was done ({error})");
        Problem::new(Kind::TryAgain, text)
    };
    let mut line = serde_json::to_vec(call).map_err(|error| lost(&error))?;
    line.push(b'\n');
    socket.write_all(&line).map_err(|error| lost(&error))?;
    line.fill(0);
    let mut answer = Vec::new();
    BufReader::new(socket.take(ANSWER_MAX))
        .read_until(b'\n', &mut answer)
        .map_err(|error| lost(&error))?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Reply(reply)) => Ok(Some(reply)),
        Ok(Answer::Problem(problem)) => Err(problem),
        Err(error) => Err(lost(&error)),
    }
}

/// Does it in this process. The caller holds the lock.
fn here(found: &Found, config: &Config, call: &Call) -> Result<Reply, Stop> {
    let world = RealWorld::new();
    let data = config.text(&schema::DATA);
    let disk = LocalDisk::new(Path::new(data)).map_err(|error| on_disk(data, &error))?;
    let (store, running, _opened) =
        Store::open(Arc::new(disk), options(config, &world)).map_err(Problem::from)?;
    let reply = work(&store, found, &world, call);
    store.stop();
    if running.0.join().is_err() {
        let text = "the store failed while it was closed; what was answered before is kept";
        return Err(Problem::new(Kind::TryAgain, text).into());
    }
    reply
}

fn work(store: &Store, found: &Found, world: &RealWorld, call: &Call) -> Result<Reply, Stop> {
    let settings = store.read(store::Reader::settings).map_err(Problem::from)?;
    let config = found.config(settings)?;
    let passwords = Passwords::new(Cost::of(config.profile()), world.octets());
    let context = Context {
        store,
        passwords: &passwords,
        config: &config,
        now: world.time(),
        running: None,
    };
    Ok(async_io::block_on(operate::operate(
        &context,
        call.clone(),
    ))?)
}

/// How the store is opened.
pub fn options(config: &Config, random: &impl Random) -> store::Options {
    let cache = config.number(&schema::LIMIT_STORE_CACHE);
    store::Options {
        cache: usize::try_from(cache).unwrap_or(usize::MAX),
        message_size: config.number(&schema::LIMIT_MESSAGE_SIZE),
        tiny: config.profile() == Profile::Tiny,
        secret: random.octets(),
        folders: config.number(&schema::LIMIT_FOLDERS),
        keywords: config.number(&schema::LIMIT_KEYWORDS),
    }
}

/// Takes the lock of a data folder, which is made if it is not there; `None` if another process has
/// it. Held as long as the file is.
///
/// # Errors
///
/// Folder or file cannot be made or opened.
pub fn lock(data: &Path) -> io::Result<Option<fs::File>> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)?;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data.join("lock"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Root makes no files that the server could not open later. Acts on this thread: no other is there
/// yet.
fn become_owner(data: &Path) -> Result<(), Problem> {
    let Ok(folder) = fs::metadata(data) else {
        return Ok(());
    };
    if !rustix::process::geteuid().is_root() || folder.uid() == 0 {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
    rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(group, group, group))
        .and_then(|()| rustix::thread::set_thread_res_uid(user, user, user))
        .map_err(|error| {
            let text = format!("cannot become user {}: {error}", folder.uid());
            Problem::new(Kind::NotAllowed, text)
        })
}

fn on_disk(path: &str, error: &io::Error) -> Problem {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => Kind::NotAllowed,
        _ => Kind::TryAgain,
    };
    Problem::new(kind, format!("{path}: {error}"))
}
