//! A world whose clock stands still until somebody moves it, a real store, and crowds.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use async_executor::LocalExecutor;
use smol::future::{poll_once, zip};
use tempfile::TempDir;

use super::*;
use crate::{
    base::{random::Random, time::Clock},
    net::world::{Local, RealClock},
    proto::sasl::{Answer, Question},
    service::password::{Cost, Credentials, line::Line},
    store::{
        self, Running,
        directory::{DomainClass, NewAppPassword},
        disk::local::LocalDisk,
    },
};

/// A hash that is not over before anybody looks.
const SLOW: Cost = Cost {
    memory: 32 * 1024,
    passes: 3,
    ..CHEAP
};
const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    scram: 10,
};
const DAY: u64 = 86_400;

#[derive(Default)]
struct FakeWorld {
    now: Rc<Cell<u64>>,
    /// Who sleeps makes time pass.
    hasty: Cell<bool>,
    sleepers: Rc<RefCell<Vec<(u64, Waker)>>>,
}

impl fmt::Debug for FakeWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeWorld")
    }
}

impl World for FakeWorld {
    fn now(&self) -> Instant {
        Instant(self.now.get())
    }

    fn time(&self) -> Time {
        Time(1_795_272_815 + i64::try_from(self.now.get() / 1000).unwrap())
    }

    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        if self.hasty.get() {
            self.now.set(self.now.get().max(until.0));
        }
        let (now, sleepers) = (self.now.clone(), self.sleepers.clone());
        Box::pin(poll_fn(move |context| {
            if now.get() >= until.0 {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            sleepers.borrow_mut().push((until.0, waker));
            Poll::Pending
        }))
    }

    fn random(&self) -> &dyn Random {
        self
    }
}

impl Random for FakeWorld {
    fn fill(&self, octets: &mut [u8]) {
        octets.fill(7);
    }
}

impl FakeWorld {
    /// Time passes; who has slept long enough wakes.
    fn pass(&self, milliseconds: u64) {
        let now = self.now.get() + milliseconds;
        self.now.set(now);
        let (awake, asleep): (Vec<_>, _) = self
            .sleepers
            .take()
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.sleepers.replace(asleep);
        for (_, waker) in awake {
            waker.wake();
        }
    }
}

struct House {
    login: Login,
    world: Rc<FakeWorld>,
    passwords: Rc<Passwords>,
    store: Store,
    running: Option<Running>,
    _folder: TempDir,
}

impl Drop for House {
    fn drop(&mut self) {
        self.store.stop();
        self.running.take().unwrap().join().unwrap();
    }
}

impl House {
    /// With alice ("hush") and bob ("sesame").
    fn new() -> Self {
        Self::with(CHEAP)
    }

    fn with(cost: Cost) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let options = store::Options {
            cache: 0,
            message_size: 0,
            tiny: true,
            segment: store::log::SEGMENT,
            secret: [7; 16],
            folders: 0,
            keywords: 0,
            clock,
        };
        let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
        let (store, running, _) = Store::open(disk, options).unwrap();
        let world = Rc::new(FakeWorld::default());
        // Well behind the start: nobody has been seen at 0.
        world.now.set(1_000_000);
        world.hasty.set(true);
        let passwords = Rc::new(Passwords::new(cost, [7; 32]));
        let house = Self {
            login: Login::new(store.clone(), passwords.clone(), world.clone()),
            world,
            passwords,
            store,
            running: Some(running),
            _folder: folder,
        };
        smol::block_on(async {
            let (name, class) = ("home.test".to_owned(), DomainClass::Mailbox);
            let request = Request::AddDomain {
                name,
                class,
                listed: false,
            };
            house.store.request(request).await.unwrap();
            for (name, password) in [("alice", "hush"), ("bob", "sesame")] {
                let new = house.passwords.hash(&secret(password), None).await.unwrap();
                house.add(name, new).await;
            }
        });
        house
    }

    async fn add(&self, name: &str, new: Credentials) {
        let request = Request::AddUser {
            address: format!("{name}@home.test"),
            password: new.password,
            scram: new.scram,
            scram_salt: new.salt,
            scram_count: new.count,
            quota: 0,
        };
        self.store.request(request).await.unwrap();
    }

    async fn import(&self, name: &str, hash: &str) {
        let imported = Passwords::import(&secret(hash)).unwrap();
        let new = self.passwords.take(imported, None).await.unwrap();
        self.add(name, new).await;
    }

    fn account(&self, name: &str) -> Account {
        self.login
            .find(&format!("{name}@home.test"))
            .unwrap()
            .unwrap()
    }

    async fn app(&self, name: &str) -> (u32, Secret) {
        let account = self.account(name);
        let made = self.passwords.app_password(&account.user, "phone").await;
        let (shown, app): (_, NewAppPassword) = made.unwrap();
        let user = account.id;
        let request = Request::AddAppPassword { user, app };
        match self.store.request(request).await.unwrap() {
            store::Reply::AppPassword(id) => (id, shown),
            other => panic!("{other:?}"),
        }
    }

    /// What came of it, and after how many seconds.
    async fn log_in(&self, name: &str, password: &str, peer: IpAddr) -> (Outcome, u64) {
        let begun = self.world.now.get();
        let name = format!("{name}@home.test");
        let done = self.login.login(&name, &secret(password), peer).await;
        (done.map(|_| ()), (self.world.now.get() - begun) / 1000)
    }

    /// A client's whole exchange.
    async fn scram(&self, name: &str, password: &Secret, peer: IpAddr) -> Result<(), Answer> {
        let name = format!("{name}@home.test");
        let asked = Question::Keys { name: name.clone() };
        let (salt, count) = match self.login.sasl(asked, peer).await {
            (Answer::Keys { salt, count, .. }, None) => (salt, count),
            (other, _) => panic!("{other:?}"),
        };
        let message = b"n=,r=,s=,i=,c=,r=".to_vec();
        let (keys, proof) = client(password, &salt, count, &message);
        let asked = Question::Proof {
            name,
            auth_message: message.clone(),
            proof,
        };
        match self.login.sasl(asked, peer).await {
            (Answer::Signature(signature), Some(_)) => {
                assert_eq!(signature, scram::sign(&keys, &message));
                Ok(())
            }
            (other, None) => Err(other),
            (other, Some(_)) => panic!("{other:?}"),
        }
    }
}

type Outcome = Result<(), LoginError>;

/// What a client computes (RFC 5802 section 3).
fn client(
    password: &Secret,
    salt: &[u8],
    count: u32,
    message: &[u8],
) -> (store::directory::ScramKeys, [u8; 32]) {
    let rounds = std::num::NonZeroU32::new(count).unwrap();
    let mut salted = [0; 32];
    let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
    ring::pbkdf2::derive(algorithm, rounds, salt, password.reveal(), &mut salted);
    let mut proof = scram::hmac(&salted, b"Client Key");
    let keys = scram::keys(password, salt, count).unwrap();
    for (octet, mask) in proof.iter_mut().zip(scram::hmac(&keys.stored, message)) {
        *octet ^= mask;
    }
    (keys, proof)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn v4(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

const REFUSED: Outcome = Err(LoginError::Refused);
const TRY_AGAIN: Outcome = Err(LoginError::TryAgain);

/// SU-8, SU-14: the right ones at once; the wrong ones wait, the same time whether the name is there.
#[test]
fn su_14_wrong_passwords_and_unknown_names_wait_the_same() {
    let house = House::new();
    smol::block_on(async {
        assert_eq!(house.log_in("alice", "hush", v4(1)).await, (Ok(()), 0));
        assert_eq!(house.log_in("ALICE", "hush", v4(1)).await, (Ok(()), 0));
        let mut waits = vec![];
        for (name, peer) in [("bob", v4(2)), ("nobody", v4(3))] {
            let mut all = vec![];
            for _ in 0..5 {
                all.push(house.log_in(name, "hush", peer).await);
            }
            waits.push(all);
        }
        assert_eq!(waits[0], waits[1]);
        let seconds: Vec<_> = waits[0].iter().map(|(_, seconds)| *seconds).collect();
        assert_eq!(seconds, [2, 4, 6, 8, 10]);
        assert!(waits[0].iter().all(|(outcome, _)| *outcome == REFUSED));
        // UX-208: then it grows faster; who would wait too long is told so at once, and whoever comes
        // from elsewhere is let in.
        for seconds in [12, 8 + 14, 26 + 16] {
            let refused = (REFUSED, seconds);
            assert_eq!(house.log_in("bob", "hush", v4(2)).await, refused);
        }
        assert_eq!(house.log_in("bob", "sesame", v4(2)).await, (TRY_AGAIN, 0));
        assert_eq!(house.log_in("bob", "sesame", v4(9)).await, (Ok(()), 0));
        house.world.pass(901_000);
        assert_eq!(house.log_in("bob", "sesame", v4(2)).await, (Ok(()), 0));
        // What is no address is no name.
        let strange = house.login.login("hush", &secret("hush"), v4(4)).await;
        assert_eq!(strange, Err(LoginError::Refused));
    });
}

/// ST-6: the first right log-in with an imported hash puts our own form in its place, once; SCRAM works
/// from then on, and the credential version stays.
#[test]
fn st_6_an_imported_hash_is_replaced_at_the_first_log_in() {
    let house = House::new();
    smol::block_on(async {
        let hash = "{SHA256-CRYPT}$5$0123456789abcdef$uqNqVo8PCL6Kwe02Btnrlbr3ggXxTrV6X2fVfI/xcK7";
        house.import("carol", hash).await;
        let before = house.account("carol").user;
        assert_eq!(before.scram, None);
        // SU-6: as a wrong password, with a salt that stays.
        let scram = house.scram("carol", &secret("hush hush"), v4(5)).await;
        assert_eq!(scram, Err(Answer::Refused));
        assert_eq!(house.log_in("carol", "hush", v4(1)).await.0, REFUSED);
        assert_eq!(house.account("carol").user, before);
        assert_eq!(house.log_in("carol", "hush hush", v4(2)).await, (Ok(()), 0));
        let after = house.account("carol").user;
        assert!(after.password.reveal().starts_with(b"$argon2id$"));
        assert_eq!(after.credentials, before.credentials);
        assert_eq!(after.scram_salt, before.scram_salt);
        assert_eq!(
            house.scram("carol", &secret("hush hush"), v4(2)).await,
            Ok(())
        );
        house.world.pass(700_000);
        assert_eq!(house.log_in("carol", "hush hush", v4(2)).await, (Ok(()), 0));
        assert_eq!(house.account("carol").user, after, "once");
    });
}

/// SU-6, SU-8: SCRAM with the password and with an app password; names that are not there have a salt
/// that stays, and fail as wrong passwords do.
#[test]
fn su_6_scram() {
    let house = House::new();
    smol::block_on(async {
        assert_eq!(house.scram("alice", &secret("hush"), v4(1)).await, Ok(()));
        let (_, shown) = house.app("alice").await;
        assert_eq!(house.scram("alice", &shown, v4(1)).await, Ok(()));
        assert_eq!(house.scram("alice", &secret("hush"), v4(1)).await, Ok(()));
        let mut waits = vec![];
        for (name, peer) in [("alice", v4(2)), ("nobody", v4(3))] {
            let begun = house.world.now.get();
            let done = house.scram(name, &secret("hus"), peer).await;
            assert_eq!(done, Err(Answer::Refused));
            waits.push(house.world.now.get() - begun);
        }
        assert_eq!(waits, [2000, 2000]);
        let keys = async |name: &str| {
            let name = name.to_owned();
            match house.login.sasl(Question::Keys { name }, v4(4)).await.0 {
                Answer::Keys { salt, count, nonce } => (salt, count, nonce),
                other => panic!("{other:?}"),
            }
        };
        let (alice, nobody) = (
            keys("alice@home.test").await,
            keys("nobody@home.test").await,
        );
        assert_eq!(nobody, keys("Nobody@home.test").await);
        assert_ne!(nobody.0, keys("nobody2@home.test").await.0);
        assert_eq!((alice.0.len(), alice.1), (nobody.0.len(), nobody.1));
        assert!(nobody.2.len() >= 18 && !nobody.2.contains(','));
    });
}

/// SU-8, SU-9: an app password lets in whatever is typed between its groups, is written down once a day,
/// is never held up, and is void when it is removed.
#[test]
fn su_8_app_passwords() {
    let house = House::new();
    smol::block_on(async {
        let (id, shown) = house.app("alice").await;
        let shown = str::from_utf8(shown.reveal()).unwrap().to_owned();
        for _ in 0..12 {
            let _ = house.log_in("alice", "wrong", v4(1)).await;
        }
        assert_eq!(house.log_in("alice", "hush", v4(1)).await, (TRY_AGAIN, 0));
        let typed = shown.replace('-', " ").to_uppercase();
        assert_eq!(house.log_in("alice", &typed, v4(1)).await, (Ok(()), 0));
        assert_eq!(house.log_in("bob", &shown, v4(2)).await.0, REFUSED);
        let last = async || {
            house.store.settle().await.unwrap();
            house.account("alice").apps[0].1.used
        };
        let first = last().await;
        assert!(first.is_some());
        house.world.pass(1000 * (DAY - 60));
        assert_eq!(house.log_in("alice", &shown, v4(1)).await, (Ok(()), 0));
        assert_eq!(last().await, first);
        house.world.pass(60_000);
        assert_eq!(house.log_in("alice", &shown, v4(1)).await, (Ok(()), 0));
        assert!(last().await > first);
        let user = house.account("alice").id;
        let request = Request::RemoveAppPassword { user, id };
        house.store.request(request).await.unwrap();
        assert_eq!(house.log_in("alice", &shown, v4(3)).await.0, REFUSED);
        assert_eq!(house.log_in("alice", "hush", v4(4)).await, (Ok(()), 0));
    });
}

#[test]
fn who_is_disabled_stays_out() {
    let house = House::new();
    smol::block_on(async {
        let (_, shown) = house.app("bob").await;
        let user = house.account("bob").id;
        let enabled = false;
        let request = Request::SetUserEnabled { user, enabled };
        house.store.request(request).await.unwrap();
        let shown = str::from_utf8(shown.reveal()).unwrap().to_owned();
        for (password, peer) in [("sesame", v4(1)), (&*shown, v4(2)), ("wrong", v4(3))] {
            assert_eq!(house.log_in("bob", password, peer).await, (REFUSED, 2));
        }
        let scram = house.scram("bob", &secret("sesame"), v4(4)).await;
        assert_eq!(scram, Err(Answer::Refused));
    });
}

/// A new password for alice.
async fn new_password(house: &House, password: &str) -> Request {
    let user = house.account("alice").id;
    let new = house.passwords.hash(&secret(password), None).await.unwrap();
    Request::SetPassword {
        user,
        password: new.password,
        scram: new.scram,
        scram_salt: new.salt,
        scram_count: new.count,
        changed: true,
        was: None,
    }
}

/// SU-9: a password that changes while it is verified lets nobody in; who is let in, is so with the
/// version that was proved.
#[test]
fn su_9_a_password_that_changes_while_it_is_verified() {
    let house = House::with(SLOW);
    smol::block_on(async {
        let request = new_password(&house, "new").await;
        let hush = secret("hush");
        let mut old = Box::pin(house.login.login("alice@home.test", &hush, v4(1)));
        assert!(poll_once(&mut old).await.is_none(), "it hashes");
        house.store.request(request).await.unwrap();
        assert_eq!(old.await, Err(LoginError::Refused));
        let (new, number) = (secret("new"), house.account("alice").user.credentials);
        let person = house.login.login("alice@home.test", &new, v4(2)).await;
        assert_eq!(person.unwrap().credentials, number);
    });
}

/// SU-9: what is stored anew at a log-in is decided against the secrets that were proved, also behind
/// a change that is on its way.
#[test]
fn su_9_a_rehash_does_not_undo_a_new_password() {
    let house = House::new();
    smol::block_on(async {
        let before = house.account("alice");
        let request = new_password(&house, "new").await;
        let user = &before.user;
        let rehash = Request::SetPassword {
            user: before.id,
            password: user.password.clone(),
            scram: user.scram.clone(),
            scram_salt: user.scram_salt,
            scram_count: user.scram_count,
            changed: false,
            was: Some(user.credentials),
        };
        let changes = zip(house.store.request(request), house.store.request(rehash));
        let (set, renewed) = changes.await;
        assert!(set.is_ok());
        assert!(matches!(renewed, Err(store::Refusal::Changed)));
        assert_eq!(house.log_in("alice", "new", v4(1)).await, (Ok(()), 0));
    });
}

/// SU-14: who hangs up while the password is looked at has failed.
#[test]
fn su_14_hanging_up_saves_no_time() {
    let house = House::with(SLOW);
    smol::block_on(async {
        let wrong = secret("wrong");
        let mut gone = Box::pin(house.login.login("alice@home.test", &wrong, v4(1)));
        assert!(poll_once(&mut gone).await.is_none(), "it hashes");
        drop(gone);
        assert_eq!(house.log_in("bob", "sesame", v4(1)).await, (Ok(()), 2));
    });
}

#[test]
fn an_answer_leaves_at_a_whole_second() {
    for (wait, now, due) in [
        (2000, 0, 2000),
        (2000, 2000, 2000),
        (2000, 2001, 3000),
        (0, 1, 1000),
    ] {
        let due = Instant(5_000 + due);
        assert_eq!(
            whole_seconds(Instant(5_000), wait, Instant(5_000 + now)),
            due
        );
    }
}

/// Crowds: everything but the hash itself is real; that takes this long, in milliseconds.
const HASH: u64 = 50;
/// Between two steps of the clock.
const STEP: u64 = 10;

#[derive(Default)]
struct Crowd {
    executor: LocalExecutor<'static>,
    line: Line,
    /// Who is under way, and how many were at most.
    there: Cell<usize>,
    most: Cell<usize>,
    judged: Cell<usize>,
    /// (tag, outcome, milliseconds)
    done: RefCell<Vec<(&'static str, Outcome, u64)>>,
}

struct Scene {
    house: Rc<House>,
    crowd: Rc<Crowd>,
    step: u64,
}

impl Scene {
    fn new() -> Self {
        let house = House::new();
        house.world.hasty.set(false);
        Self {
            house: Rc::new(house),
            crowd: Rc::default(),
            step: 0,
        }
    }

    /// Somebody begins to log in.
    fn comes(&self, tag: &'static str, name: &str, peer: IpAddr, right: bool) {
        let (house, crowd) = (self.house.clone(), self.crowd.clone());
        let name = format!("{name}@home.test");
        crowd.there.set(crowd.there.get() + 1);
        crowd.most.set(crowd.most.get().max(crowd.there.get()));
        let task = self.crowd.executor.spawn(async move {
            let begun = house.world.now.get();
            let outcome = attempt(&house, &crowd, &name, peer, right).await;
            let took = house.world.now.get() - begun;
            crowd.there.set(crowd.there.get() - 1);
            if tag != "guess" {
                crowd.done.borrow_mut().push((tag, outcome, took));
            }
        });
        task.detach();
    }

    fn step(&mut self) {
        self.step += 1;
        while self.crowd.executor.try_tick() {}
        self.house.world.pass(STEP);
        while self.crowd.executor.try_tick() {}
    }

    /// A minute of 50 wrong log-ins a second; `every` second somebody right comes.
    fn minute(&mut self, guess: impl Fn(&Self, u32), mut every: impl FnMut(&Self, u32)) {
        for number in 0..3000 {
            guess(self, number);
            if number % 50 == 25 {
                every(self, number / 50);
            }
            self.step();
            self.step();
        }
        for _ in 0..500 {
            self.step();
        }
    }

    fn done(&self, tag: &str) -> Vec<(Outcome, u64)> {
        let done = self.crowd.done.borrow();
        let own = done.iter().filter(|(other, _, _)| *other == tag);
        own.map(|(_, outcome, took)| (*outcome, *took)).collect()
    }
}

/// As [`Login::login`], with another hash.
async fn attempt(house: &House, crowd: &Crowd, name: &str, peer: IpAddr, right: bool) -> Outcome {
    let login = &house.login;
    let caller = Caller::new(name, peer, "test");
    let admitted = login.admit(&caller).await?;
    let account = login.look(&caller)?;
    let place = login.guard.borrow().place(admitted.try_, house.world.now());
    let Ok(turn) = crowd.line.turn(place).await else {
        return Err(login.defer(&caller, "too many wait"));
    };
    house.world.sleep(house.world.now().plus(HASH)).await;
    crowd.judged.set(crowd.judged.get() + 1);
    drop(turn);
    login
        .judge(&caller, admitted, account, right)
        .await
        .map(drop)
}

fn of(number: u32) -> IpAddr {
    IpAddr::from((0x0a00_0000 + number).to_be_bytes())
}

/// UX-160 as it is measured: the guesser at one address, people at others, for the first time each.
#[test]
fn ux_160_one_guesser_holds_nobody_up() {
    for name in ["alice", "nobody"] {
        let mut scene = Scene::new();
        scene.minute(
            |scene, _| scene.comes("guess", name, v4(1), false),
            |scene, second| scene.comes("right", "alice", of(second), true),
        );
        let done = scene.done("right");
        assert_eq!(done.len(), 60);
        for (outcome, took) in done {
            assert_eq!(outcome, Ok(()));
            assert!(took < 500, "{took} ms");
        }
        assert!(
            scene.crowd.judged.get() < 60 + 12,
            "{}",
            scene.crowd.judged.get()
        );
        assert!(scene.crowd.most.get() < 40, "{}", scene.crowd.most.get());
    }
}

/// SU-14, UX-160 from 500 addresses: a known device is let in at once, other people too; so is who
/// comes for the first time, as soon as the guessers have shown themselves.
#[test]
fn ux_160_five_hundred_guessers_hold_no_known_device_up() {
    let mut scene = Scene::new();
    let (alice, bob) = (v4(1), v4(2));
    scene.comes("known", "alice", alice, true);
    for _ in 0..50 {
        scene.step();
    }
    scene.minute(
        |scene, number| scene.comes("guess", "alice", of(number % 500), false),
        |scene, second| {
            scene.comes("known", "alice", alice, true);
            scene.comes("other", "bob", of(10_000 + second), true);
            scene.comes("new", "alice", of(20_000 + second), true);
        },
    );
    scene.comes("other", "bob", bob, true);
    for _ in 0..50 {
        scene.step();
    }
    for tag in ["known", "other"] {
        let done = scene.done(tag);
        assert_eq!(done.len(), 61, "{tag}");
        for (outcome, took) in done {
            assert_eq!(outcome, Ok(()), "{tag}");
            assert!(took < 500, "{tag}: {took} ms");
        }
    }
    let new = scene.done("new");
    assert_eq!(new.len(), 60);
    let right = |done: &&(Outcome, u64)| done.0 == Ok(()) && done.1 < 3000;
    let early = new.iter().take(30).filter(right).count();
    let late = new.iter().skip(40).filter(right).count();
    assert!(early > 5, "{early} of 30");
    assert_eq!(late, 20);
    assert!(new.iter().all(|(_, took)| *took < 3000));
    // Guesses that were judged: one of each address, and few more.
    let judged = scene.crowd.judged.get() - 61 * 2 - early - late;
    assert!(judged < 650, "{judged}");
    assert!(scene.crowd.most.get() < 300, "{}", scene.crowd.most.get());
}

/// And if every guess comes from an address of its own, the account is closed to strangers.
#[test]
fn su_14_an_account_that_everybody_guesses_at() {
    let mut scene = Scene::new();
    scene.comes("known", "alice", v4(1), true);
    for round in 0..3 {
        scene.minute(
            |scene, number| scene.comes("guess", "alice", of(round * 10_000 + number), false),
            |scene, second| {
                scene.comes("known", "alice", v4(1), true);
                if round == 2 {
                    scene.comes("stranger", "alice", of(100_000 + second), true);
                }
            },
        );
    }
    for (outcome, took) in scene.done("known") {
        assert_eq!(outcome, Ok(()));
        assert!(took < 500, "{took} ms");
    }
    // 600, and one more every five seconds.
    let judged = scene.crowd.judged.get() - 181;
    assert!((600..700).contains(&judged), "{judged}");
    let strangers = scene.done("stranger");
    let away = strangers.iter().filter(|done| **done == (TRY_AGAIN, 0));
    assert!(away.count() > 50, "{strangers:?}");
    // It is never locked for good.
    scene.house.world.pass(60_000);
    scene.comes("late", "alice", v4(9), true);
    for _ in 0..20 {
        scene.step();
    }
    assert_eq!(scene.done("late"), [(Ok(()), 50)]);
}

/// SU-14, UX-160: few sessions wait because of a failure; known devices, and who did nothing wrong, do
/// not mind.
#[test]
fn su_14_few_wait_for_their_next_try() {
    let mut scene = Scene::new();
    scene.house.login.set_waiting(2);
    scene.comes("known", "alice", v4(1), true);
    (0..10).for_each(|_| scene.step());
    for number in 0..4 {
        scene.comes("wrong", "bob", of(number), false);
    }
    (0..40).for_each(|_| scene.step());
    let wrong = scene.done("wrong");
    assert_eq!(wrong.len(), 2);
    assert!(wrong.iter().all(|(outcome, _)| *outcome == TRY_AGAIN));
    scene.comes("again", "bob", of(0), true);
    scene.comes("right", "bob", v4(2), true);
    scene.comes("known wrong", "alice", v4(1), false);
    (0..10).for_each(|_| scene.step());
    assert_eq!(scene.done("again"), [(TRY_AGAIN, 0)]);
    assert_eq!(scene.done("right")[0].0, Ok(()));
    (0..300).for_each(|_| scene.step());
    assert_eq!(scene.done("wrong")[2..], [(REFUSED, 2000), (REFUSED, 2000)]);
    assert_eq!(scene.done("known wrong"), [(REFUSED, 2000)]);
    assert_eq!(scene.house.login.waiting.get(), 0);
}
