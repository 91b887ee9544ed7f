//! `serve`: from the configuration to the appliance's plan.

use std::{cell::RefCell, path::PathBuf, rc::Rc, sync::Arc};

use crate::{
    appliance::{
        hall::Kind,
        log, memory, privilege,
        settings::Settings,
        start::{self, Again, Anew, Appliance, Listener, Office, Plan},
    },
    base::random::Random as _,
    cli::{
        Global, Stop, Terminal,
        line::Line,
        load::{self, Found},
        options,
        table::Command,
    },
    config::{
        Config,
        schema::{self, Key, Profile, Role},
    },
    mail::domain::Domain,
    net::{
        house::Limits,
        world::{Local, RealWorld},
    },
    policy::rate::Rate,
    schedule,
    service::{
        operate::{self, Context, Outside, config::Renew, status::Running, trace::Log},
        password::{Cost, Passwords},
        smtp::LocalOptions,
    },
    store,
};

/// Who the appliance becomes when it is started as root and there is such a user.
pub(super) const USER: &str = "pillarbox";

pub(super) const NOUN: Command = Command::verb("serve", "Run the appliance", run);

fn run(terminal: &mut Terminal<'_>, global: &Global, _: &Line) -> Result<u8, Stop> {
    let found = Found::new(terminal, global, None)?;
    let config = found.config(Vec::new())?;
    memory::prepare();
    let (settings, opened) = load::kept(&config).unwrap_or_default();
    let config = found.config(settings)?;
    for name in config.unknown() {
        terminal.complain(&format!("pillarbox: {name} in the environment is no key"));
    }
    let world = RealWorld::new();
    let plan = plan(&config, &world);
    if plan.user.is_none() && privilege::is_root() {
        terminal.complain(&format!(
            "pillarbox: there is no user {USER}; it runs as root"
        ));
    }
    let passwords = Rc::new(Passwords::new(Cost::of(config.profile()), world.octets()));
    Ok(
        match start::run(plan, office(global, terminal, config, passwords, opened)) {
            Ok(()) => 0,
            Err(failure) => {
                terminal.complain(&format!("pillarbox: {failure}"));
                failure.exit_code()
            }
        },
    )
}

fn plan(config: &Config, world: &RealWorld) -> Plan {
    let listener = |kind, key: &Key| Listener {
        kind,
        addresses: config.listeners(key).to_vec(),
    };
    let count = |key: &Key| usize::try_from(config.number(key)).unwrap_or(usize::MAX);
    let settings = settings(config);
    Plan {
        data: PathBuf::from(config.text(&schema::DATA)),
        control: PathBuf::from(config.control()),
        submit: PathBuf::from(config.submit()),
        spool: PathBuf::from(config.spool()),
        hostname: config.text(&schema::HOSTNAME).to_owned(),
        user: privilege::user(USER).is_ok().then(|| USER.to_owned()),
        listeners: vec![
            listener(Kind::Devices, &schema::LISTEN_DEVICES),
            listener(Kind::Local, &schema::LISTEN_LOCAL),
            listener(Kind::Mx, &schema::LISTEN_MX),
            listener(Kind::Submission, &schema::LISTEN_SUBMISSION),
            listener(Kind::Submissions, &schema::LISTEN_SUBMISSIONS),
            listener(Kind::Imap, &schema::LISTEN_IMAP),
            listener(Kind::Imaps, &schema::LISTEN_IMAPS),
            listener(Kind::Pop3, &schema::LISTEN_POP3),
            listener(Kind::Pop3s, &schema::LISTEN_POP3S),
        ],
        tls13_only: config.text(&schema::TLS_MIN) == "1.3",
        store: options(config, world),
        log: log::Options {
            level: settings.level,
            ring: count(&schema::LIMIT_LOG_RING),
            stderr: true,
        },
        settings,
        confine: true,
    }
}

/// The part that a reload may change: all keys that are live, and no others.
fn settings(config: &Config) -> Settings {
    let count = |key: &Key| usize::try_from(config.number(key)).unwrap_or(usize::MAX);
    Settings {
        smtp_sessions: Limits {
            total: count(&schema::LIMIT_SMTP_SESSIONS),
            per_address: count(&schema::LIMIT_SMTP_SESSIONS_PER_ADDRESS),
        },
        imap_sessions: Limits {
            total: count(&schema::LIMIT_IMAP_SESSIONS),
            per_address: 0,
        },
        imap_sessions_per_person: count(&schema::LIMIT_IMAP_SESSIONS_PER_PERSON),
        compressed_sessions: config.number(&schema::LIMIT_COMPRESSED_SESSIONS),
        message_size: config.number(&schema::LIMIT_MESSAGE_SIZE),
        schedule: schedule::Options {
            first_retry: config.seconds(&schema::QUEUE_FIRST_RETRY),
            max_retry: config.seconds(&schema::QUEUE_MAX_RETRY),
            warn_after: config.seconds(&schema::QUEUE_WARN_AFTER),
            give_up: config.seconds(&schema::QUEUE_GIVE_UP),
        },
        deliveries: count(&schema::LIMIT_DELIVERIES),
        queue: config.number(&schema::LIMIT_QUEUE),
        queue_is_small: config.profile() == Profile::Tiny,
        memory: Settings::memory(
            config.number(&schema::MEMORY_LIMIT),
            config.number(&schema::LIMIT_STORE_CACHE),
            config.number(&schema::LIMIT_LOG_RING),
            u64::from(Cost::of(config.profile()).memory).saturating_mul(1024),
        ),
        tls: operate::tls::place(config).files,
        plaintext_loopback: config.text(&schema::TLS_PLAINTEXT_AUTH) == "loopback",
        old_outlook: config.is_on(&schema::SMTP_OLD_OUTLOOK),
        soft_bounce: config.is_on(&schema::SMTP_SOFT_BOUNCE),
        check_helo: config.is_on(&schema::SMTP_CHECK_HELO),
        check_sender: config.is_on(&schema::SMTP_CHECK_SENDER),
        dns: config.name_servers(),
        names: match config.profile() {
            Profile::Tiny => 256,
            Profile::Small => 1_000,
            Profile::Normal => 2_000,
        },
        hide_client: config.is_on(&schema::SUBMISSION_HIDE_CLIENT),
        hide_agent: config.is_on(&schema::SUBMISSION_STRIP_USER_AGENT),
        delimiter: config.delimiter(),
        local: config
            .list(&schema::ADDRESS_LOCAL)
            .iter()
            .filter_map(|name| Domain::parse(name))
            .collect(),
        origin: Domain::parse(config.origin()),
        postmaster: config.postmaster().map(ToOwned::to_owned),
        programs: programs(config),
        local_port: config
            .listeners(&schema::LISTEN_LOCAL)
            .first()
            .map(|at| at.port().to_string()),
        level: match config.text(&schema::LOG_LEVEL) {
            "error" => ::log::LevelFilter::Error,
            "warn" => ::log::LevelFilter::Warn,
            "debug" => ::log::LevelFilter::Debug,
            _ => ::log::LevelFilter::Info,
        },
    }
}

/// What programs on this machine and devices may do.
fn programs(config: &Config) -> LocalOptions {
    let uids = config.list(&schema::LOCAL_ALLOW_UIDS);
    let rate = config.rate(&schema::LOCAL_RATE);
    let path = |text: &str| (!matches!(text, "" | "off")).then(|| PathBuf::from(text));
    LocalOptions {
        allow_uids: (uids != ["all"])
            .then(|| uids.iter().filter_map(|uid| uid.parse().ok()).collect()),
        rate: rate.map_or(
            Rate {
                count: 0,
                seconds: 1,
            },
            |rate| Rate {
                count: rate.count,
                seconds: rate.seconds,
            },
        ),
        reject_text: config.text(&schema::LOCAL_REJECT_TEXT).to_owned(),
        relay: config.role() == Role::Relay,
        trusted: config.networks(&schema::SMTP_TRUSTED_NETWORKS).to_vec(),
        aliases: path(config.text(&schema::LOCAL_ALIASES)),
    }
}

/// Operations over the control socket, and settings that are read anew.
fn office(
    global: &Global,
    terminal: &Terminal<'_>,
    config: Config,
    passwords: Rc<Passwords>,
    found: store::Opened,
) -> Office {
    let config = Rc::new(RefCell::new(Rc::new(config)));
    let (global, environment) = (global.clone(), terminal.environment.clone());
    let shown = Rc::clone(&config);
    Office {
        passwords: Rc::clone(&passwords),
        found,
        operate: Box::new(move |appliance, again, line| {
            let (config, passwords) = (Rc::clone(&shown), Rc::clone(&passwords));
            answer(appliance, again, config, passwords, line)
        }),
        reload: Box::new(move |appliance| {
            let found = Found::read(&environment, &global, None).map_err(stopped)?;
            let settings = appliance
                .store
                .read(crate::store::Reader::settings)
                .map_err(|broken| broken.to_string())?;
            let new = found.config(settings).map_err(stopped)?;
            let renewed = Rc::new(config.borrow().renewed(new));
            let config = Rc::clone(&config);
            Ok(Anew {
                settings: self::settings(&renewed),
                applied: Box::new(move || *config.borrow_mut() = renewed),
            })
        }),
    }
}

fn answer(
    appliance: Rc<Appliance>,
    again: Again,
    shared: Rc<RefCell<Rc<Config>>>,
    passwords: Rc<Passwords>,
    line: String,
) -> Local<'static, String> {
    Box::pin(async move {
        let config = Rc::clone(&shared.borrow());
        let renew = || again().map(|()| Rc::clone(&shared.borrow()));
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let context = Context {
            store: &appliance.store,
            passwords: &passwords,
            config: &config,
            now: appliance.world.time(),
            running: Some(Running {
                uptime: appliance.world.now().since(crate::base::time::Instant(0)),
                smtp_sessions: number(appliance.houses.smtp.len()),
                imap_sessions: number(appliance.houses.imap.len()),
                opened: appliance.found.clone(),
                tls: Some(appliance.tls.clone()),
            }),
            renew: Some(Renew(&renew)),
            outbound: Some(&appliance.outbound),
            outside: Some(Outside {
                world: Rc::clone(&appliance.world),
                resolver: Rc::clone(&appliance.resolver),
            }),
            log: Some(lines(&appliance.log)),
        };
        operate::line(&context, line.as_bytes()).await
    })
}

fn lines(ring: &log::Ring) -> Log {
    let ring = ring.clone();
    Log(Arc::new(move |from| ring.block(from)))
}

/// What a reload says when it stops short.
fn stopped(stop: Stop) -> String {
    match stop {
        Stop::Declined => String::new(),
        Stop::Mistakes(lines) => lines.join("; "),
        Stop::Problem(problem) => problem.text,
    }
}
