//! Content on its way in and out of the log.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_channel::Receiver;

use crate::{
    base::id::ContentId,
    store::{
        Broken, Refusal, Store,
        change::PieceAt,
        log::batch::PieceRecord,
        log::{
            pin::{Pin, Segments},
            record::{self, HEADER, Kind},
            segment::Seed,
        },
        message::content::ContentRow,
    },
};

/// Longest text of a piece in octets; a message up to this size stays in memory until its change.
pub const PIECE_MAX: usize = 64 * 1024;

/// Content that is partly in the log and belongs to nobody yet.
#[derive(Debug, Default)]
pub struct Stream(Mutex<Streamed>);

#[derive(Debug, Default)]
pub(super) struct Streamed {
    pub content: Option<ContentId>,
    pub pieces: Vec<PieceAt>,
    pub pins: Vec<Pin>,
    /// A write or sync failed: what was sent may be torn.
    pub failed: bool,
}

impl Stream {
    pub(super) fn lock(&self) -> MutexGuard<'_, Streamed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts octets of content that belong to nobody yet.
#[derive(Debug)]
struct Unfinished {
    total: Arc<AtomicU64>,
    octets: u64,
}

impl Unfinished {
    fn add(&mut self, octets: usize, cap: u64) -> Result<(), Refusal> {
        let octets = octets as u64;
        let before = self.total.fetch_add(octets, Ordering::Relaxed);
        self.octets = self.octets.saturating_add(octets);
        if before.saturating_add(octets) > cap {
            return Err(Refusal::Full);
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.total.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// The content of a message that is whole, ready to be delivered or appended once. Dropped without
/// that, it is dead and its room comes back.
#[derive(Debug)]
pub struct Body {
    size: u64,
    pub(super) held: Held,
    _unfinished: Option<Unfinished>,
}

#[derive(Debug)]
pub(super) enum Held {
    Memory(Vec<u8>),
    /// What is in the log already, and the text after it.
    Stream(Arc<Stream>, Vec<u8>),
}

impl Body {
    /// A small content that is whole already.
    #[must_use]
    pub fn small(octets: Vec<u8>) -> Self {
        Self {
            size: octets.len() as u64,
            held: Held::Memory(octets),
            _unfinished: None,
        }
    }

    /// In octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The number that its pieces carry in the log, if there are some already.
    pub(super) fn content(&self) -> Option<ContentId> {
        match &self.held {
            Held::Memory(_) => None,
            Held::Stream(stream, _) => stream.lock().content,
        }
    }
}

/// Content that arrives piece by piece. Up to 64 KiB stay in memory; what is more goes to the log
/// while it arrives. The content must have CRLF line ends only.
#[derive(Debug)]
pub struct Incoming {
    store: Store,
    buffer: Vec<u8>,
    size: u64,
    stream: Option<Arc<Stream>>,
    /// The answer to the last piece: the next one is gathered meanwhile.
    pushed: Option<Receiver<Result<(), Refusal>>>,
    unfinished: Unfinished,
    cap: u64,
}

impl Incoming {
    pub(super) fn new(store: Store, total: Arc<AtomicU64>, cap: u64) -> Self {
        Self {
            store,
            buffer: Vec::new(),
            size: 0,
            stream: None,
            pushed: None,
            unfinished: Unfinished { total, octets: 0 },
            cap,
        }
    }

    /// Takes the next octets; waits while the log is behind.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`], or [`Refusal::Broken`] if a write or sync failed since the content began:
    /// the message is lost, the peer may send it again.
    pub async fn write(&mut self, mut octets: &[u8]) -> Result<(), Refusal> {
        while !octets.is_empty() {
            let room = PIECE_MAX.saturating_sub(self.buffer.len());
            if room == 0 {
                self.push().await?;
                continue;
            }
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.buffer.extend_from_slice(now);
            self.size = self.size.saturating_add(now.len() as u64);
            octets = later;
        }
        Ok(())
    }

    /// In octets, so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    async fn push(&mut self) -> Result<(), Refusal> {
        self.settle().await?;
        let text = mem::take(&mut self.buffer);
        self.unfinished.add(text.len(), self.cap)?;
        let stream = Arc::clone(self.stream.get_or_insert_default());
        self.pushed = Some(self.store.push(stream, text)?);
        Ok(())
    }

    /// Waits for the last piece.
    async fn settle(&mut self) -> Result<(), Refusal> {
        match self.pushed.take() {
            Some(pushed) => {
                let stopped = Err(Refusal::Broken(Broken::Stopped));
                pushed.recv().await.unwrap_or(stopped)
            }
            None => Ok(()),
        }
    }

    /// The content is whole. What is not in the log yet goes there with the change.
    ///
    /// # Errors
    ///
    /// As [`Incoming::write`].
    pub async fn finish(mut self) -> Result<Body, Refusal> {
        self.settle().await?;
        let text = mem::take(&mut self.buffer);
        let held = match self.stream.take() {
            Some(stream) => Held::Stream(stream, text),
            None => Held::Memory(text),
        };
        Ok(Body {
            size: self.size,
            held,
            _unfinished: Some(self.unfinished),
        })
    }
}

/// Stored content to be read; its segments stay where they are while this lives. Reading blocks on
/// the disk: call it on the blocking pool. `Send`.
#[derive(Debug)]
pub struct Content {
    row: ContentRow,
    segments: Arc<Segments>,
    secret: [u8; 16],
    _pins: Vec<Pin>,
    /// The piece in hand: its number and text.
    held: Option<(usize, Vec<u8>)>,
}

impl Content {
    pub(super) fn new(
        row: ContentRow,
        segments: Arc<Segments>,
        secret: [u8; 16],
        pins: Vec<Pin>,
    ) -> Self {
        Self {
            row,
            segments,
            secret,
            _pins: pins,
            held: None,
        }
    }

    /// Header lines in front of the content (in [`Content::size`] and in offsets).
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.row.prefix
    }

    /// Of prefix and content together, in octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.row.size.saturating_add(self.row.prefix.len() as u64)
    }

    /// The octets from `from` on: at least one and at most 64 KiB of them; none at the end.
    ///
    /// # Errors
    ///
    /// The disk fails or what it gives is damaged.
    pub fn read(&mut self, from: u64) -> Result<&[u8], Broken> {
        let prefix = self.row.prefix.len() as u64;
        if from < prefix {
            let at = usize::try_from(from).unwrap_or(usize::MAX);
            return Ok(self.row.prefix.get(at..).unwrap_or_default());
        }
        let mut at = from.saturating_sub(prefix);
        let mut number = 0;
        for piece in &self.row.pieces {
            let text = u64::from(piece.place.text);
            if at < text {
                break;
            }
            at = at.saturating_sub(text);
            number += 1;
        }
        let Some(&piece) = self.row.pieces.get(number) else {
            return Ok(&[]);
        };
        if self.held.as_ref().is_none_or(|(held, _)| *held != number) {
            self.held = None;
            let text = read_piece(&self.segments, self.secret, piece)?;
            self.held = Some((number, text));
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let text = self.held.as_ref().and_then(|(_, text)| text.get(at..));
        Ok(text.unwrap_or_default())
    }
}

/// The text of a piece.
///
/// # Errors
///
/// The disk fails or what it gives is damaged.
pub fn read_piece(
    segments: &Segments,
    secret: [u8; 16],
    piece: PieceAt,
) -> Result<Vec<u8>, Broken> {
    const DAMAGED: Broken = Broken::Corrupt("content");
    let place = piece.place;
    let file = segments.file(place.segment)?;
    let length = usize::try_from(place.octets()).map_err(|_| DAMAGED)?;
    if length > PIECE_MAX + 4096 + HEADER {
        return Err(DAMAGED);
    }
    let mut octets = vec![0; length];
    if file.read(u64::from(place.offset), &mut octets)? < length {
        return Err(DAMAGED);
    }
    let seed = Seed::of_segment(secret, place.segment);
    let record = record::parse(&octets, seed, place.offset)
        .filter(|r| r.kind == Kind::Piece && r.is_whole(seed))
        .ok_or(DAMAGED)?;
    let stored = PieceRecord::decode(record.payload).ok_or(DAMAGED)?;
    let text = usize::try_from(place.text).map_err(|_| DAMAGED)?;
    let out = if stored.deflated {
        inflate(stored.packed, text)?
    } else {
        stored.packed.to_vec()
    };
    (out.len() == text).then_some(out).ok_or(DAMAGED)
}

fn inflate(packed: &[u8], text: usize) -> Result<Vec<u8>, Broken> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(packed, text.min(PIECE_MAX))
        .map_err(|_| Broken::Corrupt("deflated content"))
}
