//! Messages that wait for others: in one change with what stays here (SR-29), and their content stays
//! as long as they do.

use std::sync::Arc;

use pillarbox::{
    base::id::{ContentId, QueueId, UserId},
    store::{
        Reader, Refusal, Reply, Request,
        index::{Index, key},
        queue::Fate,
    },
};

use crate::{
    check,
    disk::State,
    lanes,
    model::Wish,
    script,
    world::{World, rows},
};

fn begun() -> World {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    world
}

fn others() -> Vec<String> {
    vec!["c@away.test".to_owned(), "d@away.test".to_owned()]
}

fn sequence(world: &World) -> u64 {
    world.store().read(Reader::sequence).unwrap()
}

fn contents(world: &World) -> Vec<ContentId> {
    let store = world.store();
    let entries = store.read(|reader| reader.queue(None, 100)).unwrap();
    entries
        .into_iter()
        .map(|(_, entry)| entry.content)
        .collect()
}

#[test]
fn sr_29_here_and_elsewhere_in_one_change() {
    let mut world = begun();
    let before = sequence(&world);
    world
        .ask(&[Wish::Send(1, 900, vec![1, 2], others())])
        .unwrap();
    assert_eq!(sequence(&world), before + 1);
    world.compare().unwrap();
    // Only for others.
    world.ask(&[Wish::Send(2, 900, vec![], others())]).unwrap();
    world.compare().unwrap();
    // For nobody.
    let refused = world.ask(&[Wish::Deliver(3, 900, vec![])]);
    assert!(refused.unwrap_err().contains("NoUser"));
}

/// ST-8: a message that fits somewhere goes everywhere.
#[test]
fn st_8_a_full_mailbox_does_not_hold_up_the_others() {
    let mut world = begun();
    let store = world.store();
    let quota = Request::SetQuota {
        user: UserId(1),
        quota: 10,
    };
    world.drive(store.request(quota)).unwrap();
    let only_here = Wish::Deliver(1, 900, vec![1]).request(None);
    let refused = world.drive(store.request(only_here));
    assert!(matches!(refused, Err(Refusal::OverQuota { limit: 10, .. })));
    let both = Wish::Send(2, 900, vec![1], others()).request(None);
    let taken = world.drive(store.request(both));
    assert!(matches!(taken, Ok(Reply::Delivered { .. })));
}

#[test]
fn content_stays_until_nobody_has_it() {
    let mut world = begun();
    world.ask(&[Wish::Send(1, 900, vec![1], others())]).unwrap();
    world.ask(&[Wish::Send(2, 900, vec![1], others())]).unwrap();
    let ids = contents(&world);
    let purge = Request::RemoveUser {
        user: UserId(1),
        purge: true,
    };
    let store = world.store();
    world.drive(store.request(purge)).unwrap();
    assert!(store.content(ids[0]).unwrap().is_some());
    let (first, entry) = store
        .read(|reader| reader.queue(None, 1))
        .unwrap()
        .remove(0);
    assert_eq!((entry.queued.id.as_str(), entry.content), ("Q1", ids[0]));
    let (count, octets) = store
        .read(|reader| Ok((reader.queue_count()?, reader.queue_octets()?)))
        .unwrap();
    assert_eq!((count, octets), (2, 2 * entry.size));
    let next = store.read(|reader| reader.queue(Some(first), 9)).unwrap();
    assert_eq!(next.len(), 1);
    let remove = || Request::RemoveQueued { queue: first };
    world.drive(store.request(remove())).unwrap();
    world.clean();
    assert!(store.content(ids[0]).unwrap().is_none());
    assert!(store.content(ids[1]).unwrap().is_some());
    assert_eq!(store.read(|reader| reader.queue_named("Q1")).unwrap(), None);
    let named = store.read(|reader| reader.queue_named("Q2")).unwrap();
    assert_eq!(named, Some(next[0].0));
    let again = world.drive(store.request(remove()));
    assert!(matches!(again, Err(Refusal::NoEntry)));
    let report = store.check().unwrap();
    assert_eq!((report.queued, report.contents), (1, 1));
    assert!(report.wrong.is_empty(), "{:?}", report.wrong);
}

/// Segments are emptied around what waits, which is still there after a rebuild.
#[test]
fn waiting_mail_moves_with_its_segment() {
    let mut world = begun();
    world.ask(&[Wish::Send(1, 900, vec![], others())]).unwrap();
    let content = contents(&world)[0];
    let place = |world: &World| {
        let all = rows(&world.disk).unwrap();
        let key = pillarbox::store::index::key::content(content);
        all.get(&key).cloned()
    };
    script::space(&mut world, 4).unwrap();
    world.close();
    let before = place(&world);
    world.open().unwrap();
    script::space(&mut world, 12).unwrap();
    world.pass(61_000);
    world.housekeep(300);
    world.compare().unwrap();
    world.close();
    assert!(before.is_some() && place(&world).is_some());
    let state = world.disk.state();
    assert!(
        !state.has("log/0000000001"),
        "the first segment is still there"
    );
    let oracle = world.oracle().clone();
    check::start(state, &oracle).unwrap();
}

/// Outcomes need no room: what was sent is not sent again because the disk is full. A report is mail.
#[test]
fn oq_11_outcomes_on_a_full_disk() {
    let mut world = begun();
    for tag in 1..=3 {
        world
            .ask(&[Wish::Send(tag, 900, vec![], others())])
            .unwrap();
    }
    let ids: Vec<u64> = world.view().queue.into_keys().collect();
    world.disk.lock().total = 5 * 1024 * 1024;
    world.pass(1000);
    let gone = |id| lanes::settled(id, &[("c@away.test", Fate::Gone)]);
    let report = Wish::Report(9, 500, vec![1], vec![], vec![gone(ids[0])]);
    let store = world.store();
    let refused = world.drive(store.request(report.request(None)));
    assert!(matches!(refused, Err(Refusal::Full)), "{refused:?}");
    world.compare().unwrap();
    let late = lanes::settled(ids[1], &[("d@away.test", lanes::waits(900))]);
    world
        .ask(&[
            Wish::Settle(
                vec![gone(ids[0]), late],
                Some(lanes::note("away.test", 500, 1)),
                9,
            ),
            Wish::Hold(vec![ids[2]], true),
            Wish::Wake(10, vec![]),
            Wish::Retry(ids.clone()),
            Wish::Hold(vec![ids[2]], false),
            Wish::RemoveQueued(ids[2]),
        ])
        .unwrap();
    world.compare().unwrap();
    // Nothing is asked for where nothing changes.
    let before = sequence(&world);
    world
        .ask(&[
            Wish::Settle(vec![gone(99)], None, 3),
            Wish::Hold(vec![ids[0], 99], false),
            Wish::Retry(vec![99]),
        ])
        .unwrap();
    assert_eq!(sequence(&world), before);
}

/// A check notices lanes that do not agree with the entries.
#[test]
fn lanes_are_checked() {
    let mut world = begun();
    let more = vec!["c@away.test".to_owned(), "d@other.test".to_owned()];
    world.ask(&[Wish::Send(1, 900, vec![], more)]).unwrap();
    let id = QueueId(world.view().queue.into_keys().next().unwrap());
    let report = world.store().check().unwrap();
    assert_eq!((report.queued, report.lanes), (1, 2));
    assert_eq!(report.wrong, [""; 0]);
    world.close();
    let state = world.disk.state();
    for row in [
        key::lane("away.test"),
        key::lane_due(0, "away.test"),
        key::lane_entry("away.test", 0, id),
        key::lane_oldest("away.test", id),
        key::queue(id),
    ] {
        let mut world = World::new(state.clone());
        let disk: Arc<dyn pillarbox::store::Disk> = Arc::new(world.disk.clone());
        let (index, _) = Index::open(&disk, 1024 * 1024).unwrap();
        index
            .write(true, |tables| tables.remove(&row).map(drop))
            .unwrap();
        drop(index);
        world.open().unwrap();
        let wrong = world.store().check().unwrap().wrong;
        assert!(!wrong.is_empty(), "{row:?}");
    }
}
