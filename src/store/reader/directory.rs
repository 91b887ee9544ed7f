//! Who and what is known here: domains, people, tables, settings.

use std::ops::ControlFlow;

use super::Reader;
use crate::{
    base::id::UserId,
    store::{
        Broken,
        directory::{
            self, Access, Alias, AppPassword, Device, DkimKey, Domain, Route, Transport, Usage,
            User, app_password, dkim, table, usage,
        },
        index::{
            key::{self, Kind},
            table::Rows,
        },
    },
};

impl Reader {
    /// `name` in ASCII form, lower case.
    pub fn domain(&self, name: &str) -> Result<Option<Domain>, Broken> {
        directory::domain(&self.rows, name)
    }

    /// All domains by name.
    pub fn domains(&self) -> Result<Vec<(String, Domain)>, Broken> {
        directory::domains(&self.rows)
    }

    /// Whether a domain has people, and whether it has aliases: why it cannot be removed.
    pub fn domain_holds(&self, name: &str) -> Result<(bool, bool), Broken> {
        directory::holds(&self.rows, name)
    }

    /// By the address' key form. Removed people are not found, disabled ones are.
    pub fn user_named(&self, address: &str) -> Result<Option<UserId>, Broken> {
        directory::named(&self.rows, address)
    }

    pub fn user(&self, user: UserId) -> Result<Option<User>, Broken> {
        directory::user(&self.rows, user)
    }

    /// Up to `limit` people after `after`, by number.
    pub fn users(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, User)>, Broken> {
        directory::users(&self.rows, after, limit)
    }

    pub fn usage(&self, user: UserId) -> Result<Usage, Broken> {
        usage::usage(&self.rows, user)
    }

    /// A person's, oldest first.
    pub fn app_passwords(&self, user: UserId) -> Result<Vec<(u32, AppPassword)>, Broken> {
        app_password::app_passwords(&self.rows, user)
    }

    /// `source`: an address in key form, or `@domain`. Disabled ones are found.
    pub fn alias(&self, source: &str) -> Result<Option<Alias>, Broken> {
        table::alias(&self.rows, source)
    }

    /// Up to `limit` aliases behind the source `after`: by domain (its catch-all first), then by local
    /// part.
    pub fn aliases(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Alias)>, Broken> {
        let after = after.map(key::alias);
        table::by_domain(&self.rows, Kind::Alias, None, after, limit)
    }

    /// As [`Reader::aliases`], of one domain.
    pub fn aliases_of(
        &self,
        domain: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Alias)>, Broken> {
        let after = after.map(key::alias);
        table::by_domain(&self.rows, Kind::Alias, Some(domain), after, limit)
    }

    /// Whether an address (key form, or `@domain`) is in its domain's list of recipients.
    pub fn recipient(&self, address: &str) -> Result<bool, Broken> {
        table::recipient(&self.rows, address)
    }

    /// Up to `limit` known recipients of a domain behind the address `after`.
    pub fn recipients(
        &self,
        domain: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Broken> {
        let after = after.map(key::recipient);
        let rows = table::by_domain::<()>(&self.rows, Kind::Recipient, Some(domain), after, limit)?;
        Ok(rows.into_iter().map(|(address, ())| address).collect())
    }

    pub fn transport(&self, pattern: &str) -> Result<Option<Transport>, Broken> {
        table::transport(&self.rows, pattern)
    }

    /// Whether there is one at all.
    pub fn any_transport(&self) -> Result<bool, Broken> {
        let mut any = false;
        self.rows
            .scan_prefix(&[Kind::Transport.letter()], &mut |_, _| {
                any = true;
                Ok(ControlFlow::Break(()))
            })?;
        Ok(any)
    }

    /// All, by pattern.
    pub fn transports(&self) -> Result<Vec<(String, Transport)>, Broken> {
        table::all(&self.rows, Kind::Transport)
    }

    pub fn route(&self, name: &str) -> Result<Option<Route>, Broken> {
        table::route(&self.rows, name)
    }

    /// All, by name.
    pub fn routes(&self) -> Result<Vec<(String, Route)>, Broken> {
        table::all(&self.rows, Kind::Route)
    }

    /// All, by CIDR as text.
    pub fn access_list(&self) -> Result<Vec<(String, Access)>, Broken> {
        table::all(&self.rows, Kind::Access)
    }

    /// All, by name.
    pub fn devices(&self) -> Result<Vec<(String, Device)>, Broken> {
        table::all(&self.rows, Kind::Device)
    }

    /// A domain's keys: selector and key, by selector.
    pub fn dkim_keys(&self, domain: &str) -> Result<Vec<(String, DkimKey)>, Broken> {
        dkim::keys(&self.rows, domain)
    }

    pub fn setting(&self, name: &str) -> Result<Option<String>, Broken> {
        self.rows.row(&key::setting(name), "setting")
    }

    /// The admin's settings by key; what the server remembers for itself ([`Self::remembered`]) is none.
    pub fn settings(&self) -> Result<Vec<(String, String)>, Broken> {
        let mut all = table::all(&self.rows, Kind::Setting)?;
        all.retain(|(name, _): &(String, _)| !name.contains(':'));
        Ok(all)
    }

    /// Settings of the server's own whose key begins with `prefix`, which ends with a colon.
    pub fn remembered(&self, prefix: &str) -> Result<Vec<(String, String)>, Broken> {
        let mut all = table::all(&self.rows, Kind::Setting)?;
        all.retain(|(name, _): &(String, _)| name.starts_with(prefix));
        Ok(all)
    }
}
