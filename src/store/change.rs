//! Everything that alters state, as values. Decided once, applied the same way at run time, at
//! recovery, at rebuild, at restore and on a standby.

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        id::{ContentId, FolderId, ModSeq, QueueId, Uid, UserId},
        ranges::Ranges,
        time::Time,
    },
    mail::flag::Flags,
    store::{
        directory::{DomainClass, NewAppPassword, table::Edited, user::Secrets},
        log::Place,
        queue::{Fate, LaneNote, Queued, Settled, Uptime},
        request::{FlagMode, Special},
        value,
    },
};

/// Largest encoded change in octets.
pub const CHANGE_MAX: usize = 4 * 1024 * 1024;

/// A change and when it was decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dated {
    pub time: Time,
    pub change: Change,
}

impl Dated {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        value::encode(self)
    }

    /// # Errors
    ///
    /// It was not written by us, or by a newer version.
    pub fn decode(octets: &[u8]) -> Result<Self, crate::store::Broken> {
        value::decode(octets, "change")
    }
}

/// All that was decided is in here: applying it asks nothing. New variants go to the end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Change {
    /// Messages arrive: with all their deliveries, at once.
    Accept(Vec<Accepted>),
    AddAppPassword {
        user: UserId,
        id: u32,
        app: NewAppPassword,
    },
    AddDomain {
        name: String,
        class: DomainClass,
        /// AC-5: nobody is known there but those of its list.
        listed: bool,
    },
    AddUser(NewUser),
    Copy(Copied),
    CreateFolder(NewFolder),
    /// Folders with their messages.
    DeleteFolders(Vec<FolderId>),
    /// Rows of the administrator's tables: all of them or none.
    Edit(Vec<Edited>),
    Expunge {
        folder: FolderId,
        uids: Ranges,
        modseq: ModSeq,
    },
    Flag(Flagged),
    /// After a loss: every counter that hands out numbers is raised.
    Jump {
        numbers: u32,
        modseqs: u64,
    },
    Move(Copied),
    /// Content has a new place.
    Moved(Vec<MovedPiece>),
    Recent {
        folder: FolderId,
        uid: Uid,
    },
    RemoveAppPassword {
        user: UserId,
        id: u32,
    },
    /// With its list of recipients.
    RemoveDomain {
        name: String,
    },
    RemoveQueued(QueueId),
    RemoveUser {
        user: UserId,
        purge: bool,
    },
    RenameFolders(Vec<(FolderId, String)>),
    RenameUser {
        user: UserId,
        address: String,
    },
    Set {
        key: String,
        value: Option<String>,
    },
    SetDomainEnabled {
        name: String,
        enabled: bool,
    },
    SetDomainListed {
        name: String,
        listed: bool,
    },
    SetPassword {
        user: UserId,
        secrets: Secrets,
        /// False: the same password in another form.
        changed: bool,
    },
    SetQuota {
        user: UserId,
        quota: u64,
    },
    SetUserEnabled {
        user: UserId,
        enabled: bool,
    },
    /// Several at once, in this order.
    Several(Vec<Change>),
    Subscribe {
        user: UserId,
        name: String,
        on: bool,
    },
    Summarize {
        content: ContentId,
        summary: Vec<u8>,
    },
    UsedAppPassword {
        user: UserId,
        id: u32,
        time: Time,
    },
    /// A folder's next UID and MODSEQ are at least these.
    Raise {
        folder: FolderId,
        uid_next: Uid,
        modseq: ModSeq,
    },
    HoldQueued {
        queues: Vec<QueueId>,
        held: bool,
    },
    RetryQueued(Vec<QueueId>),
    /// What became of queued mail, and of a try as a whole.
    Settle {
        settled: Vec<Settled>,
        lane: Option<LaneNote>,
        uptime: Uptime,
    },
    /// The clock of network-up time.
    Uptime(Uptime),
    /// These lanes may be tried again; without names, every one.
    WakeLanes {
        lanes: Vec<String>,
        uptime: Uptime,
    },
}

impl Change {
    /// Whether it may make content dead.
    #[must_use]
    pub fn frees(&self) -> bool {
        match self {
            Self::DeleteFolders(_)
            | Self::Expunge { .. }
            | Self::Moved(_)
            | Self::RemoveAppPassword { .. }
            | Self::RemoveDomain { .. }
            | Self::RemoveQueued(_)
            | Self::RemoveUser { .. }
            | Self::SetPassword { .. } => true,
            Self::Accept(accepted) => accepted.iter().any(|a| ends(&a.settles)),
            Self::Settle { settled, .. } => ends(settled),
            Self::Edit(_) => self.purges(),
            Self::Several(changes) => changes.iter().any(Self::frees),
            _ => false,
        }
    }

    /// Whether something has to leave the medium by it, dumps included.
    #[must_use]
    pub fn purges(&self) -> bool {
        match self {
            Self::RemoveUser { purge, .. } => *purge,
            // A domain's keys go with it.
            Self::RemoveAppPassword { .. }
            | Self::RemoveDomain { .. }
            | Self::SetPassword { .. } => true,
            Self::Edit(rows) => rows.iter().any(|row| {
                matches!(
                    row,
                    Edited::DkimKey { purge: true, .. } | Edited::Route { purge: true, .. }
                )
            }),
            Self::Several(changes) => changes.iter().any(Self::purges),
            _ => false,
        }
    }
}

/// Whether some recipient needs its message no longer.
fn ends(settled: &[Settled]) -> bool {
    let mut fates = settled.iter().flat_map(|settled| &settled.recipients);
    fates.any(|(_, fate)| *fate == Fate::Gone)
}

/// Content with the messages and the queue entry that have it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    pub content: ContentId,
    pub prefix: Vec<u8>,
    /// Of the content without the prefix, in octets.
    pub size: u64,
    pub pieces: Vec<PieceAt>,
    pub summary: Vec<u8>,
    pub date: Time,
    pub deliveries: Vec<Delivery>,
    pub queued: Option<(QueueId, Queued)>,
    /// It tells a person that the mailbox is filling up, and from how many percent on.
    pub warns: Option<(UserId, u8)>,
    /// What it tells of: outcomes of other queued mail.
    pub settles: Vec<Settled>,
}

impl Accepted {
    /// With the prefix.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.size.saturating_add(self.prefix.len() as u64)
    }
}

/// A piece of content in the log.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PieceAt {
    pub place: Place,
    pub deflated: bool,
}

/// A message arrives in a folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Delivery {
    pub folder: FolderId,
    pub uid: Uid,
    pub modseq: ModSeq,
    pub flags: Flags,
    pub keywords: Vec<u16>,
    /// Keyword names that the folder gets with it, behind those it has.
    pub names: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NewUser {
    pub user: UserId,
    pub address: String,
    pub secrets: Secrets,
    pub quota: u64,
    pub folders: Vec<NewFolder>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NewFolder {
    pub folder: FolderId,
    pub user: UserId,
    pub name: String,
    pub special: Option<Special>,
    pub validity: u32,
}

/// The k-th of `uids` becomes `first + k`, whether or not it is there at replay.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Copied {
    pub from: FolderId,
    pub to: FolderId,
    pub uids: Ranges,
    pub first: Uid,
    /// Of `from`, where they vanish (MOVE).
    pub from_modseq: ModSeq,
    /// Of `to`.
    pub modseq: ModSeq,
    /// Keyword places in `from` with those in `to`.
    pub keywords: Vec<(u16, u16)>,
    /// Keyword names that `to` gets, behind those it has.
    pub names: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Flagged {
    pub folder: FolderId,
    /// Exactly those that change.
    pub uids: Ranges,
    pub mode: FlagMode,
    pub flags: Flags,
    pub keywords: Vec<u16>,
    pub names: Vec<String>,
    pub modseq: ModSeq,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MovedPiece {
    pub content: ContentId,
    pub old: Place,
    pub new: Place,
}
