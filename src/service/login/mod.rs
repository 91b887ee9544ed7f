//! Logging in, for every protocol: the full address is the name (SU-8), guessing is slow (SU-14).
//!
//! What a guesser can see (texts, numbers, times) is the same for names that are there and names that
//! are not: both are looked up, both wait by [`guard`], both cost one argon2 hash, and an answer "no"
//! leaves a whole number of seconds after the try began to be judged. The name of a SCRAM exchange
//! that is not there has a salt all the same, made from the name and a key of this data folder.

mod guard;
mod sasl;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    net::IpAddr,
    rc::Rc,
};

use ring::hmac;
use smol::lock::MutexGuardArc;

use self::guard::{Guard, Try};
use crate::{
    base::{
        id::UserId,
        secret::Secret,
        time::{Instant, Time},
    },
    mail::address::Address,
    net::world::World,
    service::{
        lookup,
        password::{Passwords, Verdict, scram},
    },
    store::{
        Broken, Request, Store,
        directory::{AppPassword, User},
    },
};

/// That an app password was used is written down once in so many seconds.
const USED: i64 = 86_400;
/// Tries that are sent away are logged at most once in so many seconds.
const TELL: u64 = 1;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginError {
    /// Not with this name and password; which of them is wrong is not told.
    Refused,
    /// Not now: too many tries, or the store cannot be read.
    TryAgain,
}

/// Who was let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Person {
    pub id: UserId,
    /// The version of the account's secrets that was proved: with another one the session is over.
    pub credentials: u64,
}

/// Lets people in.
#[derive(Debug)]
pub struct Login {
    store: Store,
    passwords: Rc<Passwords>,
    world: Rc<dyn World>,
    guard: RefCell<Guard>,
    /// How many wait because somebody failed, known devices aside, and how many may.
    waiting: Cell<usize>,
    waiting_max: Cell<usize>,
    /// Of this data folder; makes the salts of names that are not there.
    key: hmac::Key,
    deferred: Deferred,
}

/// Keeps the log readable when thousands are sent away.
#[derive(Debug, Default)]
struct Deferred {
    /// When one may be logged again.
    tell: Cell<Instant>,
    untold: Cell<u64>,
}

/// Somebody with a mailbox here.
#[derive(Debug)]
struct Account {
    id: UserId,
    user: User,
    apps: Vec<(u32, AppPassword)>,
}

impl Account {
    fn person(&self) -> Person {
        Person {
            id: self.id,
            credentials: self.user.credentials,
        }
    }
}

/// One who wants to log in.
struct Caller<'a> {
    /// In key form; what is no address has none.
    key: Option<String>,
    /// Fit for the log. What is no address may be a password that was typed into the wrong field.
    shown: String,
    peer: IpAddr,
    how: &'a str,
}

impl<'a> Caller<'a> {
    fn new(name: &str, peer: IpAddr, how: &'a str) -> Self {
        let key = Address::parse(name).map(|address| address.key());
        let shown = key.as_deref().unwrap_or("?").escape_debug().to_string();
        Self {
            key,
            shown,
            peer,
            how,
        }
    }

    fn welcome(&self, more: &str) {
        let (shown, peer, how) = (&self.shown, self.peer, self.how);
        log::info!("login user=<{shown}> client={peer} by={how}{more}");
    }
}

/// A try that was let through: it is judged now, and nobody else in its lane.
struct Admitted<'a> {
    try_: Try,
    /// When it began to be judged.
    at: Instant,
    lane: MutexGuardArc<()>,
    under_way: UnderWay<'a>,
}

/// One of those who wait because somebody failed.
struct Waiting<'a>(&'a Login);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waiting = &self.0.waiting;
        waiting.set(waiting.get().saturating_sub(1));
    }
}

/// A try that is being judged. Who hangs up before it is over has failed: else guessing would be free
/// of delays.
struct Judging<'a> {
    login: &'a Login,
    try_: Try,
    over: bool,
}

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        if !self.over {
            let now = self.login.world.now();
            self.login.guard.borrow_mut().wrong(self.try_, now);
        }
    }
}

/// Ends a try whatever happens, also when the session is dropped while it waits.
struct UnderWay<'a> {
    login: &'a Login,
    try_: Try,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.login.guard.borrow_mut().end(self.try_);
    }
}

impl Login {
    #[must_use]
    pub fn new(store: Store, passwords: Rc<Passwords>, world: Rc<dyn World>) -> Self {
        let key = scram::hmac(&store.secret(), b"salts of names that are not there");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Self {
            store,
            passwords,
            world,
            guard: RefCell::default(),
            waiting: Cell::new(0),
            waiting_max: Cell::new(usize::MAX),
            key,
            deferred: Deferred::default(),
        }
    }

    /// Who has this name and password, or this name and one of its app passwords. Wrong ones are
    /// answered late.
    ///
    /// # Errors
    ///
    /// See [`LoginError`]; why is in the log.
    pub async fn login(
        &self,
        name: &str,
        password: &Secret,
        peer: IpAddr,
    ) -> Result<Person, LoginError> {
        let caller = Caller::new(name, peer, "password");
        // Nobody can guess an app password, so nobody who has one need wait for those who guess.
        let account = self.look(&caller)?;
        if let Some(account) = &account
            && let Some(app) = Passwords::app_of(&account.apps, password)
            && account.user.enabled
        {
            return Ok(self.welcome_app(&caller, account, app).await);
        }
        let admitted = self.admit(&caller).await?;
        // What was there before the wait may be gone.
        let account = self.look(&caller)?;
        let user = account.as_ref().map(|account| (account.id, &account.user));
        let now = self.world.now();
        let place = self.guard.borrow().place(admitted.try_, now);
        let mut judging = Judging {
            login: self,
            try_: admitted.try_,
            over: false,
        };
        let verdict = self.passwords.verify(user, password, place, now).await;
        judging.over = true;
        if verdict == Verdict::Busy {
            return Err(self.defer(&caller, "too many wait"));
        }
        // It may have changed while others were judged.
        let verified = account.as_ref().map(Account::person);
        let account = self.look(&caller)?;
        let same = account.as_ref().map(Account::person) == verified;
        let right = verdict != Verdict::Wrong && same;
        let account = self.judge(&caller, admitted, account, right).await?;
        let person = account.person();
        if verdict == Verdict::Right && Passwords::outdated(&account.user) {
            self.renew(&caller, &account, password).await;
        }
        Ok(person)
    }

    /// Waits until a try may be judged.
    async fn admit(&self, caller: &Caller<'_>) -> Result<Admitted<'_>, LoginError> {
        let name = self.hash(caller);
        let account = name
            .first_chunk()
            .map_or(0, |first| u64::from_be_bytes(*first));
        let begun = self
            .guard
            .borrow_mut()
            .begin(caller.peer, account, self.world.now());
        let Some((try_, lane)) = begun else {
            return Err(self.defer(caller, "too many tries"));
        };
        let under_way = UnderWay { login: self, try_ };
        // The lane may be held by one that has to wait.
        let (_, mut waiting) = self.turn(caller, try_, None)?;
        let lane = lane.lock_arc().await;
        let at;
        (at, waiting) = self.turn(caller, try_, waiting)?;
        self.world.sleep(at).await;
        drop(waiting);
        Ok(Admitted {
            try_,
            at: self.world.now(),
            lane,
            under_way,
        })
    }

    /// When this try may be judged; a seat among those who wait if that is not now.
    fn turn<'a>(
        &'a self,
        caller: &Caller<'_>,
        try_: Try,
        waiting: Option<Waiting<'a>>,
    ) -> Result<(Instant, Option<Waiting<'a>>), LoginError> {
        let now = self.world.now();
        let at = self.guard.borrow().admit(try_, now);
        let Some(at) = at else {
            return Err(self.defer(caller, "too many tries"));
        };
        if at <= now || waiting.is_some() {
            return Ok((at, waiting));
        }
        Ok((at, self.wait(caller, try_)?))
    }

    /// A seat among those who wait; a known device needs none.
    fn wait(&self, caller: &Caller<'_>, try_: Try) -> Result<Option<Waiting<'_>>, LoginError> {
        if try_.is_known() {
            return Ok(None);
        }
        if self.waiting.get() >= self.waiting_max.get() {
            return Err(self.defer(caller, "too many wait for their next try"));
        }
        self.waiting.set(self.waiting.get().saturating_add(1));
        Ok(Some(Waiting(self)))
    }

    /// How many sessions may wait because somebody failed: each of them takes a place in a house.
    pub fn set_waiting(&self, most: usize) {
        self.waiting_max.set(most);
    }

    /// Lets somebody in whose secret was right, or says no, late.
    async fn judge(
        &self,
        caller: &Caller<'_>,
        admitted: Admitted<'_>,
        account: Option<Account>,
        right: bool,
    ) -> Result<Account, LoginError> {
        let Caller { shown, peer, .. } = caller;
        let Admitted {
            try_,
            at,
            lane,
            under_way,
        } = admitted;
        let why = match account {
            Some(account) if right && account.user.enabled => {
                self.guard.borrow_mut().right(try_, self.world.now());
                caller.welcome("");
                return Ok(account);
            }
            Some(_) if right => "disabled",
            Some(_) => "wrong password",
            None => "no such user",
        };
        let now = self.world.now();
        let wait = self.guard.borrow_mut().wrong(try_, now);
        drop(lane);
        log::warn!("login refused user=<{shown}> client={peer}: {why}");
        let _waiting = self.wait(caller, try_)?;
        self.world.sleep(whole_seconds(at, wait, now)).await;
        drop(under_way);
        Err(LoginError::Refused)
    }

    async fn welcome_app(
        &self,
        caller: &Caller<'_>,
        account: &Account,
        (id, app): &(u32, AppPassword),
    ) -> Person {
        caller.welcome(&format!(" app-password=<{}>", app.name.escape_debug()));
        let time = self.world.time();
        let user = account.id;
        let news = |used: Time| time.0.saturating_sub(used.0) >= USED;
        if app.used.is_none_or(news) {
            let id = *id;
            // Nobody waits for it, and nothing is lost if it fails.
            let request = Request::UsedAppPassword { user, id, time };
            let _ = self.store.request(request).await;
        }
        account.person()
    }

    /// Puts our own form in the place of an imported hash (ST-6), or adds keys for SCRAM. The log-in
    /// goes on whatever comes of it.
    async fn renew(&self, caller: &Caller<'_>, account: &Account, password: &Secret) {
        let shown = &caller.shown;
        let Some(new) = self.passwords.hash(password, Some(&account.user)).await else {
            log::warn!("login user=<{shown}>: the password was not hashed anew");
            return;
        };
        let request = Request::SetPassword {
            user: account.id,
            password: new.password,
            scram: new.scram,
            scram_salt: new.salt,
            scram_count: new.count,
            changed: false,
            // Another one may have been set meanwhile.
            was: Some(account.user.credentials),
        };
        match self.store.request(request).await {
            Ok(_) => log::info!("login user=<{shown}>: the password is stored anew"),
            Err(why) => {
                log::warn!("login user=<{shown}>: the password was not stored anew: {why}");
            }
        }
    }

    fn look(&self, caller: &Caller<'_>) -> Result<Option<Account>, LoginError> {
        let found = caller.key.as_deref().map(|key| self.find(key));
        found.transpose().map(Option::flatten).map_err(|broken| {
            let Caller { shown, peer, .. } = caller;
            log::error!("login deferred user=<{shown}> client={peer}: {broken}");
            LoginError::TryAgain
        })
    }

    fn find(&self, key: &str) -> Result<Option<Account>, Broken> {
        self.store.read(|reader| {
            // Whose domain is switched off is nobody (AC-7).
            let domain = key.rsplit_once('@').map_or("", |(_, domain)| domain);
            if lookup::is_off(reader, domain)? {
                return Ok(None);
            }
            let Some(id) = reader.user_named(key)? else {
                return Ok(None);
            };
            let apps = reader.app_passwords(id)?;
            let user = reader.user(id)?.filter(|user| user.removed.is_none());
            Ok(user.map(|user| Account { id, user, apps }))
        })
    }

    /// A keyed hash of the name.
    fn hash(&self, caller: &Caller<'_>) -> [u8; 32] {
        let name = caller.key.as_deref().unwrap_or_default();
        scram::fixed(hmac::sign(&self.key, name.as_bytes()).as_ref())
    }

    fn defer(&self, caller: &Caller<'_>, why: impl Display) -> LoginError {
        let Caller { shown, peer, .. } = caller;
        let (now, untold) = (self.world.now(), self.deferred.untold.get());
        if now < self.deferred.tell.get() {
            self.deferred.untold.set(untold.saturating_add(1));
            return LoginError::TryAgain;
        }
        self.deferred.tell.set(now.plus_seconds(TELL));
        self.deferred.untold.set(0);
        let more = match untold {
            0 => String::new(),
            untold => format!(" (and {untold} before)"),
        };
        log::info!("login deferred user=<{shown}> client={peer}: {why}{more}");
        LoginError::TryAgain
    }

    /// Why somebody who was let in has to leave again, if the account is not what it was. Where nobody
    /// can tell, what needs the store fails by itself.
    pub fn outdated(&self, person: Person) -> Option<&'static str> {
        let read = self.store.read(|reader| {
            let account = reader.user(person.id)?;
            let address = account.as_ref().map_or("", |user| &user.address);
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            let off = lookup::is_off(reader, domain)?;
            Ok((account, off))
        });
        let (account, off) = match read {
            Ok(read) => read,
            Err(Broken::Stopped) => return None,
            Err(broken @ (Broken::Corrupt(_) | Broken::Index(_) | Broken::Io(_))) => {
                log::error!("login: account not looked up: {broken}");
                return None;
            }
        };
        match account.filter(|user| user.removed.is_none()) {
            None => Some("The account was removed"),
            Some(user) if !user.enabled => Some("The account was disabled"),
            Some(_) if off => Some("The domain was disabled"),
            Some(user) if user.credentials != person.credentials => {
                Some("The password has changed")
            }
            Some(_) => None,
        }
    }

    /// The calendar, for what a log-in leaves behind.
    pub fn time(&self) -> Time {
        self.world.time()
    }
}

/// `wait` milliseconds after `at`, or the next whole second after it that is not past: how long a try
/// took to be judged is not seen.
fn whole_seconds(at: Instant, wait: u64, now: Instant) -> Instant {
    let due = at.plus(wait);
    let late = now.0.saturating_sub(due.0);
    due.plus(late.div_ceil(1000).saturating_mul(1000))
}
