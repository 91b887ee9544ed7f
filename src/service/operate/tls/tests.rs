//! Import and show, with and without a running server.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;
use crate::{
    config::{Machine, Sources},
    net::{
        tls::Tls,
        world::{RealClock, calendar},
    },
    service::{
        operate::{self, Call, status::Running, wire},
        password::{Cost, Passwords},
    },
    store::{self, Store, disk::local::LocalDisk},
};

/// 2026-11-21.
const NOW: Time = Time(1_795_219_200);

struct Desk {
    folder: tempfile::TempDir,
    store: Store,
    passwords: Passwords,
    config: Config,
    tls: Option<Tls>,
}

impl Desk {
    fn new(runs: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
        let options = store::Options {
            cache: 1 << 20,
            message_size: 0,
            segment: store::log::SEGMENT,
            tiny: true,
            secret: [0; 16],
            folders: 0,
            keywords: 0,
            clock: Arc::new(RealClock),
        };
        let (store, _writer, _) = Store::open(disk, options).unwrap();
        let data = folder.path().display().to_string();
        let config = Config::load(&Sources {
            file: Some("hostname = \"mx.home.test\""),
            file_name: "pillarbox.toml",
            environment: vec![],
            store: vec![],
            options: vec![("data".to_owned(), data)],
            machine: Machine {
                hostname: "mx.home.test".to_owned(),
                memory: 0,
                ..Machine::default()
            },
        })
        .unwrap();
        let cost = Cost {
            memory: 64,
            passes: 1,
            scram: 1,
        };
        let tls = runs.then(|| {
            let (pairs, _) = pairs::gather(place(&config), calendar(), None).unwrap();
            Tls::new(pairs, false).unwrap()
        });
        Self {
            folder,
            store,
            passwords: Passwords::new(cost, [0; 32]),
            config,
            tls,
        }
    }

    fn ask(&self, request: Request, dry_run: bool) -> Result<Reply, Problem> {
        let context = Context {
            store: &self.store,
            passwords: &self.passwords,
            config: &self.config,
            now: NOW,
            renew: None,
            outbound: None,
            outside: None,
            log: None,
            running: self.tls.clone().map(|tls| Running {
                tls: Some(tls),
                ..Running::default()
            }),
        };
        let call = Call {
            request: operate::Request::Tls(request),
            dry_run,
        };
        // As it comes over the control socket.
        let call = wire::decode(wire::encode(&call).as_bytes()).unwrap();
        smol::block_on(operate::operate(&context, call))
    }

    fn import(&self, (chain, key): &(String, String)) -> Result<String, Problem> {
        self.done(request(chain, key), false)
    }

    fn done(&self, request: Request, dry_run: bool) -> Result<String, Problem> {
        self.ask(request, dry_run).map(|reply| match reply {
            Reply::Done(text) => text,
            reply => panic!("{reply:?}"),
        })
    }

    fn rows(&self) -> Vec<Row> {
        match self.ask(Request::Show, false).unwrap() {
            Reply::Certificates(rows) => rows,
            reply => panic!("{reply:?}"),
        }
    }

    fn files(&self) -> usize {
        let folder = self.folder.path().join("tls/imported");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

fn request(chain: &str, key: &str) -> Request {
    Request::Import {
        certificate: Secret::new(chain.as_bytes().to_vec()),
        key: Secret::new(key.as_bytes().to_vec()),
    }
}

fn made(name: &str, from: i32, until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 11, 22);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// SU-11: at once where it runs; where it does not, with the next start.
#[test]
fn su_11_import_is_in_effect_at_once() {
    for runs in [true, false] {
        let desk = Desk::new(runs);
        let pair = made("a.test", 2026, 2027);
        let said = desk.done(request(&pair.0, &pair.1), true).unwrap();
        assert!(
            said.starts_with("would import the certificate for a.test"),
            "{said}"
        );
        assert_eq!((desk.rows().len(), desk.files()), (usize::from(runs), 0));
        let said = desk.import(&pair).unwrap();
        assert_eq!(
            said,
            "imported the certificate for a.test, valid until 2027-11-22T00:00:00Z"
        );
        let rows = desk.rows();
        assert_eq!(rows.len(), 1 + usize::from(runs));
        let row = &rows[0];
        assert_eq!(row.names, ["a.test"]);
        assert_eq!(
            (row.issuer.as_str(), row.from.as_str()),
            ("self-signed", "imported")
        );
        assert_eq!(
            (row.days_left, row.used_for.as_slice()),
            (366, &["a.test".to_owned()][..])
        );
        assert_eq!(row.default, !runs);
        let json = Reply::Certificates(rows.clone()).json();
        assert_eq!(json.len(), rows.len());
        assert!(
            json[0].contains("\"valid_until\":\"2027-11-22T00:00:00Z\""),
            "{}",
            json[0]
        );
        let shown = text(&rows).join("\n");
        assert!(
            shown.contains("valid until  2027-11-22T00:00:00Z (366 days left)"),
            "{shown}"
        );
        if runs {
            assert!(
                shown.contains("used for     mx.home.test, mx.local, localhost, everybody else")
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let desk = Desk::new(true);
    let (a, b) = (made("a.test", 2026, 2027), made("b.test", 2026, 2027));
    let long = "x".repeat(PEM_MAX + 1);
    for (chain, key, reason) in [
        (&a.0, &b.1, "the key does not belong to the certificate"),
        (&a.1, &a.1, "the first file holds no certificate"),
        (&a.0, &a.0, "the second file holds no private key"),
        (&long, &a.1, "too long"),
    ] {
        let problem = desk.done(request(chain, key), false).unwrap_err();
        assert_eq!(problem.kind.exit(), 65, "{reason}");
        assert!(problem.text.contains(reason), "{}", problem.text);
    }
    assert_eq!((desk.rows().len(), desk.files()), (1, 0));
}

#[test]
fn what_is_odd_is_taken_and_said() {
    let desk = Desk::new(true);
    let said = desk.import(&made("old.test", 2020, 2025)).unwrap();
    assert!(
        said.ends_with("; it has expired, clients will not trust it"),
        "{said}"
    );
    let said = desk.import(&made("soon.test", 2020, 2026)).unwrap();
    assert!(said.ends_with("; it expires soon"), "{said}");
    let said = desk.import(&made("late.test", 2027, 2030)).unwrap();
    assert!(said.ends_with("; it is not valid yet"), "{said}");
    let mut root = CertificateParams::new(Vec::<String>::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = Issuer::new(root, KeyPair::generate().unwrap());
    let mut params = CertificateParams::new(vec!["leaf.test".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &root).unwrap();
    let said = desk.import(&(leaf.pem(), key.serialize_pem())).unwrap();
    assert!(said.contains("without the chain of its issuer"), "{said}");
    let shown = text(&desk.rows()).join("\n");
    assert!(shown.contains("days ago"), "{shown}");
}

/// What nobody may read or what is half written is said with its file, and what to do.
#[test]
fn a_stopped_box_says_what_it_cannot_read() {
    let mut desk = Desk::new(false);
    assert!(text(&desk.rows())[0].contains("no certificate yet"));
    let own = desk.folder.path().join("own.pem");
    let options = [("tls.certificate", &own), ("tls.key", &own)];
    let mut sources = Sources {
        file: None,
        file_name: "pillarbox.toml",
        environment: vec![],
        store: vec![],
        options: vec![("data".to_owned(), desk.folder.path().display().to_string())],
        machine: Machine {
            hostname: "mx.home.test".to_owned(),
            memory: 0,
            ..Machine::default()
        },
    };
    for (key, path) in options {
        sources
            .options
            .push((key.to_owned(), Path::display(path).to_string()));
    }
    desk.config = Config::load(&sources).unwrap();
    let problem = desk.ask(Request::Show, false).unwrap_err();
    assert_eq!(problem.kind, Kind::BadData);
    assert!(problem.text.contains("own.pem"), "{}", problem.text);
    let denied = Error::Read {
        path: own,
        error: std::io::ErrorKind::PermissionDenied.into(),
    };
    let problem = unread(&denied);
    assert_eq!(problem.kind.exit(), 77);
    for part in [
        "own.pem: user ",
        "may not read it",
        "`pillarbox tls import CERTIFICATE KEY`",
    ] {
        assert!(problem.text.contains(part), "{}", problem.text);
    }
}
