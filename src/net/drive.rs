//! The pump between a socket, a machine and the service that settles the machine's questions.

use std::{
    future::{Future, poll_fn},
    io, mem,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
};

use smol::{
    future::yield_now,
    io::{AsyncRead, AsyncWrite},
};

use crate::{
    base::{
        machine::{Machine, Secured, Step},
        time::Instant,
    },
    net::{
        deflated::Deflated,
        house::{Seat, Word},
        stream::{Socket, Stream},
        tls::{self, Tls},
        trust::Outgoing,
        world::{Local, World},
    },
};

/// A peer that takes no octet of a reply for this long is gone (RFC 5321 section 4.5.3.2.4 has 3
/// minutes for a data block), in seconds.
const WRITE_WAIT: u64 = 180;
/// For a whole TLS handshake, in seconds.
const HANDSHAKE_WAIT: u64 = 30;
/// How long a peer that has to make room may take for its farewell, and one that was told goodbye
/// for closing its side, in seconds.
const FAREWELL_WAIT: u64 = 1;
/// What such a peer may still send, in octets, so that it reads the goodbye and not a reset.
const FAREWELL_OCTETS: usize = 64 * 1024;
/// After so many steps without a pause others get their turn.
const TURN: u32 = 32;
/// In octets; on the stack, never across an await.
const BUFFER: usize = 16 * 1024;

/// What settles a session's questions; one value per connection.
#[allow(
    async_fn_in_trait,
    reason = "sessions run on one thread and need no Send"
)]
pub trait Service {
    type Machine: Machine;

    /// Settles a question. May take long; the deadline of a session does not run meanwhile.
    async fn ask(
        &mut self,
        question: <Self::Machine as Machine>::Question,
    ) -> <Self::Machine as Machine>::Answer;

    /// Takes content; an error is remembered and told when the machine asks about the content's end.
    async fn content(&mut self, octets: Vec<u8>);

    /// The octets of a range from its octet `at` on, at least one and at most 64 KiB; `None` if they
    /// cannot be read: the connection ends, because their number was already promised.
    async fn range(
        &mut self,
        range: &<Self::Machine as Machine>::Range,
        at: u64,
    ) -> Option<Vec<u8>>;

    /// The TLS handshake after [`Step::StartTls`] is done; the machine is told by `Machine::secured`.
    fn secured(&mut self, _: &Secured) {}

    /// Ready when the session has to be woken (`Machine::wake`).
    async fn woken(&mut self);
}

/// How long a range is: what [`Step::Send`] names has to say it.
pub trait Length {
    /// In octets.
    fn length(&self) -> u64;
}

impl Length for () {
    fn length(&self) -> u64 {
        0
    }
}

impl Length for crate::base::id::ContentRange {
    fn length(&self) -> u64 {
        self.length
    }
}

/// What a session stands on.
#[derive(Debug)]
pub struct Ground {
    pub world: Rc<dyn World>,
    /// `None` where a machine never asks for [`Step::StartTls`].
    pub tls: Option<Shake>,
    pub seat: Seat,
}

/// Our side of a TLS handshake.
#[derive(Debug)]
pub enum Shake {
    Client(Box<Outgoing>),
    Server(Tls),
}

/// Why a session ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// The machine was done.
    Closed,
    /// Machine or service broke their word, or promised content could not be read.
    Broken,
    /// The peer closed or reset the connection.
    Peer,
    /// Octets came in clear before a TLS handshake (RFC 3207 section 4.2).
    Plaintext,
    /// It made room for somebody else.
    Room,
    /// The peer takes nothing.
    Silent,
    /// The TLS handshake failed, and why; logged where we are the server.
    Tls(String),
}

/// Runs a session from its first step to its end.
pub async fn drive<S: Service>(
    ground: &Ground,
    stream: Stream,
    machine: &mut S::Machine,
    service: &mut S,
) -> End
where
    <S::Machine as Machine>::Range: Length,
{
    let mut line = Line::new(ground, stream);
    match pump(&mut line, machine, service).await {
        Ok(()) => {
            Box::pin(line.close()).await;
            End::Closed
        }
        Err(end) => end,
    }
}

/// The handshake where TLS comes first, as either side.
///
/// # Errors
///
/// It failed, or the peer had to make room.
pub async fn handshake(ground: &Ground, stream: Stream) -> Result<(Stream, Secured), End> {
    let mut line = Line::new(ground, stream);
    let secured = line.handshake().await?;
    Ok((line.stream, secured))
}

async fn pump<S: Service>(
    line: &mut Line<'_>,
    machine: &mut S::Machine,
    service: &mut S,
) -> Result<(), End>
where
    <S::Machine as Machine>::Range: Length,
{
    let mut steps: u32 = 0;
    loop {
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(TURN) {
            yield_now().await;
        }
        line.tell(machine);
        let now = line.ground.world.now();
        match machine.step(now) {
            Step::Read { until } => line.read(until, machine, service).await?,
            Step::Close => return Ok(()),
            Step::Ask(question) if let Some(not_now) = S::Machine::not_now(&question) => {
                line.ground.seat.progress(now);
                Box::pin(log_in(line, question, not_now, machine, service)).await?;
            }
            step => {
                line.ground.seat.progress(now);
                // Who waits for us is not silent.
                line.ground.seat.stranger(false);
                Box::pin(carry(line, step, machine, service)).await?;
            }
        }
    }
}

/// Asks whether somebody may log in. That may take long, and proves nothing: who waits here makes room
/// as a stranger does, and is forgotten when the peer is gone.
async fn log_in<S: Service>(
    line: &mut Line<'_>,
    question: <S::Machine as Machine>::Question,
    not_now: <S::Machine as Machine>::Answer,
    machine: &mut S::Machine,
    service: &mut S,
) -> Result<(), End> {
    line.ground.seat.stranger(machine.stranger());
    let mut gone = Instant::NEVER;
    let answer = {
        let mut asked = pin!(service.ask(question));
        poll_fn(|context| {
            if let Poll::Ready(answer) = asked.as_mut().poll(context) {
                return Poll::Ready(Ok(Some(answer)));
            }
            let seat = &line.ground.seat;
            if seat.word() > line.known.0 {
                return Poll::Ready(Ok(None));
            }
            let _registered = seat.poll_news(context, (seat.word(), seat.crowded()));
            line.poll_hung_up(context, &mut gone).map(Err)
        })
        .await?
    };
    machine.answer(answer.unwrap_or(not_now));
    if machine.stranger() {
        line.ground.seat.failed();
    }
    Ok(())
}

/// Carries out the steps that an idle session does not wait in, so that it need not hold them.
async fn carry<S: Service>(
    line: &mut Line<'_>,
    step: Step<<S::Machine as Machine>::Question, <S::Machine as Machine>::Range>,
    machine: &mut S::Machine,
    service: &mut S,
) -> Result<(), End>
where
    <S::Machine as Machine>::Range: Length,
{
    match step {
        Step::Ask(question) => machine.answer(service.ask(question).await),
        Step::Compress(octets) => line.compress(octets),
        Step::Content(octets) => service.content(octets).await,
        Step::Send(range) => {
            let mut at: u64 = 0;
            while at < range.length() {
                let octets = service.range(&range, at).await.ok_or(End::Broken)?;
                let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
                at = at.saturating_add(length);
                if length == 0 || at > range.length() {
                    return Err(End::Broken);
                }
                line.ground.seat.progress(line.ground.world.now());
                line.write(&octets, machine.stranger()).await?;
            }
        }
        Step::StartTls => {
            let secured = line.handshake().await?;
            service.secured(&secured);
            machine.secured(secured);
        }
        Step::Write(octets) => match line.write(&octets, machine.stranger()).await {
            Err(End::Peer | End::Silent) if S::Machine::CLIENT => line.last_words(machine).await,
            written => written?,
        },
        Step::Close | Step::Read { .. } => {}
    }
    Ok(())
}

/// A socket and what the pump has to remember about it.
struct Line<'a> {
    ground: &'a Ground,
    stream: Stream,
    /// What was read and the machine did not take yet; empty while idle.
    pending: Vec<u8>,
    nap: Option<(Instant, Local<'static, ()>)>,
    /// What the machine was told of the house.
    known: (Word, bool),
    /// When one that has to leave is gone, whatever it does.
    gone: Instant,
    ended: bool,
}

enum Event {
    /// Octets, or the peer's end.
    Input,
    /// Time has passed, or the house has news: the next step sees to it.
    Step,
    Woken,
}

impl<'a> Line<'a> {
    fn new(ground: &'a Ground, stream: Stream) -> Self {
        Self {
            ground,
            stream,
            pending: Vec::new(),
            nap: None,
            known: (Word::Stay, false),
            gone: Instant::NEVER,
            ended: false,
        }
    }

    /// Hands the house's word on.
    fn tell(&mut self, machine: &mut impl Machine) {
        let seat = &self.ground.seat;
        let (word, crowded) = (seat.word(), seat.crowded());
        if crowded != self.known.1 {
            machine.crowded(crowded);
        }
        if word > self.known.0 {
            machine.stop();
        }
        self.known = (word, crowded);
        if word == Word::Leave && self.gone == Instant::NEVER {
            self.gone = self.ground.world.now().plus_seconds(FAREWELL_WAIT);
        }
    }

    /// One wait of the machine: feeds it, wakes it, or lets time pass.
    async fn read<S: Service>(
        &mut self,
        until: Instant,
        machine: &mut S::Machine,
        service: &mut S,
    ) -> Result<(), End> {
        if !self.pending.is_empty() {
            return self.feed_pending(machine);
        }
        if self.known.0 == Word::Leave {
            return Err(End::Room);
        }
        if self.ended {
            return Err(End::Peer);
        }
        self.ground.seat.stranger(machine.stranger());
        let event = {
            let mut woken = pin!(service.woken());
            poll_fn(|context| {
                if let Poll::Ready(fed) = self.poll_input(context, machine) {
                    return Poll::Ready(fed.map(|()| Event::Input));
                }
                if woken.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Ok(Event::Woken));
                }
                let news = self.ground.seat.poll_news(context, self.known);
                if news.is_ready() || self.poll_nap(context, until).is_ready() {
                    return Poll::Ready(Ok(Event::Step));
                }
                Poll::Pending
            })
            .await?
        };
        if matches!(event, Event::Woken) {
            machine.wake();
        }
        Ok(())
    }

    /// Ready when the peer is gone: reset, or closed for longer than an answer to its last words takes.
    /// What it says meanwhile waits.
    fn poll_hung_up(&mut self, context: &mut Context<'_>, gone: &mut Instant) -> Poll<End> {
        while *gone == Instant::NEVER && self.pending.len() < BUFFER {
            let mut octets = [0; 512];
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut octets)) {
                Ok(read @ 1..) => {
                    let octets = octets.get(..read).unwrap_or_default();
                    self.pending.extend_from_slice(octets);
                }
                Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(End::Peer);
                }
                // Perhaps its sending side only.
                Ok(_) | Err(_) => *gone = self.ground.world.now().plus_seconds(FAREWELL_WAIT),
            }
        }
        self.poll_nap(context, *gone).map(|()| End::Peer)
    }

    fn feed_pending(&mut self, machine: &mut impl Machine) -> Result<(), End> {
        let taken = machine.input(&self.pending);
        if taken == 0 || taken > self.pending.len() {
            log::error!(target: "net", "a session neither takes octets nor has anything to do");
            return Err(End::Broken);
        }
        self.pending.drain(..taken);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Ok(())
    }

    /// Reads what is there onto the stack and hands it on at once.
    #[inline(never)]
    fn poll_input<M: Machine>(
        &mut self,
        context: &mut Context<'_>,
        machine: &mut M,
    ) -> Poll<Result<(), End>> {
        let mut octets = [0; BUFFER];
        let read = match ready!(Pin::new(&mut self.stream).poll_read(context, &mut octets)) {
            Ok(read) => octets.get(..read).unwrap_or_default(),
            // A TLS peer that hangs up without a word; what it did say counts.
            Err(error) if M::CLIENT || error.kind() == io::ErrorKind::UnexpectedEof => &[],
            Err(_) => return Poll::Ready(Err(End::Peer)),
        };
        if read.is_empty() {
            self.ended = true;
            machine.end();
        } else {
            let taken = machine.input(read);
            self.pending = read.get(taken..).unwrap_or_default().to_vec();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends octets; the wait begins anew with each that the peer takes.
    async fn write(&mut self, octets: &[u8], stranger: bool) -> Result<(), End> {
        let world = &*self.ground.world;
        let mut rest = octets;
        let mut until = world.now().plus_seconds(WRITE_WAIT);
        poll_fn(|context| {
            loop {
                let polled = if rest.is_empty() {
                    Pin::new(&mut self.stream)
                        .poll_flush(context)
                        .map_ok(|()| 0)
                } else {
                    Pin::new(&mut self.stream).poll_write(context, rest)
                };
                match polled {
                    Poll::Ready(Ok(_)) if rest.is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(Err(_) | Ok(0)) => return Poll::Ready(Err(End::Peer)),
                    Poll::Ready(Ok(taken)) => {
                        rest = rest.get(taken..).unwrap_or_default();
                        until = world.now().plus_seconds(WRITE_WAIT);
                    }
                    Poll::Pending => {
                        self.ground.seat.stranger(stranger);
                        return self.poll_patience(context, until).map(Err);
                    }
                }
            }
        })
        .await
    }

    /// The peer takes nothing any more. Why, it may have said before it went.
    async fn last_words(&mut self, machine: &mut impl Machine) {
        let until = self.ground.world.now().plus_seconds(FAREWELL_WAIT);
        while !self.ended && self.pending.is_empty() {
            let heard = poll_fn(|context| match self.poll_input(context, machine) {
                Poll::Pending => self.poll_nap(context, until).map(|()| false),
                Poll::Ready(heard) => Poll::Ready(heard.is_ok()),
            });
            if !heard.await {
                break;
            }
        }
        if !self.ended {
            self.ended = true;
            machine.end();
        }
    }

    /// From now on everything is deflated; `octets` and what is pending came packed.
    fn compress(&mut self, mut octets: Vec<u8>) {
        octets.append(&mut self.pending);
        self.pending = Vec::new();
        let stream = mem::replace(&mut self.stream, Stream::Gone);
        self.stream = Stream::Deflated(Box::new(Deflated::new(stream, octets)));
    }

    async fn handshake(&mut self) -> Result<Secured, End> {
        if !self.pending.is_empty() {
            return Err(End::Plaintext);
        }
        let stream = mem::replace(&mut self.stream, Stream::Gone);
        let (Some(tls), Stream::Plain(socket)) = (&self.ground.tls, stream) else {
            return Err(End::Broken);
        };
        let world = &*self.ground.world;
        let until = world.now().plus_seconds(HANDSHAKE_WAIT);
        self.ground.seat.stranger(true);
        let mut shake = Box::pin(shake(tls, socket));
        let shaken = poll_fn(|context| match shake.as_mut().poll(context) {
            Poll::Ready(shaken) => Poll::Ready(Ok(shaken)),
            Poll::Pending => self.poll_patience(context, until).map(Err),
        })
        .await;
        let failed = match shaken {
            Ok(Ok((stream, secured))) => {
                self.ground.seat.progress(world.now());
                self.stream = stream;
                return Ok(secured);
            }
            Ok(Err(error)) => error.to_string(),
            Err(End::Silent) => format!("not done after {HANDSHAKE_WAIT} s"),
            Err(end) => return Err(end),
        };
        if matches!(tls, Shake::Server(_)) {
            let peer = self.ground.seat.group();
            log::info!(target: "tls", "handshake with {peer} failed: {failed}");
        }
        Err(End::Tls(failed))
    }

    /// Says goodbye, and waits a little for the peer's, so that it sees the last reply.
    async fn close(mut self) {
        let world = &*self.ground.world;
        let until = world.now().plus_seconds(FAREWELL_WAIT).min(self.gone);
        let stays = self.ground.seat.word() == Word::Stay;
        self.ground.seat.stranger(true);
        let mut closed = false;
        let mut left = FAREWELL_OCTETS;
        poll_fn(|context| {
            if !closed {
                match Pin::new(&mut self.stream).poll_close(context) {
                    Poll::Ready(Ok(())) if stays && !self.ended => closed = true,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return self.poll_nap(context, until),
                }
            }
            loop {
                let mut octets = [0; 2048];
                match self.stream.poll_below(context, &mut octets) {
                    Poll::Ready(Ok(read)) if (1..left).contains(&read) => {
                        left = left.saturating_sub(read);
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return self.poll_nap(context, until),
                }
            }
        })
        .await;
    }

    /// While the peer is waited for: ready with an end when that takes too long.
    fn poll_patience(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<End> {
        if self.ground.seat.word() == Word::Leave {
            if self.gone == Instant::NEVER {
                self.gone = self.ground.world.now().plus_seconds(FAREWELL_WAIT);
            }
            return self
                .poll_nap(context, until.min(self.gone))
                .map(|()| End::Room);
        }
        // Anything else the house says can wait.
        let known = (self.ground.seat.word(), self.ground.seat.crowded());
        let _registered = self.ground.seat.poll_news(context, known);
        self.poll_nap(context, until).map(|()| End::Silent)
    }

    /// Ready once the clock has reached `until`. A nap that ends earlier is kept: most commands come
    /// long before their deadline, and would each cost a timer.
    fn poll_nap(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<()> {
        loop {
            let world = &*self.ground.world;
            if world.now() >= until {
                return Poll::Ready(());
            }
            match &mut self.nap {
                Some((at, nap)) if *at <= until => {
                    ready!(nap.as_mut().poll(context));
                    self.nap = None;
                }
                _ if until == Instant::NEVER => return Poll::Pending,
                _ => self.nap = Some((until, world.sleep(until))),
            }
        }
    }
}

async fn shake(side: &Shake, socket: Socket) -> io::Result<(Stream, Secured)> {
    match side {
        Shake::Client(outgoing) => {
            let stream = outgoing.trust.connect(socket, outgoing).await?;
            let secured = tls::secured(stream.get_ref().1);
            Ok((Stream::TlsOut(stream), secured))
        }
        Shake::Server(tls) => {
            let stream = tls.accept(socket).await?;
            let secured = tls::secured(stream.get_ref().1);
            Ok((Stream::Tls(stream), secured))
        }
    }
}

#[cfg(test)]
mod tests;
