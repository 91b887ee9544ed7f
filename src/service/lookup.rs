//! The only adapter of [`Directory`] on the store: one read transaction for all that is judged at once.

use std::cell::RefCell;

use crate::{
    base::id::UserId,
    policy::recipient::Room,
    routing::{Class, Directory, Forward, LookupFailed},
    store::{
        Broken, Reader, Store,
        directory::{Device, DomainClass, Usage, User},
    },
};

/// The setting that names the route for whatever no transport matches (TR-12).
pub const DEFAULT_ROUTE: &str = "route.default";

/// People looked at in one go.
const SLICE: usize = 64;

/// The directory at one moment.
#[derive(Debug)]
pub struct Rows<'a> {
    reader: &'a Reader,
    /// The first failure: the store has to hear of it, the judgement only that there was one.
    broken: RefCell<Option<Broken>>,
}

/// Judges with the directory as it is at one moment.
///
/// # Errors
///
/// The store cannot be read; that is logged here.
pub fn look<T>(store: &Store, judge: impl FnOnce(&Rows<'_>) -> T) -> Result<T, LookupFailed> {
    store
        .read(|reader| {
            let rows = Rows {
                reader,
                broken: RefCell::new(None),
            };
            let judged = judge(&rows);
            rows.broken.into_inner().map_or(Ok(judged), Err)
        })
        .map_err(|broken| {
            log::error!("directory: {broken}");
            LookupFailed
        })
}

/// The same for what fails where the directory cannot be read.
///
/// # Errors
///
/// As [`look`].
pub fn find<T>(
    store: &Store,
    judge: impl FnOnce(&Rows<'_>) -> Result<T, LookupFailed>,
) -> Result<T, LookupFailed> {
    look(store, judge)?
}

impl Rows<'_> {
    /// A mailbox' quota and what it holds. Nothing is free for somebody who has just gone.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn room(&self, user: UserId) -> Result<Room, LookupFailed> {
        self.row(|reader| {
            let quota = reader.user(user)?.map_or(1, |row| row.quota);
            let octets = reader.usage(user)?.octets;
            Ok(Room {
                quota,
                used: octets,
            })
        })
    }

    /// Also of somebody who was removed or switched off.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn user(&self, user: UserId) -> Result<Option<User>, LookupFailed> {
        self.row(|reader| reader.user(user))
    }

    /// Somebody who can log in: neither removed nor switched off, nor is the domain (AC-7).
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn active(&self, user: UserId) -> Result<Option<User>, LookupFailed> {
        let row = self.user(user)?;
        let Some(row) = row.filter(|row| row.enabled && row.removed.is_none()) else {
            return Ok(None);
        };
        let domain = row
            .address
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain);
        let off = self.row(|reader| is_off(reader, domain))?;
        Ok((!off).then_some(row))
    }

    /// # Errors
    ///
    /// The store cannot be read.
    pub fn usage(&self, user: UserId) -> Result<Usage, LookupFailed> {
        self.row(|reader| reader.usage(user))
    }

    /// The store's last change.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn sequence(&self) -> Result<u64, LookupFailed> {
        self.row(Reader::sequence)
    }

    /// Networks, and whether their clients may come (SR-18).
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn access(&self) -> Result<Vec<(String, bool)>, LookupFailed> {
        let list = self.row(Reader::access_list)?;
        let rows = list.into_iter().map(|(network, row)| (network, row.allow));
        Ok(rows.collect())
    }

    /// Machines of the house that may send, by name (LM-10).
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn devices(&self) -> Result<Vec<(String, Device)>, LookupFailed> {
        self.row(Reader::devices)
    }

    /// Whether the queue holds so many entries or octets already; 0 = no limit.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn queue_full(&self, entries: u64, octets: u64) -> Result<bool, LookupFailed> {
        let full = |limit: u64, held: u64| limit > 0 && held >= limit;
        self.row(|reader| {
            Ok(full(entries, reader.queue_count()?) || full(octets, reader.queue_octets()?))
        })
    }

    fn row<T>(&self, read: impl FnOnce(&Reader) -> Result<T, Broken>) -> Result<T, LookupFailed> {
        read(self.reader).map_err(|broken| {
            self.broken.borrow_mut().get_or_insert(broken);
            LookupFailed
        })
    }
}

impl Directory for Rows<'_> {
    fn alias(&self, source: &str) -> Result<Option<Forward>, LookupFailed> {
        self.row(|reader| {
            let row = reader.alias(source)?.filter(|row| row.enabled);
            Ok(row.map(|row| Forward {
                targets: row.targets,
                srs: row.srs,
            }))
        })
    }

    fn any_transport(&self) -> Result<bool, LookupFailed> {
        self.row(Reader::any_transport)
    }

    fn default_route(&self) -> Result<Option<String>, LookupFailed> {
        self.row(|reader| reader.setting(DEFAULT_ROUTE))
    }

    fn domain(&self, name: &str) -> Result<Option<Class>, LookupFailed> {
        self.row(|reader| {
            let row = reader.domain(name)?.filter(|row| row.enabled);
            Ok(row.map(|row| class(row.class)))
        })
    }

    fn is_off(&self, domain: &str) -> Result<bool, LookupFailed> {
        self.row(|reader| is_off(reader, domain))
    }

    fn listed(&self, domain: &str) -> Result<bool, LookupFailed> {
        self.row(|reader| Ok(reader.domain(domain)?.is_some_and(|row| row.listed)))
    }

    fn mailbox(&self, key: &str) -> Result<Option<UserId>, LookupFailed> {
        self.row(|reader| enabled(reader, key))
    }

    fn postmaster(&self) -> Result<Option<UserId>, LookupFailed> {
        self.row(first)
    }

    fn recipient(&self, key: &str) -> Result<bool, LookupFailed> {
        self.row(|reader| reader.recipient(key))
    }

    fn route(&self, name: &str) -> Result<bool, LookupFailed> {
        self.row(|reader| Ok(reader.route(name)?.is_some()))
    }

    fn transport(&self, pattern: &str) -> Result<Option<String>, LookupFailed> {
        self.row(|reader| Ok(reader.transport(pattern)?.map(|row| row.target)))
    }
}

/// Whether a domain is there and switched off.
///
/// # Errors
///
/// The store cannot be read.
pub fn is_off(reader: &Reader, domain: &str) -> Result<bool, Broken> {
    Ok(reader.domain(domain)?.is_some_and(|row| !row.enabled))
}

fn enabled(reader: &Reader, key: &str) -> Result<Option<UserId>, Broken> {
    let Some(user) = reader.user_named(key)? else {
        return Ok(None);
    };
    let row = reader.user(user)?;
    Ok(row.filter(|row| row.enabled).map(|_| user))
}

/// The first person who is neither removed nor switched off.
fn first(reader: &Reader) -> Result<Option<UserId>, Broken> {
    // Mostly it is the very first.
    let (mut after, mut slice) = (None, 1);
    loop {
        let people = reader.users(after, slice)?;
        let found = people
            .iter()
            .find(|(_, row)| row.enabled && row.removed.is_none());
        if let Some((user, _)) = found {
            return Ok(Some(*user));
        }
        match people.last() {
            Some((user, _)) => (after, slice) = (Some(*user), SLICE),
            None => return Ok(None),
        }
    }
}

fn class(class: DomainClass) -> Class {
    match class {
        DomainClass::Alias => Class::Alias,
        DomainClass::Backup => Class::Backup,
        DomainClass::Local => Class::Local,
        DomainClass::Mailbox => Class::Mailbox,
        DomainClass::Relay => Class::Relay,
    }
}

#[cfg(test)]
pub(in crate::service) mod tests;
