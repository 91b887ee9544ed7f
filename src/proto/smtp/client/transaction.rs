//! MAIL, RCPT, DATA and what is said to them (RFC 5321 section 3.3).

use super::hello::Capabilities;
use super::{Body, Expect, Outcome, Question, Report, Session, Stage, State, Transaction};
use crate::proto::smtp::client::content::At;
use crate::proto::smtp::reply::Reply;

/// A transaction that is under way.
#[derive(Debug)]
pub struct Open {
    pub transaction: Transaction,
    /// Of those whose fate is known, in the recipients' order.
    outcomes: Vec<Option<Outcome>>,
    /// Recipients that were accepted.
    accepted: Vec<usize>,
    pub next: Next,
    /// Octets of the message that were sent.
    pub sent: u64,
    /// Where in a line the last of them stood.
    pub at: At,
}

/// What is to be said next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The message.
    Content,
    Nothing,
}

impl Open {
    fn new(transaction: Transaction, dirty: bool) -> Self {
        Self {
            // Where nobody gets it, MAIL has the one outcome.
            outcomes: vec![None; transaction.recipients.len().max(1)],
            accepted: vec![],
            next: if dirty { Next::Reset } else { Next::Mail },
            sent: 0,
            at: At::LineStart,
            transaction,
        }
    }

    /// Whether the message is on its way.
    pub fn sends(&self) -> bool {
        self.next == Next::Content
    }

    /// Those who were accepted and have no outcome yet.
    pub fn waiting(&self) -> impl Iterator<Item = usize> {
        let open = |index: &usize| matches!(self.outcomes.get(*index), Some(None));
        self.accepted.iter().copied().filter(open)
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(index) {
            slot.get_or_insert(outcome);
        }
    }

    /// The same reply for all that have no outcome.
    fn settle_all(&mut self, at: Stage, reply: &Reply) {
        for slot in &mut self.outcomes {
            slot.get_or_insert_with(|| judged(at, reply.clone()));
        }
    }

    /// `outcome` is for those that have none.
    pub fn report(self, peer: &Capabilities, outcome: impl Fn(usize) -> Outcome) -> Report {
        let outcomes = self.outcomes.into_iter().enumerate();
        Report {
            outcomes: outcomes
                .map(|(index, known)| known.unwrap_or_else(|| outcome(index)))
                .collect(),
            dsn: peer.dsn,
        }
    }
}

/// What this reply means for a recipient.
fn judged(at: Stage, reply: Reply) -> Outcome {
    if at == Stage::End && reply.is_positive() {
        return Outcome::Delivered(reply);
    }
    Outcome::Refused { at, reply }
}

impl Session {
    pub(super) fn begin(&mut self, transaction: Transaction) {
        self.mails = self.mails.saturating_add(1);
        self.state = State::Wait;
        let unfit = self.unfit(&transaction);
        let open = Box::new(Open::new(transaction, self.dirty));
        if let Some((status, text)) = unfit {
            let report = open.report(&self.peer, |_| Outcome::Unfit {
                status,
                text: text.clone(),
            });
            self.mails = self.mails.saturating_sub(1);
            self.state = State::Ask(Box::new(Question::Done(report)));
            return;
        }
        self.dirty = true;
        self.open = Some(open);
        self.speak();
    }

    /// What the message needs and the peer lacks.
    fn unfit(&self, transaction: &Transaction) -> Option<(&'static str, String)> {
        let peer = &self.peer;
        let offer = peer.offer(self.secured.as_ref());
        let host = &self.options.peer;
        if peer.size_max > 0 && transaction.size > peer.size_max {
            let (size, max) = (transaction.size, peer.size_max);
            let text = format!("message size {size} exceeds size limit {max} of server {host}");
            return Some(("5.3.4", text));
        }
        let (status, what) = if transaction.body == Body::EightBitMime && !peer.eight_bit {
            ("5.6.3", "8BITMIME")
        } else if transaction.smtputf8 && !peer.smtputf8 {
            ("5.6.7", "SMTPUTF8")
        } else if transaction.requiretls && !offer.requiretls {
            ("5.7.30", "REQUIRETLS")
        } else {
            return None;
        };
        let text = format!("{what} is required, but was not offered by host {host}");
        Some((status, text))
    }

    /// Says what can be said now: one command, or where the peer takes it, all of them.
    fn speak(&mut self) {
        let chunks = self.chunks();
        while self.peer.pipelining || self.expected.is_empty() {
            let settled = self.expected.is_empty();
            let Some(open) = &mut self.open else { return };
            match open.next {
                Next::Reset => {
                    open.next = Next::Mail;
                    self.say("RSET", Expect::Reset);
                }
                Next::Mail => {
                    open.next = Next::Rcpt(0);
                    let line = mail(&open.transaction, &self.peer);
                    self.say(&line, Expect::Mail);
                }
                Next::Rcpt(index) => {
                    let Some(line) = rcpt(&open.transaction, index, &self.peer) else {
                        open.next = Next::Data;
                        continue;
                    };
                    open.next = Next::Rcpt(index.saturating_add(1));
                    self.say(&line, Expect::Rcpt(index));
                }
                // A message is not sent for nobody.
                Next::Data if (chunks || open.transaction.recipients.is_empty()) && !settled => {
                    return;
                }
                Next::Data if settled && open.waiting().next().is_none() => return self.finish(),
                Next::Data => {
                    open.next = Next::Content;
                    if chunks {
                        self.state = State::Content;
                    } else {
                        self.say("DATA", Expect::Data);
                    }
                    return;
                }
                Next::Content | Next::Nothing => return,
            }
        }
    }

    /// BDAT (RFC 3030). LMTP's replies are clear only for DATA.
    pub(super) fn chunks(&self) -> bool {
        self.peer.chunking && !self.options.lmtp
    }

    /// All that was said is answered.
    pub(super) fn go_on(&mut self) {
        match &self.open {
            Some(open) if open.next == Next::Content => self.state = State::Content,
            Some(open) if open.next == Next::Nothing => self.finish(),
            _ => self.speak(),
        }
    }

    pub(super) fn transaction_answered(&mut self, expect: Expect, reply: Reply) {
        let good = reply.code / 100 == 2 || (reply.code == 354 && expect == Expect::Data);
        if reply.is_positive() && !good || expect == Expect::Data && reply.code / 100 == 2 {
            self.expected.push_front(expect);
            let peer = &self.options.peer;
            return self.lose(&format!("host {peer} sent an invalid reply: {reply}"));
        }
        let Some(open) = &mut self.open else { return };
        match expect {
            Expect::Mail if !good => {
                open.settle_all(Stage::Mail, &reply);
                if let Next::Rcpt(_) = open.next {
                    open.next = Next::Data;
                }
            }
            Expect::Rcpt(index) if good => open.accepted.push(index),
            Expect::Rcpt(index) => {
                // RFC 5321 section 4.5.3.1.10: what was too many now is not too many later.
                let reply = match reply.code {
                    552 => reply.softened(),
                    _ => reply,
                };
                open.settle(index, judged(Stage::Rcpt, reply));
            }
            Expect::Data if good => self.state = State::Content,
            Expect::Data => {
                open.next = Next::Nothing;
                open.settle_all(Stage::Data, &reply);
            }
            // What is still on its way finds no transaction (RFC 3030 section 2).
            Expect::Chunk if !good => {
                open.next = Next::Nothing;
                open.settle_all(Stage::End, &reply);
            }
            Expect::End(Some(index)) => {
                self.dirty = false;
                open.settle(index, judged(Stage::End, reply));
            }
            Expect::End(None) => {
                self.dirty &= !good;
                open.settle_all(Stage::End, &reply);
            }
            _ => {}
        }
        if matches!(self.state, State::Wait) && self.expected.len() < super::content::AHEAD {
            self.speak_on();
        }
    }

    /// Room for another piece of the message, or for the next command.
    fn speak_on(&mut self) {
        match &self.open {
            Some(open) if open.sends() && self.chunks() && self.peer.pipelining => {
                self.state = State::Content;
            }
            _ => self.speak(),
        }
    }

    /// The transaction is over.
    fn finish(&mut self) {
        if let Some(open) = self.open.take() {
            let text = self.broken_off("nothing was said");
            let report = open.report(&self.peer, |_| Outcome::Lost {
                at: Stage::Mail,
                text: text.clone(),
            });
            self.state = State::Ask(Box::new(Question::Done(report)));
        }
    }
}

fn mail(transaction: &Transaction, peer: &Capabilities) -> String {
    let mut line = format!("MAIL FROM:<{}>", transaction.reverse);
    if peer.size {
        line.push_str(" SIZE=");
        line.push_str(&transaction.size.to_string());
    }
    let eight_bit = transaction.body == Body::EightBitMime;
    let flags = [
        (eight_bit, " BODY=8BITMIME"),
        (transaction.smtputf8, " SMTPUTF8"),
        (transaction.requiretls, " REQUIRETLS"),
    ];
    for (_, flag) in flags.iter().filter(|(on, _)| *on) {
        line.push_str(flag);
    }
    if peer.dsn {
        parameter(&mut line, " RET=", transaction.ret);
        parameter(&mut line, " ENVID=", transaction.envid.as_deref());
    }
    line
}

fn rcpt(transaction: &Transaction, index: usize, peer: &Capabilities) -> Option<String> {
    let recipient = transaction.recipients.get(index)?;
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if peer.dsn {
        parameter(&mut line, " NOTIFY=", recipient.notify.as_deref());
        parameter(&mut line, " ORCPT=", recipient.orcpt.as_deref());
    }
    Some(line)
}

fn parameter(line: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.push_str(key);
        line.push_str(value);
    }
}
