//! Looks outside: whether there is a network again, and whether a route would take mail.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use smol::future::FutureExt;

use super::{
    Outbound,
    hosts::{Failure, Host},
    lane::Lane,
    reach::Reach,
    runner::is_near,
    session::Courier,
    worker::{Call, missed, terms},
};
use crate::{
    net::{drive, world::Endpoint},
    proto::smtp::client::Stage,
    routing::{NextHop, nexthop::stored, transport},
    service::{lookup::DEFAULT_ROUTE, smtp::journal::Said},
    store::{Broken, Reader},
};

/// For a connection that tells whether there is a network, in seconds.
const WAIT: u64 = 10;
/// Lanes of which one look chooses, and connections that it tries.
const LANES: usize = 64;
const ADDRESSES: usize = 3;

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
            let (ground, stream, mut machine) = match self.open(&call).await {
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

    /// Whether anybody outside answers. Each look asks others: one that is gone for good does not speak
    /// for all.
    async fn answers(&self) -> bool {
        let known = self.parts.store.read(known);
        let Some(Known { names, addresses }) = self.told(known) else {
            return false;
        };
        let turn = self.looks.get();
        self.looks.set(turn.wrapping_add(1));
        let in_turn = |count: usize, of: usize| turn.wrapping_add(count).checked_rem(of);
        let name = in_turn(0, names.len()).and_then(|at| names.get(at));
        // Nothing that is remembered counts. The root is there whatever becomes of a domain.
        let resolver = &self.parts.resolver;
        if let Some(name) = name
            && resolver.probe(name).await
        {
            return true;
        }
        if resolver.probe(".").await {
            return true;
        }
        for count in 0..ADDRESSES.min(addresses.len()) {
            let at = in_turn(count, addresses.len()).and_then(|at| addresses.get(at));
            if let Some(address) = at
                && self.takes(*address).await
            {
                return true;
            }
        }
        // What leads nowhere has to be looked at, or it would wait for ever.
        names.is_empty() && addresses.is_empty()
    }

    /// Whether somebody takes a connection, or turns it down.
    async fn takes(&self, address: SocketAddr) -> bool {
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

/// Who outside could answer.
#[derive(Default)]
struct Known {
    names: Vec<String>,
    addresses: Vec<SocketAddr>,
}

/// Those to whom mail is due first, and the default route. What leads nowhere is nobody.
fn known(reader: &Reader) -> Result<Known, Broken> {
    let mut known = Known::default();
    let route = |known: &mut Known, name: &str| {
        let row = reader.route(name)?;
        for host in row.iter().flat_map(|route| &route.hosts) {
            let port = row.as_ref().map_or(25, |route| route.port);
            known.add(host, port);
        }
        Ok::<_, Broken>(())
    };
    let mut next = reader.next_lane()?;
    for _ in 0..LANES {
        let Some((due, lane)) = next else { break };
        next = reader.next_lane_after(due, &lane)?;
        if is_near(&lane) {
            continue;
        }
        match stored(&lane) {
            None => known.add(&lane, 25),
            Some(NextHop::Mx { domain, port }) => known.add(domain.as_str(), port),
            Some(NextHop::Host { host, port } | NextHop::LmtpHost { host, port }) => match host {
                transport::Host::Ip(ip) => known.addresses.push((ip, port).into()),
                transport::Host::Name(name) => known.add(name.as_str(), port),
            },
            Some(NextHop::Route { name }) => route(&mut known, &name)?,
            Some(NextHop::Discard | NextHop::Error { .. } | NextHop::LmtpUnix { .. }) => {}
        }
    }
    if let Some(name) = reader.setting(DEFAULT_ROUTE)? {
        route(&mut known, &name)?;
    }
    Ok(known)
}

impl Known {
    fn add(&mut self, host: &str, port: u16) {
        let lower = host.to_ascii_lowercase();
        let inner = lower.trim_start_matches('[').trim_end_matches(']');
        let inner = inner.strip_prefix("ipv6:").unwrap_or(inner);
        match inner.parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => {}
            Ok(ip) => self.addresses.push((ip, port).into()),
            // A lane's text that is neither way nor domain, and names that DNS does not have.
            Err(_) if lower.contains([':', '[']) => {}
            Err(_) if matches!(lower.rsplit('.').next(), Some("local" | "localhost")) => {}
            Err(_) => self.names.push(lower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lm_12_who_can_answer() {
        let mut known = Known::default();
        for host in [
            "away.test",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "192.0.2.2",
            "printer.local",
            "localhost",
            "127.0.0.1",
            "odd:thing",
        ] {
            known.add(host, 25);
        }
        assert_eq!(known.names, ["away.test"]);
        let addresses: Vec<_> = known.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(
            addresses,
            ["192.0.2.1:25", "[2001:db8::1]:25", "192.0.2.2:25"]
        );
    }
}
