//! A message on its way in: its header is held until it ends and looked at, then everything streams
//! into the store.

use crate::{
    base::{id::UserId, time::Time},
    mail::{
        fixup::{self, Author, Fixup},
        header,
        summary::SummaryBuilder,
    },
    policy::limits::{HEADER_MAX, HOPS_MAX},
    store::{
        Body, Incoming, Refusal, Reply, Request, Store,
        content::PIECE_MAX,
        queue::{Queued, Settled},
        request::{Deliver, Recipient},
    },
};

/// What a message holds at most while it comes, in octets.
pub const MEMORY: u64 = (HEADER_MAX + PIECE_MAX) as u64;

/// Why a message is not taken.
#[derive(Debug)]
pub enum Failure {
    /// The header block is over [`HEADER_MAX`], or names too many authors. Refused for good.
    HeaderTooBig,
    /// The directory cannot be read now.
    LookupFailed,
    /// It says to be from somebody (with brackets) who is not its submitter (SU-10). Refused for good.
    NotOwned(String),
    /// A submitted header block holds a NUL: readers that drop it see other fields (SU-10). Refused for
    /// good.
    Nul,
    /// The store does not take it.
    Store(Refusal),
    /// It runs in a loop (SR-28). Refused for good.
    TooManyHops,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal)
    }
}

/// A message that is coming. Holds at most its header block, and what [`Incoming`] holds.
#[derive(Debug)]
pub struct Reception {
    stage: Stage,
    message_id: Option<String>,
    subject: Option<String>,
    authors: Vec<Author>,
}

#[derive(Debug)]
enum Stage {
    Body(Box<Stream>),
    /// Nothing more is kept.
    Failed(Failure),
    Header {
        block: Block,
        stream: Box<Stream>,
        /// Our own `Received:` field.
        trace: Vec<u8>,
        /// What is mended of a submitted message.
        fixup: Option<Box<Fixup>>,
    },
}

/// Where the octets go: the same ones are stored and summarized.
#[derive(Debug)]
struct Stream {
    incoming: Incoming,
    summary: SummaryBuilder,
    eight_bit: bool,
}

impl Stream {
    async fn write(&mut self, octets: &[u8]) -> Result<(), Refusal> {
        self.eight_bit |= !octets.is_ascii();
        self.summary.push(octets);
        self.incoming.write(octets).await
    }
}

/// A message that is whole and not yet delivered. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Whole {
    pub body: Body,
    /// Of the first `Message-ID:` field, as it stands there, unfolded.
    pub message_id: Option<String>,
    /// Of a submitted message, the same of `Subject:`.
    pub subject: Option<String>,
    /// Of a submitted message: whom its header says it is from.
    pub authors: Vec<Author>,
    /// Not all of it is ASCII, whatever was declared (RFC 6152 section 3).
    pub eight_bit: bool,
    summary: Vec<u8>,
}

/// Where a message goes, all at once.
#[derive(Debug)]
pub struct Delivery {
    /// What final delivery puts on top: `Return-Path:`.
    pub prefix: Vec<u8>,
    pub to: Vec<Recipient>,
    /// For everybody who is not here.
    pub queue: Option<Queued>,
    /// Queued mail of which the message tells what became of it.
    pub settles: Vec<Settled>,
    /// Whom it warns of which level (ST-9).
    pub warns: Option<(UserId, u8)>,
}

impl Delivery {
    /// Whether nobody gets anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to.is_empty() && self.queue.is_none()
    }
}

impl Reception {
    /// `trace` is our own `Received:` field, with its CRLF; `fixup` is for submitted messages.
    #[must_use]
    pub fn begin(store: &Store, trace: Vec<u8>, fixup: Option<Box<Fixup>>) -> Self {
        let stream = Box::new(Stream {
            incoming: store.incoming(),
            summary: SummaryBuilder::new(),
            eight_bit: false,
        });
        Self {
            stage: Stage::Header {
                block: Block::default(),
                stream,
                trace,
                fixup,
            },
            message_id: None,
            subject: None,
            authors: Vec::new(),
        }
    }

    /// Takes the next octets of the content. After a failure, which [`Reception::finish`] tells,
    /// they are dropped.
    pub async fn write(&mut self, octets: &[u8]) {
        if let Err(failure) = self.take(octets).await {
            self.stage = Stage::Failed(failure);
        }
    }

    /// The content is whole.
    ///
    /// # Errors
    ///
    /// What went wrong first.
    pub async fn finish(mut self) -> Result<Whole, Failure> {
        if let Stage::Header { .. } = self.stage {
            self.header_ends(&[]).await?;
        }
        match self.stage {
            Stage::Body(stream) => Ok(Whole {
                summary: stream.summary.finish().encode(),
                body: stream.incoming.finish().await?,
                message_id: self.message_id,
                subject: self.subject,
                authors: self.authors,
                eight_bit: stream.eight_bit,
            }),
            Stage::Failed(failure) => Err(failure),
            Stage::Header { .. } => Err(Failure::HeaderTooBig),
        }
    }

    async fn take(&mut self, octets: &[u8]) -> Result<(), Failure> {
        match &mut self.stage {
            Stage::Failed(_) => Ok(()),
            Stage::Body(stream) => Ok(stream.write(octets).await?),
            Stage::Header { block, .. } => match block.take(octets) {
                Taken::All => Ok(()),
                Taken::Ended(rest) => self.header_ends(rest).await,
                Taken::TooBig => Err(Failure::HeaderTooBig),
            },
        }
    }

    /// The header block is whole: it is judged, and goes where the rest follows.
    async fn header_ends(&mut self, rest: &[u8]) -> Result<(), Failure> {
        let stage = std::mem::replace(&mut self.stage, Stage::Failed(Failure::HeaderTooBig));
        let Stage::Header {
            block,
            mut stream,
            trace,
            fixup,
        } = stage
        else {
            self.stage = stage;
            return Ok(());
        };
        let is_text = block.is_text == Some(true);
        let header = if is_text { &[][..] } else { &block.octets };
        if header::hops(header) > HOPS_MAX {
            return Err(Failure::TooManyHops);
        }
        let mut mended = None;
        if let Some(fixup) = fixup {
            if memchr::memchr(0, header).is_some() {
                return Err(Failure::Nul);
            }
            self.authors = fixup::authors(header).ok_or(Failure::HeaderTooBig)?;
            mended = Some(fixup.mend(header));
            self.subject = text(header, "Subject");
        }
        let header = mended.as_deref().unwrap_or(header);
        self.message_id = text(header, "Message-ID");
        stream.write(&trace).await?;
        stream.write(header).await?;
        if is_text {
            stream.write(b"\r\n").await?;
            stream.write(&block.octets).await?;
        }
        drop((block, mended));
        stream.write(rest).await?;
        self.stage = Stage::Body(stream);
        Ok(())
    }
}

/// A field's value on one line.
fn text(header: &[u8], name: &str) -> Option<String> {
    header::value(header, name)
        .map(|value| String::from_utf8_lossy(&header::unfold(value)).into_owned())
}

/// The header block while it comes.
#[derive(Debug, Default)]
struct Block {
    octets: Vec<u8>,
    /// Known once the first line is whole: whether it is no header field. Then an empty line is put
    /// in front of it, else the text would be read as a part of the header.
    is_text: Option<bool>,
}

#[derive(Debug, Eq, PartialEq)]
enum Taken<'a> {
    All,
    /// The block is whole, its empty line included; this came after it.
    Ended(&'a [u8]),
    TooBig,
}

impl Block {
    fn take<'a>(&mut self, octets: &'a [u8]) -> Taken<'a> {
        let before = self.octets.len();
        let room = HEADER_MAX.saturating_sub(before);
        let fits = octets.get(..room).unwrap_or(octets);
        self.grow(fits.len());
        self.octets.extend_from_slice(fits);
        let Some(end) = self.end(before) else {
            return if fits.len() == octets.len() {
                Taken::All
            } else {
                Taken::TooBig
            };
        };
        self.octets.truncate(end);
        Taken::Ended(octets.get(end.saturating_sub(before)..).unwrap_or_default())
    }

    /// Makes room for `more` octets: twice what there is, but never more than a block may have.
    fn grow(&mut self, more: usize) {
        let held = self.octets.len();
        let needed = held.saturating_add(more);
        if needed > self.octets.capacity() {
            let wanted = needed.max(held.saturating_mul(2)).min(HEADER_MAX);
            self.octets.reserve_exact(wanted.saturating_sub(held));
        }
    }

    /// How long the block is with its empty line; the first `seen` octets hold no end. A message that
    /// starts with text has no block: it ends at once.
    fn end(&mut self, seen: usize) -> Option<usize> {
        if self.octets.starts_with(b"\r\n") {
            return Some(2);
        }
        if self.is_text.is_none() {
            let fresh = self.octets.get(seen..)?;
            let end = seen.checked_add(memchr::memchr(b'\n', fresh)?)?;
            self.is_text = self.octets.get(..end).map(is_text);
        }
        if self.is_text == Some(true) {
            return Some(self.octets.len());
        }
        let from = seen.saturating_sub(3);
        let fresh = self.octets.get(from..)?;
        let at = memchr::memmem::find(fresh, b"\r\n\r\n")?;
        from.checked_add(at)?.checked_add(4)
    }
}

/// Whether a first line is no header field. A line as mbox files have it is passed over.
fn is_text(line: &[u8]) -> bool {
    !matches!(line, b"" | b"\r")
        && !line.starts_with(b"From ")
        && !line.starts_with(b">From ")
        && header::fields(line).next().is_none()
}

/// Delivers a message to all of its recipients at once; ready when that is on the medium. Returns the
/// sequence number of the change.
///
/// # Errors
///
/// Nothing was delivered, but see [`Refusal::Unknown`].
pub async fn deliver(
    store: &Store,
    whole: Whole,
    delivery: Delivery,
    now: Time,
) -> Result<u64, Refusal> {
    let request = Request::Deliver(Deliver {
        prefix: delivery.prefix,
        body: whole.body,
        summary: whole.summary,
        received: now,
        to: delivery.to,
        queue: delivery.queue,
        settles: delivery.settles,
        warns: delivery.warns,
    });
    match store.request(request).await? {
        Reply::Delivered { sequence } => Ok(sequence),
        // No other reply belongs to a delivery; whatever it was, it is on the medium.
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The block and what came after it, with the input cut into pieces.
    fn split(message: &[u8], cut: usize) -> (Vec<u8>, Option<Vec<u8>>, bool) {
        let mut block = Block::default();
        let mut rest: Option<Vec<u8>> = None;
        for piece in message.chunks(cut) {
            match (&mut rest, piece) {
                (Some(rest), piece) => rest.extend_from_slice(piece),
                (None, piece) => {
                    if let Taken::Ended(after) = block.take(piece) {
                        rest = Some(after.to_vec());
                    }
                }
            }
        }
        (block.octets, rest, block.is_text == Some(true))
    }

    #[test]
    fn where_a_header_ends() {
        for (message, block, rest) in [
            (
                &b"A: b\r\n\r\ntext\r\n"[..],
                &b"A: b\r\n\r\n"[..],
                Some(&b"text\r\n"[..]),
            ),
            (
                b"A: b\r\n c\r\nD: e\r\n\r\n\r\n",
                b"A: b\r\n c\r\nD: e\r\n\r\n",
                Some(b"\r\n"),
            ),
            (b"\r\ntext\r\n", b"\r\n", Some(b"text\r\n")),
            (b"A: b\r\n", b"A: b\r\n", None),
            (
                b"From a@b Sat\r\nA: b\r\n\r\nc",
                b"From a@b Sat\r\nA: b\r\n\r\n",
                Some(b"c"),
            ),
            (b"", b"", None),
        ] {
            for cut in [1, 7, 4096] {
                let (got, after, is_text) = split(message, cut);
                assert_eq!((&got[..], after.as_deref()), (block, rest));
                assert!(!is_text);
            }
        }
    }

    #[test]
    fn text_without_a_header() {
        for cut in [1, 7, 4096] {
            let (mut octets, rest, is_text) = split(b"hello world\r\nbye: no\r\n", cut);
            octets.extend(rest.unwrap_or_default());
            assert_eq!(octets, b"hello world\r\nbye: no\r\n");
            assert!(is_text);
        }
    }

    #[test]
    fn a_block_has_its_limit() {
        let mut block = Block::default();
        assert_eq!(block.take(&vec![b'a'; HEADER_MAX]), Taken::All);
        assert_eq!(block.take(b"a"), Taken::TooBig);
        let mut block = Block::default();
        assert_eq!(block.take(&vec![b'a'; HEADER_MAX - 4]), Taken::All);
        assert_eq!(block.take(b"\r\n\r\nb"), Taken::Ended(b"b"));
    }
}
