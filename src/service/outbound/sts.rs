//! MTA-STS (RFC 8461): what a domain says over HTTPS of its mail servers, fetched and remembered.

mod fetch;
mod parse;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use smol::lock::Mutex;

use crate::{
    base::time::{BUILT, Instant, Time},
    net::{resolve::Resolver, trust::Trust, world::World},
    store::{self, Broken, Store},
};

pub use fetch::{Unfetched, look};
pub use parse::{Mode, Policy, policy, record};

/// What the store remembers of domains: `sts:DOMAIN`.
const PREFIX: &str = "sts:";
/// Domains that the store remembers: a row has some 100 octets.
const ROWS_MAX: usize = 1000;
/// Domains that are held in memory.
const HELD_MAX: usize = 128;
/// After a failure nothing is fetched for so many seconds (RFC 8461 section 3.3).
const PAUSE: u64 = 300;
/// A policy that is so old, in seconds, is fetched again before it ends (RFC 8461 section 10.2).
const RENEW: i64 = 86_400;

/// Policies of others: fetched, remembered in memory and in the store.
#[derive(Debug)]
pub struct Sts {
    world: Rc<dyn World>,
    resolver: Rc<Resolver>,
    store: Store,
    trust: Trust,
    held: RefCell<BTreeMap<String, Rc<Mutex<Held>>>>,
}

/// What is known of a domain. Who fetches for it holds the lock: others wait for what it finds.
#[derive(Debug, Default)]
struct Held {
    /// The store was asked.
    read: bool,
    kept: Option<Kept>,
    /// Nothing is fetched before.
    not_before: Instant,
}

/// A policy as the store keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Kept {
    /// Of the record that led to it.
    id: String,
    fetched: Time,
    policy: Rc<Policy>,
}

impl Kept {
    /// Without a calendar nothing ends (UX-37).
    fn is_over(&self, now: Time) -> bool {
        now.0 >= BUILT && now.0 > self.end()
    }

    fn end(&self) -> i64 {
        let age = i64::try_from(self.policy.max_age).unwrap_or(i64::MAX);
        self.fetched.0.saturating_add(age)
    }

    fn text(&self) -> String {
        let policy = &self.policy;
        format!(
            "{} {} {} {} {}",
            self.id,
            self.fetched.0,
            policy.max_age,
            policy.mode.word(),
            policy.mx.join(",")
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let id = words.next()?.to_owned();
        let fetched = Time(words.next()?.parse().ok()?);
        let max_age = words.next()?.parse().ok()?;
        let mode = Mode::parse(words.next()?)?;
        let mx = words.next()?.split(',').filter(|name| !name.is_empty());
        let mx = mx.map(ToOwned::to_owned).collect();
        let policy = Rc::new(Policy { mode, mx, max_age });
        Some(Self {
            id,
            fetched,
            policy,
        })
    }
}

impl Sts {
    #[must_use]
    pub fn new(world: Rc<dyn World>, resolver: Rc<Resolver>, store: Store, trust: Trust) -> Self {
        Self {
            world,
            resolver,
            store,
            trust,
            held: RefCell::default(),
        }
    }

    /// What is in force for a domain now; `None`: it has no policy, or none could be fetched. It takes up
    /// to a minute.
    pub async fn policy(&self, domain: &str) -> Option<Rc<Policy>> {
        let held = self.held(domain);
        let mut held = held.lock().await;
        if !held.read
            && let Ok(kept) = self.stored(domain)
        {
            held.kept = kept;
            held.read = true;
        }
        let id = self.published(domain).await;
        let now = self.world.time();
        // What has ended counts no more, even where nothing new can be had.
        held.kept = held.kept.take().filter(|kept| !kept.is_over(now));
        if let Some(id) = id
            && self.world.now() >= held.not_before
            && held.kept.as_ref().is_none_or(|kept| is_due(kept, &id, now))
        {
            self.renew(domain, id, &mut held).await;
        }
        let policy = held.kept.as_ref().map(|kept| Rc::clone(&kept.policy));
        policy.filter(|policy| policy.mode != Mode::None)
    }

    fn held(&self, domain: &str) -> Rc<Mutex<Held>> {
        let mut all = self.held.borrow_mut();
        if all.len() >= HELD_MAX && !all.contains_key(domain) {
            // Whose lock nobody has or waits for is read again from the store.
            all.retain(|_, held| Rc::strong_count(held) > 1);
        }
        Rc::clone(all.entry(domain.to_owned()).or_default())
    }

    /// The id of the domain's record (RFC 8461 section 3.1); `None`: there is not just one.
    async fn published(&self, domain: &str) -> Option<String> {
        let found = self
            .resolver
            .txt(&format!("_mta-sts.{domain}"))
            .await
            .ok()?;
        record(&found.records)
    }

    async fn renew(&self, domain: &str, id: String, held: &mut Held) {
        match look(&*self.world, &self.resolver, &self.trust, domain).await {
            Ok(policy) => {
                let kept = Kept {
                    id,
                    // Without a calendar it is as old as can be.
                    fetched: Time(self.world.time().0.max(BUILT)),
                    policy: Rc::new(policy),
                };
                if self.keep(domain, &kept).await {
                    log::info!(
                        target: "outbound",
                        "MTA-STS policy of {domain}: {}, mx {}",
                        kept.policy.mode.word(),
                        kept.policy.mx.join(" ")
                    );
                }
                held.kept = Some(kept);
                held.not_before = Instant(0);
            }
            Err(unfetched) => {
                let meanwhile = match held.kept {
                    Some(_) => "the one from before still counts",
                    None => "mail goes there as if it had none",
                };
                log::warn!(target: "outbound", "MTA-STS policy of {domain}: {unfetched}; {meanwhile}");
                held.not_before = self.world.now().plus_seconds(PAUSE);
            }
        }
    }

    fn stored(&self, domain: &str) -> Result<Option<Kept>, Broken> {
        let name = [PREFIX, domain].concat();
        let row = self.store.read(|reader| reader.setting(&name));
        let row = row.inspect_err(|broken| {
            log::error!(target: "outbound", "MTA-STS policy of {domain}: {broken}");
        })?;
        Ok(row.and_then(|text| Kept::parse(&text)))
    }

    /// So that a restart forgets nothing: who can cut us off from the policy's server could then send us
    /// elsewhere.
    async fn keep(&self, domain: &str, kept: &Kept) -> bool {
        let name = [PREFIX, domain].concat();
        let rows = self.store.read(|reader| reader.remembered(PREFIX));
        let rows = rows.unwrap_or_default();
        if rows.len() >= ROWS_MAX && !rows.iter().any(|(row, _)| *row == name) {
            let end = |text: &str| Kept::parse(text).map(|kept| kept.end());
            let first = rows.iter().min_by_key(|(_, text)| end(text));
            if let Some((first, _)) = first {
                self.set(first, None).await;
            }
        }
        self.set(&name, Some(kept.text())).await
    }

    async fn set(&self, name: &str, value: Option<String>) -> bool {
        let key = name.to_owned();
        let done = self.store.request(store::Request::Set { key, value }).await;
        if let Err(refusal) = &done {
            log::warn!(target: "outbound", "MTA-STS policies: {refusal}");
        }
        done.is_ok()
    }
}

/// Whether it is time to fetch what is published as `id`.
fn is_due(kept: &Kept, id: &str, now: Time) -> bool {
    kept.id != id || (now.0 >= BUILT && now.0.saturating_sub(kept.fetched.0) >= RENEW)
}

#[cfg(test)]
mod tests;
