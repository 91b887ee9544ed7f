//! Deciding what an administrator wants: domains, people, tables, settings.

use crate::store::{
    Refusal,
    change::Change,
    decide::{Decided, Numbers, done, nothing},
    directory::{
        self, app_password, table,
        user::{self, Secrets},
    },
    index::table::Rows,
    request::{Reply, Request},
};

/// Decides a request of an administrator. Writes nothing.
///
/// # Errors
///
/// See [`Refusal`].
pub fn decide(
    rows: &impl Rows,
    numbers: &mut Numbers,
    request: &Request,
) -> Result<Decided, Refusal> {
    let change = match request {
        Request::AddAppPassword { user, app } => {
            let (id, change) = app_password::decide_add(rows, numbers, *user, app)?;
            return Ok(done(change, Reply::AppPassword(id)));
        }
        Request::AddUser {
            address,
            password,
            scram,
            scram_salt,
            scram_count,
            quota,
        } => {
            let secrets = Secrets {
                password: password.clone(),
                scram: scram.clone(),
                scram_salt: *scram_salt,
                scram_count: *scram_count,
            };
            let (user, change) = user::decide_add(rows, numbers, address, secrets, *quota)?;
            return Ok(done(change, Reply::User(user)));
        }
        Request::Edit(edits) => table::decide(rows, numbers, edits)?,
        Request::RemoveAppPassword { user, id } => {
            Some(app_password::decide_remove(rows, *user, *id)?)
        }
        Request::UsedAppPassword { user, id, time } => {
            app_password::decide_used(rows, *user, *id, *time)?
        }
        Request::AddDomain { .. }
        | Request::RemoveDomain { .. }
        | Request::SetDomainEnabled { .. }
        | Request::SetDomainListed { .. } => Some(domain(rows, request)?),
        Request::Set { key, value } => Some(Change::Set {
            key: key.clone(),
            value: value.clone(),
        }),
        other => Some(person(rows, other)?),
    };
    Ok(change.map_or_else(nothing, |change| done(change, Reply::Done)))
}

fn domain(rows: &impl Rows, request: &Request) -> Result<Change, Refusal> {
    let known = |name: &str| directory::domain(rows, name)?.ok_or(Refusal::NoDomain);
    Ok(match request {
        Request::AddDomain {
            name,
            class,
            listed,
        } => {
            if directory::domain(rows, name)?.is_some() {
                return Err(Refusal::Exists);
            }
            Change::AddDomain {
                name: name.clone(),
                class: *class,
                listed: *listed,
            }
        }
        Request::RemoveDomain { name } => {
            directory::vacant(rows, name)?;
            Change::RemoveDomain { name: name.clone() }
        }
        Request::SetDomainEnabled { name, enabled } => {
            known(name)?;
            Change::SetDomainEnabled {
                name: name.clone(),
                enabled: *enabled,
            }
        }
        Request::SetDomainListed { name, listed } => {
            known(name)?;
            Change::SetDomainListed {
                name: name.clone(),
                listed: *listed,
            }
        }
        // All others are decided by the caller.
        _ => Change::Several(Vec::new()),
    })
}

fn person(rows: &impl Rows, request: &Request) -> Result<Change, Refusal> {
    Ok(match request {
        Request::RemoveUser { user, purge } => {
            directory::user(rows, *user)?.ok_or(Refusal::NoUser)?;
            Change::RemoveUser {
                user: *user,
                purge: *purge,
            }
        }
        Request::RenameUser { user, address } => {
            directory::known(rows, *user)?;
            directory::free(rows, address)?;
            Change::RenameUser {
                user: *user,
                address: address.clone(),
            }
        }
        Request::SetPassword {
            user,
            password,
            scram,
            scram_salt,
            scram_count,
            changed,
            was,
        } => {
            directory::known(rows, *user)?;
            let now = directory::user(rows, *user)?.map(|row| row.credentials);
            if was.is_some() && *was != now {
                return Err(Refusal::Changed);
            }
            Change::SetPassword {
                user: *user,
                secrets: Secrets {
                    password: password.clone(),
                    scram: scram.clone(),
                    scram_salt: *scram_salt,
                    scram_count: *scram_count,
                },
                changed: *changed,
            }
        }
        Request::SetQuota { user, quota } => {
            directory::known(rows, *user)?;
            Change::SetQuota {
                user: *user,
                quota: *quota,
            }
        }
        Request::SetUserEnabled { user, enabled } => {
            directory::known(rows, *user)?;
            Change::SetUserEnabled {
                user: *user,
                enabled: *enabled,
            }
        }
        // All others are decided by the caller.
        _ => Change::Several(Vec::new()),
    })
}
