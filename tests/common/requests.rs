//! What happens to somebody's mail without an IMAP session: by POP3, by the command line.

use pillarbox::base::ranges::Ranges;
use pillarbox::mail::flag::Flags;
use pillarbox::store::request::{Flag, FlagMode};
use pillarbox::store::{Refusal, Request};

use super::house::House;

impl House {
    /// Flags these messages of a folder; with `expunge` they are \Deleted and go. Those that are not
    /// there are passed over.
    pub async fn change(&self, address: &str, folder: &str, uids: Ranges, expunge: bool) {
        let user = self.user(address);
        let found = self.store.read(|reader| reader.folder_named(user, folder));
        let folder = found.unwrap().expect("a folder of this name");
        let request = Request::Flag(Flag {
            folder,
            uids: uids.clone(),
            mode: FlagMode::Add,
            flags: if expunge {
                Flags::DELETED
            } else {
                Flags::FLAGGED
            },
            keywords: vec![],
            unchanged_since: None,
            lazy: false,
        });
        self.store.request(request).await.unwrap();
        if expunge {
            let uids = Some(uids);
            let request = Request::Expunge { folder, uids };
            match self.store.request(request).await {
                Ok(_) | Err(Refusal::NoFolder) => {}
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }
}
