//! Numbers that are given once, up to the last one.

use pillarbox::{
    base::{
        id::{FolderId, ModSeq, Uid},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::{Refusal, Reply, Request, request::FlagMode},
};

use crate::{disk::State, model::Wish, script, world::World};

const LAST: u32 = u32::MAX - 1;

fn begun() -> (World, u32, u32) {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let (inbox, sent) = (world.view().inbox(1), world.view().named(1, "Sent"));
    (world, inbox.unwrap(), sent.unwrap())
}

fn ask(world: &mut World, request: Request) -> Result<Reply, Refusal> {
    let store = world.store();
    world.drive(store.request(request))
}

fn raise(world: &mut World, folder: u32, uid_next: u32, modseq: u64) {
    let request = Request::Raise {
        folder: FolderId(folder),
        uid_next: Uid(uid_next),
        modseq: ModSeq(modseq),
    };
    ask(world, request).unwrap();
}

fn is_limit(found: &Result<Reply, Refusal>, what: &str) -> bool {
    matches!(found, Err(Refusal::Limit { name, .. }) if *name == what)
}

/// The last UID is 2^32 - 2: UIDNEXT has to name one more (RFC 3501 section 2.3.1.1).
#[test]
fn uids_end() {
    let (mut world, inbox, sent) = begun();
    raise(&mut world, inbox, LAST - 2, 0);
    let all = Ranges::span(1, u32::MAX);
    let append = |count: u64| {
        let messages = (0..count).map(|tag| (tag, 64)).collect();
        Wish::Append(inbox, messages).request(None)
    };
    let refused = ask(&mut world, append(4));
    assert!(is_limit(&refused, "UIDs"), "{refused:?}");
    let Ok(Reply::Appended { uids, .. }) = ask(&mut world, append(2)) else {
        panic!("not appended");
    };
    assert_eq!(uids, Ranges::span(LAST - 2, LAST - 1));
    let copy = |from, to| Wish::Copy(from, to, all.clone()).request(None);
    let refused = ask(&mut world, copy(inbox, inbox));
    assert!(is_limit(&refused, "UIDs"), "{refused:?}");
    ask(&mut world, append(1)).unwrap();
    for wish in [
        Wish::Deliver(9, 64, vec![1]),
        Wish::Append(inbox, vec![(9, 64)]),
        Wish::Copy(inbox, inbox, Ranges::span(LAST, LAST)),
        Wish::Move(inbox, inbox, Ranges::span(LAST, LAST)),
    ] {
        let refused = ask(&mut world, wish.request(None));
        assert!(is_limit(&refused, "UIDs"), "{wish:?}: {refused:?}");
    }
    // Everything else goes on, and the messages can leave.
    let moved = Wish::Move(inbox, sent, all.clone()).request(None);
    let Ok(Reply::Copied { from, to, .. }) = ask(&mut world, moved) else {
        panic!("not moved");
    };
    assert_eq!(
        (from, to),
        (Ranges::span(LAST - 2, LAST), Ranges::span(1, 3))
    );
    world.close();
    let mut again = World::new(world.disk.state());
    assert_eq!(again.open().unwrap().lost, 0);
    let refused = ask(&mut again, Wish::Deliver(9, 64, vec![1]).request(None));
    assert!(is_limit(&refused, "UIDs"), "{refused:?}");
}

/// A COPY may take the last ones.
#[test]
fn the_last_uids_by_copy() {
    let (mut world, inbox, sent) = begun();
    let messages = (0..3).map(|tag| (tag, 64)).collect();
    ask(&mut world, Wish::Append(sent, messages).request(None)).unwrap();
    raise(&mut world, inbox, LAST - 2, 0);
    let copy = Wish::Copy(sent, inbox, Ranges::span(1, 3)).request(None);
    let Ok(Reply::Copied { to, .. }) = ask(&mut world, copy) else {
        panic!("not copied");
    };
    assert_eq!(to, Ranges::span(LAST - 2, LAST));
}

/// MODSEQs have 63 bits (RFC 7162 section 3.1).
#[test]
fn modseqs_end() {
    let (mut world, inbox, _) = begun();
    ask(&mut world, Wish::Append(inbox, vec![(1, 64)]).request(None)).unwrap();
    raise(&mut world, inbox, 0, (1 << 63) - 2);
    let one = Ranges::span(1, 1);
    let flag = |mode| Wish::Flag(inbox, one.clone(), mode, Flags::SEEN, vec![]).request(None);
    let Ok(Reply::Flagged { modseq, .. }) = ask(&mut world, flag(FlagMode::Remove)) else {
        panic!("no flag");
    };
    assert_eq!(modseq.0, (1 << 63) - 1);
    let refused = ask(&mut world, flag(FlagMode::Add));
    assert!(is_limit(&refused, "MODSEQs"), "{refused:?}");
    let refused = ask(&mut world, Wish::Deliver(9, 64, vec![1]).request(None));
    assert!(is_limit(&refused, "MODSEQs"), "{refused:?}");
}

/// Keywords: as many as the limit says, mapped by COPY, and a clear refusal.
#[test]
fn many_keywords() {
    let (mut world, inbox, sent) = begun();
    let messages = (0..3).map(|tag| (tag, 64)).collect();
    world.ask(&[Wish::Append(inbox, messages)]).unwrap();
    let words = |range: std::ops::Range<u32>| range.map(|n| format!("$K{n}")).collect::<Vec<_>>();
    let flag = |folder, uid, words| {
        let uids = Ranges::span(uid, uid);
        Wish::Flag(folder, uids, FlagMode::Add, Flags::NONE, words)
    };
    world
        .ask(&[flag(inbox, 1, words(0..60)), flag(inbox, 2, words(50..100))])
        .unwrap();
    let refused = ask(&mut world, flag(inbox, 3, words(100..101)).request(None));
    assert!(is_limit(&refused, "limit.keywords"), "{refused:?}");
    // The target gets those that are used, at other places.
    world
        .ask(&[Wish::Copy(inbox, sent, Ranges::span(2, 3))])
        .unwrap();
    world
        .ask(&[Wish::Copy(inbox, sent, Ranges::span(1, 1))])
        .unwrap();
    world.compare().unwrap();
    let copied = world.view().folders[&sent].messages[&3].keywords.len();
    assert_eq!(copied, 60);
}

/// A folder whose list of keywords is full takes messages by COPY and MOVE all the same: those of their
/// keywords that it has no place for stay behind.
#[test]
fn keywords_without_a_place() {
    let (mut world, inbox, sent) = begun();
    for folder in [inbox, sent] {
        let messages = vec![(u64::from(folder), 64), (u64::from(folder) + 50, 64)];
        world.ask(&[Wish::Append(folder, messages)]).unwrap();
    }
    let words = |letter: char| (0..99).map(|n| format!("${letter}{n}")).collect::<Vec<_>>();
    let flag = |folder, words| {
        let uids = Ranges::span(1, 2);
        Wish::Flag(folder, uids, FlagMode::Add, Flags::NONE, words)
    };
    world
        .ask(&[flag(inbox, words('A')), flag(sent, words('B'))])
        .unwrap();
    for (uid, moves) in [(1, false), (2, true)] {
        let one = Ranges::span(uid, uid);
        let wish = if moves {
            Wish::Move(inbox, sent, one)
        } else {
            Wish::Copy(inbox, sent, one)
        };
        ask(&mut world, wish.request(None)).unwrap();
        let row = world
            .store()
            .read(|reader| reader.message(FolderId(sent), Uid(2 + uid)));
        assert_eq!(row.unwrap().unwrap().keywords, vec![99]);
    }
}
