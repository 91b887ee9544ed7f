//! Hashing and verifying of passwords: argon2id, one at a time, off the executor. A verified log-in
//! is remembered for ten minutes, so that a mail program's five connections cost one hash.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ring::hmac;

use crate::{
    base::{id::UserId, secret::Secret, time::Instant},
    config::schema::Profile,
    store::directory::User,
};

/// How long a verified log-in is remembered, in seconds.
const REMEMBERED: u64 = 600;
/// How many verified log-ins are remembered; the oldest make room.
const REMEMBERED_MAX: usize = 1024;
/// What a stored hash may ask for, in KiB: a row from a restored or imported folder must not take
/// the machine's memory.
const MEMORY_MAX: u32 = 64 * 1024;
/// Passes a stored hash may ask for.
const PASSES_MAX: u32 = 16;
/// Longest password, in octets.
pub const LENGTH_MAX: usize = 1024;
const HASH_LENGTH: usize = 32;

/// What a new hash costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// In KiB.
    pub memory: u32,
    pub passes: u32,
}

impl Cost {
    /// `spec/ux.md` section 3.12.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let (mebibytes, passes) = match profile {
            Profile::Tiny => (7_u32, 5),
            Profile::Small => (12, 3),
            Profile::Normal => (19, 2),
        };
        Self {
            memory: mebibytes.saturating_mul(1024),
            passes,
        }
    }
}

/// The one place where passwords are hashed.
pub struct Passwords {
    cost: Cost,
    /// Of this process only: remembered log-ins mean nothing elsewhere.
    key: hmac::Key,
    /// Makes every salt another one.
    salts: AtomicU64,
    /// One hash at a time: its memory is what the profile allows. Fair, so nobody is starved.
    turn: smol::lock::Mutex<()>,
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

impl Passwords {
    /// `random`: octets that nobody can guess, new for each process.
    #[must_use]
    pub fn new(cost: Cost, random: [u8; 32]) -> Self {
        Self {
            cost,
            key: hmac::Key::new(hmac::HMAC_SHA256, &random),
            salts: AtomicU64::new(0),
            turn: smol::lock::Mutex::new(()),
            remembered: Mutex::new(HashMap::new()),
        }
    }

    /// The PHC string of a password; `None` if there is no memory for it.
    pub async fn hash(&self, password: &Secret) -> Option<Secret> {
        let salt = self.salt();
        let (cost, password) = (self.cost, password.clone());
        let _turn = self.turn.lock().await;
        blocking::unblock(move || {
            let hash = derive(cost, 1, &password, &salt, HASH_LENGTH)?;
            Some(Secret::new(write(cost, &salt, &hash).into_bytes()))
        })
        .await
    }

    /// Whether this is the password of `user`. Takes as long when there is no such user.
    pub async fn verify(
        &self,
        user: Option<(UserId, &User)>,
        password: &Secret,
        now: Instant,
    ) -> bool {
        if password.reveal().len() > LENGTH_MAX {
            return false;
        }
        let tag = user.map(|(id, user)| self.tag(id, user.credentials, password));
        if tag.is_some_and(|tag| self.remembers(&tag, now)) {
            return true;
        }
        let (cost, salt) = (self.cost, self.salt());
        let stored = user.map(|(_, user)| user.password.clone());
        let password = password.clone();
        let turn = self.turn.lock().await;
        let right = blocking::unblock(move || {
            let parsed = stored.as_ref().and_then(|stored| read(stored.reveal()));
            if let Some(hash) = parsed {
                let lanes = hash.lanes;
                return derive(hash.cost, lanes, &password, &hash.salt, hash.octets.len())
                    .is_some_and(|octets| same(&octets, &hash.octets));
            }
            // The same work, and never right.
            let _ = derive(cost, 1, &password, &salt, HASH_LENGTH);
            false
        })
        .await;
        drop(turn);
        if let Some(tag) = tag.filter(|_| right) {
            self.remember(tag, now);
        }
        right
    }

    fn salt(&self) -> Vec<u8> {
        let number = self.salts.fetch_add(1, Ordering::Relaxed);
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"salt");
        context.update(&number.to_be_bytes());
        context.sign().as_ref().iter().copied().take(16).collect()
    }

    /// A keyed hash of who proved what: worthless without the key, void after a change of secrets.
    fn tag(&self, user: UserId, credentials: u64, password: &Secret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"log-in");
        context.update(&user.0.to_be_bytes());
        context.update(&credentials.to_be_bytes());
        context.update(password.reveal());
        let mut tag = [0; 32];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }

    fn remembers(&self, tag: &[u8; 32], now: Instant) -> bool {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tag)
            .is_some_and(|until| now < *until)
    }

    fn remember(&self, tag: [u8; 32], now: Instant) {
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, until| now < *until);
        }
        if remembered.len() >= REMEMBERED_MAX
            && let Some(oldest) = remembered
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(tag, _)| *tag)
        {
            remembered.remove(&oldest);
        }
        remembered.insert(tag, now.plus_seconds(REMEMBERED));
    }
}

/// A stored hash, taken apart.
struct Hash {
    cost: Cost,
    lanes: u32,
    salt: Vec<u8>,
    octets: Vec<u8>,
}

fn derive(
    cost: Cost,
    lanes: u32,
    password: &Secret,
    salt: &[u8],
    length: usize,
) -> Option<Vec<u8>> {
    let params = Params::new(cost.memory, cost.passes, lanes, Some(length)).ok()?;
    let mut octets = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.reveal(), salt, &mut octets)
        .ok()?;
    Some(octets)
}

/// `$argon2id$v=19$m=12288,t=3,p=1$<salt>$<hash>`, the PHC string format.
fn write(cost: Cost, salt: &[u8], hash: &[u8]) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        cost.memory,
        cost.passes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    )
}

/// `None` for what is no argon2id hash or would cost too much.
fn read(phc: &[u8]) -> Option<Hash> {
    let mut fields = str::from_utf8(phc).ok()?.split('$');
    let mut field = || fields.next();
    if (field()?, field()?, field()?) != ("", "argon2id", "v=19") {
        return None;
    }
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for parameter in field()?.split(',') {
        let (name, number) = parameter.split_once('=')?;
        let slot = match name {
            "m" => &mut memory,
            "t" => &mut passes,
            "p" => &mut lanes,
            _ => return None,
        };
        *slot = Some(number.parse::<u32>().ok()?);
    }
    let cost = Cost {
        memory: memory.filter(|memory| *memory <= MEMORY_MAX)?,
        passes: passes.filter(|passes| *passes <= PASSES_MAX)?,
    };
    let salt = STANDARD_NO_PAD.decode(field()?).ok()?;
    let octets = STANDARD_NO_PAD.decode(field()?).ok()?;
    let right = (8..=64).contains(&salt.len()) && (16..=64).contains(&octets.len());
    (right && field().is_none()).then_some(Hash {
        cost,
        lanes: lanes.filter(|lanes| *lanes <= 16)?,
        salt,
        octets,
    })
}

/// Compares without telling by time where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a
        .iter()
        .zip(b)
        .fold(0, |differing, (x, y)| differing | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Time;

    const CHEAP: Cost = Cost {
        memory: 64,
        passes: 1,
    };

    fn user(password: Secret) -> User {
        User {
            address: "alice@home.test".to_owned(),
            password,
            scram: None,
            scram_salt: [0; 16],
            scram_count: 0,
            credentials: 1,
            quota: 0,
            enabled: true,
            created: Time(0),
            removed: None,
            secret_in: 0,
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn right_wrong_unknown() {
        let passwords = Passwords::new(CHEAP, [7; 32]);
        smol::block_on(async {
            let hash = passwords.hash(&secret("hush")).await.unwrap();
            assert!(hash.reveal().starts_with(b"$argon2id$v=19$m=64,t=1,p=1$"));
            assert_ne!(hash, passwords.hash(&secret("hush")).await.unwrap());
            let alice = user(hash);
            let (id, now) = (UserId(1), Instant(0));
            assert!(
                !passwords
                    .verify(Some((id, &alice)), &secret("hus"), now)
                    .await
            );
            assert!(
                passwords
                    .verify(Some((id, &alice)), &secret("hush"), now)
                    .await
            );
            assert!(!passwords.verify(None, &secret("hush"), now).await);
            let long = secret(&"x".repeat(LENGTH_MAX + 1));
            assert!(!passwords.verify(Some((id, &alice)), &long, now).await);
        });
    }

    /// A remembered log-in needs no hash: it is right although the stored one is spoilt.
    #[test]
    fn remembered_until_a_secret_changes_or_ten_minutes_pass() {
        let passwords = Passwords::new(CHEAP, [7; 32]);
        smol::block_on(async {
            let mut alice = user(passwords.hash(&secret("hush")).await.unwrap());
            let id = UserId(1);
            assert!(
                passwords
                    .verify(Some((id, &alice)), &secret("hush"), Instant(0))
                    .await
            );
            alice.password = Secret::default();
            let late = Instant(599_999);
            assert!(
                passwords
                    .verify(Some((id, &alice)), &secret("hush"), late)
                    .await
            );
            let other = UserId(2);
            assert!(
                !passwords
                    .verify(Some((other, &alice)), &secret("hush"), late)
                    .await
            );
            alice.credentials = 2;
            assert!(
                !passwords
                    .verify(Some((id, &alice)), &secret("hush"), late)
                    .await
            );
            alice.credentials = 1;
            let later = Instant(600_000);
            assert!(
                !passwords
                    .verify(Some((id, &alice)), &secret("hush"), later)
                    .await
            );
        });
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let passwords = Passwords::new(CHEAP, [7; 32]);
        for n in 0..5000_u32 {
            passwords.remember(
                passwords.tag(UserId(n), 0, &Secret::default()),
                Instant(u64::from(n)),
            );
        }
        let remembered = passwords.remembered.lock().unwrap();
        assert_eq!(remembered.len(), REMEMBERED_MAX);
    }

    /// Argon2's own test vector form: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    #[test]
    fn hashes_of_others() {
        let phc = b"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = read(phc).unwrap();
        let octets = derive(hash.cost, hash.lanes, &secret("password"), &hash.salt, 32);
        assert_eq!(octets, Some(hash.octets));
    }

    #[test]
    fn strange_hashes_are_never_right() {
        let good =
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(read(good.as_bytes()).is_some());
        for bad in [
            String::new(),
            "$".repeat(1000),
            good.replace("m=64", "m=65537"),
            good.replace("t=1", "t=17"),
            good.replace("p=1", "p=17"),
            good.replace("p=1", "p=1,p"),
            good.replace(",p=1", ""),
            good.replace("argon2id", "argon2i"),
            good.replace("c29tZXNhbHQ", ""),
            format!("{good}$"),
        ] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
        for zero in ["m=64", "t=1", "p=1"] {
            let name = zero.split('=').next().unwrap();
            let phc = good.replace(zero, &format!("{name}=0"));
            let hash = read(phc.as_bytes()).unwrap();
            assert_eq!(
                derive(hash.cost, hash.lanes, &secret("x"), &hash.salt, 32),
                None
            );
        }
    }
}
