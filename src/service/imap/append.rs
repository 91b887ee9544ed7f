//! APPEND (RFC 3501 section 6.3.11): content streams into the store while it arrives.

use super::{
    Imap, Outcome,
    crlf::Crlf,
    refusal::{for_target, no_memory, try_create},
    sync::Tell,
};
use crate::{
    base::{id::FolderId, memory::Held},
    mail::summary::SummaryBuilder,
    proto::imap::{
        command::AppendMessage,
        response,
        session::{Answer, Completion},
    },
    service::warning,
    store::{
        Incoming, Refusal, Reply, Request,
        change::CHANGE_MAX,
        content::PIECE_MAX,
        request::{Append, Appended},
    },
};

/// Octets of small messages that wait in memory for the last one of a MULTIAPPEND; those after them
/// go to the log.
const WAITING_MAX: u64 = 512 * 1024;

/// Messages of one MULTIAPPEND: they become one change of the store.
const MESSAGES_MAX: usize = 2_000;

/// What one message takes besides its octets, summary and keywords, in octets.
const MESSAGE_OCTETS: u64 = 256;

/// The messages of an APPEND (RFC 3502): those that are whole, and the one that is coming.
#[derive(Debug)]
pub struct Appending {
    folder: FolderId,
    whole: Vec<Appended>,
    coming: Option<Coming>,
    /// Octets announced so far.
    announced: u64,
    /// Octets of whole messages in memory.
    waiting: u64,
    /// Octets of their summaries and keywords.
    noted: u64,
    /// Kept for all of it.
    memory: Vec<Held>,
}

#[derive(Debug)]
struct Coming {
    message: AppendMessage,
    /// Kept while it comes.
    memory: Held,
    incoming: Result<Incoming, Completion>,
    crlf: Crlf,
    summary: SummaryBuilder,
}

impl Coming {
    /// Whether its line ends were changed though it is binary (RFC 3516 section 4.4); with UTF8 a
    /// literal8 is text (RFC 6855 section 4). The last octet tells only once it is `whole`.
    fn is_changed(&self, whole: bool) -> bool {
        let as_it_is = self.message.binary && !self.message.utf8;
        as_it_is && !self.crlf.has_kept_all(whole)
    }
}

/// The message cannot be kept octet for octet (RFC 3516 section 4.4).
fn unknown_encoding(text: &str) -> Completion {
    Completion::no(text).with_code("UNKNOWN-CTE")
}

impl Imap {
    /// May this message come? What can be refused is refused before its octets travel.
    pub(super) async fn append_begin(&mut self, message: AppendMessage) -> Answer {
        self.running = None;
        self.promised.clear();
        match self.begin(message).await {
            Ok(()) => Answer::Accept,
            Err(completion) => {
                self.appending = None;
                self.finish(Vec::new(), completion, Tell::ALL)
            }
        }
    }

    async fn begin(&mut self, message: AppendMessage) -> Result<(), Completion> {
        self.welcome()?;
        let before = self.appending.take();
        let announced = before.as_ref().map_or(0, |before| before.announced);
        let announced = announced.saturating_add(message.size);
        let folder = self.acceptable(&message, announced)?;
        let octets = message.size.min(PIECE_MAX as u64);
        let memory = self.shared.memory.hold(octets).ok_or_else(no_memory)?;
        let coming = Coming {
            message,
            memory,
            incoming: Ok(self.shared.store.incoming()),
            crlf: Crlf::default(),
            summary: SummaryBuilder::new(),
        };
        self.appending = Some(match before {
            None => Box::new(Appending {
                folder,
                whole: Vec::new(),
                coming: Some(coming),
                announced,
                waiting: 0,
                noted: 0,
                memory: Vec::new(),
            }),
            Some(mut before) => {
                if before.whole.len() >= MESSAGES_MAX {
                    let text = format!("No more than {MESSAGES_MAX} messages at once");
                    return Err(Completion::no(&text).with_code("LIMIT"));
                }
                before.announced = announced;
                self.take(&mut before).await?;
                before.coming = Some(coming);
                before
            }
        });
        Ok(())
    }

    fn acceptable(&self, message: &AppendMessage, announced: u64) -> Result<FolderId, Completion> {
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
        let wanted = usage.octets.saturating_add(announced);
        if quota > 0 && wanted > quota {
            let limit = quota;
            return Err(Refusal::OverQuota { limit, wanted }.into());
        }
        Ok(folder)
    }

    /// The next octets; a refusal is remembered until the message is whole.
    pub(super) async fn append_octets(&mut self, octets: Vec<u8>) {
        let appending = self.appending.as_deref_mut();
        let Some(coming) = appending.and_then(|appending| appending.coming.as_mut()) else {
            return;
        };
        if coming.incoming.is_err() {
            return;
        }
        // Only a literal8 brings it (RFC 3516 section 4.4); no client could read it by BODY[].
        if memchr::memchr(0, &octets).is_some() {
            coming.incoming = Err(unknown_encoding(
                "A message with NUL cannot be kept as it is",
            ));
            return;
        }
        let octets = coming.crlf.convert(octets);
        if coming.is_changed(false) {
            coming.incoming = Err(unknown_encoding("A literal8 needs CRLF as line ends"));
            return;
        }
        coming.summary.push(&octets);
        if let Ok(incoming) = &mut coming.incoming
            && let Err(refusal) = incoming.write(&octets).await
        {
            coming.incoming = Err(refusal.into());
        }
    }

    /// All messages are whole.
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

    /// A message is whole. It waits for the others in memory if there is room, else in the log.
    async fn take(&self, appending: &mut Appending) -> Result<(), Completion> {
        let Some(coming) = appending.coming.take() else {
            return Ok(());
        };
        if coming.incoming.is_ok() && coming.is_changed(true) {
            return Err(unknown_encoding("A literal8 needs CRLF as line ends"));
        }
        let incoming = coming.incoming?;
        let message = coming.message;
        let mut summary = coming.summary.finish().encode();
        summary.shrink_to_fit();
        let keywords = message.flags.keywords.iter();
        let keywords = keywords.map(|keyword| size_of_val(keyword).saturating_add(keyword.len()));
        let noted = keywords.fold(summary.len(), usize::saturating_add) as u64;
        let noted = noted.saturating_add(MESSAGE_OCTETS);
        appending.noted = appending.noted.saturating_add(noted);
        if appending.noted > CHANGE_MAX as u64 {
            let text = "The headers and keywords of these messages are too much at once";
            return Err(Completion::no(text).with_code("LIMIT"));
        }
        let memory = self.shared.memory.hold(noted).ok_or_else(no_memory)?;
        appending.memory.push(memory);
        let held = incoming.held();
        let waiting = appending.waiting.saturating_add(held);
        let body = if waiting > WAITING_MAX {
            incoming.finish_in_log().await?
        } else {
            appending.waiting = waiting;
            appending.memory.push(coming.memory);
            incoming.finish().await?
        };
        appending.whole.push(Appended {
            body,
            summary,
            date: message.date.unwrap_or_else(|| self.shared.world.time()),
            flags: message.flags.system,
            keywords: message.flags.keywords,
        });
        Ok(())
    }

    async fn deliver(&mut self, mut appending: Appending) -> Outcome {
        self.take(&mut appending).await?;
        let request = Request::Append(Append {
            folder: appending.folder,
            messages: appending.whole,
        });
        let reply = self.shared.store.request(request).await;
        let mut completion = Completion::ok("Append completed.");
        if let Reply::Appended { validity, uids } = reply.map_err(for_target)? {
            completion = completion.with_code(response::append_uid(validity, &uids));
        }
        let (store, world) = (&self.shared.store, &*self.shared.world);
        warning::give(store, world, &[self.person()?]).await;
        self.refresh();
        Ok(self.finish(Vec::new(), completion, Tell::ALL))
    }
}
