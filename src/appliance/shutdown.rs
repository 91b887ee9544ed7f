//! Signals, and coming to an end within 15 seconds.

use std::{io, process, thread, time::Duration};

use async_signal::{Signal, Signals};
use smol::{
    channel::{Receiver, unbounded},
    future::FutureExt,
    stream::StreamExt,
};

use crate::{
    appliance::executor::Executor,
    net::{house::House, world::World},
};

/// For running DATA and commands, in seconds.
const GRACE: u64 = 10;
/// Whatever hangs: after so many seconds the process is gone. Recovery does the rest.
const END: u64 = 14;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// SIGHUP: certificates and settings anew; sessions stay (OP-6).
    Reload,
    /// SIGTERM, SIGINT.
    Stop,
}

/// Turns signals into orders from now on.
///
/// # Errors
///
/// The signals cannot be watched.
pub fn orders(executor: &Executor) -> io::Result<Receiver<Order>> {
    let mut signals = Signals::new([Signal::Hup, Signal::Int, Signal::Term])?;
    let (sender, receiver) = unbounded();
    let watching = executor.spawn(async move {
        while let Some(signal) = signals.next().await {
            let order = match signal {
                Ok(Signal::Hup) => Order::Reload,
                Ok(_) => Order::Stop,
                Err(_) => continue,
            };
            if sender.send(order).await.is_err() {
                return;
            }
        }
    });
    watching.detach();
    Ok(receiver)
}

/// Asks all sessions to end and waits for them, but no longer than [`GRACE`], nor after a second order
/// to stop.
pub async fn wind_down(world: &dyn World, houses: &[House], orders: &Receiver<Order>) {
    for house in houses {
        house.stop();
    }
    let all = async {
        for house in houses {
            house.emptied().await;
        }
    };
    let impatient = async {
        while let Ok(order) = orders.recv().await {
            if order == Order::Stop {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    all.or(world.sleep(world.now().plus_seconds(GRACE)))
        .or(impatient)
        .await;
    let left: usize = houses.iter().map(House::len).sum();
    if left > 0 {
        log::info!(target: "stop", "{left} sessions are cut off");
    }
}

/// Ends the process if it has not ended by itself in time.
pub fn insist() {
    let name = "end".to_owned();
    let waiting = thread::Builder::new().name(name).spawn(|| {
        thread::sleep(Duration::from_secs(END));
        log::error!(target: "stop", "not done after {END} s");
        process::exit(1);
    });
    if let Err(error) = waiting {
        log::warn!(target: "stop", "nobody watches over the end: {error}");
    }
}
