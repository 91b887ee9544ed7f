//! Whether the account is still the one that logged in: who is disabled, removed or has a new
//! password loses the running sessions too.

use super::{Imap, people::Presence};
use crate::{
    proto::imap::session::{Completion, StateChange},
    service::login::Person,
};

impl Imap {
    /// Looked up at every command and whenever an idle session wakes.
    ///
    /// # Errors
    ///
    /// The `BYE` of a session whose account has changed.
    pub(super) fn welcome(&self) -> Result<(), Completion> {
        let Some(user) = self.user.as_ref().map(Presence::user) else {
            return Ok(());
        };
        let person = Person {
            id: user,
            credentials: self.credentials,
        };
        let Some(text) = self.shared.login.outdated(person) else {
            return Ok(());
        };
        Err(Completion::no(text).with_state(StateChange::Bye))
    }
}
