use std::{rc::Rc, sync::Arc};

use super::*;
use crate::{
    base::{
        random::Random,
        time::{Instant, Time},
    },
    config::{Config, Sources},
    net::{
        resolve::Resolver,
        world::{Local, RealClock, RealWorld, World},
    },
    service::password::{Cost, Passwords},
    store::{Store, disk::local::LocalDisk, log::SEGMENT},
};

/// Clocks, and nobody outside.
#[derive(Debug)]
struct Alone(RealWorld);

impl World for Alone {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn time(&self) -> Time {
        self.0.time()
    }

    fn sleep(&self, until: Instant) -> Local<'static, ()> {
        self.0.sleep(until)
    }

    fn random(&self) -> &dyn Random {
        &self.0
    }
}

/// UX-56, UX-02: without a network it ends in time, each finding has its next step, and nobody is blamed.
#[test]
fn ux_56_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let options = crate::store::Options {
        cache: 1 << 20,
        message_size: 1 << 20,
        tiny: true,
        secret: [0; 16],
        folders: 0,
        segment: SEGMENT,
        clock: Arc::new(RealClock),
        keywords: 0,
    };
    let (store, writer, _) = Store::open(disk, options).unwrap();
    let world: Rc<dyn World> = Rc::new(Alone(RealWorld::new()));
    let cost = Cost {
        memory: 64,
        passes: 1,
        scram: 1,
    };
    let passwords = Passwords::new(cost, [0; 32]);
    let config = Config::load(&Sources::default()).unwrap();
    let context = |now| Context {
        store: &store,
        passwords: &passwords,
        config: &config,
        now,
        running: Some(status::Running::default()),
        renew: None,
        outbound: None,
        outside: Some(Outside {
            world: Rc::clone(&world),
            resolver: Rc::new(Resolver::new(Rc::clone(&world), Vec::new())),
        }),
        log: None,
    };
    let begun = world.now();
    let reply = async_io::block_on(operate(&context(world.time()))).unwrap();
    assert!(world.now().since(begun).as_secs() < 10);
    assert_eq!(reply.exit(), 2);
    let Reply::Findings(findings) = &reply else {
        panic!("{reply:?}");
    };
    assert!(findings.len() >= 7, "{findings:?}");
    for finding in findings {
        let silent = finding.breaks.is_empty() || finding.next.is_empty();
        let may_be = matches!(finding.state, State::Ok | State::Unknown);
        assert!(!silent || may_be, "{finding:?}");
    }
    let all = reply.text().join("\n");
    assert!(all.contains("failing: Looking up names (DNS): "), "{all}");
    assert!(!all.contains("blacklist"), "{all}");
    // UX-37: a clock that starts anew.
    let reply = async_io::block_on(operate(&context(Time(7)))).unwrap();
    let all = reply.text().join("\n");
    assert!(all.contains("failing: Clock: it says 1970-01-01"), "{all}");
    // What is paused is told.
    let pause = queue::Request::Pause;
    let paused = queue::operate(&context(world.time()), pause, false);
    async_io::block_on(paused).unwrap();
    let reply = async_io::block_on(operate(&context(world.time()))).unwrap();
    let all = reply.text().join("\n");
    assert!(
        all.contains("warning: Mail that waits (queue): nothing waits; sending is paused"),
        "{all}"
    );
    store.stop();
    writer.join().unwrap();
}
