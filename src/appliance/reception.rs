//! Where a connection meets its machine and its service: one arm for each kind of listener.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use crate::{
    appliance::{
        hall::{Caller, Kind},
        settings::{Offers, Settings},
        start::Appliance,
    },
    base::{machine::Machine as _, memory::Memory},
    net::{
        drive::{self, End},
        resolve::Resolver,
        world::{Local, World},
    },
    policy::connection::Client,
    proto::{imap, pop3, smtp},
    service::{
        self,
        imap::Imap,
        login::Login,
        notify::Registry,
        password::Passwords,
        pop3::Pop3,
        smtp::{Door, Kind as DoorKind},
        spool::Spool,
    },
};

/// What the services of an appliance share.
#[derive(Debug)]
pub struct Reception {
    settings: RefCell<Settings>,
    offers: RefCell<Offers>,
    doors: Rc<service::smtp::Shared>,
    resolver: Rc<Resolver>,
    imap: Rc<service::imap::Shared>,
    /// `limit.compressed_sessions`, over all of them.
    compressed: Memory,
    memory: Memory,
    pop3: Rc<service::pop3::Shared>,
    pub registry: Rc<Registry>,
}

impl Reception {
    #[must_use]
    pub fn new(appliance: &Appliance, passwords: &Rc<Passwords>) -> Self {
        let plan = &appliance.plan;
        let settings = plan.settings.clone();
        let (store, world) = (&appliance.store, &appliance.world);
        let registry = Rc::new(Registry::new(store.clone()));
        let login = Rc::new(Login::new(
            store.clone(),
            Rc::clone(passwords),
            Rc::clone(world),
        ));
        login.set_waiting(settings.waiting());
        let imap = Rc::new(service::imap::Shared::new(
            store.clone(),
            Rc::clone(&registry),
            Rc::clone(&login),
            Rc::clone(world),
            settings.imap(),
            appliance.memory.clone(),
        ));
        let doors = service::smtp::Shared::new(
            store.clone(),
            Rc::clone(world),
            Rc::clone(&appliance.resolver),
            login,
            settings.door(&plan.hostname, store.status().disk_octets),
            appliance.memory.clone(),
        );
        doors.sends(&appliance.outbound);
        Self {
            offers: RefCell::new(Offers::new(&settings, &plan.hostname)),
            doors: Rc::new(doors),
            resolver: Rc::clone(&appliance.resolver),
            compressed: Memory::new(settings.compressed_sessions),
            memory: appliance.memory.clone(),
            pop3: Rc::new(service::pop3::Shared::new(Rc::clone(&imap))),
            imap,
            settings: RefCell::new(settings),
            registry,
        }
    }

    /// Other settings, for sessions that begin and, where a command looks anew, for those that run.
    pub fn renew(&self, hostname: &str, disk: u64, settings: Settings) {
        self.resolver.set_source(settings.names());
        self.doors.set_options(settings.door(hostname, disk));
        self.imap.options.set(settings.imap());
        self.compressed.limit(settings.compressed_sessions);
        self.imap.login.set_waiting(settings.waiting());
        *self.offers.borrow_mut() = Offers::new(&settings, hostname);
        *self.settings.borrow_mut() = settings;
    }

    /// Takes in what `sendmail` leaves in a folder; never ends by itself.
    #[must_use]
    pub fn spool(&self, folder: PathBuf, world: &Rc<dyn World>) -> Local<'static, ()> {
        let spool = Spool::new(folder, Rc::clone(&self.doors), Rc::clone(world));
        Rc::new(spool).run()
    }

    /// Sends digests of what repeats; never ends by itself.
    #[must_use]
    pub fn digests(&self) -> Local<'static, ()> {
        self.doors.digests()
    }

    /// Makes what searches want, while nobody wants anything else; never ends by itself.
    #[must_use]
    pub fn fill(&self) -> Local<'static, ()> {
        Box::pin(service::imap::fill(Rc::clone(&self.imap)))
    }

    /// Whether a client on loopback may log in without TLS (`tls.plaintext_auth`).
    #[must_use]
    pub fn plaintext_loopback(&self) -> bool {
        self.settings.borrow().plaintext_loopback
    }

    /// The session of a connection, from its first octet to its last.
    #[must_use]
    pub fn session(&self, caller: Caller) -> Local<'static, End> {
        match caller.kind {
            Kind::Devices => self.smtp(caller, DoorKind::Devices),
            Kind::Local => self.smtp(caller, DoorKind::Local),
            Kind::Mx => self.smtp(caller, DoorKind::Mx),
            Kind::Submission | Kind::Submissions => self.smtp(caller, DoorKind::Submission),
            Kind::Imap | Kind::Imaps => self.imap(caller),
            Kind::Pop3 | Kind::Pop3s => self.pop3(caller),
        }
    }

    fn smtp(&self, caller: Caller, door: DoorKind) -> Local<'static, End> {
        let peer = caller.peer.ip().to_canonical();
        let options = self.offers.borrow().of(caller.kind, peer.is_loopback());
        let mut machine = smtp::server::Session::new(options, caller.ground.world.now());
        if let Some(secured) = &caller.secured {
            machine.secured(secured.clone());
        }
        let client = Client::new(peer, None);
        let uid = self.owner(&caller);
        let service = Door::new(Rc::clone(&self.doors), door, client, caller.secured);
        let service = service.owned_by(uid);
        let mut parts = Box::new((machine, service));
        Box::pin(async move {
            let (machine, service) = &mut *parts;
            drive::drive(&caller.ground, caller.stream, machine, service).await
        })
    }

    /// Who on this machine is at the other end, where only some may send (`local.allow_uids`).
    fn owner(&self, caller: &Caller) -> Option<u32> {
        if caller.uid.is_some() {
            return caller.uid;
        }
        let asks =
            caller.kind == Kind::Local && self.settings.borrow().programs.allow_uids.is_some();
        let world = &caller.ground.world;
        asks.then(|| world.owner(caller.peer, caller.local))?
    }

    fn imap(&self, caller: Caller) -> Local<'static, End> {
        let peer = caller.peer.ip().to_canonical();
        let settings = self.settings.borrow();
        let options = imap::session::Options {
            login: settings.plaintext_loopback && peer.is_loopback(),
            starttls: true,
            append_limit: settings.message_size,
            ..imap::session::Options::default()
        };
        let mut machine = imap::session::Session::new(options);
        machine.compression(imap::session::Places {
            count: self.compressed.clone(),
            memory: self.memory.clone(),
        });
        if let Some(secured) = &caller.secured {
            machine.secured(secured.clone());
        }
        let service = Imap::new(Rc::clone(&self.imap), peer);
        let mut parts = Box::new((machine, service));
        Box::pin(async move {
            let (machine, service) = &mut *parts;
            drive::drive(&caller.ground, caller.stream, machine, service).await
        })
    }

    fn pop3(&self, caller: Caller) -> Local<'static, End> {
        let peer = caller.peer.ip().to_canonical();
        let options = pop3::session::Options {
            in_clear: self.plaintext_loopback() && peer.is_loopback(),
            ..pop3::session::Options::default()
        };
        let mut machine = pop3::session::Session::new(options);
        if let Some(secured) = &caller.secured {
            machine.secured(secured.clone());
        }
        let service = Pop3::new(Rc::clone(&self.pop3), peer);
        let mut parts = Box::new((machine, service));
        Box::pin(async move {
            let (machine, service) = &mut *parts;
            drive::drive(&caller.ground, caller.stream, machine, service).await
        })
    }
}
