//! Content on its way in and out of the log.

use std::{
    mem,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_channel::Receiver;
use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags},
};

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

    /// Octets in memory.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// As [`Incoming::finish`], and nothing of it stays in memory.
    ///
    /// # Errors
    ///
    /// As [`Incoming::write`].
    pub async fn finish_in_log(mut self) -> Result<Body, Refusal> {
        if !self.buffer.is_empty() {
            self.push().await?;
        }
        self.finish().await
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
    pins: Vec<Arc<Pin>>,
    /// The piece in hand: its number and text.
    held: Option<(usize, Vec<u8>)>,
}

/// Segments that somebody who reads many contents keeps where they are.
#[derive(Debug, Default)]
pub struct Pins(Vec<Arc<Pin>>);

/// So many segments are kept for somebody who reads many contents.
const PINS_MAX: usize = 4;

impl Pins {
    /// Those of a content, if all of its segments are kept.
    fn of(&self, row: &ContentRow) -> Option<Vec<Arc<Pin>>> {
        let mut found: Vec<Arc<Pin>> = Vec::new();
        for piece in &row.pieces {
            let number = piece.place.segment;
            if found.last().is_none_or(|pin| pin.number() != number) {
                let pin = self.0.iter().find(|pin| pin.number() == number)?;
                found.push(Arc::clone(pin));
            }
        }
        Some(found)
    }

    fn keep(&mut self, pins: &[Arc<Pin>]) {
        for pin in pins {
            if self.0.iter().all(|kept| kept.number() != pin.number()) {
                self.0.push(Arc::clone(pin));
            }
        }
        let more = self.0.len().saturating_sub(PINS_MAX);
        self.0.drain(..more);
    }
}

impl Store {
    /// Contents whose rows were read in one transaction. `pins` holds segments since before it began:
    /// what lies in those is there for sure, the others are looked up again. Afterwards it holds
    /// theirs. `None` where a content is not there.
    pub fn contents(
        &self,
        rows: Vec<(ContentId, Option<ContentRow>)>,
        pins: &mut Pins,
    ) -> Vec<Result<Option<Content>, Broken>> {
        let mut fresh = Vec::new();
        let mut open = |(id, row): (ContentId, Option<ContentRow>)| {
            let Some(row) = row else { return Ok(None) };
            if let Some(pins) = pins.of(&row) {
                return Ok(Some(self.pinned(row, pins)));
            }
            let content = self.content(id)?;
            fresh.extend(content.iter().flat_map(|content| content.pins.clone()));
            Ok(content)
        };
        let all = rows.into_iter().map(&mut open).collect();
        pins.keep(&fresh);
        all
    }
}

impl Content {
    pub(super) fn new(
        row: ContentRow,
        segments: Arc<Segments>,
        secret: [u8; 16],
        pins: Vec<Arc<Pin>>,
    ) -> Self {
        Self {
            row,
            segments,
            secret,
            pins,
            held: None,
        }
    }

    /// The same content, to be read independently.
    #[must_use]
    pub fn another(&self) -> Self {
        let segments = Arc::clone(&self.segments);
        Self::new(self.row.clone(), segments, self.secret, self.pins.clone())
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
        let Some((number, piece, at)) = self.place(from.saturating_sub(prefix)) else {
            return Ok(&[]);
        };
        if self.held.as_ref().is_none_or(|(held, _)| *held != number) {
            self.held = None;
            let mut text = Vec::new();
            Unpacker::default().piece(&self.segments, self.secret, piece, &mut text)?;
            self.held = Some((number, text));
        }
        let text = self.held.as_ref().and_then(|(_, text)| text.get(at..));
        Ok(text.unwrap_or_default())
    }

    /// Which piece octet `at` of the content lies in, and where in it.
    fn place(&self, mut at: u64) -> Option<(usize, PieceAt, usize)> {
        for (number, piece) in self.row.pieces.iter().enumerate() {
            let text = u64::from(piece.place.text);
            if at < text {
                return Some((number, *piece, usize::try_from(at).ok()?));
            }
            at = at.saturating_sub(text);
        }
        None
    }

    /// Appends the octets of a range, fewer where the content ends before. On an error `out` has what
    /// stands before the damage.
    ///
    /// # Errors
    ///
    /// As [`Content::read`].
    pub fn append(
        &mut self,
        range: Range<u64>,
        unpacker: &mut Unpacker,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let mut at = range.start;
        while at < range.end {
            let left = usize::try_from(range.end.saturating_sub(at)).unwrap_or(usize::MAX);
            let prefix = self.row.prefix.len() as u64;
            let before = out.len();
            match self.place(at.saturating_sub(prefix)) {
                // A whole piece goes where it is wanted, without a copy.
                Some((number, piece, 0))
                    if at >= prefix
                        && left >= usize::try_from(piece.place.text).unwrap_or(usize::MAX)
                        && self.held.as_ref().is_none_or(|(held, _)| *held != number) =>
                {
                    unpacker.piece(&self.segments, self.secret, piece, out)?;
                }
                _ => {
                    let octets = self.read(at)?;
                    out.extend_from_slice(octets.get(..left.min(octets.len())).unwrap_or_default());
                }
            }
            let more = out.len().saturating_sub(before);
            if more == 0 {
                break;
            }
            at = at.saturating_add(more as u64);
        }
        Ok(())
    }
}

/// What reading pieces takes, to be used again for the next one.
#[derive(Default)]
pub struct Unpacker {
    packed: Vec<u8>,
    inflate: Box<DecompressorOxide>,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

const DAMAGED: Broken = Broken::Corrupt("content");

impl Unpacker {
    /// Appends the text of a piece; all of it or nothing.
    fn piece(
        &mut self,
        segments: &Segments,
        secret: [u8; 16],
        piece: PieceAt,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let place = piece.place;
        let file = segments.file(place.segment)?;
        let length = usize::try_from(place.octets()).map_err(|_| DAMAGED)?;
        let text = usize::try_from(place.text).map_err(|_| DAMAGED)?;
        if length > PIECE_MAX + 4096 + HEADER || text > PIECE_MAX {
            return Err(DAMAGED);
        }
        if self.packed.len() < length {
            self.packed.resize(length, 0);
        }
        let packed = self.packed.get_mut(..length).ok_or(DAMAGED)?;
        if file.read(u64::from(place.offset), packed)? < length {
            return Err(DAMAGED);
        }
        let seed = Seed::of_segment(secret, place.segment);
        let record = record::parse(packed, seed, place.offset)
            .filter(|r| r.kind == Kind::Piece && r.is_whole(seed))
            .ok_or(DAMAGED)?;
        let stored = PieceRecord::decode(record.payload).ok_or(DAMAGED)?;
        if !stored.deflated {
            let whole = stored.packed.len() == text;
            return whole
                .then(|| out.extend_from_slice(stored.packed))
                .ok_or(DAMAGED);
        }
        let before = out.len();
        out.resize(before.saturating_add(text), 0);
        let room = out.get_mut(before..).unwrap_or_default();
        self.inflate.init();
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let done = decompress(&mut self.inflate, stored.packed, room, 0, flags);
        if (done.0, done.2) != (TINFLStatus::Done, text) {
            out.truncate(before);
            return Err(Broken::Corrupt("deflated content"));
        }
        Ok(())
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
    let mut out = Vec::new();
    Unpacker::default().piece(segments, secret, piece, &mut out)?;
    Ok(out)
}
