//! The power goes at every operation of a run.

use std::{
    env,
    sync::{Arc, Mutex},
};

use crate::{
    check,
    disk::{OUTCOMES, Outcome, SimDisk, State},
    script,
    world::World,
};

/// What a replay is bound to.
struct Only {
    op: Option<u64>,
    outcome: Option<Outcome>,
}

fn only() -> Only {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let outcome = env::var("CRASH_OUTCOME").ok();
    Only {
        op: number("CRASH_OP"),
        outcome: outcome.and_then(|name| {
            let mut all = OUTCOMES.into_iter();
            all.find(|outcome| format!("{outcome:?}") == name)
        }),
    }
}

/// Plays a script and cuts the power before every operation, with every outcome.
fn everywhere(name: &str, play: impl Fn(&mut World) -> Result<(), String>, every: u64, again: u64) {
    let only = only();
    let mut world = World::new(State::default());
    let oracle = Arc::clone(&world.oracle);
    let failures: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&failures);
    let starts = Arc::new(Mutex::new(0_u64));
    let counted = Arc::clone(&starts);
    world.disk.lock().hook = Some(Box::new(move |state, op, what| {
        if only.op.map_or(op % every != 0, |only| only != op) || found.lock().unwrap().len() > 5 {
            return;
        }
        let oracle = oracle.lock().unwrap().clone();
        for outcome in OUTCOMES {
            if only.outcome.is_some_and(|only| only != outcome) {
                continue;
            }
            *counted.lock().unwrap() += 1;
            let cut = check::after_cut(state, outcome, op);
            let mut result = check::start(cut.clone(), &oracle);
            if again > 0 && result.is_ok() {
                result = cut_again(&cut, &oracle, op, again);
            }
            if outcome == Outcome::Torn && result.is_ok() && again > 0 {
                // The process alone ends; the power goes later.
                let mut killed = state.clone();
                killed.kill();
                result = check::start(killed.clone(), &oracle)
                    .and_then(|()| cut_again(&killed, &oracle, op, again))
                    .map_err(|error| format!("killed: {error}"));
            }
            if let Err(error) = result {
                let at = format!("CRASH_OP={op} CRASH_OUTCOME={outcome:?} (before {what:?})");
                found.lock().unwrap().push(format!("{at}: {error}"));
            }
        }
    }));
    let opened = world.open().unwrap();
    assert!(opened.created);
    play(&mut world).unwrap();
    world.close();
    let ops = world.disk.lock().ops;
    let state = world.disk.state();
    let files: Vec<&str> = state.names().collect();
    println!("{name}: at the end {files:?}");
    world.disk.lock().hook = None;
    println!(
        "{name}: {ops} operations, {} starts",
        starts.lock().unwrap()
    );
    let failures = failures.lock().unwrap();
    assert!(failures.is_empty(), "{name}:\n{}", failures.join("\n"));
}

/// The power goes a second time, while the store finds its way back.
fn cut_again(
    cut: &State,
    oracle: &crate::world::Oracle,
    op: u64,
    every: u64,
) -> Result<(), String> {
    let mut cut = cut.clone();
    if op % 2 == 1 {
        // The index is gone as well: a rebuild is cut.
        cut.lose("index.redb");
    }
    let disk = SimDisk::new(cut);
    let states: Arc<Mutex<Vec<(u64, State)>>> = Arc::default();
    let seen = Arc::clone(&states);
    disk.lock().hook = Some(Box::new(move |state, again, _| {
        if (again + op).is_multiple_of(every) {
            seen.lock().unwrap().push((again, state.clone()));
        }
    }));
    check::recovered(disk, oracle)?;
    for (again, state) in states.lock().unwrap().drain(..) {
        let outcome = OUTCOMES[usize::try_from((op + again / every) % 4).unwrap()];
        let second = check::after_cut(&state, outcome, op + again);
        check::start(second, oracle)
            .map_err(|error| format!("cut again at {again} ({outcome:?}): {error}"))?;
    }
    Ok(())
}

#[test]
fn everyday_mail() {
    everywhere("everyday", script::everyday, 1, 3);
}

#[test]
fn queue_and_tables() {
    let play = |world: &mut World| {
        script::settle_in(world)?;
        script::queue_and_tables(world)
    };
    everywhere("queue and tables", play, 1, 5);
}

#[test]
fn oq_11_outcomes() {
    let play = |world: &mut World| {
        script::settle_in(world)?;
        script::outcomes(world)
    };
    everywhere("outcomes", play, 1, 5);
}

#[test]
fn streams() {
    let play = |world: &mut World| {
        script::settle_in(world)?;
        script::streams(world)
    };
    everywhere("streams", play, 1, 7);
}

#[test]
fn space() {
    let play = |world: &mut World| {
        script::settle_in(world)?;
        script::space(world, 4)
    };
    everywhere("space", play, 1, 11);
}
