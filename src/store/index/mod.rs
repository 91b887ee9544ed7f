//! The index: redb, one table of octets to octets. What is read; can be thrown away.

pub mod backend;
pub mod key;
pub mod table;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::store::{
    Broken,
    disk::{Disk, File},
    index::{
        backend::Backend,
        table::{Snapshot, Tables},
    },
};

/// The one table.
pub const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
const NAME: &str = "index.redb";
const ASIDE: &str = "index.broken";
const NEW: &str = "index.new";

/// An open index.
#[derive(Debug)]
pub struct Index {
    database: Database,
}

impl Index {
    /// Opens the index, or makes an empty one. `true` with it: it was damaged and is put aside, or it
    /// was not there.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn open(disk: &Arc<dyn Disk>, cache: usize) -> Result<(Self, bool), Broken> {
        let there = disk.list("")?.iter().any(|name| name == NAME);
        if there {
            match Self::try_open(disk, cache) {
                Ok(index) => return Ok((index, false)),
                Err(broken) if broken.is_damage() => Self::put_aside(disk)?,
                Err(other) => return Err(other),
            }
        }
        disk.create(NAME)?;
        disk.sync_folder("")?;
        Ok((Self::try_open(disk, cache)?, true))
    }

    /// Gives the index another name: it is damaged, and somebody may want to look at it.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn put_aside(disk: &Arc<dyn Disk>) -> Result<(), Broken> {
        disk.rename(NAME, ASIDE)?;
        disk.sync_folder("")?;
        Ok(())
    }

    fn try_open(disk: &Arc<dyn Disk>, cache: usize) -> Result<Self, Broken> {
        let file = disk.open(NAME)?;
        // redb panics over some damaged files; a start that ends so would end so for ever.
        let opened = catch_unwind(AssertUnwindSafe(|| Self::with(file, cache)));
        opened.unwrap_or_else(|_| {
            let damaged = redb::Error::Corrupted("it cannot be opened".to_owned());
            Err(Broken::Index(Box::new(damaged)))
        })
    }

    fn with(file: Arc<dyn File>, cache: usize) -> Result<Self, Broken> {
        let database = Database::builder()
            // Pages in the cache and on their way take more than half as much again (measured).
            .set_cache_size(cache / 8 * 5)
            .create_with_backend(Backend::new(file))?;
        let index = Self { database };
        // A table that was never opened for writing cannot be opened for reading.
        if index.snapshot().is_err() {
            index.write(false, |_| Ok(()))?;
        }
        Ok(index)
    }

    /// An empty index beside the one that is there; [`Index::adopt`] puts it into its place.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn beside(disk: &Arc<dyn Disk>, cache: usize) -> Result<Self, Broken> {
        Self::with(disk.create(NEW)?, cache)
    }

    /// The index made by [`Index::beside`] is the index from now on. It counts only when it has been
    /// written durably.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn adopt(disk: &Arc<dyn Disk>) -> Result<(), Broken> {
        disk.rename(NEW, NAME)?;
        disk.sync_folder("")?;
        Ok(())
    }

    /// The state at this moment.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn snapshot(&self) -> Result<Snapshot, Broken> {
        Ok(Snapshot::new(self.database.begin_read()?.open_table(ROWS)?))
    }

    /// Runs `write` in one transaction and commits it if all went well. `durable`: a checkpoint, which
    /// is on the medium afterwards, with all commits before it.
    ///
    /// # Errors
    ///
    /// What `write` says, or the index fails: nothing of it is there then.
    pub fn write<T>(
        &self,
        durable: bool,
        write: impl FnOnce(&mut Tables<'_>) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let (mut write, mut out) = (Some(write), None);
        self.transact(durable, &mut |tables| {
            // Called once.
            if let Some(write) = write.take() {
                out = Some(write(tables)?);
            }
            Ok(true)
        })?;
        out.ok_or(Broken::Stopped)
    }

    /// Shows the rows inside a transaction that changes nothing in the end.
    ///
    /// # Errors
    ///
    /// What `look` says, or the index fails.
    pub fn look(
        &self,
        look: &mut dyn FnMut(&Tables<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        self.transact(false, &mut |tables| look(tables).map(|()| false))
    }

    /// One transaction; `work` says whether to commit. Not generic: it is there once.
    fn transact(
        &self,
        durable: bool,
        work: &mut dyn FnMut(&mut Tables<'_>) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        let mut transaction = self.database.begin_write()?;
        if durable {
            transaction.set_durability(Durability::Immediate)?;
            // Without this the next unclean open would read the whole file.
            transaction.set_quick_repair(true);
        } else {
            transaction.set_durability(Durability::None)?;
        }
        let mut tables = Tables::new(transaction.open_table(ROWS)?);
        let done = work(&mut tables).and_then(|commit| {
            if commit {
                tables.flush()?;
            }
            Ok(commit)
        });
        drop(tables);
        if matches!(done, Ok(true)) {
            transaction.commit()?;
        } else {
            // What a failed abort leaves is dropped with the transaction.
            let _ = transaction.abort();
        }
        done.map(drop)
    }
}
