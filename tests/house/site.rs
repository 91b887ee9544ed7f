//! A whole appliance on the simulated network: store, MX, resolver, and the runner that sends.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use futures_rustls::rustls::sign::CertifiedKey;
use pillarbox::base::id::{ContentId, Uid};
use pillarbox::base::memory::Memory;
use pillarbox::base::secret::Secret;
use pillarbox::base::time::Clock as _;
use pillarbox::mail::address::Address;
use pillarbox::mail::domain::Domain;
use pillarbox::mail::summary::SummaryBuilder;
use pillarbox::net::certificate;
use pillarbox::net::drive::{Ground, Shake, drive};
use pillarbox::net::house::{House, Limits};
use pillarbox::net::resolve::Resolver;
use pillarbox::net::stream::{Socket, Stream};
use pillarbox::net::tls::Tls;
use pillarbox::net::trust::Trust;
use pillarbox::net::world::{Local, World};
use pillarbox::policy::connection::Client;
use pillarbox::proto::smtp::server::{self, Options as Offer, Session};
use pillarbox::service::login::Login;
use pillarbox::service::outbound::{self, Outbound};
use pillarbox::service::password::{Cost, Passwords};
use pillarbox::service::smtp::{self, Door, Kind};
use pillarbox::store::directory::{Alias, DomainClass, Edit, Swap, Transport, TransportTls};
use pillarbox::store::queue::{Arrival, QueueEntry, Queued, QueuedRecipient};
use pillarbox::store::request::Deliver;
use pillarbox::store::{self, Request, Running, Store};

use super::net::{NAMES, Net, Outside, Place};
use crate::disk::MemoryDisk;

pub struct Site {
    pub store: Store,
    running: Option<Running>,
    pub outbound: Rc<Outbound>,
    world: Rc<dyn World>,
    count: std::cell::Cell<u32>,
}

/// How a message is sent beside its text.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    pub from: String,
    pub to: Vec<QueuedRecipient>,
    pub envid: Option<String>,
    pub ret: Option<pillarbox::store::queue::Ret>,
    pub requiretls: bool,
    pub text: String,
}

impl Letter {
    pub fn new(from: &str, to: &[&str]) -> Self {
        let recipient = |address: &&str| QueuedRecipient {
            address: (*address).to_owned(),
            ..QueuedRecipient::default()
        };
        Self {
            from: from.to_owned(),
            to: to.iter().map(recipient).collect(),
            text: "Subject: hello\r\n\r\nSecret text\r\n".to_owned(),
            ..Self::default()
        }
    }
}

impl Site {
    /// `hostname` at `ip`, with an MX on port 25; its names are for the test to publish.
    pub fn new(net: &Rc<Net>, hostname: &str, ip: &str) -> Rc<Self> {
        Self::with(net, (hostname, ip), None, &[])
    }

    /// One whose MX offers STARTTLS with a certificate that it signed itself.
    pub fn with_tls(net: &Rc<Net>, hostname: &str, ip: &str) -> Rc<Self> {
        let key = self_signed(net, hostname);
        Self::with(net, (hostname, ip), Some(key), &[])
    }

    /// One whose MX has this certificate, and that trusts those.
    pub fn with(
        net: &Rc<Net>,
        (hostname, ip): (&str, &str),
        key: Option<Arc<CertifiedKey>>,
        roots: &[&CertifiedKey],
    ) -> Rc<Self> {
        let tls = key.map(|key| Tls::new(key, false).unwrap());
        let ip: IpAddr = ip.parse().unwrap();
        let world: Rc<dyn World> = Rc::new(Outside {
            net: net.clone(),
            ip,
        });
        let options = store::Options {
            cache: 1 << 20,
            message_size: 35 << 20,
            segment: store::log::SEGMENT,
            tiny: true,
            secret: secret(ip),
            folders: 100,
            keywords: 100,
            clock: net.clock.clone(),
        };
        let disk = Arc::new(MemoryDisk::default());
        let (store, running, _) = Store::open(disk, options).unwrap();
        net.settles(store.clone());
        let resolver = Resolver::new(world.clone(), vec![(NAMES, 53).into()]);
        let resolver = Rc::new(resolver);
        let trust = Trust::with_roots(world.clone(), roots.iter().map(|key| der(key)).collect());
        let spawn: outbound::Spawn = {
            let net = net.clone();
            Rc::new(move |task| net.executor.spawn(task).detach())
        };
        let mut options = outbound::Options::new(hostname);
        options.routing.hostname = Domain::parse(hostname);
        let outbound = Outbound::new(outbound::Parts {
            store: store.clone(),
            world: world.clone(),
            resolver: resolver.clone(),
            trust,
            spawn,
            house: House::new(Limits::default()),
            options,
        });
        let cost = Cost {
            memory: 64,
            passes: 1,
            scram: 1,
        };
        let passwords = Rc::new(Passwords::new(cost, [7; 32]));
        let login = Rc::new(Login::new(store.clone(), passwords, world.clone()));
        let mut options = smtp::Options::new(hostname);
        options.routing.hostname = Domain::parse(hostname);
        let doors = Rc::new(smtp::Shared::new(
            store.clone(),
            world.clone(),
            resolver,
            login,
            options,
            Memory::new(u64::MAX),
        ));
        doors.sends(&outbound);
        let serve = mx(hostname, &world, &doors, tls);
        net.place(&format!("{ip}:25"), Place::Serve(serve));
        let run = outbound.run();
        net.executor.spawn(run).detach();
        Rc::new(Self {
            store,
            running: Some(running),
            outbound,
            world,
            count: std::cell::Cell::new(0),
        })
    }

    async fn request(&self, request: Request) {
        self.store.request(request).await.unwrap();
    }

    /// A domain with mailboxes, and a person there.
    pub async fn mailbox(&self, address: &str) {
        let address = Address::parse(address).unwrap();
        let name = address.domain.to_string();
        let known = self.store.read(|reader| reader.domain(&name)).unwrap();
        if known.is_none() {
            self.request(Request::AddDomain {
                name,
                class: DomainClass::Mailbox,
                listed: false,
            })
            .await;
        }
        self.request(Request::AddUser {
            address: address.key(),
            password: Secret::new(b"!".to_vec()),
            scram: None,
            scram_salt: [0; 16],
            scram_count: 1,
            quota: 0,
        })
        .await;
    }

    pub async fn alias(&self, source: &str, target: &str) {
        let now = Alias {
            targets: vec![target.to_owned()],
            enabled: true,
            srs: None,
        };
        self.edit(Edit::Alias(Swap {
            name: source.to_owned(),
            was: None,
            now: Some(now),
        }))
        .await;
    }

    pub async fn transport(&self, pattern: &str, target: &str, tls: Option<TransportTls>) {
        let now = Transport {
            target: target.to_owned(),
            tls,
        };
        self.edit(Edit::Transport(Swap {
            name: pattern.to_owned(),
            was: None,
            now: Some(now),
        }))
        .await;
    }

    /// Another word on TLS for a transport.
    pub async fn raise(&self, pattern: &str, target: &str, was: TransportTls, now: TransportTls) {
        let row = |tls| Transport {
            target: target.to_owned(),
            tls: Some(tls),
        };
        self.edit(Edit::Transport(Swap {
            name: pattern.to_owned(),
            was: Some(row(was)),
            now: Some(row(now)),
        }))
        .await;
    }

    async fn edit(&self, edit: Edit) {
        self.request(Request::Edit(vec![edit])).await;
    }

    /// Puts a message into the queue: the name that its sender was told.
    pub async fn send(&self, letter: &Letter) -> String {
        let id = self.put(letter).await;
        self.outbound.wake();
        id
    }

    /// The same without a word to the runner.
    pub async fn put(&self, letter: &Letter) -> String {
        self.count.set(self.count.get() + 1);
        let id = format!("Q{:09}", self.count.get());
        let mut summary = SummaryBuilder::new();
        summary.push(letter.text.as_bytes());
        let mut incoming = self.store.incoming();
        incoming.write(letter.text.as_bytes()).await.unwrap();
        let deliver = Deliver {
            prefix: vec![],
            body: incoming.finish().await.unwrap(),
            summary: summary.finish().encode(),
            received: self.world.time(),
            to: vec![],
            queue: Some(Queued {
                id: id.clone(),
                sender: letter.from.clone(),
                submitter: None,
                envid: letter.envid.clone(),
                ret: letter.ret,
                body: pillarbox::store::queue::BodyKind::SevenBit,
                smtputf8: false,
                requiretls: letter.requiretls,
                arrival: Arrival::Here,
                recipients: letter
                    .to
                    .iter()
                    .map(|to| QueuedRecipient {
                        due: self.outbound.now(),
                        ..to.clone()
                    })
                    .collect(),
            }),
            settles: vec![],
            warns: None,
        };
        self.request(Request::Deliver(deliver)).await;
        id
    }

    /// What waits, oldest first.
    pub fn queue(&self) -> Vec<QueueEntry> {
        let entries = self.store.read(|reader| reader.queue(None, 100_000));
        entries
            .unwrap()
            .into_iter()
            .map(|(_, entry)| entry)
            .collect()
    }

    pub fn waiting(&self) -> u64 {
        self.store.read(store::Reader::queue_count).unwrap()
    }

    /// The messages in somebody's inbox, oldest first.
    pub fn inbox(&self, address: &str) -> Vec<String> {
        let key = Address::parse(address).unwrap().key();
        let contents = self
            .store
            .read(|reader| {
                let user = reader.user_named(&key)?.expect("a person");
                let inbox = reader.folder_named(user, "INBOX")?.expect("an inbox");
                let mut found: Vec<ContentId> = vec![];
                reader.messages(inbox, Uid(1), Uid(u32::MAX), &mut |_, message| {
                    found.push(message.content);
                    ControlFlow::Continue(())
                })?;
                Ok(found)
            })
            .unwrap();
        contents.into_iter().map(|id| self.content(id)).collect()
    }

    fn content(&self, id: ContentId) -> String {
        let mut content = self.store.content(id).unwrap().unwrap();
        let mut octets = vec![];
        loop {
            let piece = content.read(octets.len().try_into().unwrap()).unwrap();
            if piece.is_empty() {
                return String::from_utf8_lossy(&octets).into_owned();
            }
            octets.extend_from_slice(piece);
        }
    }
}

pub fn self_signed(net: &Net, hostname: &str) -> Arc<CertifiedKey> {
    let folder = tempfile::tempdir().unwrap();
    certificate::self_signed(folder.path(), hostname, net.clock.time()).unwrap()
}

/// The certificate itself.
pub fn der(key: &CertifiedKey) -> Vec<u8> {
    key.cert[0].to_vec()
}

/// Nobody knows another's.
fn secret(ip: IpAddr) -> [u8; 16] {
    let mut secret = [7; 16];
    if let IpAddr::V4(ip) = ip {
        secret[..4].copy_from_slice(&ip.octets());
    }
    secret
}

/// Port 25.
fn mx(
    hostname: &str,
    world: &Rc<dyn World>,
    doors: &Rc<smtp::Shared>,
    tls: Option<Tls>,
) -> super::net::Serve {
    let (world, doors) = (world.clone(), doors.clone());
    let hostname = hostname.to_owned();
    let house = House::new(Limits::default());
    Rc::new(move |stream, from| -> Local<'static, ()> {
        let now = world.now();
        let ground = Ground {
            world: world.clone(),
            tls: tls.clone().map(Shake::Server),
            seat: house.enter(from, now).expect("a seat"),
        };
        let mut offer = Offer::new(hostname.clone());
        if tls.is_some() {
            offer.tls = server::Tls::Offered;
        }
        let mut session = Session::new(offer, now);
        let client = Client::new(from, None);
        let mut door = Door::new(doors.clone(), Kind::Mx, client, None);
        Box::pin(async move {
            let stream = Stream::Plain(Socket::Unix(stream));
            drive(&ground, stream, &mut session, &mut door).await;
        })
    })
}

impl Drop for Site {
    fn drop(&mut self) {
        self.store.stop();
        if let Some(running) = self.running.take()
            && !std::thread::panicking()
        {
            running.join().unwrap();
        }
    }
}
