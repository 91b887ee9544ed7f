//! A disk that remembers what is synced. It can be cut, killed, fail, be full and lie.
//!
//! A cut may undo any operation that is not synced, those of folders included; writes tear at 512
//! octets and leave the octets around them alone. A kill keeps the page cache. A failed sync marks its
//! pages clean, and only some are on the medium; a failed sync of a folder does the same to its names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pillarbox::store::disk::{Disk, File, Space};

pub use crate::octets::Dice;
use crate::octets::{Octets, PAGE};

const SECTOR: usize = 512;

/// What of the unsynced operations a cut leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    All,
    None,
    Other,
    Torn,
}

pub const OUTCOMES: [Outcome; 4] = [Outcome::All, Outcome::None, Outcome::Other, Outcome::Torn];

/// What is asked of the disk, as far as it is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    Create,
    Folder,
    Remove,
    Rename,
    SetLen,
    Sync,
    SyncFolder,
    Write,
}

#[derive(Clone, Debug)]
enum Change {
    SetLength(u64),
    Write(u64, Arc<[u8]>),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    cache: Octets,
    medium: Octets,
    /// Not synced, in order.
    pending: Vec<Change>,
}

impl Inode {
    fn change(&mut self, change: Change) {
        match &change {
            Change::SetLength(length) => self.cache.set_length(*length),
            Change::Write(offset, octets) => self.cache.write(*offset, octets),
        }
        self.pending.push(change);
    }

    /// What of the unsynced changes reaches the medium: all of them, or what `survives` says.
    fn settle(&mut self, dice: &mut Dice, survives: impl Fn(usize) -> Survival) {
        for (nth, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            match (survives(nth), change) {
                (Survival::Whole, Change::Write(offset, octets)) => {
                    self.medium.write(offset, &octets);
                }
                (Survival::Torn, Change::Write(offset, octets)) => {
                    // Sectors lie at multiples of their size on the disk, not in the write.
                    let mut done = 0;
                    while done < octets.len() {
                        let at = offset + done as u64;
                        let inside = usize::try_from(at % SECTOR as u64).unwrap();
                        let part = (SECTOR - inside).min(octets.len() - done);
                        if dice.coin() {
                            self.medium.write(at, &octets[done..done + part]);
                        }
                        done += part;
                    }
                }
                (Survival::Whole, Change::SetLength(length)) => self.medium.set_length(length),
                (Survival::Torn, Change::SetLength(length)) => {
                    if dice.coin() {
                        self.medium.set_length(length);
                    }
                }
                (Survival::Gone, _) => {}
            }
        }
    }
}

enum Survival {
    Gone,
    Torn,
    Whole,
}

#[derive(Clone, Debug)]
enum Naming {
    Create(String, u64),
    Folder(String),
    Remove(String),
    Rename(String, String, u64),
}

/// All there is on the disk; a copy of it is a disk at one moment.
#[derive(Clone, Debug, Default)]
pub struct State {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
    /// As the process sees them.
    names: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
    /// As they are on the medium.
    durable: BTreeMap<String, u64>,
    durable_folders: BTreeSet<String>,
    /// Not synced, by folder.
    pending: BTreeMap<String, Vec<Naming>>,
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl State {
    fn name(&mut self, naming: Naming) {
        let folder = match &naming {
            Naming::Create(name, id) => {
                self.names.insert(name.clone(), *id);
                folder_of(name)
            }
            Naming::Folder(name) => {
                self.folders.insert(name.clone());
                folder_of(name)
            }
            Naming::Remove(name) => {
                self.names.remove(name);
                folder_of(name)
            }
            Naming::Rename(from, to, id) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *id);
                folder_of(to)
            }
        };
        let folder = folder.to_owned();
        self.pending.entry(folder).or_default().push(naming);
    }

    fn settle_name(&mut self, naming: Naming) {
        match naming {
            Naming::Create(name, id) => {
                self.durable.insert(name, id);
            }
            Naming::Folder(name) => {
                self.durable_folders.insert(name);
            }
            Naming::Remove(name) => {
                self.durable.remove(&name);
            }
            Naming::Rename(from, to, id) => {
                self.durable.remove(&from);
                self.durable.insert(to, id);
            }
        }
    }

    /// The process ends: what it wrote stays in the cache, and open files that have no name go.
    pub fn kill(&mut self) {
        let mut named: BTreeSet<u64> = self.names.values().copied().collect();
        named.extend(self.durable.values());
        for naming in self.pending.values().flatten() {
            if let Naming::Create(_, id) | Naming::Rename(_, _, id) = naming {
                named.insert(*id);
            }
        }
        self.inodes.retain(|id, _| named.contains(id));
    }

    /// The power goes. `odd`: which half survives of [`Outcome::Other`].
    pub fn cut(&mut self, outcome: Outcome, odd: bool, dice: &mut Dice) {
        let mut nth = usize::from(odd);
        for (_, namings) in std::mem::take(&mut self.pending) {
            for naming in namings {
                nth += 1;
                let survives = match outcome {
                    Outcome::All => true,
                    Outcome::None => false,
                    Outcome::Other => nth % 2 == 0,
                    Outcome::Torn => dice.coin(),
                };
                if survives {
                    self.settle_name(naming);
                }
            }
        }
        let folders = &self.durable_folders;
        self.durable
            .retain(|name, _| folder_of(name).is_empty() || folders.contains(folder_of(name)));
        self.names = self.durable.clone();
        self.folders = self.durable_folders.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.inodes.retain(|id, _| named.contains(id));
        for inode in self.inodes.values_mut() {
            let single = inode.pending.len() == 1;
            inode.settle(dice, |nth| match outcome {
                Outcome::All => Survival::Whole,
                Outcome::None => Survival::Gone,
                Outcome::Other if !single => match (nth + usize::from(odd)) % 2 {
                    0 => Survival::Whole,
                    _ => Survival::Gone,
                },
                Outcome::Other | Outcome::Torn => Survival::Torn,
            });
            inode.cache = inode.medium.clone();
        }
    }

    /// Everything that is in the cache is on the medium.
    pub fn settle_all(&mut self) {
        self.cut(Outcome::All, false, &mut Dice::new(0));
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Takes a file away, durably.
    pub fn lose(&mut self, name: &str) {
        self.names.remove(name);
        self.durable.remove(name);
    }

    /// Puts a file of another moment in the place of this one, durably.
    pub fn replace(&mut self, name: &str, from: &Self) {
        let id = self.next;
        self.next += 1;
        let inode = from.inodes[&from.names[name]].clone();
        self.inodes.insert(id, inode);
        self.names.insert(name.to_owned(), id);
        self.durable.insert(name.to_owned(), id);
    }

    pub fn length(&self, name: &str) -> u64 {
        self.inodes[&self.names[name]].cache.length
    }

    pub fn octets(&self, name: &str) -> Vec<u8> {
        let octets = &self.inodes[&self.names[name]].cache;
        let mut out = vec![0; usize::try_from(octets.length).unwrap()];
        octets.read(0, &mut out);
        out
    }

    /// Alters octets on the medium and in the cache: flash that forgets.
    pub fn overwrite(&mut self, name: &str, offset: u64, octets: &[u8]) {
        let inode = self.inodes.get_mut(&self.names[name]).unwrap();
        inode.cache.write(offset, octets);
        inode.medium.write(offset, octets);
    }

    pub fn shorten(&mut self, name: &str, length: u64) {
        let inode = self.inodes.get_mut(&self.names[name]).unwrap();
        inode.cache.set_length(length);
        inode.medium.set_length(length);
    }

    fn used(&self) -> u64 {
        let lengths = self.names.values().map(|id| self.inodes[id].cache.length);
        lengths.map(|n| n.div_ceil(PAGE as u64) * PAGE as u64).sum()
    }
}

/// Operations that fail: from number `from` on, `count` of them.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub from: u64,
    pub count: u64,
    pub kind: io::ErrorKind,
}

/// What the disk forgets, against all promises.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lie {
    #[default]
    Honest,
    Syncs,
    SyncsOfFolders,
}

/// Sees the disk before each counted operation.
pub type Hook = Box<dyn FnMut(&State, u64, What) + Send>;

pub struct Inner {
    pub state: State,
    /// Counted operations so far.
    pub ops: u64,
    pub reads: u64,
    pub faults: Vec<Fault>,
    /// Reads that fail, by number.
    pub read_faults: BTreeSet<u64>,
    /// The power goes (or the process is killed) before this operation.
    pub dies_at: Option<u64>,
    pub dead: bool,
    pub lie: Lie,
    pub total: u64,
    pub dice: Dice,
    pub hook: Option<Hook>,
    /// Octets written so far.
    pub written: u64,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
    }
}

impl Inner {
    /// Counts an operation. `Some`: it has to fail so.
    fn tick(&mut self, what: What) -> io::Result<Option<io::Error>> {
        if self.dead {
            return Err(io::Error::other("no power"));
        }
        let number = self.ops;
        if self.dies_at == Some(number) {
            self.dead = true;
            return Err(io::Error::other("no power"));
        }
        self.ops += 1;
        if let Some(mut hook) = self.hook.take() {
            hook(&self.state, number, what);
            self.hook = Some(hook);
        }
        let hit = self
            .faults
            .iter()
            .find(|fault| (fault.from..fault.from + fault.count).contains(&number));
        let Some(fault) = hit else {
            return Ok(None);
        };
        let full = fault.kind == io::ErrorKind::StorageFull;
        if full && matches!(what, What::Remove | What::SyncFolder) {
            return Ok(None);
        }
        Ok(Some(fault.kind.into()))
    }

    fn room_for(&self, id: u64, length: u64) -> bool {
        let now = self.state.inodes[&id].cache.length;
        let page = PAGE as u64;
        let more = (length.div_ceil(page) * page).saturating_sub(now.div_ceil(page) * page);
        more == 0 || self.state.used() + more <= self.total
    }
}

#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: u64,
}

impl SimDisk {
    pub fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            state,
            ops: 0,
            reads: 0,
            faults: Vec::new(),
            read_faults: BTreeSet::new(),
            dies_at: None,
            dead: false,
            lie: Lie::Honest,
            total: 1 << 34,
            dice: Dice::new(1),
            hook: None,
            written: 0,
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn state(&self) -> State {
        self.lock().state.clone()
    }
}

impl Disk for SimDisk {
    fn make_folder(&self, folder: &str) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        if inner.state.folders.contains(folder) {
            return Ok(());
        }
        if let Some(error) = inner.tick(What::Folder)? {
            return Err(error);
        }
        inner.state.name(Naming::Folder(folder.to_owned()));
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        let names = inner.state.names.keys();
        let inside = names.filter(|name| folder_of(name) == folder);
        Ok(inside
            .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
            .collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        let id = *inner.state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        let disk = self.clone();
        Ok(Arc::new(SimFile { disk, id }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock();
        if let Some(error) = inner.tick(What::Create)? {
            return Err(error);
        }
        let disk = self.clone();
        if let Some(&id) = inner.state.names.get(name) {
            let inode = inner.state.inodes.get_mut(&id).unwrap();
            inode.change(Change::SetLength(0));
            return Ok(Arc::new(SimFile { disk, id }));
        }
        if inner.state.used() + PAGE as u64 > inner.total {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let id = inner.state.next;
        inner.state.next += 1;
        inner.state.inodes.insert(id, Inode::default());
        inner.state.name(Naming::Create(name.to_owned(), id));
        Ok(Arc::new(SimFile { disk, id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        let bad = inner.tick(What::Rename)?;
        let id = *inner.state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        // What failed may be done or not.
        if bad.is_none() || inner.dice.coin() {
            let naming = Naming::Rename(from.to_owned(), to.to_owned(), id);
            inner.state.name(naming);
        }
        bad.map_or(Ok(()), Err)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        if !inner.state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some(error) = inner.tick(What::Remove)? {
            return Err(error);
        }
        inner.state.name(Naming::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut inner = self.lock();
        let bad = inner.tick(What::SyncFolder)?;
        if inner.lie == Lie::SyncsOfFolders {
            return bad.map_or(Ok(()), Err);
        }
        for naming in inner.state.pending.remove(folder).unwrap_or_default() {
            if bad.is_none() || inner.dice.coin() {
                inner.state.settle_name(naming);
            }
        }
        bad.map_or(Ok(()), Err)
    }

    fn space(&self) -> io::Result<Space> {
        let inner = self.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        Ok(Space {
            free: inner.total.saturating_sub(inner.state.used()),
            total: inner.total,
        })
    }
}

impl SimFile {
    fn change(&self, inner: &mut Inner, change: Change) {
        let inode = inner.state.inodes.get_mut(&self.id);
        inode.expect("an open file").change(change);
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let inner = self.disk.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        Ok(inner.state.inodes[&self.id].cache.length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        if let Some(error) = inner.tick(What::SetLen)? {
            return Err(error);
        }
        if !inner.room_for(self.id, length) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(&mut inner, Change::SetLength(length));
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if self.len()? < length {
            self.set_len(length)?;
        }
        Ok(())
    }

    fn read(&self, offset: u64, octets: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        if inner.dead {
            return Err(io::Error::other("no power"));
        }
        let number = inner.reads;
        inner.reads += 1;
        if inner.read_faults.contains(&number) {
            return Err(io::Error::other("a sector cannot be read"));
        }
        Ok(inner.state.inodes[&self.id].cache.read(offset, octets))
    }

    fn write(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let mut bad = inner.tick(What::Write)?;
        if bad.is_none() && !inner.room_for(self.id, offset + octets.len() as u64) {
            bad = Some(io::ErrorKind::StorageFull.into());
        }
        let whole = octets.len() as u64;
        let part = match &bad {
            None => whole,
            Some(_) => inner.dice.below(whole + 1),
        };
        let part = &octets[..usize::try_from(part).unwrap()];
        if inner.room_for(self.id, offset + part.len() as u64) && !part.is_empty() {
            inner.written += part.len() as u64;
            self.change(&mut inner, Change::Write(offset, part.into()));
        }
        bad.map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let bad = inner.tick(What::Sync)?;
        if inner.lie == Lie::Syncs {
            return bad.map_or(Ok(()), Err);
        }
        let Inner { state, dice, .. } = &mut *inner;
        let inode = state.inodes.get_mut(&self.id).expect("an open file");
        inode.settle(dice, |_| match bad {
            None => Survival::Whole,
            Some(_) => Survival::Torn,
        });
        bad.map_or(Ok(()), Err)
    }
}
