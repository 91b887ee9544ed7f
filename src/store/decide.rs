//! Deciding a request: reads what the batch has done so far, refuses, or says what will be.

use crate::{
    base::{
        id::{ContentId, FolderId, ModSeq, QueueId, Uid, UserId},
        ranges::Ranges,
        time::Time,
    },
    store::{
        Broken, Refusal, administer,
        change::{Change, Copied},
        counters, directory,
        index::{key, table::Rows},
        mailbox::{self, folder},
        message::{arrive, content, copy, expunge, flag},
        queue,
        request::{Append, Happened, Notice, Reply, Request},
    },
};

/// What is handed out and what is allowed while a request is decided.
#[derive(Clone, Debug)]
pub struct Numbers {
    user: u32,
    folder: u32,
    validity: u32,
    content: u64,
    queue: u64,
    app_password: u32,
    pub folders_max: u64,
    pub keywords_max: u64,
    /// Octets by which the index may grow.
    pub index_room: u64,
}

impl Numbers {
    /// # Errors
    ///
    /// The index fails.
    pub fn new(
        rows: &impl Rows,
        content: u64,
        now: Time,
        folders_max: u64,
        keywords_max: u64,
        index_room: u64,
    ) -> Result<Self, Broken> {
        let counters = counters::counters(rows)?;
        // Seconds since 1970 as a floor: a store made anew does not repeat an older one's.
        let now = u32::try_from(now.0).unwrap_or(0);
        Ok(Self {
            user: counters.user,
            folder: counters.folder,
            validity: counters.validity.max(now).max(1),
            content: content.max(counters.content),
            queue: counters.queue,
            app_password: counters.app_password,
            folders_max,
            keywords_max,
            index_room,
        })
    }

    pub fn content(&mut self) -> ContentId {
        let id = ContentId(self.content);
        self.content = self.content.saturating_add(1);
        id
    }

    /// The next content's number.
    #[must_use]
    pub fn next_content(&self) -> u64 {
        self.content
    }

    pub fn folder(&mut self) -> Result<FolderId, Refusal> {
        next(&mut self.folder, "numbers of folders").map(FolderId)
    }

    pub fn queue(&mut self) -> QueueId {
        let id = QueueId(self.queue);
        self.queue = self.queue.saturating_add(1);
        id
    }

    pub fn app_password(&mut self) -> Result<u32, Refusal> {
        next(&mut self.app_password, "numbers of app passwords")
    }

    pub fn user(&mut self) -> Result<UserId, Refusal> {
        next(&mut self.user, "numbers of users").map(UserId)
    }

    pub fn validity(&mut self) -> Result<u32, Refusal> {
        next(&mut self.validity, "UIDVALIDITYs")
    }
}

/// A number that is given once: the last one of all stays free, as what comes next.
fn next(counter: &mut u32, name: &'static str) -> Result<u32, Refusal> {
    let given = *counter;
    let limit = u64::from(u32::MAX);
    *counter = given.checked_add(1).ok_or(Refusal::Limit { name, limit })?;
    Ok(given)
}

/// What was decided.
#[derive(Debug)]
pub struct Decided {
    /// `None`: nothing has to change.
    pub change: Option<Change>,
    /// What to answer once it is on the medium.
    pub reply: Reply,
}

/// Decides one request. Writes nothing.
///
/// # Errors
///
/// See [`Refusal`].
pub fn decide(
    rows: &impl Rows,
    numbers: &mut Numbers,
    sequence: u64,
    request: &Request,
) -> Result<Decided, Refusal> {
    let change = match request {
        Request::Append(append) => return appended(rows, numbers, append),
        Request::Copy { from, to, uids } => {
            let change = copy::decide(rows, numbers, *from, *to, uids, false)?;
            return copied(rows, *to, change);
        }
        Request::Move { from, to, uids } => {
            let change = copy::decide(rows, numbers, *from, *to, uids, true)?;
            return copied(rows, *to, change);
        }
        Request::CreateFolder {
            user,
            name,
            special,
        } => {
            let change = folder::decide_create(rows, numbers, *user, name, *special)?;
            let id = match &change {
                Change::CreateFolder(new) => new.folder,
                _ => FolderId(0),
            };
            return Ok(done(change, Reply::Folder(id)));
        }
        Request::DeleteFolder { folder } => folder::decide_delete(rows, *folder)?,
        Request::Deliver(deliver) => {
            let change = arrive::decide_delivery(rows, numbers, deliver)?;
            return Ok(done(change, Reply::Delivered { sequence }));
        }
        Request::Expunge { folder, uids } => {
            return Ok(expunged(expunge::decide(rows, *folder, uids.as_ref())?));
        }
        Request::Flag(flag) => return flagged(rows, numbers, flag),
        Request::Raise {
            folder,
            uid_next,
            modseq,
        } => {
            mailbox::folder(rows, *folder)?.ok_or(Refusal::NoFolder)?;
            Change::Raise {
                folder: *folder,
                uid_next: *uid_next,
                modseq: *modseq,
            }
        }
        Request::Recent { folder, uid } => return recent(rows, *folder, *uid),
        Request::RenameFolder { folder, name } => {
            folder::decide_rename(rows, numbers, *folder, name)?
        }
        Request::RenameLevel { user, from, name } => {
            folder::decide_rename_level(rows, *user, from, name)?
        }
        Request::Subscribe { user, name, on } => {
            return subscribe(rows, numbers, *user, name, *on);
        }
        Request::Summarize { content, summary } => match content::row(rows, *content)? {
            Some(_) => Change::Summarize {
                content: *content,
                summary: summary.clone(),
            },
            None => return Ok(nothing()),
        },
        Request::RemoveMessages { folder, uids } => {
            return Ok(expunged(expunge::decide_named(rows, *folder, uids)?));
        }
        Request::HoldQueued { .. }
        | Request::RemoveQueued { .. }
        | Request::RetryQueued { .. }
        | Request::Settle { .. }
        | Request::Uptime(_)
        | Request::WakeLanes { .. } => return Ok(queued(queue::decide(rows, request)?)),
        // They change nothing that lasts; the writer stores them by itself.
        Request::Filters(_) => return Ok(nothing()),
        other => return administer::decide(rows, numbers, other),
    };
    Ok(done(change, Reply::Done))
}

fn appended(rows: &impl Rows, numbers: &mut Numbers, append: &Append) -> Result<Decided, Refusal> {
    let folder = mailbox::folder(rows, append.folder)?.ok_or(Refusal::NoFolder)?;
    let validity = folder.validity;
    let change = arrive::decide_append(rows, numbers, append)?;
    let uids = arrived(&change);
    Ok(done(change, Reply::Appended { validity, uids }))
}

fn queued(change: Option<Change>) -> Decided {
    change.map_or_else(nothing, |change| done(change, Reply::Done))
}

fn recent(rows: &impl Rows, folder: FolderId, uid: Uid) -> Result<Decided, Refusal> {
    Ok(match mailbox::folder(rows, folder)? {
        Some(row) if row.recent < uid => done(Change::Recent { folder, uid }, Reply::Done),
        _ => nothing(),
    })
}

fn expunged(change: Option<Change>) -> Decided {
    let uids = match &change {
        Some(Change::Expunge { uids, .. }) => uids.clone(),
        _ => Ranges::new(),
    };
    let reply = Reply::Expunged { uids };
    Decided { change, reply }
}

fn subscribe(
    rows: &impl Rows,
    numbers: &Numbers,
    user: UserId,
    name: &str,
    on: bool,
) -> Result<Decided, Refusal> {
    directory::known(rows, user)?;
    if rows.has(&key::subscription(user, name))? == on {
        return Ok(nothing());
    }
    if on {
        folder::check_subscription(rows, numbers, user, name)?;
    }
    let name = name.to_owned();
    Ok(done(Change::Subscribe { user, name, on }, Reply::Done))
}

pub(super) fn done(change: Change, reply: Reply) -> Decided {
    Decided {
        change: Some(change),
        reply,
    }
}

pub(super) fn nothing() -> Decided {
    Decided {
        change: None,
        reply: Reply::Done,
    }
}

fn arrived(change: &Change) -> Ranges {
    match change {
        Change::Accept(accepted) => accepted
            .iter()
            .flat_map(|a| &a.deliveries)
            .map(|d| d.uid.0)
            .collect(),
        _ => Ranges::new(),
    }
}

fn copied(rows: &impl Rows, to: FolderId, change: Option<Change>) -> Result<Decided, Refusal> {
    let validity = mailbox::folder(rows, to)?
        .ok_or(Refusal::NoFolder)?
        .validity;
    let (from, to) = match &change {
        Some(Change::Copy(c) | Change::Move(c)) => (c.uids.clone(), targets(c)),
        _ => (Ranges::new(), Ranges::new()),
    };
    let reply = Reply::Copied { validity, from, to };
    Ok(Decided { change, reply })
}

/// The numbers that copies get.
fn targets(copied: &Copied) -> Ranges {
    let count = u32::try_from(copied.uids.count()).unwrap_or(u32::MAX);
    match count.checked_sub(1) {
        Some(more) => Ranges::span(copied.first.0, copied.first.0.saturating_add(more)),
        None => Ranges::new(),
    }
}

fn flagged(
    rows: &impl Rows,
    numbers: &Numbers,
    request: &crate::store::request::Flag,
) -> Result<Decided, Refusal> {
    let (change, outcome) = flag::decide(rows, numbers, request)?;
    let (changed, modseq) = match &change {
        Some(Change::Flag(f)) => (f.uids.clone(), f.modseq),
        _ => (Ranges::new(), ModSeq(0)),
    };
    let reply = Reply::Flagged {
        changed,
        failed: outcome.failed,
        modseq,
    };
    Ok(Decided { change, reply })
}

/// What a change does to folders, for those who look at them.
pub fn notices(change: &Change, out: &mut Vec<Notice>) {
    let mut tell = |folder: FolderId, modseq: ModSeq, what: Happened| {
        out.push(Notice {
            folder,
            modseq,
            what,
        });
    };
    match change {
        Change::Accept(accepted) => {
            for d in accepted.iter().flat_map(|a| &a.deliveries) {
                let uids = Ranges::span(d.uid.0, d.uid.0);
                tell(d.folder, d.modseq, Happened::Appeared(uids));
            }
        }
        Change::RemoveAppPassword { .. }
        | Change::RemoveDomain { .. }
        | Change::RemoveUser { .. }
        | Change::SetDomainEnabled { .. }
        | Change::SetPassword { .. }
        | Change::SetUserEnabled { .. } => tell(FolderId(0), ModSeq(0), Happened::Accounts),
        Change::Copy(c) => tell(c.to, c.modseq, Happened::Appeared(targets(c))),
        Change::Move(c) => {
            tell(c.to, c.modseq, Happened::Appeared(targets(c)));
            let modseq = if c.from == c.to {
                c.modseq
            } else {
                c.from_modseq
            };
            tell(c.from, modseq, Happened::Vanished(c.uids.clone()));
        }
        Change::DeleteFolders(folders) => {
            for &folder in folders {
                tell(folder, ModSeq(0), Happened::Deleted);
            }
        }
        Change::Expunge {
            folder,
            uids,
            modseq,
        } => tell(*folder, *modseq, Happened::Vanished(uids.clone())),
        Change::Flag(f) => tell(f.folder, f.modseq, Happened::Flagged(f.uids.clone())),
        Change::Several(changes) => {
            for change in changes {
                notices(change, out);
            }
        }
        _ => {}
    }
}
