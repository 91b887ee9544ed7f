//! Random runs of many lives. A seed decides everything.

use std::io::ErrorKind;

use pillarbox::{
    base::ranges::Ranges,
    mail::flag::Flags,
    store::{
        queue::{Fate, Settled},
        request::FlagMode,
    },
};

use crate::{
    check,
    disk::{Dice, Fault, OUTCOMES, State},
    lanes,
    model::{View, Wish},
    script,
    world::World,
};

/// How a run's lives end, and what fails in them.
#[derive(Clone, Copy, Debug)]
struct Mode {
    name: &'static str,
    /// One life in so many is ended by a kill of the process, the others by a cut.
    kill: u64,
    /// Faults of the disk in a life.
    faults: u64,
    lives: u64,
    /// Operations of a life at most.
    span: u64,
}

const MODES: [Mode; 5] = [
    Mode {
        name: "cut",
        kill: 0,
        faults: 0,
        lives: 6,
        span: 250,
    },
    Mode {
        name: "kill",
        kill: 2,
        faults: 0,
        lives: 6,
        span: 250,
    },
    Mode {
        name: "eio",
        kill: 2,
        faults: 4,
        lives: 6,
        span: 250,
    },
    Mode {
        name: "short",
        kill: 3,
        faults: 0,
        lives: 25,
        span: 40,
    },
    Mode {
        name: "shorteio",
        kill: 2,
        faults: 2,
        lives: 25,
        span: 40,
    },
];

struct Run {
    world: World,
    dice: Dice,
    mode: Mode,
    tag: u64,
}

impl Run {
    fn new(seed: u64, mode: Mode) -> Self {
        let mut world = World::new(State::default());
        world.disk.lock().dice = Dice::new(seed ^ 0xd15c);
        world.faulty = mode.faults > 0;
        Self {
            world,
            dice: Dice::new(seed),
            mode,
            tag: 1,
        }
    }

    fn dead(&self) -> bool {
        self.world.disk.lock().dead
    }

    fn arm(&mut self, span: u64) {
        let mut inner = self.world.disk.lock();
        let now = inner.ops;
        inner.dies_at = Some(now + 1 + self.dice.below(span));
        inner.faults.clear();
        for _ in 0..self.mode.faults {
            let kind = *self.dice.of(&[ErrorKind::Other, ErrorKind::StorageFull]);
            let count = *self.dice.of(&[1, 1, 1, 2, 3, 6]);
            let from = now + self.dice.below(span);
            inner.faults.push(Fault { from, count, kind });
        }
    }

    fn disarm(&mut self) {
        let mut inner = self.world.disk.lock();
        inner.dies_at = None;
        inner.faults.clear();
    }

    fn end_life(&mut self) {
        if self.mode.kill > 0 && self.dice.one_in(self.mode.kill) {
            self.world.kill();
            self.world.disk.lock().state.kill();
        } else {
            let outcome = *self.dice.of(&OUTCOMES);
            self.world.cut(outcome);
        }
    }

    /// A start; ends that come while it runs are part of it.
    fn open(&mut self) -> Result<(), String> {
        for attempt in 0..60 {
            if attempt < 50 {
                let span = *self.dice.of(&[3, 6, 12, 40, 300]);
                self.arm(span);
            } else {
                self.disarm();
            }
            if self.dice.one_in(10) {
                self.world.disk.lock().state.lose("index.redb");
            }
            let opened = self.world.open();
            match opened {
                Ok(opened) if !self.dead() => {
                    self.disarm();
                    return self.world.settle(&opened);
                }
                Err(error) if !self.dead() && self.mode.faults == 0 => {
                    return Err(format!("no start: {error}"));
                }
                _ => self.end_life(),
            }
        }
        Err("it does not start".to_owned())
    }

    fn step(&mut self) -> Result<(), String> {
        match self.dice.below(20) {
            0..=9 => {
                let count = *self.dice.of(&[1, 1, 2, 4]);
                let view = self.world.view();
                let wishes: Vec<Wish> = (0..count).map(|_| self.wish(&view)).collect();
                self.world.ask(&wishes)
            }
            10..=12 => self.stream(),
            13 => self.aside(),
            14..=17 => {
                self.world.housekeep(3);
                Ok(())
            }
            18 => {
                self.world.pass(*self.dice.of(&[1000, 61_000, 400_000]));
                self.world.housekeep(1);
                Ok(())
            }
            _ if self.mode.faults == 0 => match self.world.compare() {
                Err(error) if !self.dead() => Err(format!("while it runs: {error}")),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What nobody waits for.
    fn aside(&mut self) -> Result<(), String> {
        if self.dice.coin() {
            let from = self.dice.below(40);
            return self.world.filter(from, 5);
        }
        // A failure may take a part of them: the oracle does not know which.
        if self.mode.faults == 0 {
            let view = self.world.view();
            let folders: Vec<u32> = view.folders.keys().copied().collect();
            let folder = *self.dice.of(&folders);
            let low = 1 + u32::try_from(self.dice.below(12)).unwrap();
            self.world.see(folder, Ranges::span(low, low + 3));
            if self.dice.coin() {
                let later = view.uptime + self.dice.below(60);
                self.world.aside(Wish::Uptime(later));
            }
        }
        Ok(())
    }

    fn stream(&mut self) -> Result<(), String> {
        let running: Vec<u64> = self.world.streams.keys().copied().collect();
        if running.len() < 2 && self.dice.coin() {
            self.tag += 1;
            let size = 70_000 + self.dice.below(160_000);
            self.world
                .begin_stream(self.tag, usize::try_from(size).unwrap());
            return Ok(());
        }
        if running.is_empty() {
            return Ok(());
        }
        let tag = *self.dice.of(&running);
        if self.dice.one_in(12) {
            self.world.streams.remove(&tag);
            return Ok(());
        }
        let users = present(&self.world.view());
        let to = vec![*self.dice.of(&users)];
        self.world.push_stream(tag, 50_000, &to)
    }

    fn wish(&mut self, view: &View) -> Wish {
        let dice = &mut self.dice;
        let users = present(view);
        let folders: Vec<u32> = view.folders.keys().copied().collect();
        let (user, folder, other) = (*dice.of(&users), *dice.of(&folders), *dice.of(&folders));
        let low = 1 + u32::try_from(dice.below(12)).unwrap();
        let high = low + *dice.of(&[0, 0, 1, 5, 50]);
        let uids = Ranges::span(low, high);
        let busiest = view.folders.iter().max_by_key(|(_, f)| f.messages.len());
        let busiest = busiest.map_or(folder, |(id, _)| *id);
        let from = if dice.coin() { busiest } else { folder };
        let crowded = view.folders[&busiest].messages.len() > 30;
        let flags = Flags(u8::try_from(dice.below(32)).unwrap());
        match dice.below(if crowded { 11 } else { 20 }) {
            0 if dice.coin() => {
                let since = view.folders[&from].modseq.saturating_sub(dice.below(4));
                Wish::FlagSince(from, uids, flags, since)
            }
            0 | 1 => {
                let mode = *dice.of(&[FlagMode::Add, FlagMode::Remove, FlagMode::Replace]);
                let word = dice.one_in(3).then(|| format!("$K{}", dice.below(4)));
                Wish::Flag(from, uids, mode, flags, word.into_iter().collect())
            }
            2 | 3 => Wish::Flag(
                busiest,
                Ranges::span(1, high),
                FlagMode::Add,
                Flags::DELETED,
                vec![],
            ),
            4 | 5 => Wish::Expunge(from, None),
            6 => Wish::Expunge(busiest, None),
            7 if dice.one_in(3) => Wish::Remove(from, uids),
            7 => Wish::Move(from, other, uids),
            8 if dice.one_in(4) => Wish::Delete(folder),
            8 => Wish::Rename(folder, format!("N{}", dice.below(30))),
            9 if dice.coin() => administer(dice, view, user),
            9 => Wish::Set(
                format!("key{}", dice.below(3)),
                dice.coin().then(|| "x".to_owned()),
            ),
            10 if dice.one_in(6) && users.len() > 2 => Wish::Leave(user),
            10 if dice.one_in(6) && view.users.len() > 2 => {
                let left = view.people.iter().find(|(_, person)| person.removed);
                Wish::Purge(left.map_or(user, |(id, _)| *id))
            }
            10 if dice.one_in(4) => Wish::AddUser(format!("u{}@home.test", dice.below(90))),
            10 => Wish::Subscribe(user, format!("N{}", dice.below(9)), dice.coin()),
            11 => Wish::Create(user, format!("N{}", dice.below(30))),
            14 | 15 if !view.queue.is_empty() => {
                self.tag += 1;
                outcome(dice, view, self.tag, user)
            }
            12 if !crowded => Wish::Copy(from, other, uids),
            13 => {
                self.tag += 2;
                Wish::Append(folder, vec![(self.tag - 1, 500), (self.tag, 30_000)])
            }
            _ => {
                self.tag += 1;
                let most = *dice.of(&[2000, 64_000]);
                let size = 100 + dice.below(most);
                let to = if dice.coin() { vec![user] } else { users };
                let size = usize::try_from(size).unwrap();
                if dice.one_in(3) {
                    let others = (0..=dice.below(2)).map(|n| format!("u{n}@away.test"));
                    return Wish::Send(self.tag, size, to, others.collect());
                }
                Wish::Deliver(self.tag, size, to)
            }
        }
    }

    fn go(&mut self) -> Result<(), String> {
        self.world.open().map_err(|error| error.to_string())?;
        script::settle_in(&mut self.world)?;
        for life in 0..self.mode.lives {
            let span = self.mode.span;
            let span = *self.dice.of(&[span / 8 + 1, span / 2, span]);
            self.arm(span);
            for _ in 0..200 {
                let done = self.step();
                if self.dead() {
                    break;
                }
                done.map_err(|error| format!("life {life}: {error}"))?;
            }
            self.end_life();
            self.open()
                .map_err(|error| format!("start after life {life}: {error}"))?;
        }
        self.in_the_end()
    }

    fn in_the_end(&mut self) -> Result<(), String> {
        self.world.faulty = false;
        for _ in 0..4 {
            self.world.pass(61_000);
            self.world.housekeep(300);
        }
        self.world.ask(&[Wish::Set("end".to_owned(), None)])?;
        self.world.compare()?;
        let oracle = self.world.oracle().clone();
        let cut = check::after_cut(&self.world.disk.state(), OUTCOMES[1], self.tag);
        check::start(cut, &oracle).map_err(|error| format!("in the end: {error}"))
    }
}

/// Who has not left.
fn present(view: &View) -> Vec<u32> {
    let people = view.people.iter();
    people
        .filter(|(_, person)| !person.removed)
        .map(|(id, _)| *id)
        .collect()
}

/// The queue, aliases and secrets.
fn administer(dice: &mut Dice, view: &View, user: u32) -> Wish {
    let waiting: Vec<u64> = view.queue.keys().copied().collect();
    let apps: Vec<u32> = view.people[&user].apps.keys().copied().collect();
    match dice.below(8) {
        0 => Wish::AddApp(user, format!("device {}", dice.below(9))),
        1 if !apps.is_empty() => Wish::RemoveApp(user, *dice.of(&apps)),
        2 => Wish::Password(user, format!("$argon2id${}", dice.below(99))),
        3..=5 if !waiting.is_empty() => Wish::RemoveQueued(*dice.of(&waiting)),
        _ => {
            let names: Vec<u64> = (0..4).filter(|_| dice.coin()).collect();
            let rows = names.into_iter().map(|n| {
                let name = format!("a{n}@home.test");
                let was = view.aliases.get(&name).cloned();
                let was = if dice.one_in(9) { None } else { was };
                let now = dice.coin().then(|| format!("u{}@home.test", dice.below(9)));
                (name, was, now)
            });
            Wish::Edit(rows.collect())
        }
    }
}

/// What becomes of mail that waits.
fn outcome(dice: &mut Dice, view: &View, tag: u64, user: u32) -> Wish {
    let waiting: Vec<u64> = view.queue.keys().copied().collect();
    let now = view.uptime + dice.below(50);
    let (one, other) = (*dice.of(&waiting), *dice.of(&waiting));
    let some = if dice.coin() {
        vec![one, other]
    } else {
        vec![one]
    };
    let settled: Vec<Settled> = some
        .iter()
        .map(|id| {
            let all = view.queue[id].recipients.iter();
            let mut fates: Vec<(&str, Fate)> = Vec::new();
            for to in all {
                let transport = dice.coin().then(|| "relay:out".to_owned());
                fates.push(match dice.below(6) {
                    0 | 1 => (&to.address, Fate::Gone),
                    2 => (&to.address, Fate::Moved { transport }),
                    3 => (&to.address, Fate::Warned),
                    4 => (&to.address, lanes::waits(now + dice.below(300))),
                    _ => ("nobody@away.test", Fate::Gone),
                });
            }
            lanes::settled(*id, &fates)
        })
        .collect();
    let lane = *dice.of(&["away.test", "relay:out", "other.test"]);
    let failures = u32::try_from(dice.below(4)).unwrap();
    let later = now + dice.below(300);
    match dice.below(10) {
        0 => Wish::Hold(some, dice.coin()),
        1 => Wish::Retry(some),
        2 => {
            let some = dice.coin().then(|| lane.to_owned());
            Wish::Wake(now, some.into_iter().collect())
        }
        3 | 4 => {
            let others = dice.coin().then(|| "u3@away.test".to_owned());
            Wish::Report(tag, 500, vec![user], others.into_iter().collect(), settled)
        }
        5 => Wish::Settle(vec![], Some(lanes::note(lane, later, failures)), now),
        6 | 7 => Wish::Settle(settled, Some(lanes::note(lane, later, failures)), now),
        _ => Wish::Settle(settled, None, now),
    }
}

/// Plays seeds in all modes; `CRASH_SEED` and `CRASH_MODE` choose one.
fn runs(seeds: std::ops::Range<u64>) {
    let only = std::env::var("CRASH_SEED").ok();
    let only: Option<u64> = only.and_then(|text| text.parse().ok());
    let only_mode = std::env::var("CRASH_MODE").ok();
    let mut failures = Vec::new();
    for mode in MODES {
        if only_mode.as_ref().is_some_and(|only| only != mode.name) {
            continue;
        }
        for seed in only.map_or(seeds.clone(), |only| only..only + 1) {
            if let Err(error) = Run::new(seed, mode).go() {
                let at = format!("CRASH_SEED={seed} CRASH_MODE={}", mode.name);
                failures.push(format!("{at}: {error}"));
            }
        }
    }
    let shown = &failures[..failures.len().min(8)];
    assert!(
        failures.is_empty(),
        "{} fail:\n{}",
        failures.len(),
        shown.join("\n")
    );
}

#[test]
fn random_lives() {
    let count = std::env::var("CRASH_SEEDS").ok();
    runs(0..count.and_then(|text| text.parse().ok()).unwrap_or(40));
}
