//! Values of the index and changes of the log, damaged: the first octet is the letter of the key
//! (of rows whose letter others have too, another one).

use pillarbox::base::id::{FolderId, UserId};
use pillarbox::base::ranges::Ranges;
use pillarbox::mail::summary::{Stored, Summary};
use pillarbox::proto::imap::response;
use pillarbox::store::Broken;
use pillarbox::store::change::{Change, Dated};
use pillarbox::store::counters::{Counters, Segment};
use pillarbox::store::directory::{
    Access, Alias, AppPassword, Device, DkimKey, Domain, Route, Transport, Usage, User,
};
use pillarbox::store::mailbox::Folder;
use pillarbox::store::message::{Message, content::ContentRow, journal::Entry};
use pillarbox::store::queue::{Lane, QueueEntry, Totals};
use pillarbox::store::value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mime::balanced;

pub const WORDS: &[&str] = &[
    "D",
    "K",
    "L",
    "a",
    "c",
    "d",
    "f",
    "n",
    "m",
    "!",
    "g",
    "j",
    "o",
    "s",
    "y",
    "q",
    "u",
    "x",
    "k",
    "e",
    "l",
    "p",
    "r",
    "t",
    "v",
    "w",
    "\u{1}",
    "\u{1}\u{1}",
    "\0",
    "\u{7f}",
    "INBOX",
    "\u{5}INBOX",
    "a@b.test",
];

pub fn run(data: &[u8]) {
    let Some((&letter, row)) = data.split_first() else {
        return;
    };
    match letter {
        b'!' => same::<u64>(row),
        b'D' => same::<Device>(row),
        b'K' => same::<DkimKey>(row),
        b'L' => same::<Lane>(row),
        b'a' => same::<UserId>(row),
        b'c' => same::<ContentRow>(row),
        b'd' => same::<Domain>(row),
        b'e' => same::<QueueEntry>(row),
        b'f' => same::<Folder>(row),
        b'g' => same::<Segment>(row),
        b'j' => same::<Entry>(row),
        b'k' => same::<Counters>(row),
        b'l' => same::<Alias>(row),
        b'm' => same::<Message>(row),
        b'n' => same::<FolderId>(row),
        b'o' => same::<String>(row),
        b'p' => same::<AppPassword>(row),
        b'q' => same::<Usage>(row),
        b'r' => same::<Route>(row),
        b's' => same::<()>(row),
        b't' => same::<Transport>(row),
        b'u' => same::<User>(row),
        b'v' => same::<Access>(row),
        b'w' => same::<Totals>(row),
        b'x' => change(row),
        b'y' => summary(row),
        _ => {}
    }
}

/// What decodes is written and read again as the same.
fn same<T: DeserializeOwned + Eq + Serialize + std::fmt::Debug>(row: &[u8]) {
    match value::decode::<T>(row, "row") {
        Ok(read) => {
            let again: T =
                value::decode(&value::encode(&read), "row").expect("it was just written");
            assert_eq!(again, read);
        }
        Err(broken) => assert!(matches!(broken, Broken::Corrupt("row"))),
    }
}

fn change(row: &[u8]) {
    let Ok(dated) = Dated::decode(row) else {
        return;
    };
    assert_eq!(
        Dated::decode(&dated.encode()).expect("it was just written"),
        dated
    );
    each(&dated.change);
}

fn each(change: &Change) {
    match change {
        Change::Copy(copied) | Change::Move(copied) => sets(&copied.uids),
        Change::Expunge { uids, .. } => sets(uids),
        Change::Flag(flagged) => sets(&flagged.uids),
        Change::Several(several) => several.iter().for_each(each),
        _ => {}
    }
}

/// A set that was read keeps the order that all its operations rest on.
fn sets(set: &Ranges) {
    let mut last = None;
    for span in set.spans() {
        assert!(span.start() <= span.end(), "{set:?}");
        assert!(
            last.is_none_or(|last: u32| last.saturating_add(1) < *span.start()),
            "{set:?}"
        );
        last = Some(*span.end());
    }
    assert_eq!(set.union(set), *set);
    assert_eq!(set.intersection(set), *set);
    assert!(set.difference(set).is_empty());
    assert_eq!(set.nth(set.count()), set.last());
    assert_eq!(set.iter().take(100).count() as u64, set.count().min(100));
}

fn summary(row: &[u8]) {
    let Stored::Summary(read) = Stored::read(row) else {
        return;
    };
    if let Some(again) = Summary::decode(&read.encode()) {
        assert_eq!(again, read);
    }
    let _ = (read.size(), read.sent, read.field("references"));
    for path in [&[][..], &[1], &[2, 1], &[1, 1, 1, 1]] {
        let found = read.structure.section(path);
        let _ = found.map(|node| {
            (
                node.size(),
                node.message().is_some(),
                node.children().count(),
            )
        });
    }
    let mut out = vec![];
    response::envelope(&mut out, &read.envelope());
    response::body(&mut out, &read.structure);
    response::body_structure(&mut out, &read.structure);
    let rest = balanced(&out).and_then(balanced).and_then(balanced);
    assert_eq!(rest, Some(&b""[..]), "{}", out.escape_ascii());
}
