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
    /// What it will be after a restart, and where that comes from, if it is something else.
    pub waiting: Option<String>,
}

impl Row {
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

pub(super) fn operate(context: &Context<'_>, request: &Request) -> Reply {
    let Request::Show { changed } = request;
    show(context.config, *changed)
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
            from: place.to_string(),
            waiting: waiting.map(|(value, place)| format!("{} ({place})", value.toml())),
        })
    });
    Reply::Settings(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_restart_is_told() {
        let mut row = Row {
            key: "listen.mx".to_owned(),
            value: "\"[::]:25\"".to_owned(),
            from: "default".to_owned(),
            waiting: None,
        };
        assert_eq!(row.text(), "listen.mx = \"[::]:25\"");
        row.waiting = Some("\"[::]:2525\" (file, line 3)".to_owned());
        assert_eq!(
            row.text(),
            "listen.mx = \"[::]:25\" # after a restart \"[::]:2525\" (file, line 3)"
        );
    }
}
