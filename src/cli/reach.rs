//! Has a call carried out: by the server over its control socket, or, when nobody listens there, in
//! this process on the store itself. Only one process has the store: the one with the lock.

use std::{io, path::Path, sync::Arc, thread, time::Duration};

use crate::{
    appliance::{
        control,
        lock::{self, LockError},
        privilege, start,
    },
    base::random::Random,
    cli::{
        Global, Stop, Terminal,
        load::{self, Found},
    },
    config::{
        Config,
        schema::{self, Profile},
    },
    net::world::{RealClock, RealWorld, World as _},
    service::{
        operate::{self, Answer, Call, Context, Kind, Problem, Reply, Request, kept, wire},
        password::{Cost, Passwords},
    },
    store::{self, Store, disk::local::LocalDisk, log::segment},
};

/// A server that starts or stops has the lock and no socket: how often it is tried again.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// What follows the first reply: gets it, and may ask on.
pub type Then<'a> = &'a mut dyn FnMut(&mut Terminal<'_>, Reply, Ask<'_>) -> Result<u8, Stop>;
/// Asks whoever gave the first reply.
pub type Ask<'a> = &'a mut dyn FnMut(&Call) -> Result<Reply, Stop>;

/// Has it done, wherever the store is open.
pub fn carry_out(terminal: &mut Terminal<'_>, global: &Global, call: &Call) -> Result<Reply, Stop> {
    let mut got = None;
    converse(terminal, global, call, &mut |_, reply, _| {
        got = Some(reply);
        Ok(0)
    })?;
    got.ok_or_else(|| Problem::new(Kind::TryAgain, "there is no answer").into())
}

/// The same, and what follows: several calls on one open store.
pub fn converse(
    terminal: &mut Terminal<'_>,
    global: &Global,
    call: &Call,
    then: Then<'_>,
) -> Result<u8, Stop> {
    let found = Found::new(terminal, global, None)?;
    let config = found.config(Vec::new())?;
    let mut attempt = 1_u32;
    loop {
        if let Some(reply) = ask(&config, call)? {
            return then(terminal, reply, &mut |call| {
                let gone = || not_running("the server has gone away; try again");
                ask(&config, call)?.ok_or_else(gone)
            });
        }
        let data = config.text(&schema::DATA);
        match &call.request {
            Request::Doctor | Request::Status => {
                return Err(not_running(operate::status::NOT_RUNNING));
            }
            Request::Config(operate::config::Request::Show { changed })
                if !Path::new(data).join(segment::FOLDER).exists() =>
            {
                let reply = operate::config::show(&config, *changed);
                return then(terminal, reply, &mut |_| Err(not_running("no store")));
            }
            _ => {}
        }
        let lacking = || {
            let text = format!("there is no store in {data}");
            Problem::new(Kind::NoSuch, text)
        };
        let needs_one = !creates(&call.request);
        if needs_one && !Path::new(data).exists() {
            return Err(lacking().into());
        }
        // Acts on this thread; no other is there yet.
        privilege::become_owner(Path::new(data))
            .map_err(|error| Problem::new(Kind::NotAllowed, error.to_string()))?;
        match lock::take(Path::new(data)) {
            Ok(_lock) => {
                if needs_one && !Path::new(data).join(segment::FOLDER).exists() {
                    return Err(lacking().into());
                }
                return here(terminal, &found, &config, call, then);
            }
            Err(LockError::Held { .. }) if attempt < TRIES => thread::sleep(PAUSE),
            Err(held @ LockError::Held { .. }) => {
                let text = format!("{held} and does not answer; try again");
                return Err(Problem::new(Kind::TryAgain, text).into());
            }
            Err(LockError::Io { error, .. }) => return Err(on_disk(data, &error).into()),
        }
        attempt = attempt.saturating_add(1);
    }
}

fn not_running(text: &str) -> Stop {
    Problem::new(Kind::NotRunning, text).into()
}

/// Whether a store is made for it where there is none: a mistyped folder is no empty box.
fn creates(request: &Request) -> bool {
    matches!(
        request,
        Request::Config(operate::config::Request::Set { .. })
            | Request::Domain(operate::domain::Request::Add { .. })
            | Request::Route(operate::route::Request::Add(_))
            // It may be what the first start waits for.
            | Request::Tls(operate::tls::Request::Import { .. })
    )
}

/// What the store keeps, from the server or, when it is stopped, from the store itself; nothing where
/// neither can be had. The caller has no other threads yet.
pub fn settings(terminal: &mut Terminal<'_>, config: &Config) -> Vec<(String, String)> {
    let call = Call {
        request: Request::Config(operate::config::Request::Kept),
        dry_run: false,
    };
    match ask(config, &call) {
        Ok(Some(Reply::Settings(rows))) => {
            rows.into_iter().map(|row| (row.key, row.plain)).collect()
        }
        Ok(None) => match load::kept(config) {
            Some((settings, opened)) => {
                tell(terminal, &opened);
                settings
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Nobody else will hear of it: the next start finds it mended.
fn tell(terminal: &mut Terminal<'_>, opened: &store::Opened) {
    for (level, text) in start::told(opened) {
        if level <= log::Level::Warn {
            terminal.complain(&format!("pillarbox: {text}"));
        }
    }
}

/// Asks the server; `None` if there is none.
fn ask(config: &Config, call: &Call) -> Result<Option<Reply>, Problem> {
    let path = config.control();
    let lost = |error: &dyn std::fmt::Display| {
        let text = format!("no answer from the server; look whether it was done ({error})");
        Problem::new(Kind::TryAgain, text)
    };
    let line = wire::encode(call);
    let answer = match control::call(Path::new(&path), &line) {
        Ok(answer) => answer,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::NotFound => Ok(None),
                io::ErrorKind::PermissionDenied => Err(on_disk(&path, &error)),
                _ => Err(lost(&error)),
            };
        }
    };
    match wire::decode(answer.as_bytes()) {
        Some(Answer::Reply(reply)) => Ok(Some(reply)),
        Some(Answer::Problem(problem)) => Err(problem),
        None => Err(lost(&"it is not understood")),
    }
}

/// Does it in this process. The caller holds the lock.
fn here(
    terminal: &mut Terminal<'_>,
    found: &Found,
    config: &Config,
    call: &Call,
    then: Then<'_>,
) -> Result<u8, Stop> {
    let world = RealWorld::new();
    let data = config.text(&schema::DATA);
    let disk = LocalDisk::new(Path::new(data)).map_err(|error| on_disk(data, &error))?;
    let (store, running, opened) =
        Store::open(Arc::new(disk), options(config, &world)).map_err(Problem::from)?;
    tell(terminal, &opened);
    if opened.lost > 0 || opened.rebuilt {
        let _asked_again = kept::forget(Path::new(data));
    }
    let done = work(terminal, &store, found, &world, call, then);
    store.stop();
    if running.join().is_err() {
        let text = "the store failed while it was closed; what was answered before is kept";
        return Err(Problem::new(Kind::TryAgain, text).into());
    }
    done
}

fn work(
    terminal: &mut Terminal<'_>,
    store: &Store,
    found: &Found,
    world: &RealWorld,
    call: &Call,
    then: Then<'_>,
) -> Result<u8, Stop> {
    let settings = store.read(store::Reader::settings).map_err(Problem::from)?;
    // What the store keeps may be what is wrong, and has to be forgotten then.
    let unset = matches!(
        call.request,
        Request::Config(operate::config::Request::Unset { .. })
    );
    let config = match found.config(settings) {
        Err(_) if unset => found.config(Vec::new())?,
        config => config?,
    };
    let passwords = Passwords::new(Cost::of(config.profile()), world.octets());
    let context = Context {
        store,
        passwords: &passwords,
        config: &config,
        now: world.time(),
        running: None,
        renew: None,
        outbound: None,
        outside: None,
        log: None,
    };
    let mut ask = |call: &Call| -> Result<Reply, Stop> {
        Ok(async_io::block_on(operate::operate(
            &context,
            call.clone(),
        ))?)
    };
    let reply = ask(call)?;
    then(terminal, reply, &mut ask)
}

/// How the store is opened.
pub fn options(config: &Config, random: &impl Random) -> store::Options {
    let cache = config.number(&schema::LIMIT_STORE_CACHE);
    store::Options {
        cache: usize::try_from(cache).unwrap_or(usize::MAX),
        message_size: config.number(&schema::LIMIT_MESSAGE_SIZE),
        segment: store::log::SEGMENT,
        tiny: config.profile() == Profile::Tiny,
        secret: random.octets(),
        folders: config.number(&schema::LIMIT_FOLDERS),
        keywords: config.number(&schema::LIMIT_KEYWORDS),
        clock: Arc::new(RealClock),
    }
}

fn on_disk(path: &str, error: &io::Error) -> Problem {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => Kind::NotAllowed,
        _ => Kind::TryAgain,
    };
    let next = match kind {
        Kind::NotAllowed => " (only root may: put sudo in front)",
        _ => "",
    };
    Problem::new(kind, format!("{path}: {error}{next}"))
}
