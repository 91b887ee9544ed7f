//! What has to be true of a disk after a crash.

use std::collections::BTreeMap;

use pillarbox::base::id::ContentId;
use pillarbox::store::{
    counters::Segment,
    index::key::{self, Kind},
    mailbox::Folder,
    message::{Message, content::ContentRow},
    queue::QueueEntry,
    value,
};

use crate::{
    disk::{Dice, Outcome, SimDisk, State},
    lanes, model,
    world::{Oracle, World, differences, rows},
};

/// Starts on `state`, compares with `oracle`, counts rows, and rebuilds without the index.
pub fn start(state: State, oracle: &Oracle) -> Result<(), String> {
    recovered(SimDisk::new(state), oracle)
}

/// As [`start`], on a disk that may watch.
pub fn recovered(disk: SimDisk, oracle: &Oracle) -> Result<(), String> {
    let mut world = World::new(State::default());
    world.disk = disk;
    *world.oracle() = oracle.clone();
    let opened = world.open().map_err(|error| format!("no start: {error}"))?;
    world.disk.lock().hook = None;
    world.settle(&opened)?;
    world.clean();
    world.close();
    let state = world.disk.state();
    let counted = rows(&SimDisk::new(state.clone()))?;
    count(&counted)?;
    rebuilt(state, &world.view(), &counted)
}

/// Content counts and live octets follow from the rows.
fn count(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), String> {
    let of = |kind: Kind| {
        let letter = kind.letter();
        rows.iter().filter(move |(key, _)| key[0] == letter)
    };
    let mut refer: BTreeMap<u64, u32> = BTreeMap::new();
    for (_, octets) in of(Kind::Message) {
        let message: Message = value::decode(octets, "message").unwrap();
        *refer.entry(message.content.0).or_default() += 1;
    }
    for (_, octets) in of(Kind::Queue) {
        let entry: QueueEntry = value::decode(octets, "queue entry").unwrap();
        *refer.entry(entry.content.0).or_default() += 1;
    }
    if of(Kind::QueueName).count() != of(Kind::Queue).count() {
        return Err("a queue entry has two names, or a name none".to_owned());
    }
    for (key, _) in of(Kind::Filter) {
        let id = ContentId(key::u64_of(key).unwrap());
        if !rows.contains_key(&key::content(id)) {
            return Err(format!("a filter of {id:?}, which is gone"));
        }
    }
    journals(rows)?;
    lanes::count(rows)?;
    let mut live: BTreeMap<u64, u64> = BTreeMap::new();
    for (key, octets) in of(Kind::Content) {
        let id = key::u64_of(key).unwrap();
        let row: ContentRow = value::decode(octets, "content").unwrap();
        let named = refer.remove(&id).unwrap_or(0);
        if row.messages != named {
            return Err(format!("content {id} counts {}, not {named}", row.messages));
        }
        for piece in &row.pieces {
            *live.entry(piece.place.segment).or_default() += piece.place.octets();
        }
    }
    if let Some((id, _)) = refer.first_key_value() {
        return Err(format!("content {id} is named and not there"));
    }
    for (key, octets) in of(Kind::Segment) {
        let number = key::u64_of(key).unwrap();
        let row: Segment = value::decode(octets, "segment").unwrap();
        let counted = live.remove(&number).unwrap_or(0);
        if row.live != counted {
            return Err(format!(
                "segment {number} counts {}, not {counted}",
                row.live
            ));
        }
    }
    match live.first_key_value() {
        Some((number, _)) => Err(format!("segment {number} has no row")),
        None => Ok(()),
    }
}

/// A folder's row counts the rows of its journal, and there are none of folders that are gone.
fn journals(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), String> {
    let mut counted: BTreeMap<u32, u32> = BTreeMap::new();
    for key in rows.keys().filter(|key| key[0] == Kind::Journal.letter()) {
        *counted.entry(key::u32_of(key).unwrap()).or_default() += 1;
    }
    for (key, octets) in rows
        .iter()
        .filter(|(key, _)| key[0] == Kind::Folder.letter())
    {
        let id = key::u32_of(key).unwrap();
        let row: Folder = value::decode(octets, "folder").unwrap();
        let there = counted.remove(&id).unwrap_or(0);
        if row.journal.rows != there {
            return Err(format!(
                "folder {id}'s journal: {:?}, not {there} rows",
                row.journal
            ));
        }
    }
    match counted.first_key_value() {
        Some((id, _)) => Err(format!("a journal of folder {id}, which is gone")),
        None => Ok(()),
    }
}

/// Dump and log alone give the same.
fn rebuilt(
    mut state: State,
    view: &model::View,
    expected: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<(), String> {
    state.lose("index.redb");
    let mut world = World::new(state);
    let opened = world
        .open()
        .map_err(|error| format!("no start without the index: {error}"))?;
    if opened.lost > 0
        || !opened.damage.is_empty()
        || (opened.created && *view != model::View::default())
    {
        return Err(format!("a rebuild reports {opened:?}"));
    }
    let found = model::view(&world.store(), false).map_err(|e| format!("rebuilt: {e}"))?;
    if found != *view {
        return Err(format!("a rebuild differs: {}", differences(view, &found)));
    }
    world.clean();
    world.close();
    let found = rows(&world.disk)?;
    let segments = |rows: &BTreeMap<Vec<u8>, Vec<u8>>| -> BTreeMap<Vec<u8>, u64> {
        rows.iter()
            .filter(|(key, _)| key[0] == Kind::Segment.letter())
            .map(|(key, octets)| {
                let row: Segment = value::decode(octets, "segment").unwrap();
                (key.clone(), row.live)
            })
            .filter(|(_, live)| *live > 0)
            .collect()
    };
    if segments(expected) != segments(&found) {
        return Err("a rebuild counts other live octets".to_owned());
    }
    let kept = |key: &[u8]| {
        let derived = [Kind::Filter.letter(), Kind::Segment.letter()];
        !derived.contains(&key[0]) && ![key::COUNTERS, key::DUMP, key::FILTERED].contains(&key)
    };
    for (key, octets) in expected.iter().filter(|(key, _)| kept(key)) {
        if found.get(key) != Some(octets) {
            return Err(format!("a rebuild has another row {key:?}"));
        }
    }
    match found
        .keys()
        .find(|key| kept(key) && !expected.contains_key(*key))
    {
        Some(key) => Err(format!("a rebuild has a row more: {key:?}")),
        None => Ok(()),
    }
}

/// The disk after a cut: what is decided by chance follows from `seed`.
pub fn after_cut(state: &State, outcome: Outcome, seed: u64) -> State {
    let mut dice = Dice::new(seed);
    let mut cut = state.clone();
    let odd = dice.coin();
    cut.cut(outcome, odd, &mut dice);
    cut
}
