//! Drives one session and its service, as `net::drive` does, but without a socket: octets go in when
//! the script says so, and what comes out is looked at.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use pillarbox::base::machine::{Machine, Secured, Step};
use pillarbox::base::time::Instant;
use pillarbox::net::drive::{Length, Service};
use pillarbox::net::world::Local;

/// A connection of any protocol.
pub trait Connection {
    /// Gives the session these octets, as one piece as far as it takes them, and runs it.
    fn feed<'a>(&'a mut self, now: Instant, octets: &'a [u8]) -> Local<'a, ()>;
    /// Runs the session until it wants to read; wakes it if something has happened for it.
    fn run(&mut self, now: Instant) -> Local<'_, ()>;
    /// A TLS handshake is done: the one that the session asked for, or one before its first step.
    fn secure(&mut self, secured: &Secured);
    /// Whether the session waits for a handshake.
    fn is_shaking(&self) -> bool;
    /// The client has no more to say.
    fn half_close(&mut self);
    /// The house stops.
    fn stop(&mut self);
    fn is_closed(&self) -> bool;
    /// What was written and not yet looked at.
    fn out(&mut self) -> &mut Vec<u8>;
    /// The most octets that one answer brought, ranges of content not counted.
    fn held_most(&self) -> usize;
}

#[derive(Debug)]
pub struct Pump<S: Service> {
    machine: S::Machine,
    service: S,
    out: Vec<u8>,
    /// Octets that were written since the last question, and the most of that.
    held: (usize, usize),
    closed: bool,
    shaking: bool,
}

impl<S: Service> Pump<S>
where
    <S::Machine as Machine>::Range: Length,
{
    pub fn new(machine: S::Machine, service: S) -> Self {
        Self {
            machine,
            service,
            out: vec![],
            held: (0, 0),
            closed: false,
            shaking: false,
        }
    }

    async fn steps(&mut self, now: Instant) {
        let mut idle = 0;
        let mut steps: u32 = 0;
        while !self.closed && !self.shaking {
            steps += 1;
            assert!(steps < 1_000_000, "steps without end");
            match self.machine.step(now) {
                Step::Ask(question) => {
                    self.held.0 = 0;
                    let answer = self.service.ask(question).await;
                    self.machine.answer(answer);
                }
                Step::Close => self.closed = true,
                // What lies below is tried in `net`; here the octets stay as they are.
                Step::Compress(octets) => {
                    assert_eq!(self.machine.input(&octets), octets.len());
                }
                Step::Content(octets) => self.service.content(octets).await,
                Step::Read { until } if until > now => break,
                Step::Read { .. } => {
                    idle += 1;
                    assert!(idle < 10, "waits for a time that has passed");
                }
                Step::Send(range) => self.send(&range).await,
                Step::StartTls => self.shaking = true,
                Step::Write(octets) => {
                    self.held.0 += octets.len();
                    self.held.1 = self.held.1.max(self.held.0);
                    self.out.extend(octets);
                }
            }
        }
    }

    async fn send(&mut self, range: &<S::Machine as Machine>::Range) {
        let mut at = 0;
        while at < range.length() {
            let Some(octets) = self.service.range(range, at).await else {
                self.closed = true;
                return;
            };
            assert!(!octets.is_empty(), "a range gives at least one octet");
            at += u64::try_from(octets.len()).unwrap();
            self.out.extend(octets);
        }
        assert_eq!(at, range.length(), "a range gives what it promised");
    }

    /// Whether something has happened that the session may want to tell.
    async fn is_woken(&mut self) -> bool {
        let mut woken = pin!(self.service.woken());
        poll_fn(|context| Poll::Ready(woken.as_mut().poll(context).is_ready())).await
    }
}

impl<S> Connection for Pump<S>
where
    S: Service,
    <S::Machine as Machine>::Range: Length,
{
    fn feed<'a>(&'a mut self, now: Instant, octets: &'a [u8]) -> Local<'a, ()> {
        Box::pin(async move {
            let mut rest = octets;
            loop {
                let taken = self.machine.input(rest);
                rest = &rest[taken..];
                self.steps(now).await;
                if rest.is_empty() || self.closed || self.shaking {
                    break;
                }
            }
        })
    }

    fn run(&mut self, now: Instant) -> Local<'_, ()> {
        Box::pin(async move {
            self.steps(now).await;
            for _ in 0..10 {
                if self.closed || !self.is_woken().await {
                    break;
                }
                self.machine.wake();
                self.steps(now).await;
            }
        })
    }

    fn secure(&mut self, secured: &Secured) {
        self.shaking = false;
        self.machine.secured(secured.clone());
        self.service.secured(secured);
    }

    fn is_shaking(&self) -> bool {
        self.shaking
    }

    fn half_close(&mut self) {
        self.machine.end();
    }

    fn stop(&mut self) {
        self.machine.stop();
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn held_most(&self) -> usize {
        self.held.1
    }
}
