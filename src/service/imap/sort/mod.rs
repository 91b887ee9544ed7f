//! SORT and UID SORT (RFC 5256).

use std::cmp::Ordering;

use super::{
    Imap, Outcome,
    search::{Purpose, Sink},
};
use crate::{
    mail::{
        envelope::Envelope,
        fold::{capitals, fold_value, folded},
        header::unfold,
        subject,
        summary::Head,
    },
    proto::imap::{
        command::{Sort, SortCriterion, SortKey},
        response::write,
    },
    store::message::Message,
};

/// Longer texts are compared up to here, in octets.
const TEXT_MAX: usize = 1024;
/// So much of a field is read for its first mailbox, in octets.
const MAILBOX_MAX: usize = 4096;

impl Imap {
    pub(super) async fn sort(&mut self, sort: Sort) -> Outcome {
        let sink = Sink::Sort(Keys::new(sort.criteria));
        self.seek(&sort.key, sort.uid, Purpose::Arrange(Box::new(sink)))
            .await
    }
}

/// What messages are sorted by.
#[derive(Debug)]
pub struct Keys {
    criteria: Vec<SortCriterion>,
    /// Of the messages, in the order of the folder.
    numbers: Vec<u32>,
    /// One for each criterion of each message: a number, or where a text lies and how long it is.
    values: Vec<u64>,
    texts: Vec<u8>,
}

impl Keys {
    fn new(criteria: Vec<SortCriterion>) -> Self {
        Self {
            criteria,
            numbers: Vec::new(),
            values: Vec::new(),
            texts: Vec::new(),
        }
    }

    pub fn wants_head(&self) -> bool {
        let rows = |key| matches!(key, SortKey::Arrival | SortKey::Size);
        !self.criteria.iter().all(|criterion| rows(criterion.key))
    }

    /// The next message.
    pub fn take(&mut self, number: u32, row: &Message, head: &Head<'_>) {
        self.numbers.push(number);
        for at in 0..self.criteria.len() {
            let Some(criterion) = self.criteria.get(at) else {
                continue;
            };
            let key = match criterion.key {
                SortKey::Arrival => signed(row.date.0),
                SortKey::Cc => self.mailbox(head, "Cc"),
                SortKey::Date => signed(head.sent.map_or(row.date, |sent| sent.time).0),
                SortKey::From => self.mailbox(head, "From"),
                SortKey::Size => row.size,
                SortKey::Subject => {
                    let value = head.field("Subject").unwrap_or_default();
                    let decoded = subject::decode(&value);
                    self.text(&folded(subject::base(&decoded).text))
                }
                SortKey::To => self.mailbox(head, "To"),
            };
            self.values.push(key);
        }
    }

    /// The local part of a field's first mailbox (RFC 5256 section 3).
    fn mailbox(&mut self, head: &Head<'_>, name: &str) -> u64 {
        let Some(line) = head.header.raw(name).next() else {
            return 0;
        };
        let value = line.value();
        let value = unfold(
            value
                .get(..value.len().min(MAILBOX_MAX))
                .unwrap_or_default(),
        );
        let envelope = Envelope::from_header(&[b"From: ", &*value, b"\r\n"].concat());
        let first = envelope.from.first();
        let mut local = String::new();
        if let Some(octets) = first.and_then(|mailbox| mailbox.local.as_ref()) {
            fold_value(octets, &mut local);
        }
        self.text(&local)
    }

    fn text(&mut self, folded: &str) -> u64 {
        let capitals = capitals(folded);
        let text = capitals.as_bytes();
        let text = text.get(..text.len().min(TEXT_MAX)).unwrap_or_default();
        let at = self.texts.len() as u64;
        self.texts.extend_from_slice(text);
        at << 32 | text.len() as u64
    }

    pub fn octets(&self) -> u64 {
        // With what is taken ahead, the order, and the answer.
        let numbers = self.numbers.capacity().saturating_mul(4 + 4 + 11);
        let keys = self.values.capacity().saturating_mul(8);
        numbers
            .saturating_add(keys)
            .saturating_add(self.texts.capacity()) as u64
    }

    /// `* SORT` and the numbers.
    pub fn answer(self) -> Vec<u8> {
        let mut order: Vec<u32> = (0..).take(self.numbers.len()).collect();
        order.sort_unstable_by(|&a, &b| self.compare(a, b));
        let mut out = b"* SORT".to_vec();
        for at in order {
            if let Some(&number) = self.numbers.get(at as usize) {
                out.push(b' ');
                write::number(&mut out, u64::from(number));
            }
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Where all else is the same, the order of the folder counts (RFC 5256 section 3).
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let keys = |at: u32| {
            let count = self.criteria.len();
            let from = (at as usize).saturating_mul(count);
            self.values.get(from..).into_iter().flatten()
        };
        let both = keys(a).zip(keys(b));
        for (criterion, (a, b)) in self.criteria.iter().zip(both) {
            let order = match criterion.key {
                SortKey::Arrival | SortKey::Date | SortKey::Size => a.cmp(b),
                SortKey::Cc | SortKey::From | SortKey::Subject | SortKey::To => {
                    self.text_at(*a).cmp(self.text_at(*b))
                }
            };
            if order.is_ne() {
                return if criterion.reverse {
                    order.reverse()
                } else {
                    order
                };
            }
        }
        a.cmp(&b)
    }

    fn text_at(&self, key: u64) -> &[u8] {
        let (at, length) = (key >> 32, key & 0xffff_ffff);
        let range = usize::try_from(at).ok().zip(usize::try_from(length).ok());
        let text = range.and_then(|(at, length)| self.texts.get(at..)?.get(..length));
        text.unwrap_or_default()
    }
}

/// In the order of the numbers.
fn signed(n: i64) -> u64 {
    n.cast_unsigned() ^ 1 << 63
}

#[cfg(test)]
mod tests;
