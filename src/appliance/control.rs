//! The control socket: one line of JSON in, one line of JSON out, as often as the caller likes.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{
            fs::{FileTypeExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use async_io::Async;
use rustix::{net::sockopt::socket_peercred, process::geteuid};
use smol::{
    future::FutureExt,
    io::{AsyncReadExt, AsyncWriteExt},
    lock::Semaphore,
};

use crate::{
    appliance::executor::Executor,
    net::world::{Local, World},
    service::operate::wire::LINE_MAX,
};

/// How long a caller may be silent, in seconds.
const WAIT: u64 = 60;
/// Callers at once; more wait in the kernel's queue.
const CALLERS: usize = 16;

/// Octets that a socket's address holds.
const ADDRESS_MAX: usize = 107;

/// Settles one request; both are JSON without line ends.
pub type Operate = Rc<dyn Fn(String) -> Local<'static, String>>;

/// Makes the socket, mode 600. The caller holds the data folder's lock, so what lies there is left
/// over.
///
/// # Errors
///
/// The path is somebody else's file, or its folder is not there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            // One that nobody answers at was left behind.
            if short(path, |path| UnixStream::connect(path)).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            fs::remove_file(path)?;
        }
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    let (listener, _folder) = short(path, |path| UnixListener::bind(path))?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Sends one request to a running appliance and waits for its reply.
///
/// # Errors
///
/// `NotFound` or `ConnectionRefused`: it is not running. `PermissionDenied`: neither root nor its
/// user. `UnexpectedEof`: it went away.
pub fn call(path: &Path, request: &str) -> io::Result<String> {
    let (mut stream, _folder) = short(path, |path| UnixStream::connect(path))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    let mut reply = String::new();
    BufReader::new(stream.take(limit)).read_line(&mut reply)?;
    match reply.strip_suffix('\n') {
        Some(reply) => Ok(reply.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Connects to a socket, however long its path is.
///
/// # Errors
///
/// Nobody listens there.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    // Who may not list the folder can go through it all the same.
    if path.as_os_str().len() <= ADDRESS_MAX {
        return UnixStream::connect(path);
    }
    short(path, |path| UnixStream::connect(path)).map(|(stream, _)| stream)
}

/// A socket's address holds 107 octets; a path may be longer, but not one through its open folder.
fn short<T>(path: &Path, open: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<(T, File)> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = File::open(folder)?;
    let short: PathBuf = ["/proc/self/fd", &folder.as_raw_fd().to_string()]
        .iter()
        .collect();
    open(&short.join(name)).map(|opened| (opened, folder))
}

/// Answers callers until it is dropped.
///
/// # Errors
///
/// The socket cannot be watched.
pub async fn serve(
    listener: UnixListener,
    executor: Executor,
    world: Rc<dyn World>,
    operate: Operate,
) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let places = Arc::new(Semaphore::new(CALLERS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            world.sleep(world.now().plus(100)).await;
            continue;
        };
        if !admitted(&stream) {
            continue;
        }
        let place = places.acquire_arc().await;
        let (world, operate) = (Rc::clone(&world), Rc::clone(&operate));
        executor.session(async move {
            let _gone = converse(stream, &*world, &operate).await;
            drop(place);
        });
    }
}

/// Root, and the user that the appliance runs as.
fn admitted(stream: &Async<UnixStream>) -> bool {
    let Ok(peer) = socket_peercred(stream.get_ref()) else {
        return false;
    };
    let admitted = peer.uid.is_root() || peer.uid == geteuid();
    if !admitted {
        log::warn!(target: "control", "uid {} is not let in", peer.uid.as_raw());
    }
    admitted
}

async fn converse(
    mut stream: Async<UnixStream>,
    world: &dyn World,
    operate: &Operate,
) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        let silent = silence(world);
        let Some(request) = line(&mut stream, &mut held).or(silent).await? else {
            return Ok(());
        };
        let mut reply = operate(request).await;
        reply.retain(|c| c != '\n');
        if reply.len() >= LINE_MAX {
            log::error!(target: "control", "a reply of {} octets is too long", reply.len());
            return Ok(());
        }
        reply.push('\n');
        let silent = silence(world);
        stream.write_all(reply.as_bytes()).or(silent).await?;
    }
}

/// Fails once the caller has been silent for too long.
async fn silence<T>(world: &dyn World) -> io::Result<T> {
    world.sleep(world.now().plus_seconds(WAIT)).await;
    Err(io::ErrorKind::TimedOut.into())
}

/// The next line without its LF; `None` at the end. What follows it stays in `held`.
async fn line(stream: &mut Async<UnixStream>, held: &mut Vec<u8>) -> io::Result<Option<String>> {
    let mut seen = 0;
    loop {
        let fresh = held.get(seen..).unwrap_or_default();
        if let Some(at) = memchr::memchr(b'\n', fresh) {
            let rest = held.split_off(seen.saturating_add(at).saturating_add(1));
            let mut line = std::mem::replace(held, rest);
            line.pop();
            return match String::from_utf8(line) {
                Ok(line) => Ok(Some(line)),
                Err(_) => Err(io::ErrorKind::InvalidData.into()),
            };
        }
        seen = held.len();
        if seen >= LINE_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut octets = vec![0; 4096];
        let read = stream.read(&mut octets).await?;
        if read == 0 {
            return Ok(None);
        }
        held.extend_from_slice(octets.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::world::RealWorld;

    #[test]
    fn a_request_gets_its_reply() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120));
        fs::create_dir(&deep).unwrap();
        let path = deep.join("control");
        assert_eq!(
            call(&path, "{}").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        drop(bind(&path).unwrap());
        assert_eq!(
            call(&path, "{}").unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        let listener = bind(&path).unwrap();
        // One that answers is somebody's.
        let taken = bind(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (done, end) = smol::channel::bounded::<()>(1);
        let client = std::thread::spawn(move || {
            let big = "b".repeat(3_000_000);
            for request in ["{\"a\":1}", "", &big] {
                assert_eq!(call(&path, request).unwrap(), format!("<{request}>"));
            }
            for _ in 0..2 * CALLERS {
                call(&path, "{}").unwrap();
            }
            let error = call(&path, &"b".repeat(LINE_MAX + 1)).unwrap_err();
            assert_ne!(error.kind(), io::ErrorKind::NotFound);
            done.try_send(()).unwrap();
        });
        let executor = Executor::new();
        let world: Rc<dyn World> = Rc::new(RealWorld::new());
        let operate: Operate = Rc::new(|request| Box::pin(async move { format!("<{request}>") }));
        let serving = executor.spawn(serve(listener, executor.clone(), world, operate));
        async_io::block_on(executor.run(end.recv())).unwrap();
        drop(serving);
        client.join().unwrap();
    }
}
