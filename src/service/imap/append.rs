//! APPEND (RFC 3501 section 6.3.11): content streams into the store while it arrives.

use super::{
    Imap, Outcome,
    crlf::Crlf,
    refusal::{for_target, no_memory, try_create},
    sync::Tell,
};
use crate::{
    base::{
        id::{FolderId, Uid},
        memory::Held,
    },
    mail::summary::SummaryBuilder,
    proto::imap::{
        command::AppendMessage,
        response,
        session::{Answer, Completion},
    },
    service::warning,
    store::{
        Incoming, Refusal, Reply, Request,
        content::PIECE_MAX,
        request::{Append, Appended},
    },
};

/// A message that is coming.
#[derive(Debug)]
pub struct Appending {
    message: AppendMessage,
    folder: FolderId,
    /// Kept while the message comes.
    _memory: Held,
    /// `None` once the store has refused it.
    incoming: Option<Incoming>,
    refused: Option<Refusal>,
    crlf: Crlf,
    summary: SummaryBuilder,
}

impl Imap {
    /// May this message come? What can be refused is refused before its octets travel.
    pub(super) fn append_begin(&mut self, message: AppendMessage) -> Answer {
        self.running = None;
        self.promised.clear();
        let begun = self.welcome().and_then(|()| {
            let folder = self.acceptable(&message)?;
            let octets = message.size.min(PIECE_MAX as u64);
            let memory = self.shared.memory.hold(octets).ok_or_else(no_memory)?;
            Ok((folder, memory))
        });
        match begun {
            Ok((folder, memory)) => {
                self.appending = Some(Box::new(Appending {
                    message,
                    folder,
                    _memory: memory,
                    incoming: Some(self.shared.store.incoming()),
                    refused: None,
                    crlf: Crlf::default(),
                    summary: SummaryBuilder::new(),
                }));
                Answer::Accept
            }
            Err(completion) => self.finish(Vec::new(), completion, Tell::ALL),
        }
    }

    fn acceptable(&self, message: &AppendMessage) -> Result<FolderId, Completion> {
        let user = self.person()?;
        let folder = self.find(user, &message.folder)?.ok_or_else(try_create)?;
        let limit = self.shared.options.get().message_size;
        if limit > 0 && message.size > limit {
            let text = format!("Message is larger than {limit} octets");
            return Err(Completion::no(&text).with_code("TOOBIG"));
        }
        let store = &self.shared.store;
        let (person, usage) = store.read(|reader| Ok((reader.user(user)?, reader.usage(user)?)))?;
        let quota = person.ok_or(Refusal::NoUser)?.quota;
        let wanted = usage.octets.saturating_add(message.size);
        if quota > 0 && wanted > quota {
            let limit = quota;
            return Err(Refusal::OverQuota { limit, wanted }.into());
        }
        Ok(folder)
    }

    /// The next octets; a refusal is remembered until the message is whole.
    pub(super) async fn append_octets(&mut self, octets: Vec<u8>) {
        let Some(appending) = self.appending.as_deref_mut() else {
            return;
        };
        let Some(incoming) = appending.incoming.as_mut() else {
            return;
        };
        let octets = appending.crlf.convert(octets);
        appending.summary.push(&octets);
        if let Err(refusal) = incoming.write(&octets).await {
            appending.incoming = None;
            appending.refused = Some(refusal);
        }
    }

    /// The message is whole.
    pub(super) async fn append_end(&mut self) -> Answer {
        let Some(appending) = self.appending.take() else {
            return self.finish_all(Completion::bad("Nothing was appended"));
        };
        if let Err(completion) = self.welcome() {
            return Answer::Done(Vec::new(), completion);
        }
        match Box::pin(self.deliver(*appending)).await {
            Ok(answer) => answer,
            Err(completion) => self.finish(Vec::new(), completion, Tell::ALL),
        }
    }

    async fn deliver(&mut self, appending: Appending) -> Outcome {
        let incoming = match (appending.incoming, appending.refused) {
            (Some(incoming), _) => incoming,
            (None, refused) => return Err(refused.unwrap_or(Refusal::Full).into()),
        };
        let body = incoming.finish().await?;
        let message = appending.message;
        let request = Request::Append(Append {
            folder: appending.folder,
            messages: vec![Appended {
                body,
                summary: appending.summary.finish().encode(),
                date: message.date.unwrap_or_else(|| self.shared.world.time()),
                flags: message.flags.system,
                keywords: message.flags.keywords,
            }],
        });
        let reply = self.shared.store.request(request).await;
        let mut completion = Completion::ok("Append completed.");
        if let Reply::Appended { validity, uids } = reply.map_err(for_target)? {
            let uid = Uid(uids.first().unwrap_or(0));
            completion = completion.with_code(response::append_uid(validity, uid));
        }
        let (store, world) = (&self.shared.store, &*self.shared.world);
        warning::give(store, world, &[self.person()?]).await;
        self.refresh();
        Ok(self.finish(Vec::new(), completion, Tell::ALL))
    }
}
