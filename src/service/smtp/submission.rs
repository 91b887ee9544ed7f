//! What submission judges by itself: who has logged in, and whose addresses they write from (SU-10).

use crate::{
    base::id::UserId,
    mail::{address::Address, fixup::Author, path::ReversePath},
    policy::sender,
    proto::{sasl::Mechanism, smtp::reply::Reply},
    routing::{self, LookupFailed},
    service::{
        inbound::Failure,
        login::Person,
        lookup::{self, Rows},
        reply,
        smtp::{Door, Kind, envelope::Objection},
    },
    store::Store,
};

/// Who has logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    pub user: UserId,
    /// The log-in name, as it is written.
    pub name: String,
    /// What the log-in was good for: another number means other secrets (SU-9).
    credentials: u64,
    /// How, for the log.
    pub method: &'static str,
}

impl Identity {
    pub(super) fn with(self, mechanism: Mechanism) -> Self {
        Self {
            method: mechanism.name(),
            ..self
        }
    }
}

/// `None` if the person is gone, or nobody can tell.
pub(super) fn identify(store: &Store, person: Person) -> Option<Identity> {
    let row = lookup::find(store, |rows| rows.user(person.id)).ok()??;
    Some(Identity {
        user: person.id,
        name: row.address,
        credentials: person.credentials,
        method: "",
    })
}

/// A sender that is not the user's own.
pub(super) fn objection(
    rows: &Rows<'_>,
    options: &routing::Options,
    who: &Identity,
    reverse: &ReversePath,
) -> Result<Option<Objection>, LookupFailed> {
    let owns = |address: &Address| routing::owns(rows, options, who.user, address).ok();
    let judged = sender::judge_own(reverse, owns);
    judged.err().map_or(Ok(None), |refusal| {
        Ok(Some(Objection {
            refusal,
            user: name(rows, who)?,
        }))
    })
}

/// The address that the user has now.
fn name(rows: &Rows<'_>, who: &Identity) -> Result<String, LookupFailed> {
    let row = rows.user(who.user)?;
    Ok(row.map_or_else(|| who.name.clone(), |row| row.address))
}

impl Door {
    /// Whether the client may go on: a user who was removed or switched off, alone or with the domain, or
    /// whose secrets have changed since the log-in, has to log in again (SU-9).
    pub(super) fn still_welcome(&self) -> Result<(), Reply> {
        match (self.kind, &self.identity) {
            (Kind::Devices | Kind::Local | Kind::Mx, _) => Ok(()),
            (Kind::Submission, None) => Err(Reply::new(530, "5.7.0 Authentication required")),
            (Kind::Submission, Some(who)) => {
                let row = lookup::find(&self.shared.store, |rows| rows.active(who.user));
                let Ok(row) = row else {
                    return Err(Reply::new(451, "4.3.0 Temporary lookup failure"));
                };
                if row.is_some_and(|row| row.credentials == who.credentials) {
                    Ok(())
                } else {
                    Err(reply::stale(&self.shared.options().hostname))
                }
            }
        }
    }

    /// Whether all whom a submitted message says it is from are its submitter.
    pub(super) fn judge_authors(&self, authors: &[Author]) -> Result<(), Failure> {
        let Some(who) = &self.identity else {
            return Ok(());
        };
        let options = self.shared.options();
        let judged = lookup::look(&self.shared.store, |rows| {
            authors.iter().try_for_each(|author| {
                let (address, shown) = match author {
                    Author::Address(address) => (Some(address.clone()), address.to_string()),
                    Author::Bare(local) => (own(local, &options.routing), local.clone()),
                    Author::Unclear(text) => (None, text.clone()),
                };
                let owned = match address {
                    Some(address) => routing::owns(rows, &options.routing, who.user, &address),
                    None => Ok(false),
                };
                match owned {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(Failure::NotOwned(format!("<{shown}>"))),
                    Err(LookupFailed) => Err(Failure::LookupFailed),
                }
            })
        });
        judged.unwrap_or(Err(Failure::LookupFailed))
    }
}

fn own(local: &str, options: &routing::Options) -> Option<Address> {
    Address::new(local.to_owned(), options.origin.clone()?)
}
