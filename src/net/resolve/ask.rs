//! One question to several servers: datagrams, TCP where these do not do, and who is asked first.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    task::Poll,
};

use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Unfound,
    message::{self, Kind, Query, Response, Wrong},
};
use crate::{
    base::time::Instant,
    net::world::{Endpoint, World},
};

/// How long a server may take, in milliseconds: the first time and the second.
const WAITS: [u64; 2] = [2_000, 4_000];
/// The same for TCP, connecting included.
const TCP_WAIT: u64 = 4_000;
/// A server that did not answer is asked after the others for so long, in milliseconds.
const SHUNNED: u64 = 60_000;
/// So many datagrams that are not the answer, and somebody is guessing: TCP cannot be guessed into.
const FOREIGN_MAX: u32 = 16;

const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NO_SUCH_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

/// A server, and what is known of it.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    /// Its word on what is authenticated counts.
    pub trusted: bool,
    shunned: Cell<Instant>,
    edns: Cell<bool>,
}

impl Server {
    #[must_use]
    pub fn new(address: SocketAddr, trusted: bool) -> Self {
        Self {
            address,
            trusted,
            shunned: Cell::new(Instant(0)),
            edns: Cell::new(true),
        }
    }

    fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// Why a server gave no answer.
enum Silence {
    Io(io::Error),
    Garbage,
    Timeout,
}

/// Asks until somebody knows: the answer, `authentic` only if that counts.
///
/// # Errors
///
/// [`Unfound::NotHere`] where nobody lets us ask, else [`Unfound::TryAgain`].
pub async fn ask(
    world: &dyn World,
    servers: &[Server],
    name: &str,
    kind: Kind,
    deadline: Instant,
) -> Result<Response, Unfound> {
    let mut order: Vec<&Server> = servers.iter().collect();
    let now = world.now();
    order.sort_by_key(|server| server.shunned.get() > now);
    let (mut refused, mut last) = (0, String::new());
    for wait in WAITS {
        let mut silent = Vec::new();
        for server in order {
            let now = world.now();
            if now >= deadline {
                break;
            }
            let until = now.plus(wait).min(deadline);
            let said = one(world, server, name, kind, (until, deadline)).await;
            let answer = match said {
                Ok(mut response) => match response.code {
                    NO_ERROR | NO_SUCH_NAME if !response.is_lame() => {
                        server.shunned.set(Instant(0));
                        response.authentic &= server.trusted;
                        return Ok(response);
                    }
                    NO_ERROR | REFUSED | NOT_IMPLEMENTED => {
                        refused += 1;
                        "does not let us ask".to_owned()
                    }
                    code => format!("failed (code {code})"),
                },
                Err(silence) => {
                    server.shunned.set(world.now().plus(SHUNNED));
                    silent.push(server);
                    match silence {
                        Silence::Garbage => "answers with garbage".to_owned(),
                        Silence::Io(error) => error.to_string(),
                        Silence::Timeout => "does not answer".to_owned(),
                    }
                }
            };
            last = format!("name server {}: {answer}", server.ip());
        }
        order = silent;
    }
    if servers.is_empty() {
        return Err(Unfound::NotHere("no name server is known".to_owned()));
    }
    if refused == servers.len() {
        return Err(Unfound::NotHere(last));
    }
    Err(Unfound::TryAgain(last))
}

/// Asks one server, by datagram until the first point in time, by TCP until the second.
async fn one(
    world: &dyn World,
    server: &Server,
    name: &str,
    kind: Kind,
    (until, deadline): (Instant, Instant),
) -> Result<Response, Silence> {
    let mut query = query(world, server, name, kind);
    let mut said = datagram(world, server, &query, until).await?;
    if said.as_ref().is_some_and(|r| r.code == FORMAT_ERROR) && query.edns {
        server.edns.set(false);
        query.edns = false;
        said = datagram(world, server, &query, until).await?;
    }
    match said {
        Some(response) if !response.cut => Ok(response),
        _ => {
            let until = world.now().plus(TCP_WAIT).min(deadline);
            let over = Box::pin(tcp(world, server, &query));
            within(world, until, over)
                .await
                .unwrap_or(Err(Silence::Timeout))
        }
    }
}

fn query(world: &dyn World, server: &Server, name: &str, kind: Kind) -> Query {
    let mut id = [0; 2];
    world.random().fill(&mut id);
    let mut coins = [0; message::NAME_MAX];
    world.random().fill(&mut coins);
    let mixed = |(letter, coin): (char, &u8)| match coin & 1 {
        0 => letter.to_ascii_lowercase(),
        _ => letter.to_ascii_uppercase(),
    };
    Query {
        id: u16::from_be_bytes(id),
        name: name.chars().zip(&coins).map(mixed).collect(),
        kind,
        authentic: server.trusted,
        edns: server.edns.get(),
    }
}

/// `None` where TCP has to be tried.
async fn datagram(
    world: &dyn World,
    server: &Server,
    query: &Query,
    until: Instant,
) -> Result<Option<Response>, Silence> {
    let exchange = async {
        let socket = world.datagrams(server.address).map_err(Silence::Io)?;
        socket.send(&query.encode()).await.map_err(Silence::Io)?;
        for _ in 0..FOREIGN_MAX {
            let octets = socket.receive().await.map_err(Silence::Io)?;
            match message::read(query, &octets) {
                Ok(response) => return Ok(Some(response)),
                Err(Wrong::Case) => return Ok(None),
                Err(Wrong::Foreign) => {}
                Err(Wrong::Garbage) => return Err(Silence::Garbage),
            }
        }
        Ok(None)
    };
    within(world, until, Box::pin(exchange))
        .await
        .unwrap_or(Err(Silence::Timeout))
}

/// RFC 1035 section 4.2.2: each message has its length in front.
async fn tcp(world: &dyn World, server: &Server, query: &Query) -> Result<Response, Silence> {
    let exchange = async {
        let mut socket = world.connect(&Endpoint::Tcp(server.address)).await?;
        let message = query.encode();
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes()[..], &message].concat();
        socket.write_all(&framed).await?;
        let mut length = [0; 2];
        socket.read_exact(&mut length).await?;
        let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
        socket.read_exact(&mut octets).await?;
        Ok(octets)
    };
    let octets = exchange.await.map_err(Silence::Io)?;
    // Nobody can put octets into a connection: a server that folds the case may.
    let folded = Query {
        name: message::name_said(&octets).unwrap_or_default(),
        ..query.clone()
    };
    let same = folded.name.eq_ignore_ascii_case(&query.name);
    let query = if same { &folded } else { query };
    match message::read(query, &octets) {
        Ok(response) if !response.cut => Ok(response),
        _ => Err(Silence::Garbage),
    }
}

/// What the future comes to, or `None` once it is later than `until`. The clock is asked only when
/// there is something to wait for.
pub async fn within<T>(
    world: &dyn World,
    until: Instant,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut nap = None;
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        let nap = nap.get_or_insert_with(|| world.sleep(until));
        nap.as_mut().poll(context).map(|()| None)
    })
    .await
}
