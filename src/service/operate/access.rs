//! `access`: networks whose clients are let in or turned away (SR-18).

use serde::{Deserialize, Serialize};

use crate::{
    base::network::Network,
    service::operate::{Context, Kind, Problem, Reply, add_row, columns, name::shown, remove_row},
    store::directory::{Access, Edit, Swap},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add { range: String, allow: bool },
    List,
    Remove { range: String },
}

/// A network as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub cidr: String,
    /// `ok` or `reject`.
    pub verdict: String,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add { range, allow } => add(context, &range, allow, dry_run).await,
        Request::List => list(context),
        Request::Remove { range } => remove(context, &range, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    range: &str,
    allow: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let cidr = parse(range)?;
    let verdict = word(allow);
    if let Some(there) = find(context, &cidr)? {
        let text = format!(
            "{cidr} is there already ({}); to change it: pillarbox access remove {cidr}, then add it",
            word(there.allow)
        );
        return Err(Problem::new(Kind::Exists, text));
    }
    let row = Edit::Access(Swap::add(&cidr, Access { allow }));
    let what = format!("{cidr}: {verdict}");
    add_row(context, (&cidr, row), &what, dry_run).await
}

async fn remove(context: &Context<'_>, range: &str, dry_run: bool) -> Result<Reply, Problem> {
    let cidr = parse(range)?;
    let Some(there) = find(context, &cidr)? else {
        let text = format!("{cidr} is not in the list (pillarbox access list)");
        return Err(Problem::new(Kind::NoSuch, text));
    };
    let row = Edit::Access(Swap::remove(&cidr, there));
    remove_row(context, (&cidr, row), &cidr, dry_run).await
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let mut rows: Vec<_> = context
        .store
        .read(crate::store::Reader::access_list)?
        .into_iter()
        .collect();
    rows.sort_by_key(|(cidr, _)| Network::parse(cidr));
    let rows = rows.into_iter().map(|(cidr, row)| Row {
        cidr,
        verdict: word(row.allow).to_owned(),
    });
    Ok(Reply::Access(rows.collect()))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| vec![row.cidr.clone(), row.verdict.clone()])
        .collect();
    columns(&rows)
}

fn find(context: &Context<'_>, cidr: &str) -> Result<Option<Access>, Problem> {
    let rows = context.store.read(crate::store::Reader::access_list)?;
    let row = rows.into_iter().find(|(name, _)| name == cidr);
    Ok(row.map(|(_, row)| row))
}

/// The one text of a network.
fn parse(range: &str) -> Result<String, Problem> {
    Network::parse(range)
        .map(|network| network.to_string())
        .ok_or_else(|| {
            let text = format!(
                "{} is no IP address or range; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
                shown(range)
            );
            Problem::new(Kind::BadData, text)
        })
}

fn word(allow: bool) -> &'static str {
    if allow { "ok" } else { "reject" }
}
