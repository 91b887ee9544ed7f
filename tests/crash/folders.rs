//! Many folders, and folders with many messages.

use std::sync::Arc;

use pillarbox::{
    base::{
        id::{FolderId, UserId},
        ranges::Ranges,
    },
    store::{Options, Reader, Reply, Store, index::key::Kind, log},
};

use crate::{
    check,
    disk::State,
    model::Wish,
    script,
    world::{World, no_bodies, options, rows},
};

fn begun() -> World {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    world
}

/// A folder goes at once, its messages in slices; a crash between them loses nothing and leaves nothing.
#[test]
fn a_big_folder_goes() {
    let mut world = begun();
    world.ask(&[Wish::Create(1, "Big".to_owned())]).unwrap();
    let big = world.view().named(1, "Big").unwrap();
    let sent = world.view().named(1, "Sent").unwrap();
    world.ask(&[Wish::Append(big, vec![(1, 64)])]).unwrap();
    world
        .ask(&[Wish::Copy(big, sent, Ranges::span(1, 1))])
        .unwrap();
    for _ in 0..11 {
        let all = Ranges::span(1, u32::MAX);
        world.ask(&[Wish::Copy(big, big, all)]).unwrap();
    }
    world.ask(&[Wish::Append(big, vec![(2, 64)])]).unwrap();
    world.ask(&[Wish::Delete(big)]).unwrap();
    let store = world.store();
    let usage = store.read(|reader| reader.usage(UserId(1))).unwrap();
    assert_eq!((usage.messages, usage.folders), (1, 6));
    assert!(store.read(|r| r.folder(FolderId(big))).unwrap().is_none());
    drop(store);
    let left = |world: &World| {
        let rows = rows(&crate::disk::SimDisk::new(world.disk.state())).unwrap();
        let of = |kind: Kind| rows.keys().filter(|key| key[0] == kind.letter()).count();
        (of(Kind::Message), of(Kind::Remains), of(Kind::Content))
    };
    for _ in 0..2 {
        assert!(world.stepped.as_mut().unwrap().writer.clean());
    }
    // A checkpoint has the half of it.
    world.pass(400_000);
    world.housekeep(1);
    world.kill();
    world.disk.lock().state.kill();
    let opened = world.open().unwrap();
    world.settle(&opened).unwrap();
    assert!(world.stepped.as_mut().unwrap().writer.clean());
    world.clean();
    world.close();
    assert_eq!(left(&world), (1, 0, 1));
    let oracle = world.oracle().clone();
    check::start(world.disk.state(), &oracle).unwrap();
}

/// CREATE and RENAME with thousands of folders: the rows touched do not depend on how many there are.
#[test]
fn many_folders() {
    let mut world = World::new(State::default());
    let options = Options {
        segment: log::SEGMENT,
        folders: 0,
        ..options(&world.clock)
    };
    let disk = Arc::new(world.disk.clone());
    world.stepped = Some(Store::open_stepped(disk, options, false).unwrap());
    script::settle_in(&mut world).unwrap();
    let mut wishes: Vec<Wish> = vec![Wish::Create(1, "A".to_owned())];
    wishes.extend((0..3000).map(|n| Wish::Create(1, format!("A/n{n:04}"))));
    for part in wishes.chunks(500) {
        let replies = world.requests(part, no_bodies(part)).unwrap();
        assert!(replies.iter().all(Result::is_ok));
    }
    let parent = world.store().read(|r| r.folder_named(UserId(1), "A"));
    let parent = parent.unwrap().unwrap().0;
    let before = world.store().read(Reader::sequence).unwrap();
    let rename = [Wish::Rename(parent, "Much longer name".to_owned())];
    let replies = world.requests(&rename, no_bodies(&rename)).unwrap();
    assert!(matches!(replies[0], Ok(Reply::Done)));
    assert_eq!(world.store().read(Reader::sequence).unwrap(), before + 1);
    let (moved, old, usage) = world
        .store()
        .read(|reader| {
            Ok((
                reader.folder_named(UserId(1), "Much longer name/n2999")?,
                reader.folder_named(UserId(1), "A/n2999")?,
                reader.usage(UserId(1))?,
            ))
        })
        .unwrap();
    assert!(moved.is_some() && old.is_none());
    assert_eq!(usage.folders, 3007);
}
