//! Whether the account is still the one that logged in: who is disabled, removed or has a new
//! password loses the running sessions too.

use super::{Imap, people::Presence};
use crate::{
    proto::imap::session::{Completion, StateChange},
    store::Broken,
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
        let account = match self.shared.store.read(|reader| reader.user(user)) {
            Ok(account) => account,
            // What needs the store fails by itself.
            Err(Broken::Stopped) => return Ok(()),
            Err(broken @ (Broken::Corrupt(_) | Broken::Index(_) | Broken::Io(_))) => {
                log::error!("imap: account not looked up: {broken}");
                return Ok(());
            }
        };
        let text = match account {
            Some(user) if user.removed.is_some() => "The account was removed",
            None => "The account was removed",
            Some(user) if !user.enabled => "The account was disabled",
            Some(user) if user.credentials != self.credentials => "The password has changed",
            Some(_) => return Ok(()),
        };
        Err(Completion::no(text).with_state(StateChange::Bye))
    }
}
