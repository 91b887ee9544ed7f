//! Which lane is next: sleeps until something is due or somebody rings.

use std::rc::Rc;

use smol::future::FutureExt;

use super::{Outbound, PAUSED, lane::Lane, worker};
use crate::{
    base::time::Instant,
    net::world::Local,
    routing::{NextHop, transport::Host},
    schedule::Network,
    store::{
        Broken, Reader, Request,
        queue::{DIGEST, Lane as Row, Uptime},
    },
};

/// The store is told the time so often, in seconds.
const TELL: u64 = 600;
/// Lanes with which something can be done that one look finds.
const LOOK: usize = 64;
/// Lanes that one look passes over; the next one goes on there, after so many milliseconds.
const PASSED: usize = 2048;
const GO_ON: u64 = 200;
/// Lanes that are woken in one change of the store: nobody else's change waits for longer.
const WOKEN: usize = 256;

/// What a look at the lanes found.
#[derive(Default)]
struct Found {
    due: Vec<(String, Row)>,
    /// When the next one is due.
    next: Option<Uptime>,
    any: bool,
    /// There are lanes behind those that were looked at.
    more: bool,
}

impl Outbound {
    /// Sends until it is dropped.
    #[must_use]
    pub fn run(self: &Rc<Self>) -> Local<'static, ()> {
        let this = Rc::clone(self);
        Box::pin(async move {
            this.begin().await;
            let world = Rc::clone(&this.parts.world);
            let mut told = world.now();
            loop {
                let (until, waiting) = this.round();
                let tell = told.plus_seconds(TELL);
                let until = if waiting { until.min(tell) } else { until };
                // What TLS holds goes when nothing was sent for a while.
                let until = if this.parts.trust.rest() {
                    until.min(world.now().plus_seconds(TELL))
                } else {
                    until
                };
                let rung = async {
                    let _rung = this.bell.1.recv().await;
                };
                rung.or(world.sleep(until)).await;
                if waiting && world.now() >= tell {
                    told = world.now();
                    this.tell_uptime().await;
                }
            }
        })
    }

    /// After the last connection: what is on its way to the medium gets there.
    pub async fn finish(&self) {
        let world = &self.parts.world;
        let until = world.now().plus_seconds(3);
        while self.outcomes.get() > 0 && world.now() < until {
            world.sleep(world.now().plus(10)).await;
        }
        let count = self.parts.store.read(Reader::queue_count);
        if self.told(count).is_some_and(|count| count > 0) {
            self.tell_uptime().await;
        }
    }

    async fn tell_uptime(&self) {
        let done = self.parts.store.request(Request::Uptime(self.now())).await;
        if let Err(refusal) = done {
            log::error!("queue: {refusal}");
        }
    }

    /// Everything may be tried at once after a start.
    async fn begin(&self) {
        let stored = self.parts.store.read(Reader::uptime);
        let uptime = self.told(stored).unwrap_or(0);
        self.uptime.set(uptime);
        *self.network.borrow_mut() = Network::new(self.parts.world.now());
        self.wake_lanes().await;
    }

    /// All that wait may be tried now.
    pub async fn wake_lanes(&self) {
        let uptime = self.now();
        let mut last = (uptime.saturating_add(1), String::new());
        loop {
            let slice = self.parts.store.read(|reader| {
                let mut slice = Vec::new();
                let mut next = reader.next_lane_after(last.0, &last.1)?;
                while let Some((due, name)) = next.filter(|_| slice.len() < WOKEN) {
                    next = reader.next_lane_after(due, &name)?;
                    slice.push((due, name));
                }
                Ok(slice)
            });
            let slice = self.told(slice).unwrap_or_default();
            let Some(end) = slice.last() else { break };
            last.clone_from(end);
            let request = Request::WakeLanes {
                lanes: slice.into_iter().map(|(_, name)| name).collect(),
                uptime,
            };
            if let Err(refusal) = self.parts.store.request(request).await {
                log::error!("queue: {refusal}");
                break;
            }
        }
        self.wake();
    }

    /// Something came from outside.
    pub(super) fn heard(self: &Rc<Self>) {
        let _now = self.now();
        if self.network.borrow_mut().success(self.parts.world.now()) {
            log::info!("the network is back, or mail is tried as if it were");
            let this = Rc::clone(self);
            (self.parts.spawn)(Box::pin(async move { this.wake_lanes().await }));
        }
    }

    /// The admin has changed a way out, or wants mail tried now: what seemed to be of the network is
    /// forgotten, and something may be due.
    pub fn afresh(self: &Rc<Self>) {
        self.heard();
        self.wake();
    }

    /// Nobody answers.
    pub(super) fn unheard(&self) {
        let _now = self.now();
        let mut network = self.network.borrow_mut();
        network.failure(self.parts.world.now());
        let doubted = network.next_probe().is_some();
        drop(network);
        if doubted {
            self.wake();
        }
    }

    /// Nor does who was asked for nothing else but that.
    pub(super) fn silent(&self) {
        let _now = self.now();
        let down = self
            .network
            .borrow_mut()
            .probe_failed(self.parts.world.now());
        if down {
            log::warn!("there is no network: mail waits, and does not age");
        }
    }

    /// Starts what can be started. When to look again, and whether anything waits.
    fn round(self: &Rc<Self>) -> (Instant, bool) {
        let (now, clock) = (self.now(), self.parts.world.now());
        if self.parts.house.is_stopping() {
            return (Instant::NEVER, false);
        }
        let up = self.is_up();
        let found = self.parts.store.read(|reader| {
            if reader.setting(PAUSED)?.is_some() {
                return Ok(Found::default());
            }
            self.look(reader, now, up)
        });
        let Some(found) = self.told(found) else {
            return (clock.plus_seconds(1), true);
        };
        let mut wanted = 0_usize;
        for (name, row) in &found.due {
            if name.starts_with(DIGEST) {
                let _rung_already = self.freed.0.try_send(());
                continue;
            }
            if !self.start(name, row, now) {
                wanted = wanted.saturating_add(1);
                // A connection that only waits for more mail makes room.
                let lanes: Vec<_> = self.lanes.borrow().values().cloned().collect();
                let _one = lanes
                    .iter()
                    .any(|lane| lane.name != *name && lane.tell(false));
            }
        }
        self.wanted.set(wanted);
        let mut until = match found.next {
            Some(due) => {
                let seconds = due.saturating_sub(now).min(86_400);
                clock.plus_seconds(seconds)
            }
            None => Instant::NEVER,
        };
        if found.more {
            // Without a network there is no hurry.
            until = until.min(clock.plus(if up { GO_ON } else { 10 * GO_ON }));
        }
        let probe = self.network.borrow().next_probe();
        if let Some(probe) = probe {
            if probe <= clock {
                self.look_outside();
                until = until.min(clock.plus_seconds(1));
            } else {
                until = until.min(probe);
            }
        }
        (until, found.any)
    }

    /// The lanes in which something is due and more can be done. Those with which nothing can be done now
    /// hide no others, however many they are.
    fn look(&self, reader: &Reader, now: Uptime, up: bool) -> Result<Found, Broken> {
        let mut found = Found::default();
        let (mut passed, mut failing) = (0_usize, self.failing_places());
        let from = self.looked.take();
        let mut next = match &from {
            Some((due, name)) => reader.next_lane_after(*due, name)?,
            None => reader.next_lane()?,
        };
        // What is before it is looked at again.
        found.more = from.is_some();
        while let Some((due, name)) = next {
            found.any = true;
            if due > now {
                found.next = Some(due);
                break;
            }
            if found.due.len() >= LOOK {
                break;
            }
            if passed >= PASSED {
                found.more = true;
                self.looked.replace(Some((due, name)));
                break;
            }
            next = reader.next_lane_after(due, &name)?;
            let far = !is_near(&name) && !name.starts_with(DIGEST);
            if (!up && far) || self.is_busy(&name) {
                passed = passed.saturating_add(1);
                continue;
            }
            let row = reader.lane(&name)?.unwrap_or_default();
            if row.failures > 0 && !self.lanes.borrow().contains_key(&name) {
                if failing == 0 {
                    passed = passed.saturating_add(1);
                    continue;
                }
                failing = failing.saturating_sub(1);
            }
            found.due.push((name, row));
        }
        found.any |= from.is_some();
        Ok(found)
    }

    /// Whether all that may be done for a lane is being done.
    fn is_busy(&self, name: &str) -> bool {
        let lanes = self.lanes.borrow();
        lanes.get(name).is_some_and(|lane| {
            lane.cooling.get()
                || (!lane.is_parked() && !lane.window.borrow().admits(lane.workers.get()))
        })
    }

    /// False: there is no place for one more connection.
    fn start(self: &Rc<Self>, name: &str, row: &Row, now: Uptime) -> bool {
        let known = self.lanes.borrow().get(name).cloned();
        if let Some(lane) = &known {
            if !self.has_more(lane, now) || lane.tell(true) {
                return true;
            }
            if !lane.window.borrow().admits(lane.workers.get()) {
                return true;
            }
        }
        let Some(slot) = self.slot(row.failures > 0) else {
            return false;
        };
        let lane = known.unwrap_or_else(|| {
            let limit = self.options().per_destination;
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            let noted = row.failures > 0 || row.reason.is_some();
            let lane = Lane::new(name.to_owned(), limit, row.failures, noted);
            let mut lanes = self.lanes.borrow_mut();
            lanes.insert(name.to_owned(), Rc::clone(&lane));
            lane
        });
        lane.workers.set(lane.workers.get().saturating_add(1));
        let work = worker::work(Rc::clone(self), lane, slot);
        (self.parts.spawn)(Box::pin(work));
        true
    }

    /// Whether there is an entry that is due and that nobody has.
    fn has_more(&self, lane: &Rc<Lane>, now: Uptime) -> bool {
        if !lane.ready.borrow().is_empty() {
            return true;
        }
        let taken = lane.taken();
        let most = taken.saturating_add(1);
        let due = self
            .parts
            .store
            .read(|reader| reader.lane_entries(&lane.name, now, most));
        self.told(due)
            .is_some_and(|due| due.iter().any(|id| !lane.has(*id)))
    }
}

/// Whether a lane leads to this machine: there a network changes nothing.
pub(super) fn is_near(lane: &str) -> bool {
    match crate::routing::nexthop::stored(lane) {
        Some(NextHop::LmtpUnix { .. } | NextHop::Discard | NextHop::Error { .. }) => true,
        Some(NextHop::Host { host, .. } | NextHop::LmtpHost { host, .. }) => match host {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.as_str() == "localhost",
        },
        Some(NextHop::Mx { .. } | NextHop::Route { .. }) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_network() {
        for (lane, near) in [
            ("lmtp:unix:/run/lmtp", true),
            ("smtp:[127.0.0.1]:2525", true),
            ("lmtp:[::1]:24", true),
            ("discard:", true),
            ("smtp:[192.0.2.1]", false),
            ("relay:main", false),
            ("away.example", false),
        ] {
            assert_eq!(is_near(lane), near, "{lane}");
        }
    }
}
