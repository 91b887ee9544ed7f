//! Listeners, their sessions and the control socket, from the first connection to the last.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixListener,
    rc::Rc,
};

use async_io::Async;
use smol::{channel::Receiver, future::FutureExt};

use crate::{
    appliance::{
        control::{self, Operate},
        executor::Executor,
        memory,
        settings::SESSION,
        shutdown::{self, Order},
        submit,
    },
    base::{machine::Secured, memory::Memory},
    net::{
        drive::{self, End, Ground, Shake},
        house::{House, Limits, Seat},
        listen,
        stream::{Socket, Stream},
        tls::Tls,
        world::{Local, World},
    },
};

/// What the start took is given back after so many milliseconds.
const START_MS: u64 = 1000;
/// Free memory is given back after so many seconds without a command …
const QUIET: u64 = 5;
/// … and under steady work each time so many of these have passed.
const QUIET_AT_MOST: u32 = 10;

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Printers and cameras in the house.
    Devices,
    Imap,
    Imaps,
    /// Programs on this machine.
    Local,
    Mx,
    Pop3,
    Pop3s,
    Submission,
    /// With TLS from the first octet (RFC 8314 section 3.3).
    Submissions,
}

impl Kind {
    /// Whether TLS comes before the first line.
    #[must_use]
    pub fn implicit_tls(self) -> bool {
        match self {
            Self::Devices | Self::Imap | Self::Local | Self::Mx | Self::Pop3 | Self::Submission => {
                false
            }
            Self::Imaps | Self::Pop3s | Self::Submissions => true,
        }
    }

    /// What somebody hears for whom there is no place; under implicit TLS nothing.
    fn refusal(self, hostname: &str) -> Vec<u8> {
        match self {
            Self::Imap => b"* BYE Too many connections\r\n".to_vec(),
            Self::Imaps | Self::Pop3s | Self::Submissions => Vec::new(),
            Self::Pop3 => b"-ERR [SYS/TEMP] Too many connections\r\n".to_vec(),
            Self::Devices | Self::Local | Self::Mx | Self::Submission => {
                format!("421 4.7.0 {hostname} Error: too many connections\r\n").into_bytes()
            }
        }
    }
}

/// Sessions by what limits them.
#[derive(Clone, Debug)]
pub struct Houses {
    pub smtp: House,
    /// POP3 too.
    pub imap: House,
    /// Connections from here: how many there are is decided elsewhere.
    pub outbound: House,
}

impl Houses {
    #[must_use]
    pub fn new(smtp: Limits, imap: Limits, memory: &Memory) -> Self {
        let house = |limits| House::counted(limits, memory.clone(), SESSION);
        Self {
            smtp: house(smtp),
            imap: house(imap),
            outbound: house(Limits::default()),
        }
    }

    fn of(&self, kind: Kind) -> &House {
        match kind {
            Kind::Imap | Kind::Imaps | Kind::Pop3 | Kind::Pop3s => &self.imap,
            Kind::Devices | Kind::Local | Kind::Mx | Kind::Submission | Kind::Submissions => {
                &self.smtp
            }
        }
    }

    fn all(&self) -> [House; 3] {
        [self.smtp.clone(), self.imap.clone(), self.outbound.clone()]
    }
}

/// Everything that listens.
pub struct Sockets {
    pub listeners: Vec<(Kind, TcpListener)>,
    pub control: UnixListener,
    /// For `sendmail` on this machine (LM-5).
    pub submit: Option<UnixListener>,
}

/// A connection that may begin its session.
#[derive(Debug)]
pub struct Caller {
    pub kind: Kind,
    pub ground: Ground,
    pub stream: Stream,
    pub peer: SocketAddr,
    /// Our own address on this connection.
    pub local: SocketAddr,
    /// Where TLS came first.
    pub secured: Option<Secured>,
    /// The system user at the other end, where the kernel says so by itself.
    pub uid: Option<u32>,
}

/// Builds a session's future from its caller.
pub type Sessions = Rc<dyn Fn(Caller) -> Local<'static, End>>;

/// What serving needs of an appliance.
#[derive(Clone, Debug)]
pub struct Hall {
    pub executor: Executor,
    pub world: Rc<dyn World>,
    pub tls: Tls,
    pub houses: Houses,
    pub hostname: String,
    /// Called when the order to stop comes.
    pub at_stop: fn(),
}

impl Hall {
    /// Serves all listeners until an order to stop, then lets the sessions end.
    ///
    /// # Errors
    ///
    /// A socket cannot be watched.
    pub async fn serve(
        &self,
        sockets: Sockets,
        sessions: &Sessions,
        operate: Operate,
        orders: &Receiver<Order>,
        reload: &dyn Fn(),
    ) -> io::Result<()> {
        let mut listening = vec![];
        for (kind, listener) in sockets.listeners {
            log::info!(target: "start", "{kind:?} on {}", listener.local_addr()?);
            let accepting = accept(self.clone(), kind, listener, Rc::clone(sessions));
            listening.push(self.executor.spawn(accepting));
        }
        let (executor, world) = (self.executor.clone(), Rc::clone(&self.world));
        let controlled = control::serve(sockets.control, executor, world, operate);
        let _control = self.executor.spawn(controlled);
        let _submitted = sockets.submit.map(|listener| {
            let submitted = submit::accept(self.clone(), listener, Rc::clone(sessions));
            self.executor.spawn(submitted)
        });
        let _trimming = self.executor.spawn(trim(self.clone()));
        while orders.recv().await == Ok(Order::Reload) {
            reload();
        }
        log::info!(target: "stop", "stopping");
        (self.at_stop)();
        drop(listening);
        shutdown::wind_down(&*self.world, &self.houses.all(), orders).await;
        Ok(())
    }

    pub(super) fn ground(&self, seat: Seat) -> Ground {
        Ground {
            world: Rc::clone(&self.world),
            tls: Some(Shake::Server(self.tls.clone())),
            seat,
        }
    }
}

/// Accepts on one listener; each connection becomes a session.
async fn accept(hall: Hall, kind: Kind, listener: TcpListener, sessions: Sessions) {
    let (world, house) = (Rc::clone(&hall.world), hall.houses.of(kind).clone());
    let refusal = kind.refusal(&hall.hostname);
    let welcome = move |tcp: Async<TcpStream>, peer, seat| {
        // Gone again already.
        let Ok(local) = tcp.get_ref().local_addr() else {
            return;
        };
        let caller = Caller {
            kind,
            ground: hall.ground(seat),
            stream: Stream::Plain(Socket::Tcp(tcp)),
            peer,
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            secured: None,
            uid: None,
        };
        let sessions = Rc::clone(&sessions);
        if kind.implicit_tls() {
            hall.executor.session(secure(caller, sessions));
        } else {
            // Built here, so that the task holds the session and not its caller as well.
            hall.executor.session(ended(peer, sessions(caller)));
        }
    };
    let accepted = listen::accept(listener, world, house, refusal, welcome).await;
    if let Err(error) = accepted {
        log::error!(target: "net", "{kind:?}: {error}");
    }
}

/// A session under TLS from the first octet on.
async fn secure(caller: Caller, sessions: Sessions) {
    let peer = caller.peer;
    let session = Box::pin(async move {
        let Caller { ground, stream, .. } = caller;
        let (stream, secured) = drive::handshake(&ground, stream).await.ok()?;
        Some(sessions(Caller {
            ground,
            stream,
            secured: Some(secured),
            ..caller
        }))
    });
    let session = session.await;
    if let Some(session) = session {
        ended(peer, session).await;
    }
}

pub(super) async fn ended(peer: SocketAddr, session: Local<'static, End>) {
    let end = session.await;
    log::debug!(target: "net", "{peer}: {end:?}");
}

/// Gives memory back when it has become quiet; sleeps as long as nothing happens.
async fn trim(hall: Hall) {
    let [smtp, imap, outbound] = hall.houses.all();
    let stirs = || (smtp.stirs(), imap.stirs(), outbound.stirs());
    // The start itself.
    hall.world.sleep(hall.world.now().plus(START_MS)).await;
    memory::trim();
    memory::unmap_code();
    loop {
        let known = stirs();
        let stirred = smtp.stirred(known.0).or(imap.stirred(known.1));
        stirred.or(outbound.stirred(known.2)).await;
        for _ in 0..QUIET_AT_MOST {
            let known = stirs();
            let until = hall.world.now().plus_seconds(QUIET);
            hall.world.sleep(until).await;
            if stirs() == known {
                break;
            }
        }
        memory::trim();
        memory::unmap_code();
    }
}

#[cfg(test)]
mod tests;
