//! `domain`: names that this box answers for (`spec/mail.md` section 3).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    config::schema,
    mail::domain::Domain,
    service::operate::{
        Context, Kind, Problem, Reply, alias, check, columns, count, dkim, dns, edit, name, some,
        user,
    },
    store::{
        self, Reader,
        directory::{DomainClass, Edit, Swap},
    },
};

/// Recipients that are read in one go.
const SLICE: usize = 256;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    Add {
        name: String,
        class: DomainClass,
        /// One address a line: only these are known there (AC-5).
        recipients: Option<String>,
    },
    /// Whether the world's DNS knows it as it should.
    Check {
        name: String,
    },
    Disable {
        name: String,
    },
    /// The records that it needs.
    Dns {
        name: String,
    },
    Enable {
        name: String,
    },
    List,
    Remove {
        name: String,
    },
}

/// A domain as a list shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// In ASCII form.
    pub domain: String,
    pub class: String,
    pub enabled: bool,
    /// How many addresses its list has; `None` = it has none, all are taken.
    pub recipients: Option<u64>,
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Add {
            name,
            class,
            recipients,
        } => add(context, &name, class, recipients.as_deref(), dry_run).await,
        Request::Check { name } => {
            let name = name::domain(&name)?;
            if context.store.read(|reader| reader.domain(&name))?.is_none() {
                let text = format!("no such domain: {name} (pillarbox domain list)");
                return Err(Problem::new(Kind::NoSuch, text));
            }
            check::domain(context, &name).await.map(Reply::Findings)
        }
        Request::Disable { name } => enable(context, &name, false, dry_run).await,
        Request::Dns { name } => dns::show(context, &name),
        Request::Enable { name } => enable(context, &name, true, dry_run).await,
        Request::List => list(context),
        Request::Remove { name } => remove(context, &name, dry_run).await,
    }
}

async fn add(
    context: &Context<'_>,
    name: &str,
    class: DomainClass,
    recipients: Option<&str>,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let name = name::domain(name)?;
    let passed_on = matches!(class, DomainClass::Backup | DomainClass::Relay);
    if recipients.is_some() && !passed_on {
        let text = "--recipients-stdin is for the classes relay and backup: elsewhere the people and \
            aliases are the list";
        return Err(Problem::new(Kind::Usage, text));
    }
    free(context, &name, class, recipients.is_some())?;
    let list = recipients.map(|text| known(&name, text)).transpose()?;
    let done = match &list {
        Some(list) => format!(
            "domain {name} (class {}), {}",
            word(class),
            count(list.len(), "recipient", "recipients")
        ),
        None if class == DomainClass::Mailbox => format!("domain {name}"),
        None => format!("domain {name} (class {})", word(class)),
    };
    let note = if passed_on && list.is_none() {
        "\nnote: mail for any name there is taken, spam too; --recipients-stdin gives the names that \
         there are"
    } else {
        ""
    };
    if dry_run {
        return Ok(Reply::Done(format!("would add {done}{note}")));
    }
    let there = context.store.read(|reader| reader.domain(&name))?;
    if there.is_none() {
        // Until its list is there, nobody is known at a domain that has one.
        let add = store::Request::AddDomain {
            name: name.clone(),
            class,
            listed: list.is_some(),
        };
        request(context, add).await?;
        if matches!(class, DomainClass::Alias | DomainClass::Mailbox) {
            dkim::begin(context, &name).await?;
        }
    }
    if let Some(list) = list {
        set_recipients(context, &name, &list).await?;
    }
    let records = match class {
        DomainClass::Alias | DomainClass::Mailbox => {
            format!("\nnote: what DNS has to say about it: pillarbox domain dns {name}")
        }
        DomainClass::Backup | DomainClass::Local | DomainClass::Relay => String::new(),
    };
    Ok(Reply::Done(format!("added {done}{note}{records}")))
}

/// Whether a domain can be added: it is not there, or only its list is to be another one (AC-4).
fn free(
    context: &Context<'_>,
    name: &str,
    class: DomainClass,
    with_list: bool,
) -> Result<(), Problem> {
    let wanted = word(class);
    let exists = |text: String| Err(Problem::new(Kind::Exists, text));
    if let Some(there) = context.store.read(|reader| reader.domain(name))? {
        if there.class != class {
            return exists(format!(
                "{name} is there already with class {}; it cannot have class {wanted} too. To change \
                 it: pillarbox domain remove {name}, then add it",
                word(there.class)
            ));
        }
        if with_list {
            return Ok(());
        }
        return exists(format!("{name} is there already (class {wanted})"));
    }
    // The hostname is a name of the machine only as long as nobody says otherwise.
    if !name::listed(context.config).iter().any(|own| own == name)
        && (name != context.config.text(&schema::HOSTNAME) || class != DomainClass::Local)
    {
        return Ok(());
    }
    if class == DomainClass::Local {
        return exists(format!("{name} is there by itself (class local)"));
    }
    let step = match name {
        "localhost" => "give your mail another domain",
        _ => "take it out of address.local first",
    };
    exists(format!(
        "{name} is a name of this box itself and so has class local; it cannot have class {wanted} \
         too: {step}"
    ))
}

/// Puts a list in the place of the one that may be there (AC-5).
async fn set_recipients(
    context: &Context<'_>,
    name: &str,
    list: &BTreeSet<String>,
) -> Result<(), Problem> {
    let there: BTreeSet<String> = recipients(context, name)?.into_iter().collect();
    let swap = |name: &String, now: bool| {
        Edit::Recipient(Swap {
            name: name.clone(),
            was: (!now).then_some(()),
            now: now.then_some(()),
        })
    };
    let gone = there.difference(list).map(|name| swap(name, false));
    let new = list.difference(&there).map(|name| swap(name, true));
    edit(context, gone.chain(new).collect(), name).await?;
    let request_listed = store::Request::SetDomainListed {
        name: name.to_owned(),
        listed: true,
    };
    request(context, request_listed).await
}

/// The addresses of a list, in key form; the first bad line is named.
fn known(domain: &str, text: &str) -> Result<BTreeSet<String>, Problem> {
    let origin = Domain::parse(domain);
    let mut known = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = match name::address_at(line, origin.as_ref()) {
            Ok(address) if address.domain.as_str() == domain => {
                known.insert(address.key());
                continue;
            }
            Ok(address) => format!("{address} is not in {domain}"),
            Err(wrong) => wrong,
        };
        let text = format!("line {number}: {wrong}; nothing was done");
        return Err(Problem::new(Kind::BadData, text));
    }
    if known.is_empty() {
        let text = "no address came on standard input; give one on each line";
        return Err(Problem::new(Kind::BadData, text));
    }
    Ok(known)
}

async fn enable(
    context: &Context<'_>,
    name: &str,
    enabled: bool,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let name = find(context, name)?;
    let what = if enabled { "enabled" } else { "disabled" };
    if dry_run {
        return Ok(Reply::Done(format!("{name}: would be: {what}")));
    }
    let request_enabled = store::Request::SetDomainEnabled {
        name: name.clone(),
        enabled,
    };
    request(context, request_enabled).await?;
    Ok(Reply::Done(format!("{name}: {what}")))
}

async fn remove(context: &Context<'_>, name: &str, dry_run: bool) -> Result<Reply, Problem> {
    let name = find(context, name)?;
    let people = user::at(context, &name)?;
    let aliases = alias::using(context, &name)?;
    let mut used = Vec::new();
    if !people.is_empty() {
        used.push(format!("people ({})", some(&people)));
    }
    if !aliases.is_empty() {
        used.push(format!("aliases ({})", some(&aliases)));
    }
    if !used.is_empty() {
        let text = format!(
            "{name} is still in use by {}; remove or rename them first",
            used.join(" and ")
        );
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let notes = left(context, &name)?;
    if dry_run {
        return Ok(Reply::Done(format!("would remove domain {name}{notes}")));
    }
    let request = store::Request::RemoveDomain { name: name.clone() };
    match context.store.request(request).await {
        Ok(_) => Ok(Reply::Done(format!("removed domain {name}{notes}"))),
        Err(store::Refusal::NotEmpty) => Err(Problem::new(
            Kind::NotAllowed,
            format!("{name} is still in use; remove or rename people and aliases there first"),
        )),
        Err(refusal) => Err(Problem::refused(&refusal, &name)),
    }
}

/// What still names a domain that goes, as notes.
fn left(context: &Context<'_>, name: &str) -> Result<String, Problem> {
    let mut notes = String::new();
    let transports = context.store.read(store::Reader::transports)?;
    let within = |pattern: &str| {
        pattern
            .rsplit('@')
            .next()
            .map(|d| d.trim_start_matches('.'))
            == Some(name)
    };
    let transports: Vec<_> = transports
        .into_iter()
        .map(|(pattern, _)| pattern)
        .filter(|pattern| within(pattern))
        .collect();
    if let Some(first) = transports.first() {
        notes = format!(
            "\nnote: transports still name it: {} (pillarbox transport remove {first})",
            some(&transports)
        );
    }
    let origin = context.config.text(&schema::ADDRESS_ORIGIN) == name;
    let local = context.config.list(&schema::ADDRESS_LOCAL);
    for (named, key) in [
        (origin, &schema::ADDRESS_ORIGIN),
        (local.iter().any(|own| own == name), &schema::ADDRESS_LOCAL),
    ] {
        if named {
            notes = format!("{notes}\nnote: {} still names it", key.name);
        }
    }
    Ok(notes)
}

async fn request(context: &Context<'_>, request: store::Request) -> Result<(), Problem> {
    let done = context.store.request(request).await;
    done.map(drop)
        .map_err(|refusal| Problem::refused(&refusal, "domain"))
}

pub(super) fn find(context: &Context<'_>, name: &str) -> Result<String, Problem> {
    let name = name::domain(name)?;
    if context.store.read(|reader| reader.domain(&name))?.is_some() {
        return Ok(name);
    }
    let text = if name::own(context.config).contains(&name) {
        format!("{name} is a name of this box itself; it is always there")
    } else {
        format!("no such domain: {name} (pillarbox domain list)")
    };
    Err(Problem::new(Kind::NoSuch, text))
}

fn recipients(context: &Context<'_>, name: &str) -> Result<Vec<String>, Problem> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().map(String::as_str);
        let slice = context
            .store
            .read(|reader| reader.recipients(name, after, SLICE))?;
        if slice.is_empty() {
            return Ok(all);
        }
        all.extend(slice);
    }
}

fn list(context: &Context<'_>) -> Result<Reply, Problem> {
    let domains = context.store.read(Reader::domains)?;
    let mut rows = Vec::new();
    for (domain, row) in domains {
        let recipients = if row.listed {
            Some(recipients(context, &domain)?.len())
        } else {
            None
        };
        rows.push(Row {
            domain,
            class: word(row.class).to_owned(),
            enabled: row.enabled,
            recipients: recipients.map(|count| u64::try_from(count).unwrap_or(u64::MAX)),
        });
    }
    Ok(Reply::Domains(rows))
}

pub(super) fn text(rows: &[Row]) -> Vec<String> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut notes = Vec::new();
            if let Some(number) = row.recipients {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                notes.push(count(number, "recipient", "recipients"));
            }
            if !row.enabled {
                notes.push("disabled".to_owned());
            }
            vec![row.domain.clone(), row.class.clone(), notes.join(", ")]
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
