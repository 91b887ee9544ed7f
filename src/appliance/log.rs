//! Where log lines go: a ring in memory for `status` and the page, and standard error.

use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
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
    /// Deflated, oldest first.
    blocks: VecDeque<Box<[u8]>>,
    /// Lines that wait to be packed, each with its line end.
    open: String,
    /// What blocks and open lines take in memory.
    octets: usize,
    limit: usize,
}

impl Ring {
    /// `limit` in octets of memory.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            blocks: VecDeque::new(),
            open: String::new(),
            octets: 0,
            limit,
        })))
    }

    /// The newest lines, oldest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<String> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = ring.open.lines().rev().map(str::to_owned).collect();
        for block in ring.blocks.iter().rev() {
            if lines.len() >= count {
                break;
            }
            // What we packed ourselves unpacks.
            let text = decompress_to_vec_with_limit(block, 2 * BLOCK).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            lines.extend(text.lines().rev().map(str::to_owned));
        }
        lines.truncate(count);
        lines.reverse();
        lines
    }

    fn push(&self, line: &str) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = &mut *ring;
        ring.open.push_str(line);
        ring.open.push('\n');
        ring.octets = ring.octets.saturating_add(line.len() + 1);
        if ring.open.len() >= BLOCK.min(ring.limit / 4) {
            let packed = compress_to_vec(ring.open.as_bytes(), 1).into_boxed_slice();
            ring.octets = ring.octets.saturating_sub(ring.open.len());
            ring.octets = ring.octets.saturating_add(packed.len());
            ring.blocks.push_back(packed);
            ring.open = String::new();
        }
        while ring.octets > ring.limit
            && let Some(block) = ring.blocks.pop_front()
        {
            ring.octets = ring.octets.saturating_sub(block.len());
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

/// `pillarbox::service::mx` is `mx`; a target that was named is left as it is.
fn room(target: &str) -> &str {
    target.rsplit("::").next().unwrap_or(target)
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
    fn lines_stay_lines() {
        assert_eq!(plain("a\r\nb\u{1b}[2J"), "a??b?[2J");
        assert_eq!(room("pillarbox::service::mx"), "mx");
        assert_eq!(room("smtp"), "smtp");
    }
}
