//! The administrator's tables and everybody's secrets.

use std::sync::Arc;

use pillarbox::{
    base::{id::UserId, ranges::Ranges, secret::Secret, time::Time},
    mail::flag::Flags,
    store::{
        Options, Reader, Refusal, Reply, Request, Store,
        directory::{
            Access, Alias, Device, DkimAlgorithm, DkimKey, DkimState, DomainClass, Edit,
            FromRewrite, NewAppPassword, Route, RouteTls, ScramKeys, Swap, Transport,
        },
        log,
        request::FlagMode,
    },
};

use crate::{
    disk::State,
    model::Wish,
    script,
    world::{World, options},
};

fn begun() -> World {
    let mut world = World::new(State::default());
    world.open().unwrap();
    script::settle_in(&mut world).unwrap();
    world
}

fn ask(world: &mut World, request: Request) -> Result<Reply, Refusal> {
    let store = world.store();
    world.drive(store.request(request))
}

fn alias(target: &str) -> Alias {
    Alias {
        targets: vec![target.to_owned()],
        enabled: true,
        srs: None,
    }
}

fn edit(name: &str, was: Option<&Alias>, now: Option<&Alias>) -> Edit {
    Edit::Alias(Swap {
        name: name.to_owned(),
        was: was.cloned(),
        now: now.cloned(),
    })
}

fn route(password: &str) -> Route {
    Route {
        hosts: vec!["mail.away.test".to_owned()],
        port: 587,
        tls: RouteTls::StartTls,
        user: Some("home".to_owned()),
        password: Secret::new(password.as_bytes().to_vec()),
        from_rewrite: FromRewrite::Off,
        from: None,
        secret_in: 0,
    }
}

fn swap_route(was: Option<Route>, now: Option<Route>) -> Request {
    let name = "out".to_owned();
    Request::Edit(vec![Edit::Route(Swap { name, was, now })])
}

/// As big as segments really are.
fn spacious() -> World {
    let mut world = World::new(State::default());
    let options = Options {
        segment: log::SEGMENT,
        ..options(&world.clock)
    };
    let disk = Arc::new(world.disk.clone());
    world.stepped = Some(Store::open_stepped(disk, options, false).unwrap());
    script::settle_in(&mut world).unwrap();
    world
}

#[test]
fn ten_thousand_aliases_at_once_or_none() {
    let mut world = spacious();
    let row = alias("anna@home.test");
    let names: Vec<String> = (0..10_000).map(|n| format!("a{n:05}@home.test")).collect();
    let mut edits: Vec<Edit> = names
        .iter()
        .map(|name| edit(name, None, Some(&row)))
        .collect();
    let other = alias("bert@home.test");
    // One row is there already.
    let one = edit("a09999@home.test", None, Some(&other));
    ask(&mut world, Request::Edit(vec![one])).unwrap();
    let refused = ask(&mut world, Request::Edit(edits.clone()));
    assert!(matches!(refused, Err(Refusal::Changed)));
    let count = |world: &World| {
        let store = world.store();
        store
            .read(|reader| reader.aliases(None, 20_000))
            .unwrap()
            .len()
    };
    assert_eq!(count(&world), 1);
    edits.pop();
    edits.push(edit("a09999@home.test", Some(&other), Some(&row)));
    let before = world.store().read(Reader::sequence).unwrap();
    ask(&mut world, Request::Edit(edits)).unwrap();
    let after = world.store().read(Reader::sequence).unwrap();
    assert_eq!((count(&world), after), (10_000, before + 1));
    let edits = names.iter().map(|name| edit(name, Some(&row), None));
    ask(&mut world, Request::Edit(edits.collect())).unwrap();
    assert_eq!(count(&world), 0);
}

#[test]
fn more_than_a_change_holds() {
    let mut world = spacious();
    let row = alias(&"x".repeat(1000));
    let edits = (0..5000).map(|n| edit(&format!("a{n}@home.test"), None, Some(&row)));
    let refused = ask(&mut world, Request::Edit(edits.collect()));
    let Err(Refusal::Limit { name, limit }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((name, limit), ("octets of a change", 4 << 20));
    let there = world
        .store()
        .read(|reader| reader.aliases(None, 1))
        .unwrap();
    assert_eq!(there, []);
}

#[test]
fn a_few_rows_fit_onto_a_crowded_disk() {
    let mut world = spacious();
    // Less than what is kept free, more than half of that.
    world.disk.lock().total = 40 * 1024 * 1024;
    world.pass(1000);
    let row = alias("anna@home.test");
    let edits = |count| {
        let names = (0..count).map(|n| format!("a{n}@home.test"));
        Request::Edit(names.map(|name| edit(&name, None, Some(&row))).collect())
    };
    let refused = ask(&mut world, edits(10_000));
    assert!(matches!(refused, Err(Refusal::Full)), "{refused:?}");
    ask(&mut world, edits(3)).unwrap();
}

#[test]
fn what_is_twice_in_one_edit_is_refused() {
    let mut world = begun();
    let row = alias("anna@home.test");
    let twice = vec![
        edit("info@home.test", None, Some(&row)),
        edit("info@home.test", None, Some(&row)),
    ];
    let refused = ask(&mut world, Request::Edit(twice));
    assert!(matches!(refused, Err(Refusal::Exists)));
}

#[test]
fn every_table_by_name() {
    let mut world = begun();
    let named = |name: &str| name.to_owned();
    let access = Access { allow: false };
    let target = "smtp:[192.0.2.1]:25".to_owned();
    let transport = Transport { target, tls: None };
    let recipient = |name: &str| {
        Edit::Recipient(Swap {
            name: named(name),
            was: None,
            now: Some(()),
        })
    };
    let edits = vec![
        Edit::Access(Swap {
            name: named("192.0.2.0/24"),
            was: None,
            now: Some(access.clone()),
        }),
        Edit::Transport(Swap {
            name: named(".away.test"),
            was: None,
            now: Some(transport.clone()),
        }),
        recipient("b@relay.test"),
        recipient("a@relay.test"),
        recipient("a@x.relay.test"),
        edit("info@home.test", None, Some(&alias("a@away.test"))),
        edit("@home.test", None, Some(&alias("b@away.test"))),
        edit("z@aaa.test", None, Some(&alias("c@away.test"))),
    ];
    ask(&mut world, Request::Edit(edits)).unwrap();
    ask(&mut world, swap_route(None, Some(route("hush")))).unwrap();
    let store = world.store();
    store
        .read(|reader| {
            assert_eq!(reader.access_list()?, [(named("192.0.2.0/24"), access)]);
            assert_eq!(reader.transport(".away.test")?, Some(transport.clone()));
            assert_eq!(reader.transports()?, [(named(".away.test"), transport)]);
            assert_eq!(reader.route("out")?.map(|row| row.port), Some(587));
            assert_eq!(reader.routes()?.len(), 1);
            assert!(reader.recipient("a@relay.test")?);
            assert!(!reader.recipient("c@relay.test")?);
            let listed = reader.recipients("relay.test", None, 9)?;
            assert_eq!(listed, ["a@relay.test", "b@relay.test"]);
            let listed = reader.recipients("relay.test", Some("a@relay.test"), 9)?;
            assert_eq!(listed, ["b@relay.test"]);
            let sources = |rows: Vec<(String, Alias)>| -> Vec<String> {
                rows.into_iter().map(|(name, _)| name).collect()
            };
            let all = sources(reader.aliases(None, 9)?);
            assert_eq!(all, ["z@aaa.test", "@home.test", "info@home.test"]);
            let rest = sources(reader.aliases(Some("@home.test"), 9)?);
            assert_eq!(rest, ["info@home.test"]);
            let of = sources(reader.aliases_of("home.test", None, 1)?);
            assert_eq!(of, ["@home.test"]);
            assert_eq!(
                sources(reader.aliases_of("aaa.test", Some("z@aaa.test"), 1)?),
                [""; 0]
            );
            assert_eq!(reader.alias("@home.test")?, Some(alias("b@away.test")));
            assert_eq!(reader.alias("nobody@home.test")?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_domain_goes_when_nobody_is_in_it() {
    let mut world = begun();
    let named = |name: &str| name.to_owned();
    let class = DomainClass::Relay;
    let name = named("relay.test");
    ask(
        &mut world,
        Request::AddDomain {
            name,
            class,
            listed: false,
        },
    )
    .unwrap();
    let row = alias("anna@home.test");
    let recipient = Edit::Recipient(Swap {
        name: named("a@relay.test"),
        was: None,
        now: Some(()),
    });
    let edits = vec![edit("info@relay.test", None, Some(&row)), recipient];
    ask(&mut world, Request::Edit(edits)).unwrap();
    let listed = |listed| Request::SetDomainListed {
        name: named("relay.test"),
        listed,
    };
    ask(&mut world, listed(true)).unwrap();
    let store = world.store();
    let there = store.read(|reader| reader.domain("relay.test")).unwrap();
    assert!(there.unwrap().listed);
    let holds = |name: &str| store.read(|reader| reader.domain_holds(name)).unwrap();
    assert_eq!(holds("relay.test"), (false, true));
    assert_eq!(holds("home.test"), (true, false));
    for name in ["relay.test", "home.test"] {
        let refused = ask(&mut world, Request::RemoveDomain { name: named(name) });
        assert!(matches!(refused, Err(Refusal::NotEmpty)));
    }
    let gone = edit("info@relay.test", Some(&row), None);
    ask(&mut world, Request::Edit(vec![gone])).unwrap();
    let remove = || Request::RemoveDomain {
        name: named("relay.test"),
    };
    ask(&mut world, remove()).unwrap();
    assert!(matches!(ask(&mut world, remove()), Err(Refusal::NoDomain)));
    assert!(matches!(
        ask(&mut world, listed(true)),
        Err(Refusal::NoDomain)
    ));
    // Who comes back finds no old list.
    assert!(
        !store
            .read(|reader| reader.recipient("a@relay.test"))
            .unwrap()
    );
}

fn app(name: &str, secret: [u8; 32]) -> NewAppPassword {
    NewAppPassword {
        name: name.to_owned(),
        sha256: secret,
        scram: ScramKeys {
            stored: secret,
            server: [2; 32],
        },
    }
}

fn credentials(world: &World) -> u64 {
    let row = world.store().read(|reader| reader.user(UserId(1))).unwrap();
    row.unwrap().credentials
}

#[test]
fn su_8_app_passwords() {
    let mut world = begun();
    let user = UserId(1);
    let mut add = |name: &str| {
        let app = app(name, [7; 32]);
        match ask(&mut world, Request::AddAppPassword { user, app }) {
            Ok(Reply::AppPassword(id)) => id,
            other => panic!("{other:?}"),
        }
    };
    let (phone, laptop) = (add("phone"), add("laptop"));
    assert_ne!(phone, laptop);
    assert_eq!(credentials(&world), 1);
    let store = world.store();
    let shown = |world: &World| {
        let store = world.store();
        let all = store.read(|reader| reader.app_passwords(user)).unwrap();
        let all = all.into_iter().map(|(id, app)| (id, app.name, app.used));
        all.collect::<Vec<_>>()
    };
    // Nobody waits for it, and it is kept to the hour.
    for seconds in [5000, 5001, 8599] {
        let time = Time(seconds);
        let request = Request::UsedAppPassword {
            user,
            id: phone,
            time,
        };
        assert!(matches!(ask(&mut world, request), Ok(Reply::Done)));
        world.drive(store.settle()).unwrap();
    }
    let names = [
        (phone, "phone".to_owned(), Some(Time(5000))),
        (laptop, "laptop".to_owned(), None),
    ];
    assert_eq!(shown(&world), names);
    let remove = || Request::RemoveAppPassword { user, id: phone };
    ask(&mut world, remove()).unwrap();
    assert_eq!(shown(&world), names[1..]);
    assert_eq!(credentials(&world), 2);
    assert!(matches!(ask(&mut world, remove()), Err(Refusal::NoEntry)));
    // A number is not given again.
    let again = Request::AddAppPassword {
        user,
        app: app("new", [7; 32]),
    };
    let id = ask(&mut world, again).unwrap();
    assert!(matches!(id, Reply::AppPassword(id) if id > laptop));
    let nobody = Request::AddAppPassword {
        user: UserId(99),
        app: app("new", [7; 32]),
    };
    assert!(matches!(ask(&mut world, nobody), Err(Refusal::NoUser)));
}

#[test]
fn st_6_the_same_password_in_another_form() {
    let mut world = begun();
    let set = |password: &str, changed| Request::SetPassword {
        user: UserId(1),
        password: Secret::new(password.as_bytes().to_vec()),
        scram: None,
        scram_salt: [9; 16],
        scram_count: 10_000,
        changed,
        was: None,
    };
    ask(&mut world, set("$argon2id$form", false)).unwrap();
    let store = world.store();
    let row = store
        .read(|reader| reader.user(UserId(1)))
        .unwrap()
        .unwrap();
    assert_eq!(row.password.reveal(), b"$argon2id$form");
    assert_eq!((row.scram_salt, row.scram_count), ([9; 16], 10_000));
    assert_eq!((row.scram, row.credentials), (None, 1));
    ask(&mut world, set("$argon2id$new", true)).unwrap();
    assert_eq!(credentials(&world), 2);
}

/// Whether octets are anywhere in log or dumps.
fn is_there(world: &World, secret: &[u8]) -> bool {
    let state = world.disk.state();
    let names = state.names().filter(|name| name.contains('/'));
    let mut files = names.map(|name| state.octets(name));
    files.any(|octets| octets.windows(secret.len()).any(|part| part == secret))
}

/// Mail that stays, more than a segment of it: two of these are just over half of one, so that it is
/// not emptied for its own sake.
fn fill(world: &mut World, tag: u64) {
    for tag in tag..tag + 4 {
        let deliver = Wish::Deliver(tag * 3 + 1, 65_000, vec![1]);
        world.ask(&[deliver]).unwrap();
    }
}

/// Housekeeping, with a write now and then, so that there is a newer segment.
fn tidy(world: &mut World) {
    for _ in 0..6 {
        world.housekeep(300);
        world.pass(61_000);
        let set = Wish::Set("a.setting".to_owned(), None).request(None);
        ask(world, set).unwrap();
    }
}

/// A secret that goes leaves the log and the dumps, whatever else lives in its segment.
#[test]
fn secrets_leave_the_medium() {
    let mut world = begun();
    let user = UserId(1);
    let add = Request::AddAppPassword {
        user,
        app: app("phone", [0xa7; 32]),
    };
    let Ok(Reply::AppPassword(id)) = ask(&mut world, add) else {
        panic!("no app password");
    };
    fill(&mut world, 100);
    ask(&mut world, swap_route(None, Some(route("r0ute-hush")))).unwrap();
    fill(&mut world, 200);
    let user_2 = Request::AddAppPassword {
        user: UserId(2),
        app: app("phone", [0xb8; 32]),
    };
    ask(&mut world, user_2).unwrap();
    fill(&mut world, 300);
    let secrets: [&[u8]; 3] = [&[0xa7; 32], b"r0ute-hush", &[0xb8; 32]];
    let store = world.store();
    let was = store.read(|reader| reader.route("out")).unwrap();
    let without = Route {
        password: Secret::default(),
        ..was.clone().unwrap()
    };
    let requests = [
        Request::RemoveAppPassword { user, id },
        swap_route(was, Some(without)),
        Request::RemoveUser {
            user: UserId(2),
            purge: true,
        },
    ];
    for (request, secret) in requests.into_iter().zip(secrets) {
        assert!(is_there(&world, secret));
        ask(&mut world, request).unwrap();
        tidy(&mut world);
        assert!(!is_there(&world, secret), "{secret:?}");
    }
}

fn dkim_key(private: &[u8]) -> DkimKey {
    DkimKey {
        algorithm: DkimAlgorithm::Ed25519,
        private: Secret::new(private.to_vec()),
        public: vec![7; 32],
        state: DkimState::Pending,
        made: Time(5),
        retired: None,
        secret_in: 0,
    }
}

fn swap_key(name: &str, was: Option<DkimKey>, now: Option<DkimKey>) -> Request {
    let name = name.to_owned();
    Request::Edit(vec![Edit::DkimKey(Swap { name, was, now })])
}

/// A domain's keys are found by its name, and leave the medium when they go or it goes.
#[test]
fn keys_leave_the_medium() {
    let mut world = begun();
    let add_domain = |name: &str| Request::AddDomain {
        name: name.to_owned(),
        class: DomainClass::Alias,
        listed: false,
    };
    ask(&mut world, add_domain("keys.test")).unwrap();
    let (one, two) = ("keys.test/e202611", "keys.test/r202611");
    for (name, secret) in [
        (one, &b"k3y-one"[..]),
        (two, b"k3y-two"),
        ("keys.test.other/e1", b"k3y-else"),
    ] {
        ask(&mut world, swap_key(name, None, Some(dkim_key(secret)))).unwrap();
    }
    let store = world.store();
    let keys = |domain: &str| store.read(|reader| reader.dkim_keys(domain)).unwrap();
    let selectors = |domain: &str| -> Vec<String> {
        let keys = keys(domain).into_iter();
        keys.map(|(selector, _)| selector).collect()
    };
    assert_eq!(selectors("keys.test"), ["e202611", "r202611"]);
    assert_eq!(selectors("keys.test.other"), ["e1"]);
    assert_eq!(selectors("keys"), [""; 0]);
    fill(&mut world, 100);
    // It signs; the text of it that was logged first goes, the one that is logged with it stays.
    let was = keys("keys.test").remove(0).1;
    let now = DkimKey {
        state: DkimState::Active,
        ..was.clone()
    };
    ask(&mut world, swap_key(one, Some(was.clone()), Some(now))).unwrap();
    let stale = ask(&mut world, swap_key(one, Some(was), None));
    assert!(matches!(stale, Err(Refusal::Changed)));
    fill(&mut world, 200);
    let was = keys("keys.test").remove(0).1;
    ask(&mut world, swap_key(one, Some(was), None)).unwrap();
    tidy(&mut world);
    assert!(!is_there(&world, b"k3y-one"));
    assert!(is_there(&world, b"k3y-two"));
    let name = "keys.test".to_owned();
    ask(&mut world, Request::RemoveDomain { name }).unwrap();
    tidy(&mut world);
    assert_eq!(selectors("keys.test"), [""; 0]);
    assert!(!is_there(&world, b"k3y-two"));
    assert!(is_there(&world, b"k3y-else"));
}

#[test]
fn devices_by_name() {
    let mut world = begun();
    let device = Device {
        addresses: vec!["192.0.2.7/32".to_owned()],
        senders: vec!["scan@home.test".to_owned()],
        recipients: Vec::new(),
        rate: 60,
        enabled: true,
    };
    let swap = |was: Option<&Device>, now: Option<&Device>| {
        Request::Edit(vec![Edit::Device(Swap {
            name: "scanner".to_owned(),
            was: was.cloned(),
            now: now.cloned(),
        })])
    };
    ask(&mut world, swap(None, Some(&device))).unwrap();
    let store = world.store();
    let all = store.read(Reader::devices).unwrap();
    assert_eq!(all, [("scanner".to_owned(), device.clone())]);
    let twice = ask(&mut world, swap(None, Some(&device)));
    assert!(matches!(twice, Err(Refusal::Changed)));
    ask(&mut world, swap(Some(&device), None)).unwrap();
    assert_eq!(store.read(Reader::devices).unwrap(), []);
}

/// The file of a segment that held a secret is not used again: octets that are not written over yet
/// would outlive the secret, and nobody would know where.
#[test]
fn files_with_secrets_are_not_used_again() {
    let mut world = begun();
    ask(&mut world, swap_route(None, Some(route("r0ute-hush")))).unwrap();
    for tag in 0..12 {
        let deliver = Wish::Deliver(tag * 3 + 1, 65_000, vec![2]);
        world.ask(&[deliver]).unwrap();
    }
    let inbox = world.view().inbox(2).unwrap();
    let all = Ranges::span(1, 99);
    let gone = Wish::Flag(inbox, all, FlagMode::Add, Flags::DELETED, vec![]);
    world.ask(&[gone, Wish::Expunge(inbox, None)]).unwrap();
    tidy(&mut world);
    let state = world.disk.state();
    let names: Vec<&str> = state.names().filter(|n| n.starts_with("log/")).collect();
    assert!(names.len() < 6, "{names:?}");
    for name in names {
        let octets = state.octets(name);
        assert!(
            !octets.windows(10).any(|part| part == b"r0ute-hush"),
            "{name}"
        );
    }
}
