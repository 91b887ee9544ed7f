//! THREAD and UID THREAD (RFC 5256).

use super::{
    Imap, Outcome,
    search::{Purpose, Sink},
};
use crate::{
    mail::{
        fold::fold,
        header::unfold,
        subject,
        summary::Head,
        thread::{self, At, Builder, Digest, REFERENCES_MAX, Threads, message_ids},
    },
    proto::imap::{
        command::{Thread, ThreadAlgorithm},
        response::write,
    },
    store::message::Message,
};

impl Imap {
    pub(super) async fn thread(&mut self, command: Thread) -> Outcome {
        let digest = Digest::new(self.shared.store.secret());
        let sink = Sink::Thread(Threading::new(command.algorithm, digest));
        self.seek(&command.key, command.uid, Purpose::Arrange(Box::new(sink)))
            .await
    }
}

/// Threads that are being put together.
#[derive(Debug)]
pub struct Threading {
    algorithm: ThreadAlgorithm,
    digest: Digest,
    builder: Builder,
    count: u64,
    /// For one message after the other.
    references: Vec<u64>,
    subject: String,
}

impl Threading {
    fn new(algorithm: ThreadAlgorithm, digest: Digest) -> Self {
        Self {
            algorithm,
            digest,
            builder: Builder::new(),
            count: 0,
            references: Vec::new(),
            subject: String::new(),
        }
    }

    /// The next message.
    pub fn take(&mut self, number: u32, row: &Message, head: &Head<'_>) {
        self.count = self.count.saturating_add(1);
        let mut message = thread::Message {
            number,
            sent: head.sent.map_or(row.date, |sent| sent.time).0,
            ..thread::Message::default()
        };
        self.references.clear();
        let (mut seen, mut in_reply_to) = (false, None);
        for line in head.header.lines() {
            match line.name() {
                name if name.eq_ignore_ascii_case(b"Subject") && !seen => {
                    seen = true;
                    let value = line.value();
                    let decoded = subject::decode(&value);
                    let base = subject::base(&decoded);
                    message.reply = base.reply;
                    self.subject.clear();
                    fold(base.text, &mut self.subject);
                    if !self.subject.is_empty() {
                        message.subject = self.digest.of(self.subject.as_bytes());
                    }
                }
                _ if self.algorithm == ThreadAlgorithm::OrderedSubject => {}
                name if name.eq_ignore_ascii_case(b"Message-ID") && message.id.is_none() => {
                    message.id = self.ids(&line.value()).next();
                }
                name if name.eq_ignore_ascii_case(b"References") => {
                    let value = line.value();
                    let (digest, unfolded) = (self.digest, unfold(&value));
                    let ids = message_ids(&unfolded).map(|id| digest.of(&id));
                    self.references.extend(ids);
                }
                name if name.eq_ignore_ascii_case(b"In-Reply-To") && in_reply_to.is_none() => {
                    in_reply_to = self.ids(&line.value()).next();
                }
                _ => {}
            }
        }
        if self.references.is_empty() {
            self.references.extend(in_reply_to);
        }
        self.builder.push(message, &self.references);
        self.references.truncate(REFERENCES_MAX);
    }

    fn ids(&self, value: &[u8]) -> impl Iterator<Item = u64> {
        message_ids(value).map(|id| self.digest.of(&id))
    }

    pub fn octets(&self) -> u64 {
        // With what arranging takes, and the answer.
        self.builder
            .octets()
            .saturating_add(self.count.saturating_mul(48))
    }

    /// `* THREAD` and the trees.
    pub fn answer(self) -> Vec<u8> {
        let threads = match self.algorithm {
            ThreadAlgorithm::OrderedSubject => self.builder.ordered_subject(),
            ThreadAlgorithm::References => self.builder.references(),
        };
        let mut out = b"* THREAD".to_vec();
        for (place, root) in threads.roots().enumerate() {
            if place == 0 {
                out.push(b' ');
            }
            write_thread(&mut out, &threads, root);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// One thread (RFC 5256 section 4, thread-list); however deep it is, the stack is not.
fn write_thread(out: &mut Vec<u8>, threads: &Threads, root: At) {
    // Of each list that is open: the sibling that comes after it.
    let mut open: Vec<Option<At>> = vec![None];
    let mut next = Some(root);
    out.push(b'(');
    loop {
        while let Some(at) = next {
            let number = threads.number(at);
            if let Some(number) = number {
                write::number(out, u64::from(number));
            }
            next = threads.child(at);
            let Some(child) = next else {
                break;
            };
            if number.is_some() {
                out.push(b' ');
            }
            let sibling = threads.next(child);
            if sibling.is_some() {
                out.push(b'(');
                open.push(sibling);
            }
        }
        out.push(b')');
        match open.pop() {
            Some(Some(sibling)) => {
                out.push(b'(');
                open.push(threads.next(sibling));
                next = Some(sibling);
            }
            Some(None) if !open.is_empty() => {}
            Some(None) | None => return,
        }
    }
}

#[cfg(test)]
mod tests;
