//! Where log lines go: a ring in memory for `status` and the page, and standard error.

use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use log::{LevelFilter, Log, Metadata, Record};

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

#[derive(Debug)]
struct Kept {
    lines: VecDeque<Box<str>>,
    octets: usize,
    limit: usize,
}

impl Ring {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            lines: VecDeque::new(),
            octets: 0,
            limit,
        })))
    }

    /// The newest lines, oldest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<String> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = ring.lines.len().saturating_sub(count);
        let lines = ring.lines.iter().skip(skipped);
        lines.map(ToString::to_string).collect()
    }

    fn push(&self, line: &str) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.octets = ring.octets.saturating_add(cost(line));
        ring.lines.push_back(line.into());
        while ring.octets > ring.limit
            && let Some(line) = ring.lines.pop_front()
        {
            ring.octets = ring.octets.saturating_sub(cost(&line));
        }
    }
}

/// A line's octets, its place in the queue and the allocator's share.
fn cost(line: &str) -> usize {
    line.len().saturating_add(32)
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
        metadata.level() <= self.options.level
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
        let ring = Ring::new(120);
        for n in 0..10 {
            ring.push(&format!("line {n}"));
        }
        assert_eq!(ring.newest(10), ["line 7", "line 8", "line 9"]);
        assert_eq!(ring.newest(1), ["line 9"]);
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(plain("a\r\nb\u{1b}[2J"), "a??b?[2J");
        assert_eq!(room("pillarbox::service::mx"), "mx");
        assert_eq!(room("smtp"), "smtp");
    }
}
