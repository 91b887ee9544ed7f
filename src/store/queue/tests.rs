use std::{cell::Cell, ops::ControlFlow, sync::Arc};

use super::*;
use crate::{
    base::id::{ContentId, QueueId},
    store::{
        apply::Context,
        change::Accepted,
        disk::{Disk, local::LocalDisk},
        index::{
            Index,
            table::{Flow, Snapshot, Tables},
        },
    },
};

/// Rows of a moment, and how many were looked at.
struct Counted {
    rows: Snapshot,
    looks: Cell<u32>,
}

impl Counted {
    fn new(index: &Index) -> Self {
        Self {
            rows: index.snapshot().unwrap(),
            looks: Cell::default(),
        }
    }

    fn count(&self) {
        self.looks.set(self.looks.get() + 1);
    }
}

impl Rows for Counted {
    fn show(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
        self.count();
        self.rows.show(key, see)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> Flow,
    ) -> Result<(), Broken> {
        self.rows.scan(from, to, &mut |key, row| {
            self.count();
            each(key, row)
        })
    }
}

fn at() -> Context {
    Context::new(1, 1, Time(1))
}

fn queued(id: u64, recipients: &[String]) -> Queued {
    let recipients = recipients.iter().map(|address| QueuedRecipient {
        address: address.clone(),
        ..QueuedRecipient::default()
    });
    Queued {
        id: format!("Q{id}"),
        sender: "a@home.test".to_owned(),
        submitter: None,
        envid: None,
        ret: None,
        body: BodyKind::SevenBit,
        smtputf8: false,
        requiretls: false,
        arrival: Arrival::Person,
        recipients: recipients.collect(),
    }
}

fn arrive(tables: &mut Tables<'_>, id: u64, recipients: &[String]) {
    let accepted = Accepted {
        content: ContentId(id),
        prefix: Vec::new(),
        size: 1000,
        pieces: Vec::new(),
        summary: Vec::new(),
        date: Time(1),
        deliveries: Vec::new(),
        queued: None,
        warns: None,
        settles: Vec::new(),
    };
    add(tables, &accepted, QueueId(id), &queued(id, recipients)).unwrap();
}

fn waits(id: u64, address: &str, due: Uptime) -> Settled {
    let reason = "451 4.3.0 later".to_owned();
    Settled {
        queue: QueueId(id),
        recipients: vec![(address.to_owned(), Fate::Waits { due, reason })],
    }
}

/// A queue of so many deferred entries, in so many lanes.
fn deferred(entries: u64, lanes: u64) -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let (index, _) = Index::open(&disk, 4 << 20).unwrap();
    for from in (1..=entries).step_by(1000) {
        let write = index.write(false, |tables| {
            for id in from..=(from + 999).min(entries) {
                let address = format!("a@d{:06}.test", id % lanes);
                arrive(tables, id, std::slice::from_ref(&address));
                // The first that came is due last.
                let due = 1_000_000 + entries - id;
                settle(tables, &at(), &[waits(id, &address, due)], None, 10)?;
            }
            Ok(())
        });
        write.unwrap();
    }
    (folder, index)
}

/// Picks what is due next as the runner does, and settles it: rows looked at and rows written, at most.
fn pick(index: &Index, now: Uptime) -> (u32, u64) {
    let mut most = (0, 0);
    for _ in 0..20 {
        let rows = Counted::new(index);
        let (due, name) = lane::next(&rows, None).unwrap().unwrap();
        assert!(due <= now);
        let next = lane::next(&rows, Some((due, &name))).unwrap();
        assert!(next.is_none_or(|next| next > (due, name.clone())));
        let row = lane::lane(&rows, &name).unwrap().unwrap();
        assert_eq!(row.next, due);
        let entries = lane::due(&rows, &name, now, 8).unwrap();
        let oldest = lane::oldest(&rows, &name, None, 8).unwrap();
        assert!(oldest.is_sorted() && !entries.is_empty());
        let first = entry(&rows, entries[0]).unwrap().unwrap();
        let to = &first.queued.recipients[0];
        assert_eq!(to.due, due);
        let settled = waits(entries[0].0, &to.address, now);
        let written = index.write(false, |tables| {
            settle(tables, &at(), &[settled], None, now)?;
            Ok(tables.touched)
        });
        most = (most.0.max(rows.looks.get()), most.1.max(written.unwrap()));
    }
    most
}

#[test]
fn lm_12_what_is_due_is_found_without_a_scan() {
    for (entries, lanes) in [(10, 1), (10, 10), (5000, 1), (5000, 500)] {
        let (_folder, index) = deferred(entries, lanes);
        let totals = totals(&index.snapshot().unwrap()).unwrap();
        assert_eq!((totals.entries, totals.octets), (entries, entries * 1000));
        let (looks, written) = pick(&index, 2_000_000);
        assert!(looks < 30, "{entries} in {lanes}: {looks} rows looked at");
        assert!(written < 16, "{entries} in {lanes}: {written} rows written");
    }
}

#[test]
#[ignore = "takes a minute; the same with 100,000"]
fn what_is_due_is_found_among_100_000() {
    for lanes in [1, 10_000] {
        let (_folder, index) = deferred(100_000, lanes);
        let (looks, written) = pick(&index, 2_000_000);
        assert!(looks < 30 && written < 16, "{looks} and {written} rows");
        index.write(false, |tables| wake(tables, &[], 5)).unwrap();
    }
}

/// What an entry shows of its recipients: address, tries, when it is due, transport.
type Shown = (String, u32, Uptime, Option<String>);

fn shown(index: &Index, id: u64) -> Option<Vec<Shown>> {
    let entry = entry(&index.snapshot().unwrap(), QueueId(id)).unwrap()?;
    let all = entry.queued.recipients.into_iter();
    Some(
        all.map(|to| (to.address, to.tries, to.due, to.transport))
            .collect(),
    )
}

fn empty() -> (tempfile::TempDir, Index) {
    deferred(0, 1)
}

fn lanes(index: &Index) -> Vec<(String, u64, Uptime, u32)> {
    let all = lane::lanes(&index.snapshot().unwrap(), None, 100).unwrap();
    let all = all.into_iter();
    all.map(|(name, row)| (name, row.waiting, row.next, row.failures))
        .collect()
}

fn note(lane: &str, not_before: Uptime, failures: u32) -> LaneNote {
    LaneNote {
        lane: lane.to_owned(),
        not_before,
        failures,
        reason: Some("no".to_owned()),
    }
}

#[test]
fn a_lane_waits_for_its_entries_and_for_itself() {
    let (_folder, index) = empty();
    let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let lane = |name: &str, waiting, next, failures| (name.to_owned(), waiting, next, failures);
    let write = |write: &dyn Fn(&mut Tables<'_>)| {
        let done = index.write(false, |tables| {
            write(tables);
            Ok(())
        });
        done.unwrap();
    };
    write(&|tables| {
        set_uptime(tables, 50).unwrap();
        arrive(tables, 1, &texts(&["a@x.test", "b@x.test", "c@y.test"]));
        arrive(tables, 2, &texts(&["a@x.test"]));
    });
    assert_eq!(
        lanes(&index),
        [lane("x.test", 2, 50, 0), lane("y.test", 1, 50, 0)]
    );
    // The way itself failed: the other one waits as well, as what it is due says nothing.
    let failed = note("x.test", 350, 1);
    write(&|tables| {
        let waits = ["a@x.test", "b@x.test"].map(|to| waits(1, to, 350));
        settle(tables, &at(), &waits, Some(&failed), 60).unwrap();
    });
    assert_eq!(lanes(&index)[0], lane("x.test", 2, 350, 1));
    // The network is back.
    write(&|tables| wake(tables, &texts(&["y.test", "gone.test"]), 65).unwrap());
    assert_eq!(lanes(&index)[0], lane("x.test", 2, 350, 1));
    write(&|tables| wake(tables, &texts(&["x.test"]), 70).unwrap());
    assert_eq!(lanes(&index)[0], lane("x.test", 2, 50, 1));
    assert_eq!(
        shown(&index, 1).unwrap()[0],
        ("a@x.test".to_owned(), 1, 70, None)
    );
    // A clock that went back is not believed.
    write(&|tables| settle(tables, &at(), &[], None, 3).unwrap());
    assert_eq!(uptime(&index.snapshot().unwrap()).unwrap(), 70);
    write(&|tables| hold(tables, &[QueueId(1)], true).unwrap());
    assert_eq!(lanes(&index), [lane("x.test", 1, 50, 1)]);
    write(&|tables| {
        // What is under way when it is held is still settled.
        settle(tables, &at(), &[waits(1, "c@y.test", 900)], None, 80).unwrap();
        hold(tables, &[QueueId(1)], false).unwrap();
    });
    assert_eq!(
        lanes(&index),
        [lane("x.test", 2, 50, 1), lane("y.test", 1, 80, 0)]
    );
    write(&|tables| remove(tables, &at(), QueueId(2)).unwrap());
    write(&|tables| settle(tables, &at(), &[], Some(&note("z.test", 9, 9)), 90).unwrap());
    assert_eq!(lanes(&index).len(), 2);
    write(&|tables| remove(tables, &at(), QueueId(1)).unwrap());
    assert_eq!(lanes(&index), []);
    let rows = index.snapshot().unwrap();
    let mut left = Vec::new();
    rows.scan(b"\"", &[0xff], &mut |key, _| {
        left.push(key.to_vec());
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(left, Vec::<Vec<u8>>::new());
}

/// Names that begin alike, or hold anything, are lanes of their own.
#[test]
fn lanes_do_not_mix() {
    let (_folder, index) = empty();
    let names = [
        "",
        "a",
        "a\0",
        "a\0\0\0\0\0\0\0\0\u{1}",
        "ab",
        "b",
        "smtp:[h]:25",
    ];
    index
        .write(false, |tables| {
            for (id, name) in (1..).zip(names) {
                arrive(tables, id, &[format!("x@{name}")]);
            }
            Ok(())
        })
        .unwrap();
    let rows = index.snapshot().unwrap();
    for (id, name) in (1..).zip(names) {
        assert_eq!(lane::due(&rows, name, 0, 9).unwrap(), [QueueId(id)]);
        assert_eq!(lane::oldest(&rows, name, None, 9).unwrap(), [QueueId(id)]);
    }
    assert_eq!(lane::lanes(&rows, None, 9).unwrap().len(), names.len());
    assert_eq!(lane::lanes(&rows, Some("a"), 2).unwrap()[0].0, names[2]);
}
