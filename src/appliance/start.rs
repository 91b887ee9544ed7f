//! From a plan to a running appliance, in the order that design section 4 gives.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use futures_rustls::rustls;
use rustix::{fs::Mode, process::umask};

use crate::{
    appliance::{
        certificates,
        control::{self, Operate},
        executor::Executor,
        hall::{Hall, Houses, Kind, Sessions, Sockets},
        lock::{self, Lock, LockError},
        log::{Options as LogOptions, Ring},
        memory, privilege,
        reception::Reception,
        settings::Settings,
        shutdown, submit,
    },
    base::memory::Memory,
    net::{
        certificate,
        listen::{self, BindError},
        pairs::Pairs,
        resolve::Resolver,
        tls::Tls,
        trust::Trust,
        world::{Local, RealWorld, World, calendar},
    },
    service::{
        dkim,
        operate::kept,
        outbound::{self, Outbound},
        password::Passwords,
    },
    store::{self, Broken, Reader, Store, directory::DomainClass, disk::local::LocalDisk},
};

/// Threads for content reads, searches and CPU-heavy work.
const BLOCKING: NonZeroUsize = NonZeroUsize::new(4).unwrap();
/// The store is asked for trouble this often, in seconds.
const WATCH: u64 = 60;
/// So many damaged places are logged one by one.
const DAMAGE_MAX: usize = 20;

/// All that a start has to know.
#[derive(Clone, Debug)]
pub struct Plan {
    pub data: PathBuf,
    /// The control socket's path.
    pub control: PathBuf,
    /// The socket and the folder for `sendmail` (LM-5).
    pub submit: PathBuf,
    pub spool: PathBuf,
    pub hostname: String,
    /// Who to become when started as root.
    pub user: Option<String>,
    pub listeners: Vec<Listener>,
    /// `tls.min` is 1.3.
    pub tls13_only: bool,
    pub store: store::Options,
    pub settings: Settings,
    pub log: LogOptions,
    /// Whether landlock and no_new_privs apply; off only in tests, which are threads of one process.
    pub confine: bool,
}

#[derive(Clone, Debug)]
pub struct Listener {
    pub kind: Kind,
    pub addresses: Vec<SocketAddr>,
}

/// What sessions and services share.
#[derive(Debug)]
pub struct Appliance {
    pub plan: Plan,
    pub store: Store,
    /// What the start found.
    pub found: store::Opened,
    pub world: Rc<dyn World>,
    pub tls: Tls,
    pub executor: Executor,
    pub log: Ring,
    pub houses: Houses,
    /// What sessions and messages on their way may take (HD-4).
    pub memory: Memory,
    pub resolver: Rc<Resolver>,
    pub outbound: Rc<Outbound>,
}

/// Settles a request; both are one line.
pub type Desk = Box<dyn Fn(Rc<Appliance>, Again, String) -> Local<'static, String>>;
/// Has settings and certificate read anew; else says why everything stays as it was.
pub type Again = Rc<dyn Fn() -> Result<(), String>>;
/// Reads settings anew.
pub type Reload = Box<dyn Fn(&Appliance) -> Result<Anew, String>>;

/// Settings that were read anew and are not in effect yet.
pub struct Anew {
    pub settings: Settings,
    /// Called when they are.
    pub applied: Box<dyn FnOnce()>,
}

/// What the caller of [`run`] adds.
pub struct Office {
    /// Shared with the control socket: one hash at a time, and what was verified is remembered.
    pub passwords: Rc<Passwords>,
    /// Settles a request from the control socket.
    pub operate: Desk,
    /// Reads settings anew after SIGHUP, or when one was set.
    pub reload: Reload,
    /// What an opening of the store just before this one found, to learn settings.
    pub found: store::Opened,
}

/// Why there is no appliance, or why it ended badly.
#[derive(Debug)]
pub enum Failure {
    Bind(BindError),
    Certificate(certificate::Error),
    Control(PathBuf, io::Error),
    Io(io::Error),
    Lock(LockError),
    Rights(privilege::Error),
    Store(Broken),
    Tls(rustls::Error),
    /// The store's writer panicked.
    Writer,
}

impl Failure {
    /// Exit codes of `spec/ux.md` section 3.13; sysexits where they fit.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Bind(BindError::Taken { .. }) | Self::Lock(LockError::Held { .. }) => 75,
            Self::Bind(BindError::Rights { .. }) => 77,
            Self::Bind(BindError::Other { .. }) | Self::Certificate(_) | Self::Rights(_) => 78,
            Self::Control(_, error) if error.kind() == io::ErrorKind::AddrInUse => 75,
            Self::Control(..)
            | Self::Io(_)
            | Self::Lock(LockError::Io { .. })
            | Self::Store(_)
            | Self::Writer => 74,
            Self::Tls(_) => 71,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Control(path, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{}: another box answers there; give this one a data folder of its own (data, --data)",
                path.display()
            ),
            Self::Control(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Io(error) => error.fmt(f),
            Self::Lock(error) => error.fmt(f),
            Self::Rights(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Writer => f.write_str("the store's writer failed"),
        }
    }
}

impl std::error::Error for Failure {}

macro_rules! failure {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}
failure!(
    BindError => Bind,
    certificate::Error => Certificate,
    io::Error => Io,
    LockError => Lock,
    privilege::Error => Rights,
    Broken => Store,
    rustls::Error => Tls
);

/// Runs an appliance until a signal ends it.
///
/// # Errors
///
/// It could not be started, or its store failed.
pub fn run(plan: Plan, office: Office) -> Result<(), Failure> {
    let ring = super::log::start(plan.log);
    std::panic::set_hook(Box::new(|panic| log::error!(target: "panic", "{panic}")));
    memory::prepare();
    // What is made here is nobody else's business (HD-2).
    umask(Mode::RWXG | Mode::RWXO);
    let opened = open(&plan)?;
    // From here on there may be threads.
    blocking::set_max_blocking_threads(BLOCKING);
    ring.pack_aside();
    let disk = Arc::new(LocalDisk::new(&plan.data)?);
    let (store, writer, found) = Store::open(disk, plan.store.clone())?;
    if found.lost > 0 || found.rebuilt {
        let _asked_again = kept::forget(&plan.data);
    }
    let found = both(office.found.clone(), found);
    for (level, text) in told(&found) {
        log::log!(target: "store", level, "{text}");
    }
    for name in &plan.settings.local {
        let row = store.read(|reader| reader.domain(name.as_str()))?;
        if row.is_some_and(|row| row.class != DomainClass::Local) {
            log::warn!(target: "config", "address.local: {name} is a domain of another class, which counts");
        }
    }
    let memory = Memory::new(plan.settings.memory);
    let Settings {
        smtp_sessions: smtp,
        imap_sessions: imap,
        ..
    } = plan.settings;
    let houses = Houses::new(smtp, imap, &memory);
    let world: Rc<dyn World> = Rc::new(RealWorld::from(store.read(Reader::saved_time)?));
    let executor = Executor::new();
    let resolver = Rc::new(Resolver::with(Rc::clone(&world), plan.settings.names()));
    resolver.set_entries(plan.settings.names);
    let outbound = Outbound::new(outbound::Parts {
        store: store.clone(),
        world: Rc::clone(&world),
        resolver: Rc::clone(&resolver),
        trust: Trust::default(),
        spawn: spawn(&executor),
        house: houses.outbound.clone(),
        options: plan.settings.outbound(&plan.hostname, plan.mx()),
    });
    let appliance = Rc::new(Appliance {
        houses,
        memory,
        store: store.clone(),
        found,
        world,
        tls: Tls::new(opened.certificates, plan.tls13_only)?,
        executor,
        log: ring,
        plan,
        resolver,
        outbound,
    });
    let served = async_io::block_on(lead(&appliance, opened.sockets, office));
    store.stop();
    writer.join().map_err(|_| Failure::Writer)?;
    log::info!(target: "stop", "done");
    served
}

impl Plan {
    /// Where the MX listens.
    fn mx(&self) -> Vec<SocketAddr> {
        let mx = self.listeners.iter().filter(|l| l.kind == Kind::Mx);
        mx.flat_map(|l| &l.addresses).copied().collect()
    }
}

fn spawn(executor: &Executor) -> outbound::Spawn {
    let executor = executor.clone();
    Rc::new(move |task| executor.session(task))
}

/// What two openings of the store found: the first mends what the second then does not see.
fn both(first: store::Opened, second: store::Opened) -> store::Opened {
    let mut damage = first.damage;
    damage.extend(second.damage);
    damage.dedup();
    store::Opened {
        created: first.created || second.created,
        replayed: first.replayed.saturating_add(second.replayed),
        rebuilt: first.rebuilt || second.rebuilt,
        damage,
        lost: first.lost.max(second.lost),
    }
}

/// What a start found in the store, for the log.
#[must_use]
pub fn told(found: &store::Opened) -> Vec<(log::Level, String)> {
    let mut lines = vec![];
    if found.created {
        lines.push((log::Level::Info, "a new store was made".to_owned()));
    } else {
        let text = format!("{} changes were read again from the log", found.replayed);
        lines.push((log::Level::Info, text));
    }
    if found.rebuilt {
        let text = "the index was made anew from dump and log";
        lines.push((log::Level::Warn, text.to_owned()));
    }
    for (segment, octet, what) in found.damage.iter().take(DAMAGE_MAX) {
        let text = format!("segment {segment}, octet {octet} cannot be read: {what}");
        lines.push((log::Level::Error, text));
    }
    let more = found.damage.len().saturating_sub(DAMAGE_MAX);
    if more > 0 {
        lines.push((
            log::Level::Error,
            format!("{more} more places cannot be read"),
        ));
    }
    if found.lost > 0 {
        lines.push((
            log::Level::Error,
            format!("{} changes are lost", found.lost),
        ));
    }
    lines
}

/// Tells the log when something goes wrong in the store: the store itself does not log.
async fn watch(appliance: Rc<Appliance>) {
    let mut known = None;
    loop {
        let trouble = appliance.store.status().trouble;
        if is_news(&mut known, trouble)
            && let Some(trouble) = &known
        {
            log::error!(target: "store", "{trouble}");
        }
        let world = &appliance.world;
        world.sleep(world.now().plus_seconds(WATCH)).await;
    }
}

fn is_news(known: &mut Option<String>, trouble: Option<String>) -> bool {
    let news = trouble.is_some() && *known != trouble;
    *known = trouble;
    news
}

struct Opened {
    _lock: Lock,
    sockets: Sockets,
    certificates: Pairs,
}

/// What has to be had before rights are given up, and giving them up. Starts no thread.
fn open(plan: &Plan) -> Result<Opened, Failure> {
    let lock = lock::take(&plan.data)?;
    let mut listeners = vec![];
    for listener in &plan.listeners {
        let bound = listen::bind(&listener.addresses)?;
        listeners.extend(bound.into_iter().map(|socket| (listener.kind, socket)));
    }
    let failed = |error| Failure::Control(plan.control.clone(), error);
    let run = plan.control.parent().unwrap_or(&plan.data);
    fs::create_dir_all(run).map_err(failed)?;
    let control = control::bind(&plan.control).map_err(failed)?;
    let submit = submit::bind(plan);
    let spool = submit::spool(plan);
    if let Some(name) = &plan.user
        && privilege::is_root()
    {
        let user = privilege::user(name)?;
        privilege::hand_over_all(&plan.data, user)?;
        privilege::hand_over(&plan.control, user)?;
        if submit.is_some() {
            privilege::hand_over(&plan.submit, user)?;
        }
        if spool {
            privilege::hand_over(&plan.spool, user)?;
        }
        privilege::become_user(user)?;
    }
    // As the user who will read it again at a reload.
    let certificates = certificates::gather(plan, &plan.settings, calendar())?;
    log::info!(target: "start", "files: {}", memory::descriptors().unwrap_or_default());
    if plan.confine {
        privilege::drop_rights()?;
        let mut writable: Vec<&Path> = vec![&plan.data, run];
        if spool {
            writable.push(&plan.spool);
        }
        match privilege::confine(&writable) {
            Ok(true) => {}
            Ok(false) => log::info!(target: "start", "this kernel has no landlock"),
            Err(error) => log::warn!(target: "start", "landlock: {error}"),
        }
    }
    let sockets = Sockets {
        listeners,
        control,
        submit,
    };
    Ok(Opened {
        _lock: lock,
        sockets,
        certificates,
    })
}

/// Builds the services and serves until an order to stop.
async fn lead(appliance: &Rc<Appliance>, sockets: Sockets, office: Office) -> Result<(), Failure> {
    let orders = shutdown::orders(&appliance.executor)?;
    let reception = Rc::new(Reception::new(appliance, &office.passwords));
    let registry = Rc::clone(&reception.registry);
    let _notices = appliance
        .executor
        .spawn(async move { registry.run().await });
    let _watching = appliance.executor.spawn(watch(Rc::clone(appliance)));
    let spool = appliance.plan.spool.clone();
    let _spooled = appliance
        .executor
        .spawn(reception.spool(spool, &appliance.world));
    let _merged = appliance.executor.spawn(reception.digests());
    let _filling = appliance.executor.spawn(reception.fill());
    let _sending = appliance.executor.spawn(appliance.outbound.run());
    let keys = dkim::keep(
        appliance.store.clone(),
        Rc::clone(&appliance.resolver),
        Rc::clone(&appliance.world),
    );
    let _keys = appliance.executor.spawn(keys);
    let certified = certificates::watch(appliance.tls.clone(), Rc::clone(&appliance.world));
    let _certified = appliance.executor.spawn(certified);
    let again: Again = {
        let (appliance, reception) = (Rc::clone(appliance), Rc::clone(&reception));
        Rc::new(move || reload(&appliance, &reception, &office.reload))
    };
    let operate: Operate = {
        let (appliance, again, operate) = (Rc::clone(appliance), Rc::clone(&again), office.operate);
        Rc::new(move |request| operate(Rc::clone(&appliance), Rc::clone(&again), request))
    };
    let reload = || match again() {
        Ok(()) => log::info!(target: "start", "settings and certificate read anew"),
        Err(error) => log::error!(target: "start", "everything stays as it was: {error}"),
    };
    let hall = Hall {
        executor: appliance.executor.clone(),
        world: Rc::clone(&appliance.world),
        tls: appliance.tls.clone(),
        houses: appliance.houses.clone(),
        hostname: appliance.plan.hostname.clone(),
        at_stop: shutdown::insist,
    };
    let sessions: Sessions = {
        let reception = Rc::clone(&reception);
        Rc::new(move |caller| reception.session(caller))
    };
    let serving = hall.serve(sockets, &sessions, operate, &orders, &reload);
    let serving = async {
        let served = serving.await;
        appliance.outbound.finish().await;
        served
    };
    Ok(appliance.executor.run(serving).await?)
}

/// Settings and certificate anew, all or nothing; sessions stay.
fn reload(appliance: &Appliance, reception: &Reception, read: &Reload) -> Result<(), String> {
    let Anew { settings, applied } = read(appliance)?;
    let now = appliance.world.time();
    let pairs = certificates::gather(&appliance.plan, &settings, now);
    appliance
        .tls
        .swap(pairs.map_err(|error| error.to_string())?);
    appliance.houses.smtp.limit(settings.smtp_sessions);
    appliance.houses.imap.limit(settings.imap_sessions);
    appliance.memory.limit(settings.memory);
    appliance.store.limit_messages(settings.message_size);
    ::log::set_max_level(settings.level);
    let (hostname, mx) = (&appliance.plan.hostname, appliance.plan.mx());
    appliance
        .outbound
        .set_options(settings.outbound(hostname, mx));
    let disk = appliance.store.status().disk_octets;
    reception.renew(&appliance.plan.hostname, disk, settings);
    applied();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{certificate::Files, house::Limits};

    fn plan(data: PathBuf, address: SocketAddr) -> Plan {
        Plan {
            control: data.join("control"),
            submit: data.join("submit"),
            spool: data.join("spool"),
            data,
            hostname: "mx.test".to_owned(),
            user: None,
            listeners: vec![Listener {
                kind: Kind::Mx,
                addresses: vec![address],
            }],
            settings: Settings::of_tests(),
            tls13_only: false,
            store: store::Options {
                cache: 1 << 20,
                message_size: 1 << 20,
                tiny: true,
                secret: [0; 16],
                folders: 0,
                segment: store::log::SEGMENT,
                clock: Arc::new(crate::net::world::RealClock),
                keywords: 0,
            },
            log: LogOptions {
                level: log::LevelFilter::Info,
                ring: 1024,
                stderr: false,
            },
            confine: false,
        }
    }

    #[test]
    fn a_reload_is_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let plan = plan(folder.path().join("data"), any);
        let opened = open(&plan).unwrap();
        let disk = Arc::new(LocalDisk::new(&plan.data).unwrap());
        let (store, writer, found) = Store::open(disk, plan.store.clone()).unwrap();
        let houses = Houses::new(Limits::default(), Limits::default(), &Memory::new(u64::MAX));
        let world: Rc<dyn World> = Rc::new(RealWorld::new());
        let (executor, resolver) = (
            Executor::new(),
            Rc::new(Resolver::new(Rc::clone(&world), Vec::new())),
        );
        let outbound = Outbound::new(outbound::Parts {
            store: store.clone(),
            world: Rc::clone(&world),
            resolver: Rc::clone(&resolver),
            trust: Trust::default(),
            spawn: spawn(&executor),
            house: houses.outbound.clone(),
            options: plan.settings.outbound(&plan.hostname, plan.mx()),
        });
        let appliance = Appliance {
            houses,
            memory: Memory::new(u64::MAX),
            store: store.clone(),
            found,
            world,
            tls: Tls::new(opened.certificates, false).unwrap(),
            executor,
            log: Ring::new(1024),
            plan,
            resolver,
            outbound,
        };
        let cost = crate::service::password::Cost {
            memory: 64,
            passes: 1,
            scram: 1,
        };
        let reception = Reception::new(&appliance, &Rc::new(Passwords::new(cost, [0; 32])));
        let applied = Rc::new(std::cell::Cell::new(0));
        let read = |tls: Option<Files>| -> Reload {
            let applied = Rc::clone(&applied);
            Box::new(move |appliance| {
                let applied = Rc::clone(&applied);
                let settings = Settings {
                    smtp_sessions: Limits {
                        total: 1,
                        per_address: 0,
                    },
                    tls: tls.clone(),
                    plaintext_loopback: true,
                    ..appliance.plan.settings.clone()
                };
                Ok(Anew {
                    settings,
                    applied: Box::new(move || applied.set(applied.get() + 1)),
                })
            })
        };
        let full = || {
            let house = &appliance.houses.smtp;
            let now = crate::base::time::Instant(0);
            let _first = house.enter(any.ip(), now).unwrap();
            house.enter(any.ip(), now).is_err()
        };
        let missing = Files {
            certificate: folder.path().join("none.pem"),
            key: folder.path().join("none.key"),
        };
        let error = reload(&appliance, &reception, &read(Some(missing))).unwrap_err();
        assert!(error.contains("none.pem"), "{error}");
        assert!(!full() && applied.get() == 0 && !reception.plaintext_loopback());
        reload(&appliance, &reception, &read(None)).unwrap();
        assert!(full() && applied.get() == 1 && reception.plaintext_loopback());
        store.stop();
        writer.join().unwrap();
    }

    #[test]
    fn what_a_start_found_is_worded() {
        let found = store::Opened {
            created: false,
            replayed: 3,
            rebuilt: true,
            damage: vec![(1, 4096, "a change".to_owned())],
            lost: 2,
        };
        let lines: Vec<_> = told(&found)
            .into_iter()
            .map(|(level, text)| format!("{level} {text}"))
            .collect();
        assert_eq!(
            lines,
            [
                "INFO 3 changes were read again from the log",
                "WARN the index was made anew from dump and log",
                "ERROR segment 1, octet 4096 cannot be read: a change",
                "ERROR 2 changes are lost",
            ]
        );
    }

    #[test]
    fn trouble_is_told_once() {
        let mut known = None;
        let mut news = |trouble: Option<&str>| is_news(&mut known, trouble.map(str::to_owned));
        assert!(!news(None));
        assert!(news(Some("a")));
        assert!(!news(Some("a")));
        assert!(news(Some("b")));
    }

    #[test]
    fn a_second_appliance_is_told_why_it_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let first = open(&plan(folder.path().join("data"), any)).unwrap();
        let taken = first.sockets.listeners[0].1.local_addr().unwrap();
        let same_data = plan(folder.path().join("data"), any);
        let same_port = plan(folder.path().join("other"), taken);
        for (plan, text) in [(same_data, "uses it"), (same_port, "is taken by")] {
            let failure = open(&plan).err().unwrap();
            assert_eq!(failure.exit_code(), 75);
            assert!(failure.to_string().contains(text), "{failure}");
        }
        drop(first);
        open(&plan(folder.path().join("data"), taken)).unwrap();
    }
}
