//! Search keys, ready to be compared with messages.

use std::cell::RefCell;

use ::time::Date;

use crate::{
    base::{
        id::{ModSeq, Uid},
        ranges::Ranges,
        time::Time,
    },
    mail::{
        filter::{self, Place},
        flag::Flags,
        fold::{fold_value, folded},
        kept::is_kept,
        summary::Head,
    },
    proto::imap::command::SearchKey,
    service::imap::selected::Selected,
    store::message::Message,
};

/// As [`SearchKey`], with sets resolved against the session's view and text folded; what is quickly
/// known comes first.
#[derive(Clone, Debug)]
pub enum Key {
    All,
    And(Vec<Key>),
    Before(Date),
    /// A field that the rows have, and text in it.
    Field(Field, String),
    Flag(Flags),
    /// The keyword's place in the folder's list; `None` if no message has it.
    Keyword(Option<u16>),
    Larger(u64),
    ModSeq(ModSeq),
    /// The place in [`Needles`].
    Needle(usize),
    Not(Box<Key>),
    /// INTERNALDATE at or before.
    NotAfter(Time),
    /// INTERNALDATE at or after.
    NotBefore(Time),
    On(Date),
    Or(Vec<Key>),
    Recent,
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    Since(Date),
    Smaller(u64),
    Uids(Ranges),
}

#[derive(Clone, Debug)]
pub struct Field {
    name: String,
    /// Quotes are not part of a name in an envelope.
    mailboxes: bool,
}

/// What has to be looked for in content; text folded, never empty but in a header field.
#[derive(Debug, Default)]
pub struct Needles(pub Vec<Needle>);

#[derive(Debug)]
pub enum Needle {
    Body(String),
    /// The beginning of a line, `name: `, and text in the field.
    Header(String, String),
    /// In header or body.
    Text(String),
}

impl Needle {
    /// Whether a message with this filter may have it.
    fn may_be_in(&self, stored: &[u8]) -> bool {
        let may = |place, text: &str| filter::may_hold(stored, place, text);
        match self {
            Self::Body(text) => may(Place::Body, text),
            Self::Header(name, text) => may(Place::Header, name) && may(Place::Header, text),
            Self::Text(text) => may(Place::Header, text) || may(Place::Body, text),
        }
    }
}

/// What is known of a message.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub uid: Uid,
    pub row: &'a Message,
    pub recent: bool,
    pub head: Option<&'a Head<'a>>,
    /// Which needles were found; where there is only a filter, which cannot be there.
    pub known: Option<&'a Known<'a>>,
    /// Room for a folded value.
    pub scratch: &'a RefCell<String>,
}

pub enum Known<'a> {
    Filter(&'a [u8], &'a Needles),
    Found(&'a [bool]),
}

impl Known<'_> {
    fn holds(&self, needle: usize) -> Option<bool> {
        match self {
            Self::Filter(stored, needles) => {
                let may = needles.0.get(needle)?.may_be_in(stored);
                (!may).then_some(false)
            }
            Self::Found(found) => Some(found.get(needle).copied().unwrap_or(false)),
        }
    }
}

/// Makes a key ready for the selected folder.
pub fn compile(
    key: &SearchKey,
    selected: &Selected,
    keywords: &[String],
    now: Time,
) -> (Key, Needles) {
    let mut compiler = Compiler {
        selected,
        keywords,
        now,
        needles: Needles::default(),
    };
    let key = compiler.key(key);
    (key, compiler.needles)
}

struct Compiler<'a> {
    selected: &'a Selected,
    keywords: &'a [String],
    now: Time,
    needles: Needles,
}

/// Kept fields that may also stand in front of the content, where no row has them.
const IN_FRONT: [&str; 3] = ["Return-Path", "Delivered-To", "X-Spam-"];

impl Compiler<'_> {
    fn key(&mut self, key: &SearchKey) -> Key {
        let ago = |seconds: u32| Time(self.now.0.saturating_sub(i64::from(seconds)));
        match key {
            SearchKey::All => Key::All,
            SearchKey::And(keys) => Key::And(self.keys(keys)),
            SearchKey::Bcc(text) => mailboxes("Bcc", text),
            SearchKey::Before(date) => Key::Before(*date),
            SearchKey::Body(text) => self.needle(Needle::Body, text),
            SearchKey::Cc(text) => mailboxes("Cc", text),
            SearchKey::Flag(flags) => Key::Flag(*flags),
            SearchKey::From(text) => mailboxes("From", text),
            SearchKey::Header(name, text) => self.header(name, text),
            SearchKey::Keyword(name) => Key::Keyword(self.keyword(name)),
            SearchKey::Larger(octets) => Key::Larger(*octets),
            SearchKey::ModSeq(modseq) => Key::ModSeq(*modseq),
            SearchKey::Not(key) => Key::Not(Box::new(self.key(key))),
            SearchKey::Older(seconds) => Key::NotAfter(ago(*seconds)),
            SearchKey::On(date) => Key::On(*date),
            SearchKey::Or(keys) => Key::Or(self.keys(keys)),
            SearchKey::Recent => Key::Recent,
            SearchKey::SentBefore(date) => Key::SentBefore(*date),
            SearchKey::SentOn(date) => Key::SentOn(*date),
            SearchKey::SentSince(date) => Key::SentSince(*date),
            SearchKey::Sequence(set) => Key::Uids(self.selected.known(set, false)),
            SearchKey::Since(date) => Key::Since(*date),
            SearchKey::Smaller(octets) => Key::Smaller(*octets),
            SearchKey::Subject(text) => field("Subject", text, false),
            SearchKey::Text(text) => self.needle(Needle::Text, text),
            SearchKey::To(text) => mailboxes("To", text),
            SearchKey::Uid(set) => Key::Uids(self.selected.known(set, true)),
            SearchKey::Younger(seconds) => Key::NotBefore(ago(*seconds)),
        }
    }

    fn keys(&mut self, keys: &[SearchKey]) -> Vec<Key> {
        let mut keys: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        keys.sort_by_cached_key(Key::cost);
        keys
    }

    /// Every text has the empty one in it.
    fn needle(&mut self, needle: fn(String) -> Needle, text: &str) -> Key {
        match text {
            "" => Key::All,
            text => self.push(needle(folded(text))),
        }
    }

    fn push(&mut self, needle: Needle) -> Key {
        self.needles.0.push(needle);
        Key::Needle(self.needles.0.len().saturating_sub(1))
    }

    fn header(&mut self, name: &str, text: &str) -> Key {
        let in_front = |start: &&str| {
            let beginning = name.get(..start.len());
            beginning.is_some_and(|name| name.eq_ignore_ascii_case(start))
        };
        if is_kept(name.as_bytes()) && !IN_FRONT.iter().any(in_front) {
            return field(name, text, false);
        }
        self.push(Needle::Header(folded(name) + ": ", folded(text)))
    }

    fn keyword(&self, name: &str) -> Option<u16> {
        let same = |keyword: &String| keyword.eq_ignore_ascii_case(name);
        u16::try_from(self.keywords.iter().position(same)?).ok()
    }
}

fn mailboxes(name: &str, text: &str) -> Key {
    field(name, text, true)
}

fn field(name: &str, text: &str, mailboxes: bool) -> Key {
    let name = name.to_owned();
    Key::Field(Field { name, mailboxes }, folded(text))
}

impl Key {
    /// UIDs outside of these cannot match.
    pub fn within(&self) -> Ranges {
        match self {
            Self::Uids(uids) => uids.clone(),
            Self::And(keys) => {
                let all = Ranges::span(1, u32::MAX);
                keys.iter().fold(all, |within, key| match key {
                    Self::Uids(uids) => within.intersection(uids),
                    _ => within,
                })
            }
            _ => Ranges::span(1, u32::MAX),
        }
    }

    /// What has to be read for it: 0 the message's row, 1 its header fields, 2 its content.
    pub fn cost(&self) -> u8 {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().map(Self::cost).max().unwrap_or(0),
            Self::Not(key) => key.cost(),
            Self::Field(..) | Self::SentBefore(_) | Self::SentOn(_) | Self::SentSince(_) => 1,
            Self::Needle(_) => 2,
            _ => 0,
        }
    }

    /// Whether a key of this cost is in it.
    pub fn asks(&self, cost: u8) -> bool {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().any(|key| key.asks(cost)),
            Self::Not(key) => key.asks(cost),
            key => key.cost() == cost,
        }
    }

    /// Whether MODSEQ is in it: the answer tells one then (RFC 7162 section 3.1.5).
    pub fn has_mod_seq(&self) -> bool {
        match self {
            Self::And(keys) | Self::Or(keys) => keys.iter().any(Self::has_mod_seq),
            Self::Not(key) => key.has_mod_seq(),
            key => matches!(key, Self::ModSeq(_)),
        }
    }

    /// Whether a message matches; `None` if that takes more facts.
    pub fn decide(&self, facts: &Facts<'_>) -> Option<bool> {
        let row = facts.row;
        let day = || row.date.calendar().date();
        let sent = |matches: &dyn Fn(Date) -> bool| {
            let sent = facts.head?.sent;
            Some(sent.is_some_and(|sent| matches(sent.date())))
        };
        match self {
            Self::All => Some(true),
            Self::And(keys) => all(keys.iter().map(|key| key.decide(facts))),
            Self::Before(date) => Some(day() < *date),
            Self::Field(field, text) => Some(field.contains(facts.head?, text, facts.scratch)),
            Self::Flag(flags) => Some(row.flags.has(*flags)),
            Self::Keyword(place) => Some(place.is_some_and(|k| row.keywords.contains(&k))),
            Self::Larger(octets) => Some(row.size > *octets),
            Self::ModSeq(modseq) => Some(row.modseq >= *modseq),
            Self::Needle(place) => facts.known?.holds(*place),
            Self::Not(key) => key.decide(facts).map(|matches| !matches),
            Self::NotAfter(time) => Some(row.date <= *time),
            Self::NotBefore(time) => Some(row.date >= *time),
            Self::On(date) => Some(day() == *date),
            Self::Or(keys) => {
                // Neither matches, turned around.
                let neither = keys
                    .iter()
                    .map(|key| key.decide(facts).map(|matches| !matches));
                all(neither).map(|neither| !neither)
            }
            Self::Recent => Some(facts.recent),
            Self::SentBefore(date) => sent(&|sent| sent < *date),
            Self::SentOn(date) => sent(&|sent| sent == *date),
            Self::SentSince(date) => sent(&|sent| sent >= *date),
            Self::Since(date) => Some(day() >= *date),
            Self::Smaller(octets) => Some(row.size < *octets),
            Self::Uids(uids) => Some(uids.contains(facts.uid.0)),
        }
    }
}

/// No as soon as one says no; unknown while one is.
fn all(keys: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(true);
    for key in keys {
        match key {
            Some(true) => {}
            Some(false) => return Some(false),
            None => known = None,
        }
    }
    known
}

impl Field {
    /// Whether one of the fields has the text; an empty one is in every field that is there.
    fn contains(&self, head: &Head<'_>, text: &str, scratch: &RefCell<String>) -> bool {
        let mut value = scratch.borrow_mut();
        head.header.raw(&self.name).any(|line| {
            value.clear();
            fold_value(&line.value(), &mut value);
            value.contains(text)
                || self.mailboxes && {
                    // As in the envelope: `"A, B" <a@b>` is `A, B <a@b>`.
                    let before = value.len();
                    value.retain(|c| !matches!(c, '"' | '\\'));
                    value.len() < before && value.contains(text)
                }
        })
    }
}
