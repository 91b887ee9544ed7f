//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208). A person has one quota root, without a name; all
//! folders are in it.

use super::{Imap, Outcome, sync::Tell};
use crate::{
    base::id::UserId,
    proto::imap::{response, session::Completion},
    store::Broken,
};

/// The unit of STORAGE in octets (RFC 9208 section 5.1).
const UNIT: u64 = 1024;

impl Imap {
    pub(super) fn get_quota(&mut self, user: UserId, root: &str) -> Outcome {
        is_ours(root)?;
        let mut out = Vec::new();
        self.write_quota(&mut out, user)?;
        Ok(self.finish(out, Completion::ok("Getquota completed."), Tell::ALL))
    }

    /// Also for folders that are not there: what would they count in (RFC 9208 section 4.1.2)?
    pub(super) fn get_quota_root(&mut self, user: UserId, folder: &str) -> Outcome {
        let mut out = Vec::new();
        response::quota_root(&mut out, folder, &[""], self.enabled.utf8);
        self.write_quota(&mut out, user)?;
        Ok(self.finish(out, Completion::ok("Getquotaroot completed."), Tell::ALL))
    }

    pub(super) fn set_quota(root: &str) -> Outcome {
        is_ours(root)?;
        Err(Completion::no("Quotas are set by the admin").with_code("NOPERM"))
    }

    /// What is used and what there may be; without a limit the list is empty.
    fn write_quota(&self, out: &mut Vec<u8>, user: UserId) -> Result<(), Broken> {
        let store = &self.shared.store;
        let (usage, limit) = store.read(|reader| {
            let row = reader.user(user)?;
            Ok((reader.usage(user)?, row.map_or(0, |row| row.quota)))
        })?;
        // Rounded alike, so that full is full.
        let storage = ("STORAGE", usage.octets.div_ceil(UNIT), limit.div_ceil(UNIT));
        response::quota(out, "", (limit > 0).then_some(storage));
        Ok(())
    }
}

fn is_ours(root: &str) -> Result<(), Completion> {
    if root.is_empty() {
        return Ok(());
    }
    Err(Completion::no("No such quota root").with_code("NONEXISTENT"))
}
