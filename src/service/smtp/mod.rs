//! The SMTP listeners' side of a connection: settles what `proto::smtp::server` asks. What the MX and
//! submission share is here; where they judge differently, `mx` and `submission` say how.

mod digest;
mod envelope;
pub(in crate::service) mod journal;
mod local;
mod log_lines;
mod message;
mod mx;
mod origin;
mod passing;
mod storm;
mod submission;
mod transaction;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use self::{journal::queue_id, transaction::Transaction};
pub use self::{local::LocalOptions, submission::Identity};
use crate::{
    base::{machine::Secured, memory::Memory},
    mail::srs::Srs,
    net::{drive::Service, resolve::Resolver, world::World},
    policy::{connection::Client, sender::Origin},
    proto::{
        sasl,
        smtp::{
            reply::Reply,
            server::{Answer, Note, Noted, Question, Session},
        },
    },
    routing,
    service::{
        login::Login,
        names::NamesFile,
        outbound::{self, Outbound},
        reply::Told,
    },
    store::{Store, queue::Uptime},
};

/// What the admin chose. A reload swaps it ([`Shared::set_options`]).
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// Our name in `Received:` lines.
    pub hostname: String,
    pub routing: routing::Options,
    /// For programs on this machine and for devices.
    pub local: LocalOptions,
    /// The port of `listen.local`, told to clients on loopback that want to relay (SR-10); `None`
    /// where there is no such listener.
    pub local_port: Option<String>,
    /// What would be refused for good is refused for now (`smtp.soft_bounce`, OQ-5).
    pub soft_bounce: bool,
    /// Most entries and octets in the queue (`limit.queue`); 0 = no limit.
    pub queue_entries: u64,
    pub queue_octets: u64,
    /// Names in HELO and senders' domains are looked for in DNS (SR-12, SR-13).
    pub check_helo: bool,
    pub check_sender: bool,
    /// Where and with what somebody submits is not shown to the world (SU-15).
    pub hide_client: bool,
    pub hide_agent: bool,
    /// For mail that is taken from the spool folder: its largest message in octets (0 = no limit), and
    /// how long it may wait in seconds.
    pub message_size: u64,
    pub give_up: u64,
}

impl Options {
    #[must_use]
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            routing: routing::Options::default(),
            local: LocalOptions::default(),
            local_port: None,
            soft_bounce: false,
            queue_entries: 0,
            queue_octets: 0,
            check_helo: false,
            check_sender: true,
            hide_client: true,
            hide_agent: false,
            message_size: 0,
            give_up: 432_000,
        }
    }
}

/// What all connections of all SMTP listeners share.
#[derive(Debug)]
pub struct Shared {
    store: Store,
    world: Rc<dyn World>,
    resolver: Rc<Resolver>,
    login: Rc<Login>,
    options: RefCell<Rc<Options>>,
    /// The file of aliases (LM-2).
    names: NamesFile,
    /// What came from this machine and its devices lately (LM-11).
    windows: RefCell<local::Windows>,
    /// What repeats (LM-11).
    storm: storm::Storm,
    /// What messages on their way may take (HD-4).
    memory: Memory,
    /// Counts messages, for their ids.
    count: Cell<u32>,
    /// Who sends what is queued here, once there is somebody.
    outbound: RefCell<Option<Rc<Outbound>>>,
    /// Reads the reverse-paths of our own making (FW-11).
    srs: Srs,
}

impl Shared {
    #[must_use]
    pub fn new(
        store: Store,
        world: Rc<dyn World>,
        resolver: Rc<Resolver>,
        login: Rc<Login>,
        options: Options,
        memory: Memory,
    ) -> Self {
        let mut start = [0; 4];
        world.random().fill(&mut start);
        Self {
            outbound: RefCell::default(),
            srs: outbound::srs(&store),
            store,
            world,
            resolver,
            login,
            options: RefCell::new(Rc::new(options)),
            names: NamesFile::default(),
            windows: RefCell::default(),
            storm: storm::Storm::default(),
            memory,
            count: Cell::new(u32::from_le_bytes(start)),
        }
    }

    /// Who sends what is queued from now on.
    pub fn sends(&self, outbound: &Rc<Outbound>) {
        *self.outbound.borrow_mut() = Some(Rc::clone(outbound));
    }

    fn outbound(&self) -> Option<Rc<Outbound>> {
        self.outbound.borrow().clone()
    }

    /// The queue's clock (LM-12); 0 where nothing is sent.
    fn uptime(&self) -> Uptime {
        self.outbound().map_or(0, |outbound| outbound.now())
    }

    /// From the next command on, of sessions that run too.
    pub fn set_options(&self, mut options: Options) {
        options.routing.names = self.names.names();
        *self.options.borrow_mut() = Rc::new(options);
    }

    /// Looks whether the file of aliases has changed.
    fn look_at_names(&self) {
        let options = self.options();
        let path = options.local.aliases.as_deref();
        if let Some(names) = self.names.anew(path, self.world.now()) {
            let mut options = Options::clone(&options);
            options.routing.names = names;
            *self.options.borrow_mut() = Rc::new(options);
        }
    }

    #[must_use]
    pub fn options(&self) -> Rc<Options> {
        Rc::clone(&self.options.borrow())
    }

    fn next_id(&self) -> String {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        queue_id(self.world.time().0, count)
    }
}

/// Which door a client came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// For listed addresses in the house (LM-10).
    Devices,
    /// Loopback: for programs on this machine (LM-6).
    Local,
    /// Port 25: for everybody, relays for nobody.
    Mx,
    /// Ports 465 and 587: for our own people.
    Submission,
}

/// One connection. Logs its beginning and its end.
#[derive(Debug)]
pub struct Door {
    shared: Rc<Shared>,
    kind: Kind,
    client: Client,
    /// The system user at the other end, where it is known.
    uid: Option<u32>,
    /// It is the appliance itself that comes, with a report.
    ours: bool,
    /// The name that the client gave itself, empty before HELO.
    helo: String,
    /// What DNS says of that name, once it was asked (SR-12).
    helo_origin: Option<Origin>,
    esmtp: bool,
    tls: Option<Secured>,
    /// Who the last answer to AUTH was about; it is the client once the session says so.
    claimed: Option<Identity>,
    identity: Option<Identity>,
    transaction: Option<Box<Transaction>>,
}

impl Door {
    /// `tls` is for implicit TLS; after STARTTLS there is [`Service::secured`].
    #[must_use]
    pub fn new(shared: Rc<Shared>, kind: Kind, client: Client, tls: Option<Secured>) -> Self {
        log::info!("connect from {}", log_lines::named(&client));
        Self {
            shared,
            kind,
            client,
            uid: None,
            ours: false,
            helo: String::new(),
            helo_origin: None,
            esmtp: false,
            tls,
            claimed: None,
            identity: None,
            transaction: None,
        }
    }

    async fn auth(&mut self, question: sasl::Question) -> sasl::Answer {
        let shared = &self.shared;
        let (answer, person) = shared.login.sasl(question, self.client.ip).await;
        if let Some(person) = person {
            self.claimed = submission::identify(&shared.store, person);
            if self.claimed.is_none() {
                return sasl::Answer::TryAgain;
            }
        }
        answer
    }

    /// What the session decided by itself.
    fn note(&mut self, note: &Note) {
        if let Noted::Authenticated { mechanism, .. } = &note.what {
            self.identity = self.claimed.take().map(|who| who.with(*mechanism));
            return;
        }
        self.log_note(note);
        // What is wrong with another command than these leaves a message as it is.
        let refused = matches!(note.what, Noted::Refused { .. });
        if let Some(transaction) = &mut self.transaction
            && (!refused || matches!(note.after, "BDAT" | "DATA"))
        {
            transaction.fated = true;
        }
    }

    /// The transaction is over. A message that had begun has its line by now, or gets it here.
    fn forget(&mut self, how: &str, after: &str) {
        if let Some(transaction) = &self.transaction
            && !transaction.fated
            && transaction.message.is_some()
        {
            self.log_end(how, after);
        }
        self.transaction = None;
    }
}

impl Service for Door {
    type Machine = Session;

    async fn ask(&mut self, question: Question) -> Answer {
        let told = match question {
            Question::Auth(question) => {
                return Answer::Auth(Box::pin(self.auth(question)).await);
            }
            Question::Begin => self.begin().into(),
            Question::End { .. } => Box::pin(self.end()).await,
            Question::Forget { after } => {
                self.forget("canceled", after);
                Reply::new(250, "2.0.0 Ok").into()
            }
            Question::Hello { name, esmtp } => {
                self.helo = name;
                self.helo_origin = None;
                self.esmtp = esmtp;
                Reply::new(250, "Ok").into()
            }
            Question::Note(note) => {
                self.note(&note);
                Reply::new(250, "2.0.0 Ok").into()
            }
            Question::QueueRun { argument } => self.queue_run(&argument).into(),
            Question::Recipient { path, parameters } => {
                Box::pin(self.recipient(&path, parameters)).await.into()
            }
            Question::Sender { path, parameters } => self.sender(&path, parameters).into(),
        };
        match told {
            Told::Hang => Answer::Hang,
            Told::Reply(reply) if self.shared.options().soft_bounce => {
                Answer::Reply(reply.softened())
            }
            Told::Reply(reply) => Answer::Reply(reply),
        }
    }

    async fn content(&mut self, octets: Vec<u8>) {
        if let Some(transaction) = &mut self.transaction
            && let Some(message) = &mut transaction.message
        {
            Box::pin(message.reception.write(&octets)).await;
        }
    }

    /// The machine sends no content.
    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    /// All that was said before the handshake is forgotten (RFC 3207 section 4.2).
    fn secured(&mut self, secured: &Secured) {
        self.tls = Some(secured.clone());
        self.helo = String::new();
        self.helo_origin = None;
        self.esmtp = false;
        self.claimed = None;
        self.identity = None;
        self.transaction = None;
    }

    /// Nothing happens here that a sender waits for.
    async fn woken(&mut self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.forget("lost connection", "DATA");
        log::info!("disconnect from {}", log_lines::named(&self.client));
    }
}
