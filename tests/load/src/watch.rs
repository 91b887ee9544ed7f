//! Memory of a process, looked at every 10 ms: what it was at first, and the most it was.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(10);

pub struct Watch {
    end: Arc<AtomicBool>,
    thread: JoinHandle<(Memory, Memory)>,
}

/// In KiB, as `smaps_rollup` has it.
#[derive(Clone, Copy, Default)]
struct Memory {
    pss: u64,
    private_dirty: u64,
}

impl Watch {
    pub fn start(process: u32) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&end);
        let first = look(process);
        let thread = thread::spawn(move || {
            let mut peak = first;
            while !seen.load(Ordering::Relaxed) {
                let now = look(process);
                peak.pss = peak.pss.max(now.pss);
                peak.private_dirty = peak.private_dirty.max(now.private_dirty);
                thread::sleep(EVERY);
            }
            (first, peak)
        });
        Self { end, thread }
    }

    pub fn end(self) -> String {
        self.end.store(true, Ordering::Relaxed);
        let (first, peak) = self.thread.join().unwrap_or_default();
        format!(
            "pss_kib={} pss_peak_kib={} dirty_kib={} dirty_peak_kib={}",
            first.pss, peak.pss, first.private_dirty, peak.private_dirty
        )
    }
}

fn look(process: u32) -> Memory {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| {
                line.strip_prefix(name)?
                    .trim()
                    .strip_suffix(" kB")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    Memory {
        pss: field("Pss:"),
        private_dirty: field("Private_Dirty:"),
    }
}
