//! IMAP: what a session's questions do to the store, one file per command or family.
//!
//! An [`Imap`] belongs to one connection; what the connections share is in [`Shared`]. Every answer
//! that says yes waits for the store; long answers leave in slices, so that others get their turn.

mod account;
mod append;
mod copy;
mod crlf;
mod expunge;
mod fetch;
mod flags;
mod folder;
mod hello;
mod list;
mod pace;
mod people;
mod quota;
mod refusal;
mod rest;
mod resync;
mod search;
mod select;
mod selected;
mod sort;
mod status;
mod store;
mod summary;
mod sync;
mod thread;

use std::{cell::Cell, collections::VecDeque, future::pending, net::IpAddr, rc::Rc, sync::Arc};

use smol::lock::Semaphore;

pub use self::search::{Filling, fill};
use self::{
    append::Appending,
    fetch::{Fetching, Promised},
    list::Listing,
    people::{People, Presence},
    search::Searching,
    selected::Selected,
};

use self::{
    store::Telling,
    sync::{Ending, Tell},
};
use crate::{
    base::{
        id::{ContentRange, UserId},
        memory::Memory,
        secret::Secret,
    },
    net::{drive::Service, world::World},
    proto::imap::{
        command::Command,
        session::{Answer, Completion, Enabled, Question, Session},
    },
    service::{
        login::{Login, LoginError, Person},
        notify::Registry,
    },
    store::Store,
};

/// Also for those who read mail in another way.
pub(super) use self::summary::read as read_content;

/// Rows that are read in one transaction.
const SLICE_ROWS: u32 = 256;

/// A piece of a long answer is sent when it has grown beyond this, in octets.
const SLICE_OCTETS: usize = 32 * 1024;

/// Contents that are read at the same time, over all sessions.
const READS_MAX: usize = 2;

/// How big things may get.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest message that APPEND takes, in octets; 0 = no limit.
    pub message_size: u64,
    /// Sessions of one person at once.
    pub per_person: usize,
}

/// What all sessions share, on one thread.
#[derive(Debug)]
pub struct Shared {
    pub store: Store,
    pub registry: Rc<Registry>,
    pub login: Rc<Login>,
    pub world: Rc<dyn World>,
    /// A reload changes them.
    pub options: Cell<Options>,
    /// What messages on their way may take (HD-4).
    pub memory: Memory,
    reads: Arc<Semaphore>,
    searches: Semaphore,
    people: Rc<People>,
}

impl Shared {
    pub fn new(
        store: Store,
        registry: Rc<Registry>,
        login: Rc<Login>,
        world: Rc<dyn World>,
        options: Options,
        memory: Memory,
    ) -> Self {
        Self {
            store,
            registry,
            login,
            world,
            options: Cell::new(options),
            memory,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            searches: Semaphore::new(1),
            people: Rc::default(),
        }
    }

    /// Whether no session reads contents right now.
    fn is_quiet(&self) -> bool {
        let reads = [self.reads.try_acquire(), self.reads.try_acquire()];
        reads.iter().all(Option::is_some) && self.searches.try_acquire().is_some()
    }
}

/// One connection. Small while it idles: what a command needs is in boxes.
#[derive(Debug)]
pub struct Imap {
    shared: Rc<Shared>,
    peer: IpAddr,
    user: Option<Presence>,
    /// Who an exchange of AUTHENTICATE was about; it is the client once the session says so.
    claimed: Option<Person>,
    /// Of the account when its person logged in.
    credentials: u64,
    /// What the client has enabled, as the last question said.
    enabled: Enabled,
    selected: Option<Box<Selected>>,
    running: Option<Running>,
    appending: Option<Box<Appending>>,
    /// Contents whose octets were promised, in the order in which they will be asked for.
    promised: VecDeque<Promised>,
}

/// A command that has more to say than one answer holds.
#[derive(Debug)]
enum Running {
    Ending(Box<Ending>),
    Fetching(Box<Fetching>),
    Listing(Box<Listing>),
    Searching(Box<Searching>),
    Telling(Box<Telling>),
}

/// A command's untagged responses and its completion; or only the latter, when it cannot be done.
type Outcome = Result<Answer, Completion>;

impl Imap {
    pub fn new(shared: Rc<Shared>, peer: IpAddr) -> Self {
        Self {
            shared,
            peer,
            user: None,
            claimed: None,
            credentials: 0,
            enabled: Enabled::default(),
            selected: None,
            running: None,
            appending: None,
            promised: VecDeque::new(),
        }
    }

    async fn log_in(&mut self, name: &str, password: &Secret) -> Completion {
        match self.shared.login.login(name, password, self.peer).await {
            Ok(person) => self.enter(person),
            Err(LoginError::Refused) => Completion::refused(),
            Err(LoginError::TryAgain) => Completion::not_now(),
        }
    }

    fn enter(&mut self, person: Person) -> Completion {
        let most = self.shared.options.get().per_person;
        match self.shared.people.enter(person.id, most) {
            Some(presence) => {
                self.user = Some(presence);
                self.credentials = person.credentials;
                Completion::ok("Logged in")
            }
            None => Completion::no("Too many sessions of this user.").with_code("LIMIT"),
        }
    }

    /// Who is logged in.
    fn person(&self) -> Result<UserId, Completion> {
        let user = self.user.as_ref().map(Presence::user);
        user.ok_or_else(|| Completion::bad("Log in first"))
    }

    async fn command(&mut self, command: Command) -> Answer {
        self.running = None;
        self.promised.clear();
        self.shared.registry.catch_up();
        let quiet = quiet(&command);
        if let Err(completion) = self.welcome() {
            return Answer::Done(Vec::new(), completion);
        }
        let outcome = match self.settled(&command).await {
            Ok(()) => self.carry_out(command).await,
            Err(completion) => Err(completion),
        };
        match outcome {
            Ok(answer) => answer,
            Err(completion) => self.finish(Vec::new(), completion, quiet),
        }
    }

    /// Waits for the medium where a command reads or changes flags and \Seen is on its way.
    async fn settled(&mut self, command: &Command) -> Result<(), Completion> {
        if reads_flags(command)
            && let Some(selected) = self.selected.as_deref_mut()
            && selected.unsettled
        {
            self.shared.store.settle().await?;
            selected.unsettled = false;
            self.shared.registry.catch_up();
            // Who asks for MODSEQs is told those too.
            if !self.enabled.condstore {
                let store = &self.shared.store;
                store.read(|reader| selected.pass_told(reader))?;
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, command: Command) -> Outcome {
        let user = match &command {
            // A stranger may say who it is (RFC 2971 section 3.1).
            Command::Id(fields) => return Ok(self.id(fields)),
            _ => self.person()?,
        };
        match command {
            Command::Check => Ok(self.finish_all(Completion::ok("Check completed"))),
            Command::Close => self.close().await,
            Command::Copy(copy) => self.copy(user, *copy).await,
            Command::Create(create) => self.create(user, *create).await,
            Command::Delete { folder } => self.delete(user, &folder).await,
            Command::Expunge => self.expunge(None).await,
            Command::Fetch(fetch) => Box::pin(self.fetch(*fetch)).await,
            Command::GetQuota { root } => self.get_quota(user, &root),
            Command::GetQuotaRoot { folder } => self.get_quota_root(user, &folder),
            Command::List(list) => Box::pin(self.list(user, list)).await,
            Command::Lsub(lsub) => Box::pin(self.lsub(user, &lsub)).await,
            Command::Move(copy) => self.move_messages(user, *copy).await,
            Command::Namespace => Ok(self.namespace()),
            Command::Noop => Ok(self.finish_all(Completion::ok("Noop completed."))),
            Command::Rename { from, to } => self.rename(user, &from, to).await,
            Command::Search(search) => Box::pin(self.search(*search)).await,
            Command::Select(select) => self.select(user, *select).await,
            Command::SetQuota { root } => Self::set_quota(&root),
            Command::Sort(sort) => Box::pin(self.sort(*sort)).await,
            Command::Status(status) => self.status(user, &status).await,
            Command::Store(store) => self.store(*store).await,
            Command::Subscribe { folder } => self.subscribe(user, folder, true).await,
            Command::Thread(thread) => Box::pin(self.thread(*thread)).await,
            Command::UidExpunge(set) => self.expunge(Some(set)).await,
            Command::Unselect => self.unselect().await,
            Command::Unsubscribe { folder } => self.subscribe(user, folder, false).await,
            // The session's own.
            Command::Append(_)
            | Command::Authenticate(_)
            | Command::Capability
            | Command::Compress
            | Command::Enable(_)
            | Command::Id(_)
            | Command::Idle
            | Command::Login { .. }
            | Command::Logout
            | Command::StartTls => Err(Completion::bad("Command is not for now")),
        }
    }

    async fn more(&mut self) -> Answer {
        self.promised.clear();
        smol::future::yield_now().await;
        match self.running.take() {
            Some(Running::Ending(ending)) => self.end(Vec::new(), ending),
            Some(Running::Fetching(fetching)) => Box::pin(self.fetch_more(fetching)).await,
            Some(Running::Listing(listing)) => {
                let told = Box::pin(self.list_more(listing)).await;
                told.unwrap_or_else(|completion| self.finish_all(completion))
            }
            Some(Running::Searching(searching)) => Box::pin(self.search_more(searching)).await,
            Some(Running::Telling(telling)) => self.store_told(telling).await,
            None => Answer::Done(Vec::new(), Completion::ok("Completed")),
        }
    }

    /// The client idles: what is new?
    fn poll(&mut self) -> Answer {
        if let Err(completion) = self.welcome() {
            return Answer::Done(Vec::new(), completion);
        }
        self.finish_all(Completion::ok("Idle"))
    }

    fn finish_all(&mut self, completion: Completion) -> Answer {
        self.finish(Vec::new(), completion, Tell::ALL)
    }

    /// The selected folder, for commands that the session lets pass only while there is one.
    fn open(&mut self) -> Result<&mut Selected, Completion> {
        let selected = self.selected.as_deref_mut();
        selected.ok_or_else(|| Completion::bad("No mailbox selected"))
    }
}

/// What may be told with a refusal of this command.
fn quiet(command: &Command) -> Tell {
    let expunge = match command {
        Command::Fetch(fetch) => fetch.uid,
        Command::Search(search) => search.uid,
        Command::Sort(sort) => sort.uid,
        Command::Thread(thread) => thread.uid,
        Command::Store(store) => store.uid,
        _ => true,
    };
    Tell {
        expunge,
        ..Tell::default()
    }
}

/// Whether a command shows flags or depends on them.
fn reads_flags(command: &Command) -> bool {
    match command {
        Command::Fetch(fetch) => fetch::reads_flags(fetch),
        Command::List(list) => list.returns.status.is_some(),
        Command::Close
        | Command::Copy(_)
        | Command::Expunge
        | Command::Move(_)
        | Command::Search(_)
        | Command::Select(_)
        | Command::Sort(_)
        | Command::Status(_)
        | Command::Store(_)
        | Command::Thread(_)
        | Command::UidExpunge(_)
        | Command::Unselect => true,
        Command::Append(_)
        | Command::Authenticate(_)
        | Command::Capability
        | Command::Check
        | Command::Compress
        | Command::Create(_)
        | Command::Delete { .. }
        | Command::Enable(_)
        | Command::GetQuota { .. }
        | Command::GetQuotaRoot { .. }
        | Command::Id(_)
        | Command::Idle
        | Command::Login { .. }
        | Command::Logout
        | Command::Lsub(_)
        | Command::Namespace
        | Command::Noop
        | Command::Rename { .. }
        | Command::SetQuota { .. }
        | Command::StartTls
        | Command::Subscribe { .. }
        | Command::Unsubscribe { .. } => false,
    }
}

impl Service for Imap {
    type Machine = Session;

    async fn ask(&mut self, question: Question) -> Answer {
        match question {
            Question::AppendAbort => {
                self.appending = None;
                Answer::Done(Vec::new(), Completion::ok("Forgotten"))
            }
            Question::AppendBegin(message, enabled) => {
                self.enabled = enabled;
                Box::pin(self.append_begin(*message)).await
            }
            Question::AppendEnd => Box::pin(self.append_end()).await,
            Question::Command(command, enabled) => {
                self.enabled = enabled;
                Box::pin(self.command(*command)).await
            }
            Question::Enter => {
                let completion = match self.claimed.take() {
                    Some(person) => self.enter(person),
                    None => Completion::not_now(),
                };
                Answer::Done(Vec::new(), completion)
            }
            Question::Forget => {
                self.forget().await;
                Answer::Done(Vec::new(), Completion::ok("Forgotten"))
            }
            Question::Login { user, password } => {
                let completion = Box::pin(self.log_in(&user, &password)).await;
                Answer::Done(Vec::new(), completion)
            }
            Question::More => self.more().await,
            Question::Poll(enabled) => {
                self.enabled = enabled;
                self.poll()
            }
            Question::Sasl(question) => {
                let login = &self.shared.login;
                let (answer, person) = Box::pin(login.sasl(question, self.peer)).await;
                self.claimed = person;
                Answer::Sasl(answer)
            }
        }
    }

    async fn content(&mut self, octets: Vec<u8>) {
        Box::pin(self.append_octets(octets)).await;
    }

    async fn range(&mut self, range: &ContentRange, at: u64) -> Option<Vec<u8>> {
        Box::pin(self.promised_octets(range, at)).await
    }

    async fn woken(&mut self) {
        let Some(selected) = self.selected.as_deref_mut() else {
            return pending().await;
        };
        self.shared.registry.catch_up();
        selected.watch.changed(selected.woken).await;
        selected.woken = selected.watch.version();
    }
}
