//! What a folder's journal keeps and forgets (RFC 7162).

use pillarbox::{
    base::{
        id::{FolderId, ModSeq},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::request::FlagMode,
};

use crate::{disk::State, model::Wish, script, world::World};

/// Somebody with so many messages.
fn with_mail(count: u64) -> (World, u32) {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let inbox = world.view().inbox(1).unwrap();
    for tag in 0..count {
        world.ask(&[Wish::Append(inbox, vec![(tag, 64)])]).unwrap();
    }
    (world, inbox)
}

fn told(world: &World, folder: u32, modseq: u64) -> (Option<Ranges>, Option<Ranges>) {
    let (id, modseq) = (FolderId(folder), ModSeq(modseq));
    let told = world.store().read(|reader| {
        let changed = reader.changed_since(id, modseq)?;
        Ok((changed, reader.vanished_since(id, modseq)?))
    });
    told.unwrap()
}

/// What the journal tells, where it reaches back.
fn since(world: &World, folder: u32, modseq: u64) -> (Ranges, Ranges) {
    let (changed, vanished) = told(world, folder, modseq);
    (changed.unwrap(), vanished.unwrap())
}

fn modseq(world: &World, folder: u32) -> u64 {
    world.view().folders[&folder].modseq
}

fn uids(list: &[u32]) -> Ranges {
    list.iter().copied().collect()
}

fn flag(folder: u32, uids: Ranges, mode: FlagMode) -> Wish {
    Wish::Flag(folder, uids, mode, Flags::FLAGGED, vec![])
}

#[test]
fn what_happened_since() {
    let (mut world, inbox) = with_mail(9);
    let start = modseq(&world, inbox);
    assert_eq!(since(&world, inbox, start), (uids(&[]), uids(&[])));
    let third = Ranges::span(3, 3);
    world.ask(&[flag(inbox, third, FlagMode::Add)]).unwrap();
    assert_eq!(since(&world, inbox, start), (uids(&[3]), uids(&[])));
    let some: Ranges = [2, 5].into_iter().collect();
    let gone = Wish::Flag(inbox, some, FlagMode::Add, Flags::DELETED, vec![]);
    world.ask(&[gone, Wish::Expunge(inbox, None)]).unwrap();
    let (changed, vanished) = since(&world, inbox, start);
    assert_eq!(vanished, uids(&[2, 5]));
    assert_eq!(changed, uids(&[2, 3, 5]));
    // What arrives needs no row.
    let before = modseq(&world, inbox);
    world
        .ask(&[Wish::Append(inbox, vec![(70, 64), (71, 64)])])
        .unwrap();
    assert_eq!(since(&world, inbox, before), (uids(&[10, 11]), uids(&[])));
    // Onto itself: other UIDs, and the old ones are gone.
    let before = modseq(&world, inbox);
    let moved = Ranges::span(1, 4);
    world.ask(&[Wish::Move(inbox, inbox, moved)]).unwrap();
    assert_eq!(
        since(&world, inbox, before),
        (uids(&[12, 13, 14]), uids(&[1, 3, 4]))
    );
    // RENAME of INBOX: everything vanishes here.
    let before = modseq(&world, inbox);
    world.ask(&[Wish::Rename(inbox, "Old".to_owned())]).unwrap();
    let (_, vanished) = since(&world, inbox, before);
    assert_eq!(vanished, uids(&[6, 7, 8, 9, 10, 11, 12, 13, 14]));
    let old = world.view().named(1, "Old").unwrap();
    let (changed, vanished) = since(&world, old, 1);
    assert_eq!((changed, vanished), (Ranges::span(1, 9), uids(&[])));
    let nothing = told(&world, 99, 1);
    assert_eq!(nothing, (None, None));
    world.compare().unwrap();
}

#[test]
fn the_oldest_rows_go() {
    let (mut world, inbox) = with_mail(2);
    let start = modseq(&world, inbox);
    let toggle = |n: u64| {
        let mode = [FlagMode::Add, FlagMode::Remove][usize::from(n % 2 == 1)];
        flag(inbox, Ranges::span(1, 1), mode)
    };
    for n in (0..4608).step_by(512) {
        let many: Vec<Wish> = (n..n + 512).map(toggle).collect();
        world.ask(&many).unwrap();
    }
    // All of them are still there: the oldest go together, now.
    assert_eq!(since(&world, inbox, start).0, uids(&[1]));
    world.ask(&[toggle(4608)]).unwrap();
    let now = modseq(&world, inbox);
    assert_eq!(told(&world, inbox, start), (None, None));
    assert_eq!(told(&world, inbox, now - 4097), (None, None));
    assert_eq!(since(&world, inbox, now - 4096), (uids(&[1]), uids(&[])));
    world.close();
    let oracle = world.oracle().clone();
    crate::check::start(world.disk.state(), &oracle).unwrap();
}

#[test]
fn many_spans() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let inbox = world.view().inbox(1).unwrap();
    world.ask(&[Wish::Append(inbox, vec![(1, 64)])]).unwrap();
    // 2^12 messages, by copies onto itself.
    for _ in 0..12 {
        let all = Ranges::span(1, 5000);
        world.ask(&[Wish::Copy(inbox, inbox, all)]).unwrap();
    }
    let start = modseq(&world, inbox);
    let odd: Ranges = (0..2048).map(|n| 2 * n + 1).collect();
    world
        .ask(&[flag(inbox, odd.clone(), FlagMode::Add)])
        .unwrap();
    let (changed, _) = since(&world, inbox, start);
    assert!(changed.spans().count() <= 512);
    assert!(odd.difference(&changed).is_empty());
    // What went is exact, however many spans it has.
    let gone = Wish::Flag(inbox, odd.clone(), FlagMode::Add, Flags::DELETED, vec![]);
    world.ask(&[gone, Wish::Expunge(inbox, None)]).unwrap();
    assert_eq!(since(&world, inbox, start).1, odd);
    world.compare().unwrap();
}
