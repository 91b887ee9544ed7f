//! Octets that nobody wrote: readers of the log, of dumps and of rows never panic.

use std::{ops::ControlFlow, sync::Arc};

use pillarbox::store::{
    Disk,
    change::Dated,
    counters::{Counters, Segment},
    directory::{Access, Alias, AppPassword, Domain, Route, Transport, Usage, User},
    dump,
    log::{
        BLOCK, batch, chart, record,
        scan::{self, Found},
        segment::{self, Header, Seed},
    },
    mailbox::Folder,
    message::{Message, content::ContentRow, journal::Entry},
    queue::{QueueEntry, Totals},
    value,
};

use crate::{
    disk::{Dice, SimDisk, State},
    model::Wish,
    script,
    world::World,
};

fn rows(octets: &[u8]) {
    let _ = Dated::decode(octets);
    let _ = value::decode::<Access>(octets, "");
    let _ = value::decode::<Alias>(octets, "");
    let _ = value::decode::<AppPassword>(octets, "");
    let _ = value::decode::<ContentRow>(octets, "");
    let _ = value::decode::<Counters>(octets, "");
    let _ = value::decode::<Domain>(octets, "");
    let _ = value::decode::<Entry>(octets, "");
    let _ = value::decode::<Folder>(octets, "");
    let _ = value::decode::<Message>(octets, "");
    let _ = value::decode::<QueueEntry>(octets, "");
    let _ = value::decode::<Route>(octets, "");
    let _ = value::decode::<Segment>(octets, "");
    let _ = value::decode::<Totals>(octets, "");
    let _ = value::decode::<Transport>(octets, "");
    let _ = value::decode::<Usage>(octets, "");
    let _ = value::decode::<User>(octets, "");
    let _ = batch::PieceRecord::decode(octets);
    let _ = batch::mark(octets);
    let _ = Header::decode(octets);
}

/// A record, or a whole segment, whose checksums are right and whose text is anything.
fn log(octets: &[u8], dice: &mut Dice) {
    let seed = Seed::of_segment([7; 16], 1);
    let offset = u32::try_from(dice.below(1 << 33) & 0xffff_ffff).unwrap();
    if let Some(found) = record::parse(octets, seed, offset) {
        assert!(found.payload.len() <= octets.len());
    }
    let disk = SimDisk::new(State::default());
    let file = disk.create("log/0000000001").unwrap();
    let kinds = [
        record::Kind::Mark,
        record::Kind::Change,
        record::Kind::Piece,
    ];
    let header = Header {
        secret: [7; 16],
        number: 1,
        predecessor: dice.next(),
        predecessor_end: u32::try_from(dice.below(1 << 32)).unwrap(),
        last: dice.next(),
    };
    file.write(0, &header.encode()).unwrap();
    let mut at = BLOCK;
    for _ in 0..dice.below(6) {
        let mut out = Vec::new();
        let kind = *dice.of(&kinds);
        let from = usize::try_from(dice.below(octets.len() as u64 + 1)).unwrap();
        record::append(&mut out, seed, at, kind, dice.next(), &[&octets[from..]]);
        file.write(u64::from(at), &out).unwrap();
        at += *dice.of(&[BLOCK, u32::try_from(out.len()).unwrap()]);
    }
    let mut blocks = 0;
    scan::segment(&*file, seed, 0, u32::MAX, dice.coin(), &mut |found| {
        blocks += u32::from(matches!(found, Found::Nothing { .. }));
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    scan::extent(&*file, seed).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk);
    let chart = chart::read(&*shared, None).unwrap();
    chart
        .changes(&shared, 0, true, &mut Vec::new(), &mut |_| Ok(()))
        .unwrap();
}

fn dumped(octets: &[u8], dice: &mut Dice) {
    let disk = SimDisk::new(State::default());
    let file = disk.create("dump/0000000009").unwrap();
    let header = Header {
        secret: [7; 16],
        number: 9,
        predecessor: 0,
        predecessor_end: 0,
        last: 9,
    };
    file.write(0, &header.encode()).unwrap();
    let seed = Seed::of_dump([7; 16], 9);
    let mut at = BLOCK;
    let records = u32::try_from(dice.below(4)).unwrap();
    for number in 0..records {
        let mut out = Vec::new();
        let last = u8::from(number + 1 == records);
        let head = number.to_le_bytes();
        let parts = [&head[..], &[last], octets];
        record::append(&mut out, seed, at, record::Kind::Rows, 9, &parts);
        file.write(u64::from(at), &out).unwrap();
        at += u32::try_from(out.len()).unwrap();
    }
    let _ = dump::read(&disk, 9, None, &mut |_, _| Ok(()));
    assert_eq!(segment::number("0000000009"), Some(9));
}

#[test]
fn anything_may_be_there() {
    let mut dice = Dice::new(11);
    for _ in 0..4000 {
        let length = dice.below(*dice.clone().of(&[4, 40, 400, 9000]));
        let mut octets: Vec<u8> = (0..length).map(|_| dice.next().to_le_bytes()[0]).collect();
        if dice.coin() {
            // Small numbers decode further.
            for octet in &mut octets {
                *octet %= 24;
            }
        }
        if let (Some(first), true) = (octets.first_mut(), dice.coin()) {
            *first = 1;
        }
        rows(&octets);
        log(&octets, &mut dice);
        dumped(&octets, &mut dice);
    }
}

/// Rows and changes as they are written, with octets changed.
#[test]
fn rows_that_are_nearly_right() {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::everyday(&mut world).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let alias = ("a@home.test".to_owned(), None, text("anna@home.test"));
    let wishes = [
        Wish::Send(20, 700, vec![1], vec!["u@away.test".to_owned()]),
        Wish::AddApp(1, "phone".to_owned()),
        Wish::Edit(vec![alias]),
    ];
    world.ask(&wishes).unwrap();
    world.close();
    let all = crate::world::rows(&world.disk).unwrap();
    let mut dice = Dice::new(12);
    for octets in all.values() {
        for _ in 0..200 {
            let mut changed = octets.clone();
            for _ in 0..=dice.below(3) {
                let at = usize::try_from(dice.below(changed.len() as u64)).unwrap();
                if let Some(octet) = changed.get_mut(at) {
                    *octet = dice.next().to_le_bytes()[0];
                }
            }
            changed.truncate(usize::try_from(dice.below(2 * changed.len() as u64 + 1)).unwrap());
            rows(&changed);
        }
    }
}
