//! What proves who somebody is: passwords, app passwords, SCRAM keys. Hashing is argon2id, one at a
//! time, off the executor.

mod app;
mod argon;
mod crypt;
mod import;
pub mod line;
mod remember;
pub mod scram;

use std::{cell::Cell, fmt, sync::Arc};

use ring::hmac;
use smol::lock::Mutex;

pub use self::{
    app::{APPS_MAX, NAME_MAX as APP_NAME_MAX},
    argon::Cost,
    import::Imported,
};
use self::{
    line::{Line, Place},
    remember::Remembered,
};
use crate::{
    base::{id::UserId, secret::Secret, time::Instant},
    store::directory::{AppPassword, NewAppPassword, ScramKeys, User},
};

/// Longest password, in octets.
pub const LENGTH_MAX: usize = 1024;

/// What is stored of a password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// A PHC string, or a crypt hash that was imported.
    pub password: Secret,
    /// None of an imported hash: the password is not known yet.
    pub scram: Option<ScramKeys>,
    /// All secrets of an account share salt and count: the client gets them before anybody knows which
    /// secret it will prove.
    pub salt: [u8; 16],
    pub count: u32,
}

/// What a password turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nobody can tell: too many wait.
    Busy,
    /// Right, as it was a short while ago.
    Remembered,
    Right,
    Wrong,
}

/// The one place where passwords are hashed.
pub struct Passwords {
    cost: Cost,
    /// Of this process only: remembered log-ins mean nothing elsewhere.
    key: hmac::Key,
    /// Makes every salt another one.
    salts: Cell<u64>,
    line: Line,
    /// Held by the hash itself, that goes on when the session which wanted it is gone.
    hashing: Arc<Mutex<()>>,
    remembered: Remembered,
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
            salts: Cell::new(0),
            line: Line::default(),
            hashing: Arc::default(),
            remembered: Remembered::default(),
        }
    }

    /// What is to be stored of a new password. `of` is whose it becomes, if the account is there: its
    /// app passwords go on to work by SCRAM, too. `None`: there is no memory for it, or too many wait.
    pub async fn hash(&self, password: &Secret, of: Option<&User>) -> Option<Credentials> {
        let (salt, count) = self.scram_salt(of);
        let (cost, argon_salt, password) = (self.cost, self.random(), password.clone());
        let _turn = self.line.turn(Place::ADMIN).await.ok()?;
        let alone = self.hashing.lock_arc().await;
        blocking::unblock(move || {
            let _alone = alone;
            let prepared = scram::prepare(&password);
            let hash = argon::new(cost, &prepared, &argon_salt)?;
            let phc = argon::write(cost, &argon_salt, &hash);
            Some(Credentials {
                password: Secret::new(phc.into_bytes()),
                scram: Some(scram::keys(&password, &salt, count)?),
                salt,
                count,
            })
        })
        .await
    }

    /// Whether this can be a new password; nothing of it is told.
    ///
    /// # Errors
    ///
    /// A text for people.
    pub fn typeable(password: &Secret) -> Result<(), String> {
        let wrong = match str::from_utf8(password.reveal()) {
            Err(_) => "the password is not UTF-8",
            Ok("") => "the password is empty",
            Ok(text) if text.len() > LENGTH_MAX => "the password is longer than 1024 octets",
            // RFC 4616 section 2: no NUL; the others cannot be typed.
            Ok(text) if text.chars().any(char::is_control) => {
                "the password holds control characters"
            }
            Ok(_) => return Ok(()),
        };
        Err(wrong.to_owned())
    }

    /// Reads the hash of another server (ST-6).
    ///
    /// # Errors
    ///
    /// A text for people, that says what is accepted; nothing that might be secret is in it.
    pub fn import(text: &Secret) -> Result<Imported, String> {
        import::import(text)
    }

    /// What is to be stored of something that was imported. A password in clear is hashed as any other.
    pub async fn take(&self, imported: Imported, of: Option<&User>) -> Option<Credentials> {
        let password = match imported {
            Imported::Clear(password) => return self.hash(&password, of).await,
            Imported::Hash(hash) => hash,
        };
        let (salt, count) = self.scram_salt(of);
        Some(Credentials {
            password,
            scram: None,
            salt,
            count,
        })
    }

    /// A new app password: what the person is shown once, and what is stored. `None`: too many wait.
    ///
    /// The SCRAM keys are those of the form that is shown; sent in clear over TLS, spaces, dashes and
    /// case do not matter.
    pub async fn app_password(&self, user: &User, name: &str) -> Option<(Secret, NewAppPassword)> {
        let shown = app::print(self.random());
        let (salt, count, clear) = (user.scram_salt, user.scram_count, shown.clone());
        let _turn = self.line.turn(Place::ADMIN).await.ok()?;
        let scram = blocking::unblock(move || scram::keys(&clear, &salt, count)).await?;
        let app = NewAppPassword {
            name: name.to_owned(),
            sha256: app::digest(&shown)?,
            scram,
        };
        Some((shown, app))
    }

    /// Which of somebody's app passwords this is. Nobody can guess 128 random bits: no work, no waiting.
    #[must_use]
    pub fn app_of<'a>(
        apps: &'a [(u32, AppPassword)],
        password: &Secret,
    ) -> Option<&'a (u32, AppPassword)> {
        let digest = app::digest(password)?;
        let mut found = None;
        for app in apps {
            if same(&app.1.sha256, &digest) {
                found = Some(app);
            }
        }
        found
    }

    /// Whether this is the password of `user`. Unknown names wait and work as known ones do.
    pub async fn verify(
        &self,
        user: Option<(UserId, &User)>,
        password: &Secret,
        place: Place,
        now: Instant,
    ) -> Verdict {
        if password.reveal().len() > LENGTH_MAX {
            return Verdict::Wrong;
        }
        let tag = user.map(|(id, user)| self.tag(id, user.credentials, password));
        if tag.is_some_and(|tag| self.remembered.knows(&tag, now)) {
            return Verdict::Remembered;
        }
        let (cost, salt) = (self.cost, self.random());
        let stored = user.map(|(_, user)| user.password.clone());
        let password = password.clone();
        let Ok(turn) = self.line.turn(place).await else {
            return Verdict::Busy;
        };
        let alone = self.hashing.lock_arc().await;
        let right = blocking::unblock(move || {
            let _alone = alone;
            let stored = stored.as_ref().map(Secret::reveal).unwrap_or_default();
            let prepared = scram::prepare(&password);
            if let Some(hash) = argon::read(stored) {
                return hash.is(&prepared);
            }
            // The same work, whether there is such a user or the hash is a foreign one.
            let _ = argon::new(cost, &prepared, &salt);
            let crypt = str::from_utf8(stored).ok().map(crypt::parse);
            crypt.is_some_and(|crypt| crypt.is_ok_and(|crypt| crypt.is(password.reveal())))
        })
        .await;
        drop(turn);
        match tag.filter(|_| right) {
            Some(tag) => {
                self.remembered.add(tag, now);
                Verdict::Right
            }
            None => Verdict::Wrong,
        }
    }

    /// Whether a password that was right has to be stored anew: in our own form, with SCRAM keys.
    #[must_use]
    pub fn outdated(user: &User) -> bool {
        user.scram.is_none() || argon::read(user.password.reveal()).is_none()
    }

    /// Iterations for SCRAM of new accounts, and of those that are not there.
    #[must_use]
    pub fn scram_count(&self) -> u32 {
        self.cost.scram
    }

    /// An account's, or new ones.
    fn scram_salt(&self, of: Option<&User>) -> ([u8; 16], u32) {
        match of {
            Some(user) if user.scram_count >= self.cost.scram => {
                (user.scram_salt, user.scram_count)
            }
            _ => (self.random(), self.cost.scram),
        }
    }

    /// Octets that nobody can guess.
    fn random(&self) -> [u8; 16] {
        let number = self.salts.get();
        self.salts.set(number.wrapping_add(1));
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"salt");
        context.update(&number.to_be_bytes());
        let mut octets = [0; 16];
        for (to, from) in octets.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        octets
    }

    /// A keyed hash of who proved what: worthless without the key, void after a change of secrets.
    fn tag(&self, user: UserId, credentials: u64, password: &Secret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"log-in");
        context.update(&user.0.to_be_bytes());
        context.update(&credentials.to_be_bytes());
        context.update(password.reveal());
        scram::fixed(context.sign().as_ref())
    }
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
mod tests;
