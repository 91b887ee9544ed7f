//! `transport`: where mail for a pattern goes next (`spec/mail.md` section 5).

use serde::{Deserialize, Serialize};

use crate::{
    routing::{
        class::class,
        nexthop::candidates,
        transport::{Target, TransportProblem, parse_pattern, parse_target},
    },
    service::{
        lookup::{self, DEFAULT_ROUTE},
        operate::{
            Context, Kind, Problem, Reply, add_row, columns, name, remove_row, route, test::Report,
        },
    },
    store::{
        Reader,
        directory::{Edit, Swap, Transport, TransportTls},
    },
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add {
        pattern: String,
        target: String,
        /// `None`: as the destination and its host publish.
        tls: Option<TransportTls>,
    },
    List,
    Remove {
        pattern: String,
    },
    Test {
        address: String,
        /// Whose mail it would be.
        from: Option<String>,
    },
}

/// A transport as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub pattern: String,
    pub target: String,
    /// `none`, `may`, `encrypt` or `verify`.
    pub tls: Option<String>,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add {
            pattern,
            target,
            tls,
        } => add(context, &pattern, &target, tls, dry_run).await,
        Request::List => list(context),
        Request::Remove { pattern } => remove(context, &pattern, dry_run).await,
        Request::Test { address, from } => probe(context, &address, from.as_deref()),
    }
}

async fn add(
    context: &Context<'_>,
    pattern: &str,
    target: &str,
    tls: Option<TransportTls>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let pattern = parse_pattern(pattern)
        .map_err(|wrong| problem(&wrong))?
        .to_string();
    if let Some((local, domain)) = pattern.split_once('@')
        && local.contains('*')
    {
        let text = format!(
            "{pattern}: a * stands for everybody only alone; for all of a domain write {domain}"
        );
        return Err(Problem::new(Kind::BadData, text));
    }
    let target = parse_target(target.trim()).map_err(|wrong| problem(&wrong))?;
    if tls.is_some() {
        secured(&target)?;
    }
    let (there, lacking) = context.store.read(|reader| {
        let lacking = match &target {
            Target::Relay { name } if !route::exists(reader, name)? => Some(name.clone()),
            _ => None,
        };
        Ok((reader.transport(&pattern)?, lacking))
    })?;
    if let Some(there) = there {
        let text = format!(
            "{pattern} -> {} is there already; to change it: pillarbox transport remove {pattern}, \
             then add it",
            there.target
        );
        return Err(Problem::new(Kind::Exists, text));
    }
    if let Some(name) = lacking {
        let text = format!("no such route: {name} (pillarbox route add {name})");
        return Err(Problem::new(Kind::NoSuch, text));
    }
    let drops = matches!(target, Target::Discard);
    let target = target.to_string();
    let note = if drops {
        "\nnote: mail that this takes is accepted and dropped: neither sender nor recipient hears of it"
    } else {
        ""
    };
    let with = tls.map_or(String::new(), |tls| format!(", TLS {}", word(tls)));
    let what = format!("transport {pattern} -> {target}{with}{note}");
    let row = Edit::Transport(Swap::add(&pattern, Transport { target, tls }));
    let done = add_row(context, (&pattern, row), &what, dry_run).await;
    afresh(context);
    done
}

/// What waits may have another way out now.
fn afresh(context: &Context<'_>) {
    if let Some(outbound) = context.outbound {
        outbound.afresh();
    }
}

/// Refuses a level where nothing is spoken that it could be about.
fn secured(target: &Target) -> Result<(), Problem> {
    let text = match target {
        Target::LmtpHost { .. } | Target::SmtpHost { .. } | Target::SmtpMx { .. } => return Ok(()),
        Target::Relay { name } => format!(
            "--tls is not for relay: how {name} is secured stands with the route itself \
             (pillarbox route add … --tls)"
        ),
        Target::Discard | Target::Error { .. } | Target::LmtpUnix { .. } | Target::None => {
            "--tls is only for smtp: and lmtp:[host]: the others use no network".to_owned()
        }
    };
    Err(Problem::new(Kind::BadData, text))
}

async fn remove(context: &Context<'_>, pattern: &str, dry_run: bool) -> Result<Reply, Problem> {
    let pattern = parse_pattern(pattern)
        .map_err(|wrong| problem(&wrong))?
        .to_string();
    let Some(was) = context.store.read(|reader| reader.transport(&pattern))? else {
        let text = format!("no transport for {pattern} (pillarbox transport list)");
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let what = format!("transport {pattern} -> {}", was.target);
    let row = Edit::Transport(Swap::remove(&pattern, was));
    let done = remove_row(context, (&pattern, row), &what, dry_run).await;
    afresh(context);
    done
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let options = name::options(context.config);
    let mut rows: Vec<_> = context
        .store
        .read(Reader::transports)?
        .into_iter()
        .filter_map(|(name, row)| Some((parse_pattern(&name).ok()?, row)))
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.compare(b, &options));
    let rows = rows.into_iter().map(|(pattern, row)| Row {
        pattern: pattern.to_string(),
        target: row.target,
        tls: row.tls.map(|tls| word(tls).to_owned()),
    });
    Ok(Reply::Transports(rows.collect()))
}

/// Each pattern that could match, in the order in which they are tried (TR-8).
fn probe(context: &Context<'_>, address: &str, from: Option<&str>) -> Result<Reply, Problem> {
    let address = name::address(address)?;
    let from = from.map(name::address).transpose()?;
    let options = name::options(context.config);
    let domain = address.domain.as_str();
    let (targets, default) = context.store.read(|reader| {
        let mut targets = Vec::new();
        for pattern in candidates(&options, from.as_ref(), &address) {
            let row = reader.transport(&pattern)?;
            targets.push((pattern, row));
        }
        let default = reader.setting(DEFAULT_ROUTE)?;
        Ok((targets, default))
    })?;
    let class = lookup::find(context.store, |rows| class(rows, &options, &address.domain));
    let class = class.map_err(|_| Problem::new(Kind::TryAgain, "nobody can tell now"))?;
    let mut steps = Vec::new();
    let mut winner = None;
    for (pattern, target) in targets {
        match target {
            None => steps.push(format!("no transport for {pattern}")),
            Some(Transport { target, tls }) => {
                let with = tls.map_or(String::new(), |tls| format!(", TLS {}", word(tls)));
                steps.push(format!("transport {pattern} -> {target}{with}"));
                winner = Some(target);
                break;
            }
        }
    }
    let found = winner.is_some();
    let end = match winner {
        Some(target) if target != ":" => target,
        _ => match (class, default) {
            (Some(class), _) if class.is_hosted() => {
                format!("no transport: {domain} is a domain of ours (class {class})")
            }
            (_, Some(route)) => format!("no transport: the default route, relay:{route}"),
            (_, None) => format!("no transport: the mail servers (MX) of {domain}"),
        },
    };
    Ok(Reply::Test(Report {
        address: address.to_string(),
        found,
        steps,
        end: vec![end],
    }))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let tls = row
                .tls
                .as_ref()
                .map(|tls| format!("TLS {tls}"))
                .unwrap_or_default();
            vec![row.pattern.clone(), row.target.clone(), tls]
        })
        .collect();
    columns(&rows)
}

/// As it is written and shown.
fn word(tls: TransportTls) -> &'static str {
    match tls {
        TransportTls::Encrypt => "encrypt",
        TransportTls::May => "may",
        TransportTls::None => "none",
        TransportTls::Verify => "verify",
    }
}

fn problem(problem: &TransportProblem) -> Problem {
    // What somebody wrote stands in it between quotes, but for what holds no control characters.
    let text: String = problem.to_string();
    let text = text.replace(char::is_control, "?");
    Problem::new(Kind::BadData, text)
}
