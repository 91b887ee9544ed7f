//! A crowd that waits: 100,000 deferred messages in one lane and in 10,000, on a real disk. Says what
//! memory it takes, and how long it takes to find what is due next.

use std::{fs, path::Path, sync::Arc, time::Instant};

use pillarbox::{
    base::id::QueueId,
    store::{
        Options, Request, Stepped, Store,
        disk::local::LocalDisk,
        log,
        queue::{Fate, Settled},
    },
};

use crate::{
    disk::State,
    lanes,
    model::Wish,
    world::{World, options},
};

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

fn open(world: &World, folder: &Path) -> Stepped {
    let options = Options {
        segment: log::SEGMENT,
        ..options(&world.clock)
    };
    let disk = Arc::new(LocalDisk::new(folder).unwrap());
    Store::open_stepped(disk, options, false).unwrap()
}

/// Asks for all at once, in slices of a batch or so.
fn ask(world: &mut World, requests: impl Iterator<Item = Request>) {
    let mut requests = requests.peekable();
    while requests.peek().is_some() {
        let store = world.store();
        let all: Vec<_> = requests
            .by_ref()
            .take(200)
            .map(|request| Box::pin(store.request(request)))
            .collect();
        for answer in world.drive(futures_of(all)) {
            answer.unwrap();
        }
    }
}

/// Ready when all are; each is asked for before one is waited for.
async fn futures_of<T>(mut all: Vec<std::pin::Pin<Box<impl Future<Output = T>>>>) -> Vec<T> {
    let mut out: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, out) in all.iter_mut().zip(&mut out) {
            if out.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *out = Some(done);
            }
        }
        if out.iter().all(Option::is_some) {
            return std::task::Poll::Ready(out.iter_mut().filter_map(Option::take).collect());
        }
        std::task::Poll::Pending
    })
    .await
}

/// Finds and settles what is due next; the shortest time to find it, in microseconds (the machine may be
/// busy).
#[expect(
    clippy::disallowed_methods,
    reason = "how long it takes is what is measured"
)]
fn pick(world: &mut World, now: u64, count: u32) -> u128 {
    let mut best = u128::MAX;
    for _ in 0..count {
        let store = world.store();
        let begun = Instant::now();
        let (lane, id) = store
            .read(|reader| {
                let (due, lane) = reader.next_lane()?.unwrap();
                assert!(due <= now);
                let entries = reader.lane_entries(&lane, now, 8)?;
                reader.lane_oldest(&lane, None, 64)?;
                reader.lane(&lane)?;
                Ok((lane, entries[0]))
            })
            .unwrap();
        best = best.min(begun.elapsed().as_micros());
        let settled = lanes::settled(id.0, &[(&format!("a@{lane}"), lanes::waits(now))]);
        let request = Request::Settle {
            settled: vec![settled],
            lane: None,
            uptime: now,
        };
        world.drive(store.request(request)).unwrap();
    }
    best
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it takes is what is measured"
)]
fn crowd(entries: u64, lanes: u64, alone: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(State::default());
    world.stepped = Some(open(&world, folder.path()));
    let lane = |id: u64| format!("d{:05}.test", id % lanes);
    let few = 100.min(entries);
    let mut times = Vec::new();
    let mut before = 0;
    for (from, to) in [(1, few), (few + 1, entries)] {
        let send = |tag: u64| {
            let others = vec![format!("a@{}", lane(tag))];
            Wish::Send(tag, 1000, vec![], others).request(None)
        };
        let defer = |id: u64| {
            let fate = Fate::Waits {
                due: 1_000_000 - id,
                reason: "451 4.3.0 later".to_owned(),
            };
            Request::Settle {
                settled: vec![Settled {
                    queue: QueueId(id),
                    recipients: vec![(format!("a@{}", lane(id)), fate)],
                }],
                lane: Some(lanes::note(&lane(id), 1_000_000, 1)),
                uptime: 10,
            }
        };
        for first in (from..=to).step_by(2000) {
            let last = (first + 1999).min(to);
            ask(&mut world, (first..=last).map(send));
            ask(&mut world, (first..=last).map(defer));
            world.housekeep(50);
        }
        times.push(pick(&mut world, 2_000_000, 50));
        if before == 0 {
            before = resident();
        }
    }
    let grown = resident().saturating_sub(before);
    let totals = world.store().read(pillarbox::store::Reader::queue_totals);
    assert_eq!(totals.unwrap().entries, entries);
    // Nothing stays for an entry: it is a matter of the cache.
    println!("{entries} in {lanes}: {grown} KiB more, {times:?} us a pick");
    // Beside other tests the process grows by what they take.
    assert!(!alone || grown < 16 * 1024, "{grown} KiB more");
    assert!(times[1] < times[0] * 10 + 1000, "{times:?} us");
    let begun = Instant::now();
    let store = world.store();
    let wake = Request::WakeLanes {
        lanes: vec![],
        uptime: 20,
    };
    world.drive(store.request(wake)).unwrap();
    println!("{lanes} lanes are woken in {:?}", begun.elapsed());
    world.close();
}

#[test]
fn a_small_crowd() {
    crowd(1000, 1, false);
    crowd(1000, 100, false);
}

#[test]
#[ignore = "takes minutes; the same with 100,000"]
fn a_crowd_of_100_000() {
    crowd(100_000, 1, true);
    crowd(100_000, 10_000, true);
}
