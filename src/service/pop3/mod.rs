//! POP3: what a session's questions do to the store. One session at a time has a person's inbox as its
//! maildrop, as it was when it logged in; what is deleted goes at QUIT, in one change. Flags are left
//! alone: who reads by POP3 does not mark as seen.

mod maildrop;
mod retrieve;

use std::{cell::RefCell, collections::HashMap, future::pending, net::IpAddr, rc::Rc};

use async_channel::{Receiver, Sender};

use self::{
    maildrop::{Listing, Maildrop},
    retrieve::Retrieving,
};
use crate::{
    base::{id::UserId, time::Instant},
    net::drive::Service,
    proto::{
        pop3::{
            command::Maildrop as Command,
            session::{Answer, Question, Session},
        },
        sasl,
    },
    service::{imap, login::Person},
    store::{Broken, Refusal, Request},
};

const TEMPORARY: &str = "[SYS/TEMP] Temporary internal error, try again later";
const TAKEN: &str = "[SYS/TEMP] A newer session has this mailbox, nothing was removed";

/// Seconds after which a silent session has to make room for one that logs in: a client whose network
/// went away comes back long before the old connection ends.
const SILENT: u64 = 60;

/// What all sessions share, on one thread.
#[derive(Debug)]
pub struct Shared {
    /// Store, log-ins and memory are the same as IMAP's, and so are the places of those who read
    /// content.
    common: Rc<imap::Shared>,
    /// Whose maildrop is in use.
    locked: RefCell<HashMap<UserId, Hold>>,
}

impl Shared {
    #[must_use]
    pub fn new(common: Rc<imap::Shared>) -> Self {
        Self {
            common,
            locked: RefCell::default(),
        }
    }
}

/// Of the session that has a maildrop.
#[derive(Debug)]
struct Hold {
    /// When it was last asked for something.
    asked: Instant,
    /// Dropped when another session takes the maildrop over.
    _end: Sender<()>,
}

/// One session's hold on a maildrop (RFC 1939 section 4); ends when it is dropped, or when the session
/// was silent and another one comes.
#[derive(Debug)]
struct Lock {
    shared: Rc<Shared>,
    user: UserId,
    lost: Receiver<()>,
}

impl Lock {
    fn take(shared: &Rc<Shared>, user: UserId) -> Option<Self> {
        let now = shared.common.world.now();
        let mut locked = shared.locked.borrow_mut();
        let busy = |hold: &Hold| now < hold.asked.plus_seconds(SILENT);
        if locked.get(&user).is_some_and(busy) {
            return None;
        }
        let (end, lost) = async_channel::bounded(1);
        let hold = Hold {
            asked: now,
            _end: end,
        };
        locked.insert(user, hold);
        Some(Self {
            shared: Rc::clone(shared),
            user,
            lost,
        })
    }

    /// The session is not silent; says whether it still has the maildrop.
    fn renew(&self) -> bool {
        if self.lost.is_closed() {
            return false;
        }
        if let Some(hold) = self.shared.locked.borrow_mut().get_mut(&self.user) {
            hold.asked = self.shared.common.world.now();
        }
        true
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.lost.is_closed() {
            self.shared.locked.borrow_mut().remove(&self.user);
        }
    }
}

/// One connection. Small while it idles.
#[derive(Debug)]
pub struct Pop3 {
    shared: Rc<Shared>,
    peer: IpAddr,
    /// Who was let in last.
    person: Option<Person>,
    maildrop: Option<Box<Maildrop>>,
    running: Option<Running>,
}

/// A command that has more to say than one answer holds.
#[derive(Debug)]
enum Running {
    Listing(Listing),
    Retrieving(Box<Retrieving>),
}

impl Pop3 {
    #[must_use]
    pub fn new(shared: Rc<Shared>, peer: IpAddr) -> Self {
        Self {
            shared,
            peer,
            person: None,
            maildrop: None,
            running: None,
        }
    }

    async fn auth(&mut self, question: sasl::Question) -> sasl::Answer {
        let login = &self.shared.common.login;
        let (answer, person) = login.sasl(question, self.peer).await;
        self.person = person;
        answer
    }

    async fn open(&mut self) -> Answer {
        let Some(person) = self.person else {
            return Answer::Err(TEMPORARY);
        };
        let Some(lock) = Lock::take(&self.shared, person.id) else {
            return Answer::Err("[IN-USE] Another POP3 session has this mailbox");
        };
        match Maildrop::open(lock).await {
            Ok(maildrop) => {
                let text = maildrop.summary();
                self.maildrop = Some(Box::new(maildrop));
                Answer::Ok(text)
            }
            Err(answer) => answer,
        }
    }

    async fn command(&mut self, command: Command) -> Answer {
        self.running = None;
        if let Some(answer) = self.outdated() {
            return answer;
        }
        let Some(maildrop) = self.maildrop.as_deref_mut() else {
            return Answer::Bye(TAKEN);
        };
        match command {
            Command::Dele(number) => maildrop.delete(number),
            Command::List(None) => self.list(Listing::sizes()),
            Command::Uidl(None) => self.list(Listing::names()),
            Command::List(Some(number)) => maildrop.line(number, &Listing::sizes()),
            Command::Uidl(Some(number)) => maildrop.line(number, &Listing::names()),
            Command::Noop => Answer::Ok("Nothing done".to_owned()),
            Command::Retr(number) | Command::Top(number, _) => self.retrieve(number).await,
            Command::Rset => {
                maildrop.reset();
                Answer::Ok(maildrop.summary())
            }
            Command::Stat => Answer::Ok(maildrop.status()),
        }
    }

    /// Who is disabled, removed or has a new password loses the running session, and so does one whose
    /// maildrop another has.
    fn outdated(&mut self) -> Option<Answer> {
        let outdated = self.shared.common.login.outdated(self.person?);
        if outdated.is_some()
            || !self
                .maildrop
                .as_ref()
                .is_some_and(|maildrop| maildrop.renew())
        {
            self.maildrop = None;
            return Some(Answer::Bye(outdated.unwrap_or(TAKEN)));
        }
        None
    }

    /// Removes what was deleted; the answer waits for the medium.
    async fn quit(&mut self) -> Answer {
        self.running = None;
        if let Some(answer) = self.outdated() {
            return answer;
        }
        let Some(maildrop) = self.maildrop.take() else {
            return Answer::Bye(TAKEN);
        };
        let (folder, uids) = (maildrop.folder(), maildrop.deleted());
        if !uids.is_empty() {
            let request = Request::RemoveMessages { folder, uids };
            match self.shared.common.store.request(request).await {
                // With the folder its messages are gone, too.
                Ok(_) | Err(Refusal::NoFolder) => {}
                Err(refusal) => {
                    log::error!("pop3: deleted messages not removed: {refusal}");
                    return Answer::Err("[SYS/TEMP] Some deleted messages not removed");
                }
            }
        }
        Answer::Ok("Bye".to_owned())
    }

    async fn more(&mut self) -> Answer {
        // What has begun goes to its end: it needs no lock.
        if let Some(maildrop) = &self.maildrop {
            maildrop.renew();
        }
        match self.running.take() {
            Some(Running::Listing(listing)) => {
                smol::future::yield_now().await;
                let (octets, more) = self.listed(listing);
                Answer::More { octets, more }
            }
            Some(Running::Retrieving(retrieving)) => {
                let (octets, more) = self.retrieve_more(*retrieving).await;
                Answer::More { octets, more }
            }
            None => Answer::More {
                octets: Vec::new(),
                more: false,
            },
        }
    }
}

/// Logs why the store failed.
fn broken(broken: &Broken) -> Answer {
    match broken {
        // Said once by whoever closes the store.
        Broken::Stopped => {}
        Broken::Corrupt(_) | Broken::Index(_) | Broken::Io(_) => log::error!("pop3: {broken}"),
    }
    Answer::Err(TEMPORARY)
}

impl Service for Pop3 {
    type Machine = Session;

    async fn ask(&mut self, question: Question) -> Answer {
        match question {
            Question::Auth(question) => Answer::Auth(Box::pin(self.auth(question)).await),
            Question::Maildrop(command) => Box::pin(self.command(command)).await,
            Question::More => Box::pin(self.more()).await,
            Question::Open => Box::pin(self.open()).await,
            Question::Quit => Box::pin(self.quit()).await,
        }
    }

    /// The machine hands no content over.
    async fn content(&mut self, _: Vec<u8>) {}

    /// The machine sends no content.
    async fn range(&mut self, (): &(), _: u64) -> Option<Vec<u8>> {
        None
    }

    /// Another session has the maildrop: this one ends.
    async fn woken(&mut self) {
        let Some(maildrop) = self.maildrop.as_deref() else {
            return pending().await;
        };
        maildrop.lost().await;
        self.maildrop = None;
    }
}
