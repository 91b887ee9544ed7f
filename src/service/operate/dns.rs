//! `domain dns`: the records that a domain needs, each in three forms (UX-20): as the fields of a provider's
//! panel, as quoted pieces, as a line of a zone file.

use serde::{Deserialize, Serialize};

use crate::{
    config::schema::{self, Role},
    mailauth::dkim::record as dkim_record,
    service::{
        dkim,
        lookup::DEFAULT_ROUTE,
        operate::{Context, Kind, Problem, Reply, columns, domain, route::presets},
    },
    store::directory::{DkimKey, DkimState, DomainClass},
};

/// Longest string of a TXT record, in octets (RFC 1035 section 3.3.14).
const STRING_MAX: usize = 255;

/// One record.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Record {
    #[serde(rename = "type")]
    pub kind: String,
    /// Relative to the domain, as panels want it; `@` is the domain itself.
    pub name: String,
    /// The whole name.
    pub host: String,
    /// As it is, in one piece; empty while it is not known.
    pub value: String,
    /// Of MX and SRV: a field of its own.
    pub priority: Option<u16>,
    /// A text in quoted pieces of at most 255 octets, for panels that want those; else empty.
    pub quoted: Vec<String>,
    /// The line of a zone file; empty where there can be none.
    pub zone: String,
    /// The mail flows without it.
    pub optional: bool,
    /// What it is for.
    pub about: String,
}

impl Record {
    fn new(domain: &str, host: &str, kind: &str, value: &str, about: impl Into<String>) -> Self {
        let mut record = Self {
            kind: kind.to_owned(),
            name: relative(host, domain),
            host: host.to_owned(),
            value: value.to_owned(),
            about: about.into(),
            ..Self::default()
        };
        if kind == "TXT" {
            record.quoted = quoted(value);
        }
        if !value.is_empty() {
            record.zone = match kind {
                "TXT" => zone(host, kind, &record.quoted.join(" ")),
                _ => zone(host, kind, value),
            };
        }
        record
    }

    fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    /// With the first number of the value apart.
    fn ranked(self, priority: u16) -> Self {
        let value = [&priority.to_string(), " ", &self.value].concat();
        Self {
            zone: zone(&self.host, &self.kind, &value),
            priority: Some(priority),
            ..self
        }
    }
}

fn zone(host: &str, kind: &str, value: &str) -> String {
    [host, ". 3600 IN ", kind, " ", value].concat()
}

/// The part of a name in front of the domain.
fn relative(host: &str, domain: &str) -> String {
    match host.strip_suffix(domain) {
        Some("") => "@".to_owned(),
        Some(front) if front.ends_with('.') => front.trim_end_matches('.').to_owned(),
        _ => [host, "."].concat(),
    }
}

/// In quotes, with what they need escaped (RFC 1035 section 5.1). Cut at octets: the values are ASCII.
fn quoted(value: &str) -> Vec<String> {
    let pieces = value.as_bytes().chunks(STRING_MAX);
    pieces
        .map(|piece| {
            let piece = String::from_utf8_lossy(piece);
            [
                "\"",
                &piece.replace('\\', "\\\\").replace('"', "\\\""),
                "\"",
            ]
            .concat()
        })
        .collect()
}

pub(super) fn text(records: &[Record]) -> Vec<String> {
    let mut lines = Vec::new();
    for record in records {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let optional = if record.optional { " (optional)" } else { "" };
        lines.push([&record.kind, optional, ": ", &record.about].concat());
        let mut fields = vec![("name", record.name.clone())];
        if !record.value.is_empty() {
            fields.push(("value", record.value.clone()));
        }
        fields.extend(
            record
                .priority
                .map(|number| ("priority", number.to_string())),
        );
        if !record.quoted.is_empty() {
            fields.push(("quoted", record.quoted.join(" ")));
        }
        if !record.zone.is_empty() {
            fields.push(("zone file", record.zone.clone()));
        }
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| vec![["  ", name].concat(), value])
            .collect();
        lines.extend(columns(&fields));
    }
    lines
}

/// All records that a domain needs.
pub(super) fn show(context: &Context<'_>, name: &str) -> Result<Reply, Problem> {
    let name = domain::find(context, name)?;
    let Some(row) = context.store.read(|reader| reader.domain(&name))? else {
        return Err(Problem::new(Kind::NoSuch, name));
    };
    if row.class == DomainClass::Local {
        let text =
            format!("{name} has class local: it is known inside this machine only, not in DNS");
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let host = context.config.text(&schema::HOSTNAME).to_owned();
    let mut records = Vec::new();
    if context.config.role() != Role::Relay {
        arriving(&name, &host, row.class, &mut records);
    }
    if dkim::signs(&row) {
        records.push(spf(context, &name)?);
        records.extend(keys(context, &name)?);
        policies(&name, &mut records);
        if row.class == DomainClass::Mailbox && context.config.role() == Role::Mailbox {
            phones(context, &name, &host, &mut records);
        }
    }
    Ok(Reply::Records(records))
}

fn arriving(name: &str, host: &str, class: DomainClass, records: &mut Vec<Record>) {
    let (priority, about) = match class {
        DomainClass::Backup => (20, "this box takes the mail while the main server is away"),
        _ => (10, "mail for the domain comes to this box"),
    };
    let target = [host, "."].concat();
    records.push(Record::new(name, name, "MX", &target, about).ranked(priority));
    let address = "the public IPv4 address of this box";
    records.push(Record::new(name, host, "A", "", address));
    let address = "its public IPv6 address, if it has one";
    records.push(Record::new(name, host, "AAAA", "", address).optional());
}

/// Who may send for the domain (RFC 7208). Softly: a signature proves more, and survives a forwarding.
fn spf(context: &Context<'_>, name: &str) -> Result<Record, Problem> {
    let route = context
        .store
        .read(|reader| match reader.setting(DEFAULT_ROUTE)? {
            Some(route) => reader.route(&route),
            None => Ok(None),
        })?;
    let Some(route) = route else {
        let about = "SPF: the servers that send for the domain, which is this box (by its MX)";
        return Ok(Record::new(name, name, "TXT", "v=spf1 mx ~all", about));
    };
    let (include, about) = match presets::include(&route.hosts) {
        Some(include) => (
            [" include:", include].concat(),
            "SPF: this box, and the provider through which its mail leaves".to_owned(),
        ),
        None => (
            String::new(),
            format!(
                "SPF: this box. Mail leaves through {}: ask who runs that what to add in front of ~all \
                 (include:…)",
                route.hosts.join(", ")
            ),
        ),
    };
    let value = ["v=spf1 mx", &include, " ~all"].concat();
    Ok(Record::new(name, name, "TXT", &value, about))
}

/// The public keys of a domain, as records.
///
/// # Errors
///
/// The store cannot be read.
pub(super) fn keys(context: &Context<'_>, name: &str) -> Result<Vec<Record>, Problem> {
    let rows = context.store.read(|reader| reader.dkim_keys(name))?;
    let record = |(selector, row): &(String, DkimKey)| {
        let host = [selector, "._domainkey.", name].concat();
        let value = if row.public.is_empty() {
            String::new()
        } else {
            dkim_record(dkim::algorithm(row.algorithm), &row.public)
        };
        Record::new(name, &host, "TXT", &value, about(row))
    };
    Ok(rows.iter().rev().map(record).collect())
}

fn about(row: &DkimKey) -> String {
    match (row.state, row.retired) {
        (_, _) if row.public.is_empty() => {
            "DKIM: this key is still being made, which the running box does by itself; ask again in \
             a minute"
                .to_owned()
        }
        (DkimState::Active, _) => "DKIM: with this key mail is signed".to_owned(),
        (DkimState::Pending, _) => {
            "DKIM: a new key, which signs once this record is seen in DNS".to_owned()
        }
        (DkimState::Retired, at) => {
            let until = at.map_or(0, |at| at.0.saturating_add(dkim::PUBLISHED));
            let until = crate::base::time::Time(until).rfc3339();
            format!("DKIM: an old key; leave the record until {until}, then delete it")
        }
    }
}

fn policies(name: &str, records: &mut Vec<Record>) {
    let host = ["_dmarc.", name].concat();
    let value = ["v=DMARC1; p=none; rua=mailto:postmaster@", name].concat();
    let about =
        "DMARC: others report what they see in the name of the domain, and refuse nothing yet";
    records.push(Record::new(name, &host, "TXT", &value, about));
    let host = ["_smtp._tls.", name].concat();
    let value = ["v=TLSRPTv1; rua=mailto:postmaster@", name].concat();
    let about = "TLS-RPT: others report what goes wrong with encryption on the way here";
    records.push(Record::new(name, &host, "TXT", &value, about).optional());
}

/// Where mail programs find their servers (RFC 6186, RFC 8314 section 5.1). Nothing is said of services that
/// are not there: some panels refuse such records.
fn phones(context: &Context<'_>, name: &str, host: &str, records: &mut Vec<Record>) {
    for (service, key, about) in [
        (
            "_imaps",
            &schema::LISTEN_IMAPS,
            "mail programs find the box for reading",
        ),
        (
            "_submissions",
            &schema::LISTEN_SUBMISSIONS,
            "mail programs find the box for sending",
        ),
        (
            "_pop3s",
            &schema::LISTEN_POP3S,
            "mail programs that use POP3 find the box",
        ),
    ] {
        let Some(listener) = context.config.listeners(key).first() else {
            continue;
        };
        let at = [service, "._tcp.", name].concat();
        let value = format!("1 {} {host}.", listener.port());
        let record = Record::new(name, &at, "SRV", &value, about).ranked(0);
        records.push(record.optional());
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;
    use crate::{base::time::Time, mailauth::dkim::Algorithm};

    #[test]
    fn ux_20_pieces_joined_are_the_value() {
        let public: Vec<u8> = (0..=255)
            .chain(0..38)
            .map(|n: u16| n.to_le_bytes()[0])
            .collect();
        let value = dkim_record(Algorithm::Rsa, &public);
        let host = "r202611._domainkey.home.test";
        let record = Record::new("home.test", host, "TXT", &value, "");
        assert_eq!(record.name, "r202611._domainkey");
        assert_eq!(record.quoted.len(), 2);
        assert!(
            record
                .quoted
                .iter()
                .all(|piece| piece.len() <= STRING_MAX + 2)
        );
        let joined: String = record
            .quoted
            .iter()
            .map(|piece| piece.trim_matches('"'))
            .collect();
        assert_eq!(joined, value);
        assert!(joined.ends_with(&BASE64_STANDARD.encode(&public)));
        let line = format!("{host}. 3600 IN TXT {}", record.quoted.join(" "));
        assert_eq!(record.zone, line);
    }

    #[test]
    fn names_as_panels_want_them() {
        for (host, want) in [
            ("home.test", "@"),
            ("mx.home.test", "mx"),
            ("_dmarc.home.test", "_dmarc"),
            ("a.b.home.test", "a.b"),
            ("myhome.test", "myhome.test."),
            ("mx.other.test", "mx.other.test."),
        ] {
            assert_eq!(relative(host, "home.test"), want);
        }
        let mx = Record::new("home.test", "home.test", "MX", "mx.home.test.", "").ranked(10);
        assert_eq!((mx.priority, &*mx.value), (Some(10), "mx.home.test."));
        assert_eq!(mx.zone, "home.test. 3600 IN MX 10 mx.home.test.");
    }

    #[test]
    fn what_quotes_need() {
        assert_eq!(quoted("a\"b\\c"), ["\"a\\\"b\\\\c\""]);
        assert_eq!(quoted(""), [""; 0]);
    }

    #[test]
    fn what_is_said_of_a_key() {
        let row = |state, retired| DkimKey {
            state,
            retired,
            public: vec![1],
            ..dkim::unmade(crate::store::directory::DkimAlgorithm::Rsa, Time(0))
        };
        assert!(about(&row(DkimState::Active, None)).contains("is signed"));
        assert!(about(&row(DkimState::Pending, None)).contains("once this record is seen"));
        let old = about(&row(DkimState::Retired, Some(Time(1_795_272_815))));
        assert!(old.contains("until 2026-11-28T14:53:35Z"), "{old}");
    }
}
