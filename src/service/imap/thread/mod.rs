//! THREAD and UID THREAD (RFC 5256).

use super::{Imap, Outcome};
use crate::proto::imap::{command::Thread, session::Completion};

impl Imap {
    #[expect(clippy::unused_async, reason = "its body comes")]
    pub(super) async fn thread(&mut self, _: Thread) -> Outcome {
        Err(Completion::bad("Not yet"))
    }
}
