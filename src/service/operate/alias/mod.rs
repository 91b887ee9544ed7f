//! `alias`: addresses that stand for others (`spec/mail.md` section 4).

mod many;
mod parse;

use serde::{Deserialize, Serialize};

use crate::{
    mail::address::Address,
    mail::path::parse_forward,
    routing::{
        AliasProblem, Rights,
        alias::{Source, Target},
        check_alias, route,
    },
    service::{
        lookup,
        operate::{Context, Kind, Problem, Reply, edit, name, some, test},
    },
    store::{
        Store,
        directory::{Alias, Edit, Swap},
    },
};

/// One change of aliases at a time: what was looked at for loops still stands when it is saved (FW-8).
static CHANGES: smol::lock::Mutex<()> = smol::lock::Mutex::new(());

/// Rows that are read in one go.
const SLICE: usize = 256;
/// What is said of targets elsewhere (UX-10, FW-11).
const OUTSIDE: &str = "forwarded mail leaves this box under a sender address of this box, and the \
    server there may take spam in it for yours";

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// Targets as they were written, with commas or spaces between them; added to those of the row
    /// that may be there. `srs` (FW-11): `None` = as it was.
    Add {
        source: String,
        targets: String,
        srs: Option<bool>,
    },
    /// A line for each: source and targets. All or nothing.
    AddMany {
        text: String,
        srs: Option<bool>,
    },
    Disable {
        source: String,
    },
    Enable {
        source: String,
    },
    List {
        domain: Option<String>,
    },
    /// Without a target, the whole row.
    Remove {
        source: String,
        target: Option<String>,
    },
    Test {
        address: String,
    },
}

/// An alias as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// In key form, or `@domain`.
    pub source: String,
    pub targets: Vec<String>,
    pub enabled: bool,
    /// Whether the sender of what leaves is rewritten; `None` = the default, it is.
    pub srs: Option<bool>,
}

impl Row {
    pub(super) fn text(&self) -> String {
        let mut line = format!("{} -> {}", self.source, self.targets.join(", "));
        match self.srs {
            Some(false) => line.push_str("  srs off"),
            Some(true) => line.push_str("  srs on"),
            None => {}
        }
        if !self.enabled {
            line.push_str("  disabled");
        }
        line
    }
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let _alone = match request {
        Request::List { .. } | Request::Test { .. } => None,
        _ => Some(CHANGES.lock().await),
    };
    match request {
        Request::Add {
            source,
            targets,
            srs,
        } => add(context, &source, &targets, srs, dry_run).await,
        Request::AddMany { text, srs } => many::add(context, text, srs, dry_run).await,
        Request::Disable { source } => enable(context, &source, false, dry_run).await,
        Request::Enable { source } => enable(context, &source, true, dry_run).await,
        Request::List { domain } => list(context, domain.as_deref()),
        Request::Remove { source, target } => {
            remove(context, &source, target.as_deref(), dry_run).await
        }
        Request::Test { address } => probe(context, &address),
    }
}

async fn add(
    context: &Context<'_>,
    source: &str,
    targets: &str,
    srs: Option<bool>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let options = name::options(context.config);
    forgotten(context.store, source)?;
    let bare = !source.contains('@');
    let source = parse::source(&options, source).map_err(|wrong| problem(&wrong))?;
    let targets =
        parse::targets(&options, &parse::words(targets)).map_err(|wrong| problem(&wrong))?;
    parse::fits(&source, &targets)?;
    let key = source.key();
    let (was, mailbox) = context
        .store
        .read(|reader| Ok((reader.alias(&key)?, reader.user_named(&key)?)))?;
    let (now, fresh) = joined(was.as_ref(), &targets, srs);
    if was.as_ref() == Some(&now) {
        let text = format!("{key} has {} already", names(&targets));
        return Err(Problem::new(Kind::Exists, text));
    }
    let whole = parse::stored(&now.targets);
    let outside = lookup::look(context.store, |rows| {
        check_alias(rows, &options, &source, &whole)?;
        parse::outside(rows, &options, &fresh)
    });
    let outside = outside.map_err(|_| problem(&AliasProblem::LookupFailed))?;
    let outside = outside.map_err(|wrong| problem(&wrong))?;
    let done = match (fresh.is_empty(), &was) {
        (true, _) => format!(
            "{key}: srs {}",
            if now.srs == Some(false) { "off" } else { "on" }
        ),
        (false, None) => format!("added alias {key} -> {}", names(&fresh)),
        (false, Some(_)) => format!("added to alias {key}: {}", names(&fresh)),
    };
    let mut text = if dry_run {
        format!("would be: {done}")
    } else {
        done
    };
    if !outside.is_empty() {
        text = format!("{text}\nnote: outside: {}; {OUTSIDE}", some(&outside));
    }
    if mailbox.is_some() && !keeps(&now, &key) {
        text = format!(
            "{text}\nnote: {key} has a mailbox, which gets nothing of this any more; to keep a copy: \
             pillarbox alias add {key} {key}"
        );
    }
    if bare {
        text = format!(
            "{text}\nnote: a name without a domain gets @{}",
            source.domain()
        );
    }
    if !now.enabled {
        text = format!("{text}\nnote: this alias is disabled (pillarbox alias enable {key})");
    }
    if !dry_run {
        swap(context, key, was, Some(now)).await?;
    }
    Ok(Reply::Done(text))
}

/// Refuses a domain of ours as a source where the @ was left out.
fn forgotten(store: &Store, source: &str) -> Result<(), Problem> {
    if !source.contains('.') || source.contains('@') {
        return Ok(());
    }
    let Ok(domain) = name::domain(source) else {
        return Ok(());
    };
    if store.read(|reader| reader.domain(&domain))?.is_none() {
        return Ok(());
    }
    let text = format!("{domain} is a domain; an alias for all of it is written @{domain}");
    Err(Problem::new(Kind::BadData, text))
}

/// Whether an alias names its own source: that mailbox gets a copy (FW-3).
fn keeps(alias: &Alias, key: &str) -> bool {
    alias
        .targets
        .iter()
        .filter_map(|target| Address::parse(target))
        .any(|target| target.key() == key)
}

async fn enable(
    context: &Context<'_>,
    source: &str,
    enabled: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (source, was) = find(context, source)?;
    let key = source.key();
    let now = Alias {
        enabled,
        ..was.clone()
    };
    no_loop(context, &source, &now)?;
    let what = if enabled { "enabled" } else { "disabled" };
    if dry_run {
        return Ok(Reply::Done(format!("{key}: would be: {what}")));
    }
    swap(context, key.clone(), Some(was), Some(now)).await?;
    Ok(Reply::Done(format!("{key}: {what}")))
}

async fn remove(
    context: &Context<'_>,
    source: &str,
    target: Option<&str>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let (source, was) = find(context, source)?;
    let key = source.key();
    let now = match target {
        Some(target) => without(context, &key, &was, target)?,
        None => None,
    };
    if let Some(now) = &now {
        no_loop(context, &source, now)?;
    }
    let done = match (target, &now) {
        (Some(_), Some(now)) => format!("alias {key} -> {}", now.targets.join(", ")),
        _ => format!("removed alias {key} -> {}", was.targets.join(", ")),
    };
    if dry_run {
        return Ok(Reply::Done(format!("would be: {done}")));
    }
    swap(context, key, Some(was), now).await?;
    Ok(Reply::Done(done))
}

/// Whether a row that is there already can stand as it will be: it may lead to nobody by now, but in no
/// circle (FW-8).
fn no_loop(context: &Context<'_>, source: &Source, now: &Alias) -> Result<(), Problem> {
    if !now.enabled {
        return Ok(());
    }
    let options = name::options(context.config);
    let mut whole = parse::stored(&now.targets);
    let checked = lookup::look(context.store, |rows| {
        loop {
            match check_alias(rows, &options, source, &whole) {
                // What leads to nobody leads in no circle; the others still may.
                Err(AliasProblem::Unknown { chain }) => {
                    let before = whole.len();
                    whole.retain(|target| chain.get(1) != Some(&target.to_string()));
                    if whole.is_empty() || whole.len() == before {
                        return Ok(());
                    }
                }
                Err(AliasProblem::NotOurs { .. }) => return Ok(()),
                checked => return checked,
            }
        }
    });
    let checked = checked.map_err(|_| problem(&AliasProblem::LookupFailed))?;
    checked.map_err(|wrong| problem(&wrong))
}

/// The row without a target; `None` if it was the last.
fn without(
    context: &Context<'_>,
    key: &str,
    was: &Alias,
    target: &str,
) -> Result<Option<Alias>, Problem> {
    let options = name::options(context.config);
    let target = parse::target(&options, target).map_err(|wrong| problem(&wrong))?;
    let gone = parse::key(&target);
    let mut now = was.clone();
    now.targets.retain(|text| parse::key_of(text) != gone);
    if now.targets.len() == was.targets.len() {
        let text = format!(
            "{key} has no target {target}; it has {}",
            was.targets.join(", ")
        );
        return Err(Problem::new(Kind::NoSuch, text));
    }
    Ok((!now.targets.is_empty()).then_some(now))
}

fn list(context: &Context<'_>, domain: Option<&str>) -> Result<Reply, Problem> {
    let domain = domain
        .map(|domain| name::domain(domain.trim_start_matches('@')))
        .transpose()?;
    if let Some(domain) = &domain
        && !is_ours(context, domain)?
    {
        let text = format!("no such domain: {domain} (pillarbox domain list)");
        return Err(Problem::new(Kind::NoSuch, text));
    }
    let mut rows = Vec::new();
    each(context, domain.as_deref(), |source, row| {
        rows.push(Row {
            source,
            targets: row.targets,
            enabled: row.enabled,
            srs: row.srs,
        });
    })?;
    Ok(Reply::Aliases(rows))
}

/// Whether a domain is there, by a row or by itself.
fn is_ours(context: &Context<'_>, domain: &str) -> Result<bool, Problem> {
    let row = context.store.read(|reader| reader.domain(domain))?;
    Ok(row.is_some() || name::own(context.config).iter().any(|own| own == domain))
}

fn probe(context: &Context<'_>, address: &str) -> Result<Reply, Problem> {
    let options = name::options(context.config);
    let recipient = name::address_at(address, options.origin.as_ref())
        .map_err(|wrong| Problem::new(Kind::BadData, wrong))?;
    let Ok(path) = parse_forward(&format!("<{recipient}>")) else {
        let text = format!("{} is too long", name::shown(address));
        return Err(Problem::new(Kind::BadData, text));
    };
    let routed = lookup::look(context.store, |rows| {
        route(rows, &options, Rights::Stranger, &path)
    });
    let routed = routed.map_err(|_| problem(&AliasProblem::LookupFailed))?;
    let who = |user| {
        let row = context.store.read(|reader| reader.user(user));
        row.ok().flatten().map(|row| row.address)
    };
    let report = test::Report::of(recipient.to_string(), &routed, who);
    Ok(Reply::Test(report))
}

/// Shows every alias, or those of a domain, a slice at a time.
pub(super) fn each(
    context: &Context<'_>,
    domain: Option<&str>,
    mut show: impl FnMut(String, Alias),
) -> Result<(), Problem> {
    let mut after: Option<String> = None;
    loop {
        let slice = context.store.read(|reader| match domain {
            Some(domain) => reader.aliases_of(domain, after.as_deref(), SLICE),
            None => reader.aliases(after.as_deref(), SLICE),
        })?;
        let Some((last, _)) = slice.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for (source, row) in slice {
            show(source, row);
        }
    }
}

/// Sources of aliases that name this address, tagged or not, but for its own.
pub(super) fn naming(context: &Context<'_>, address: &str) -> Result<Vec<String>, Problem> {
    let mut found = Vec::new();
    each(context, None, |source, row| {
        if row
            .targets
            .iter()
            .any(|target| parse::key_of(target) == address)
        {
            found.push(source);
        }
    })?;
    Ok(found)
}

/// Sources of aliases that are in a domain or lead into it.
pub(super) fn using(context: &Context<'_>, domain: &str) -> Result<Vec<String>, Problem> {
    let within = |text: &str| text.rsplit('@').next() == Some(domain);
    let mut found = Vec::new();
    each(context, None, |source, row| {
        if within(&source) || row.targets.iter().any(|target| within(target)) {
            found.push(source);
        }
    })?;
    Ok(found)
}

/// A row with more targets, and those it did not have.
fn joined(was: Option<&Alias>, targets: &[Target], srs: Option<bool>) -> (Alias, Vec<Target>) {
    let mut now = was.cloned().unwrap_or(Alias {
        targets: Vec::new(),
        enabled: true,
        srs: None,
    });
    let mut seen: std::collections::BTreeSet<String> =
        now.targets.iter().map(|text| parse::key_of(text)).collect();
    let mut fresh = Vec::new();
    for target in targets {
        if seen.insert(parse::key(target)) {
            now.targets.push(target.to_string());
            fresh.push(target.clone());
        }
    }
    if srs.is_some() {
        now.srs = srs;
    }
    (now, fresh)
}

fn find(context: &Context<'_>, source: &str) -> Result<(Source, Alias), Problem> {
    let options = name::options(context.config);
    let source = parse::source(&options, source).map_err(|wrong| problem(&wrong))?;
    let key = source.key();
    if let Some(row) = context.store.read(|reader| reader.alias(&key))? {
        return Ok((source, row));
    }
    let text = format!("no such alias: {key} (pillarbox alias list)");
    Err(Problem::new(Kind::NoSuch, text))
}

async fn swap(
    context: &Context<'_>,
    name: String,
    was: Option<Alias>,
    now: Option<Alias>,
) -> Result<(), Problem> {
    let what = name.clone();
    edit(context, vec![Edit::Alias(Swap { name, was, now })], &what).await
}

fn names(targets: &[Target]) -> String {
    let names: Vec<_> = targets.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// What is wrong with an alias, with one next step.
fn problem(problem: &AliasProblem) -> Problem {
    let kind = match problem {
        AliasProblem::LookupFailed => Kind::TryAgain,
        AliasProblem::NotOurs { .. } | AliasProblem::Unknown { .. } => Kind::NoSuch,
        _ => Kind::BadData,
    };
    Problem::new(kind, said(problem))
}

fn said(problem: &AliasProblem) -> String {
    match problem {
        AliasProblem::NotOurs { domain } => format!("{problem} (pillarbox domain add {domain})"),
        AliasProblem::Loop { .. } => format!("{problem}; leave out one of these steps"),
        AliasProblem::Unknown { chain } => match chain.last() {
            Some(last) => format!(
                "{problem}; give {last} to somebody first (pillarbox user add, or alias add)"
            ),
            None => problem.to_string(),
        },
        other => other.to_string(),
    }
}
