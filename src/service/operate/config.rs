//! `config`: the values in effect and where they come from, and settings that the store keeps.

use std::{
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
};

use serde::{Deserialize, Serialize};

use crate::{
    config::{
        Config, Place,
        schema::{self, Effect, KEYS, Key},
        value::Value,
    },
    net::certificate::{self, Files},
    service::operate::{Context, Kind, Problem, Reply, device, domain, kept, user},
    store::{self, directory::DomainClass},
};

/// Messages are hardly ever smaller, in octets.
const SIZE_SMALL: u64 = 64 * 1024;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// What the store keeps, as it is.
    Kept,
    /// Keeps a value in the store.
    Set { key: String, value: String },
    /// With `changed`, only what is not a default.
    Show { changed: bool },
    /// Forgets what the store keeps.
    Unset { key: String },
}

/// Has a running appliance read its settings anew, as a signal does: all or nothing. Returns what is
/// then in effect, or why everything stayed as it was.
#[derive(Clone, Copy)]
pub struct Renew<'a>(pub &'a dyn Fn() -> Result<Rc<Config>, String>);

impl fmt::Debug for Renew<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renew")
    }
}

/// A key with its value.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub key: String,
    /// As it would stand in the file.
    pub value: String,
    /// As one word or line.
    pub plain: String,
    /// `default`, `store`, `file, line 3`, `environment, PILLARBOX_LISTEN_MX`, `option`.
    pub from: String,
    /// What it will be after a restart, and where that comes from, if it is something else.
    pub waiting: Option<String>,
}

impl Row {
    /// For programs: the value as the environment would have it, without the file's quotes.
    #[must_use]
    pub fn json(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Plain<'a> {
            key: &'a str,
            value: &'a str,
            from: &'a str,
            waiting: Option<&'a str>,
        }
        Plain {
            key: &self.key,
            value: &self.plain,
            from: &self.from,
            waiting: self.waiting.as_deref(),
        }
    }

    #[must_use]
    pub fn text(&self) -> String {
        let Self {
            key, value, from, ..
        } = self;
        let mut notes = vec![];
        if from != "default" {
            notes.push(from.clone());
        }
        if let Some(waiting) = &self.waiting {
            notes.push(format!("after a restart {waiting}"));
        }
        if notes.is_empty() {
            format!("{key} = {value}")
        } else {
            format!("{key} = {value} # {}", notes.join("; "))
        }
    }
}

pub(super) async fn operate(
    context: &Context<'_>,
    request: &Request,
    dry_run: bool,
) -> Result<Reply, Problem> {
    match request {
        Request::Kept => kept(context),
        Request::Set { key, value } => set(context, key, value, dry_run).await,
        Request::Show { changed } => Ok(show(context.config, *changed)),
        Request::Unset { key } => unset(context, key, dry_run).await,
    }
}

async fn set(
    context: &Context<'_>,
    name: &str,
    text: &str,
    dry_run: bool,
) -> Result<Reply, Problem> {
    let key = find(name)?;
    if let Some(why) = key.outside() {
        let text = format!("{name} is not kept in the store: {why}");
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let value = key.parse(text);
    let value = value.map_err(|wrong| Problem::new(Kind::BadData, wrong))?;
    if let Value::Networks(networks) = &value
        && key.name == schema::SMTP_TRUSTED_NETWORKS.name
        && let Some(text) = device::forbidden(networks)
    {
        return Err(Problem::new(Kind::BadData, text));
    }
    // The file may have changed since it was read.
    let config = match &context.renew {
        Some(renew) if !dry_run => (renew.0)().map_err(|wrong| {
            let text = format!("nothing was done, the configuration has mistakes: {wrong}");
            Problem::new(Kind::BadConfig, text)
        })?,
        _ => Rc::new(context.config.clone()),
    };
    if let Some(holder) = config.held(key) {
        let text = format!("{name} stands in {holder}; change it there");
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    admit(&config, key, Some(&value))?;
    fits(context, key, &value)?;
    let shown = format!("{name} = {}", value.toml());
    if dry_run {
        return Ok(Reply::Done(format!("would set {shown}")));
    }
    keep(context, key, Some(value.text())).await?;
    log::info!(target: "config", "set {shown}");
    let note = note(context.config, key, &value);
    Ok(Reply::Done(format!(
        "{shown}; {}{note}",
        renewed(context, key)?
    )))
}

/// What is most likely not meant, or comes next.
fn note(config: &Config, key: &Key, value: &Value) -> &'static str {
    match value {
        Value::Size(1..SIZE_SMALL) if key.name == schema::LIMIT_MESSAGE_SIZE.name => {
            "\nnote: hardly any message is that small; most mail will be refused"
        }
        Value::Text(path)
            if key.name == schema::TLS_KEY.name
                && !path.is_empty()
                && config.text(&schema::TLS_CERTIFICATE).is_empty() =>
        {
            "\nnote: the key is not looked at alone; now set tls.certificate, which puts both to use"
        }
        _ => "",
    }
}

async fn unset(context: &Context<'_>, name: &str, dry_run: bool) -> Result<Reply, Problem> {
    let key = find(name)?;
    if context.store.read(|reader| reader.setting(name))?.is_none() {
        let text = format!("{name} is not set in the store");
        return Err(Problem::new(Kind::NoSuch, text));
    }
    admit(context.config, key, None)?;
    if dry_run {
        return Ok(Reply::Done(format!("would unset {name}")));
    }
    keep(context, key, None).await?;
    log::info!(target: "config", "unset {name}");
    let when = renewed(context, key)?;
    Ok(Reply::Done(format!("{name} is unset; {when}")))
}

fn kept(context: &Context<'_>) -> Result<Reply, Problem> {
    let rows = context.store.read(store::Reader::settings)?;
    let rows = rows.into_iter().map(|(key, value)| Row {
        key,
        plain: value.clone(),
        value,
        from: Place::Store.to_string(),
        waiting: None,
    });
    Ok(Reply::Settings(rows.collect()))
}

fn find(name: &str) -> Result<&'static Key, Problem> {
    schema::find(name).ok_or_else(|| Problem::new(Kind::BadData, schema::unknown(name)))
}

/// Refuses what no start would get over.
fn admit(config: &Config, key: &'static Key, value: Option<&Value>) -> Result<(), Problem> {
    let objections = config.objections(key, value);
    if !objections.is_empty() {
        return Err(Problem::new(Kind::BadData, objections.join("; ")));
    }
    let text = |wanted: &Key| match value {
        Some(value) if wanted.name == key.name => value.text(),
        None if wanted.name == key.name => String::new(),
        _ => config.text(wanted).to_owned(),
    };
    let (certificate, private) = (text(&schema::TLS_CERTIFICATE), text(&schema::TLS_KEY));
    let about = [&schema::TLS_CERTIFICATE, &schema::TLS_KEY].map(|key| key.name);
    if about.contains(&key.name) && !certificate.is_empty() && !private.is_empty() {
        let files = Files {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(private),
        };
        certificate::load(&files)
            .map_err(|error| Problem::new(Kind::BadData, format!("{}: {error}", key.name)))?;
    }
    Ok(())
}

/// Refuses what does not fit to people and domains as they are.
fn fits(context: &Context<'_>, key: &Key, value: &Value) -> Result<(), Problem> {
    match value {
        Value::Text(address)
            if key.name == schema::ADDRESS_POSTMASTER.name && !address.is_empty() =>
        {
            user::find(context, address).map(drop)
        }
        Value::Texts(names) if key.name == schema::ADDRESS_LOCAL.name => {
            names.iter().try_for_each(|name| local(context, name))
        }
        _ => Ok(()),
    }
}

/// A domain has one class (AC-4).
fn local(context: &Context<'_>, name: &str) -> Result<(), Problem> {
    let row = context.store.read(|reader| reader.domain(name))?;
    match row.map(|row| row.class) {
        None | Some(DomainClass::Local) => Ok(()),
        Some(class) => {
            let text = format!(
                "{name} is there as a domain of class {}; it cannot be of class local too \
                 (pillarbox domain remove {name})",
                domain::word(class)
            );
            Err(Problem::new(Kind::Exists, text))
        }
    }
}

async fn keep(context: &Context<'_>, key: &Key, value: Option<String>) -> Result<(), Problem> {
    let data = Path::new(context.config.text(&schema::DATA));
    kept::forget(data).map_err(|error| {
        let text = format!("{}: {error}", data.display());
        Problem::new(Kind::TryAgain, text)
    })?;
    let request = store::Request::Set {
        key: key.name.to_owned(),
        value,
    };
    let done = context.store.request(request).await;
    done.map_err(|refusal| Problem::refused(&refusal, key.name))?;
    let settings = context.store.read(store::Reader::settings)?;
    // Without it the next start asks the store.
    if let Err(error) = kept::write(data, &settings) {
        log::warn!("settings: {}: {error}", data.display());
    }
    Ok(())
}

/// Has what was kept take effect; says when that is.
fn renewed(context: &Context<'_>, key: &Key) -> Result<&'static str, Problem> {
    let Some(renew) = &context.renew else {
        return Ok(match key.effect {
            Effect::Later => "kept for a later version",
            Effect::Live | Effect::Restart => "in effect from the next start on",
        });
    };
    let config = (renew.0)().map_err(|wrong| {
        let text = format!("{}: it is kept, but not in effect yet: {wrong}", key.name);
        Problem::new(Kind::BadConfig, text)
    })?;
    Ok(match key.effect {
        Effect::Later => "kept for a later version",
        Effect::Restart if config.waiting(key).is_some() => "in effect after a restart",
        Effect::Live | Effect::Restart => "in effect",
    })
}

/// The same without a store, where there is none yet.
#[must_use]
pub fn show(config: &Config, changed: bool) -> Reply {
    let rows = KEYS.iter().filter_map(|key| {
        let (value, place) = config.value(key)?;
        let waiting = config.waiting(key);
        (!changed || *place != Place::Default || waiting.is_some()).then(|| Row {
            key: key.name.to_owned(),
            value: value.toml(),
            plain: value.text(),
            from: place.to_string(),
            waiting: waiting.map(|(value, place)| format!("{} ({place})", value.toml())),
        })
    });
    Reply::Settings(rows.collect())
}

#[cfg(test)]
mod tests;
