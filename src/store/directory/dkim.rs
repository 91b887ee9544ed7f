//! Keys with which mail of a domain is signed (RFC 6376). A private key leaves the medium with its row.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{secret::Secret, time::Time},
    store::{
        Broken,
        apply::Context,
        counters,
        directory::table::put,
        index::{
            key,
            table::{Rows, Tables},
        },
        value,
    },
};

/// A key of a domain. Its name is `domain/selector`, the domain in ASCII form, both in lower case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DkimKey {
    pub algorithm: DkimAlgorithm,
    /// PKCS#8 in DER; empty while the key is still being made.
    pub private: Secret,
    /// As it is in DNS behind `p=`, before base64: RSA a `SubjectPublicKeyInfo` in DER, Ed25519 its 32
    /// octets (RFC 8463 section 3). Empty as `private` is.
    pub public: Vec<u8>,
    pub state: DkimState,
    pub made: Time,
    /// When it stopped signing; it stays published for a while.
    pub retired: Option<Time>,
    /// The segment whose change holds the secret: emptied when the secret goes. Set by the store.
    pub secret_in: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DkimAlgorithm {
    Ed25519,
    Rsa,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DkimState {
    /// Signs.
    Active,
    /// Not made yet, or not in DNS yet.
    Pending,
    /// Signs no more; what it signed can still be verified.
    Retired,
}

impl DkimKey {
    pub(super) fn has_secret(&self) -> bool {
        !self.private.reveal().is_empty()
    }
}

/// A domain's keys: selector and key, by selector.
///
/// # Errors
///
/// The index fails.
pub fn keys(rows: &impl Rows, domain: &str) -> Result<Vec<(String, DkimKey)>, Broken> {
    let within = key::dkim_key(&format!("{domain}/"));
    let mut out = Vec::new();
    rows.scan_prefix(&within, &mut |key, octets| {
        let selector = key::text_of(key, within.len()).ok_or(Broken::Corrupt("selector"))?;
        out.push((selector.to_owned(), value::decode(octets, "DKIM key")?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

/// Applies that a key becomes another, or goes.
///
/// # Errors
///
/// The index fails.
pub fn apply(
    tables: &mut Tables<'_>,
    at: &Context,
    name: &str,
    now: Option<&DkimKey>,
    purge: bool,
) -> Result<(), Broken> {
    let key = key::dkim_key(name);
    let was: Option<DkimKey> = tables.row(&key, "DKIM key")?;
    if let Some(was) = was.filter(|_| purge) {
        counters::purge(tables, was.secret_in)?;
    }
    if now.is_some_and(DkimKey::has_secret) {
        counters::keep_secret(tables, at.segment)?;
    }
    let now = now.cloned().map(|now| DkimKey {
        secret_in: at.segment,
        ..now
    });
    put(tables, &key, now.as_ref())
}

/// Applies that a domain goes: nothing is signed for it any more.
///
/// # Errors
///
/// The index fails.
pub fn forget(tables: &mut Tables<'_>, at: &Context, domain: &str) -> Result<(), Broken> {
    for (selector, _) in keys(tables, domain)? {
        apply(tables, at, &format!("{domain}/{selector}"), None, true)?;
    }
    Ok(())
}
