//! `config show`: the values in effect and where they come from.

use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Place, schema::KEYS},
    service::operate::{Context, Reply},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Request {
    /// With `changed`, only what is not a default.
    Show { changed: bool },
}

/// A key with its value.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    pub key: String,
    /// As it would stand in the file.
    pub value: String,
    /// `default`, `store`, `file, line 3`, `environment, PILLARBOX_LISTEN_MX`, `option`.
    pub from: String,
}

impl Row {
    #[must_use]
    pub fn text(&self) -> String {
        let Self { key, value, from } = self;
        if from == "default" {
            format!("{key} = {value}")
        } else {
            format!("{key} = {value} # {from}")
        }
    }
}

pub(super) fn operate(context: &Context<'_>, request: &Request) -> Reply {
    let Request::Show { changed } = request;
    show(context.config, *changed)
}

/// The same without a store, where there is none yet.
#[must_use]
pub fn show(config: &Config, changed: bool) -> Reply {
    let rows = KEYS.iter().filter_map(|key| {
        let (value, place) = config.value(key)?;
        (!changed || *place != Place::Default).then(|| Row {
            key: key.name.to_owned(),
            value: value.toml(),
            from: place.to_string(),
        })
    });
    Reply::Settings(rows.collect())
}
