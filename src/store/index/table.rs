//! Reading and writing rows.

use std::{collections::BTreeMap, ops::ControlFlow};

use redb::{AccessGuard, Range, ReadOnlyTable, ReadableTable, Table};
use serde::{Serialize, de::DeserializeOwned};

use crate::store::{
    Broken,
    index::key::{self, Kind},
    value,
};

/// What `each` of a scan says.
pub type Flow = Result<ControlFlow<()>, Broken>;

/// Rows that can be read: of a moment, or of a transaction that is being written.
pub trait Rows {
    /// Shows the row at `key`; says whether there is one.
    ///
    /// # Errors
    ///
    /// The index fails.
    fn show(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool, Broken>;

    /// Shows the rows whose keys are at least `from` and below `to`, ascending, until `each` breaks.
    ///
    /// # Errors
    ///
    /// Those of `each`, or the index fails.
    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
    ) -> Result<(), Broken>;

    /// The value at `key`; `what` it is, for the error.
    ///
    /// # Errors
    ///
    /// The index fails, or the row does not decode.
    fn row<T: DeserializeOwned>(
        &self,
        key: &[u8],
        what: &'static str,
    ) -> Result<Option<T>, Broken> {
        let mut out = None;
        self.show(key, &mut |octets| out = Some(value::decode(octets, what)))?;
        out.transpose()
    }

    /// Whether there is a row at `key`.
    ///
    /// # Errors
    ///
    /// The index fails.
    fn has(&self, key: &[u8]) -> Result<bool, Broken> {
        self.show(key, &mut |_| ())
    }

    /// Shows all rows whose keys begin with `prefix`, ascending, until `each` breaks.
    ///
    /// # Errors
    ///
    /// Those of `each`, or the index fails.
    fn scan_prefix(
        &self,
        prefix: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
    ) -> Result<(), Broken> {
        self.scan(prefix, &after(prefix), each)
    }

    /// Sequence number of the last change applied.
    ///
    /// # Errors
    ///
    /// The index fails.
    fn sequence(&self) -> Result<u64, Broken> {
        Ok(self.row(key::SEQUENCE, "sequence")?.unwrap_or(0))
    }
}

/// The first key behind all that begin with `prefix`.
#[must_use]
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut out = prefix.to_vec();
    while let Some(last) = out.pop() {
        if let Some(next) = last.checked_add(1) {
            out.push(next);
            return out;
        }
    }
    vec![0xff; 16]
}

/// The rows of one moment.
#[derive(Debug)]
pub struct Snapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl Snapshot {
    #[must_use]
    pub fn new(table: ReadOnlyTable<&'static [u8], &'static [u8]>) -> Self {
        Self { table }
    }
}

/// Rows one after another.
pub struct Cursor(Range<'static, &'static [u8], &'static [u8]>);

/// A key and its value, as the index holds them.
pub type Row = (
    AccessGuard<'static, &'static [u8]>,
    AccessGuard<'static, &'static [u8]>,
);

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cursor")
    }
}

impl Cursor {
    /// The next row; `None` at the end.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn advance(&mut self) -> Result<Option<Row>, Broken> {
        Ok(self.0.next().transpose()?)
    }
}

impl Snapshot {
    /// The rows whose keys are at least `from` and below `to`, to be taken one by one.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn cursor(&self, from: &[u8], to: &[u8]) -> Result<Cursor, Broken> {
        Ok(Cursor(self.table.range::<&[u8]>(from..to)?))
    }
}

impl Rows for Snapshot {
    fn show(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
        show(&self.table, key, see)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
    ) -> Result<(), Broken> {
        scan(&self.table, from, to, each)
    }
}

/// The rows of a transaction that is being written.
#[derive(Debug)]
pub struct Tables<'t> {
    table: Table<'t, &'static [u8], &'static [u8]>,
    /// Rows that every change of a batch writes again (counters, counts of a folder, of a segment):
    /// written once, at the end. Kinds that are scanned inside a transaction are never here.
    hot: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Rows written and removed, for the checkpoint's rhythm.
    pub touched: u64,
}

impl<'t> Tables<'t> {
    #[must_use]
    pub fn new(table: Table<'t, &'static [u8], &'static [u8]>) -> Self {
        Self {
            table,
            hot: BTreeMap::new(),
            touched: 0,
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn set<T: Serialize>(&mut self, key: &[u8], row: &T) -> Result<(), Broken> {
        self.set_octets(key, &value::encode(row))
    }

    /// Writes a row as it is.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn set_octets(&mut self, key: &[u8], octets: &[u8]) -> Result<(), Broken> {
        if is_hot(key) {
            self.hot.insert(key.to_vec(), octets.to_vec());
            return Ok(());
        }
        self.touched = self.touched.saturating_add(1);
        self.table.insert(key, octets)?;
        Ok(())
    }

    /// Removes a row; says whether there was one.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn remove(&mut self, key: &[u8]) -> Result<bool, Broken> {
        let was_hot = self.hot.remove(key).is_some();
        let was = self.table.remove(key)?.is_some();
        self.touched = self.touched.saturating_add(u64::from(was));
        Ok(was || was_hot)
    }

    /// Writes what was held back.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub fn flush(&mut self) -> Result<(), Broken> {
        for (key, octets) in std::mem::take(&mut self.hot) {
            self.touched = self.touched.saturating_add(1);
            self.table.insert(key.as_slice(), octets.as_slice())?;
        }
        Ok(())
    }
}

fn is_hot(key: &[u8]) -> bool {
    [Kind::Meta, Kind::Folder, Kind::Segment, Kind::Usage]
        .iter()
        .any(|kind| key.first() == Some(&kind.letter()))
}

impl Rows for Tables<'_> {
    fn show(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
        if let Some(octets) = self.hot.get(key) {
            see(octets);
            return Ok(true);
        }
        show(&self.table, key, see)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
    ) -> Result<(), Broken> {
        scan(&self.table, from, to, each)
    }
}

fn show(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    see: &mut dyn FnMut(&[u8]),
) -> Result<bool, Broken> {
    match table.get(key)? {
        Some(guard) => {
            see(guard.value());
            Ok(true)
        }
        None => Ok(false),
    }
}

fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    to: &[u8],
    each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
) -> Result<(), Broken> {
    for row in table.range::<&[u8]>(from..to)? {
        let (key, value) = row?;
        if each(key.value(), value.value())?.is_break() {
            break;
        }
    }
    Ok(())
}
