//! What services ask of the writer, and what it answers once the change is on the medium.

use crate::base::{
    id::{ContentId, FolderId, ModSeq, QueueId, Uid, UserId},
    ranges::Ranges,
    secret::Secret,
    time::Time,
};
use crate::mail::flag::Flags;
use crate::store::{
    content::Body,
    directory::{DomainClass, Edit, NewAppPassword, ScramKeys},
    queue::{LaneNote, Queued, Settled, Uptime},
};

/// One wish. The writer decides it against all that came before it in the same batch; it is carried
/// out as a whole or not at all.
#[derive(Debug)]
pub enum Request {
    /// One more for a device of a person; what was verified before stays good.
    AddAppPassword {
        user: UserId,
        app: NewAppPassword,
    },
    /// `name` in ASCII form, lower case.
    AddDomain {
        name: String,
        class: DomainClass,
        /// AC-5: nobody is known there but those of its list.
        listed: bool,
    },
    /// A person with a mailbox and its folders (ST-3). `address` is the key form
    /// (`mail::address::Address::key`), its domain must be there. `quota` in octets, 0 = none.
    AddUser {
        address: String,
        password: Secret,
        scram: Option<ScramKeys>,
        scram_salt: [u8; 16],
        scram_count: u32,
        quota: u64,
    },
    Append(Append),
    /// COPY: all of `uids` that exist, with their flags.
    Copy {
        from: FolderId,
        to: FolderId,
        uids: Ranges,
    },
    CreateFolder {
        user: UserId,
        name: String,
        special: Option<Special>,
    },
    /// The folder with its messages; its children stay (RFC 3501 section 6.3.4).
    DeleteFolder {
        folder: FolderId,
    },
    Deliver(Deliver),
    /// Rows of the administrator's tables, all or none; refused with
    /// [`Changed`](crate::store::Refusal::Changed) where one is not what it was said to be.
    Edit(Vec<Edit>),
    /// Of `uids`, those with \Deleted go for good; `None` = the whole folder.
    Expunge {
        folder: FolderId,
        uids: Option<Ranges>,
    },
    /// What a search may skip of these contents: derived, in the index only, lost at a rebuild. Where a
    /// content is gone its filter is left out; [`Full`](crate::store::Refusal::Full) where room is short.
    /// Ready when readers see them; there is no sync.
    Filters(Vec<(ContentId, Vec<u8>)>),
    Flag(Flag),
    /// MOVE: all of `uids` that exist (RFC 6851).
    Move {
        from: FolderId,
        to: FolderId,
        uids: Ranges,
    },
    /// A folder's next UID and MODSEQ become at least these: for an import that keeps UIDs.
    Raise {
        folder: FolderId,
        uid_next: Uid,
        modseq: ModSeq,
    },
    /// A session has shown all messages below this UID as \Recent. Nobody waits for it.
    Recent {
        folder: FolderId,
        uid: Uid,
    },
    /// What was verified with it is void: the credential version rises.
    RemoveAppPassword {
        user: UserId,
        id: u32,
    },
    /// With its list of recipients. Refused with [`NotEmpty`](crate::store::Refusal::NotEmpty) while
    /// people have addresses there, or aliases are there
    /// ([`Reader::domain_holds`](crate::store::Reader::domain_holds) says which).
    RemoveDomain {
        name: String,
    },
    /// All of `uids` that exist go for good, whatever their flags (POP3).
    RemoveMessages {
        folder: FolderId,
        uids: Ranges,
    },
    /// What became of queued mail: outcomes go to the medium at once (OQ-11). Entries that are gone are
    /// passed over.
    Settle {
        settled: Vec<Settled>,
        lane: Option<LaneNote>,
        uptime: Uptime,
    },
    /// Held mail is not tried; released mail is due at once (OQ-8). An entry that is gone is passed over.
    HoldQueued {
        queues: Vec<QueueId>,
        held: bool,
    },
    /// Due at once, and their lanes as well (OQ-8).
    RetryQueued {
        queues: Vec<QueueId>,
    },
    /// These lanes may be tried again, or without names every one: the network is back (LM-12). The writer
    /// does nothing else meanwhile: who wakes many asks for some hundred at a time.
    WakeLanes {
        lanes: Vec<String>,
        uptime: Uptime,
    },
    /// The clock of network-up time. Nobody waits for it.
    Uptime(Uptime),
    /// The whole entry.
    RemoveQueued {
        queue: QueueId,
    },
    /// The person can no longer be reached; with `purge` the mail goes at once, else it is kept until
    /// `purge` is asked for (ST-11).
    RemoveUser {
        user: UserId,
        purge: bool,
    },
    /// A folder and its children get new names (of INBOX: its messages move to a new folder, RFC 3501
    /// section 6.3.5).
    RenameFolder {
        folder: FolderId,
        name: String,
    },
    /// The same for a name of which there is no folder: what lies below it gets new names.
    RenameLevel {
        user: UserId,
        from: String,
        name: String,
    },
    RenameUser {
        user: UserId,
        address: String,
    },
    /// The text of a setting; `None` forgets it.
    Set {
        key: String,
        value: Option<String>,
    },
    SetDomainEnabled {
        name: String,
        enabled: bool,
    },
    /// Whether only recipients of the domain's list are known (AC-5).
    SetDomainListed {
        name: String,
        listed: bool,
    },
    /// `password` is a PHC string, or a crypt hash that is imported. App passwords stay in any case.
    SetPassword {
        user: UserId,
        password: Secret,
        scram: Option<ScramKeys>,
        scram_salt: [u8; 16],
        scram_count: u32,
        /// The credential version rises. False: the same password in another form.
        changed: bool,
        /// Refused with [`Changed`](crate::store::Refusal::Changed) if the credential version is another
        /// one by then.
        was: Option<u64>,
    },
    SetQuota {
        user: UserId,
        quota: u64,
    },
    SetUserEnabled {
        user: UserId,
        enabled: bool,
    },
    Subscribe {
        user: UserId,
        name: String,
        on: bool,
    },
    /// What was derived from content again (it was missing or old). Nobody waits for it.
    Summarize {
        content: ContentId,
        summary: Vec<u8>,
    },
    /// Kept to the hour. Nobody waits for it.
    UsedAppPassword {
        user: UserId,
        id: u32,
        time: Time,
    },
}

/// A message arrives: for mailboxes here, for others, or for both (SR-29: in one change).
#[derive(Debug)]
pub struct Deliver {
    /// Header lines in front of the content, whole lines with CRLF: Return-Path and the like.
    pub prefix: Vec<u8>,
    pub body: Body,
    /// As `mail::summary` encodes it, derived from the content without the prefix.
    pub summary: Vec<u8>,
    pub received: Time,
    /// A person twice gets one copy (FW-12).
    pub to: Vec<Recipient>,
    /// For everybody who is not here.
    pub queue: Option<Queued>,
    /// The message tells what became of these (a DSN): all in one change. Refused with
    /// [`NoEntry`](crate::store::Refusal::NoEntry) where an entry is gone.
    pub settles: Vec<Settled>,
    /// The message tells this person that from so many percent on the mailbox is full (ST-9): refused
    /// with [`Exists`](crate::store::Refusal::Exists) where that was told already. Such a message does
    /// not count for the quota and is not refused for it (UX-36).
    pub warns: Option<(UserId, u8)>,
}

#[derive(Clone, Debug)]
pub struct Recipient {
    pub user: UserId,
    /// `None` = INBOX.
    pub folder: Option<FolderId>,
    pub flags: Flags,
    pub keywords: Vec<String>,
    /// However full the mailbox is: postmaster and abuse (SR-26).
    pub always: bool,
}

/// APPEND of one or more messages (RFC 3502) to one folder: all or nothing.
#[derive(Debug)]
pub struct Append {
    pub folder: FolderId,
    pub messages: Vec<Appended>,
}

#[derive(Debug)]
pub struct Appended {
    pub body: Body,
    pub summary: Vec<u8>,
    pub date: Time,
    pub flags: Flags,
    pub keywords: Vec<String>,
}

/// STORE.
#[derive(Debug)]
pub struct Flag {
    pub folder: FolderId,
    /// Those that do not exist are skipped.
    pub uids: Ranges,
    pub mode: FlagMode,
    pub flags: Flags,
    pub keywords: Vec<String>,
    /// Messages changed after this are left alone and reported (RFC 7162 section 3.1.3).
    pub unchanged_since: Option<ModSeq>,
    /// \Seen that a FETCH sets: may gather; its answer does not wait for the medium.
    pub lazy: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum FlagMode {
    Add,
    Remove,
    Replace,
}

/// What a folder is for (RFC 6154).
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
)]
pub enum Special {
    Archive,
    Drafts,
    Junk,
    Sent,
    Trash,
}

/// A request was carried out and is on the medium.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The new app password's number among the person's.
    AppPassword(u32),
    /// The new messages' UIDs, in order.
    Appended {
        validity: u32,
        uids: Ranges,
    },
    /// The k-th of `from` became the k-th of `to`.
    Copied {
        validity: u32,
        from: Ranges,
        to: Ranges,
    },
    /// The sequence number of the change: a name for logs and for `queued as`.
    Delivered {
        sequence: u64,
    },
    Done,
    Expunged {
        uids: Ranges,
    },
    Flagged {
        changed: Ranges,
        /// Left alone because of `unchanged_since`.
        failed: Ranges,
        modseq: ModSeq,
    },
    Folder(FolderId),
    User(UserId),
}

/// What a change did to a folder: told after the sync, so that sessions on it can look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    pub folder: FolderId,
    /// The folder's HIGHESTMODSEQ after it.
    pub modseq: ModSeq,
    pub what: Happened,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Happened {
    /// Of no folder: somebody may no longer log in, or not with the same password.
    Accounts,
    Appeared(Ranges),
    /// The folder itself is gone.
    Deleted,
    Flagged(Ranges),
    Vanished(Ranges),
}
