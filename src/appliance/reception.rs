//! Where a connection meets its machine and its service: one arm for each kind of listener.

use std::{cell::Cell, rc::Rc, sync::Arc};

use crate::{
    appliance::{
        hall::{Caller, Kind},
        start::Appliance,
    },
    net::{
        drive::{self, End},
        world::Local,
    },
    policy::connection::Client,
    proto::{imap, smtp},
    service::{
        self, imap::Imap, login::Login, notify::Registry, password::Passwords, smtp::Door,
    },
};

/// What the services of an appliance share.
#[derive(Debug)]
pub struct Reception {
    smtp: Arc<smtp::server::Options>,
    doors: Rc<service::smtp::Shared>,
    imap: Rc<service::imap::Shared>,
    imap_options: imap::session::Options,
    /// A client on loopback may log in without TLS (`tls.plaintext_auth`).
    pub plaintext_loopback: Cell<bool>,
    pub registry: Rc<Registry>,
}

impl Reception {
    #[must_use]
    pub fn new(appliance: &Appliance, passwords: &Rc<Passwords>) -> Self {
        let plan = &appliance.plan;
        let (store, world) = (&appliance.store, &appliance.world);
        let registry = Rc::new(Registry::new(store.clone()));
        let login = Login::new(store.clone(), Rc::clone(passwords), Rc::clone(world));
        let login = Rc::new(login);
        let size_limit = plan.store.message_size;
        Self {
            smtp: Arc::new(smtp::server::Options {
                size_limit,
                ..smtp::server::Options::new(plan.hostname.clone())
            }),
            doors: Rc::new(service::smtp::Shared::new(
                store.clone(),
                Rc::clone(world),
                Rc::clone(&login),
                service::smtp::Options::new(plan.hostname.clone()),
            )),
            imap: Rc::new(service::imap::Shared::new(
                store.clone(),
                Rc::clone(&registry),
                login,
                Rc::clone(world),
                service::imap::Options {
                    message_size: size_limit,
                    per_person: plan.imap_sessions_per_person,
                },
            )),
            imap_options: imap::session::Options {
                append_limit: match size_limit {
                    0 => u64::MAX,
                    limit => limit,
                },
                ..imap::session::Options::default()
            },
            plaintext_loopback: Cell::new(plan.settings.plaintext_loopback),
            registry,
        }
    }

    /// The session of a connection, from its first octet to its last.
    #[must_use]
    pub fn session(&self, caller: Caller) -> Local<'static, End> {
        let peer = caller.peer.ip().to_canonical();
        match caller.kind {
            Kind::Mx => {
                let machine =
                    smtp::server::Session::new(Arc::clone(&self.smtp), caller.ground.world.now());
                let client = Client::new(peer, None);
                let service = Door::new(
                    Rc::clone(&self.doors),
                    service::smtp::Kind::Mx,
                    client,
                    caller.secured,
                );
                let mut parts = Box::new((machine, service));
                Box::pin(async move {
                    let (machine, service) = &mut *parts;
                    drive::drive(&caller.ground, caller.stream, machine, service).await
                })
            }
            Kind::Imap | Kind::Imaps => {
                let options = imap::session::Options {
                    login: caller.secured.is_some()
                        || (self.plaintext_loopback.get() && peer.is_loopback()),
                    ..self.imap_options
                };
                let machine = imap::session::Session::new(options);
                let service = Imap::new(Rc::clone(&self.imap), peer);
                let mut parts = Box::new((machine, service));
                Box::pin(async move {
                    let (machine, service) = &mut *parts;
                    drive::drive(&caller.ground, caller.stream, machine, service).await
                })
            }
        }
    }
}
