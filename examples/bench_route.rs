//! What finding out where a recipient leads costs: 10,000 addresses in 1,000 domains, without and with
//! transports. `bench_route DIR` prints microseconds of CPU for each kind of address.

use std::{env, error::Error, path::Path, sync::Arc};

use pillarbox::{
    base::secret::Secret,
    mail::path::parse_forward,
    net::world::RealClock,
    routing::{Options, Rights, route},
    service::lookup::look,
    store::{
        self, Store,
        directory::{Alias, DomainClass, Edit, Swap, Transport},
        disk::local::LocalDisk,
        log::SEGMENT,
        request::Request,
    },
};
use rustix::time::{ClockId, clock_gettime};

const DOMAINS: u32 = 1000;
const ALIASES: u32 = 9;
const ROUNDS: u32 = 20_000;

fn added<T>(name: String, now: T) -> Swap<T> {
    Swap {
        name,
        was: None,
        now: Some(now),
    }
}

/// A person and nine aliases in each domain.
async fn fill(store: &Store) -> Result<(), store::Refusal> {
    let executor = smol::Executor::new();
    let mut tasks = Vec::new();
    for at in 0..DOMAINS {
        let store = store.clone();
        tasks.push(executor.spawn(async move {
            let name = format!("d{at}.test");
            let class = DomainClass::Mailbox;
            store
                .request(Request::AddDomain {
                    name,
                    class,
                    listed: false,
                })
                .await?;
            let user = Request::AddUser {
                address: format!("user@d{at}.test"),
                password: Secret::new(vec![0; 100]),
                scram: None,
                scram_salt: [0; 16],
                scram_count: 0,
                quota: 0,
            };
            store.request(user).await
        }));
    }
    executor
        .run(async {
            for task in tasks {
                task.await?;
            }
            Ok::<_, store::Refusal>(())
        })
        .await?;
    let alias = |at: u32, n: u32| {
        let alias = Alias {
            targets: vec![format!("user@d{at}.test")],
            enabled: true,
            srs: None,
        };
        Edit::Alias(added(format!("alias{n}@d{at}.test"), alias))
    };
    let pairs = (0..DOMAINS).flat_map(|at| (0..ALIASES).map(move |n| (at, n)));
    let aliases = pairs.map(|(at, n)| alias(at, n)).collect();
    store.request(Request::Edit(aliases)).await?;
    Ok(())
}

fn cpu() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Nanoseconds of CPU for one.
fn measure(store: &Store, local: &str, rights: Rights) -> Result<i64, Box<dyn Error>> {
    let options = Options::default();
    let paths: Result<Vec<_>, _> = (0..DOMAINS)
        .map(|at| parse_forward(&format!("<{local}@d{at}.test>")))
        .collect();
    let paths = paths.map_err(|error| format!("{error:?}"))?;
    let begin = cpu();
    for path in paths.iter().cycle().take(ROUNDS as usize) {
        let routed = look(store, |rows| route(rows, &options, rights, path));
        std::hint::black_box(routed.map_err(|_| "the directory cannot be read")?);
    }
    Ok((cpu() - begin) / i64::from(ROUNDS))
}

#[expect(clippy::print_stdout, reason = "what it measures is printed")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("bench_route DIR")?;
    let disk = Arc::new(LocalDisk::new(Path::new(&folder))?);
    let options = store::Options {
        cache: 1 << 20,
        message_size: 1 << 20,
        tiny: true,
        segment: SEGMENT,
        secret: [7; 16],
        folders: 0,
        keywords: 0,
        clock: Arc::new(RealClock),
    };
    let (store, running, _) = Store::open(disk, options)?;
    smol::block_on(fill(&store)).map_err(|refusal| refusal.to_string())?;
    for transports in [false, true] {
        if transports {
            let transport = |at: u32| {
                let target = "smtp:[192.0.2.1]".to_owned();
                Edit::Transport(added(
                    format!("d{at}.away.test"),
                    Transport { target, tls: None },
                ))
            };
            let transports = (0..DOMAINS).map(transport).collect();
            let added = smol::block_on(store.request(Request::Edit(transports)));
            added.map_err(|refusal| refusal.to_string())?;
        }
        for local in ["user", "user+tag", "alias3", "ghost", "postmaster"] {
            let each = measure(&store, local, Rights::Stranger)?;
            let with = if transports { "1000" } else { "no" };
            println!(
                "{local}, {with} transports: {}.{:03} us",
                each / 1000,
                each % 1000
            );
        }
    }
    store.stop();
    running.join()?;
    Ok(())
}
