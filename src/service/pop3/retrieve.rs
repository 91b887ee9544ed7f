//! RETR and TOP: a message leaves piece by piece, and is never held.

use super::{Answer, Pop3, Running, broken};
use crate::{
    base::id::ContentId,
    service::imap::read_content,
    store::{Broken, Content, content::PIECE_MAX},
};

const GONE: Answer = Answer::Err("This message was removed meanwhile");
const DAMAGED: Answer = Answer::Err("[SYS/PERM] This message is damaged in the store");
const DAMAGE: &[u8] = b"\r\n[This part of the message is damaged in the store.]\r\n";

/// A message that is being sent.
#[derive(Debug)]
pub struct Retrieving {
    id: ContentId,
    content: Content,
    /// The next octet to send.
    at: u64,
}

impl Pop3 {
    pub(super) async fn retrieve(&mut self, number: u32) -> Answer {
        let store = &self.shared.common.store;
        let Some(maildrop) = self.maildrop.as_deref() else {
            return GONE;
        };
        let Some((uid, size)) = maildrop.message(number) else {
            return Answer::Err("No such message");
        };
        let folder = maildrop.folder();
        let id = match store.read(|reader| reader.message(folder, uid)) {
            Ok(Some(row)) => row.content,
            Ok(None) => return GONE,
            Err(error) => return broken(&error),
        };
        let content = match store.content(id) {
            Ok(Some(content)) => content,
            Ok(None) => return GONE,
            Err(Broken::Corrupt(_)) => {
                log::error!("pop3: content {id} is not there");
                return DAMAGED;
            }
            Err(error) => return broken(&error),
        };
        let retrieving = Retrieving { id, content, at: 0 };
        let (retrieving, Some(octets)) = self.piece(retrieving).await else {
            return DAMAGED;
        };
        let more = self.go_on(retrieving, octets.len());
        let text = [&size.to_string(), " octets"].concat();
        Answer::Lines { text, octets, more }
    }

    /// The next octets. What cannot be read is left out, and that is said: it must not keep a client
    /// from its other messages.
    pub(super) async fn retrieve_more(&mut self, retrieving: Retrieving) -> (Vec<u8>, bool) {
        let (retrieving, octets) = self.piece(retrieving).await;
        if let Some(octets) = octets {
            let more = self.go_on(retrieving, octets.len());
            return (octets, more);
        }
        let more = self.go_on(retrieving, PIECE_MAX);
        (DAMAGE.to_vec(), more)
    }

    /// The octets that come next; `None` if they cannot be read, which is logged.
    async fn piece(&self, retrieving: Retrieving) -> (Retrieving, Option<Vec<u8>>) {
        let Retrieving { id, content, at } = retrieving;
        let job = move |content: &mut Content| content.read(at).map(<[u8]>::to_vec);
        let (content, octets) = read_content(&self.shared.common, content, job).await;
        if let Err(broken) = &octets {
            log::error!("pop3: content {id}: {broken}");
        }
        (Retrieving { id, content, at }, octets.ok())
    }

    /// Whether there is more after so many octets.
    fn go_on(&mut self, mut retrieving: Retrieving, octets: usize) -> bool {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        retrieving.at = retrieving.at.saturating_add(octets);
        let more = octets > 0 && retrieving.at < retrieving.content.size();
        self.running = more.then(|| Running::Retrieving(Box::new(retrieving)));
        more
    }
}
