//! Controls: a disk that does not keep its promises has to be noticed.

use crate::{
    check,
    disk::{Dice, Lie, Outcome, State},
    script,
    world::World,
};

/// How many of the cuts of a run on a lying disk are noticed.
fn noticed(lie: Lie) -> u64 {
    let mut world = World::new(State::default());
    world.disk.lock().lie = lie;
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    script::space(&mut world, 2).unwrap();
    let mut noticed = 0;
    for seed in 0..8 {
        let outcome = *Dice::new(seed).of(&[Outcome::None, Outcome::Torn, Outcome::Other]);
        let cut = check::after_cut(&world.disk.state(), outcome, seed);
        let oracle = world.oracle().clone();
        noticed += u64::from(check::start(cut, &oracle).is_err());
    }
    noticed
}

#[test]
fn an_honest_disk_loses_nothing() {
    assert_eq!(noticed(Lie::Honest), 0);
}

#[test]
fn a_disk_that_forgets_syncs_is_noticed() {
    assert!(noticed(Lie::Syncs) > 4);
}

#[test]
fn a_disk_that_forgets_syncs_of_folders_is_noticed() {
    assert!(noticed(Lie::SyncsOfFolders) > 4);
}

/// What was acknowledged and is not there, and what was refused and is there, are both noticed.
#[test]
fn an_oracle_that_knows_better_is_noticed() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    let before = world.oracle().clone();
    let state = world.disk.state();
    world
        .ask(&[crate::model::Wish::Deliver(1, 500, vec![1])])
        .unwrap();
    let after = world.oracle().clone();
    let now = world.disk.state();
    let cut = |state: &State| check::after_cut(state, Outcome::None, 1);
    assert!(check::start(cut(&state), &before).is_ok());
    assert!(check::start(cut(&now), &after).is_ok());
    assert!(check::start(cut(&state), &after).is_err());
    assert!(check::start(cut(&now), &before).is_err());
}
