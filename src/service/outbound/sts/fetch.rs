//! `GET https://mta-sts.DOMAIN/.well-known/mta-sts.txt` (RFC 8461 section 3.3), and no more of HTTP than
//! that takes (RFC 9112).

use std::{fmt, io, net::IpAddr, pin::pin};

use httparse::{EMPTY_HEADER, Response, Status};
use smol::{
    future,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::parse::{self, Policy};
use crate::{
    net::{
        resolve::{Resolver, Unfound},
        stream::Socket,
        trust::{Outgoing, Trust, Verify},
        world::{Endpoint, World},
    },
    service::outbound::hosts::is_outside,
};

/// Octets of a policy (RFC 8461 section 3.2 suggests a limit like this) …
const BODY_MAX: usize = 64 * 1024;
/// … and of what stands before it, and around it in chunks.
const HEAD_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// For all of it, in seconds (RFC 8461 section 3.3).
const WAIT: u64 = 60;
/// For a connection to one of the addresses, in seconds.
const CONNECT_WAIT: u64 = 15;
const ADDRESSES_MAX: usize = 4;
const PORT: u16 = 443;

/// Why there is no policy, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unfetched {
    /// It was fetched, and is none.
    Bad(String),
    /// Its server gives none.
    Lacking(String),
    /// Its server was not reached or did not prove who it is.
    Unreached(String),
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(why) => write!(f, "not valid: {why}"),
            Self::Lacking(why) | Self::Unreached(why) => write!(f, "not fetched: {why}"),
        }
    }
}

/// Fetches the policy as it is now; takes up to a minute.
///
/// # Errors
///
/// [`Unfetched`].
pub async fn look(
    world: &dyn World,
    resolver: &Resolver,
    trust: &Trust,
    domain: &str,
) -> Result<Policy, Unfetched> {
    let host = format!("mta-sts.{domain}");
    let late = async {
        world.sleep(world.now().plus_seconds(WAIT)).await;
        let text = format!("{host} took longer than {WAIT} s");
        Err(Unfetched::Unreached(text))
    };
    let body = future::or(get(world, resolver, trust, &host), late).await?;
    parse::policy(&body).map_err(Unfetched::Bad)
}

async fn get(
    world: &dyn World,
    resolver: &Resolver,
    trust: &Trust,
    host: &str,
) -> Result<Vec<u8>, Unfetched> {
    let socket = connect(world, resolver, host).await?;
    let outgoing = Outgoing {
        trust: trust.clone(),
        server_name: host.to_owned(),
        verify: Verify::Names(vec![host.to_owned()]),
    };
    let unreached = |error: io::Error| Unfetched::Unreached(error.to_string());
    let mut stream = trust.connect(socket, &outgoing).await.map_err(unreached)?;
    let request = format!(
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Pillarbox\r\n\
         Accept: text/plain\r\nConnection: close\r\n\r\n"
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.map_err(unreached)?;
    stream.flush().await.map_err(unreached)?;
    let mut octets = Vec::new();
    loop {
        let mut piece = vec![0; 4096];
        // TLS tells an end from a cut: a cut is an error.
        let length = stream.read(&mut piece).await.map_err(unreached)?;
        octets.extend_from_slice(piece.get(..length).unwrap_or_default());
        if let Some(body) = body(&octets, length == 0).map_err(Unfetched::Lacking)? {
            return Ok(body);
        }
    }
}

async fn connect(world: &dyn World, resolver: &Resolver, host: &str) -> Result<Socket, Unfetched> {
    let found = resolver.addresses(host).await.map_err(|unfound| {
        let text = match unfound {
            Unfound::NoSuchName => format!("there is no host {host}"),
            Unfound::NotHere(why) | Unfound::TryAgain(why) => format!("{host}: {why}"),
        };
        Unfetched::Unreached(text)
    })?;
    let mut last = format!("{host} has no usable address");
    // A stranger's domain is no reason to ask this machine itself.
    let addresses = found.records.into_iter().filter(|ip| is_outside(*ip));
    for ip in addresses.take(ADDRESSES_MAX) {
        match connect_to(world, ip).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = format!("connect to {host}[{ip}]:{PORT}: {error}"),
        }
    }
    Err(Unfetched::Unreached(last))
}

async fn connect_to(world: &dyn World, ip: IpAddr) -> io::Result<Socket> {
    let endpoint = Endpoint::Tcp((ip, PORT).into());
    let late = async {
        world.sleep(world.now().plus_seconds(CONNECT_WAIT)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    future::or(pin!(world.connect(&endpoint)), pin!(late)).await
}

/// The body of a response of which so much has come; `None`: more is needed.
pub(super) fn body(octets: &[u8], ended: bool) -> Result<Option<Vec<u8>>, String> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut response = Response::new(&mut headers);
    let head = match response.parse(octets) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) if ended => return Err("the answer ends too early".to_owned()),
        Ok(Status::Partial) if octets.len() <= HEAD_MAX => return Ok(None),
        Ok(Status::Partial) => return Err("the answer's head is too long".to_owned()),
        Err(error) => return Err(format!("the answer is not HTTP: {error}")),
    };
    match response.code {
        Some(200) => {}
        Some(code @ 300..=399) => {
            return Err(format!(
                "the server sends us elsewhere (HTTP {code}), which is not allowed here"
            ));
        }
        Some(code) => return Err(format!("the server answers HTTP {code}")),
        None => return Err("the answer is not HTTP".to_owned()),
    }
    let field = |name: &str| {
        let mut all = response.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).to_ascii_lowercase())
    };
    // A page that strangers may write is no policy (RFC 8461 section 3.3).
    if let Some(kind) = field("content-type")
        && kind.split(';').next().map(str::trim) != Some("text/plain")
    {
        let kind: String = kind.chars().take(60).collect();
        return Err(format!("it is {kind:?}, not text/plain"));
    }
    let rest = octets.get(head..).unwrap_or_default();
    let found = match (field("transfer-encoding"), field("content-length")) {
        (Some(coding), _) if coding.trim() == "chunked" => chunks(rest)?,
        (Some(_), _) => return Err("the answer is coded in a way that nobody asked for".to_owned()),
        (None, Some(length)) => {
            let length: usize = length
                .trim()
                .parse()
                .map_err(|_| "the length is no number")?;
            if length > BODY_MAX {
                return Err(too_long());
            }
            rest.get(..length).map(<[u8]>::to_vec)
        }
        (None, None) if ended => Some(rest.to_vec()),
        (None, None) => None,
    };
    match found {
        Some(body) if body.len() > BODY_MAX => Err(too_long()),
        Some(body) => Ok(Some(body)),
        None if rest.len() > BODY_MAX + HEAD_MAX => Err(too_long()),
        None if ended => Err("the answer ends too early".to_owned()),
        None => Ok(None),
    }
}

fn too_long() -> String {
    format!("it is longer than {BODY_MAX} octets")
}

/// RFC 9112 section 7.1; `None`: more is needed.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let bad = || "the answer's chunks are broken".to_owned();
    let mut out = Vec::new();
    loop {
        let (head, size) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(bad()),
        };
        let size = usize::try_from(size).map_err(|_| bad())?;
        if size == 0 {
            return Ok(Some(out));
        }
        if size > BODY_MAX || out.len() > BODY_MAX {
            return Err(too_long());
        }
        let Some((chunk, after)) = rest
            .get(head..)
            .and_then(|rest| rest.split_at_checked(size))
        else {
            return Ok(None);
        };
        out.extend_from_slice(chunk);
        rest = match after {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(bad()),
        };
    }
}
