//! Domains and people: who has a mailbox here.

use serde::{Deserialize, Serialize};

use crate::base::{secret::Secret, time::Time};

/// What a domain is to us (`spec/mail.md` section 3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DomainClass {
    Alias,
    Backup,
    Local,
    Mailbox,
    Relay,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Domain {
    pub class: DomainClass,
    /// An inactive row is as if it did not exist (AC-7).
    pub enabled: bool,
}

/// A person with a mailbox.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct User {
    /// The log-in name, in key form: lower case, ASCII domain.
    pub address: String,
    /// A PHC string (argon2id).
    pub password: Secret,
    /// Rises with every change of a secret: what was verified before it is void.
    pub credentials: u64,
    /// In octets; 0 = none.
    pub quota: u64,
    pub enabled: bool,
    pub created: Time,
    /// When the person was removed and the mail kept (ST-11).
    pub removed: Option<Time>,
}

/// What a person's mail takes, as the quota counts it: a message counts in each folder it is in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    pub octets: u64,
    pub messages: u64,
}
