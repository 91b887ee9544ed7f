//! What a running command has still to go through, slice by slice.

use std::{collections::VecDeque, ops::ControlFlow};

use super::SLICE_ROWS;
use crate::{
    base::{
        id::{FolderId, Uid},
        ranges::Ranges,
    },
    store::{Broken, Reader, message::Message},
};

/// UIDs in ascending order, taken from the front.
#[derive(Debug, Default)]
pub struct Rest(VecDeque<(u32, u32)>);

impl From<&Ranges> for Rest {
    fn from(uids: &Ranges) -> Self {
        Self(uids.spans().map(|s| (*s.start(), *s.end())).collect())
    }
}

impl Rest {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn first(&self) -> Option<Uid> {
        self.0.front().map(|span| Uid(span.0))
    }

    /// Takes out the first UID.
    pub fn pop(&mut self) -> Option<Uid> {
        let first = self.first()?;
        self.pass(first);
        Some(first)
    }

    /// Takes out everything up to `uid`.
    pub fn pass(&mut self, uid: Uid) {
        while let Some(span) = self.0.front_mut() {
            if span.1 > uid.0 {
                span.0 = span.0.max(uid.0.saturating_add(1));
                return;
            }
            self.0.pop_front();
        }
    }

    /// Shows the rows of the next UIDs, as many as a slice has, and takes them out. Where `each`
    /// breaks, its UID stays the first. UIDs without a row are passed over.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn slice(
        &mut self,
        reader: &Reader,
        folder: FolderId,
        each: impl FnMut(Uid, &Message) -> ControlFlow<()>,
    ) -> Result<(), Broken> {
        let seen = self.look(reader, folder, each)?;
        self.pass(seen);
        Ok(())
    }

    /// As [`Rest::slice`], but takes nothing out; returns the last UID that it would take out.
    ///
    /// # Errors
    ///
    /// What the reader says.
    pub fn look(
        &self,
        reader: &Reader,
        folder: FolderId,
        mut each: impl FnMut(Uid, &Message) -> ControlFlow<()>,
    ) -> Result<Uid, Broken> {
        let (mut left, mut seen) = (SLICE_ROWS, Uid(0));
        for &(low, high) in &self.0 {
            if left == 0 {
                break;
            }
            let high = high.min(low.saturating_add(left).saturating_sub(1));
            let mut stopped = None;
            reader.messages(folder, Uid(low), Uid(high), &mut |uid, row| {
                let flow = each(uid, row);
                if flow.is_break() {
                    stopped = Some(uid);
                }
                flow
            })?;
            if let Some(uid) = stopped {
                return Ok(Uid(uid.0.saturating_sub(1)));
            }
            seen = Uid(high);
            left = left.saturating_sub(high.saturating_sub(low).saturating_add(1));
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_front() {
        let mut uids = Ranges::span(3, 5);
        uids.insert(9);
        let mut rest = Rest::from(&uids);
        assert_eq!(rest.pop(), Some(Uid(3)));
        rest.pass(Uid(4));
        assert_eq!(rest.first(), Some(Uid(5)));
        rest.pass(Uid(7));
        assert_eq!(rest.pop(), Some(Uid(9)));
        assert!(rest.is_empty());
        assert_eq!(rest.pop(), None);
    }
}
