//! What can be read: one transaction, one moment. Never held across an await, never longer than a
//! slice (256 rows or 5 ms).

use std::ops::ControlFlow;

use crate::{
    base::{
        id::{ContentId, FolderId, Uid, UserId},
        ranges::Ranges,
    },
    store::{
        Broken,
        directory::{Domain, Usage, User},
        mailbox::Folder,
        message::Message,
    },
};

/// The state at one moment.
#[derive(Debug)]
pub struct Reader {}

impl Reader {
    /// Sequence number of the last change that is in this state.
    pub fn sequence(&self) -> Result<u64, Broken> {
        unimplemented!()
    }

    /// `name` in ASCII form, lower case.
    pub fn domain(&self, _name: &str) -> Result<Option<Domain>, Broken> {
        unimplemented!()
    }

    /// All domains by name.
    pub fn domains(&self) -> Result<Vec<(String, Domain)>, Broken> {
        unimplemented!()
    }

    /// By the address' key form. Removed people are not found, disabled ones are.
    pub fn user_named(&self, _address: &str) -> Result<Option<UserId>, Broken> {
        unimplemented!()
    }

    pub fn user(&self, _user: UserId) -> Result<Option<User>, Broken> {
        unimplemented!()
    }

    /// Up to `limit` people after `after`, by number.
    pub fn users(
        &self,
        _after: Option<UserId>,
        _limit: usize,
    ) -> Result<Vec<(UserId, User)>, Broken> {
        unimplemented!()
    }

    pub fn usage(&self, _user: UserId) -> Result<Usage, Broken> {
        unimplemented!()
    }

    pub fn folder_named(&self, _user: UserId, _name: &str) -> Result<Option<FolderId>, Broken> {
        unimplemented!()
    }

    pub fn folder(&self, _folder: FolderId) -> Result<Option<Folder>, Broken> {
        unimplemented!()
    }

    /// A person's folders by name.
    pub fn folders(&self, _user: UserId) -> Result<Vec<(FolderId, Folder)>, Broken> {
        unimplemented!()
    }

    /// Names a person subscribed to, whether or not there is such a folder.
    pub fn subscriptions(&self, _user: UserId) -> Result<Vec<String>, Broken> {
        unimplemented!()
    }

    /// The UIDs of a folder's messages. Scans the folder when it has holes: keep the result.
    pub fn uids(&self, _folder: FolderId) -> Result<Ranges, Broken> {
        unimplemented!()
    }

    pub fn message(&self, _folder: FolderId, _uid: Uid) -> Result<Option<Message>, Broken> {
        unimplemented!()
    }

    /// Shows the messages from `from` to `to`, ascending, until `each` breaks.
    pub fn messages(
        &self,
        _folder: FolderId,
        _from: Uid,
        _to: Uid,
        _each: &mut dyn FnMut(Uid, &Message) -> ControlFlow<()>,
    ) -> Result<(), Broken> {
        unimplemented!()
    }

    /// What was derived from a content, as it was given with the delivery; `None` where it has to be
    /// derived again.
    pub fn summary<T>(
        &self,
        _content: ContentId,
        _read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Broken> {
        unimplemented!()
    }

    pub fn setting(&self, _key: &str) -> Result<Option<String>, Broken> {
        unimplemented!()
    }

    /// All settings by key.
    pub fn settings(&self) -> Result<Vec<(String, String)>, Broken> {
        unimplemented!()
    }
}
