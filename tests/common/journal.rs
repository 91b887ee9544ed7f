//! What this thread has logged.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

struct Journal;

impl Log for Journal {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Begins anew; lines of this thread are kept from now on.
pub fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Journal).expect("the only logger");
        log::set_max_level(LevelFilter::Info);
    });
    LINES.with_borrow_mut(Vec::clear);
}

/// Forgets the lines up to the first that looks like this, or says what there is instead.
pub fn find(pattern: &str) -> Result<(), Vec<String>> {
    LINES.with_borrow_mut(
        |lines| match lines.iter().position(|line| is_like(line, pattern)) {
            Some(at) => {
                lines.drain(..=at);
                Ok(())
            }
            None => Err(lines.clone()),
        },
    )
}

/// All lines that are kept.
#[allow(dead_code, reason = "for looking at what a test does")]
pub fn all() -> Vec<String> {
    LINES.with_borrow(Clone::clone)
}

/// The first line that looks like this; forgets nothing.
pub fn seen(pattern: &str) -> Option<String> {
    LINES.with_borrow(|lines| lines.iter().find(|line| is_like(line, pattern)).cloned())
}

/// Whether a line consists of these words in this order; `*` stands for anything.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('*')
}
