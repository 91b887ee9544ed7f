//! Segments and dumps. The first octet says what the rest is:
//!
//! | octet | what |
//! |---|---|
//! | `S` | a segment as it lies on the disk |
//! | `D` | a dump as it lies on the disk |
//! | other | decisions: a segment and a dump are written, some of it with good CRCs and bad sense, and bits flipped |

use std::ops::ControlFlow;
use std::sync::Arc;

use pillarbox::store::disk::Disk;
use pillarbox::store::dump;
use pillarbox::store::log::batch::{Batch, Piece, PieceRecord};
use pillarbox::store::log::chart;
use pillarbox::store::log::record::{self, HEADER, Kind};
use pillarbox::store::log::scan::{self, Found};
use pillarbox::store::log::segment::{Header, Seed, name};
use pillarbox::store::log::{BLOCK, SEGMENT};

use super::memory::Memory;
use super::source::Source;

pub const WORDS: &[&str] = &[
    "PBOXLOG1",
    "B",
    "C",
    "G",
    "M",
    "Z",
    "F",
    "R",
    "\0\0\0\0",
    "\u{1}\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}",
    "BCCPC",
    "MMM",
];

const SECRET: [u8; 16] = *b"sixteen octets!!";
/// Of the one segment and the one dump.
const NUMBER: u64 = 7;
/// A file does not grow beyond this.
const FILE_MAX: usize = 256 * 1024;

pub fn run(data: &[u8]) {
    match data.split_first() {
        None => {}
        Some((b'S', octets)) => drop(read_segment(octets)),
        Some((b'D', octets)) => drop(read_dump(octets)),
        Some((_, decisions)) => {
            written_segment(&mut Source(decisions));
            written_dump(&mut Source(decisions));
        }
    }
}

/// Kind, sequence number, offset and payload.
type Written = (Kind, u64, u32, Vec<u8>);

/// Records that were found, by a scan and by a chart.
fn read_segment(octets: &[u8]) -> Vec<Written> {
    let secret = Header::decode(octets).map_or(SECRET, |header| header.secret);
    let number = Header::decode(octets).map_or(NUMBER, |header| header.number);
    let seed = Seed::of_segment(secret, number);
    let _ = record::parse(octets, seed, 0);
    let mut memory = Memory::default();
    memory.0.insert(name(number), octets.to_vec());
    let disk: Arc<dyn Disk> = Arc::new(memory);
    let file = disk.open(&name(number)).expect("it is there");
    let (mut found, mut at) = (vec![], BLOCK);
    scan::segment(&*file, seed, 0, SEGMENT, true, &mut |what| {
        let (offset, end) = match &what {
            Found::Nothing { offset } => (*offset, offset + BLOCK),
            Found::Batch(batch) => (batch.offset, batch.end),
        };
        assert!(offset == at && end > offset && end <= SEGMENT && end.is_multiple_of(BLOCK));
        at = end;
        if let Found::Batch(batch) = what {
            for record in batch.records {
                assert!(record.is_whole(seed) && record.kind != Kind::Mark);
                assert!(record.offset > offset && record.offset < end);
                let _ = PieceRecord::decode(record.payload);
                let payload = record.payload.to_vec();
                found.push((record.kind, record.sequence, record.offset, payload));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
    .expect("no error of its own");
    let extent = scan::extent(&*file, seed).expect("no error of its own");
    assert!(extent.end >= extent.floor && extent.floor >= BLOCK);
    let chart = chart::read(&*disk, None).expect("the folder is there");
    let mut damage = vec![];
    let all = chart.changes(&disk, 0, true, &mut damage, &mut |logged| {
        assert!(found.iter().any(|(kind, sequence, _, payload)| {
            (*kind, *sequence, payload.as_slice())
                == (Kind::Change, logged.sequence, logged.payload)
        }));
        Ok(())
    });
    all.expect("no error of its own");
    found
}

/// Whether it is complete, and its rows.
fn read_dump(octets: &[u8]) -> (bool, Vec<u8>) {
    let number = Header::decode(octets).map_or(NUMBER, |header| header.number);
    let mut memory = Memory::default();
    memory
        .0
        .insert(format!("dump/{number:010}"), octets.to_vec());
    let mut rows = vec![];
    let read = dump::read(&memory, number, None, &mut |key, value| {
        rows.extend_from_slice(&u16::try_from(key.len()).expect("a short key").to_le_bytes());
        rows.extend_from_slice(&u32::try_from(value.len()).expect("a value").to_le_bytes());
        rows.extend_from_slice(key);
        rows.extend_from_slice(value);
        Ok(())
    });
    let read = read.expect("no error of its own");
    if let Some(read) = read {
        assert!(read.octets <= octets.len() as u64);
    }
    (read.is_some(), rows)
}

fn header(source: &mut Source<'_>) -> Header {
    Header {
        secret: SECRET,
        number: NUMBER,
        predecessor: u64::from(source.octet()),
        predecessor_end: source.number(),
        last: u64::from(source.octet()),
    }
}

/// What the real writer wrote is found; what became of it later is never taken for something else.
fn written_segment(source: &mut Source<'_>) {
    let seed = Seed::of_segment(SECRET, NUMBER);
    let mut octets = header(source).encode();
    let (mut written, mut sense, mut whole) = (vec![], true, true);
    let mut sequence = 0;
    while !source.is_empty() && octets.len() < FILE_MAX {
        let offset = u32::try_from(octets.len()).expect("a small file");
        match source.octet() {
            b'F' => {
                let at = source.number() as usize % octets.len();
                octets[at] ^= 1 << (source.octet() % 8);
                whole = false;
            }
            // A record that is whole, wherever it may be.
            b'G' => {
                sense = false;
                let kind = kind(source);
                let count = usize::from(source.octet());
                let payload = source.octets(count);
                record::append(
                    &mut octets,
                    seed,
                    offset,
                    kind,
                    u64::from(source.octet()),
                    &[payload],
                );
            }
            // A mark that says what it likes.
            b'M' => {
                sense = false;
                let (length, synced) = (source.number(), source.number());
                let mark = [length.to_le_bytes(), synced.to_le_bytes()].concat();
                record::append(&mut octets, seed, offset, Kind::Mark, 1, &[&mark]);
            }
            b'R' => {
                sense = false;
                octets.truncate(octets.len() - octets.len() / 7);
            }
            b'Z' => {
                octets.resize(
                    octets.len().next_multiple_of(BLOCK as usize) + BLOCK as usize,
                    0,
                );
                // Nothing there ends a segment whose end nobody knows.
                whole = false;
            }
            _ if octets.len().is_multiple_of(BLOCK as usize) => {
                let batch = batch(source, seed, offset, &mut sequence, &mut written);
                octets.extend(batch);
            }
            _ => octets.resize(octets.len().next_multiple_of(BLOCK as usize), 0),
        }
    }
    let found = read_segment(&octets);
    if sense {
        let strange = found.iter().find(|record| !written.contains(record));
        assert!(strange.is_none(), "{strange:?}");
    }
    if sense && whole {
        assert_eq!(found, written);
    }
}

fn kind(source: &mut Source<'_>) -> Kind {
    [Kind::Change, Kind::Mark, Kind::Piece, Kind::Rows][usize::from(source.octet() % 4)]
}

fn batch(
    source: &mut Source<'_>,
    seed: Seed,
    offset: u32,
    sequence: &mut u64,
    written: &mut Vec<Written>,
) -> Vec<u8> {
    let mut batch = Batch::new(seed, NUMBER, offset, SEGMENT - offset);
    for _ in 0..source.octet() % 5 {
        let long = source.octet();
        let length = usize::from(source.octet()) * if long.is_multiple_of(3) { 100 } else { 1 };
        let text = source.octets(5).repeat(length / 5);
        let at = offset + u32::try_from(batch.len()).expect("a small batch");
        if long.is_multiple_of(2) {
            let piece = Piece {
                text: u32::try_from(text.len()).expect("a short text"),
                packed: text,
                deflated: long.is_multiple_of(8),
            };
            let (content, number) = (u64::from(long), u32::from(long));
            let place = batch.piece(*sequence, content, number, &piece);
            assert_eq!((place.segment, place.offset), (NUMBER, at));
            let head = [
                &content.to_le_bytes()[..],
                &number.to_le_bytes(),
                &[u8::from(piece.deflated)],
            ];
            let payload = [head.concat(), piece.packed].concat();
            assert_eq!(place.octets(), (HEADER + payload.len()) as u64);
            written.push((Kind::Piece, *sequence, at, payload));
        } else {
            *sequence += 1;
            batch.change(*sequence, &text);
            written.push((Kind::Change, *sequence, at, text));
        }
    }
    batch.finish(offset, *sequence)
}

/// A complete dump shows its rows, each of them whole.
fn written_dump(source: &mut Source<'_>) {
    let seed = Seed::of_dump(SECRET, NUMBER);
    let mut octets = header(source).encode();
    let (mut rows, mut complete, mut number) = (vec![], false, 0_u32);
    while !source.is_empty() && octets.len() < FILE_MAX && !complete {
        let offset = u32::try_from(octets.len()).expect("a small file");
        let choice = source.octet();
        complete = choice % 8 == 7;
        let count = usize::from(source.octet());
        let part = if choice.is_multiple_of(2) {
            source.octets(count).to_vec()
        } else {
            row(source, count)
        };
        let head = [&number.to_le_bytes()[..], &[u8::from(complete)]].concat();
        record::append(
            &mut octets,
            seed,
            offset,
            Kind::Rows,
            NUMBER,
            &[&head, &part],
        );
        rows.extend(part);
        number += 1;
        if choice == b'F' {
            let at = source.number() as usize % octets.len();
            octets[at] ^= 1 << (source.octet() % 8);
            return drop(read_dump(&octets));
        }
    }
    let (read, shown) = read_dump(&octets);
    assert!(rows.starts_with(&shown));
    assert_eq!(read, complete && rows == shown);
}

/// A row as a dump has it.
fn row(source: &mut Source<'_>, count: usize) -> Vec<u8> {
    let key = source.octets(count % 16);
    let value = source.octets(count / 16);
    let lengths = [
        &u16::try_from(key.len()).expect("a short key").to_le_bytes()[..],
        &u32::try_from(value.len())
            .expect("a short value")
            .to_le_bytes(),
    ];
    [&lengths.concat(), key, value].concat()
}
