//! Sequence sets (RFC 3501 section 9, sequence-set): numbers of messages or UIDs as a client writes
//! them.

/// One end of a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeqNumber {
    /// Never 0.
    Number(u32),
    /// `*`: the largest number in use.
    Last,
}

/// One item of a set; a range may be written backwards (`4:2` is `2:4`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeqItem {
    One(SeqNumber),
    Range(SeqNumber, SeqNumber),
}

/// A sequence set, never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeqSet(pub Vec<SeqItem>);
