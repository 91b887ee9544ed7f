//! SORT and UID SORT (RFC 5256).

use super::{Imap, Outcome};
use crate::proto::imap::{command::Sort, session::Completion};

impl Imap {
    #[expect(clippy::unused_async, reason = "its body comes")]
    pub(super) async fn sort(&mut self, _: Sort) -> Outcome {
        Err(Completion::bad("Not yet"))
    }
}
