//! Works off a lane: one message after another, over as few connections as it takes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    rc::Rc,
};

use smol::future::FutureExt;

use super::{
    Outbound,
    hosts::{Failure, Host},
    lane::{Claim, Job, Lane},
    line,
    reach::{Manner, Reach},
    session::{Courier, Terms},
    settle::{Came, Outcome, What},
    slots::Slot,
};
use crate::{
    base::machine::Machine as _,
    net::{
        drive::{self, End, Ground, Shake},
        stream::{Socket, Stream},
        trust::Outgoing,
        world::Endpoint,
    },
    proto::smtp::client::{Failed, Options, Session, Stage, Tls},
    routing::NextHop,
    store::queue::{LaneNote, QueueEntry, QueuedRecipient},
};

/// For a connection, in seconds.
const CONNECT_WAIT: u64 = 30;
/// Hosts of one try.
const HOSTS_MAX: usize = 5;

/// Why a connection was not made, or not got ready for mail.
pub(super) struct Missed {
    pub status: &'static str,
    pub text: String,
    /// The handshake failed.
    pub tls: bool,
}

/// How a try of one address ended.
enum Tried {
    /// The peer was ready for mail; this message was not sent.
    Served(Option<Box<Job>>),
    Missed(Box<Job>, Missed),
    /// There is no memory for one more connection.
    Full(Box<Job>),
}

/// Where to connect, and what is said there.
pub(super) struct Call<'a> {
    pub endpoint: Endpoint,
    pub manner: &'a Manner,
    pub terms: Terms,
}

/// Works until nothing is left, or the lane fails.
pub(super) async fn work(outbound: Rc<Outbound>, lane: Rc<Lane>, slot: Slot) {
    let mut kept = None;
    loop {
        let job = match kept.take() {
            Some(job) => job,
            None => match outbound.pick(&lane).await {
                Some(job) => job,
                None => break,
            },
        };
        kept = Box::pin(slot.watched(outbound.serve(&lane, job, &slot))).await;
    }
    lane.workers.set(lane.workers.get().saturating_sub(1));
    outbound.leave(&lane);
}

impl Outbound {
    /// One message, and what follows it over the same connection. Returns one that was not sent yet.
    async fn serve(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        job: Box<Job>,
        slot: &Slot,
    ) -> Option<Box<Job>> {
        let hop = lane.hop();
        let (relay, what) = match &hop {
            None => {
                let (status, text) = ("4.3.5".to_owned(), format!("{}: unknown", lane.name));
                (lane.name.as_str(), What::Waits { status, text })
            }
            Some(NextHop::Discard) => ("none", What::Dropped),
            Some(NextHop::Error { status, text }) => {
                let (status, text) = (status.clone(), text.clone());
                let what = if status.starts_with('4') {
                    What::Waits { status, text }
                } else {
                    let remote = None;
                    What::Fails {
                        status,
                        text,
                        remote,
                    }
                };
                ("none", what)
            }
            Some(NextHop::LmtpUnix { path }) => return self.unix(lane, path, job, slot).await,
            Some(hop) => return self.send(lane, hop, job, slot).await,
        };
        self.all(lane, *job, relay, &what);
        None
    }

    /// The same for all recipients of a message.
    fn all(self: &Rc<Self>, lane: &Rc<Lane>, job: Job, relay: &str, what: &What) {
        let came = job
            .left
            .into_iter()
            .map(|recipient| -> Came { (recipient, what.clone()) });
        let outcome = Outcome {
            claim: &job.claim,
            entry: &job.entry,
            relay,
            came: came.collect(),
            note: None,
        };
        self.settle(lane, outcome);
    }

    async fn unix(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        path: &str,
        job: Box<Job>,
        slot: &Slot,
    ) -> Option<Box<Job>> {
        let manner = Manner {
            tls: Tls::Never,
            verify: crate::net::trust::Verify::Nothing,
            server_name: String::new(),
            fall_back: false,
            verified: true,
            login: None,
            in_clear: false,
        };
        let peer = format!("{}[{path}]", self.options().hostname);
        let call = Call {
            endpoint: Endpoint::Unix(PathBuf::from(path)),
            manner: &manner,
            terms: Terms {
                relay: peer.clone(),
                peer,
                lmtp: true,
                level: job.level,
                verified: true,
                rewrite: None,
            },
        };
        match self.call(lane, call, job, slot).await {
            Tried::Served(back) => back,
            Tried::Full(job) => self.later(job).await,
            Tried::Missed(job, missed) => {
                self.fail(lane, *job, "none", missed.status, &missed.text);
                None
            }
        }
    }

    async fn send(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        hop: &NextHop,
        job: Box<Job>,
        slot: &Slot,
    ) -> Option<Box<Job>> {
        let reach = match self.reach(hop, &job).await {
            Ok(reach) => reach,
            Err(Failure::Fails { code, status, text }) => {
                self.heard();
                let what = What::Fails {
                    status: status.to_owned(),
                    text: format!("{code} {status} {text}"),
                    remote: None,
                };
                self.all(lane, *job, "none", &what);
                return None;
            }
            Err(Failure::Waits { status, text }) => {
                self.unheard();
                self.fail(lane, *job, "none", status, &text);
                return None;
            }
        };
        let mut job = job;
        let mut last = Missed {
            status: "4.4.4",
            text: format!("{}: no host takes mail", lane.name),
            tls: false,
        };
        for host in reach.hosts.iter().take(HOSTS_MAX) {
            if slot.is_over() {
                break;
            }
            let requiretls = job.entry.queued.requiretls;
            let manner = match self.manner(&reach, host, requiretls).await {
                Ok(manner) => manner,
                Err(text) => {
                    last = Missed {
                        status: "4.7.5",
                        text,
                        tls: true,
                    };
                    continue;
                }
            };
            match self.host(lane, &reach, host, &manner, job, slot).await {
                Tried::Served(back) => return back,
                Tried::Full(job) => return self.later(job).await,
                Tried::Missed(back, missed) => (job, last) = (back, missed),
            }
        }
        if last.tls && job.entry.queued.requiretls {
            // Its own wish: others of the lane may go as they are.
            let (status, text) = (last.status.to_owned(), last.text);
            self.all(lane, *job, "none", &What::Waits { status, text });
        } else {
            self.fail(lane, *job, "none", last.status, &last.text);
        }
        None
    }

    /// There is no memory for a connection: a little later.
    async fn later(&self, job: Box<Job>) -> Option<Box<Job>> {
        let world = &self.parts.world;
        world.sleep(world.now().plus_seconds(1)).await;
        (!self.parts.house.is_stopping()).then_some(job)
    }

    /// All addresses of one host.
    async fn host(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        reach: &Reach,
        host: &Host,
        manner: &Manner,
        mut job: Box<Job>,
        slot: &Slot,
    ) -> Tried {
        let mut last = None;
        for address in &host.addresses {
            if last.is_some() && slot.is_over() {
                break;
            }
            let terms = Terms {
                level: job.level,
                ..self::terms(reach, host, *address, manner)
            };
            let call = |manner| Call {
                endpoint: Endpoint::Tcp(*address),
                manner,
                terms: terms.clone(),
            };
            let mut tried = self.call(lane, call(manner), job, slot).await;
            if let Tried::Missed(back, missed) = tried {
                tried = if missed.tls && manner.fall_back {
                    let (peer, text) = (&terms.peer, &missed.text);
                    log::info!("TLS with {peer} fails: {text}; in clear then");
                    let clear = Manner {
                        tls: Tls::Never,
                        verify: manner.verify.clone(),
                        server_name: manner.server_name.clone(),
                        login: manner.login.clone(),
                        ..*manner
                    };
                    self.call(lane, call(&clear), back, slot).await
                } else {
                    Tried::Missed(back, missed)
                };
            }
            match tried {
                Tried::Missed(back, missed) => {
                    job = back;
                    last = Some(missed);
                }
                tried => return tried,
            }
        }
        let missed = last.unwrap_or_else(|| Missed {
            status: "4.4.4",
            text: format!("{}: no address", host.name),
            tls: false,
        });
        Tried::Missed(job, missed)
    }

    /// One connection, from the first packet to the last.
    async fn call(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        call: Call<'_>,
        job: Box<Job>,
        slot: &Slot,
    ) -> Tried {
        let (ground, stream, mut machine) = match self.open(&call).await {
            Ok(opened) => opened,
            Err(Some(missed)) => return Tried::Missed(job, missed),
            Err(None) => return Tried::Full(job),
        };
        let peer = call.terms.peer.clone();
        let mut courier = Courier::new(self, lane, slot, call.terms, job);
        let end = drive::drive(&ground, stream, &mut machine, &mut courier).await;
        if let Some(report) = machine.lost() {
            courier.ended(&report);
        }
        let (started, back) = (courier.started, courier.job.take());
        match back {
            Some(job) if !started => Tried::Missed(job, missed(&peer, &machine, &end)),
            back => Tried::Served(back),
        }
    }

    /// A connection that nothing was said on yet, but for a handshake where that comes first. `None`:
    /// there is no memory for it.
    pub(super) async fn open(
        self: &Rc<Self>,
        call: &Call<'_>,
    ) -> Result<(Ground, Stream, Session), Option<Missed>> {
        let socket = self.connect(call).await?;
        let group = match &call.endpoint {
            Endpoint::Tcp(address) => address.ip(),
            Endpoint::Unix(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let world = &self.parts.world;
        let Ok(seat) = self.parts.house.enter(group, world.now()) else {
            return Err(None);
        };
        let Call { manner, terms, .. } = call;
        let ground = Ground {
            world: Rc::clone(world),
            tls: Some(Shake::Client(Box::new(Outgoing {
                trust: self.parts.trust.clone(),
                server_name: manner.server_name.clone(),
                verify: manner.verify.clone(),
            }))),
            seat,
        };
        let options = Options {
            lmtp: terms.lmtp,
            hello: self.options().hostname.clone(),
            peer: terms.peer.clone(),
            tls: manner.tls,
            login: manner.login.clone(),
            in_clear: manner.in_clear,
        };
        let mut stream = Stream::Plain(socket);
        let mut machine = Session::new(options, world.now());
        if manner.tls == Tls::Implicit {
            match drive::handshake(&ground, stream).await {
                Ok((secured, how)) => {
                    stream = secured;
                    machine.secured(how);
                }
                Err(end) => return Err(Some(ended(&terms.peer, &end))),
            }
        }
        Ok((ground, stream, machine))
    }

    async fn connect(self: &Rc<Self>, call: &Call<'_>) -> Result<Socket, Missed> {
        let world = &self.parts.world;
        let start = world.now();
        let late = async {
            world.sleep(start.plus_seconds(CONNECT_WAIT)).await;
            Err(std::io::ErrorKind::TimedOut.into())
        };
        let connected = world.connect(&call.endpoint).or(late).await;
        let near = match &call.endpoint {
            Endpoint::Tcp(address) => address.ip().is_loopback(),
            Endpoint::Unix(_) => true,
        };
        match connected {
            Ok(socket) => {
                if !near {
                    self.heard();
                }
                Ok(socket)
            }
            Err(error) => {
                // Who turns us down is there.
                match error.kind() {
                    _ if near => {}
                    std::io::ErrorKind::ConnectionRefused => self.heard(),
                    _ => self.unheard(),
                }
                let what = match error.kind() {
                    std::io::ErrorKind::TimedOut => "Connection timed out".to_owned(),
                    _ => line::trouble(&error),
                };
                Err(Missed {
                    status: "4.4.1",
                    text: format!("connect to {}: {what}", call.terms.relay),
                    tls: false,
                })
            }
        }
    }

    fn fail(self: &Rc<Self>, lane: &Rc<Lane>, job: Job, relay: &str, status: &str, text: &str) {
        let came = job.left.into_iter().map(|recipient| -> Came {
            let (status, text) = (status.to_owned(), text.to_owned());
            (recipient, What::Waits { status, text })
        });
        let came = came.collect();
        self.lane_failed(lane, (&job.claim, &job.entry), came, relay, (status, text));
    }

    /// A try ended before a message was looked at: the whole lane waits.
    pub(super) fn lane_failed(
        self: &Rc<Self>,
        lane: &Rc<Lane>,
        (claim, entry): (&Rc<Claim>, &QueueEntry),
        came: Vec<(QueuedRecipient, What)>,
        relay: &str,
        (status, text): (&str, &str),
    ) {
        let failures = lane.failures.get().saturating_add(1);
        lane.failures.set(failures);
        lane.noted.set(true);
        lane.cooling.set(true);
        lane.ready.take();
        lane.window.borrow_mut().failure();
        while lane.tell(false) {}
        let pause = self.options().schedule.pause(failures);
        let note = LaneNote {
            lane: lane.name.clone(),
            not_before: self.now().saturating_add(pause),
            failures,
            reason: Some(text.to_owned()),
        };
        let outcome = Outcome {
            claim,
            entry,
            relay,
            came,
            note: Some(note),
        };
        self.settle(lane, outcome);
        self.age(lane, relay, status, text);
    }
}

pub(super) fn terms(reach: &Reach, host: &Host, address: SocketAddr, manner: &Manner) -> Terms {
    let peer = format!("{}[{}]", host.name, address.ip());
    Terms {
        relay: format!("{peer}:{}", address.port()),
        peer,
        lmtp: reach.lmtp,
        level: None,
        verified: manner.verified,
        rewrite: reach.rewrite.clone(),
    }
}

/// Why a connection ended before the peer was ready for mail.
pub(super) fn missed(peer: &str, machine: &Session, end: &End) -> Missed {
    let missed = match machine.failed() {
        Some(failed) => missed_at(failed),
        None => ended(peer, end),
    };
    let tls = missed.tls || matches!(end, End::Tls(_));
    Missed { tls, ..missed }
}

/// Why the machine gave up.
fn missed_at(failed: &Failed) -> Missed {
    let status = match failed.at {
        Stage::Auth => "4.7.8",
        Stage::StartTls => "4.7.5",
        _ => "4.4.2",
    };
    Missed {
        status,
        text: failed.text.clone(),
        tls: failed.at == Stage::StartTls,
    }
}

fn ended(peer: &str, end: &End) -> Missed {
    let text = match end {
        End::Tls(why) => format!("TLS with {peer} fails: {why}"),
        End::Silent => format!("timeout with {peer}"),
        _ => format!("lost connection with {peer}"),
    };
    Missed {
        status: if matches!(end, End::Tls(_)) {
            "4.7.5"
        } else {
            "4.4.2"
        },
        text,
        tls: matches!(end, End::Tls(_)),
    }
}
