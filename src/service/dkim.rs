//! The keys with which mail of our domains is signed: made, put to use once DNS shows them, and taken away
//! when nobody needs them any more.

use std::{rc::Rc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    base::{
        secret::Secret,
        time::{Instant, Time},
    },
    mailauth::dkim::{self, Algorithm, BadKey, Key},
    net::{resolve::Resolver, world::World},
    store::{
        Broken, Reader, Refusal, Request, Store,
        directory::{DkimAlgorithm, DkimKey, DkimState, Domain, DomainClass, Edit, Swap},
    },
};

/// Seconds for which a key that signs no more stays published: what it signed is on its way.
pub const PUBLISHED: i64 = 7 * 86_400;
/// Whether there is something to do is looked at so often, in seconds.
const LOOK: u64 = 10;
/// DNS is asked so often, in seconds.
const ASK: Duration = Duration::from_hours(1);

/// Keys of one domain that are looked after in one go.
const STEPS: usize = 8;

/// The algorithms of which a domain has keys.
pub const ALGORITHMS: [DkimAlgorithm; 2] = [DkimAlgorithm::Rsa, DkimAlgorithm::Ed25519];

/// Whether mail of a domain is signed: where people have their addresses.
#[must_use]
pub fn signs(domain: &Domain) -> bool {
    matches!(domain.class, DomainClass::Alias | DomainClass::Mailbox)
}

/// A row's algorithm as the signer names it.
#[must_use]
pub fn algorithm(of_row: DkimAlgorithm) -> Algorithm {
    match of_row {
        DkimAlgorithm::Ed25519 => Algorithm::Ed25519,
        DkimAlgorithm::Rsa => Algorithm::Rsa,
    }
}

/// A selector that the domain does not have: `r202611`, `e202611`, then with a letter behind it.
#[must_use]
pub fn selector(algorithm: DkimAlgorithm, rows: &[(String, DkimKey)], now: Time) -> String {
    let letter = match algorithm {
        DkimAlgorithm::Ed25519 => 'e',
        DkimAlgorithm::Rsa => 'r',
    };
    let day = now.calendar();
    let name = format!("{letter}{:04}{:02}", day.year(), u8::from(day.month()));
    let free = |name: &String| rows.iter().all(|(taken, _)| taken != name);
    let others = (2_u32..).map(|number| match number {
        2..=26 => {
            let at = u8::try_from(number).unwrap_or(2).saturating_sub(1);
            format!("{name}{}", char::from(b'a'.saturating_add(at)))
        }
        _ => format!("{name}x{number}"),
    });
    std::iter::once(name.clone())
        .chain(others)
        .find(free)
        .unwrap_or(name)
}

/// A row of a key that is still to be made.
#[must_use]
pub fn unmade(algorithm: DkimAlgorithm, now: Time) -> DkimKey {
    DkimKey {
        algorithm,
        private: Secret::default(),
        public: Vec::new(),
        state: DkimState::Pending,
        made: now,
        retired: None,
        secret_in: 0,
    }
}

/// A new key that waits to be used. RSA takes seconds: call it on the blocking pool.
///
/// # Errors
///
/// The machine gives no randomness.
pub fn make(algorithm: DkimAlgorithm, now: Time) -> Result<DkimKey, BadKey> {
    let kind = self::algorithm(algorithm);
    let private = Secret::new(dkim::generate(kind)?);
    let public = Key::parse(kind, private.reveal())?.public();
    Ok(DkimKey {
        private,
        public,
        ..unmade(algorithm, now)
    })
}

/// The keys of a domain that has just come: one that signs at once, and one that is made later.
///
/// # Errors
///
/// The machine gives no randomness.
pub fn first(domain: &str, now: Time) -> Result<Vec<Edit>, BadKey> {
    let quick = DkimKey {
        state: DkimState::Active,
        ..make(DkimAlgorithm::Ed25519, now)?
    };
    let slow = unmade(DkimAlgorithm::Rsa, now);
    let edit = |row: DkimKey| {
        let selector = selector(row.algorithm, &[], now);
        swap(domain, &selector, None, Some(row))
    };
    Ok(vec![edit(quick), edit(slow)])
}

/// The edit of one key.
#[must_use]
pub fn swap(domain: &str, selector: &str, was: Option<DkimKey>, now: Option<DkimKey>) -> Edit {
    Edit::DkimKey(Swap {
        name: [domain, "/", selector].concat(),
        was,
        now,
    })
}

/// Those that are made and wait sign from now on, and those of their algorithm that did so retire. Their
/// private halves are gone.
#[must_use]
pub fn turn(domain: &str, rows: &[(String, DkimKey)], new: &[&str], now: Time) -> Vec<Edit> {
    let begins = |selector: &String| new.contains(&selector.as_str());
    let turned = |algorithm| {
        let mut new = rows.iter().filter(|(selector, _)| begins(selector));
        new.any(|(_, row)| row.algorithm == algorithm)
    };
    let mut edits = Vec::new();
    for (selector, row) in rows {
        let next = if begins(selector) {
            DkimKey {
                state: DkimState::Active,
                ..row.clone()
            }
        } else if row.state == DkimState::Active && turned(row.algorithm) {
            DkimKey {
                state: DkimState::Retired,
                private: Secret::default(),
                retired: Some(now),
                ..row.clone()
            }
        } else {
            continue;
        };
        edits.push(swap(domain, selector, Some(row.clone()), Some(next)));
    }
    edits
}

/// Looks after the keys for as long as the appliance runs.
pub async fn keep(store: Store, resolver: Rc<Resolver>, world: Rc<dyn World>) {
    let (mut seen, mut ask) = (None, Instant(0));
    loop {
        world.sleep(world.now().plus_seconds(LOOK)).await;
        let due = world.now() >= ask;
        let sequence = store.read(Reader::sequence).ok();
        if !due && sequence == seen {
            continue;
        }
        seen = sequence;
        if due {
            ask = world.now().plus_seconds(ASK.as_secs());
        }
        let asked = due.then_some(&*resolver);
        if let Err(broken) = tend(&store, asked, world.time()).await {
            log::error!("dkim: {broken}");
        }
    }
}

/// Does what is to be done now for all domains; asks DNS only where there is a resolver.
///
/// # Errors
///
/// The store cannot be read.
pub async fn tend(store: &Store, resolver: Option<&Resolver>, now: Time) -> Result<(), Broken> {
    for (domain, _) in store.read(Reader::domains)? {
        // One key at a time, each with what became of the others.
        for _ in 0..STEPS {
            let rows = store.read(|reader| reader.dkim_keys(&domain))?;
            let Some((selector, edits, done)) = next(&domain, &rows, resolver, now).await else {
                break;
            };
            match store.request(Request::Edit(edits)).await {
                Ok(_) => log::info!("dkim: {selector}._domainkey.{domain}: {done}"),
                // An admin was quicker.
                Err(Refusal::Changed) => {}
                Err(refusal) => {
                    log::warn!("dkim: {selector}._domainkey.{domain}: {refusal}");
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What is to be done first with the keys of a domain, and how the log says it.
async fn next<'a>(
    domain: &str,
    rows: &'a [(String, DkimKey)],
    resolver: Option<&Resolver>,
    now: Time,
) -> Option<(&'a str, Vec<Edit>, &'static str)> {
    for (selector, row) in rows {
        match row.state {
            DkimState::Pending if row.private.reveal().is_empty() => {
                match finish(domain, selector, row, rows, now).await {
                    Ok(edit) => return Some((selector, vec![edit], "made")),
                    Err(bad) => log::error!("dkim: {selector}._domainkey.{domain}: {bad}"),
                }
            }
            DkimState::Pending => {
                if let Some(resolver) = resolver
                    && is_published(resolver, domain, selector, row).await
                {
                    let edits = turn(domain, rows, &[selector], now);
                    return Some((selector, edits, "seen in DNS: signs from now on"));
                }
            }
            DkimState::Retired if row.retired.is_none_or(|at| is_over(at, now)) => {
                let edit = swap(domain, selector, Some(row.clone()), None);
                return Some((selector, vec![edit], "removed: its record can go"));
            }
            DkimState::Active | DkimState::Retired => {}
        }
    }
    None
}

fn is_over(retired: Time, now: Time) -> bool {
    now.0.saturating_sub(retired.0) >= PUBLISHED
}

/// Makes a key. It signs at once where the domain has no other of its kind.
///
/// # Errors
///
/// The machine gives no randomness.
pub async fn finish(
    domain: &str,
    selector: &str,
    row: &DkimKey,
    rows: &[(String, DkimKey)],
    now: Time,
) -> Result<Edit, BadKey> {
    let algorithm = row.algorithm;
    let made = blocking::unblock(move || make(algorithm, now)).await?;
    let mut others = rows.iter().map(|(_, row)| row);
    let only = !others.any(|row| row.algorithm == algorithm && row.state == DkimState::Active);
    let state = if only {
        DkimState::Active
    } else {
        DkimState::Pending
    };
    let made = DkimKey { state, ..made };
    Ok(swap(domain, selector, Some(row.clone()), Some(made)))
}

async fn is_published(resolver: &Resolver, domain: &str, selector: &str, row: &DkimKey) -> bool {
    let name = [selector, "._domainkey.", domain].concat();
    let found = resolver.txt(&name).await;
    found.is_ok_and(|found| {
        found
            .records
            .iter()
            .any(|text| is_record(text, &row.public))
    })
}

/// Whether a TXT record publishes a key (RFC 6376 section 3.6.1).
#[must_use]
pub fn is_record(text: &[u8], public: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut tags = text.split(';').filter_map(|tag| tag.split_once('='));
    let key = tags.find(|(tag, _)| tag.trim() == "p");
    key.is_some_and(|(_, key)| {
        let key: String = key.split_whitespace().collect();
        key == BASE64_STANDARD.encode(public)
    })
}

#[cfg(test)]
pub(in crate::service) mod tests;
