//! TLS 1.3 handshakes a second: new ones and resumed ones by turns, so that both see the same machine.
//! A handshake counts once the greeting under it is read.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};

use crate::link::{Link, any_certificate};
use crate::{Failure, Options};

#[derive(Clone, Copy, Default)]
struct Sum {
    count: u64,
    took: Duration,
    /// Of the server, in milliseconds.
    cpu: f64,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let addr = options.text("addr")?;
    let sessions: usize = options.number("sessions", 8)?;
    let rounds: usize = options.number("rounds", 5)?;
    let span = Duration::from_millis(options.number("milliseconds", 2000)?);
    let process: u32 = options.number("watch", 0)?;
    let new = any_certificate()?;
    // Each thread has tickets of its own, or they would take them from each other.
    let resuming: Result<Vec<_>, Failure> = (0..sessions).map(|_| resuming()).collect();
    let resuming = resuming?;
    for config in &resuming {
        handshake(addr, config, None)?;
    }
    let (mut fresh, mut resumed) = (Sum::default(), Sum::default());
    for _ in 0..rounds {
        let all_new = vec![Arc::clone(&new); sessions];
        phase(
            &mut fresh,
            addr,
            &all_new,
            HandshakeKind::Full,
            span,
            process,
        )?;
        phase(
            &mut resumed,
            addr,
            &resuming,
            HandshakeKind::Resumed,
            span,
            process,
        )?;
    }
    let rate = |sum: &Sum| sum.count as f64 / sum.took.as_secs_f64();
    let cpu = |sum: &Sum| sum.cpu / sum.count.max(1) as f64;
    println!(
        "new={:.0} new_cpu_ms={:.3} resumed={:.0} resumed_cpu_ms={:.3} ratio={:.2}",
        rate(&fresh),
        cpu(&fresh),
        rate(&resumed),
        cpu(&resumed),
        rate(&resumed) / rate(&fresh),
    );
    Ok(())
}

fn resuming() -> Result<Arc<ClientConfig>, Failure> {
    let mut config = (*any_certificate()?).clone();
    config.resumption = Resumption::in_memory_sessions(8);
    Ok(Arc::new(config))
}

/// All threads for a while.
fn phase(
    sum: &mut Sum,
    addr: &str,
    configs: &[Arc<ClientConfig>],
    kind: HandshakeKind,
    span: Duration,
    process: u32,
) -> Result<(), Failure> {
    let (cpu, start) = (cpu(process), Instant::now());
    let counts: Result<Vec<u64>, Failure> = thread::scope(|scope| {
        let one = |config| {
            scope.spawn(move || -> Result<u64, Failure> {
                let mut count = 0;
                while start.elapsed() < span {
                    handshake(addr, config, Some(kind))?;
                    count += 1;
                }
                Ok(count)
            })
        };
        let threads: Vec<_> = configs.iter().map(one).collect();
        let joined = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.map_err(|_| Failure::from("a thread panicked"))?
        });
        joined.collect()
    });
    sum.count += counts?.iter().sum::<u64>();
    sum.took += start.elapsed();
    sum.cpu += self::cpu(process) - cpu;
    Ok(())
}

fn handshake(
    addr: &str,
    config: &Arc<ClientConfig>,
    kind: Option<HandshakeKind>,
) -> Result<(), Failure> {
    let mut link = Link::open(addr, Some(config))?;
    link.line()?;
    if kind.is_some() && link.kind() != kind {
        return Err(format!("wanted {kind:?}, got {:?}", link.kind()).into());
    }
    Ok(())
}

/// What a process has used, in milliseconds; 0 if none is watched.
fn cpu(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after = text.rsplit(") ").next().unwrap_or_default();
    let ticks = |at: usize| -> f64 {
        let field = after.split(' ').nth(at);
        field.and_then(|field| field.parse().ok()).unwrap_or(0.0)
    };
    // utime and stime in ticks, of which Linux has 100 a second (proc(5)).
    (ticks(11) + ticks(12)) * 10.0
}
