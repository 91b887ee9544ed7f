//! Looks outside: whether there is a network again, and whether a route would take mail.

use std::{io, net::IpAddr, rc::Rc};

use smol::future::FutureExt;

use super::{
    Outbound,
    hosts::{Failure, Host},
    lane::Lane,
    reach::Reach,
    session::Courier,
    worker::{Call, missed, terms},
};
use crate::{
    net::{drive, resolve::Unfound, world::Endpoint},
    proto::smtp::client::Stage,
    routing::{NextHop, nexthop::stored, transport},
    service::smtp::journal::Said,
};

/// For a connection that tells whether there is a network, in seconds.
const WAIT: u64 = 10;

/// What a connection to a route came to ([`Outbound::probe`]).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Probed {
    /// `host[ip]:port`, as far as it came.
    pub relay: String,
    /// What the server said last, or why there is no connection.
    pub reply: String,
    /// What went wrong at which step; `None` = it would take mail.
    pub failed: Option<ProbeStep>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProbeStep {
    Name,
    Connect,
    Greeting,
    Tls,
    Auth,
    Sender,
}

impl Outbound {
    /// Connects to a route as mail would, logs in, names `sender`, and takes that back (`route test`).
    pub async fn probe(self: &Rc<Self>, route: &str, sender: &str) -> Probed {
        let reach = match Box::pin(self.route(route)).await {
            Ok(reach) => reach,
            Err(Failure::Fails { text, .. } | Failure::Waits { text, .. }) => {
                return Probed {
                    relay: route.to_owned(),
                    reply: text,
                    failed: Some(ProbeStep::Name),
                };
            }
        };
        let mut last = Probed {
            relay: route.to_owned(),
            reply: "no host".to_owned(),
            failed: Some(ProbeStep::Name),
        };
        for host in &reach.hosts {
            last = Box::pin(self.probe_host(&reach, host, sender)).await;
            if last.failed.is_none() {
                break;
            }
        }
        last
    }

    /// The host's first address that answers.
    async fn probe_host(self: &Rc<Self>, reach: &Reach, host: &Host, sender: &str) -> Probed {
        let mut probed = Probed {
            relay: host.name.clone(),
            reply: "no address".to_owned(),
            failed: Some(ProbeStep::Name),
        };
        let manner = match self.manner(reach, host, false).await {
            Ok(manner) => manner,
            Err(reply) => {
                (probed.reply, probed.failed) = (reply, Some(ProbeStep::Tls));
                return probed;
            }
        };
        for address in &host.addresses {
            let call = Call {
                endpoint: Endpoint::Tcp(*address),
                manner: &manner,
                terms: terms(reach, host, *address, &manner),
            };
            probed.relay.clone_from(&call.terms.relay);
            let (ground, stream, mut machine) = match self.open(&call, None).await {
                Ok(opened) => opened,
                Err(Some(missed)) => {
                    let step = if missed.tls {
                        ProbeStep::Tls
                    } else {
                        ProbeStep::Connect
                    };
                    (probed.reply, probed.failed) = (missed.text, Some(step));
                    continue;
                }
                Err(None) => {
                    "there is no memory for a connection now".clone_into(&mut probed.reply);
                    probed.failed = Some(ProbeStep::Connect);
                    return probed;
                }
            };
            let lane = Lane::new(String::new(), 1, 0, false);
            let peer = call.terms.peer.clone();
            let mut courier = Courier::probing(self, &lane, call.terms, sender.to_owned());
            let end = drive::drive(&ground, stream, &mut machine, &mut courier).await;
            (probed.reply, probed.failed) = match (&courier.refused, courier.started) {
                (Some(reply), _) => (Said(reply).to_string(), Some(ProbeStep::Sender)),
                (None, true) => (String::new(), None),
                (None, false) => {
                    let step = match machine.failed().map(|failed| failed.at) {
                        Some(Stage::StartTls) => ProbeStep::Tls,
                        Some(Stage::Auth) => ProbeStep::Auth,
                        _ if matches!(end, drive::End::Tls(_)) => ProbeStep::Tls,
                        _ => ProbeStep::Greeting,
                    };
                    (missed(&peer, &machine, &end).text, Some(step))
                }
            };
            return probed;
        }
        probed
    }

    /// One look, while there seems to be no network (LM-12): it counts as no try.
    pub(super) fn look_outside(self: &Rc<Self>) {
        if self.probing.replace(true) {
            return;
        }
        let this = Rc::clone(self);
        (self.parts.spawn)(Box::pin(async move {
            if this.answers().await {
                this.heard();
            } else {
                this.silent();
            }
            this.probing.set(false);
            this.wake();
        }));
    }

    /// Whether anybody outside answers: about the lane that is due first.
    async fn answers(&self) -> bool {
        let next = self.parts.store.read(crate::store::Reader::next_lane);
        let Some((_, lane)) = self.told(next).flatten() else {
            return true;
        };
        let name = match stored(&lane) {
            None => lane,
            Some(NextHop::Mx { domain, .. }) => domain.as_str().to_owned(),
            Some(NextHop::Host { host, port } | NextHop::LmtpHost { host, port }) => match host {
                transport::Host::Ip(ip) => return self.takes((ip, port).into()).await,
                transport::Host::Name(name) => name.as_str().to_owned(),
            },
            Some(NextHop::Route { name }) => {
                let row = self.parts.store.read(|reader| reader.route(&name));
                let Some(route) = self.told(row).flatten() else {
                    return false;
                };
                let host = route.hosts.into_iter().next().unwrap_or_default();
                match host.parse::<IpAddr>() {
                    Ok(ip) => return self.takes((ip, route.port).into()).await,
                    Err(_) => host,
                }
            }
            // These need no network.
            Some(NextHop::Discard | NextHop::Error { .. } | NextHop::LmtpUnix { .. }) => {
                return true;
            }
        };
        let answer = self.parts.resolver.addresses(&name).await;
        matches!(answer, Ok(_) | Err(Unfound::NoSuchName))
    }

    /// Whether somebody takes a connection, or turns it down.
    async fn takes(&self, address: std::net::SocketAddr) -> bool {
        let world = &self.parts.world;
        let late = async {
            world.sleep(world.now().plus_seconds(WAIT)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        match world.connect(&Endpoint::Tcp(address)).or(late).await {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        }
    }
}
