//! What counts for a quota, and which warning somebody has had (ST-9, UX-36).

use pillarbox::{
    base::{
        id::{FolderId, UserId},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::{
        Refusal, Reply, Request,
        directory::Usage,
        request::{Flag, FlagMode},
    },
};

use crate::{disk::State, model::Wish, script, world::World};

const ANNA: UserId = UserId(1);

/// Anna with a quota of 10,000 octets and `octets` of mail.
fn begun(octets: u64) -> World {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    set_quota(&mut world, 10_000);
    for tag in 0..octets / 1000 {
        // The prefix counts as well.
        let size = 1000 - crate::model::PREFIX.len();
        let deliver = Wish::Deliver(tag, size, vec![1]).request(None);
        ask(&mut world, deliver).unwrap();
    }
    assert_eq!(usage(&world).octets, octets);
    world
}

fn ask(world: &mut World, request: Request) -> Result<Reply, Refusal> {
    let store = world.store();
    world.drive(store.request(request))
}

fn set_quota(world: &mut World, quota: u64) {
    ask(world, Request::SetQuota { user: ANNA, quota }).unwrap();
}

fn warn(world: &mut World, level: u8) -> Result<Reply, Refusal> {
    let Request::Deliver(mut deliver) = Wish::Deliver(99, 500, vec![1]).request(None) else {
        panic!("no delivery");
    };
    deliver.warns = Some((ANNA, level));
    ask(world, Request::Deliver(deliver))
}

fn usage(world: &World) -> Usage {
    world.store().read(|reader| reader.usage(ANNA)).unwrap()
}

fn folder(world: &World, name: &str) -> FolderId {
    let store = world.store();
    let found = store.read(|reader| reader.folder_named(ANNA, name));
    found.unwrap().unwrap()
}

fn change(world: &mut World, folder: FolderId, uids: Ranges, mode: FlagMode, flags: Flags) {
    let flag = Flag {
        folder,
        uids,
        mode,
        flags,
        keywords: vec![],
        unchanged_since: None,
        lazy: false,
    };
    ask(world, Request::Flag(flag)).unwrap();
}

/// The first `count` messages of the inbox go.
fn expunge(world: &mut World, count: u32) {
    let inbox = folder(world, "INBOX");
    let uids = Ranges::span(1, count);
    change(world, inbox, uids, FlagMode::Add, Flags::DELETED);
    let uids = None;
    ask(
        world,
        Request::Expunge {
            folder: inbox,
            uids,
        },
    )
    .unwrap();
}

#[test]
fn st_9_each_warning_once() {
    let mut world = begun(8000);
    warn(&mut world, 80).unwrap();
    assert!(matches!(warn(&mut world, 80), Err(Refusal::Exists)));
    assert_eq!(usage(&world).warned, 80);
    warn(&mut world, 95).unwrap();
    assert!(matches!(warn(&mut world, 80), Err(Refusal::Exists)));
    assert_eq!(usage(&world).warned, 95);
}

#[test]
fn ux_36_a_warning_takes_no_room() {
    let mut world = begun(10_000);
    let full = Wish::Deliver(50, 500, vec![1]).request(None);
    assert!(matches!(
        ask(&mut world, full),
        Err(Refusal::OverQuota { .. })
    ));
    warn(&mut world, 95).unwrap();
    let before = usage(&world);
    assert_eq!((before.octets, before.messages), (10_000, 10));
    let (inbox, trash) = (folder(&world, "INBOX"), folder(&world, "Trash"));
    // No way of setting flags makes it count, and none of them is seen to be set.
    for (mode, flags) in [
        (FlagMode::Replace, Flags::SEEN),
        (FlagMode::Remove, Flags(255)),
        (FlagMode::Add, Flags::FLAGGED),
    ] {
        change(&mut world, inbox, Ranges::span(11, 11), mode, flags);
    }
    let uids = Ranges::span(11, 11);
    let (from, to) = (inbox, trash);
    ask(&mut world, Request::Move { from, to, uids }).unwrap();
    assert_eq!(usage(&world), before);
    // A copy is the person's own.
    set_quota(&mut world, 0);
    let (from, to, uids) = (trash, inbox, Ranges::span(1, 1));
    ask(&mut world, Request::Copy { from, to, uids }).unwrap();
    assert_eq!(usage(&world).messages, 11);
    let uids = Ranges::span(1, 1);
    change(&mut world, trash, uids, FlagMode::Add, Flags::DELETED);
    let copied = usage(&world);
    let uids = None;
    ask(
        &mut world,
        Request::Expunge {
            folder: trash,
            uids,
        },
    )
    .unwrap();
    assert_eq!(usage(&world), copied);
}

/// Only a delivery makes a message that does not count.
#[test]
fn nobody_makes_own_mail_weightless() {
    let mut world = begun(1000);
    let inbox = folder(&world, "INBOX");
    for mode in [FlagMode::Add, FlagMode::Replace] {
        change(&mut world, inbox, Ranges::span(1, 1), mode, Flags(255));
    }
    expunge(&mut world, 1);
    let nothing = Usage {
        folders: 6,
        ..Usage::default()
    };
    assert_eq!(usage(&world), nothing);
}

#[test]
fn st_9_a_warning_is_forgotten_well_below_its_mark() {
    let mut world = begun(10_000);
    warn(&mut world, 95).unwrap();
    for (count, octets, warned) in [(1, 9000, 95), (2, 8000, 80), (3, 7000, 0)] {
        expunge(&mut world, count);
        let now = usage(&world);
        assert_eq!((now.octets, now.warned), (octets, warned));
    }
}

#[test]
fn st_9_another_quota_is_another_mark() {
    for (quota, warned) in [(10_000, 95), (10_700, 80), (12_800, 0), (0, 0), (5000, 95)] {
        let mut world = begun(10_000);
        warn(&mut world, 95).unwrap();
        set_quota(&mut world, quota);
        assert_eq!(usage(&world).warned, warned, "{quota}");
    }
}
