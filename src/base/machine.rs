//! What every protocol session is: octets, time and answers go in; octets and questions come out.
//! A session never touches a socket, a clock, a random source or the store; one pump in `net::drive`
//! runs them all, and a test can be the pump.

use crate::base::time::Instant;

/// What the driver does next; after it, the driver steps the machine again.
#[derive(Debug)]
pub enum Step<Q, R> {
    /// Settle this question, then call [`Machine::answer`].
    Ask(Q),
    /// Send what was written, then end the connection. Nothing comes after it.
    Close,
    /// Send what was written, then deflate what is sent and inflate what comes (RFC 4978), beginning
    /// with these octets: they came before everything that comes now.
    Compress(Vec<u8>),
    /// Pieces of a message's content, dots and chunk framing removed. The driver hands them to the
    /// service, waits until they are taken, and steps again.
    Content(Vec<u8>),
    /// Feed octets to [`Machine::input`], or step again once `until` has passed or somebody called
    /// [`Machine::wake`].
    Read { until: Instant },
    /// Send a range of stored content without holding it in memory.
    Send(R),
    /// Send what was written, then begin the TLS handshake; call [`Machine::secured`] after it.
    StartTls,
    /// Send these octets. Replies to pipelined commands leave in one piece.
    Write(Vec<u8>),
}

/// What the peer proved and what was agreed on in a TLS handshake.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Secured {
    /// As a `Received:` line names it: `TLS1.3`, `TLS1.2`.
    pub version: String,
    /// The cipher suite's IANA name, `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The `tls-exporter` channel binding (RFC 9266), where the handshake has one.
    pub exporter: Option<[u8; 32]>,
}

/// A protocol session without IO.
pub trait Machine {
    type Question;
    type Answer;
    /// What [`Step::Send`] names; `()` where a protocol never sends content.
    type Range;

    /// True for the side that called: it learns from [`Machine::end`] that the peer takes nothing any
    /// more, and still gets what the peer said last.
    const CLIENT: bool = false;

    /// Takes octets from the peer and returns how many it took. Takes 0 only while it has a step to
    /// give that is not [`Step::Read`]: then step first, and offer the rest again.
    fn input(&mut self, octets: &[u8]) -> usize;

    /// The peer has closed its sending side; octets already taken are still worked off.
    fn end(&mut self);

    /// What to do next. Never blocks; `now` only moves forward.
    fn step(&mut self, now: Instant) -> Step<Self::Question, Self::Range>;

    /// The answer to the last [`Step::Ask`].
    fn answer(&mut self, answer: Self::Answer);

    /// If this question is whether somebody may log in: the answer "not now". To settle it may take
    /// long, and whoever asks it is the stranger that he was.
    fn not_now(_: &Self::Question) -> Option<Self::Answer> {
        None
    }

    /// Something happened that an idle session may want to tell (a new message during IDLE).
    fn wake(&mut self) {}

    /// The house closes or needs the place: say so (`421`, `* BYE`) and close as soon as no command
    /// is being carried out.
    fn stop(&mut self) {}

    /// Whether the house is crowded: waits become short (SR-24).
    fn crowded(&mut self, _: bool) {}

    /// True while nobody has logged in and no transaction makes progress: who is a stranger and
    /// silent longest makes room when the house is full (SR-24).
    fn stranger(&self) -> bool {
        true
    }

    /// The TLS handshake after [`Step::StartTls`] is done.
    fn secured(&mut self, _: Secured) {}
}
