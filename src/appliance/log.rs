//! Where log lines go: a ring in memory for `status` and the page, and standard error.

use std::{
    borrow::Cow,
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use log::{LevelFilter, Log, Metadata, Record};
use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};

use crate::net::world;

/// How much is kept and told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `log.level`.
    pub level: LevelFilter,
    /// Octets of the ring (`limit.log_ring`).
    pub ring: usize,
    /// Also to standard error: in the foreground, and under a service manager.
    pub stderr: bool,
}

/// The newest lines; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ring(Arc<Mutex<Kept>>);

/// Lines are packed in blocks of so many octets: a log shrinks to a tenth.
const BLOCK: usize = 32 * 1024;

#[derive(Debug)]
struct Kept {
    /// Oldest first.
    blocks: VecDeque<Block>,
    /// How many blocks were dropped: the number of the first.
    first: u64,
    /// Lines that wait to be a block, each with its line end.
    open: String,
    /// What blocks and open lines take in memory.
    octets: usize,
    limit: usize,
    /// There may be threads: packing is left to one of them.
    aside: bool,
}

#[derive(Clone, Debug)]
enum Block {
    /// Deflated.
    Packed(Box<[u8]>),
    /// Waits to be packed.
    Plain(Arc<str>),
}

impl Block {
    fn len(&self) -> usize {
        match self {
            Self::Packed(octets) => octets.len(),
            Self::Plain(text) => text.len(),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Packed(octets) => {
                // What we packed ourselves unpacks.
                let text = decompress_to_vec_with_limit(octets, 2 * BLOCK).unwrap_or_default();
                Cow::Owned(String::from_utf8_lossy(&text).into_owned())
            }
            Self::Plain(text) => Cow::Borrowed(text),
        }
    }
}

impl Ring {
    /// `limit` in octets of memory.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            blocks: VecDeque::new(),
            first: 0,
            open: String::new(),
            octets: 0,
            limit,
            aside: false,
        })))
    }

    /// From now on blocks are packed on the blocking pool: there may be threads.
    pub fn pack_aside(&self) {
        self.kept().aside = true;
    }

    /// The newest lines, oldest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<String> {
        let ring = self.kept();
        let mut lines: Vec<String> = ring.open.lines().rev().map(str::to_owned).collect();
        for block in ring.blocks.iter().rev() {
            if lines.len() >= count {
                break;
            }
            lines.extend(block.text().lines().rev().map(str::to_owned));
        }
        lines.truncate(count);
        lines.reverse();
        lines
    }

    /// The lines of the block with this number, or of the first behind it that is still there, and its
    /// number. The last block holds what is not packed yet.
    #[must_use]
    pub fn block(&self, from: u64) -> Option<(u64, String)> {
        let kept = self.kept();
        let number = from.max(kept.first);
        let at = kept.place(number)?;
        let block = match kept.blocks.get(at) {
            Some(block) => block.clone(),
            None if at == kept.blocks.len() => return Some((number, kept.open.clone())),
            None => return None,
        };
        // Nobody who logs waits while it is unpacked.
        drop(kept);
        Some((number, block.text().into_owned()))
    }

    fn push(&self, line: &str) {
        let mut kept = self.kept();
        let ring = &mut *kept;
        ring.open.push_str(line);
        ring.open.push('\n');
        ring.octets = ring.octets.saturating_add(line.len() + 1);
        let full = ring.open.len() >= BLOCK.min(ring.limit / 4);
        if full {
            let text = std::mem::take(&mut ring.open);
            ring.blocks.push_back(Block::Plain(text.into()));
        }
        ring.trim();
        let aside = ring.aside;
        let count = u64::try_from(ring.blocks.len()).unwrap_or_default();
        let last = ring.first.saturating_add(count).saturating_sub(1);
        drop(kept);
        if full && aside {
            let ring = self.clone();
            blocking::unblock(move || ring.pack(last)).detach();
        } else if full {
            self.pack(last);
        }
    }

    /// Packs the block of this number; nobody waits meanwhile.
    fn pack(&self, number: u64) {
        let Some(text) = self.kept().plain(number) else {
            return;
        };
        let packed = compress_to_vec(text.as_bytes(), 1).into_boxed_slice();
        let mut ring = self.kept();
        let ring = &mut *ring;
        let (before, after) = (text.len(), packed.len());
        if let Some(block) = ring.place(number).and_then(|at| ring.blocks.get_mut(at)) {
            *block = Block::Packed(packed);
            ring.octets = ring.octets.saturating_sub(before).saturating_add(after);
            ring.trim();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    /// The text of a block that is still to be packed.
    fn plain(&self, number: u64) -> Option<Arc<str>> {
        match self.blocks.get(self.place(number)?)? {
            Block::Packed(_) => None,
            Block::Plain(text) => Some(Arc::clone(text)),
        }
    }

    fn trim(&mut self) {
        while self.octets > self.limit
            && let Some(block) = self.blocks.pop_front()
        {
            self.first = self.first.saturating_add(1);
            self.octets = self.octets.saturating_sub(block.len());
        }
    }
}

struct Logger {
    ring: Ring,
    options: Options,
}

/// Begins logging; a process does so once, and what comes later changes nothing.
pub fn start(options: Options) -> Ring {
    let ring = Ring::new(options.ring);
    let logger = Logger {
        ring: ring.clone(),
        options,
    };
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(options.level);
    }
    ring
}

/// Libraries that tell of each of their steps below `info`.
const CHATTY: [&str; 5] = ["async_io", "blocking", "landlock", "polling", "rustls"];

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let room = metadata.target().split("::").next().unwrap_or_default();
        // A reload may change it.
        metadata.level() <= log::max_level()
            && (metadata.level() <= log::Level::Warn || !CHATTY.contains(&room))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let time = world::calendar().rfc3339();
        let level = record.level().as_str().to_ascii_lowercase();
        let text = record.args().to_string();
        let line = format!("{time} {level} {}: {}", room(record.target()), plain(&text));
        if self.options.stderr {
            // One write, so that lines of two threads do not mix.
            let _gone = std::io::stderr().write_all(format!("{line}\n").as_bytes());
        }
        self.ring.push(&line);
    }

    fn flush(&self) {}
}

/// `pillarbox::service::smtp::message` is `smtp`; a target that was named is left as it is.
fn room(target: &str) -> &str {
    target.split("::").take(3).last().unwrap_or(target)
}

/// What a peer sent must not look like a second line, or move a terminal's cursor.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest() {
        let ring = Ring::new(8192);
        let line = |n: u32| format!("{:x} line {n}", n.wrapping_mul(0x9e37_79b9));
        for n in 0..10_000 {
            ring.push(&line(n));
        }
        let kept = ring.newest(10_000);
        assert!((200..5_000).contains(&kept.len()), "{}", kept.len());
        let oldest = 10_000 - u32::try_from(kept.len()).unwrap();
        assert_eq!(kept, (oldest..10_000).map(line).collect::<Vec<_>>());
        assert_eq!(ring.newest(1), [line(9_999)]);
        assert!(ring.newest(0).is_empty());
        let held = ring.0.lock().unwrap();
        assert!(held.octets <= held.limit);
    }

    #[test]
    fn a_block_can_be_read_before_it_is_packed() {
        let ring = Ring::new(1 << 20);
        let line = "x".repeat(1023);
        ring.pack_aside();
        for _ in 0..31 {
            ring.push(&line);
        }
        assert_eq!(ring.kept().octets, 31 * 1024);
        ring.kept().aside = false;
        ring.push(&line);
        assert!(ring.kept().octets < 1024, "packed");
        assert_eq!(ring.newest(100).len(), 32);
        let plain: Arc<str> = format!("{line}\n").into();
        let mut kept = ring.kept();
        kept.octets += plain.len();
        kept.blocks.push_back(Block::Plain(plain));
        drop(kept);
        assert_eq!(ring.newest(100).len(), 33);
        ring.pack(1);
        assert!(ring.kept().octets < 1024);
        assert_eq!(ring.newest(100).len(), 33);
        // Block by block it is all there.
        let mut lines = 0;
        let mut next = 0;
        while let Some((number, text)) = ring.block(next) {
            lines += text.lines().count();
            next = number + 1;
        }
        assert_eq!((lines, next), (33, 3));
        // One that was dropped meanwhile.
        ring.kept().first = 10;
        assert_eq!(ring.block(0).unwrap().0, 10);
        ring.pack(1);
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(plain("a\r\nb\u{1b}[2J"), "a??b?[2J");
        assert_eq!(room("pillarbox::service::smtp::message"), "smtp");
        assert_eq!(room("pillarbox::service::login"), "login");
        assert_eq!(room("smtp"), "smtp");
    }
}
