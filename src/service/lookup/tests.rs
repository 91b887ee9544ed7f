//! The rows of a store, as routing sees them.

use std::sync::Arc;

use smol::block_on;

use super::*;
use crate::{
    base::secret::Secret,
    mail::path::parse_forward,
    net::world::RealClock,
    routing::{Destination, Options, Refusal, Rights, route},
    store::{
        self,
        directory::{Alias, Edit, FromRewrite, Route, RouteTls, Swap, Transport},
        disk::local::LocalDisk,
        log::SEGMENT,
        request::Request,
    },
};

/// A store in a folder, which goes with it.
pub fn in_folder() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let options = store::Options {
        cache: 1 << 20,
        message_size: 1 << 24,
        tiny: true,
        segment: SEGMENT,
        secret: [7; 16],
        folders: 0,
        keywords: 0,
        clock: Arc::new(RealClock),
    };
    let (store, _, _) = Store::open(disk, options).unwrap();
    (store, folder)
}

struct Rooms {
    store: Store,
    options: RefCell<Options>,
    _folder: tempfile::TempDir,
}

impl Rooms {
    fn new() -> Self {
        let (store, folder) = in_folder();
        Self {
            store,
            options: RefCell::default(),
            _folder: folder,
        }
    }

    fn ask(&self, request: Request) {
        block_on(self.store.request(request)).unwrap();
    }

    fn domain(&self, name: &str, class: DomainClass) {
        self.ask(Request::AddDomain {
            name: name.to_owned(),
            class,
            listed: false,
        });
    }

    fn user(&self, address: &str) -> UserId {
        self.ask(Request::AddUser {
            address: address.to_owned(),
            password: Secret::new(b"x".to_vec()),
            scram: None,
            scram_salt: [0; 16],
            scram_count: 0,
            quota: 0,
        });
        self.store
            .read(|reader| reader.user_named(address))
            .unwrap()
            .unwrap()
    }

    fn set(&self, key: &str, value: &str) {
        self.ask(Request::Set {
            key: key.to_owned(),
            value: Some(value.to_owned()),
        });
    }

    fn transport(&self, pattern: &str, target: &str) {
        let target = target.to_owned();
        self.ask(Request::Edit(vec![Edit::Transport(added(
            pattern,
            Transport { target, tls: None },
        ))]));
    }

    fn led(&self, recipient: &str) -> Result<Vec<Destination>, Refusal> {
        let path = parse_forward(recipient).unwrap();
        let options = self.options.borrow();
        look(&self.store, |rows| {
            route(rows, &options, Rights::Stranger, &path).outcome
        })
        .unwrap()
    }
}

fn added<T>(name: &str, now: T) -> Swap<T> {
    Swap {
        name: name.to_owned(),
        was: None,
        now: Some(now),
    }
}

fn alias(target: &str, enabled: bool) -> Alias {
    Alias {
        targets: vec![target.to_owned()],
        enabled,
        srs: Some(false),
    }
}

fn mailbox(user: UserId, address: &str) -> Vec<Destination> {
    vec![Destination::Mailbox {
        user,
        address: address.to_owned(),
    }]
}

fn queued(address: &str, transport: &str) -> Vec<Destination> {
    vec![Destination::Queue {
        address: address.to_owned(),
        srs: false,
        transport: Some(transport.to_owned()),
    }]
}

#[test]
fn ac_1_and_ac_7_rows_take_effect_at_once_and_those_that_are_off_are_absent() {
    let house = Rooms::new();
    assert_eq!(house.led("<alice@home.test>"), Err(Refusal::Foreign));
    house.domain("home.test", DomainClass::Mailbox);
    assert_eq!(house.led("<alice@home.test>"), Err(Refusal::Unknown));
    assert_eq!(house.led("<abuse@home.test>"), Err(Refusal::Nobody));
    let alice = house.user("alice@home.test");
    let bob = house.user("bob@home.test");
    assert_eq!(
        house.led("<alice@home.test>"),
        Ok(mailbox(alice, "alice@home.test"))
    );
    assert_eq!(
        house.led("<abuse@home.test>"),
        Ok(mailbox(alice, "abuse@home.test"))
    );
    house.options.borrow_mut().postmaster = Some("bob@home.test".to_owned());
    assert_eq!(
        house.led("<abuse@home.test>"),
        Ok(mailbox(bob, "abuse@home.test"))
    );

    house.ask(Request::Edit(vec![
        Edit::Alias(added("info@home.test", alias("bob@home.test", true))),
        Edit::Alias(added("sales@home.test", alias("bob@home.test", false))),
    ]));
    assert_eq!(
        house.led("<info@home.test>"),
        Ok(mailbox(bob, "bob@home.test"))
    );
    assert_eq!(house.led("<sales@home.test>"), Err(Refusal::Unknown));

    let enable = |user, enabled| house.ask(Request::SetUserEnabled { user, enabled });
    enable(bob, false);
    assert_eq!(house.led("<bob@home.test>"), Err(Refusal::Unknown));
    assert_eq!(house.led("<info@home.test>"), Err(Refusal::Unknown));
    assert_eq!(
        house.led("<abuse@home.test>"),
        Ok(mailbox(alice, "abuse@home.test"))
    );
    enable(bob, true);
    let name = "home.test".to_owned();
    house.ask(Request::SetDomainEnabled {
        name,
        enabled: false,
    });
    assert_eq!(house.led("<bob@home.test>"), Err(Refusal::Foreign));
}

#[test]
fn ac_5_fw_11_and_tr_12_lists_transports_and_routes() {
    let house = Rooms::new();
    house.domain("relay.test", DomainClass::Relay);
    house.domain("home.test", DomainClass::Mailbox);
    house.transport("relay.test", "smtp:[192.0.2.1]");
    let passed = queued("known@relay.test", "smtp:[192.0.2.1]");
    assert_eq!(house.led("<known@relay.test>"), Ok(passed.clone()));
    let name = "relay.test".to_owned();
    house.ask(Request::SetDomainListed { name, listed: true });
    assert_eq!(house.led("<known@relay.test>"), Err(Refusal::Unknown));
    house.ask(Request::Edit(vec![Edit::Recipient(added(
        "known@relay.test",
        (),
    ))]));
    assert_eq!(house.led("<known@relay.test>"), Ok(passed));

    house.ask(Request::Edit(vec![Edit::Alias(added(
        "out@home.test",
        alias("x@away.test", true),
    ))]));
    house.set(DEFAULT_ROUTE, "smart");
    assert_eq!(house.led("<out@home.test>"), Err(Refusal::LookupFailed));
    let route = Route {
        hosts: vec!["smart.test".to_owned()],
        port: 25,
        tls: RouteTls::StartTls,
        user: None,
        password: Secret::new(Vec::new()),
        from_rewrite: FromRewrite::Off,
        from: None,
        secret_in: 0,
    };
    house.ask(Request::Edit(vec![Edit::Route(added("smart", route))]));
    assert_eq!(
        house.led("<out@home.test>"),
        Ok(queued("x@away.test", "relay:smart"))
    );
    house.transport("*", "relay:other");
    assert_eq!(house.led("<out@home.test>"), Err(Refusal::LookupFailed));
    house.transport("x@away.test", "lmtp:unix:/run/x");
    assert_eq!(
        house.led("<out@home.test>"),
        Ok(queued("x@away.test", "lmtp:unix:/run/x"))
    );
}
