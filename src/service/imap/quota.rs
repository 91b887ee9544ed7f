//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).

use super::{Imap, Outcome};
use crate::{base::id::UserId, proto::imap::session::Completion};

#[expect(clippy::unused_async, reason = "their bodies come")]
impl Imap {
    pub(super) async fn get_quota(&mut self, _: UserId, _root: &str) -> Outcome {
        Err(Completion::bad("Not yet"))
    }

    pub(super) async fn get_quota_root(&mut self, _: UserId, _folder: &str) -> Outcome {
        Err(Completion::bad("Not yet"))
    }

    pub(super) async fn set_quota(&mut self, _: UserId, _root: &str) -> Outcome {
        Err(Completion::no("Quotas are set by the admin").with_code("NOPERM"))
    }
}
