//! The message on its way out: dots added (RFC 5321 section 4.5.2), or in chunks (RFC 3030).

use super::transaction::Next;
use super::{Expect, Outcome, Question, Session, Stage, State};

/// Pieces that are sent before the replies to the first ones are in.
pub const AHEAD: usize = 8;

/// Where in the text the next octet stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum At {
    /// After a CR, which is held back.
    Cr,
    LineStart,
    Middle,
}

/// Appends a piece. Every CR and LF leaves as a line end, so that nobody reads another message out of
/// this one.
fn encode(mut octets: &[u8], at: &mut At, dots: bool, out: &mut Vec<u8>) {
    while let Some((&octet, rest)) = octets.split_first() {
        match (*at, octet) {
            (At::Cr, _) => {
                out.extend_from_slice(b"\r\n");
                *at = At::LineStart;
                if octet == b'\n' {
                    octets = rest;
                }
                continue;
            }
            (_, b'\r') => *at = At::Cr,
            (_, b'\n') => {
                out.extend_from_slice(b"\r\n");
                *at = At::LineStart;
            }
            _ => {
                if *at == At::LineStart && octet == b'.' && dots {
                    out.push(b'.');
                }
                let run = memchr::memchr2(b'\r', b'\n', octets).unwrap_or(octets.len());
                let (run, after) = octets.split_at(run);
                out.extend_from_slice(run);
                *at = At::Middle;
                octets = after;
                continue;
            }
        }
        octets = rest;
    }
}

impl Session {
    /// The next piece, if it may be sent now.
    pub(super) fn content(&mut self) {
        self.state = State::Wait;
        let Some(open) = &self.open else { return };
        let chunks = self.chunks();
        if chunks && self.expected.len() >= if self.peer.pipelining { AHEAD } else { 1 } {
            return;
        }
        if !chunks && (self.ended || !self.input.is_empty()) {
            // The peer does not wait for the end.
            self.interrupted();
        } else if self.ended {
            self.lose(&self.broken_off("lost connection"));
        } else if open.waiting().next().is_none() || open.transaction.size == 0 {
            self.last_piece(vec![]);
        } else {
            let from = open.sent;
            self.state = State::Ask(Box::new(Question::Content { from }));
        }
    }

    pub(super) fn send(&mut self, octets: Option<Vec<u8>>) {
        self.state = State::Content;
        let chunks = self.chunks();
        let Some(open) = &mut self.open else { return };
        let octets = octets.filter(|octets| !octets.is_empty());
        let Some(octets) = octets else {
            // Without an end the peer drops what it has.
            let text = "the message cannot be read".to_owned();
            self.fail(Stage::Data, None, text.clone());
            return self.break_off(|_| Outcome::Lost {
                at: Stage::Data,
                text: text.clone(),
            });
        };
        let mut piece = Vec::with_capacity(octets.len().saturating_add(64));
        encode(&octets, &mut open.at, !chunks, &mut piece);
        let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        open.sent = open.sent.saturating_add(length);
        if open.sent >= open.transaction.size {
            self.last_piece(piece);
        } else if chunks {
            self.chunk(&piece, "");
        } else {
            self.out = piece;
        }
    }

    fn chunk(&mut self, piece: &[u8], last: &str) {
        if piece.is_empty() && last.is_empty() {
            return;
        }
        let line = format!("BDAT {}{last}\r\n", piece.len());
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(piece);
        if last.is_empty() {
            self.expected.push_back(Expect::Chunk);
        } else {
            self.expected.push_back(Expect::End(None));
        }
    }

    fn last_piece(&mut self, mut piece: Vec<u8>) {
        self.state = State::Wait;
        let chunks = self.chunks();
        let Some(open) = &mut self.open else { return };
        if open.at != At::LineStart {
            piece.extend_from_slice(b"\r\n");
        }
        open.next = Next::Nothing;
        if chunks {
            return self.chunk(&piece, " LAST");
        }
        piece.extend_from_slice(b".\r\n");
        self.out.append(&mut piece);
        let waiting: Vec<_> = open.waiting().collect();
        if !self.options.lmtp {
            self.expected.push_back(Expect::End(None));
        } else if waiting.is_empty() {
            // How many replies come to a message for nobody is anybody's guess (RFC 2033 section 4.2).
            self.stopping = true;
        } else {
            let each = waiting.into_iter().map(|index| Expect::End(Some(index)));
            self.expected.extend(each);
        }
    }

    /// A reply before the end of the message, or the end of the connection.
    fn interrupted(&mut self) {
        match self.replies.next(&mut self.input, false) {
            Ok(Some(reply)) if !reply.is_positive() => {
                self.expected.push_front(Expect::End(None));
                self.dismissed(&reply);
            }
            _ => self.lose(&self.broken_off("lost connection")),
        }
    }
}
