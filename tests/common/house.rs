//! A house with a real store and real services, in one thread but for the store's writer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use pillarbox::base::id::{ContentId, FolderId, Uid, UserId};
use pillarbox::base::machine::Secured;
use pillarbox::base::memory::Memory;
use pillarbox::base::network::Network;
use pillarbox::mail::address::Address;
use pillarbox::mail::domain::Domain;
use pillarbox::mail::flag::Flags;
use pillarbox::mail::summary::SummaryBuilder;
use pillarbox::net::resolve::Resolver;
use pillarbox::net::world::World;
use pillarbox::policy::connection::Client;
use pillarbox::proto::imap::session;
use pillarbox::proto::pop3;
use pillarbox::proto::smtp::server::{self, Auth, AuthOptions, Tls};
use pillarbox::service::imap::{self, Imap};
use pillarbox::service::login::Login;
use pillarbox::service::lookup::DEFAULT_ROUTE;
use pillarbox::service::notify::Registry;
use pillarbox::service::password::{Cost, Passwords};
use pillarbox::service::pop3::{Pop3, Shared as Pop3Shared};
use pillarbox::service::smtp::{self, Door, Kind};
use pillarbox::store::directory::{Device, Edit, Swap, Usage};
use pillarbox::store::request::{Deliver, Recipient};
use pillarbox::store::{self, Reader, Reply, Request, Running, Store};

mod option;

use super::disk::{Faults, MemoryDisk};
use super::pump::{Connection, Pump};
use super::world::TestWorld;

/// In octets.
const MESSAGE_SIZE: u64 = 35 << 20;

/// A folder as the store has it.
#[derive(Debug, Default)]
pub struct Stored {
    /// UIDNEXT.
    pub next: u32,
    pub modseq: u64,
    pub exists: u32,
    pub unseen: u32,
    pub octets: u64,
    /// By UID: flags and keywords, MODSEQ, size.
    pub messages: BTreeMap<u32, (BTreeSet<String>, u64, u64)>,
}

/// Which service a script speaks with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// Printers and cameras.
    Devices,
    Imap,
    /// Programs on this machine.
    Local,
    Pop3,
    /// The MX.
    Smtp,
    Submission,
}

#[derive(Debug)]
pub struct House {
    pub world: Rc<TestWorld>,
    pub(super) store: Store,
    running: Option<Running>,
    disk: Arc<MemoryDisk>,
    /// What messages on their way may take (HD-4).
    memory: Memory,
    faults: Arc<Faults>,
    smtp: server::Options,
    submission: server::Options,
    /// Who comes from loopback may log in without TLS (SU-3).
    plaintext_loopback: bool,
    doors: Rc<smtp::Shared>,
    resolver: Rc<Resolver>,
    imap: session::Options,
    places: session::Places,
    imap_shared: Option<Rc<imap::Shared>>,
    slice_octets: usize,
    pop3: pop3::session::Options,
    pop3_shared: Option<Rc<Pop3Shared>>,
    registry: Rc<Registry>,
    pub(super) passwords: Rc<Passwords>,
    login: Rc<Login>,
    client: Client,
}

/// Hashing is not what scripts are about.
const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    scram: 1,
};

impl House {
    pub fn new() -> Self {
        Self::with_folders(100)
    }

    /// One in which a person may have so many folders.
    pub fn with_folders(folders: u64) -> Self {
        let world = Rc::new(TestWorld::default());
        let disk = Arc::new(MemoryDisk::default());
        let faults = disk.faults();
        let options = store::Options {
            // So that a broken disk is noticed at once.
            cache: 0,
            message_size: MESSAGE_SIZE,
            segment: store::log::SEGMENT,
            tiny: true,
            secret: [7; 16],
            folders,
            keywords: 100,
            clock: world.clock(),
        };
        let (store, running, opened) = Store::open(disk.clone(), options).unwrap();
        assert!(opened.created);
        let hostname = "mx.home.test".to_owned();
        let registry = Rc::new(Registry::new(store.clone()));
        let passwords = Rc::new(Passwords::new(CHEAP, [7; 32]));
        let outside: Rc<dyn World> = world.clone();
        let login = Login::new(store.clone(), passwords.clone(), outside.clone());
        let login = Rc::new(login);
        let mut door = smtp::Options::new(hostname.clone());
        door.routing.hostname = Domain::parse(&hostname);
        door.routing.origin = Domain::parse("home.test");
        let memory = Memory::new(u64::MAX);
        let resolver = Rc::new(Resolver::new(outside.clone(), vec![]));
        let doors = smtp::Shared::new(
            store.clone(),
            outside,
            resolver.clone(),
            login.clone(),
            door,
            memory.clone(),
        );
        Self {
            memory: memory.clone(),
            world,
            store,
            running: Some(running),
            disk,
            faults,
            smtp: server::Options::new(hostname.clone()),
            submission: server::Options {
                auth: Auth::Offered(AuthOptions {
                    required: true,
                    ..AuthOptions::default()
                }),
                bare_local_parts: true,
                tls: Tls::Required,
                ..server::Options::new(hostname)
            },
            plaintext_loopback: false,
            doors: Rc::new(doors),
            resolver,
            imap: session::Options::default(),
            places: session::Places {
                count: Memory::new(1),
                memory: memory.clone(),
            },
            imap_shared: None,
            slice_octets: imap::SLICE_OCTETS,
            pop3: pop3::session::Options::default(),
            pop3_shared: None,
            registry,
            passwords,
            login,
            client: Client::new([192, 0, 2, 1].into(), None),
        }
    }

    /// A new connection from the present client; with `tls`, the handshake is done already.
    pub fn connect(&mut self, protocol: Protocol, tls: Option<&Secured>) -> Box<dyn Connection> {
        let now = self.world.now();
        let (kind, options) = match protocol {
            Protocol::Imap => {
                let mut session = session::Session::new(self.imap);
                session.compression(self.places.clone());
                let service = Imap::new(self.imap_shared(), self.client.ip);
                let mut pump = Pump::new(session, service);
                if let Some(tls) = tls {
                    pump.secure(tls);
                }
                return Box::new(pump);
            }
            Protocol::Pop3 => {
                let options = pop3::session::Options {
                    in_clear: self.plaintext_loopback && self.client.is_loopback(),
                    ..self.pop3
                };
                let session = pop3::session::Session::new(options);
                let service = Pop3::new(self.pop3_shared(), self.client.ip);
                let mut pump = Pump::new(session, service);
                if let Some(tls) = tls {
                    pump.secure(tls);
                }
                return Box::new(pump);
            }
            Protocol::Devices => (Kind::Devices, self.near_options()),
            Protocol::Local => (Kind::Local, self.near_options()),
            Protocol::Smtp => (Kind::Mx, self.smtp.clone()),
            Protocol::Submission => (Kind::Submission, self.submission_options()),
        };
        let session = server::Session::new(options, now);
        let service = Door::new(self.doors.clone(), kind, self.client.clone(), tls.cloned());
        let mut pump = Pump::new(session, service);
        if let Some(tls) = tls {
            pump.secure(tls);
        }
        Box::new(pump)
    }

    /// Of the listeners for programs and devices.
    fn near_options(&self) -> server::Options {
        server::Options {
            auth: Auth::Anybody,
            bare_lf: true,
            bare_local_parts: true,
            requiretls: false,
            ..self.smtp.clone()
        }
    }

    fn submission_options(&self) -> server::Options {
        let mut options = self.submission.clone();
        if self.plaintext_loopback && self.client.is_loopback() {
            options.tls = Tls::Offered;
            if let Auth::Offered(auth) = &mut options.auth {
                auth.in_clear = true;
            }
        }
        options
    }

    fn imap_shared(&mut self) -> Rc<imap::Shared> {
        let shared = self.imap_shared.get_or_insert_with(|| {
            let (store, world): (_, Rc<dyn World>) = (self.store.clone(), self.world.clone());
            let options = imap::Options {
                message_size: self.imap.append_limit,
                per_person: 30,
                slice_octets: self.slice_octets,
            };
            let registry = self.registry.clone();
            let login = self.login.clone();
            Rc::new(imap::Shared::new(
                store,
                registry,
                login,
                world,
                options,
                self.memory.clone(),
            ))
        });
        shared.clone()
    }

    fn pop3_shared(&mut self) -> Rc<Pop3Shared> {
        let imap = self.imap_shared();
        let shared = self
            .pop3_shared
            .get_or_insert_with(|| Rc::new(Pop3Shared::new(imap)));
        shared.clone()
    }

    /// What tells sessions of each other's changes; somebody has to run it.
    pub fn registry(&self) -> Rc<Registry> {
        self.registry.clone()
    }

    /// Where connections come from, from now on.
    pub fn client(&mut self, ip: IpAddr) {
        self.client = Client::new(ip, None);
    }

    /// The digests that are due by now leave.
    pub async fn digests(&self) {
        self.doors.send_digests().await;
    }

    /// As `queue release all` does.
    pub async fn release(&self) {
        let entries = self.store.read(|reader| reader.queue(None, 1000)).unwrap();
        let queues = entries.into_iter().filter(|(_, entry)| entry.held);
        let queues = queues.map(|(id, _)| id).collect();
        let held = false;
        let request = Request::HoldQueued { queues, held };
        self.store.request(request).await.unwrap();
    }

    /// As after a restart: what the listeners knew by heart is gone.
    pub async fn forget(&mut self) {
        let doors = smtp::Shared::new(
            self.store.clone(),
            self.world.clone(),
            self.resolver.clone(),
            self.login.clone(),
            (*self.doors.options()).clone(),
            self.memory.clone(),
        );
        self.doors = Rc::new(doors);
        self.doors.remember().await;
    }

    /// A line of the zone that name servers have; from the first one on there are some.
    pub fn zone(&self, line: &str) {
        self.world.zone.borrow_mut().add(line);
        // What was found out is forgotten.
        self.resolver.set_servers(vec![]);
        self.resolver
            .set_servers(vec![([192, 0, 2, 53], 53).into()]);
    }

    /// Makes the filters that no search has made yet; of how many messages.
    pub async fn filters(&mut self) -> usize {
        let shared = self.imap_shared();
        let mut filling = imap::Filling::default();
        let mut made = 0;
        while let Some(count @ 1..) = filling.go(&shared).await.unwrap() {
            made += count;
        }
        made
    }

    pub async fn quota(&self, address: &str, octets: u64) {
        let request = Request::SetQuota {
            user: self.user(address),
            quota: octets,
        };
        self.store.request(request).await.unwrap();
    }

    /// A message that is there without having come by a session.
    pub async fn deliver(&self, address: &str, message: &[u8]) {
        let mut summary = SummaryBuilder::new();
        summary.push(message);
        let summary = summary.finish().encode();
        self.deliver_with(address, message, summary).await;
    }

    /// The same with a summary that may be of no use, as after the index was made anew.
    pub async fn deliver_with(&self, address: &str, message: &[u8], summary: Vec<u8>) {
        let mut incoming = self.store.incoming();
        incoming.write(message).await.unwrap();
        let request = Request::Deliver(Deliver {
            prefix: vec![],
            body: incoming.finish().await.unwrap(),
            summary,
            received: self.world.time(),
            to: vec![Recipient {
                user: self.user(address),
                folder: None,
                flags: Flags::NONE,
                keywords: vec![],
                always: false,
            }],
            queue: None,
            settles: Vec::new(),
            warns: None,
        });
        let reply = self.store.request(request).await.unwrap();
        assert!(matches!(reply, Reply::Delivered { .. }));
    }

    /// Damages the piece of an inbox's message (from 1 on) that holds octet `at` of it.
    pub fn damage(&self, address: &str, number: usize, at: u64) {
        let id = self.contents(self.user(address))[number - 1];
        let mut content = self.store.content(id).unwrap().unwrap();
        content.read(at).unwrap();
        let (name, octets) = self.faults.last_read().unwrap();
        self.disk.damage(&name, &octets);
    }

    /// Somebody's folders by name, once everything is on the medium.
    pub async fn stored(&self, address: &str) -> BTreeMap<String, Stored> {
        self.store.settle().await.unwrap();
        let user = self.user(address);
        let read = |reader: &Reader| {
            let mut all = BTreeMap::new();
            for (id, row) in reader.folders(user)? {
                let mut folder = Stored {
                    next: row.uid_next.0,
                    modseq: row.modseq.0,
                    exists: row.exists,
                    unseen: row.unseen,
                    octets: row.octets,
                    messages: BTreeMap::new(),
                };
                reader.messages(id, Uid(1), Uid(u32::MAX), &mut |uid, message| {
                    let system = Flags::NAMES.iter();
                    let system = system.filter(|(flag, _)| message.flags.has(*flag));
                    let names = system.map(|(_, name)| (*name).to_owned());
                    let keyword = |place: &u16| row.keywords[usize::from(*place)].clone();
                    let keywords = message.keywords.iter().map(keyword);
                    let flags = names.chain(keywords).collect();
                    let held = (flags, message.modseq.0, message.size);
                    folder.messages.insert(uid.0, held);
                    ControlFlow::Continue(())
                })?;
                all.insert(row.name, folder);
            }
            Ok(all)
        };
        self.store.read(read).unwrap()
    }

    /// What somebody's mail takes.
    pub fn usage(&self, address: &str) -> Usage {
        let user = self.user(address);
        self.store.read(|reader| reader.usage(user)).unwrap()
    }

    /// The messages of somebody's inbox, oldest first.
    pub fn inbox(&self, address: &str) -> Vec<Vec<u8>> {
        let contents = self.contents(self.user(address));
        contents.into_iter().map(|id| self.content(id)).collect()
    }

    /// All messages of all inboxes, oldest first, each once.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let users = self.store.read(|reader| reader.users(None, 1000)).unwrap();
        let contents: BTreeSet<_> = users
            .into_iter()
            .flat_map(|(user, _)| self.contents(user))
            .collect();
        contents.into_iter().map(|id| self.content(id)).collect()
    }

    pub(super) fn user(&self, address: &str) -> UserId {
        let key = Address::parse(address).unwrap().key();
        let user = self.store.read(|reader| reader.user_named(&key)).unwrap();
        user.unwrap_or_else(|| panic!("no mailbox {address}"))
    }

    fn contents(&self, user: UserId) -> Vec<ContentId> {
        let mut found = vec![];
        self.store
            .read(|reader| {
                let inbox: Option<FolderId> = reader.folder_named(user, "INBOX")?;
                let all = (Uid(1), Uid(u32::MAX));
                reader.messages(inbox.unwrap(), all.0, all.1, &mut |_, message| {
                    found.push(message.content);
                    ControlFlow::Continue(())
                })
            })
            .unwrap();
        found
    }

    pub(super) fn content(&self, id: ContentId) -> Vec<u8> {
        let mut content = self.store.content(id).unwrap().unwrap();
        let mut octets = vec![];
        loop {
            let piece = content.read(octets.len().try_into().unwrap()).unwrap();
            if piece.is_empty() {
                break;
            }
            octets.extend_from_slice(piece);
        }
        assert_eq!(u64::try_from(octets.len()), Ok(content.size()));
        octets
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.store.stop();
        if let Some(running) = self.running.take() {
            let ended = running.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}
