//! `dkim`: the keys with which a domain's mail is signed: show, rotate (OQ-10).

use serde::{Deserialize, Serialize};

use crate::{
    base::time::Time,
    service::{
        dkim::{self, ALGORITHMS},
        operate::{Context, Kind, Problem, Reply, dns, domain, edit},
    },
    store::directory::{DkimKey, DkimState, DomainClass, Edit, Swap},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Rotate {
        domain: String,
        /// The new keys sign at once, whether DNS shows them or not.
        now: bool,
    },
    Show {
        domain: String,
    },
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Rotate { domain, now } => rotate(context, &domain, now, dry_run).await,
        Request::Show { domain } => show(context, &domain),
    }
}

/// The first keys of a domain that has just been added.
pub(super) async fn begin(context: &Context<'_>, domain: &str) -> Result<(), Problem> {
    let edits = dkim::first(domain, context.now).map_err(unmade)?;
    edit(context, edits, domain).await
}

fn unmade(bad: crate::mailauth::dkim::BadKey) -> Problem {
    Problem::new(Kind::TryAgain, format!("no key could be made: {bad}"))
}

fn show(context: &Context<'_>, name: &str) -> Result<Reply, Problem> {
    let name = find(context, name)?;
    let records = dns::keys(context, &name)?;
    if records.is_empty() {
        let text = format!("{name} has no keys; to make some: pillarbox dkim rotate {name}");
        return Err(Problem::new(Kind::NoSuch, text));
    }
    Ok(Reply::Records(records))
}

/// A domain whose mail can be signed here.
fn find(context: &Context<'_>, name: &str) -> Result<String, Problem> {
    let name = domain::find(context, name)?;
    let row = context.store.read(|reader| reader.domain(&name))?;
    if row.is_some_and(|row| row.class == DomainClass::Local) {
        let text = format!("{name} has class local: its mail does not leave under that name");
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    Ok(name)
}

async fn rotate(
    context: &Context<'_>,
    name: &str,
    at_once: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let name = find(context, name)?;
    let rows = context.store.read(|reader| reader.dkim_keys(&name))?;
    let waiting: Vec<_> = rows
        .iter()
        .filter(|(_, row)| row.state == DkimState::Pending)
        .collect();
    if waiting.iter().any(|(_, row)| row.public.is_empty()) {
        return complete(context, &name, &rows, dry_run).await;
    }
    let selectors: Vec<_> = waiting
        .iter()
        .map(|(selector, _)| selector.as_str())
        .collect();
    if !selectors.is_empty() {
        if !at_once {
            let text = format!(
                "{name}: new keys wait until DNS shows them ({}): pillarbox dkim show {name}. To use \
                 them without waiting: pillarbox dkim rotate {name} --now",
                selectors.join(", ")
            );
            return Err(Problem::new(Kind::Exists, text));
        }
        let done = signs(&name, &selectors);
        if dry_run {
            return Ok(Reply::Done(format!("would be: {done}")));
        }
        let edits = dkim::turn(&name, &rows, &selectors, context.now);
        edit(context, edits, &name).await?;
        return Ok(Reply::Done(done));
    }
    renew(context, &name, &rows, at_once, dry_run).await
}

/// Makes the first keys of a domain, which the running box would have made in a moment.
async fn complete(
    context: &Context<'_>,
    name: &str,
    rows: &[(String, DkimKey)],
    dry_run: bool,
) -> Result<Reply, Problem> {
    let done = format!("{name}: its first keys are made (pillarbox dkim show {name})");
    if dry_run {
        return Ok(Reply::Done(format!("would be: {done}")));
    }
    let mut edits = Vec::new();
    for (selector, row) in rows {
        if row.public.is_empty() {
            let made = dkim::finish(name, selector, row, rows, context.now).await;
            edits.push(made.map_err(unmade)?);
        }
    }
    edit(context, edits, name).await?;
    Ok(Reply::Done(done))
}

/// Makes new keys.
async fn renew(
    context: &Context<'_>,
    name: &str,
    rows: &[(String, DkimKey)],
    at_once: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let selectors: Vec<_> = ALGORITHMS
        .iter()
        .map(|algorithm| dkim::selector(*algorithm, rows, context.now))
        .collect();
    let names: Vec<_> = selectors.iter().map(String::as_str).collect();
    // Where nothing signs yet there is nothing to wait for.
    let at_once = at_once || rows.iter().all(|(_, row)| row.state != DkimState::Active);
    let done = if at_once {
        signs(name, &names)
    } else {
        format!(
            "{name}: new keys {}; put their records into DNS (pillarbox dkim show {name}). They sign \
             once they are seen there, which is looked at every hour",
            names.join(", ")
        )
    };
    if dry_run {
        return Ok(Reply::Done(format!("would be: {done}")));
    }
    let now = context.now;
    let made = blocking::unblock(move || make(now)).await?;
    let new = selectors.iter().cloned().zip(made);
    let new_one = |key: &str| {
        let selector = key
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('/'));
        selector.is_some_and(|selector| names.contains(&selector))
    };
    let mut edits = Vec::new();
    if at_once {
        let all: Vec<_> = rows.iter().cloned().chain(new).collect();
        for edit in dkim::turn(name, &all, &names, now) {
            edits.push(match edit {
                // It is not there yet.
                Edit::DkimKey(swap) if new_one(&swap.name) => {
                    Edit::DkimKey(Swap { was: None, ..swap })
                }
                edit => edit,
            });
        }
    } else {
        edits.extend(new.map(|(selector, row)| dkim::swap(name, &selector, None, Some(row))));
    }
    edit(context, edits, name).await?;
    Ok(Reply::Done(done))
}

fn make(now: Time) -> Result<Vec<DkimKey>, Problem> {
    let keys = ALGORITHMS
        .iter()
        .map(|algorithm| dkim::make(*algorithm, now));
    keys.collect::<Result<_, _>>().map_err(unmade)
}

fn signs(name: &str, selectors: &[&str]) -> String {
    format!(
        "{name}: mail is signed with {}; the records have to be in DNS (pillarbox dkim show {name}), \
         those of the old keys for another 7 days",
        selectors.join(", ")
    )
}
