//! A disk that fills up: new mail is refused, everything else goes on, and mail flows again when space
//! is back, without a restart.

use pillarbox::{base::ranges::Ranges, mail::flag::Flags, store::request::FlagMode};

use crate::{
    check,
    disk::{Outcome, State},
    model::Wish,
    script,
    world::{SEGMENT, World},
};

const MIB: u64 = 1 << 20;
/// The least that is kept free on a tiny machine.
const KEPT: u64 = 24 * MIB;

fn full(total: u64) -> World {
    let mut world = World::new(State::default());
    world.disk.lock().total = total;
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    world.faulty = true;
    world
}

fn free(world: &World) -> u64 {
    use pillarbox::store::Disk;
    world.disk.space().unwrap().free
}

/// Delivers until there is no room; says how many came in.
fn fill(world: &mut World, from: u64) -> u64 {
    for tag in from.. {
        let before = world.said.clone();
        let wish = Wish::Deliver(tag * 3 + 1, 60_000, vec![1]);
        world.ask(&[wish]).unwrap();
        world.housekeep(4);
        if world.said.full > before.full {
            return tag - from;
        }
        assert!(world.said.yes > before.yes, "{:?}", world.said);
        assert!(tag < from + 4000, "it is never full");
    }
    0
}

fn expunge(world: &mut World, inbox: u32, uids: Ranges) {
    let (yes, expunged) = (world.said.yes, Wish::Expunge(inbox, None));
    let deleted = Wish::Flag(inbox, uids, FlagMode::Add, Flags::DELETED, vec![]);
    world.ask(&[deleted, expunged]).unwrap();
    assert_eq!(world.said.yes, yes + 2, "deleting goes on");
    world.housekeep(6);
}

#[test]
fn a_full_disk_is_emptied_message_by_message() {
    let mut world = full(72 * MIB);
    let inbox = world.view().inbox(1).unwrap();
    let came = fill(&mut world, 0);
    assert!(came > 100, "{came} messages");
    assert!(free(&world) >= KEPT / 2, "{} free", free(&world));
    world.compare().unwrap();
    let oracle = world.oracle().clone();
    let cut = check::after_cut(&world.disk.state(), Outcome::None, 1);
    check::start(cut, &oracle).unwrap();
    let uids: Vec<u32> = world.view().folders[&inbox]
        .messages
        .keys()
        .copied()
        .collect();
    for uid in uids {
        expunge(&mut world, inbox, Ranges::span(uid, uid));
    }
    for _ in 0..5 {
        world.pass(61_000);
        world.housekeep(500);
    }
    let again = fill(&mut world, 10_000);
    assert!(again > came / 2, "{again} messages after {came}");
    world.compare().unwrap();
}

/// Somebody else's files fill the disk to the last octet, and go again.
#[test]
fn others_fill_the_disk() {
    let mut world = full(400 * MIB);
    let inbox = world.view().inbox(1).unwrap();
    for tag in 0..40 {
        world
            .ask(&[Wish::Deliver(tag * 3 + 1, 60_000, vec![1])])
            .unwrap();
        world.housekeep(4);
    }
    let store = world.store();
    let used = 400 * MIB - free(&world);
    assert!(world.disk.state().has("reserve"));
    // Short: nothing new, and what is there goes on.
    world.disk.lock().total = used + KEPT - MIB;
    let full_before = world.said.full;
    world.ask(&[Wish::Deliver(9000, 500, vec![1])]).unwrap();
    assert_eq!(world.said.full, full_before + 1);
    assert!(!store.status().room);
    // Critical: the reserve goes, and only deleting writes.
    world.disk.lock().total = used + MIB;
    world.ask(&[Wish::Deliver(9001, 500, vec![1])]).unwrap();
    assert_eq!(world.said.full, full_before + 2);
    assert!(!world.disk.state().has("reserve"));
    expunge(&mut world, inbox, Ranges::span(1, 36));
    world.compare().unwrap();
    for _ in 0..4 {
        world.pass(61_000);
        world.housekeep(500);
    }
    let segments = store.segments().len() as u64;
    assert!(
        segments * u64::from(SEGMENT) < 4 * MIB,
        "{segments} segments"
    );
    world.disk.lock().total = 400 * MIB;
    world.faulty = false;
    world.ask(&[Wish::Deliver(9002, 500, vec![1])]).unwrap();
    assert!(world.disk.state().has("reserve"));
    world.compare().unwrap();
    let oracle = world.oracle().clone();
    let cut = check::after_cut(&world.disk.state(), Outcome::None, 1);
    check::start(cut, &oracle).unwrap();
}

/// Most of the mail is deleted: most of the space comes back.
#[test]
fn space_comes_back() {
    let mut world = full(1 << 30);
    let inbox = world.view().inbox(1).unwrap();
    for tag in 0..500 {
        world
            .ask(&[Wish::Deliver(tag * 3 + 1, 60_000, vec![1])])
            .unwrap();
        world.housekeep(2);
    }
    let log = |world: &World| world.store().segments().len() as u64 * u64::from(SEGMENT);
    let before = log(&world);
    assert!(before > 30_000_000, "{before} octets of log");
    // All but every tenth.
    let mut uids = Ranges::new();
    (1..=500)
        .filter(|uid| uid % 10 != 0)
        .for_each(|uid| uids.insert(uid));
    expunge(&mut world, inbox, uids);
    for _ in 0..60 {
        world.pass(1000);
        world.housekeep(1000);
    }
    let after = log(&world);
    assert!(after < before / 5, "{before} octets of log, then {after}");
    world.faulty = false;
    world.compare().unwrap();
    let oracle = world.oracle().clone();
    let cut = check::after_cut(&world.disk.state(), Outcome::None, 1);
    check::start(cut, &oracle).unwrap();
}
