//! Search keys, ready to be compared with messages.

use std::cell::OnceCell;

use ::time::Date;

use super::content::Found;
use crate::{
    base::{
        id::{ModSeq, Uid},
        ranges::Ranges,
    },
    mail::{envelope::Mailbox, flag::Flags, header::decode_words, summary::Summary},
    proto::imap::{command::SearchKey, seqset::SeqSet},
    service::imap::selected::Selected,
    store::message::Message,
};

/// As [`SearchKey`], with sets resolved against the session's view and text in lower case.
#[derive(Debug)]
pub enum Key {
    All,
    And(Vec<Key>),
    Before(Date),
    Field(Field, String),
    Flag(Flags),
    /// The keyword's place in the folder's list; `None` if no message has it.
    Keyword(Option<u16>),
    Larger(u64),
    ModSeq(ModSeq),
    /// The place in [`Needles`].
    Needle(usize),
    Not(Box<Key>),
    On(Date),
    Or(Box<(Key, Key)>),
    Recent,
    SentBefore(Date),
    SentOn(Date),
    SentSince(Date),
    Since(Date),
    Smaller(u64),
    Uids(Ranges),
}

/// Fields that the summary has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    Bcc,
    Cc,
    From,
    Subject,
    To,
}

/// What has to be looked for in content; text in lower case.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Needles(pub Vec<Needle>);

#[derive(Debug, Eq, PartialEq)]
pub enum Needle {
    Body(String),
    /// A header field and text in it.
    Header(String, String),
    /// In header or body.
    Text(String),
}

/// What is known of a message.
pub struct Facts<'a> {
    pub uid: Uid,
    pub row: &'a Message,
    pub recent: bool,
    pub summary: Option<&'a Summary<'a>>,
    pub folded: Folded,
    pub found: Option<&'a Found>,
}

/// Fields of the summary as they are compared, once one of them was asked for.
#[derive(Debug, Default)]
pub struct Folded([OnceCell<Vec<String>>; 5]);

/// Makes a key ready for the selected folder.
pub fn compile(key: &SearchKey, selected: &Selected, keywords: &[String]) -> (Key, Needles) {
    let mut compiler = Compiler {
        selected,
        keywords,
        needles: Needles::default(),
    };
    let key = compiler.key(key);
    (key, compiler.needles)
}

struct Compiler<'a> {
    selected: &'a Selected,
    keywords: &'a [String],
    needles: Needles,
}

impl Compiler<'_> {
    fn key(&mut self, key: &SearchKey) -> Key {
        match key {
            SearchKey::All => Key::All,
            SearchKey::And(keys) => Key::And(keys.iter().map(|key| self.key(key)).collect()),
            SearchKey::Bcc(text) => Key::Field(Field::Bcc, text.to_lowercase()),
            SearchKey::Before(date) => Key::Before(*date),
            SearchKey::Body(text) => self.needle(Needle::Body(text.to_lowercase())),
            SearchKey::Cc(text) => Key::Field(Field::Cc, text.to_lowercase()),
            SearchKey::Flag(flags) => Key::Flag(*flags),
            SearchKey::From(text) => Key::Field(Field::From, text.to_lowercase()),
            SearchKey::Header(name, text) => {
                self.needle(Needle::Header(name.clone(), text.to_lowercase()))
            }
            SearchKey::Keyword(name) => Key::Keyword(self.keyword(name)),
            SearchKey::Larger(octets) => Key::Larger(*octets),
            SearchKey::ModSeq(modseq) => Key::ModSeq(*modseq),
            SearchKey::Not(key) => Key::Not(Box::new(self.key(key))),
            // Not yet.
            SearchKey::Older(_) | SearchKey::Younger(_) => Key::All,
            SearchKey::On(date) => Key::On(*date),
            SearchKey::Or(keys) => Key::Or(Box::new((self.key(&keys.0), self.key(&keys.1)))),
            SearchKey::Recent => Key::Recent,
            SearchKey::SentBefore(date) => Key::SentBefore(*date),
            SearchKey::SentOn(date) => Key::SentOn(*date),
            SearchKey::SentSince(date) => Key::SentSince(*date),
            SearchKey::Sequence(set) => Key::Uids(self.set(set, false)),
            SearchKey::Since(date) => Key::Since(*date),
            SearchKey::Smaller(octets) => Key::Smaller(*octets),
            SearchKey::Subject(text) => Key::Field(Field::Subject, text.to_lowercase()),
            SearchKey::Text(text) => self.needle(Needle::Text(text.to_lowercase())),
            SearchKey::To(text) => Key::Field(Field::To, text.to_lowercase()),
            SearchKey::Uid(set) => Key::Uids(self.set(set, true)),
        }
    }

    fn needle(&mut self, needle: Needle) -> Key {
        self.needles.0.push(needle);
        Key::Needle(self.needles.0.len().saturating_sub(1))
    }

    fn keyword(&self, name: &str) -> Option<u16> {
        let same = |keyword: &String| keyword.eq_ignore_ascii_case(name);
        u16::try_from(self.keywords.iter().position(same)?).ok()
    }

    /// Numbers that no message has match none; here they are no error.
    fn set(&self, set: &SeqSet, uid: bool) -> Ranges {
        if uid {
            self.selected.view.by_uid(set)
        } else {
            self.selected.view.known(set)
        }
    }
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

    /// Whether a message matches; `None` if that takes more facts.
    pub fn decide(&self, facts: &Facts<'_>) -> Option<bool> {
        let row = facts.row;
        let day = || row.date.calendar().date();
        let sent = |matches: &dyn Fn(Date) -> bool| {
            let sent = facts.summary?.sent;
            Some(sent.is_some_and(|sent| matches(sent.date())))
        };
        match self {
            Self::All => Some(true),
            Self::And(keys) => all(keys.iter().map(|key| key.decide(facts))),
            Self::Before(date) => Some(day() < *date),
            Self::Field(field, text) => Some(field.contains(facts.summary?, &facts.folded, text)),
            Self::Flag(flags) => Some(row.flags.has(*flags)),
            Self::Keyword(place) => Some(place.is_some_and(|k| row.keywords.contains(&k))),
            Self::Larger(octets) => Some(row.size > *octets),
            Self::ModSeq(modseq) => Some(row.modseq >= *modseq),
            Self::Needle(place) => Some(facts.found?.has(*place)),
            Self::Not(key) => key.decide(facts).map(|matches| !matches),
            Self::On(date) => Some(day() == *date),
            Self::Or(keys) => {
                // Neither matches, turned around.
                let neither = [keys.0.decide(facts), keys.1.decide(facts)];
                let neither = neither.into_iter().map(|key| key.map(|matches| !matches));
                all(neither).map(|neither| !neither)
            }
            Self::Recent => Some(facts.recent),
            Self::SentBefore(date) => sent(&|day| day < *date),
            Self::SentOn(date) => sent(&|day| day == *date),
            Self::SentSince(date) => sent(&|day| day >= *date),
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
    fn contains(self, summary: &Summary<'_>, folded: &Folded, text: &str) -> bool {
        let read = OnceCell::new();
        let envelope = || read.get_or_init(|| summary.envelope());
        let all = |list: &[Mailbox<'_>]| list.iter().map(shown).collect();
        let [bcc, cc, from, subject, to] = &folded.0;
        let values = match self {
            Self::Bcc => bcc.get_or_init(|| all(&envelope().bcc)),
            Self::Cc => cc.get_or_init(|| all(&envelope().cc)),
            Self::From => from.get_or_init(|| all(&envelope().from)),
            Self::To => to.get_or_init(|| all(&envelope().to)),
            Self::Subject => subject.get_or_init(|| {
                let subject = envelope().subject.as_ref();
                subject.map(|subject| fold(subject)).into_iter().collect()
            }),
        };
        values.iter().any(|value| value.contains(text))
    }
}

/// A header value as it is compared: decoded, in lower case.
pub fn fold(value: &[u8]) -> String {
    decode_words(value).to_lowercase()
}

/// `name <local@host>`, in lower case.
fn shown(mailbox: &Mailbox<'_>) -> String {
    let mut out = mailbox.name.as_deref().map(fold).unwrap_or_default();
    let local = mailbox
        .local
        .as_ref()
        .map(|local| local.text().to_lowercase());
    let host = mailbox.host.as_ref().map(|host| host.text().to_lowercase());
    if let (Some(local), Some(host)) = (local, host) {
        out.push_str(" <");
        out.push_str(&local);
        if !host.is_empty() {
            out.push('@');
            out.push_str(&host);
        }
        out.push('>');
    }
    out
}
