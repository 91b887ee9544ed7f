//! ETRN (RFC 1985): mail for a domain that somebody comes for is due at once.

use std::rc::Rc;

use super::Outbound;
use crate::{
    mail::{address::Address, domain::Domain},
    routing::nexthop,
    service::lookup,
    store::{Broken, Request},
};

/// Messages that one such wish concerns.
const MESSAGES: usize = 256;
/// Anybody may wish: once in so many seconds is enough.
const PAUSE: u64 = 10;

impl Outbound {
    /// Has what waits for a domain tried at once: how many messages that are, oldest first. `None`:
    /// nobody can tell.
    pub fn hurry(self: &Rc<Self>, domain: &Domain) -> Option<usize> {
        let options = self.options();
        let anybody = Address::new("postmaster".to_owned(), domain.clone())?;
        let way = lookup::find(&self.parts.store, |rows| {
            nexthop(rows, &options.routing, None, &anybody)
        });
        let lane = way.ok()?.transport;
        let lane = lane.unwrap_or_else(|| domain.as_str().to_owned());
        let suffix = format!("@{domain}");
        let found = self.parts.store.read(|reader| {
            let mut out = Vec::new();
            for id in reader.lane_oldest(&lane, None, MESSAGES)? {
                let entry = reader.queue_entry(id)?;
                let for_them = entry.is_some_and(|entry| {
                    let mut all = entry.queued.recipients.iter();
                    all.any(|recipient| recipient.address.ends_with(&suffix))
                });
                if for_them {
                    out.push(id);
                }
            }
            Ok::<_, Broken>(out)
        });
        let queues = self.told(found)?;
        let (count, now) = (queues.len(), self.parts.world.now());
        let soon = self
            .hurried
            .get()
            .is_some_and(|last| now < last.plus_seconds(PAUSE));
        if count == 0 || soon {
            return Some(count);
        }
        self.hurried.set(Some(now));
        let this = Rc::clone(self);
        (self.parts.spawn)(Box::pin(async move {
            let request = Request::RetryQueued { queues };
            match this.parts.store.request(request).await {
                Ok(_) => this.wake(),
                Err(refusal) => log::error!("queue: {refusal}"),
            }
        }));
        Some(count)
    }
}
