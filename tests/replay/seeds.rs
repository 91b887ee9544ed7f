//! Seeds that nobody can write by hand: `cargo test --test replay seeds -- --ignored` writes them anew
//! when the format has changed.

use std::fs;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pillarbox::base::id::{ContentId, FolderId, ModSeq, QueueId, Uid, UserId};
use pillarbox::base::ranges::Ranges;
use pillarbox::base::secret::Secret;
use pillarbox::base::time::{Clock, Instant, Time};
use pillarbox::mail::flag::Flags;
use pillarbox::mail::summary::SummaryBuilder;
use pillarbox::service::operate::{self, Answer, Call, Kind, Problem, Reply, wire};
use pillarbox::store::change::{Accepted, Change, Copied, Dated, Delivery, Flagged, PieceAt};
use pillarbox::store::counters::{Counters, Segment};
use pillarbox::store::directory::table::Edited;
use pillarbox::store::directory::{
    Access, Alias, AppPassword, Device, DkimAlgorithm, DkimKey, DkimState, Domain, DomainClass,
    Edit, FromRewrite, Route, RouteTls, ScramKeys, Swap, Transport, TransportTls, Usage, User,
};
use pillarbox::store::disk::Disk;
use pillarbox::store::disk::local::LocalDisk;
use pillarbox::store::dump::{Dumping, Step};
use pillarbox::store::index::Index;
use pillarbox::store::log::{BLOCK, Place};
use pillarbox::store::mailbox::Folder;
use pillarbox::store::message::journal::{Entry, Extent};
use pillarbox::store::message::{Message, content::ContentRow};
use pillarbox::store::queue::{
    Arrival, BodyKind, Fate, Lane, LaneNote, Notify, QueueEntry, Queued, QueuedRecipient, Ret,
    Settled, Totals,
};
use pillarbox::store::request::{Deliver, FlagMode, Recipient, Special};
use pillarbox::store::{Body, Options, Request, Store, value};

use super::{corpus, root};

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        Instant(0)
    }

    fn time(&self) -> Time {
        Time(1_795_272_815)
    }
}

#[test]
#[ignore = "writes into the tree"]
fn seeds() {
    rows();
    changes();
    log();
    control();
}

/// `first` tells the target what the octets are.
fn write(target: &str, name: &str, first: u8, octets: &[u8]) {
    write_plain(target, name, &[&[first], octets].concat());
}

fn write_plain(target: &str, name: &str, octets: &[u8]) {
    let folder = root().join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), octets).unwrap();
}

fn control() {
    let call = |name: &str, request: operate::Request| {
        let call = Call {
            request,
            dry_run: false,
        };
        write_plain("control", name, &octets_of(&call));
    };
    let address = || "a@home.test".to_owned();
    let add = operate::user::Request::Add {
        address: address(),
        password: operate::user::Password::Clear(Secret::new(b"hush".to_vec())),
        quota: 1 << 30,
    };
    call("call-user-add", operate::Request::User(add));
    let rename = operate::user::Request::Rename {
        address: address(),
        to: "b@home.test".to_owned(),
    };
    call("call-user-rename", operate::Request::User(rename));
    let domain = operate::domain::Request::Add {
        name: "home.test".to_owned(),
        class: DomainClass::Relay,
        recipients: Some("a\nb@home.test\n".to_owned()),
    };
    call("call-domain-add", operate::Request::Domain(domain));
    for (name, request) in nouns() {
        call(name, request);
    }
    call("call-status", operate::Request::Status);
    let check = operate::store::Request::Check;
    call("call-store-check", operate::Request::Store(check));
    let answer = |name: &str, answer: Answer| {
        write_plain("control", name, &octets_of(&answer));
    };
    let problem = Problem::new(Kind::NoSuch, "a@home.test: no such user");
    answer("answer-problem", Answer::Problem(problem));
    let user = operate::user::Row {
        address: address(),
        quota: 0,
        octets: 4096,
        percent: None,
        messages: 1,
        enabled: true,
        created: "2026-11-21T14:53:35Z".to_owned(),
        removed: None,
    };
    answer("answer-users", Answer::Reply(Reply::Users(vec![user])));
    let done = Answer::Reply(Reply::Done("removed".to_owned()));
    write_plain("control", "line", wire::encode(&done).as_bytes());
}

/// A request of each noun that has texts of its own.
fn nouns() -> Vec<(&'static str, operate::Request)> {
    use operate::{Request, access, alias, app_password, queue, route, transport};
    let text = str::to_owned;
    vec![
        (
            "call-access-add",
            Request::Access(access::Request::Add {
                range: text("192.0.2.0/24"),
                allow: false,
            }),
        ),
        (
            "call-alias-add",
            Request::Alias(alias::Request::Add {
                source: text("info@home.test"),
                targets: text("a@home.test,b@away.test"),
                srs: Some(false),
            }),
        ),
        (
            "call-alias-add-many",
            Request::Alias(alias::Request::AddMany {
                text: text("# x\n@home.test a@home.test\n"),
                srs: None,
            }),
        ),
        (
            "call-app-password-add",
            Request::AppPassword(app_password::Request::Add {
                user: text("a@home.test"),
                name: text("phone"),
            }),
        ),
        (
            "call-queue-show",
            Request::Queue(queue::Request::Show { id: text("Q1") }),
        ),
        (
            "call-route-add",
            Request::Route(route::Request::Add(route::Account {
                name: text("provider"),
                hosts: vec![text("smtp.away.test")],
                port: 587,
                tls: RouteTls::StartTls,
                user: Some(text("me")),
                password: Secret::new(b"hush".to_vec()),
                from_rewrite: Some(FromRewrite::Local),
                from: None,
            })),
        ),
        (
            "call-transport-add",
            Request::Transport(transport::Request::Add {
                pattern: text(".away.test"),
                target: text("relay:provider"),
                tls: None,
            }),
        ),
    ]
}

/// Without the base64 around it.
fn octets_of<T: serde::Serialize>(value: &T) -> Vec<u8> {
    STANDARD_NO_PAD.decode(wire::encode(value)).unwrap()
}

/// A value of each row.
fn rows() {
    let row = |name: &str, letter: u8, octets: &[u8]| write("index_rows", name, letter, octets);
    let message = Message {
        flags: Flags::SEEN,
        keywords: vec![0, 3],
        modseq: ModSeq(9),
        size: 4096,
        date: Time(1_795_272_815),
        content: ContentId(5),
    };
    row("message", b'm', &value::encode(&message));
    let content = ContentRow {
        messages: 2,
        prefix: b"Return-Path: <a@b.test>\r\n".to_vec(),
        size: 4096,
        pieces: vec![piece()],
    };
    row("content", b'c', &value::encode(&content));
    let folder = Folder {
        user: UserId(1),
        name: "Sent".to_owned(),
        special: Some(Special::Sent),
        validity: 7,
        uid_next: Uid(10),
        modseq: ModSeq(12),
        exists: 3,
        unseen: 1,
        octets: 12_000,
        first_unseen: Uid(4),
        recent: Uid(9),
        keywords: vec!["$Junk".to_owned(), "später".to_owned()],
        deleted: 1,
        deleted_octets: 4000,
        uncounted: 1,
        uncounted_octets: 900,
        journal: Extent {
            since: ModSeq(3),
            rows: 4,
            spans: 6,
        },
    };
    row("folder", b'f', &value::encode(&folder));
    let journal = Entry {
        changed: Ranges::span(1, 4),
        vanished: [6, 9, 10].into_iter().collect(),
    };
    row("journal", b'j', &value::encode(&journal));
    let user = User {
        address: "a@home.test".to_owned(),
        password: Secret::new(b"$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA".to_vec()),
        scram: Some(keys()),
        scram_salt: [3; 16],
        scram_count: 4096,
        credentials: 2,
        quota: 1 << 30,
        enabled: true,
        created: Time(1),
        removed: Some(Time(2)),
        secret_in: 3,
    };
    row("user", b'u', &value::encode(&user));
    let domain = Domain {
        class: DomainClass::Mailbox,
        enabled: true,
        listed: false,
    };
    row("domain", b'd', &value::encode(&domain));
    row("usage", b'q', &value::encode(&Usage::default()));
    row("counters", b'k', &value::encode(&Counters::default()));
    row("segment", b'g', &value::encode(&Segment::default()));
    row("access", b'v', &value::encode(&Access { allow: true }));
    row("alias", b'l', &value::encode(&alias()));
    row("app-password", b'p', &value::encode(&app_password()));
    row("queue-entry", b'e', &value::encode(&entry()));
    row("queue-totals", b'w', &value::encode(&Totals::default()));
    row("route", b'r', &value::encode(&route()));
    let transport = Transport {
        target: "smtp:[192.0.2.1]:25".to_owned(),
        tls: Some(TransportTls::Verify),
    };
    row("transport", b't', &value::encode(&transport));
    row("lane", b'L', &value::encode(&lane()));
    row("device", b'D', &value::encode(&device()));
    row("dkim-key", b'K', &value::encode(&dkim_key()));
    for (name, octets) in corpus("mime").into_iter().filter(|(_, o)| o.len() < 3000) {
        let mut builder = SummaryBuilder::new();
        builder.push(&octets);
        row(&format!("summary-{name}"), b'y', &builder.finish().encode());
    }
}

fn keys() -> ScramKeys {
    ScramKeys {
        stored: [1; 32],
        server: [2; 32],
    }
}

fn alias() -> Alias {
    Alias {
        targets: vec!["a@home.test".to_owned(), "b@away.test".to_owned()],
        enabled: true,
        srs: Some(false),
    }
}

fn app_password() -> AppPassword {
    AppPassword {
        name: "phone".to_owned(),
        sha256: [5; 32],
        scram: keys(),
        created: Time(1),
        used: Some(Time(2)),
        secret_in: 3,
    }
}

fn route() -> Route {
    Route {
        hosts: vec!["mail.away.test".to_owned()],
        port: 465,
        tls: RouteTls::Implicit,
        user: Some("a".to_owned()),
        password: Secret::new(b"hush".to_vec()),
        from_rewrite: FromRewrite::Local,
        from: None,
        secret_in: 3,
    }
}

fn queued() -> Queued {
    Queued {
        id: "Q1".to_owned(),
        sender: "a@home.test".to_owned(),
        submitter: Some(UserId(1)),
        envid: Some("e+2B".to_owned()),
        ret: Some(Ret::Headers),
        body: BodyKind::EightBitMime,
        smtputf8: true,
        requiretls: true,
        arrival: Arrival::Device,
        recipients: vec![QueuedRecipient {
            address: "c@away.test".to_owned(),
            notify: Some(Notify::SUCCESS.with(Notify::DELAY)),
            orcpt: Some("rfc822;c@away.test".to_owned()),
            srs: Some("home.test".to_owned()),
            transport: Some("relay:out".to_owned()),
            pinned: true,
            ..QueuedRecipient::default()
        }],
    }
}

fn entry() -> QueueEntry {
    QueueEntry {
        content: ContentId(5),
        size: 4096,
        arrived: Time(1),
        since: 9,
        held: false,
        queued: queued(),
    }
}

fn lane() -> Lane {
    Lane {
        waiting: 3,
        not_before: 900,
        failures: 2,
        reason: Some("connect to mx.away.test[192.0.2.1]:25: Connection refused".to_owned()),
        next: 900,
    }
}

fn settled() -> Settled {
    let waits = Fate::Waits {
        due: 900,
        reason: "451 4.3.0 later".to_owned(),
    };
    let moved = Fate::Moved {
        transport: Some("relay:out".to_owned()),
    };
    let fates = [waits, Fate::Warned, moved, Fate::Gone];
    let all = fates.map(|fate| ("c@away.test".to_owned(), fate));
    Settled {
        queue: QueueId(3),
        recipients: all.to_vec(),
    }
}

fn device() -> Device {
    Device {
        addresses: vec!["192.0.2.7/32".to_owned()],
        senders: vec!["scan@home.test".to_owned()],
        recipients: vec!["@home.test".to_owned()],
        rate: 60,
        enabled: true,
    }
}

fn dkim_key() -> DkimKey {
    DkimKey {
        algorithm: DkimAlgorithm::Ed25519,
        private: Secret::new(b"hush".to_vec()),
        public: vec![7; 32],
        state: DkimState::Retired,
        made: Time(1),
        retired: Some(Time(2)),
        secret_in: 3,
    }
}

fn piece() -> PieceAt {
    PieceAt {
        place: Place {
            segment: 3,
            offset: 8192,
            stored: 2000,
            text: 4096,
        },
        deflated: true,
    }
}

fn changes() {
    let uids: Ranges = [1, 2, 3, 7, 9].into_iter().collect();
    let accepted = Accepted {
        content: ContentId(5),
        prefix: vec![],
        size: 4096,
        pieces: vec![piece()],
        summary: vec![1, 0],
        date: Time(1),
        deliveries: vec![Delivery {
            folder: FolderId(1),
            uid: Uid(10),
            modseq: ModSeq(13),
            flags: Flags::NONE,
            keywords: vec![],
            names: vec!["new".to_owned()],
        }],
        queued: Some((QueueId(3), queued())),
        warns: Some((UserId(1), 80)),
        settles: vec![settled()],
    };
    let flagged = Flagged {
        folder: FolderId(1),
        uids: uids.clone(),
        mode: FlagMode::Add,
        flags: Flags::SEEN,
        keywords: vec![1],
        names: vec![],
        modseq: ModSeq(14),
    };
    let copied = Copied {
        from: FolderId(1),
        to: FolderId(2),
        uids: uids.clone(),
        first: Uid(20),
        from_modseq: ModSeq(0),
        modseq: ModSeq(15),
        keywords: vec![(0, 0)],
        names: vec![],
    };
    let expunge = Change::Expunge {
        folder: FolderId(1),
        uids,
        modseq: ModSeq(16),
    };
    let several = Change::Several(vec![expunge, Change::Flag(flagged)]);
    let edit = Change::Edit(vec![
        Edited::Alias("@home.test".to_owned(), Some(alias())),
        Edited::Recipient("a@home.test".to_owned(), Some(())),
        Edited::Route {
            name: "out".to_owned(),
            now: Some(route()),
            purge: true,
        },
        Edited::Transport("*".to_owned(), None),
        Edited::Device("printer".to_owned(), Some(device())),
        Edited::DkimKey {
            name: "home.test/e202611".to_owned(),
            now: Some(dkim_key()),
            purge: true,
        },
    ]);
    let settle = Change::Settle {
        settled: vec![settled()],
        lane: Some(LaneNote {
            lane: "away.test".to_owned(),
            not_before: 900,
            failures: 2,
            reason: lane().reason,
        }),
        uptime: 600,
    };
    let queue = Change::Several(vec![
        settle,
        Change::HoldQueued {
            queues: vec![QueueId(3)],
            held: true,
        },
        Change::RetryQueued(vec![QueueId(3)]),
        Change::Uptime(601),
        Change::WakeLanes {
            lanes: vec!["away.test".to_owned()],
            uptime: 602,
        },
    ]);
    for (name, change) in [
        ("change-edit", edit),
        ("change-accept", Change::Accept(vec![accepted])),
        ("change-move", Change::Move(copied)),
        ("change-several", several),
        ("change-queue", queue),
    ] {
        let time = Time(1_795_272_815);
        write("index_rows", name, b'x', &Dated { time, change }.encode());
    }
}

/// A segment and a dump of a store that has done a little.
fn log() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let options = Options {
        cache: 1 << 20,
        message_size: 1 << 20,
        segment: pillarbox::store::log::SEGMENT,
        tiny: true,
        secret: *b"sixteen octets!!",
        folders: 0,
        keywords: 100,
        clock: Arc::new(Stopped),
    };
    let disk: Arc<dyn Disk> = disk;
    let (store, running, _) = Store::open(Arc::clone(&disk), options).unwrap();
    smol::block_on(async {
        for request in requests() {
            store.request(request).await.unwrap();
        }
    });
    store.stop();
    running.join().unwrap();
    let only = fs::read_dir(folder.path().join("log")).unwrap().next();
    let mut segment = fs::read(only.unwrap().unwrap().path()).unwrap();
    // What was written ahead.
    let end = segment.iter().rposition(|octet| *octet != 0).unwrap();
    segment.truncate((end + 1).next_multiple_of(BLOCK as usize));
    write("log_records", "segment", b'S', &segment);
    let index = Index::open(&disk, 1 << 20).unwrap().0;
    let snapshot = index.snapshot().unwrap();
    let secret = *b"sixteen octets!!";
    let mut dumping = Dumping::begin(&*disk, snapshot, secret, Instant(0)).unwrap();
    while dumping.step(&*disk, Instant(0)) == Step::More {}
    let name = format!("dump/{:010}", dumping.number);
    write(
        "log_records",
        "dump",
        b'D',
        &fs::read(folder.path().join(name)).unwrap(),
    );
}

fn requests() -> Vec<Request> {
    let domain = Request::AddDomain {
        name: "home.test".to_owned(),
        class: DomainClass::Mailbox,
        listed: false,
    };
    let user = Request::AddUser {
        address: "a@home.test".to_owned(),
        password: Secret::new(b"x".to_vec()),
        scram: Some(keys()),
        scram_salt: [3; 16],
        scram_count: 4096,
        quota: 0,
    };
    let to = Recipient {
        user: UserId(1),
        folder: None,
        flags: Flags::NONE,
        keywords: vec!["$Junk".to_owned()],
        always: false,
    };
    let deliver = Request::Deliver(Deliver {
        prefix: b"Return-Path: <b@away.test>\r\n".to_vec(),
        body: Body::small(b"Subject: hello\r\n\r\nhello, hello, hello\r\n".to_vec()),
        summary: vec![],
        received: Time(1_795_272_815),
        to: vec![to],
        queue: Some(queued()),
        settles: vec![],
        warns: None,
    });
    let edit = Request::Edit(vec![Edit::Alias(Swap {
        name: "info@home.test".to_owned(),
        was: None,
        now: Some(alias()),
    })]);
    let expunge = Request::Expunge {
        folder: FolderId(1),
        uids: None,
    };
    vec![domain, user, deliver, expunge, edit]
}
