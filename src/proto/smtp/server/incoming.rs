//! DATA and BDAT: content comes in.

use super::clock::Clock;
use super::commands::MUST_SECURE;
use super::state::{After, Mail, Pending, State, Transaction};
use super::{Question, Session, Step};
use crate::base::time::Instant;
use crate::proto::smtp::content::{Fault, Framing, Text};
use crate::proto::smtp::reply::Reply;

/// A BDAT command.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    pub size: u64,
    /// Octets still to come.
    pub left: u64,
    pub last: bool,
}

/// A text or a chunk that is coming in.
#[derive(Debug)]
pub struct Incoming {
    text: Text,
    /// `None` for DATA.
    chunk: Option<Chunk>,
    /// Once this is set the rest is swallowed, and this said.
    refusal: Option<Reply>,
    /// When swallowing began.
    refused: Option<Instant>,
    /// The transaction fell with this chunk or before it: those that follow are swallowed too.
    failed: bool,
    pub clock: Clock,
}

impl Incoming {
    fn new(chunk: Option<Chunk>, refusal: Option<Reply>, bare_lf: bool) -> Self {
        let framing = chunk.map_or(Framing::Dotted, |_| Framing::Counted);
        Self {
            text: Text::new(framing, bare_lf),
            chunk,
            refusal,
            refused: None,
            failed: false,
            clock: Clock::default(),
        }
    }

    /// A chunk whose refusal ends the transaction.
    fn failed(chunk: Chunk, refusal: Reply) -> Self {
        Self {
            failed: true,
            ..Self::new(Some(chunk), Some(refusal), false)
        }
    }

    /// Whether all of it has come.
    fn is_whole(&self) -> bool {
        match &self.chunk {
            Some(chunk) => chunk.left == 0 && (!chunk.last || self.text.is_ended()),
            None => self.text.is_ended(),
        }
    }

    /// Takes what it can of `hand`; returns how many octets that was.
    fn take(&mut self, hand: &[u8], piece: &mut Vec<u8>) -> Result<usize, Fault> {
        let Some(chunk) = &mut self.chunk else {
            return self.text.take(hand, piece);
        };
        let most = usize::try_from(chunk.left).unwrap_or(usize::MAX);
        let part = hand.get(..most).unwrap_or(hand);
        if self.refusal.is_none() {
            self.text.take(part, piece)?;
        }
        chunk.left = chunk
            .left
            .saturating_sub(u64::try_from(part.len()).unwrap_or(u64::MAX));
        if chunk.left == 0 && chunk.last {
            if self.refusal.is_some() {
                self.text = Text::new(Framing::Counted, false);
            }
            self.text.finish(piece)?;
        }
        Ok(part.len())
    }
}

impl Session {
    pub(super) fn data(&mut self) {
        match self.unready("DATA") {
            Some(refusal) => {
                self.pass(&refusal);
                self.note_refusal("", refusal);
            }
            None if self.mail.has_content() => {
                self.refuse(503, "5.5.1 Error: need BDAT, RSET or QUIT");
            }
            None => self.ask(Question::Begin, Pending::Begin(None)),
        }
    }

    pub(super) fn bdat(&mut self, size: u64, last: bool) {
        let chunk = Chunk {
            size,
            left: size,
            last,
        };
        // RFC 3030 section 2: the octets come whatever the answer.
        if let Some(refusal) = self.unready("BDAT") {
            self.note_refusal("", refusal.clone());
            self.state = State::Content(Box::new(Incoming::new(Some(chunk), Some(refusal), false)));
            return;
        }
        let Mail::Open(transaction) = &mut self.mail else {
            let refusal = Reply::new(503, "5.5.1 Error: previous BDAT failed");
            self.state = State::Content(Box::new(Incoming::failed(chunk, refusal)));
            return;
        };
        let begun = transaction.chunks.take();
        let before = begun.as_ref().map_or(0, |(text, _)| text.size());
        let limit = self.options.size_limit;
        if limit > 0 && before.saturating_add(size) > limit {
            self.note_refusal("", too_big());
            return self.forget(After::Content(Box::new(Incoming::failed(chunk, too_big()))));
        }
        match begun {
            Some((text, clock)) => {
                self.state = State::Content(Box::new(Incoming {
                    text,
                    clock,
                    ..Incoming::new(Some(chunk), None, self.options.bare_lf)
                }));
            }
            None => self.ask(Question::Begin, Pending::Begin(Some(chunk))),
        }
    }

    /// Why no content may come now.
    fn unready(&self, verb: &str) -> Option<Reply> {
        if self.needs_tls() {
            return Some(Reply::new(530, MUST_SECURE));
        }
        if self.peer.improper {
            let text = format!(
                "5.5.0 <{verb}>: Data command rejected: Improper use of SMTP command pipelining"
            );
            return Some(Reply::new(503, text));
        }
        let none = Transaction::default();
        let transaction = match &self.mail {
            Mail::Failed if verb == "BDAT" => return None,
            Mail::Failed | Mail::None => &none,
            Mail::Open(transaction) => transaction,
        };
        match (transaction.accepted, transaction.refused) {
            (0, 0) => Some(Reply::new(503, "5.5.1 Error: need RCPT command")),
            (0, _) => Some(Reply::new(554, "5.5.1 No valid recipients")),
            (2.., _) if transaction.null_sender => {
                let text = format!("5.5.3 <{verb}>: Data command rejected: Multi-recipient bounce");
                Some(Reply::new(550, text))
            }
            _ => None,
        }
    }

    /// The service's word on [`Question::Begin`].
    pub(super) fn begun(&mut self, chunk: Option<Chunk>, reply: Reply) {
        match (chunk, reply.is_positive()) {
            _ if reply.ends() => {
                self.pass(&reply);
            }
            (None, true) => {
                self.say(354, "End data with <CR><LF>.<CR><LF>");
                self.state =
                    State::Content(Box::new(Incoming::new(None, None, self.options.bare_lf)));
            }
            (None, false) => {
                self.pass(&reply);
            }
            (Some(_), true) => {
                self.state =
                    State::Content(Box::new(Incoming::new(chunk, None, self.options.bare_lf)));
            }
            (Some(chunk), false) => {
                self.forget(After::Content(Box::new(Incoming::failed(chunk, reply))));
            }
        }
    }

    /// Goes on with content; leaves `Command` as the state when all of it is in and worked off.
    pub(super) fn content(&mut self, mut incoming: Box<Incoming>, now: Instant) -> Option<Step> {
        if incoming.is_whole() {
            self.whole(*incoming);
            return None;
        }
        let hand = self.input.rest();
        let counted_out = incoming.chunk.is_some_and(|chunk| chunk.left == 0);
        if hand.is_empty() && !counted_out {
            return self.content_wait(incoming, now);
        }
        let mut piece = Vec::with_capacity(hand.len());
        let used = match incoming.take(hand, &mut piece) {
            Ok(used) => used,
            Err(Fault::BareCr) => {
                self.bare("CR");
                return None;
            }
            Err(Fault::BareLf) => {
                self.bare("LF");
                return None;
            }
        };
        self.input.advance(used);
        if !incoming.clock.came(now, used, &self.options) && !incoming.is_whole() {
            self.time_out();
            return None;
        }
        if incoming.refusal.is_some() {
            self.state = State::Content(incoming);
            return None;
        }
        let limit = self.options.size_limit;
        if limit > 0 && incoming.text.size() > limit {
            self.note_refusal("", too_big());
            incoming.refusal = Some(too_big());
            incoming.failed = true;
            self.forget(After::Content(incoming));
            return None;
        }
        self.state = State::Content(incoming);
        (!piece.is_empty()).then_some(Step::Content(piece))
    }

    fn content_wait(&mut self, mut incoming: Box<Incoming>, now: Instant) -> Option<Step> {
        if self.ended {
            self.lost();
            return None;
        }
        let mut until = incoming.clock.until(now, &self.options);
        if now >= until {
            self.time_out();
            return None;
        }
        if let Some(refusal) = &incoming.refusal {
            let began = *incoming.refused.get_or_insert(now);
            let enough = began.plus_seconds(self.options.swallow_wait_s);
            if now >= enough {
                self.put(refusal);
                self.state = State::Ending;
                return None;
            }
            until = until.min(enough);
        }
        self.state = State::Content(incoming);
        let until = until.min(self.until_stranger(now));
        Some(self.read(until))
    }

    fn whole(&mut self, incoming: Incoming) {
        let Incoming {
            text,
            chunk,
            refusal,
            failed,
            clock,
            ..
        } = incoming;
        match (chunk, refusal) {
            (chunk, Some(refusal)) => {
                if failed {
                    let more = chunk.is_some_and(|chunk| !chunk.last);
                    self.mail = if more { Mail::Failed } else { Mail::None };
                }
                self.pass(&refusal);
            }
            (Some(chunk), None) if !chunk.last => {
                if let Mail::Open(transaction) = &mut self.mail {
                    transaction.chunks = Some((text, clock));
                }
                self.say(250, format!("2.0.0 Ok: {} octets received", chunk.size));
            }
            (Some(_) | None, None) => {
                let size = text.size();
                self.ask(Question::End { size }, Pending::End);
            }
        }
    }
}

fn too_big() -> Reply {
    Reply::new(552, "5.3.4 Error: message file too big")
}
