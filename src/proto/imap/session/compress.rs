//! COMPRESS=DEFLATE (RFC 4978). Deflating is the driver's; here is who may have it.

use super::{Completion, Phase, Session, Work};
use crate::base::machine::{Machine as _, Step};
use crate::base::memory::{Held, Memory};

/// What a compressed connection takes: both windows and what finds repetitions, in octets.
const OCTETS: u64 = 400 << 10;

/// How many connections may be compressed at once, over all sessions.
#[derive(Clone, Debug)]
pub struct Places {
    /// Counted one by one.
    pub count: Memory,
    pub memory: Memory,
}

impl Places {
    fn take(&self) -> Option<(Held, Held)> {
        Some((self.count.hold(1)?, self.memory.hold(OCTETS)?))
    }
}

/// How far a session is with it.
#[derive(Debug)]
pub(super) enum Compression {
    Active { _held: Box<(Held, Held)> },
    Never,
    Possible(Box<Places>),
}

impl Session {
    /// Lets the client switch compression on while there is a place.
    pub fn compression(&mut self, places: Places) {
        self.compression = Compression::Possible(Box::new(places));
    }

    /// Whether COMPRESS would be carried out now.
    pub(super) fn may_compress(&self) -> bool {
        match &self.compression {
            Compression::Active { .. } | Compression::Never => false,
            Compression::Possible(places) => places.take().is_some(),
        }
    }

    pub(super) fn compress(&mut self) {
        let held = match &self.compression {
            Compression::Active { .. } => {
                let completion = Completion::no("The connection is compressed already");
                return self.complete(&completion.with_code("COMPRESSIONACTIVE"));
            }
            Compression::Never => None,
            Compression::Possible(places) => places.take(),
        };
        let Some(held) = held else {
            let completion = Completion::no("Too many connections are compressed");
            return self.complete(&completion.with_code("LIMIT"));
        };
        self.compression = Compression::Active {
            _held: Box::new(held),
        };
        self.complete(&Completion::ok("DEFLATE active"));
        if matches!(self.phase, Phase::Command) {
            self.phase = Phase::Compress;
        }
    }

    /// The last word in clear goes out; what the client said after its own is compressed.
    pub(super) fn compressed(&mut self) -> Work {
        if !self.out.is_empty() {
            self.out.flush();
            return Work::Again;
        }
        self.phase = Phase::Command;
        let octets = self.input.rest().to_vec();
        self.input.clear();
        Work::Step(Step::Compress(octets))
    }

    /// What the server can do, as the client is told now.
    pub(super) fn capabilities(&self) -> String {
        let authenticated = !self.stranger();
        super::super::capability::list(&super::super::capability::Told {
            authenticated,
            login: self.may_log_in(),
            starttls: self.may_secure(),
            bound: self.exporter.is_some(),
            append_limit: self.options.append_limit,
            compress: authenticated && self.may_compress(),
        })
    }
}
