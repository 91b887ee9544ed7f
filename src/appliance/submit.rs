//! What `sendmail` on this machine talks to (LM-5): a socket for everybody, behind it the local
//! listener's door; and the folder where it leaves mail while nobody answers.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::Path,
};

use async_io::Async;
use rustix::net::sockopt::socket_peercred;

use crate::{
    appliance::{
        control,
        hall::{Caller, Hall, Kind, Sessions, ended},
        start::Plan,
    },
    net::stream::{Socket, Stream},
};

/// Everybody may write, nobody may look, and only owners take away.
const SPOOL: u32 = 0o1733;
/// A pause where the kernel gives no connection, in milliseconds.
const PAUSE: u64 = 100;

/// Binds the socket, for everybody; a box goes on without it.
pub(super) fn bind(plan: &Plan) -> Option<UnixListener> {
    match make_socket(plan) {
        Ok(listener) => Some(listener),
        Err(error) => {
            let path = plan.submit.display();
            log::warn!(target: "start", "{path}: {error}: sendmail leaves its mail in the spool folder");
            None
        }
    }
}

fn make_socket(plan: &Plan) -> io::Result<UnixListener> {
    let listener = control::bind(&plan.submit)?;
    fs::set_permissions(&plan.submit, Permissions::from_mode(0o666))?;
    // The usual folder holds nothing but sockets; the data folder stays as it is.
    if let Some(folder) = plan.submit.parent()
        && folder != plan.data
    {
        let _somebody_elses = fs::set_permissions(folder, Permissions::from_mode(0o755));
    }
    Ok(listener)
}

/// Makes the spool folder, if it is not there; whether it can be used.
pub(super) fn spool(plan: &Plan) -> bool {
    match make_folder(&plan.spool) {
        Ok(()) => true,
        Err(error) => {
            let path = plan.spool.display();
            log::warn!(target: "start", "{path}: {error}: sendmail works while the server runs, and no longer");
            false
        }
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(path)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Err(error) => return Err(error),
    }
    fs::set_permissions(path, Permissions::from_mode(SPOOL))
}

/// Accepts on the socket; each connection is a session of the local listener, and the kernel says whose.
pub(super) async fn accept(hall: Hall, listener: UnixListener, sessions: Sessions) {
    let listener = match Async::new(listener) {
        Ok(listener) => listener,
        Err(error) => return log::error!(target: "net", "submit: {error}"),
    };
    let house = hall.houses.smtp.clone();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    loop {
        let now = hall.world.now();
        let Ok((stream, _)) = listener.accept().await else {
            hall.world.sleep(now.plus(PAUSE)).await;
            continue;
        };
        // Whoever is not let in leaves the message in the folder.
        let (Ok(peer), Ok(seat)) = (
            socket_peercred(stream.get_ref() as &UnixStream),
            house.enter(here.ip(), now),
        ) else {
            continue;
        };
        let uid = peer.uid.as_raw();
        log::info!(target: "submit", "uid={uid}");
        let caller = Caller {
            kind: Kind::Local,
            ground: hall.ground(seat),
            stream: Stream::Plain(Socket::Unix(stream)),
            peer: here,
            local: here,
            secured: None,
            uid: Some(uid),
        };
        hall.executor.session(ended(here, sessions(caller)));
    }
}
