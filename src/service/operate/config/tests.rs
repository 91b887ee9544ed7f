use std::{cell::RefCell, sync::Arc};

use super::*;
use crate::{
    config::Sources,
    net::world::{RealClock, RealWorld, World as _},
    service::{
        operate::{Call, operate, status::Running},
        password::{Cost, Passwords},
    },
    store::{Store, disk::local::LocalDisk},
};

#[test]
fn what_waits_for_a_restart_is_told() {
    let mut row = Row {
        plain: String::new(),
        key: "listen.mx".to_owned(),
        value: "\"[::]:25\"".to_owned(),
        from: "default".to_owned(),
        waiting: None,
    };
    assert_eq!(row.text(), "listen.mx = \"[::]:25\"");
    row.waiting = Some("\"[::]:2525\" (file, line 3)".to_owned());
    assert_eq!(
        row.text(),
        "listen.mx = \"[::]:25\" # after a restart \"[::]:2525\" (file, line 3)"
    );
}

/// A running box: its store, the file's text, and what is in effect.
struct Bench {
    store: Store,
    file: RefCell<String>,
    effect: RefCell<Rc<Config>>,
}

impl Bench {
    fn load(&self) -> Result<Config, String> {
        let file = self.file.borrow();
        let sources = Sources {
            file: Some(&file),
            file_name: "/etc/p.toml",
            store: self.store.read(store::Reader::settings).unwrap(),
            ..Sources::default()
        };
        Config::load(&sources).map_err(|mistakes| mistakes[0].line("/etc/p.toml"))
    }

    fn renew(&self) -> Result<Rc<Config>, String> {
        let new = Rc::new(self.effect.borrow().renewed(self.load()?));
        *self.effect.borrow_mut() = Rc::clone(&new);
        Ok(new)
    }

    fn ask(&self, request: Request, dry_run: bool) -> Result<String, (Kind, String)> {
        let world = RealWorld::new();
        let cost = Cost {
            memory: 64,
            passes: 1,
            scram: 1,
        };
        let passwords = Passwords::new(cost, [0; 32]);
        let config = Rc::clone(&self.effect.borrow());
        let renew = || self.renew();
        let context = Context {
            store: &self.store,
            passwords: &passwords,
            config: &config,
            now: world.time(),
            running: Some(Running::default()),
            renew: Some(Renew(&renew)),
            outbound: None,
            outside: None,
            log: None,
        };
        let call = Call {
            request: crate::service::operate::Request::Config(request),
            dry_run,
        };
        match async_io::block_on(operate(&context, call)) {
            Ok(Reply::Done(text)) => Ok(text),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err((problem.kind, problem.text)),
        }
    }

    fn set(&self, key: &str, value: &str) -> Result<String, (Kind, String)> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.ask(Request::Set { key, value }, false)
    }

    fn unset(&self, key: &str) -> Result<String, (Kind, String)> {
        let key = key.to_owned();
        self.ask(Request::Unset { key }, false)
    }
}

#[test]
fn a_running_box_takes_live_keys_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let (store, writer, _) = Store::open(
        disk,
        store::Options {
            cache: 1 << 20,
            message_size: 1 << 20,
            tiny: true,
            secret: [0; 16],
            folders: 0,
            segment: store::log::SEGMENT,
            clock: Arc::new(RealClock),
            keywords: 0,
        },
    )
    .unwrap();
    let config = Config::load(&Sources::default()).unwrap();
    let running = Bench {
        store,
        file: RefCell::default(),
        effect: RefCell::new(Rc::new(config)),
    };
    let done = |text: &str| Ok(text.to_owned());
    assert_eq!(
        running.set("limit.smtp_sessions", "7"),
        done("limit.smtp_sessions = 7; in effect")
    );
    let number = |key: &Key| running.effect.borrow().number(key);
    assert_eq!(number(&schema::LIMIT_SMTP_SESSIONS), 7);
    assert_eq!(
        running.set("limit.folders", "7"),
        done("limit.folders = 7; in effect after a restart")
    );
    assert_eq!(number(&schema::LIMIT_FOLDERS), 1000);
    // The value that is in effect waits for nothing.
    assert_eq!(
        running.set("limit.folders", "1000"),
        done("limit.folders = 1000; in effect")
    );
    assert_eq!(
        running.set("alert.url", "https://a.test/x"),
        done("alert.url = \"https://a.test/x\"; kept for a later version")
    );
    assert_eq!(
        running.unset("limit.smtp_sessions"),
        done("limit.smtp_sessions is unset; in effect")
    );
    assert_eq!(number(&schema::LIMIT_SMTP_SESSIONS), 40);

    // The file as it is now counts, not as it was at the start.
    *running.file.borrow_mut() = "log.level = \"debug\"".to_owned();
    let held = (
        Kind::NotAllowed,
        "log.level stands in /etc/p.toml, line 1; change it there".to_owned(),
    );
    assert_eq!(running.set("log.level", "warn"), Err(held));
    *running.file.borrow_mut() = "log.level = \"loud\"".to_owned();
    let (kind, text) = running.set("limit.smtp_sessions", "8").unwrap_err();
    assert_eq!(kind, Kind::BadConfig);
    assert!(text.contains("/etc/p.toml:1:13: log.level: "), "{text}");
    let kept = |key| running.store.read(|reader| reader.setting(key)).unwrap();
    assert_eq!(kept("limit.smtp_sessions"), None);
    *running.file.borrow_mut() = String::new();

    // A dry run changes nothing, and reads nothing anew.
    let request = Request::Set {
        key: "limit.smtp_sessions".to_owned(),
        value: "9".to_owned(),
    };
    assert_eq!(
        running.ask(request, true),
        done("would set limit.smtp_sessions = 9")
    );
    assert_eq!(kept("limit.smtp_sessions"), None);

    // Certificate files are looked at before they are kept.
    assert_eq!(
        running.set("tls.key", "/nowhere/k"),
        done(
            "tls.key = \"/nowhere/k\"; in effect\nnote: the key is not looked at alone; now set \
             tls.certificate, which puts both to use"
        )
    );
    let (kind, text) = running.set("tls.certificate", "/nowhere/c").unwrap_err();
    assert_eq!(kind, Kind::BadData);
    assert!(text.starts_with("tls.certificate: /nowhere/c: "), "{text}");
    assert_eq!(kept("tls.certificate"), None);

    running.store.stop();
    writer.join().unwrap();
}
