//! What happens in folders, as the sessions that look at them share it: one immutable set of UIDs and
//! a short list of flag changes per folder, not per session.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, VecDeque},
    future::poll_fn,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Poll, Waker},
};

use async_channel::Receiver;

use crate::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    store::{Broken, Notice, Store, mailbox::Folder, request::Happened},
};

/// Flag changes that are remembered for a folder; who fell further behind scans its rows.
const CHANGES_MAX: usize = 64;

/// Spans of UIDs in all remembered flag changes of a folder together.
const SPANS_MAX: usize = 4096;

/// Spans of UIDs in all folders together that are kept for nobody: a folder in many pieces costs most to
/// read anew, and most memory.
const KEPT_SPANS_MAX: usize = 8 * SPANS_MAX;

/// Folders whose first unseen-by-anybody UID is remembered until the store has it too.
const RECENT_MAX: usize = 1024;

/// Folders that are kept up to date after the last one looked away: who comes back needs no scan.
const KEPT_MAX: usize = 8;

/// The folders that somebody looks at. All sessions and the task [`Registry::run`] share it on one
/// thread.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    notices: Receiver<Vec<Notice>>,
    folders: RefCell<HashMap<FolderId, Weak<Watched>>>,
    /// Those looked at last, the newest at the end.
    kept: RefCell<VecDeque<Rc<Watched>>>,
    /// The same for folders nobody looks at any more, while the store's rows may lag behind.
    recent: RefCell<HashMap<FolderId, Uid>>,
    watches: Cell<u64>,
}

/// A folder that somebody looks at.
#[derive(Debug)]
struct Watched {
    folder: FolderId,
    state: RefCell<State>,
    /// Who waits for the next change, by the number of its [`Watch`].
    waiting: RefCell<BTreeMap<u64, Waker>>,
}

#[derive(Debug)]
struct State {
    uids: Arc<Ranges>,
    modseq: ModSeq,
    /// Notices up to this one are in `uids`, because it was read from the store after them.
    floor: ModSeq,
    deleted: bool,
    /// Messages from here on were shown to nobody as \Recent.
    recent: Uid,
    /// Rises with everything that happens.
    version: u64,
    /// Flag changes after `reaches`, ascending.
    changes: VecDeque<(ModSeq, Ranges)>,
    reaches: ModSeq,
}

/// What a folder holds at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub uids: Arc<Ranges>,
    /// All changes up to this one are in it.
    pub modseq: ModSeq,
    /// The folder itself is gone.
    pub deleted: bool,
    /// Rises with everything that happens in the folder, from 1.
    pub version: u64,
}

/// A session's interest in a folder; ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    watched: Rc<Watched>,
    number: u64,
}

impl Registry {
    pub fn new(store: Store) -> Self {
        let notices = store.notices();
        Self {
            store,
            notices,
            folders: RefCell::default(),
            kept: RefCell::default(),
            recent: RefCell::default(),
            watches: Cell::new(0),
        }
    }

    /// Follows what the store tells, until it is closed.
    pub async fn run(&self) {
        while let Ok(notices) = self.notices.recv().await {
            self.take(&notices);
        }
    }

    /// Takes what the store has told already: a session sees its own changes without waiting for
    /// [`Registry::run`] to get its turn.
    pub fn catch_up(&self) {
        while let Ok(notices) = self.notices.try_recv() {
            self.take(&notices);
        }
    }

    /// Begins to look at a folder, and gives its row: what the watch's snapshot shows now is of the same
    /// moment. `None` if it is gone.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn open(&self, folder: FolderId) -> Result<Option<(Watch, Folder)>, Broken> {
        let Some(watch) = self.watch(folder)? else {
            return Ok(None);
        };
        let row = self.bring_up(&watch)?;
        Ok(row.map(|row| (watch, row)))
    }

    /// Begins to look at a folder; `None` if it is gone.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn watch(&self, folder: FolderId) -> Result<Option<Watch>, Broken> {
        self.catch_up();
        let number = self.watches.get().wrapping_add(1);
        self.watches.set(number);
        let known = self.folders.borrow().get(&folder).and_then(Weak::upgrade);
        if let Some(watched) = known {
            self.keep(&watched);
            return Ok(Some(Watch { watched, number }));
        }
        let Some((uids, row)) = self.load(folder)? else {
            return Ok(None);
        };
        let modseq = row.modseq;
        let watched = Rc::new(Watched {
            folder,
            state: RefCell::new(State {
                uids: Arc::new(uids),
                modseq,
                floor: modseq,
                deleted: false,
                recent: self.recent(folder, row.recent),
                version: 1,
                changes: VecDeque::new(),
                reaches: modseq,
            }),
            waiting: RefCell::default(),
        });
        let mut folders = self.folders.borrow_mut();
        folders.retain(|_, watched| watched.strong_count() > 0);
        folders.insert(folder, Rc::downgrade(&watched));
        self.keep(&watched);
        Ok(Some(Watch { watched, number }))
    }

    /// The ones looked at longest ago go where they are too many, or in too many pieces.
    fn keep(&self, watched: &Rc<Watched>) {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|other| other.folder != watched.folder);
        kept.push_back(Rc::clone(watched));
        let spans = |watched: &Rc<Watched>| watched.state.borrow().uids.spans().count();
        let newest = kept_of(kept.iter().rev().map(spans));
        let old = kept.len().saturating_sub(newest);
        kept.drain(..old);
    }

    /// Brings a folder up to what the store shows now, if the store's notices lag behind it.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn refresh(&self, watch: &Watch) -> Result<(), Broken> {
        self.bring_up(watch).map(drop)
    }

    /// The folder's row, of the moment that the snapshot shows then.
    fn bring_up(&self, watch: &Watch) -> Result<Option<Folder>, Broken> {
        self.catch_up();
        let watched = &watch.watched;
        let row = self.store.read(|reader| reader.folder(watched.folder))?;
        let behind = match &row {
            Some(row) => row.modseq > watched.state.borrow().modseq,
            None => !watched.state.borrow().deleted,
        };
        if !behind {
            return Ok(row);
        }
        let loaded = self.load(watched.folder)?;
        let mut row = None;
        watched.change(|state| {
            if let Some((uids, loaded)) = loaded {
                state.uids = Arc::new(uids);
                state.modseq = loaded.modseq;
                state.floor = loaded.modseq;
                state.forget_changes();
                row = Some(loaded);
            } else {
                state.deleted = true;
            }
        });
        Ok(row)
    }

    /// Messages of a folder from here on were shown to no session as \Recent; `stored` is what its row
    /// says.
    pub fn recent(&self, folder: FolderId, stored: Uid) -> Uid {
        let known = self.recent.borrow().get(&folder).copied();
        known.map_or(stored, |known| known.max(stored))
    }

    /// A session shows all messages below `next` as \Recent; nobody else will.
    pub fn claim_recent(&self, watch: &Watch, next: Uid) {
        let mut state = watch.watched.state.borrow_mut();
        state.recent = state.recent.max(next);
        let mut recent = self.recent.borrow_mut();
        if recent.len() >= RECENT_MAX {
            recent.clear();
        }
        recent.insert(watch.watched.folder, state.recent);
    }

    /// The UIDs and the row of one moment.
    fn load(&self, folder: FolderId) -> Result<Option<(Ranges, Folder)>, Broken> {
        self.store.read(|reader| {
            let Some(row) = reader.folder(folder)? else {
                return Ok(None);
            };
            Ok(Some((reader.uids(folder)?, row)))
        })
    }

    fn take(&self, notices: &[Notice]) {
        for notice in notices {
            if notice.what == Happened::Accounts {
                self.wake_all();
                continue;
            }
            let watched = self
                .folders
                .borrow()
                .get(&notice.folder)
                .and_then(Weak::upgrade);
            if let Some(watched) = watched {
                watched.take(notice);
            }
            if notice.what == Happened::Deleted {
                self.recent.borrow_mut().remove(&notice.folder);
                let mut kept = self.kept.borrow_mut();
                kept.retain(|other| other.folder != notice.folder);
            }
        }
    }
}

/// How many folders are kept, of some in so many pieces, the newest first.
fn kept_of(spans: impl Iterator<Item = usize>) -> usize {
    let mut left = KEPT_SPANS_MAX;
    let fits = |spans: &usize| match left.checked_sub(*spans) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    spans.take(KEPT_MAX).take_while(fits).count()
}

impl Registry {
    /// Every session looks whether its account is still the one that logged in.
    fn wake_all(&self) {
        let all: Vec<_> = {
            let folders = self.folders.borrow();
            folders.values().filter_map(Weak::upgrade).collect()
        };
        for watched in all {
            watched.change(|_| {});
        }
    }
}

impl Watched {
    fn take(&self, notice: &Notice) {
        let floor = self.state.borrow().floor;
        if notice.modseq <= floor && notice.what != Happened::Deleted {
            return;
        }
        self.change(|state| {
            match &notice.what {
                Happened::Appeared(uids) => {
                    let held = Arc::make_mut(&mut state.uids);
                    for span in uids.spans() {
                        held.insert_span(*span.start(), *span.end());
                    }
                }
                // Of no folder.
                Happened::Accounts => {}
                Happened::Deleted => state.deleted = true,
                Happened::Flagged(uids) => state.remember(notice.modseq, uids),
                Happened::Vanished(uids) => {
                    state.uids = Arc::new(state.uids.difference(uids));
                }
            }
            state.modseq = state.modseq.max(notice.modseq);
        });
    }

    /// Alters the state and wakes who waits.
    fn change(&self, alter: impl FnOnce(&mut State)) {
        let mut state = self.state.borrow_mut();
        alter(&mut state);
        state.version = state.version.wrapping_add(1);
        drop(state);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for waker in waiting.into_values() {
            waker.wake();
        }
    }
}

impl State {
    fn remember(&mut self, modseq: ModSeq, uids: &Ranges) {
        self.changes.push_back((modseq, uids.clone()));
        let spans = |change: &(ModSeq, Ranges)| change.1.spans().count();
        let mut held: usize = self.changes.iter().map(spans).sum();
        while self.changes.len() > CHANGES_MAX || held > SPANS_MAX {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            held = held.saturating_sub(spans(&oldest));
            self.reaches = self.reaches.max(oldest.0);
        }
    }

    fn forget_changes(&mut self) {
        self.changes.clear();
        self.reaches = self.modseq;
    }
}

impl Watch {
    pub fn folder(&self) -> FolderId {
        self.watched.folder
    }

    pub fn snapshot(&self) -> Snapshot {
        let state = self.watched.state.borrow();
        Snapshot {
            uids: state.uids.clone(),
            modseq: state.modseq,
            deleted: state.deleted,
            version: state.version,
        }
    }

    /// Messages from here on were shown to nobody as \Recent.
    pub fn recent(&self) -> Uid {
        self.watched.state.borrow().recent
    }

    /// The snapshot's version, without the rest.
    pub fn version(&self) -> u64 {
        self.watched.state.borrow().version
    }

    /// The flag changes after `told`, ascending; `None` if the list does not reach back that far.
    pub fn flagged_since(&self, told: ModSeq) -> Option<Vec<(ModSeq, Ranges)>> {
        let state = self.watched.state.borrow();
        if told < state.reaches {
            return None;
        }
        let new = state.changes.iter().filter(|change| change.0 > told);
        Some(new.cloned().collect())
    }

    /// Ready when the snapshot's version is not `version`.
    pub async fn changed(&self, version: u64) {
        poll_fn(|context| {
            if self.version() != version {
                return Poll::Ready(());
            }
            let mut waiting = self.watched.waiting.borrow_mut();
            waiting.insert(self.number, context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watched.waiting.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_folders_are_bounded_together() {
        let kept = |spans: &[usize]| kept_of(spans.iter().copied());
        assert_eq!(kept(&[1; 20]), KEPT_MAX);
        // A folder in many pieces is kept, too, and others with it.
        assert_eq!(kept(&[20_000, 4_000, 1, 1]), 4);
        assert_eq!(kept(&[20_000, 20_000, 1]), 1);
        assert_eq!(kept(&[KEPT_SPANS_MAX + 1, 1]), 0);
    }
}
