//! Messages that wait for others: in one change with what stays here (SR-29), and their content stays
//! as long as they do.

use pillarbox::{
    base::id::{ContentId, UserId},
    store::{Reader, Refusal, Reply, Request},
};

use crate::{
    check,
    disk::State,
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
