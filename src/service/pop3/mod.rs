//! POP3: what a session's questions do to the store. One session at a time has a person's inbox as its
//! maildrop, as it was when it logged in; what is deleted goes at QUIT, in one change. Flags are left
//! alone: who reads by POP3 does not mark as seen.

mod maildrop;
mod retrieve;

use std::{cell::RefCell, collections::HashSet, future::pending, net::IpAddr, rc::Rc};

use self::{
    maildrop::{Listing, Maildrop},
    retrieve::Retrieving,
};
use crate::{
    base::id::UserId,
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

/// What all sessions share, on one thread.
#[derive(Debug)]
pub struct Shared {
    /// Store, log-ins and memory are the same as IMAP's, and so are the places of those who read
    /// content.
    common: Rc<imap::Shared>,
    /// Whose maildrop is in use.
    locked: RefCell<HashSet<UserId>>,
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

/// One session's hold on a maildrop (RFC 1939 section 4); ends when it is dropped.
#[derive(Debug)]
struct Lock {
    shared: Rc<Shared>,
    user: UserId,
}

impl Lock {
    fn take(shared: &Rc<Shared>, user: UserId) -> Option<Self> {
        let free = shared.locked.borrow_mut().insert(user);
        free.then(|| Self {
            shared: Rc::clone(shared),
            user,
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.shared.locked.borrow_mut().remove(&self.user);
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
            return Answer::Bye(TEMPORARY);
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

    /// Who is disabled, removed or has a new password loses the running session.
    fn outdated(&mut self) -> Option<Answer> {
        let outdated = self.shared.common.login.outdated(self.person?)?;
        self.maildrop = None;
        Some(Answer::Bye(outdated))
    }

    /// Removes what was deleted; the answer waits for the medium.
    async fn quit(&mut self) -> Answer {
        self.running = None;
        if let Some(answer) = self.outdated() {
            return answer;
        }
        let Some(maildrop) = self.maildrop.take() else {
            return Answer::Ok("Bye".to_owned());
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

    /// Nothing happens here that a client waits for.
    async fn woken(&mut self) {
        pending::<()>().await;
    }
}
