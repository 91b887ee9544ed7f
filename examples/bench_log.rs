//! Appends the same records as deliveries do, without SMTP and without the index: the limit that
//! `scripts/bench` compares with. `bench_log DIR SESSIONS MESSAGES SIZE` prints messages per second.
//!
//! `SESSIONS` messages share a batch and its sync, as they would if that many clients waited.

use std::{env, error::Error, path::Path, sync::Arc};

use pillarbox::{
    base::{
        id::{ContentId, FolderId, ModSeq, Uid},
        time::Time,
    },
    mail::flag::Flags,
    net::world::{RealWorld, World},
    store::{
        change::{Accepted, Change, Dated, Delivery, PieceAt},
        disk::{Disk, local::LocalDisk},
        log::{
            SEGMENT,
            append::{End, Log},
            pin::Segments,
            segment,
        },
        pack::Packer,
    },
};

const WORDS: [&str; 16] = [
    "house",
    "letter",
    "garden",
    "minute",
    "window",
    "people",
    "answer",
    "morning",
    "number",
    "between",
    "paper",
    "always",
    "station",
    "weather",
    "question",
    "yesterday",
];

/// Text like a letter's: about half of it goes when it is deflated.
fn text(seed: u64, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while out.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = WORDS[(state % 16) as usize];
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(format!("{:02}", (state >> 32) % 40).as_bytes());
        out.extend_from_slice(if out.len() % 70 < 8 { b"\r\n" } else { b" " });
    }
    out.truncate(size);
    out
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("bench_log DIR SESSIONS MESSAGES SIZE")
    };
    let (folder, sessions, messages, size) = (next()?, next()?, next()?, next()?);
    let (sessions, messages): (u64, u64) = (sessions.parse()?, messages.parse()?);
    let size: usize = size.parse()?;
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(Path::new(&folder))?);
    disk.make_folder(segment::FOLDER)?;
    let segments = Arc::new(Segments::new(Arc::clone(&disk)));
    let mut log = Log::new(
        disk,
        segments,
        [7; 16],
        SEGMENT,
        End::default(),
        1,
        Vec::new(),
    );
    let mut packer = Packer::default();
    let world = RealWorld::new();
    let begun = world.now();
    let (mut sequence, mut done) = (0, 0);
    while done < messages {
        let count = sessions.min(messages - done);
        let mut batch = log.begin(128 * 1024 + u32::try_from(count * size as u64)?)?;
        for nth in 0..count {
            let content = ContentId(done + nth + 1);
            let piece = packer.pack(text(content.0, size));
            let place = batch.piece(sequence, content.0, 0, &piece);
            sequence += 1;
            batch.change(sequence, &accepted(content, size, place).encode());
        }
        log.write(batch, sequence)?;
        log.sync()?;
        log.acknowledge(sequence);
        done += count;
    }
    let seconds = world.now().since(begun).as_secs_f64();
    let rate = f64::from(u32::try_from(done)?) / seconds;
    let line = format!("{rate:.0}\n");
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes())?;
    Ok(())
}

fn accepted(content: ContentId, size: usize, place: pillarbox::store::log::Place) -> Dated {
    Dated {
        time: Time(1_795_272_815),
        change: Change::Accept(vec![Accepted {
            content,
            prefix: b"Return-Path: <somebody@away.test>\r\n".to_vec(),
            size: size as u64,
            pieces: vec![PieceAt {
                place,
                deflated: true,
            }],
            summary: vec![7; 400],
            date: Time(1_795_272_815),
            queued: None,
            warns: None,
            settles: Vec::new(),
            deliveries: vec![Delivery {
                folder: FolderId(1),
                uid: Uid(1),
                modseq: ModSeq(2),
                flags: Flags::NONE,
                keywords: Vec::new(),
                names: Vec::new(),
            }],
        }]),
    }
}
