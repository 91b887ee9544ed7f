//! The same system mail again and again (LM-11): what repeats within an hour is answered as any other,
//! kept as held mail in the queue, and leaves at the hour's end as one digest.
//!
//! The mark of such mail is its transport, `digest:KEY`: the store holds it from the start, and after a
//! restart the mark says what belongs together. So nothing of it is in memory alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ring::digest::{SHA256, digest};
use smol::{
    channel::{Receiver, Sender, bounded},
    future::FutureExt as _,
};

use crate::{
    base::{id::QueueId, time::Instant},
    mail::path::ReversePath,
    net::world::Local,
    policy::rate::{Rate, Window},
    proto::smtp::parameter::RcptParameters,
    service::{
        inbound::Whole,
        smtp::{Door, Kind, Shared, transaction::Transaction},
    },
    store::{
        Broken,
        queue::{Arrival, BodyKind, DIGEST, QueueEntry, Queued, QueuedRecipient},
    },
};

/// So many in an hour go as they are.
const PASS: Rate = Rate {
    count: 5,
    seconds: HOUR,
};
const HOUR: u64 = 3600;
/// Different mails of which repeats are counted.
const KEYS_MAX: usize = 64;
/// Messages in a digest and their octets: with so many it leaves before the hour is over.
const MESSAGES_MAX: usize = 200;
const OCTETS_MAX: u64 = 4 << 20;
/// A message larger than this is never merged.
const LARGE: u64 = 64 << 10;
/// Until a digest that could not be made is tried again, in seconds.
const AGAIN: u64 = 300;
/// Rows that are read in one go.
const PAGE: usize = 256;

/// What repeats, and the task's bell.
#[derive(Debug)]
pub(super) struct Storm {
    repeats: std::cell::RefCell<Repeats>,
    bell: (Sender<()>, Receiver<()>),
}

impl Default for Storm {
    fn default() -> Self {
        Self {
            repeats: std::cell::RefCell::default(),
            bell: bounded(1),
        }
    }
}

/// By key: what came lately, and what waits for a digest.
#[derive(Debug, Default)]
struct Repeats(BTreeMap<String, Repeat>);

#[derive(Debug, Default)]
struct Repeat {
    window: Window,
    seen: Instant,
    /// When the digest leaves; `None`: nothing waits.
    until: Option<Instant>,
    /// Those that wait, by the names that their sender was told.
    names: BTreeSet<String>,
    octets: u64,
}

impl Repeats {
    /// One more came. How many that makes in an hour, if it is to wait for a digest.
    fn count(&mut self, key: &str, now: Instant) -> Option<u64> {
        if !self.0.contains_key(key) {
            self.make_room(now);
            if self.0.len() >= KEYS_MAX {
                return None;
            }
        }
        let repeat = self.0.entry(key.to_owned()).or_default();
        let passes = repeat.until.is_none() && repeat.window.has_room(PASS, now);
        repeat.window.count(PASS, now);
        repeat.seen = now;
        (!passes).then(|| repeat.window.held(PASS, now))
    }

    /// Forgets what did not come for an hour, else what was not seen for longest.
    fn make_room(&mut self, now: Instant) {
        let waits = |repeat: &Repeat| repeat.until.is_some();
        self.0
            .retain(|_, repeat| waits(repeat) || repeat.window.held(PASS, now) > 0);
        if self.0.len() < KEYS_MAX {
            return;
        }
        let idle = self.0.iter().filter(|(_, repeat)| !waits(repeat));
        let oldest = idle.min_by_key(|(_, repeat)| repeat.seen);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.0.remove(&key);
        }
    }

    /// A message waits, until then at the latest.
    fn wait(&mut self, key: &str, name: &str, octets: u64, now: Instant, until: Instant) {
        let repeat = self.0.entry(key.to_owned()).or_default();
        if !repeat.names.insert(name.to_owned()) {
            return;
        }
        repeat.octets = repeat.octets.saturating_add(octets);
        let full = repeat.names.len() >= MESSAGES_MAX || repeat.octets >= OCTETS_MAX;
        let until = if full { now } else { until };
        repeat.until = Some(repeat.until.map_or(until, |before| before.min(until)));
    }

    /// What could not go waits until then.
    fn wait_again(&mut self, key: String, names: BTreeSet<String>, until: Instant) {
        let repeat = self.0.entry(key).or_default();
        repeat.names.extend(names);
        repeat.until = Some(until);
    }

    /// When the next digest leaves.
    fn next(&self) -> Instant {
        let all = self.0.values().filter_map(|repeat| repeat.until);
        all.min().unwrap_or(Instant::NEVER)
    }

    /// What leaves now; it waits no longer.
    fn due(&mut self, now: Instant) -> Vec<(String, BTreeSet<String>)> {
        let all = self.0.iter_mut();
        let due = all.filter(|(_, repeat)| repeat.until.is_some_and(|until| until <= now));
        due.map(|(key, repeat)| {
            repeat.until = None;
            repeat.octets = 0;
            (key.clone(), std::mem::take(&mut repeat.names))
        })
        .collect()
    }
}

impl Door {
    /// Whether a message is one more of the same: then what is put into the queue instead of its
    /// deliveries, and how many that makes in an hour.
    pub(super) fn repeated(
        &self,
        transaction: &Transaction,
        id: &str,
        whole: &Whole,
    ) -> Option<(Queued, u64)> {
        let plain = |parameters: &RcptParameters| *parameters == RcptParameters::default();
        let asked = &transaction.parameters;
        let any = self.shared.options().local.rate.count > 0;
        let simple = asked.envid.is_none()
            && asked.ret.is_none()
            && !asked.requiretls
            && !asked.smtputf8
            && transaction
                .recipients
                .iter()
                .all(|to| plain(&to.parameters));
        if self.kind != Kind::Local || !any || !simple || whole.body.size() > LARGE {
            return None;
        }
        let subject = whole.subject.as_deref().filter(|text| !text.is_empty())?;
        let recipients = recipients(transaction);
        let key = key(transaction, whole, &recipients, subject);
        let now = self.shared.world.now();
        let count = self.shared.storm.repeats.borrow_mut().count(&key, now)?;
        let recipients = recipients.into_iter().map(|address| QueuedRecipient {
            address,
            transport: Some(key.clone()),
            reason: Some("merged into a digest: the same came often within an hour".to_owned()),
            ..QueuedRecipient::default()
        });
        let queued = Queued {
            id: id.to_owned(),
            sender: match &transaction.reverse {
                ReversePath::Address(address) => address.to_string(),
                ReversePath::Bare(local) => local.clone(),
                ReversePath::Null => String::new(),
            },
            submitter: None,
            envid: None,
            ret: None,
            body: BodyKind::SevenBit,
            smtputf8: false,
            requiretls: false,
            arrival: Arrival::Here,
            recipients: recipients.collect(),
        };
        Some((queued, count))
    }

    /// It is on the medium.
    pub(super) fn merged(&self, queued: &Queued, octets: u64) {
        let (storm, now) = (&self.shared.storm, self.shared.world.now());
        if let Some(key) = queued.recipients.first().map(QueuedRecipient::lane) {
            let until = now.plus_seconds(HOUR);
            let mut repeats = storm.repeats.borrow_mut();
            repeats.wait(key, &queued.id, octets, now, until);
        }
        let _rung_already = storm.bell.0.try_send(());
    }
}

/// As they were accepted, without brackets; each once.
fn recipients(transaction: &Transaction) -> BTreeSet<String> {
    let all = transaction.recipients.iter();
    all.map(|to| {
        let path = to.path.to_string();
        path.trim_start_matches('<')
            .trim_end_matches('>')
            .to_owned()
    })
    .collect()
}

/// The same for mails that differ only in numbers of their subject.
fn key(
    transaction: &Transaction,
    whole: &Whole,
    recipients: &BTreeSet<String>,
    subject: &str,
) -> String {
    let from = match &transaction.reverse {
        ReversePath::Null => format!("{:?}", whole.authors),
        reverse => reverse.to_string(),
    };
    let mut text = from.to_lowercase();
    for recipient in recipients {
        text.push('\n');
        text.push_str(&recipient.to_lowercase());
    }
    text.push_str("\n\n");
    text.push_str(&folded(subject));
    let hash = digest(&SHA256, text.as_bytes());
    let octets = hash.as_ref().iter().take(6);
    octets.fold(DIGEST.to_owned(), |key, octet| format!("{key}{octet:02x}"))
}

/// Each number is one mark.
fn folded(subject: &str) -> String {
    let mut out = String::with_capacity(subject.len());
    for c in subject.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

impl Shared {
    /// Sends digests; never ends by itself.
    #[must_use]
    pub fn digests(self: &Rc<Self>) -> Local<'static, ()> {
        let this = Rc::clone(self);
        Box::pin(async move {
            this.remember().await;
            loop {
                let until = this.storm.repeats.borrow().next();
                let rung = async {
                    let _rung = this.storm.bell.1.recv().await;
                };
                let freed = async {
                    match this.outbound() {
                        Some(outbound) => outbound.freed().await,
                        None => std::future::pending().await,
                    }
                };
                rung.or(freed).or(this.world.sleep(until)).await;
                this.send_digests().await;
            }
        })
    }

    /// What is due of digests by now goes; [`Shared::digests`] calls this.
    pub async fn send_digests(&self) {
        self.send_due().await;
        self.send_freed().await;
    }

    /// What is due goes; what could not go waits again.
    async fn send_due(&self) {
        let due = self.storm.repeats.borrow_mut().due(self.world.now());
        for (key, names) in due {
            let entries = self.entries(&names);
            let sent = match entries {
                Ok(entries) if entries.is_empty() => true,
                Ok(entries) => self.send(&entries).await,
                Err(broken) => {
                    log::error!("{key}: {broken}");
                    false
                }
            };
            if !sent {
                let until = self.world.now().plus_seconds(AGAIN);
                let mut repeats = self.storm.repeats.borrow_mut();
                repeats.wait_again(key, names, until);
            }
        }
    }

    /// Those that are there and held still, the oldest first.
    fn entries(&self, names: &BTreeSet<String>) -> Result<Vec<(QueueId, QueueEntry)>, Broken> {
        self.store.read(|reader| {
            let mut entries = Vec::new();
            for name in names {
                if let Some(id) = reader.queue_named(name)?
                    && let Some(entry) = reader.queue_entry(id)?
                    && entry.held
                {
                    entries.push((id, entry));
                }
            }
            entries.sort_unstable_by_key(|(id, _)| *id);
            Ok(entries)
        })
    }

    /// What the admin has released goes by itself.
    async fn send_freed(&self) {
        let freed = self.store.read(|reader| {
            let (now, mut entries) = (reader.uptime()?, Vec::new());
            for (lane, _) in reader.lanes(Some(DIGEST), KEYS_MAX)? {
                if !lane.starts_with(DIGEST) {
                    break;
                }
                for id in reader.lane_entries(&lane, now, PAGE)? {
                    entries.extend(reader.queue_entry(id)?.map(|entry| (id, entry)));
                }
            }
            Ok::<_, Broken>(entries)
        });
        match freed {
            Ok(entries) => {
                for entry in entries {
                    // One that cannot go now is seen again at the next ring.
                    let _sent = self.send(&[entry]).await;
                }
            }
            Err(broken) => log::error!("digest: {broken}"),
        }
    }

    /// What waited when the last run ended; [`Shared::digests`] begins with this.
    pub async fn remember(&self) {
        let mut after = None;
        loop {
            let page = self.store.read(|reader| reader.queue(after, PAGE));
            let page = match page {
                Ok(page) => page,
                Err(broken) => return log::error!("digest: {broken}"),
            };
            let Some((last, _)) = page.last() else {
                return;
            };
            after = Some(*last);
            let (now, time) = (self.world.now(), self.world.time());
            for (_, entry) in page.iter().filter(|(_, entry)| entry.held) {
                let first = entry.queued.recipients.first();
                let Some(to) = first.filter(|to| to.is_merged()) else {
                    continue;
                };
                let age = u64::try_from(time.0.saturating_sub(entry.arrived.0)).unwrap_or(0);
                let until = now.plus_seconds(HOUR.saturating_sub(age));
                let mut repeats = self.storm.repeats.borrow_mut();
                repeats.wait(to.lane(), &entry.queued.id, entry.size, now, until);
            }
            smol::future::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lm_11_the_sixth_waits() {
        let mut repeats = Repeats::default();
        for n in 0..5 {
            assert_eq!(repeats.count("a", Instant(n * 1000)), None);
        }
        let now = Instant(10_000);
        assert_eq!(repeats.count("a", now), Some(6));
        repeats.wait("a", "Q6", 100, now, now.plus_seconds(HOUR));
        assert_eq!(repeats.count("b", now), None);
        // One an hour, however long it goes on.
        let later = now.plus_seconds(HOUR);
        assert!(repeats.due(Instant(later.0 - 1)).is_empty());
        assert_eq!(repeats.next(), later);
        let due = repeats.due(later);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].1.len(), 1);
        assert_eq!(repeats.next(), Instant::NEVER);
        // It has become rare.
        assert_eq!(repeats.count("a", later.plus_seconds(HOUR)), None);
    }

    #[test]
    fn lm_11_state_is_bounded() {
        let mut repeats = Repeats::default();
        for n in 0..10_000 {
            let _ = repeats.count(&format!("{n}"), Instant(n));
        }
        assert!(repeats.0.len() <= KEYS_MAX);
        // With a digest for each, what is new goes as it is.
        let mut repeats = Repeats::default();
        for n in 0..KEYS_MAX {
            repeats.wait(&format!("{n}"), "Q", 1, Instant(0), Instant(1));
        }
        for _ in 0..20 {
            assert_eq!(repeats.count("new", Instant(0)), None);
        }
        assert_eq!(repeats.0.len(), KEYS_MAX);
        // A digest that is full leaves at once.
        let mut repeats = Repeats::default();
        let late = Instant(HOUR * 1000);
        for n in 0..MESSAGES_MAX {
            assert!(repeats.next() > Instant(5), "{n}");
            repeats.wait("a", &format!("Q{n}"), 1, Instant(5), late);
        }
        assert_eq!(repeats.next(), Instant(5));
    }

    #[test]
    fn lm_11_numbers_do_not_count() {
        assert_eq!(folded("disk 93% full, 12:05"), "disk #% full, #:#");
        assert_eq!(folded("disk 4% full, 1:59"), "disk #% full, #:#");
    }
}
