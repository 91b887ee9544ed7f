//! A lane while somebody works on it: which entries are in hand, and how many connections it may have.

use std::{
    cell::{Cell, RefCell},
    collections::{HashSet, VecDeque},
    fmt,
    rc::Rc,
};

use smol::channel::{Receiver, Sender, bounded};

use crate::{
    base::id::QueueId,
    mail::{address::Address, domain::Domain},
    routing::{Directory, LookupFailed, NextHop, Options, Way, nexthop, nexthop::stored},
    schedule::Window,
    service::lookup::Rows,
    store::{
        directory::TransportTls,
        queue::{LaneNote, QueueEntry, QueuedRecipient, Uptime},
    },
};

/// Entries that are looked up in one go.
pub(super) const CHUNK: usize = 32;

/// What workers of one lane share.
pub(super) struct Lane {
    /// As [`QueuedRecipient::lane`] has it.
    pub name: String,
    /// Its due entries that nobody has begun.
    pub ready: RefCell<VecDeque<Rc<Claim>>>,
    pub window: RefCell<Window>,
    /// Connections, made or in the making.
    pub workers: Cell<u32>,
    /// Tries in a row that ended before a message was looked at, as the store has it.
    pub failures: Cell<u32>,
    /// The store knows of trouble: it is to be told when that is over.
    pub noted: Cell<bool>,
    /// It has just failed: nothing is tried until the store has that.
    pub cooling: Cell<bool>,
    /// Somebody looks at the age of what waits.
    pub aging: Cell<bool>,
    taken: RefCell<HashSet<QueueId>>,
    /// Connections that wait for more mail.
    parked: RefCell<VecDeque<Sender<bool>>>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({})", self.name)
    }
}

impl Lane {
    pub fn new(name: String, limit: u32, failures: u32, noted: bool) -> Rc<Self> {
        Rc::new(Self {
            name,
            ready: RefCell::default(),
            window: RefCell::new(Window::new(limit)),
            workers: Cell::new(0),
            failures: Cell::new(failures),
            noted: Cell::new(noted),
            cooling: Cell::new(false),
            aging: Cell::new(false),
            taken: RefCell::default(),
            parked: RefCell::default(),
        })
    }

    /// Where its mail goes; `None`: the text means nothing to this version.
    pub fn hop(&self) -> Option<NextHop> {
        if self.name.contains(':') && !self.name.starts_with('[') {
            return stored(&self.name);
        }
        let domain = Domain::parse(&self.name)?;
        Some(NextHop::Mx { domain, port: 25 })
    }

    /// How many entries somebody has in hand.
    pub fn taken(&self) -> usize {
        self.taken.borrow().len()
    }

    pub fn has(&self, id: QueueId) -> bool {
        self.taken.borrow().contains(&id)
    }

    pub fn is_parked(&self) -> bool {
        let parked = self.parked.borrow();
        parked.iter().any(|sender| !sender.is_closed())
    }

    /// Takes an entry, unless somebody has it.
    pub fn claim(self: &Rc<Self>, id: QueueId) -> Option<Rc<Claim>> {
        let lane = Rc::clone(self);
        self.taken
            .borrow_mut()
            .insert(id)
            .then(|| Rc::new(Claim { lane, id }))
    }

    /// What the store is told once it works again after a failure.
    pub fn recovered(&self) -> Option<LaneNote> {
        self.failures.set(0);
        self.noted.replace(false).then(|| LaneNote {
            lane: self.name.clone(),
            not_before: 0,
            failures: 0,
            reason: None,
        })
    }

    /// Waits for a word: true = there is more mail, false = the place is wanted.
    pub fn park(&self) -> Receiver<bool> {
        let (sender, receiver) = bounded(1);
        self.parked.borrow_mut().push_back(sender);
        receiver
    }

    /// Gives a word to one connection that waits; false if there is none.
    pub fn tell(&self, more: bool) -> bool {
        while let Some(sender) = self.parked.borrow_mut().pop_front() {
            if sender.try_send(more).is_ok() {
                return true;
            }
        }
        false
    }
}

/// An entry in hand. Dropped, others may take it.
pub(super) struct Claim {
    lane: Rc<Lane>,
    pub id: QueueId,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({:?})", self.id)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lane.taken.borrow_mut().remove(&self.id);
    }
}

/// A message on its way, and those of its recipients that are tried now.
#[derive(Debug)]
pub(super) struct Job {
    pub claim: Rc<Claim>,
    pub entry: QueueEntry,
    pub left: Vec<QueuedRecipient>,
    /// What the admin said of TLS for them.
    pub level: Option<TransportTls>,
    /// A connection that had been used before was lost with it: that proves nothing, once.
    pub again: bool,
}

/// What is to be done with the recipients of an entry that wait in a lane.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub here: Vec<QueuedRecipient>,
    /// The pattern of the transport that sends them this way.
    pub pattern: Option<String>,
    /// Those that the rows send another way by now.
    pub moved: Vec<(String, Option<String>)>,
    /// Nobody can tell where they go.
    pub unclear: Vec<QueuedRecipient>,
}

/// Sorts the recipients of an entry that are due in a lane.
pub(super) fn sort(
    rows: &Rows<'_>,
    options: &Options,
    lane: &str,
    entry: &QueueEntry,
    now: Uptime,
) -> Sorted {
    let mut sorted = Sorted::default();
    let sender = Address::parse(&entry.queued.sender);
    for recipient in &entry.queued.recipients {
        if recipient.due > now || recipient.lane() != lane {
            continue;
        }
        let way = if recipient.pinned {
            Ok(stays(recipient))
        } else {
            way(rows, options, sender.as_ref(), recipient)
        };
        match way {
            Err(LookupFailed) => sorted.unclear.push(recipient.clone()),
            Ok(way) if way.transport != recipient.transport => {
                let moved = (recipient.address.clone(), way.transport);
                sorted.moved.push(moved);
            }
            Ok(way) if sorted.here.is_empty() || sorted.pattern == way.pattern => {
                sorted.pattern = way.pattern;
                sorted.here.push(recipient.clone());
            }
            // Another row, perhaps with another word on TLS: the next time.
            Ok(_) => {}
        }
    }
    sorted
}

fn way(
    directory: &dyn Directory,
    options: &Options,
    sender: Option<&Address>,
    recipient: &QueuedRecipient,
) -> Result<Way, LookupFailed> {
    match Address::parse(&recipient.address) {
        Some(address) => nexthop(directory, options, sender, &address),
        // What was accepted is an address. If not, its text decides.
        None => Ok(stays(recipient)),
    }
}

/// Where it waits already.
fn stays(recipient: &QueuedRecipient) -> Way {
    Way {
        transport: recipient.transport.clone(),
        pattern: None,
        hop: NextHop::Discard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{id::ContentId, time::Time},
        service::{dkim::tests::Place, lookup},
        store::queue::{Arrival, BodyKind, Queued},
    };

    #[test]
    fn what_is_pinned_goes_nowhere_else() {
        let place = Place::new();
        let recipient = |address: &str, pinned| QueuedRecipient {
            address: address.to_owned(),
            transport: Some("relay:new".to_owned()),
            pinned,
            ..QueuedRecipient::default()
        };
        let entry = QueueEntry {
            content: ContentId(1),
            size: 1,
            arrived: Time(1),
            since: 0,
            held: false,
            queued: Queued {
                id: "Q1".to_owned(),
                sender: "a@home.test".to_owned(),
                submitter: None,
                envid: None,
                ret: None,
                body: BodyKind::SevenBit,
                smtputf8: false,
                requiretls: false,
                arrival: Arrival::Here,
                recipients: vec![
                    recipient("x@away.test", true),
                    recipient("y@away.test", false),
                ],
            },
        };
        let sorted = lookup::look(&place.store, |rows| {
            sort(rows, &Options::default(), "relay:new", &entry, 9)
        });
        let sorted = sorted.unwrap();
        let here: Vec<_> = sorted.here.iter().map(|one| &one.address).collect();
        assert_eq!(here, ["x@away.test"]);
        assert_eq!(sorted.moved, [("y@away.test".to_owned(), None)]);
    }
}
