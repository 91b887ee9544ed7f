//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.

use super::{Imap, Outcome, refusal::no_folder};
use crate::{
    base::id::{FolderId, UserId},
    proto::imap::{
        command::{Create, SpecialUse},
        session::Completion,
    },
    store::{Refusal, Request, request::Special},
};

impl Imap {
    /// CREATE, with the missing folders above it (RFC 3501 section 6.3.3).
    pub(super) async fn create(&mut self, user: UserId, create: Create) -> Outcome {
        let special = match create.special_use.as_slice() {
            [] => None,
            [one] => Some(special(*one).ok_or_else(cannot_use)?),
            _ => return Err(cannot_use()),
        };
        let name = create.folder;
        if self.find(user, &name)?.is_some() {
            return Err(Refusal::Exists.into());
        }
        self.create_above(user, &name).await?;
        let request = Request::CreateFolder {
            user,
            name: name.clone(),
            special,
        };
        match self.shared.store.request(request).await {
            // The name is free: another folder has the use (RFC 6154 section 3).
            Err(Refusal::Exists) if special.is_some() && self.find(user, &name)?.is_none() => {
                let text = "Another mailbox has that special use";
                return Err(Completion::no(text).with_code("USEATTR"));
            }
            done => done?,
        };
        Ok(self.finish_all(Completion::ok("Create completed.")))
    }

    /// DELETE; folders below stay (RFC 3501 section 6.3.4).
    pub(super) async fn delete(&mut self, user: UserId, name: &str) -> Outcome {
        if name == "INBOX" {
            let text = "INBOX cannot be deleted";
            return Err(Completion::no(text).with_code("CANNOT"));
        }
        let folder = self.find(user, name)?.ok_or_else(no_folder)?;
        let request = Request::DeleteFolder { folder };
        self.shared.store.request(request).await?;
        self.refresh();
        Ok(self.finish_all(Completion::ok("Delete completed.")))
    }

    /// RENAME, with the folders below; INBOX gives its messages and stays (RFC 3501 section 6.3.5).
    pub(super) async fn rename(&mut self, user: UserId, from: &str, to: String) -> Outcome {
        let folder = self.find(user, from)?;
        let store = &self.shared.store;
        if folder.is_none() && !store.read(|reader| reader.has_folder_below(user, from))? {
            return Err(no_folder());
        }
        if self.find(user, &to)?.is_some() {
            return Err(Refusal::Exists.into());
        }
        let below = to.strip_prefix(from);
        if below.is_some_and(|rest| rest.starts_with('/')) && from != "INBOX" {
            let text = "A mailbox cannot go below itself";
            return Err(Completion::no(text).with_code("CANNOT"));
        }
        self.create_above(user, &to).await?;
        let request = match folder {
            Some(folder) => Request::RenameFolder { folder, name: to },
            // \Noselect: what lies below it goes along (RFC 3501 section 6.3.5).
            None => Request::RenameLevel {
                user,
                from: from.to_owned(),
                name: to,
            },
        };
        self.shared.store.request(request).await?;
        self.refresh();
        Ok(self.finish_all(Completion::ok("Rename completed.")))
    }

    /// SUBSCRIBE and UNSUBSCRIBE. A name can be subscribed to before there is such a folder, and
    /// stays so when it is deleted (RFC 3501 section 6.3.6).
    pub(super) async fn subscribe(&mut self, user: UserId, name: String, on: bool) -> Outcome {
        let request = Request::Subscribe { user, name, on };
        self.shared.store.request(request).await?;
        let text = if on {
            "Subscribe completed."
        } else {
            "Unsubscribe completed."
        };
        Ok(self.finish_all(Completion::ok(text)))
    }

    async fn create_above(&self, user: UserId, name: &str) -> Result<(), Completion> {
        for (end, _) in name.match_indices('/') {
            let above = name.get(..end).unwrap_or_default();
            if self.find(user, above)?.is_some() {
                continue;
            }
            let request = Request::CreateFolder {
                user,
                name: above.to_owned(),
                special: None,
            };
            match self.shared.store.request(request).await {
                Ok(_) | Err(Refusal::Exists) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Ok(())
    }

    pub(super) fn find(&self, user: UserId, name: &str) -> Result<Option<FolderId>, Completion> {
        let store = &self.shared.store;
        Ok(store.read(|reader| reader.folder_named(user, name))?)
    }
}

/// What the store can note of a folder; \All and \Flagged would be folders without messages of
/// their own.
fn special(special_use: SpecialUse) -> Option<Special> {
    match special_use {
        SpecialUse::All | SpecialUse::Flagged => None,
        SpecialUse::Archive => Some(Special::Archive),
        SpecialUse::Drafts => Some(Special::Drafts),
        SpecialUse::Junk => Some(Special::Junk),
        SpecialUse::Sent => Some(Special::Sent),
        SpecialUse::Trash => Some(Special::Trash),
    }
}

/// RFC 6154 section 3.
fn cannot_use() -> Completion {
    Completion::no("That special use is not supported").with_code("USEATTR")
}
