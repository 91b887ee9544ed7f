//! Mailboxes as they should be, and what each client believes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::common::house::Stored;

pub type FlagSet = BTreeSet<String>;

/// A message as it should be.
#[derive(Clone, Debug)]
pub struct Message {
    pub flags: FlagSet,
    pub size: u64,
    /// MODSEQ as the store had it last, with the flags at that time; 0 = not yet.
    pub stored: (u64, FlagSet),
    /// The session and its selection for which it was \Recent.
    pub recent: Option<(usize, u32)>,
}

impl Message {
    pub fn new(size: u64) -> Self {
        Self {
            flags: FlagSet::new(),
            size,
            stored: (0, FlagSet::new()),
            recent: None,
        }
    }

    /// The same message in another place.
    pub fn copy(&self) -> Self {
        let mut copy = Self::new(self.size);
        copy.flags.clone_from(&self.flags);
        copy
    }
}

/// A folder, also one that is deleted while somebody looks at it.
#[derive(Debug, Default)]
pub struct Folder {
    pub name: Option<String>,
    pub messages: BTreeMap<u32, Message>,
    pub last: u32,
    pub modseq: u64,
}

impl Folder {
    pub fn new(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub fn add(&mut self, message: Message) {
        self.last += 1;
        self.messages.insert(self.last, message);
    }

    /// The store has this as it should be; nothing goes back.
    pub fn same(&mut self, stored: &Stored, context: &str) {
        assert_eq!(stored.next, self.last + 1, "{context}");
        assert!(stored.modseq >= self.modseq, "{context}");
        self.modseq = stored.modseq;
        let uids: Vec<_> = self.messages.keys().collect();
        let there: Vec<_> = stored.messages.keys().collect();
        assert_eq!(there, uids, "{context}");
        let (mut octets, mut unseen) = (0, 0);
        for (message, (uid, (flags, modseq, size))) in
            self.messages.values_mut().zip(&stored.messages)
        {
            assert_eq!(
                (flags, size),
                (&message.flags, &message.size),
                "UID {uid} {context}"
            );
            let (before, old) = &message.stored;
            let changed = old != flags || *before == 0;
            assert!(
                modseq > before || !changed && modseq == before,
                "UID {uid} {context}"
            );
            assert!(*modseq <= stored.modseq, "UID {uid} {context}");
            message.stored = (*modseq, flags.clone());
            octets += size;
            unseen += u32::from(!flags.contains("\\Seen"));
        }
        let counts = (stored.exists as usize, stored.octets, stored.unseen);
        assert_eq!(counts, (stored.messages.len(), octets, unseen), "{context}");
    }
}

/// What a client makes use of.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    #[default]
    Plain,
    Condstore,
    Qresync,
}

/// A message as a client knows it.
#[derive(Clone, Debug)]
pub struct Known {
    pub uid: u32,
    pub flags: Option<FlagSet>,
    pub modseq: Option<u64>,
}

impl Known {
    pub fn new(uid: u32) -> Self {
        Self {
            uid,
            flags: None,
            modseq: None,
        }
    }
}

/// What a client keeps of a folder that it does not look at.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    pub validity: String,
    pub highest: u64,
    /// In the order of sequence numbers.
    pub messages: Vec<Known>,
}

/// What a client was told.
#[derive(Debug, Default)]
pub struct Client {
    pub kind: Kind,
    pub online: bool,
    pub folder: Option<usize>,
    pub selections: u32,
    pub read_only: bool,
    pub validity: String,
    /// By sequence number.
    pub messages: Vec<Known>,
    /// The last UID that was there when it was told a count.
    pub last: u32,
    /// HIGHESTMODSEQ as RFC 7162 section 6 has a client work it out.
    pub highest: u64,
    /// The highest MODSEQ that was told since the last completion.
    pub shown: u64,
    /// Of the folder that it comes back to, what it has not seen again yet.
    pub cache: BTreeMap<u32, Known>,
    /// By folder name.
    pub away: BTreeMap<String, Cache>,
    /// `$` (RFC 5182).
    pub saved: BTreeSet<u32>,
}

impl Client {
    /// Keeps what it knows of the folder that it leaves.
    pub fn put_away(&mut self, name: Option<String>) {
        if self.folder.take().is_some()
            && self.kind == Kind::Qresync
            && let Some(name) = name
        {
            let cache = Cache {
                validity: self.validity.clone(),
                highest: self.highest,
                messages: self.messages.clone(),
            };
            self.away.insert(name, cache);
        }
        self.messages.clear();
        self.cache.clear();
        self.saved.clear();
    }

    pub fn known(&self) -> BTreeSet<u32> {
        self.messages.iter().map(|message| message.uid).collect()
    }
}

/// Messages as a command names them.
pub struct Chosen {
    pub uid: bool,
    /// Numbers, or `$`.
    pub set: String,
    /// Those of them that the client has sequence numbers for.
    pub named: BTreeSet<u32>,
    /// Those of `named` that are there.
    pub uids: BTreeSet<u32>,
}

impl Chosen {
    /// `UID ` or nothing.
    pub fn prefix(&self) -> &'static str {
        if self.uid { "UID " } else { "" }
    }

    /// Sequence numbers of messages that are gone.
    pub fn is_stale(&self) -> bool {
        !self.uid && self.set != "$" && self.named != self.uids
    }
}
