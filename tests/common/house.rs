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
use pillarbox::base::secret::Secret;
use pillarbox::mail::address::Address;
use pillarbox::mail::domain::Domain;
use pillarbox::mail::flag::Flags;
use pillarbox::mail::summary::SummaryBuilder;
use pillarbox::net::world::World;
use pillarbox::policy::connection::Client;
use pillarbox::proto::imap::session;
use pillarbox::proto::smtp::server;
use pillarbox::service::imap::{self, Imap};
use pillarbox::service::login::Login;
use pillarbox::service::lookup::POSTMASTER;
use pillarbox::service::mx::{self, Mx};
use pillarbox::service::notify::Registry;
use pillarbox::service::password::{Cost, Passwords};
use pillarbox::store::directory::{DomainClass, Usage};
use pillarbox::store::request::{Deliver, Recipient};
use pillarbox::store::{self, Reader, Reply, Request, Running, Store};

use super::disk::{Faults, MemoryDisk};
use super::pump::{Connection, Pump};
use super::world::TestWorld;

/// In octets.
const MESSAGE_SIZE: u64 = 35 << 20;

/// Looks at a store that recovers, 10 ms apart.
const TRIES: u32 = 300;

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
    Imap,
    Smtp,
}

#[derive(Debug)]
pub struct House {
    pub world: Rc<TestWorld>,
    store: Store,
    running: Option<Running>,
    disk: Arc<MemoryDisk>,
    faults: Arc<Faults>,
    smtp: server::Options,
    mx: mx::Options,
    mx_shared: Option<Rc<mx::Shared>>,
    imap: session::Options,
    imap_shared: Option<Rc<imap::Shared>>,
    registry: Rc<Registry>,
    passwords: Rc<Passwords>,
    client: Client,
}

/// Hashing is not what scripts are about.
const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
};

impl House {
    pub fn new() -> Self {
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
            folders: 100,
            keywords: 100,
            clock: world.clock(),
        };
        let (store, running, opened) = Store::open(disk.clone(), options).unwrap();
        assert!(opened.created);
        let hostname = "mx.home.test".to_owned();
        let registry = Rc::new(Registry::new(store.clone()));
        let passwords = Rc::new(Passwords::new(CHEAP, [7; 32]));
        Self {
            world,
            store,
            running: Some(running),
            disk,
            faults,
            smtp: server::Options::new(hostname.clone()),
            mx: mx::Options {
                hostname,
                routing: pillarbox::routing::Options::default(),
                local_port: None,
            },
            mx_shared: None,
            imap: session::Options::default(),
            imap_shared: None,
            registry,
            passwords,
            client: Client::new([192, 0, 2, 1].into(), None),
        }
    }

    /// A new connection from the present client.
    pub fn connect(&mut self, protocol: Protocol) -> Box<dyn Connection> {
        match protocol {
            Protocol::Imap => {
                let session = session::Session::new(self.imap);
                let service = Imap::new(self.imap_shared(), self.client.ip);
                Box::new(Pump::new(session, service))
            }
            Protocol::Smtp => {
                let shared = self.mx_shared.get_or_insert_with(|| {
                    let world: Rc<dyn World> = self.world.clone();
                    Rc::new(mx::Shared::new(self.store.clone(), world, self.mx.clone()))
                });
                let session = server::Session::new(self.smtp.clone(), self.world.now());
                let service = Mx::new(shared.clone(), self.client.clone(), None);
                Box::new(Pump::new(session, service))
            }
        }
    }

    fn imap_shared(&mut self) -> Rc<imap::Shared> {
        let shared = self.imap_shared.get_or_insert_with(|| {
            let (store, world): (_, Rc<dyn World>) = (self.store.clone(), self.world.clone());
            let login = Login::new(store.clone(), self.passwords.clone(), world.clone());
            let options = imap::Options {
                message_size: self.imap.append_limit,
                per_person: 30,
            };
            let registry = self.registry.clone();
            Rc::new(imap::Shared::new(
                store,
                registry,
                Rc::new(login),
                world,
                options,
            ))
        });
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

    pub async fn option(&mut self, key: &str, value: &str) {
        let number = || value.parse::<u64>().unwrap();
        let small = || value.parse::<u32>().unwrap();
        match key {
            "append_limit" => self.imap.append_limit = number(),
            "broken" => {
                self.faults.broken.store(value == "on", Ordering::SeqCst);
                self.recover().await;
            }
            "command_wait_s" => self.smtp.command_wait_s = number(),
            "data_wait_s" => self.smtp.data_wait_s = number(),
            "delimiter" => self.mx.routing.delimiter = value.chars().next(),
            "disabled" => {
                let user = self.user(value);
                let request = Request::SetUserEnabled {
                    user,
                    enabled: false,
                };
                self.store.request(request).await.unwrap();
            }
            "full" => {
                self.faults.full.store(value == "on", Ordering::SeqCst);
                // The writer looks at the disk when it has something to do.
                self.store.settle().await.unwrap();
            }
            "idle_wait" => self.imap.idle_wait = number(),
            "local_port" => self.mx.local_port = Some(value.to_owned()),
            "login" => self.imap.login = value == "on",
            "mails_max" => self.smtp.mails_max = small(),
            "password" => {
                let (address, password) = value.split_once(' ').unwrap();
                let password = Secret::new(password.as_bytes().to_vec());
                let request = Request::SetPassword {
                    user: self.user(address),
                    password: self.passwords.hash(&password).await.unwrap(),
                    scram: None,
                    scram_salt: [0; 16],
                    scram_count: 0,
                    changed: true,
                };
                self.store.request(request).await.unwrap();
            }
            "postmaster" => {
                let request = Request::Set {
                    key: POSTMASTER.to_owned(),
                    value: Some(value.to_owned()),
                };
                self.store.request(request).await.unwrap();
            }
            "recipients_max" => self.smtp.recipients_max = small(),
            "removed" => {
                let user = self.user(value);
                let request = Request::RemoveUser { user, purge: false };
                self.store.request(request).await.unwrap();
            }
            "size_limit" => self.smtp.size_limit = number(),
            "unreadable" => {
                let on = value == "on";
                self.faults.unreadable_soon.store(on, Ordering::SeqCst);
                if !on {
                    self.faults.readable();
                    self.recover().await;
                }
            }
            "unwritable" => {
                self.faults
                    .unwritable
                    .store(value == "on", Ordering::SeqCst);
                self.recover().await;
            }
            _ => panic!("no such option: {key}"),
        }
    }

    /// Once the disk is back the store finds its way as soon as somebody wishes something.
    async fn recover(&self) {
        let faulty = [&self.faults.broken, &self.faults.unwritable];
        if faulty.iter().any(|fault| fault.load(Ordering::SeqCst)) {
            return;
        }
        for _ in 0..TRIES {
            let settled = self.store.settle().await.is_ok();
            if settled && self.store.read(Reader::sequence).is_ok() {
                return;
            }
            self.world.pass(1);
            sleep(Duration::from_millis(10));
        }
        panic!("the store does not recover");
    }

    pub async fn domain(&self, name: &str) {
        let name = Domain::parse(name).unwrap().to_string();
        let known = self.store.read(|reader| reader.domain(&name)).unwrap();
        if known.is_none() {
            let request = Request::AddDomain {
                name,
                class: DomainClass::Mailbox,
            };
            self.store.request(request).await.unwrap();
        }
    }

    /// With its domain.
    pub async fn mailbox(&self, address: &str, password: &str) {
        let address = Address::parse(address).unwrap();
        self.domain(address.domain.as_str()).await;
        let password = Secret::new(password.as_bytes().to_vec());
        let request = Request::AddUser {
            address: address.key(),
            password: self.passwords.hash(&password).await.unwrap(),
            scram: None,
            scram_salt: [0; 16],
            scram_count: 0,
            quota: 0,
        };
        self.store.request(request).await.unwrap();
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
        let mut incoming = self.store.incoming();
        incoming.write(message).await.unwrap();
        let mut summary = SummaryBuilder::new();
        summary.push(message);
        let request = Request::Deliver(Deliver {
            prefix: vec![],
            body: incoming.finish().await.unwrap(),
            summary: summary.finish().encode(),
            received: self.world.time(),
            to: vec![Recipient {
                user: self.user(address),
                folder: None,
                flags: Flags::NONE,
                keywords: vec![],
            }],
            queue: None,
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

    fn user(&self, address: &str) -> UserId {
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

    fn content(&self, id: ContentId) -> Vec<u8> {
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
