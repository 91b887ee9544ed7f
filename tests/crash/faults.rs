//! The disk fails: at each operation in turn, once and for a while, with EIO and with ENOSPC.

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex},
};

use crate::{
    check,
    disk::{Dice, Fault, OUTCOMES, Outcome, State, What},
    script,
    world::{Oracle, Said, World},
};

/// Plays a script on a disk that fails from operation `from` on, then goes on, then is cut.
fn fail_at(
    play: &dyn Fn(&mut World) -> Result<(), String>,
    fault: Fault,
) -> Result<(Said, bool), String> {
    let mut world = World::new(State::default());
    world.open().map_err(|error| error.to_string())?;
    script::settle_in(&mut world)?;
    {
        let mut inner = world.disk.lock();
        inner.dice = Dice::new(fault.from);
        let from = inner.ops + fault.from;
        inner.faults = vec![Fault { from, ..fault }];
    }
    world.faulty = true;
    let before = world.disk.lock().ops;
    play(&mut world)?;
    let met = world.disk.lock().ops - before;
    let state = world.disk.state();
    let oracle = world.oracle().clone();
    for outcome in OUTCOMES {
        let cut = check::after_cut(&state, outcome, fault.from);
        check::start(cut, &oracle).map_err(|error| format!("then cut ({outcome:?}): {error}"))?;
    }
    let mut killed = state;
    killed.kill();
    check::start(killed.clone(), &oracle).map_err(|error| format!("then killed: {error}"))?;
    next_life(killed, &oracle, fault.from).map_err(|error| format!("next life: {error}"))?;
    // It goes on by itself when the disk is well again.
    {
        let mut inner = world.disk.lock();
        inner.faults.clear();
    }
    world.faulty = false;
    for _ in 0..8 {
        world.pass(61_000);
        world.housekeep(50);
    }
    recover_streams(&mut world);
    world
        .ask(&[crate::model::Wish::Deliver(9000, 500, vec![1])])
        .map_err(|error| format!("afterwards: {error}"))?;
    world
        .compare()
        .map_err(|error| format!("afterwards: {error}"))?;
    let oracle = world.oracle().clone();
    let cut = check::after_cut(&world.disk.state(), OUTCOMES[1], fault.from);
    check::start(cut, &oracle).map_err(|error| format!("in the end: {error}"))?;
    world.close();
    Ok((world.said.clone(), fault.from >= met))
}

/// A killed process' store starts again, tidies up, writes, and only then the power goes.
fn next_life(killed: State, oracle: &Oracle, seed: u64) -> Result<(), String> {
    let mut world = World::new(killed);
    *world.oracle() = oracle.clone();
    let opened = world.open().map_err(|error| error.to_string())?;
    world.settle(&opened)?;
    world.housekeep(100);
    world.ask(&[crate::model::Wish::Deliver(8000, 500, vec![1])])?;
    world.housekeep(100);
    let oracle = world.oracle().clone();
    for outcome in [Outcome::None, Outcome::Torn] {
        let cut = check::after_cut(&world.disk.state(), outcome, seed);
        check::start(cut, &oracle)?;
    }
    Ok(())
}

fn recover_streams(world: &mut World) {
    world.streams.clear();
}

/// Every operation of a script fails, `count` of them at a time.
fn each(
    name: &str,
    play: &dyn Fn(&mut World) -> Result<(), String>,
    kind: ErrorKind,
    count: u64,
    step: u64,
) {
    let only: Option<u64> = std::env::var("CRASH_OP")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut failures = Vec::new();
    let mut from = only.unwrap_or(0);
    let (mut runs, mut no, mut full, mut unknown) = (0, 0, 0, 0);
    loop {
        runs += 1;
        match fail_at(play, Fault { from, count, kind }) {
            Ok((_, true)) => break,
            Ok((said, false)) => {
                no += said.no;
                full += said.full;
                unknown += said.unknown;
            }
            Err(error) => failures.push(format!("CRASH_OP={from} {kind:?} {count}: {error}")),
        }
        if failures.len() > 5 || only.is_some() {
            break;
        }
        from += step;
    }
    println!(
        "{name}, {kind:?} for {count}: {runs} runs; said no {no}, full {full}, unknown {unknown}"
    );
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

fn mail(world: &mut World) -> Result<(), String> {
    script::streams_and_flags(world)?;
    script::space(world, 2)
}

#[test]
fn oq_11_outcomes_on_a_disk_that_fails() {
    each("outcomes", &script::outcomes, ErrorKind::Other, 1, 2);
    each("outcomes", &script::outcomes, ErrorKind::StorageFull, 4, 7);
}

#[test]
fn io_errors_once() {
    each("faults", &mail, ErrorKind::Other, 1, 1);
}

#[test]
fn io_errors_for_a_while() {
    each("faults", &mail, ErrorKind::Other, 3, 2);
    each("faults", &mail, ErrorKind::Other, 9, 5);
}

#[test]
fn no_space_once_and_for_a_while() {
    each("faults", &mail, ErrorKind::StorageFull, 1, 2);
    each("faults", &mail, ErrorKind::StorageFull, 5, 5);
}

/// A sync of a folder fails, the process is killed right after it, the next one tidies up, and the
/// power goes: names that the first one could not make durable must not have been built upon.
#[test]
fn names_that_are_only_in_the_cache() {
    let play = |world: &mut World| {
        script::settle_in(world)?;
        script::space(world, 4)
    };
    let syncs: Arc<Mutex<Vec<u64>>> = Arc::default();
    let seen = Arc::clone(&syncs);
    let mut world = World::new(State::default());
    world.disk.lock().hook = Some(Box::new(move |_, op, what| {
        if what == What::SyncFolder {
            seen.lock().unwrap().push(op);
        }
    }));
    world.open().unwrap();
    play(&mut world).unwrap();
    let syncs = std::mem::take(&mut *syncs.lock().unwrap());
    let mut failures = Vec::new();
    for &op in syncs.iter().filter(|&&op| op > 6) {
        for seed in 0..12 {
            let mut world = World::new(State::default());
            world.faulty = true;
            {
                let mut inner = world.disk.lock();
                inner.dice = Dice::new(seed);
                inner.faults = vec![Fault {
                    from: op,
                    count: 1,
                    kind: ErrorKind::Other,
                }];
                inner.dies_at = Some(op + 1 + seed % 3);
            }
            // A start that fails is an end of the process as well.
            if world.open().is_ok() {
                let _ = play(&mut world);
            }
            world.kill();
            let mut killed = world.disk.state();
            killed.kill();
            let oracle = world.oracle().clone();
            if let Err(error) = next_life(killed, &oracle, seed) {
                failures.push(format!("operation {op}, seed {seed}: {error}"));
            }
        }
    }
    let shown = &failures[..failures.len().min(5)];
    assert!(
        failures.is_empty(),
        "{} fail:\n{}",
        failures.len(),
        shown.join("\n")
    );
}
