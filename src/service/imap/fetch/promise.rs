//! Octets of contents that were promised, read when they are sent.

use super::binary::Decoder;
use crate::{
    base::id::{ContentId, ContentRange},
    service::imap::{Imap, summary::read},
    store::{Broken, Content, content::PIECE_MAX},
};

/// Content some of whose octets were promised.
#[derive(Debug)]
pub struct Promised {
    pub id: ContentId,
    content: Content,
    /// The octets are those of a part decoded.
    decoder: Option<Box<Decoder>>,
    /// Some of it could not be read, and that was logged.
    damaged: bool,
}

impl Promised {
    pub fn new(id: ContentId, content: Content) -> Self {
        Self {
            id,
            content,
            decoder: None,
            damaged: false,
        }
    }

    pub fn decoded(self, decoder: Decoder) -> Self {
        Self {
            decoder: Some(Box::new(decoder)),
            ..self
        }
    }
}

impl Imap {
    /// The octets of a range that was promised, from its octet `at` on. What cannot be read is
    /// filled up: a damaged message must not end the session.
    pub(in crate::service::imap) async fn promised_octets(
        &mut self,
        range: &ContentRange,
        at: u64,
    ) -> Option<Vec<u8>> {
        // Each range has its own, in the order in which they are sent.
        let before = self.promised.iter().position(|p| p.id == range.content)?;
        self.promised.drain(..before);
        let Promised {
            id,
            content,
            mut decoder,
            mut damaged,
        } = self.promised.pop_front()?;
        let from = range.from.saturating_add(at);
        let left = usize::try_from(range.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let job = move |content: &mut Content| {
            let octets = match &mut decoder {
                Some(decoder) => decoder.next(content, left),
                None => content.read(from).map(|octets| {
                    let octets = octets.get(..left.min(octets.len())).unwrap_or_default();
                    let mut octets = octets.to_vec();
                    without_nul(&mut octets);
                    octets
                }),
            };
            let octets = match octets {
                Ok(octets) if octets.is_empty() => Err(Broken::Corrupt("content")),
                octets => octets,
            };
            Ok((decoder, octets))
        };
        let (content, done) = read(&self.shared, content, job).await;
        let (decoder, octets) = done.unwrap_or_else(|broken| (None, Err(broken)));
        let octets = octets.unwrap_or_else(|broken| {
            if !std::mem::replace(&mut damaged, true) {
                log::error!("imap: content {id}: {broken}");
            }
            filler(left.min(PIECE_MAX))
        });
        if octets.len() < left {
            self.promised.push_front(Promised {
                id,
                content,
                decoder,
                damaged,
            });
        }
        Some(octets)
    }
}

/// A literal holds no NUL (RFC 3501 section 9, CHAR8), whatever a sender wrote: it becomes 0x80, as
/// other servers have it.
pub fn without_nul(octets: &mut [u8]) {
    let mut rest = octets;
    while let Some(at) = memchr::memchr(0, rest) {
        let Some((nul, after)) = rest.get_mut(at..).and_then(<[u8]>::split_first_mut) else {
            return;
        };
        *nul = 0x80;
        rest = after;
    }
}

/// So many octets in place of those that are lost: a word about it, then lines of spaces.
pub fn filler(length: usize) -> Vec<u8> {
    const WORDS: &[u8] = b"\r\n[This part of the message is damaged in the store.]\r\n";
    const LINE: usize = 76;
    let mut out = WORDS.to_vec();
    while out.len() < length {
        out.resize(out.len().saturating_add(LINE), b' ');
        out.extend_from_slice(b"\r\n");
    }
    out.truncate(length);
    if let Some(end) = length.checked_sub(2).and_then(|at| out.get_mut(at..)) {
        end.copy_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filler_has_the_promised_length() {
        for length in [0, 1, 2, 3, 50, 60, 137, 138, 139, 5000, PIECE_MAX] {
            let octets = filler(length);
            assert_eq!(octets.len(), length);
            let lines = octets.split(|c| *c == b'\n');
            assert!(lines.max_by_key(|line| line.len()).unwrap().len() <= 78);
        }
    }

    #[test]
    fn no_nul_goes_out() {
        let mut octets = b"a\0b\0\0".to_vec();
        without_nul(&mut octets);
        assert_eq!(octets, b"a\x80b\x80\x80");
    }
}
