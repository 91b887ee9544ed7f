//! BINARY and BINARY.SIZE (RFC 3516): parts decoded while they stream.

use std::ops::Range;

use super::{
    batch::{Flow, INLINE_MAX, Open, WORK_MAX, Written},
    item::Partial,
    promise::Promised,
};
use crate::{
    mail::{structure::Body, summary::Summary},
    proto::imap::response::write,
    service::imap::search::decode::Transfer,
    store::{Broken, Content},
};

/// A part on its way through the decoder, to learn how long it is.
#[derive(Debug)]
pub struct Decoding {
    transfer: Transfer,
    /// The next octet of the message to be decoded, and where the part ends.
    raw: Range<u64>,
    /// Which decoded octets are wanted.
    wanted: Range<u64>,
    /// Decoded so far.
    passed: u64,
    /// Those of the wanted ones, unless they are too many to hold.
    kept: Vec<u8>,
    too_many: bool,
    /// One of the wanted octets is NUL.
    nul: bool,
}

/// A part on its way out.
#[derive(Debug)]
pub struct Decoder {
    transfer: Transfer,
    raw: Range<u64>,
    /// Decoded octets that are not wanted and still to come.
    skip: u64,
}

impl Decoder {
    /// The next decoded octets, at most `most`; none at the end.
    ///
    /// # Errors
    ///
    /// What the content says.
    pub fn next(&mut self, content: &mut Content, most: usize) -> Result<Vec<u8>, Broken> {
        loop {
            let ended = self.raw.is_empty();
            let mut decoded = piece(&mut self.transfer, &mut self.raw, content)?;
            if decoded.is_empty() && ended {
                return Ok(decoded);
            }
            let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
            let skip = skip.min(decoded.len());
            self.skip = self.skip.saturating_sub(skip as u64);
            decoded.drain(..skip);
            decoded.truncate(most);
            if !decoded.is_empty() {
                return Ok(decoded);
            }
        }
    }
}

/// Decodes the next octets of a part; may give none though it goes on.
fn piece(
    transfer: &mut Transfer,
    raw: &mut Range<u64>,
    content: &mut Content,
) -> Result<Vec<u8>, Broken> {
    if raw.is_empty() {
        return Ok(transfer.finish());
    }
    let octets = content.read(raw.start)?;
    let left = usize::try_from(raw.end.saturating_sub(raw.start)).unwrap_or(usize::MAX);
    let octets = octets.get(..left.min(octets.len())).unwrap_or_default();
    if octets.is_empty() {
        return Err(Broken::Corrupt("content"));
    }
    raw.start = raw.start.saturating_add(octets.len() as u64);
    Ok(transfer.decode(octets).into_owned())
}

impl Decoding {
    fn new(transfer: Transfer, raw: Range<u64>, partial: Partial) -> Self {
        let wanted = partial.map_or(0..u64::MAX, |(first, count)| {
            let first = u64::from(first);
            first..first.saturating_add(u64::from(count))
        });
        Self {
            transfer,
            raw,
            wanted,
            passed: 0,
            kept: Vec::new(),
            too_many: false,
            nul: false,
        }
    }

    /// Goes on until the part or what is wanted of it ends, or the job took long enough.
    fn run(&mut self, content: &mut Content, work: &mut u64) -> Result<Flow, Broken> {
        while self.passed < self.wanted.end {
            if *work >= WORK_MAX {
                return Ok(Flow::Later);
            }
            let (ended, before) = (self.raw.is_empty(), self.raw.start);
            let decoded = piece(&mut self.transfer, &mut self.raw, content)?;
            *work = work.saturating_add(self.raw.start.saturating_sub(before));
            self.take(&decoded);
            if ended {
                break;
            }
        }
        Ok(Flow::Done)
    }

    fn take(&mut self, decoded: &[u8]) {
        let at = |n: u64| {
            let at = n.saturating_sub(self.passed);
            usize::try_from(at).unwrap_or(usize::MAX).min(decoded.len())
        };
        let octets = decoded.get(at(self.wanted.start)..at(self.wanted.end));
        let octets = octets.unwrap_or_default();
        self.nul = self.nul || memchr::memchr(0, octets).is_some();
        if self.kept.len().saturating_add(octets.len()) as u64 > INLINE_MAX {
            self.too_many = true;
            self.kept = Vec::new();
        }
        if !self.too_many {
            self.kept.extend_from_slice(octets);
        }
        self.passed = self.passed.saturating_add(decoded.len() as u64);
    }

    /// How many of the wanted octets there are.
    fn length(&self) -> u64 {
        let end = self.passed.min(self.wanted.end);
        end.saturating_sub(self.wanted.start)
    }
}

impl Written {
    /// Writes a part decoded, or with `partial` being `None` only how long it is.
    pub fn binary(
        &mut self,
        label: &[u8],
        part: &[u32],
        partial: Option<Partial>,
        open: &mut Open,
        summary: Option<&Summary<'_>>,
    ) -> Flow {
        let out = self;
        let nothing: &[u8] = if partial.is_some() { b"NIL" } else { b"0" };
        let Some(content) = open.content.as_mut() else {
            out.damage = true;
            open.write(label, nothing, out);
            return Flow::Done;
        };
        let Some((raw, transfer)) = find(part, summary, content) else {
            open.write(label, nothing, out);
            return Flow::Done;
        };
        let Some(transfer) = transfer else {
            out.unknown = true;
            open.write(label, nothing, out);
            return Flow::Done;
        };
        let first = || {
            Box::new(Decoding::new(
                transfer.clone(),
                raw.clone(),
                partial.flatten(),
            ))
        };
        let mut decoding = open.decoding.take().unwrap_or_else(first);
        match decoding.run(content, &mut out.work) {
            Ok(Flow::Later) => {
                open.decoding = Some(decoding);
                return Flow::Later;
            }
            Ok(Flow::Done) => {}
            Err(broken) => {
                out.broken.push((open.row.content, broken));
                out.damage = true;
                open.write(label, nothing, out);
                return Flow::Done;
            }
        }
        let length = decoding.length();
        if partial.is_none() {
            let to = open.resume(&mut out.octets).take(label);
            write::number(to, length);
            return Flow::Done;
        }
        if !decoding.too_many && !out.has_room(length) {
            open.decoding = Some(decoding);
            return Flow::Later;
        }
        let promised = decoding.too_many.then(|| content.another());
        let to = open.resume(&mut out.octets).take(label);
        if decoding.nul {
            to.push(b'~');
        }
        write::literal(to, length);
        match promised {
            None => to.extend_from_slice(&decoding.kept),
            Some(content) => {
                let skip = decoding.wanted.start;
                let decoder = Decoder {
                    transfer,
                    raw,
                    skip,
                };
                let promised = Promised::new(open.row.content, content).decoded(decoder);
                out.promise(promised, 0, length);
            }
        }
        Flow::Done
    }
}

impl Open {
    fn write(&self, label: &[u8], text: &[u8], out: &mut Written) {
        let to = self.resume(&mut out.octets).take(label);
        to.extend_from_slice(text);
    }
}

/// Where a part lies and how it is encoded, `None` where nobody knows; `None` if there is no such
/// part.
fn find(
    part: &[u32],
    summary: Option<&Summary<'_>>,
    content: &Content,
) -> Option<(Range<u64>, Option<Transfer>)> {
    let size = content.size();
    if part.is_empty() {
        return Some((0..size, Some(Transfer::None)));
    }
    let prefix = content.prefix().len() as u64;
    let node = summary?.structure.section(part)?;
    let range = node.part().content();
    let at = |n: u64| n.saturating_add(prefix).min(size);
    // RFC 2045 section 6.4: what holds parts is not encoded.
    let transfer = match node.part().body {
        Body::Leaf => known(node.part().encoding.as_deref().unwrap_or(b"7bit")),
        Body::Message(_) | Body::Multipart => Some(Transfer::None),
    };
    Some((at(range.start)..at(range.end), transfer))
}

fn known(encoding: &[u8]) -> Option<Transfer> {
    let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
    match Transfer::named(encoding) {
        Transfer::None => plain
            .iter()
            .any(|name| encoding.eq_ignore_ascii_case(name))
            .then_some(Transfer::None),
        transfer => Some(transfer),
    }
}
