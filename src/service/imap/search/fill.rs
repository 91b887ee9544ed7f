//! Filters of messages that no search has read yet, made while nobody wants anything.

use std::rc::Rc;

use super::scan::{Filters, make_filters, on_pool, tell_lost};
use crate::{base::id::ContentId, service::imap::Shared, store::Broken};

/// The store has to be as it is for so long before anything is done, in seconds; and how often that
/// may keep us from it.
const QUIET: u64 = 300;
const PATIENCE: u32 = 12;
/// Contents that are read in one go.
const BATCH: usize = 32;
/// Between two goes we rest so many times as long as the last one took, and at least so long, in
/// milliseconds.
const REST: u64 = 4;
const REST_MIN: u64 = 200;
/// While somebody searches or reads, in milliseconds.
const BUSY: u64 = 2_000;

/// How far we are.
#[derive(Debug, Default)]
pub struct Filling {
    /// Everything before it has a filter, or gets none; from the beginning each time, because content
    /// that was long on its way has a smaller number than what came meanwhile.
    next: ContentId,
    /// The store's last change as we knew it.
    sequence: u64,
    waited: u32,
}

/// Fills until the appliance ends; where there is nothing to do it does nothing.
pub async fn fill(shared: Rc<Shared>) {
    let mut filling = Filling::default();
    loop {
        let world = &shared.world;
        world.sleep(world.now().plus_seconds(QUIET)).await;
        if !filling.is_time(shared.store.status().sequence) {
            continue;
        }
        loop {
            let begun = world.now();
            let rest = match filling.go(&shared).await {
                Ok(Some(0)) => break,
                Ok(Some(_)) => {
                    let took = world.now().since(begun).as_millis();
                    let took = u64::try_from(took).unwrap_or(BUSY);
                    took.saturating_mul(REST).max(REST_MIN)
                }
                Ok(None) => BUSY,
                Err(broken) => {
                    log::debug!("imap: no filters are made: {broken}");
                    break;
                }
            };
            world.sleep(world.now().plus(rest)).await;
        }
    }
}

impl Filling {
    /// Mail that just arrived is left alone: perhaps a search comes by, or it goes again.
    fn is_time(&mut self, sequence: u64) -> bool {
        self.waited = self.waited.saturating_add(1);
        let quiet = std::mem::replace(&mut self.sequence, sequence) == sequence;
        let now = quiet || self.waited >= PATIENCE;
        if now {
            self.waited = 0;
            self.next = ContentId::default();
        }
        now
    }

    /// One go: how many contents were looked at, 0 where all have a filter; `None`: not now.
    ///
    /// # Errors
    ///
    /// The index fails.
    pub async fn go(&mut self, shared: &Shared) -> Result<Option<usize>, Broken> {
        if !shared.is_quiet() {
            return Ok(None);
        }
        // Finding them may take longer than a slice: that is for the pool too.
        let next = self.next;
        let made = on_pool(shared, move |store| {
            let ids = store.read(|reader| reader.unfiltered(next, BATCH))?;
            make_filters(store, &ids)
        });
        let (made, lost) = made.await?;
        tell_lost(&lost);
        let mut filters = Filters::default();
        let count = made.len();
        for (id, filter) in made {
            self.next = id.next().unwrap_or(id);
            if let Some(filter) = filter {
                filters.push(id, filter);
            }
        }
        filters.store(&shared.store).await;
        Ok(Some(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_while_nothing_happens() {
        let mut filling = Filling::default();
        let mut told = Vec::new();
        for sequence in [5, 5, 6, 7, 7, 7] {
            told.push(filling.is_time(sequence));
        }
        assert_eq!(told, [false, true, false, false, true, true]);
        let always = (8..50).filter(|&n| filling.is_time(n)).count();
        assert_eq!(always, 3);
    }

    #[test]
    fn smaller_numbers_that_come_later_are_found() {
        let mut filling = Filling::default();
        filling.is_time(5);
        filling.next = ContentId(9);
        assert!(filling.is_time(5));
        assert_eq!(filling.next, ContentId(0));
    }
}
