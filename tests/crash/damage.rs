//! Flash that forgets, files that are gone, an index of another day: reported, and never wrong mail.

use std::sync::{Arc, Mutex};

use pillarbox::{
    base::{
        id::{FolderId, ModSeq},
        ranges::Ranges,
    },
    mail::flag::Flags,
    store::{Opened, request::FlagMode},
};

use crate::{
    disk::{Dice, State},
    lanes,
    model::{self, DAMAGED, View, Wish},
    script,
    world::{World, differences, held},
};

/// A store with two segments and a dump, and states of its disk on the way: in each segment, before
/// and after the dump.
fn lived() -> (World, Vec<State>) {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let mut on_the_way = vec![world.disk.state()];
    script::space(&mut world, 3).unwrap();
    on_the_way.push(world.disk.state());
    for tag in 0..12 {
        world
            .ask(&[Wish::Deliver(5000 + tag, 30_000, vec![1])])
            .unwrap();
    }
    (world, on_the_way)
}

fn settled(world: &World) -> State {
    let mut state = world.disk.state();
    state.settle_all();
    state
}

fn newest(state: &State, folder: &str) -> String {
    let names = state.names().filter(|name| name.starts_with(folder));
    names.max().unwrap().to_owned()
}

/// Starts on a damaged disk; content may be unreadable, never wrong.
fn start(state: State) -> (World, Opened, View) {
    let mut world = World::new(state);
    let opened = world.open().unwrap();
    let view = model::view(&world.store(), true).unwrap();
    (world, opened, view)
}

/// Every message that is there is one that was; says how many are gone or unreadable.
fn compare(expected: &View, found: &View) -> usize {
    let mut missing = 0;
    for (id, folder) in &expected.folders {
        let now = found.folders.get(id);
        for (uid, message) in &folder.messages {
            match now.and_then(|folder| folder.messages.get(uid)) {
                Some(now) if now.tag == message.tag => {}
                Some(now) => {
                    assert_eq!(now.tag, DAMAGED, "another message under this UID");
                    missing += 1;
                }
                None => missing += 1,
            }
        }
    }
    for (id, folder) in &found.folders {
        // What was expunged may come back when the change that said so is gone.
        let before = expected
            .folders
            .get(id)
            .expect("a folder that was")
            .uid_next;
        for uid in folder.messages.keys() {
            assert!(*uid < before, "UID {uid} of folder {id} never was");
        }
    }
    missing
}

/// After a loss no number is named twice.
fn jumped(expected: &View, world: &mut World) {
    let before = &expected.folders[&1];
    world.oracle().acknowledged.view = model::view(&world.store(), true).unwrap();
    let folder = world.view().folders[&1].clone();
    assert!(
        folder.uid_next >= before.uid_next + (1 << 20) - 100,
        "{}",
        folder.uid_next
    );
    assert!(folder.modseq >= before.modseq + (1 << 31));
    // What somebody saw may be lost: all of it is told again.
    let told = world.store().read(|reader| {
        let seen = ModSeq(before.modseq);
        Ok((
            reader.changed_since(FolderId(1), seen)?,
            reader.vanished_since(FolderId(1), seen)?,
        ))
    });
    assert_eq!(told.unwrap(), (None, None));
    assert!(folder.messages.values().all(|m| m.modseq > before.modseq));
    world.ask(&[Wish::Deliver(7777, 100, vec![1])]).unwrap();
    let last = *world.view().folders[&1].messages.keys().last().unwrap();
    assert!(last >= before.uid_next);
    let others = vec!["u@away.test".to_owned()];
    world.ask(&[Wish::Send(7778, 100, vec![], others)]).unwrap();
    let waiting = world.store().read(|reader| reader.queue(None, 9)).unwrap();
    assert!(waiting.last().unwrap().0.0 > 1 << 20);
    world.close();
    // Once reported, it is over: a dump has been asked for, and the next start is clean.
    let mut again = World::new(settled(world));
    let opened = again.open().unwrap();
    assert_eq!((opened.lost, opened.rebuilt), (0, false), "{opened:?}");
}

#[test]
fn flipped_bits_are_reported_and_never_read() {
    let (world, _) = lived();
    let (_, hit) = flip(&world);
    assert!(hit > 10, "{hit} hit");
    let mut small = World::new(State::default());
    small.open().unwrap();
    script::settle_in(&mut small).unwrap();
    for tag in 0..60 {
        small.ask(&[Wish::Deliver(tag, 100, vec![1])]).unwrap();
    }
    let (reported, _) = flip(&small);
    assert!(reported > 10, "{reported} reported");
}

/// Flips bits in the log; says how often that is reported at the start, and how often mail is hit.
fn flip(world: &World) -> (u64, u64) {
    let state = settled(world);
    let expected = world.view();
    let mut dice = Dice::new(3);
    let (mut reported, mut hit) = (0, 0);
    for round in 0..300 {
        let mut damaged = state.clone();
        let logs: Vec<String> = damaged
            .names()
            .filter(|name| name.starts_with("log/"))
            .map(str::to_owned)
            .collect();
        let name = dice.of(&logs).clone();
        let mut octets = damaged.octets(&name);
        let used = octets.iter().rposition(|&octet| octet != 0).unwrap_or(0);
        let at = usize::try_from(dice.below(used as u64 + 1)).unwrap();
        octets[at] ^= 1 << dice.below(8);
        damaged.overwrite(&name, at as u64, &octets[at..=at]);
        if round % 2 == 0 {
            damaged.lose("index.redb");
        }
        let (_world, opened, view) = start(damaged);
        let missing = compare(&expected, &view);
        let told = opened.lost > 0 || !opened.damage.is_empty();
        reported += u64::from(told);
        hit += u64::from(missing > 0);
        // One content, damaged, shows when it is read; anything more is told at the start.
        assert!(
            told || missing <= 1,
            "{name} {at}: {missing} gone; {opened:?}"
        );
    }
    (reported, hit)
}

/// Whatever is lost of the queue: lanes agree with the entries that are left (`model::view` looks), nothing
/// waits that never did, and numbers are not given twice.
#[test]
fn lanes_follow_what_is_left_of_the_queue() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let mut known = std::collections::BTreeSet::new();
    for tag in 0..30_u64 {
        let others = vec![format!("a@d{}.test", tag % 3), "b@away.test".to_owned()];
        let next = world.oracle().acknowledged.next_queue;
        let fates = [("b@away.test", lanes::waits(400 + tag))];
        world.ask(&[Wish::Send(tag, 200, vec![], others)]).unwrap();
        known.insert(next);
        let note = lanes::note("away.test", 300 + tag, 1);
        let settled = vec![lanes::settled(next, &fates)];
        world
            .ask(&[Wish::Settle(settled, Some(note), tag)])
            .unwrap();
        if tag % 4 == 3 {
            world
                .ask(&[Wish::Hold(vec![next], true), Wish::RemoveQueued(next - 2)])
                .unwrap();
        }
        if tag == 15 {
            world.housekeep(30);
        }
    }
    let state = settled(&world);
    let mut dice = Dice::new(5);
    let mut lost = 0;
    for round in 0..120 {
        let mut damaged = state.clone();
        let name = newest(&damaged, "log/");
        let mut octets = damaged.octets(&name);
        let used: Vec<usize> = (0..octets.len()).filter(|&at| octets[at] != 0).collect();
        let at = *dice.of(&used);
        octets[at] ^= 1 << dice.below(8);
        damaged.overwrite(&name, at as u64, &octets[at..=at]);
        if round % 2 == 0 {
            damaged.lose("index.redb");
        }
        let (mut world, opened, view) = start(damaged);
        assert!(view.queue.keys().all(|id| known.contains(id)), "{opened:?}");
        let report = world.store().check().unwrap();
        let strange = report.wrong.iter().find(|line| line.contains("lane"));
        assert_eq!(strange, None);
        if opened.lost > 0 {
            lost += 1;
            world.oracle().acknowledged.view = view;
            let send = Wish::Send(999, 200, vec![], vec!["c@away.test".to_owned()]);
            world
                .drive(world.store().request(send.request(None)))
                .unwrap();
            let view = model::view(&world.store(), true).unwrap();
            let given = view.queue.keys().last().unwrap();
            assert!(given > known.last().unwrap(), "{given} was given before");
        }
    }
    assert!(lost > 10, "{lost} lost something");
}

#[test]
fn an_end_of_the_log_that_is_gone() {
    let (world, _) = lived();
    let mut state = settled(&world);
    let name = newest(&state, "log/");
    state.lose(&name);
    let expected = world.view();
    for index in [true, false] {
        let mut state = state.clone();
        if index {
            // The index knows more than the log.
            let mut kept = World::new(settled(&world));
            kept.open().unwrap();
            kept.close();
            state.replace("index.redb", &settled(&kept));
        } else {
            state.lose("index.redb");
        }
        let (mut world, opened, view) = start(state);
        let missing = compare(&expected, &view);
        assert!(missing > 0);
        if index {
            assert!(opened.lost > 0, "{opened:?}");
            jumped(&expected, &mut world);
        }
    }
}

#[test]
fn an_index_of_another_day() {
    let (world, on_the_way) = lived();
    for old in &on_the_way {
        let mut old = old.clone();
        old.settle_all();
        let mut state = settled(&world);
        state.replace("index.redb", &old);
        let (_world, opened, view) = start(state);
        assert_eq!(opened.lost, 0, "{opened:?}");
        assert!(opened.damage.is_empty(), "{opened:?}");
        assert_eq!(view, world.view(), "{}", differences(&world.view(), &view));
    }
}

#[test]
fn a_missing_segment_with_changes() {
    let (world, _) = lived();
    let expected = world.view();
    let mut kept = World::new(settled(&world));
    kept.open().unwrap();
    let logs: Vec<String> = settled(&world)
        .names()
        .filter(|name| name.starts_with("log/"))
        .map(str::to_owned)
        .collect();
    for name in &logs[..logs.len() - 1] {
        let mut state = settled(&world);
        state.lose(name);
        state.lose("index.redb");
        let (mut world, opened, view) = start(state);
        let missing = compare(&expected, &view);
        if opened.lost > 0 {
            jumped(&expected, &mut world);
        } else {
            assert!(
                missing <= 8,
                "{missing} messages are gone, and nothing is reported"
            );
        }
    }
}

/// The index is there and names content in a segment that is not: the start says so.
#[test]
fn a_missing_segment_with_mail() {
    let (mut world, _) = lived();
    // The index is on the medium with all there is.
    world.close();
    let logs: Vec<String> = settled(&world)
        .names()
        .filter(|name| name.starts_with("log/"))
        .map(str::to_owned)
        .collect();
    let mut told = 0;
    for name in &logs[..logs.len() - 1] {
        let mut state = settled(&world);
        state.lose(name);
        let (_, opened, _) = start(state);
        told += usize::from(
            opened
                .damage
                .iter()
                .any(|(_, _, what)| what.contains("gone")),
        );
    }
    assert!(told > 0, "{} segments went unnoticed", logs.len() - 1);
}

#[test]
fn torn_and_lost_dumps() {
    let (world, _) = lived();
    let state = settled(&world);
    let name = newest(&state, "dump/");
    let whole = state.length(&name);
    for length in [0, 100, 4096, whole - 1, whole / 2] {
        let mut torn = state.clone();
        torn.shorten(&name, length);
        // With its index nothing is lost, and a new dump comes at once.
        let (mut again, opened, view) = start(torn);
        assert_eq!((opened.lost, opened.damage.len()), (0, 0));
        assert_eq!(view, world.view());
        again.housekeep(100);
        again.close();
        let mut after = settled(&again);
        after.lose("index.redb");
        let (_rebuilt, opened, view) = start(after);
        assert_eq!(
            (opened.lost, opened.damage.len()),
            (0, 0),
            "{length}: {opened:?}"
        );
        assert_eq!(view, world.view());
    }
}

#[test]
fn no_log_but_an_index() {
    let (mut world, _) = lived();
    world.close();
    let mut state = settled(&world);
    let logs: Vec<String> = state.names().map(str::to_owned).collect();
    for name in logs.iter().filter(|name| name.starts_with("log/")) {
        state.lose(name);
    }
    let expected = world.view();
    let (mut world, opened, view) = start(state);
    assert!(!opened.created && opened.lost > 0, "{opened:?}");
    let all = expected.folders.values().map(|f| f.messages.len());
    assert_eq!(compare(&expected, &view), all.sum::<usize>());
    jumped(&expected, &mut world);
}

#[test]
fn a_reader_keeps_its_segment() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    script::space(&mut world, 1).unwrap();
    let inbox = world.view().inbox(2).unwrap();
    let uid = *world.view().folders[&inbox].messages.keys().next().unwrap();
    let mut content = held(&world.store(), inbox, uid).unwrap();
    let all = Ranges::span(1, u32::MAX);
    let gone = Wish::Flag(inbox, all, FlagMode::Add, Flags::DELETED, vec![]);
    world.ask(&[gone, Wish::Expunge(inbox, None)]).unwrap();
    script::space(&mut world, 3).unwrap();
    let octets = crate::view::read_all(&mut content).unwrap();
    let text = octets.strip_prefix(model::PREFIX).unwrap();
    assert!(model::tag_of(text).is_some());
    let held_back = world.store().segments().len();
    drop(content);
    world.pass(61_000);
    world.housekeep(200);
    assert!(world.store().segments().len() < held_back);
}

/// A part of the log cannot be read while the index is opened again: nothing is passed over.
#[test]
fn reads_that_fail_while_it_runs() {
    let states: Arc<Mutex<Vec<String>>> = Arc::default();
    for nth in 0..60 {
        let mut world = World::new(State::default());
        world.open().unwrap();
        script::settle_in(&mut world).unwrap();
        world.faulty = true;
        world
            .ask(&[
                Wish::Deliver(1, 500, vec![1]),
                Wish::Deliver(2, 500, vec![1]),
            ])
            .unwrap();
        world.ask(&[Wish::Deliver(3, 500, vec![1, 2])]).unwrap();
        // The checkpoint fails: the index is opened again.
        world.pass(400_000);
        {
            let mut inner = world.disk.lock();
            let (ops, reads) = (inner.ops, inner.reads);
            inner.faults = vec![crate::disk::Fault {
                from: ops,
                count: 1,
                kind: std::io::ErrorKind::Other,
            }];
            inner.read_faults = (0..2).map(|k| reads + nth + k).collect();
        }
        world.housekeep(3);
        world.ask(&[Wish::Deliver(4, 500, vec![1])]).unwrap();
        world.disk.lock().read_faults.clear();
        world.disk.lock().faults.clear();
        world.faulty = false;
        world.pass(61_000);
        world.ask(&[Wish::Deliver(5, 500, vec![1])]).unwrap();
        if let Err(error) = world.compare() {
            states.lock().unwrap().push(format!("{nth}: {error}"));
        }
    }
    let states = states.lock().unwrap();
    assert!(states.is_empty(), "{}", states.join("\n"));
}

/// The log ends before the dump, and the index is older still: its numbers are not given again.
#[test]
fn a_dump_beyond_the_log() {
    let (world, on_the_way) = lived();
    let expected = world.view();
    let mut state = settled(&world);
    let dump: u64 = newest(&state, "dump/")[5..].parse().unwrap();
    // All segments but one of the oldest, which is put back as it was.
    let mut old = on_the_way[0].clone();
    old.settle_all();
    let first = newest(&old, "log/");
    let logs: Vec<String> = state.names().map(str::to_owned).collect();
    for name in logs.iter().filter(|name| name.starts_with("log/")) {
        state.lose(name);
    }
    state.replace(&first, &old);
    state.replace("index.redb", &old);
    let (mut world, opened, view) = start(state);
    assert!(opened.lost > 0, "{opened:?}");
    assert!(world.store().status().sequence > dump);
    compare(&expected, &view);
    world.close();
}

/// More than a segment holds is refused, and the store goes on.
#[test]
fn a_request_that_fits_no_segment() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let inbox = world.view().inbox(1).unwrap();
    let many = (0..8).map(|tag| (tag * 3 + 1, 60_000)).collect();
    let refused = world.ask(&[Wish::Append(inbox, many)]).unwrap_err();
    assert!(refused.contains("Limit"), "{refused}");
    world.oracle().in_flight.clear();
    world.ask(&[Wish::Deliver(1, 500, vec![1])]).unwrap();
    world.compare().unwrap();
}
