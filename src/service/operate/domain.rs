//! `domain`: add, remove, list.

use serde::{Deserialize, Serialize};

use crate::{
    mail::domain::Domain,
    service::operate::{Context, Kind, Problem, Reply, columns},
    store::{self, directory::DomainClass},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add { name: String, class: DomainClass },
    List,
    Remove { name: String },
}

/// A domain as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// In ASCII form.
    pub domain: String,
    pub class: String,
    pub enabled: bool,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add { name, class } => add(context, &name, class, dry_run).await,
        Request::List => list(context),
        Request::Remove { name } => remove(context, &name, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    name: &str,
    class: DomainClass,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let name = parse(name)?;
    if let Some(there) = context.store.read(|reader| reader.domain(&name))? {
        let text = format!("{name} is there already (class {})", word(there.class));
        return Err(Problem::new(Kind::Exists, text));
    }
    if dry_run {
        return Ok(Reply::Done(format!("would add domain {name}")));
    }
    let request = store::Request::AddDomain {
        name: name.clone(),
        class,
    };
    let done = context.store.request(request).await;
    done.map_err(|refusal| Problem::refused(&refusal, &name))?;
    Ok(Reply::Done(format!("added domain {name}")))
}

async fn remove(context: &Context<'_>, name: &str, dry_run: bool) -> Result<Reply, Problem> {
    let name = parse(name)?;
    if context.store.read(|reader| reader.domain(&name))?.is_none() {
        return Err(Problem::new(
            Kind::NoSuch,
            format!("no such domain: {name}"),
        ));
    }
    if dry_run {
        return Ok(Reply::Done(format!("would remove domain {name}")));
    }
    let request = store::Request::RemoveDomain { name: name.clone() };
    match context.store.request(request).await {
        Ok(_) => Ok(Reply::Done(format!("removed domain {name}"))),
        Err(store::Refusal::NotEmpty) => Err(Problem::new(
            Kind::NotAllowed,
            format!("{name} still has people; remove or rename them first"),
        )),
        Err(refusal) => Err(Problem::refused(&refusal, &name)),
    }
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let domains = context.store.read(store::Reader::domains)?;
    let rows = domains.into_iter().map(|(domain, row)| Row {
        domain,
        class: word(row.class).to_owned(),
        enabled: row.enabled,
    });
    Ok(Reply::Domains(rows.collect()))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let state = if row.enabled { "" } else { "disabled" };
            vec![row.domain.clone(), row.class.clone(), state.to_owned()]
        })
        .collect();
    columns(&rows)
}

/// A class as people write it.
#[must_use]
pub fn word(class: DomainClass) -> &'static str {
    match class {
        DomainClass::Alias => "alias",
        DomainClass::Backup => "backup",
        DomainClass::Local => "local",
        DomainClass::Mailbox => "mailbox",
        DomainClass::Relay => "relay",
    }
}

/// The ASCII form; an address in brackets is no domain of ours.
fn parse(name: &str) -> Result<String, Problem> {
    Domain::parse(name)
        .map(|domain| domain.as_str().to_owned())
        .filter(|name| !name.starts_with('['))
        .ok_or_else(|| {
            let text = format!("{:?} is no domain name", name.escape_debug().to_string());
            Problem::new(Kind::BadData, text)
        })
}
