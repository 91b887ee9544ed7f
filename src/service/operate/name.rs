//! Addresses and domains as an admin writes them, and what of them is ours.

use std::{path::Path, sync::Arc};

use crate::{
    config::{Config, schema},
    mail::{
        address::Address,
        domain::Domain,
        path::{ForwardPath, parse_forward},
    },
    routing::{LookupFailed, Options, names::Names, route::postmaster as postmaster_of},
    service::{
        lookup, names,
        operate::{Context, Kind, Problem},
    },
};

/// What routing has to know of the configuration.
pub(super) fn options(config: &Config) -> Options {
    Options {
        delimiter: config.delimiter(),
        hostname: Domain::parse(config.text(&schema::HOSTNAME)),
        origin: Domain::parse(config.origin()),
        local: config
            .list(&schema::ADDRESS_LOCAL)
            .iter()
            .filter_map(|name| Domain::parse(name))
            .collect(),
        postmaster: config.postmaster().map(ToOwned::to_owned),
        names: names(config),
        null_client: config.role() == schema::Role::Relay,
    }
}

/// What the file of aliases says; one that cannot be read says nothing.
fn names(config: &Config) -> Arc<Names> {
    match config.text(&schema::LOCAL_ALIASES) {
        "" | "off" => Arc::default(),
        path => names::read(Path::new(path)).map_or_else(|_| Arc::default(), |(n, _)| Arc::new(n)),
    }
}

/// The address of the person at whom standard names end (AC-12).
pub(super) fn postmaster(context: &Context<'_>) -> Result<Option<String>, Problem> {
    let options = options(context.config);
    let found = lookup::find(context.store, |rows| match postmaster_of(rows, &options)? {
        Some(user) => rows.user(user),
        None => Ok(None),
    });
    match found {
        Ok(person) => Ok(person.map(|person| person.address)),
        Err(LookupFailed) => Err(Problem::new(Kind::TryAgain, "nobody can tell now")),
    }
}

/// Names of this machine itself, which are local without a row (AC-4).
pub(super) fn own(config: &Config) -> Vec<String> {
    let mut own = listed(config);
    own.extend(
        options(config)
            .hostname
            .map(|name| name.as_str().to_owned()),
    );
    own
}

/// Names that are listed as the machine's: they can have no other class (AC-4).
pub(super) fn listed(config: &Config) -> Vec<String> {
    let mut listed = vec!["localhost".to_owned()];
    listed.extend_from_slice(config.list(&schema::ADDRESS_LOCAL));
    listed
}

/// The ASCII form of a domain; an address in brackets is no domain of ours.
pub(super) fn domain(text: &str) -> Result<String, Problem> {
    domain_name(text).map_err(|wrong| Problem::new(Kind::BadData, wrong))
}

/// The same with what is wrong as text.
pub(super) fn domain_name(text: &str) -> Result<String, String> {
    Domain::parse(text)
        .filter(|domain| !domain.is_literal())
        .map(|domain| domain.as_str().to_owned())
        .ok_or_else(|| format!("{} is no domain name", shown(text)))
}

/// A full address.
pub(super) fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).ok_or_else(|| {
        let text = format!("{} is no address; write name@domain", shown(text));
        Problem::new(Kind::BadData, text)
    })
}

/// An address, or a name alone with `origin` behind it (AC-8).
pub(super) fn address_at(text: &str, origin: Option<&Domain>) -> Result<Address, String> {
    let wrong = || format!("{} is no address; write name@domain", shown(text));
    match parse_forward(&format!("<{text}>")) {
        // A source route is no address.
        _ if text.starts_with('@') => Err(wrong()),
        Ok(ForwardPath::Address(address)) => Ok(address),
        Ok(ForwardPath::Bare(local)) => origin
            .and_then(|origin| Address::new(local, origin.clone()))
            .ok_or_else(wrong),
        Err(_) => Err(wrong()),
    }
}

/// What somebody wrote, so that it harms no terminal and fills none.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    format!("\"{}\"", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_alone_get_the_origin() {
        let origin = Domain::parse("mx.home.test");
        for (text, want) in [
            ("root", Some("root@mx.home.test")),
            ("\"a b\"", Some("\"a b\"@mx.home.test")),
            ("A@Home.Test", Some("A@home.test")),
            ("@home.test", None),
            ("@a.test:b@home.test", None),
            ("a b", None),
            ("a@", None),
            ("", None),
        ] {
            let got = address_at(text, origin.as_ref());
            assert_eq!(got.ok().map(|a| a.to_string()).as_deref(), want, "{text}");
        }
        assert!(address_at("root", None).is_err());
        assert_eq!(shown("a\u{1b}\n"), "\"a\\u{1b}\\n\"");
        assert_eq!(shown(&"x".repeat(1000)).len(), 85);
    }
}
