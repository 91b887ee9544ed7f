//! `doctor`: what is wrong with the box, what it breaks, one next step (WB-2).

#[cfg(test)]
mod tests;

use std::future::Future;

use smol::future::{self, FutureExt as _};

use crate::{
    config::schema::KEYS,
    service::{
        lookup::DEFAULT_ROUTE,
        operate::{
            Context, Kind, Outside, Problem, Reply, check,
            finding::{Finding, State},
            queue, route, status,
        },
    },
    store::directory::{DkimKey, DkimState},
};

/// All that is asked outside ends after so many seconds (UX-56).
const WAIT: u64 = 8;
/// Whose mail server is asked whether port 25 out is open: big, and always there.
const BIG: &str = "gmail.com";
/// The clock cannot be before this: 2026-01-01.
const EARLIEST: i64 = 1_767_225_600;
/// Free room below which it is said, in octets.
const LITTLE: u64 = 256 * 1024 * 1024;
/// Mail that waits for longer is stuck, in seconds.
const STUCK: u64 = 4 * 3600;

pub(super) async fn operate(context: &Context<'_>) -> Result<Reply, Problem> {
    let (Some(running), Some(outside)) = (&context.running, &context.outside) else {
        return Err(Problem::new(Kind::NotRunning, status::NOT_RUNNING));
    };
    let mut findings = vec![doors(context), clock(context)];
    findings.extend(disk(context, running));
    let default = context.store.read(|reader| reader.setting(DEFAULT_ROUTE))?;
    let (names, way) = match default {
        Some(name) => future::zip(names(outside), login(context, outside, &name)).await,
        None => future::zip(names(outside), port_25(outside)).await,
    };
    findings.push(names);
    findings.push(way);
    findings.push(waiting(context)?);
    findings.extend(keys(context)?);
    Ok(Reply::Findings(findings))
}

/// The start fails where an address cannot be had, so all of these are open.
fn doors(context: &Context<'_>) -> Finding {
    let what = "Doors (listeners)";
    let open: Vec<_> = KEYS
        .iter()
        .filter(|key| key.name.starts_with("listen.") && key.needs.is_none())
        .filter_map(|key| {
            let addresses: Vec<_> = context.config.listeners(key).iter().collect();
            let first = addresses.first()?;
            let name = key.name.strip_prefix("listen.").unwrap_or(key.name);
            Some(format!("{name} {first}"))
        })
        .collect();
    if open.is_empty() {
        return Finding::new(
            State::Warning,
            what,
            "none is open",
            "no mail comes in, and nobody can log in",
            "pillarbox config default listen.mx shows what is usual; then config set",
        );
    }
    Finding::ok(what, open.join(", "))
}

fn clock(context: &Context<'_>) -> Finding {
    let (what, now) = ("Clock", context.now.rfc3339());
    if context.now.0 < EARLIEST {
        return Finding::new(
            State::Failing,
            what,
            format!("it says {now}"),
            "certificates look as if they were not valid yet, and mail gets a wrong date",
            "set it (date), and have it kept right by NTP",
        );
    }
    Finding::ok(what, now)
}

fn disk(context: &Context<'_>, running: &status::Running) -> Vec<Finding> {
    let figures = context.store.status();
    let (what, free) = ("Disk", figures.free_octets);
    let told = format!("{} free", queue::size(free));
    let mut findings = vec![if !figures.room {
        Finding::new(
            State::Failing,
            what,
            told,
            "it is full: mail is put off until there is room",
            "delete mail, or give the box a larger disk",
        )
    } else if free < LITTLE {
        Finding::new(
            State::Warning,
            what,
            told,
            "when it is full, mail is put off",
            "delete mail, or give the box a larger disk",
        )
    } else {
        Finding::ok(what, told)
    }];
    let lost = running.opened.lost > 0;
    let damage = running.opened.damage.len();
    let what = "Store";
    findings.push(match (figures.trouble, lost, damage) {
        (Some(trouble), _, _) => Finding::new(
            State::Warning,
            what,
            format!("it had trouble since the start: {trouble}"),
            "what was asked of it then was not done; others try again",
            "look at the disk's health; then pillarbox store check",
        ),
        (None, false, 0) => Finding::ok(what, "no damage was found"),
        (None, _, _) => Finding::new(
            State::Warning,
            what,
            "something was lost or damaged before the last start",
            "some messages may be incomplete",
            "pillarbox store check names them",
        ),
    });
    findings
}

/// Ends where nothing comes for too long.
async fn within<T>(outside: &Outside, late: T, work: impl Future<Output = T>) -> T {
    let until = outside.world.now().plus_seconds(WAIT);
    let patience = async {
        outside.world.sleep(until).await;
        late
    };
    work.or(patience).await
}

async fn names(outside: &Outside) -> Finding {
    let late = Finding::new(
        State::Failing,
        "Looking up names (DNS)",
        "no answer in time",
        "no mail leaves; it is kept, and does not age while there is no network",
        "look whether this machine is online; which servers are asked: pillarbox config show (dns.servers)",
    );
    within(outside, late, check::resolver(outside)).await
}

/// Whether others can be reached as mail servers reach each other.
async fn port_25(outside: &Outside) -> Finding {
    let late = Finding::new(
        State::Failing,
        format!("Way out to mail servers (port 25), tried with {BIG}"),
        "no answer in time",
        "mail cannot go straight to other servers, which is normal for a home line",
        "send through a provider: pillarbox route presets, then route add, test and default",
    );
    within(outside, late, check::port_25(outside, BIG)).await
}

/// Whether the provider takes our mail.
async fn login(context: &Context<'_>, outside: &Outside, name: &str) -> Finding {
    let what = format!("Sending through {name}");
    let next = format!("pillarbox route test {name} says more");
    let late = Err(Problem::new(Kind::TryAgain, "no answer in time"));
    let found = within(outside, late, route::probe(context, name)).await;
    let breaks = "mail to others waits, and goes back to its senders after queue.give_up";
    match found {
        Ok(probed) if probed.ok => Finding::ok(what, format!("{} takes our mail", probed.relay)),
        Ok(probed) => {
            let step = probed.step.unwrap_or_default();
            let found = format!("fails at {step}: {} {}", probed.relay, probed.reply);
            let next = probed.hint.unwrap_or(next);
            Finding::new(State::Failing, what, found, breaks, next)
        }
        Err(problem) => Finding::new(State::Failing, what, problem.text, breaks, next),
    }
}

fn waiting(context: &Context<'_>) -> Result<Finding, Problem> {
    let overview = queue::overview(context)?;
    let what = "Mail that waits (queue)";
    let told = overview.text();
    let list = "pillarbox queue list says why each message waits";
    Ok(if overview.paused {
        let next = "pillarbox queue resume";
        Finding::new(State::Warning, what, told, "nothing is sent", next)
    } else if overview.failing > 0 {
        let breaks = "mail that way waits, and goes back to its senders after queue.give_up";
        Finding::new(State::Warning, what, told, breaks, list)
    } else if overview.oldest_seconds > STUCK {
        let breaks = "somebody does not take it, or it is held";
        Finding::new(State::Warning, what, told, breaks, list)
    } else if overview.spooled.oldest > STUCK || overview.spooled.aside > 0 {
        let breaks = "what sendmail took is not sent, and goes back after queue.give_up";
        let next = "pillarbox serve's log says why (spool: ...)";
        Finding::new(State::Warning, what, told, breaks, next)
    } else {
        Finding::ok(what, told)
    })
}

fn keys(context: &Context<'_>) -> Result<Vec<Finding>, Problem> {
    let pending = context.store.read(|reader| {
        let mut pending = Vec::new();
        for (domain, _) in reader.domains()? {
            let keys = reader.dkim_keys(&domain)?;
            let waits = |key: &DkimKey| key.state == DkimState::Pending;
            if keys.iter().any(|(_, key)| waits(key)) {
                pending.push(domain);
            }
        }
        Ok(pending)
    })?;
    let finding = |domain: String| {
        Finding::new(
            State::Warning,
            format!("Signatures (DKIM) of {domain}"),
            "a key waits until DNS shows it",
            "mail is not signed with it; some take such mail for spam",
            format!("pillarbox domain dns {domain} shows the record to add"),
        )
    };
    Ok(pending.into_iter().map(finding).collect())
}
